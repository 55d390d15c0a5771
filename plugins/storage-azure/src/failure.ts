import { BackupError, type BackupErrorOptions, type ErrorCode, isBackupError } from '@ydbackup/core'

type Kind = readonly [code: ErrorCode, options: Omit<BackupErrorOptions, 'cause'>]

/** The reason of an error that only a whole new put can mend. */
export const BLOCKS_LOST = 'blocks-lost'

const AGAIN = { retry: 'later', advice: 'try again' } as const
const kind = (code: ErrorCode, advice: string, more: Omit<BackupErrorOptions, 'cause' | 'advice'> = {}): Kind => [
	code,
	{ ...more, advice },
]
const RIGHTS = kind(
	'STORAGE_PERMISSION',
	'give the key, signature or identity the rights to read, write, list and delete blobs of this container',
	{ reason: 'right' },
)
const WHO = kind('STORAGE_PERMISSION', 'check the account, its key or signature, and the clock of this machine')
const HELD = kind('STORAGE_PERMISSION', 'the object is held: wait until its retention ends', { reason: 'held' })
const DAMAGED = kind('STORAGE_INTEGRITY', 'the bytes changed on their way; try again', { retry: 'same' })

/** Error codes of the service. https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
const BY_CODE: Readonly<Record<string, Kind>> = {
	BlobNotFound: kind('STORAGE_NOT_FOUND', 'check that the repository was not moved'),
	ContainerNotFound: kind('STORAGE_NOT_FOUND', 'create the container, or correct its name', {
		reason: 'container-missing',
	}),
	ContainerBeingDeleted: kind('STORAGE_PERMANENT', 'the container is being deleted: choose another one'),
	ContainerDisabled: kind('STORAGE_PERMISSION', 'the container was disabled by its owner'),
	BlobAlreadyExists: kind('STORAGE_ALREADY_EXISTS', 'objects are never rewritten'),
	ServerBusy: ['STORAGE_THROTTLED', { retry: 'later', advice: 'lower the concurrency' }],
	OperationTimedOut: ['STORAGE_TRANSIENT', AGAIN],
	InternalError: ['STORAGE_TRANSIENT', AGAIN],
	Md5Mismatch: DAMAGED,
	Crc64Mismatch: DAMAGED,
	// Somebody else committed or discarded blocks of the same name meanwhile.
	InvalidBlockList: kind('STORAGE_TRANSIENT', 'something else writes the same object; try again', {
		retry: 'same',
		reason: BLOCKS_LOST,
	}),
	InvalidBlobOrBlock: kind('STORAGE_TRANSIENT', 'something else writes the same object; try again', { retry: 'same' }),
	BlockCountExceedsLimit: kind(
		'STORAGE_QUOTA',
		'too many unfinished blocks wait at this name: they expire after a week',
	),
	RequestBodyTooLarge: kind('STORAGE_QUOTA', 'the service does not take objects of this size'),
	BlobArchived: kind('STORAGE_PERMANENT', 'the object is in the archive tier: rehydrate it before it is read'),
	BlobBeingRehydrated: kind('STORAGE_PERMANENT', 'the object is on its way out of the archive tier: wait for it'),
	SnapshotsPresent: kind('STORAGE_PERMANENT', 'something else made snapshots of the object: delete them first'),
	InvalidRange: kind('STORAGE_PERMANENT', 'the object is shorter than it should be'),
	ConditionNotMet: kind('STORAGE_PERMANENT', 'something else rewrote the object meanwhile', { reason: 'condition' }),
	BlobImmutableDueToPolicy: HELD,
	BlobImmutableDueToLegalHold: HELD,
	AuthenticationFailed: WHO,
	InvalidAuthenticationInfo: WHO,
	NoAuthenticationInformation: WHO,
	AccountIsDisabled: kind('STORAGE_PERMISSION', 'the storage account is disabled'),
	KeyBasedAuthenticationNotPermitted: kind(
		'STORAGE_PERMISSION',
		'the account refuses keys: unset them, and install @azure/identity to sign in with an identity',
	),
	AuthorizationSourceIPMismatch: kind(
		'STORAGE_PERMISSION',
		'the signature is not valid from the address of this machine',
	),
	AuthorizationProtocolMismatch: kind('STORAGE_PERMISSION', 'the signature is valid over https alone'),
	AuthorizationFailure: kind(
		'STORAGE_PERMISSION',
		"check the key or signature, its rights, and the account's firewall: it may not know this network",
	),
	UnauthorizedBlobOverwrite: kind('STORAGE_PERMISSION', 'the signature may create objects and not rewrite them', {
		reason: 'overwrite',
	}),
	FeatureNotSupportedByAccount: kind('STORAGE_UNSUPPORTED', 'this kind of storage account cannot do it'),
	UnsupportedHttpVerb: kind('STORAGE_UNSUPPORTED', 'check that the endpoint is a blob service'),
}

const BY_STATUS: Readonly<Record<number, Kind>> = {
	401: WHO,
	403: kind(
		'STORAGE_PERMISSION',
		'check the endpoint, the rights, and the proxy on the way: the refusal has no code of the service',
	),
	404: kind('STORAGE_NOT_FOUND', 'check the location'),
	408: ['STORAGE_TRANSIENT', AGAIN],
	413: kind('STORAGE_QUOTA', 'the service does not take objects of this size'),
	416: kind('STORAGE_PERMANENT', 'the object is shorter than it should be'),
	429: ['STORAGE_THROTTLED', { retry: 'later', advice: 'lower the concurrency' }],
	501: kind('STORAGE_UNSUPPORTED', 'the service cannot do this'),
	503: ['STORAGE_THROTTLED', { retry: 'later', advice: 'lower the concurrency' }],
	507: kind('STORAGE_QUOTA', 'make room in the storage account'),
}

const NETWORK = kind('STORAGE_TRANSIENT', 'check the network', { retry: 'later' })
const UNREACHABLE = kind('STORAGE_TRANSIENT', 'check the endpoint, the network and the firewall', {
	retry: 'later',
	reason: 'unreachable',
})
const NAMELESS = kind('STORAGE_TRANSIENT', 'check the name of the account or of the endpoint', {
	retry: 'later',
	reason: 'unreachable',
})
const CERTIFICATE = kind(
	'STORAGE_PERMANENT',
	'check the endpoint; for a certificate authority of your own set NODE_EXTRA_CA_CERTS',
	{ reason: 'certificate' },
)

/** Error codes of sockets, names and TLS. */
const BY_NETWORK: Readonly<Record<string, Kind>> = {
	ECONNRESET: NETWORK,
	ECONNABORTED: NETWORK,
	EPIPE: NETWORK,
	ETIMEDOUT: UNREACHABLE,
	ECONNREFUSED: UNREACHABLE,
	EHOSTUNREACH: UNREACHABLE,
	ENETUNREACH: UNREACHABLE,
	EAI_AGAIN: NAMELESS,
	ENOTFOUND: NAMELESS,
	REQUEST_SEND_ERROR: NETWORK,
	PARSE_ERROR: NETWORK,
	EPROTO: kind('STORAGE_PERMANENT', 'check that the endpoint speaks TLS: https and http are not the same'),
	ERR_SSL_WRONG_VERSION_NUMBER: kind('STORAGE_PERMANENT', 'the endpoint does not speak TLS: write http'),
}

const IS_CERTIFICATE = /^(?:CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH)/

/** What the SDK, the network and the identity library throw, as far as it is looked at. */
interface Thrown {
	readonly name?: string
	readonly message?: string
	readonly code?: string
	readonly statusCode?: number
	readonly cause?: unknown
	readonly details?: { readonly errorCode?: string; readonly authenticationErrorDetail?: string }
	readonly response?: { readonly headers?: { get(name: string): string | undefined } }
}

export interface FailureContext {
	/** For example `write a/b in az://backups`; follows `cannot`. */
	readonly doing: string
	/** Removed from whatever is quoted. */
	readonly secrets?: readonly string[]
	/** The end of the signature in use. */
	readonly expiresAt?: Date | undefined
}

/** The service's own error code, for example `BlobNotFound`; empty where it gave none. */
export function serviceCode(error: unknown): string {
	const { code, details, response, statusCode } = (error ?? {}) as Thrown
	if (statusCode === undefined) return ''
	return details?.errorCode ?? response?.headers?.get('x-ms-error-code') ?? code ?? ''
}

export function statusOf(error: unknown): number | undefined {
	return ((error ?? {}) as Thrown).statusCode
}

/** The error of the contract for whatever the SDK threw. It and its cause quote no request: those hold signatures. */
export function storageError(error: unknown, context: FailureContext): BackupError {
	if (isBackupError(error)) return error
	const thrown = (error ?? {}) as Thrown
	const { doing, secrets = [] } = context
	const status = thrown.statusCode
	const code = status === undefined ? networkCode(thrown) : serviceCode(error)
	const [errorCode, options] = refined(classify(thrown, status, code), thrown, code, context)
	const retryAfterMs = status === undefined ? undefined : retryAfter(thrown)
	const what = [status === undefined ? undefined : `HTTP ${status}`, code || undefined].filter(Boolean).join(' ')
	const request = thrown.response?.headers?.get('x-ms-request-id')
	const said = scrubbed(firstLine(thrown.message), secrets)
	return new BackupError(
		errorCode,
		`cannot ${doing}: ${what || said || 'an unknown failure'}${options.reason === 'expired' ? ', the signature has expired' : ''}`,
		{
			...options,
			...(retryAfterMs !== undefined && options.retry === 'later' && { retryAfterMs }),
			cause: Object.assign(new Error(said || what), {
				name: thrown.name ?? 'Error',
				...(code && { code }),
				...(status !== undefined && { status }),
				...(request && { requestId: request }),
			}),
		},
	)
}

function classify(thrown: Thrown, status: number | undefined, code: string): Kind {
	if (/^(?:Credential|Aggregate)|Authentication/.test(thrown.name ?? ''))
		return kind('STORAGE_PERMISSION', 'sign in, or set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY')
	if (status === undefined) return ofNetwork(thrown, code)
	if (Object.hasOwn(BY_CODE, code)) return BY_CODE[code]!
	if (/Immutable|LegalHold/.test(code)) return HELD
	if (/^Lease/.test(code)) return kind('STORAGE_PERMISSION', 'something else holds a lease on the object')
	if (/^Authorization|^Insufficient|NotPermitted$/.test(code)) return RIGHTS
	// Azurite has no code of its own for it.
	if (status === 400 && /md5/i.test(thrown.message ?? '')) return DAMAGED
	if (status === 400 && /x-ms-version/i.test(thrown.message ?? ''))
		return kind(
			'STORAGE_UNSUPPORTED',
			'the service is too old for this driver; start Azurite with --skipApiVersionCheck',
		)
	if (BY_STATUS[status]) return BY_STATUS[status]
	if (status >= 500) return ['STORAGE_TRANSIENT', AGAIN]
	return kind('STORAGE_PERMANENT', 'look the code up in the error codes of the blob service')
}

function ofNetwork(thrown: Thrown, code: string): Kind {
	if (Object.hasOwn(BY_NETWORK, code)) return BY_NETWORK[code]!
	if (IS_CERTIFICATE.test(code)) return CERTIFICATE
	if (code.startsWith('HPE_'))
		return kind('STORAGE_TRANSIENT', 'the answer is no HTTP; check the endpoint', { retry: 'later' })
	// What the SDK says of answers that broke off or lack what they must have.
	if (
		/received less data|valid (?:content length|etag) header|aborted|socket hang up|premature/i.test(
			thrown.message ?? '',
		)
	)
		return NETWORK
	return ['STORAGE_PERMANENT', {}]
}

/** A refusal, with the reason that a person needs. */
function refined(found: Kind, thrown: Thrown, code: string, { expiresAt }: FailureContext): Kind {
	if (found[0] !== 'STORAGE_PERMISSION') return found
	const detail = `${thrown.details?.authenticationErrorDetail ?? ''} ${thrown.message ?? ''}`
	const isOver = expiresAt !== undefined && expiresAt.getTime() <= Date.now()
	if (isOver || /not valid in the specified time frame/i.test(detail))
		return kind('STORAGE_PERMISSION', 'make a new shared access signature, or check the clock of this machine', {
			reason: 'expired',
		})
	if (/date header/i.test(detail) || code === 'RequestTimeTooSkewed')
		return kind('STORAGE_PERMISSION', 'set the clock of this machine', { reason: 'clock' })
	return found
}

/** The code of a socket, also of one that hides in causes. */
function networkCode(thrown: Thrown): string {
	let at: Thrown | undefined = thrown
	let code = ''
	for (let depth = 0; at && depth < 5; depth++) {
		const own: unknown = at.code
		if (typeof own === 'string' && own !== '' && (code === '' || code === 'REQUEST_SEND_ERROR')) code = own
		const next: unknown = at.cause
		at = typeof next === 'object' && next !== null ? next : undefined
	}
	return code
}

/** How long the service asks us to wait, in milliseconds. */
function retryAfter({ response }: Thrown): number | undefined {
	const header = response?.headers?.get('retry-after')
	if (header === undefined) return undefined
	const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
	return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}

function firstLine(text: string | undefined): string {
	return (text ?? '').split('\n', 1)[0]!.slice(0, 300).trim()
}

/** Text without the secrets, and without anything that looks like a signature. */
export function scrubbed(text: string, secrets: readonly string[]): string {
	let clean = text
	for (const secret of secrets) if (secret.length > 3) clean = clean.replaceAll(secret, '…')
	return clean
		.replaceAll(/\b(sig|signature|accountkey)=[^&\s;"']+/gi, '$1=…')
		.replaceAll(/(SharedKey|Bearer) \S+/g, '$1 …')
}
