import { BackupError, type BackupErrorOptions, type ErrorCode, isBackupError } from '@ydbackup/core'

type Kind = readonly [code: ErrorCode, options: Omit<BackupErrorOptions, 'cause'>]

const kind = (code: ErrorCode, advice: string, more: Omit<BackupErrorOptions, 'cause' | 'advice'> = {}): Kind => [
	code,
	{ ...more, advice },
]

const SLOWER = kind('STORAGE_THROTTLED', 'lower the concurrency', { retry: 'later' })
const AGAIN = kind('STORAGE_TRANSIENT', 'try again', { retry: 'later' })
const WHO = kind(
	'STORAGE_PERMISSION',
	'check the credentials in GOOGLE_APPLICATION_CREDENTIALS and the clock of this machine',
	{ reason: 'credentials' },
)
const HELD = kind('STORAGE_PERMISSION', 'the object is held: wait until its retention ends', { reason: 'held' })
const FULL = kind('STORAGE_QUOTA', "raise the project's quota")

/** Reasons in error bodies. https://cloud.google.com/storage/docs/json_api/v1/status-codes */
const BY_REASON: Readonly<Record<string, Kind>> = {
	retentionPolicyNotMet: HELD,
	objectUnderActiveHold: HELD,
	rateLimitExceeded: SLOWER,
	userRateLimitExceeded: SLOWER,
	dailyLimitExceeded: FULL,
	quotaExceeded: FULL,
	authError: WHO,
	userProjectMissing: kind(
		'STORAGE_PERMISSION',
		'the bucket lets its readers pay: add project=your-project to the URL',
	),
	accountDisabled: kind('STORAGE_PERMISSION', 'the billing account of the project is disabled'),
	billingDisabled: kind('STORAGE_PERMISSION', 'switch billing on for the project'),
	insufficientPermissions: kind(
		'STORAGE_PERMISSION',
		'the credentials lack the scope devstorage.read_write; use other ones',
	),
	vpcServiceControls: kind('STORAGE_PERMISSION', 'a service perimeter forbids this network to use the bucket'),
	uploadTooLarge: kind('STORAGE_QUOTA', 'the service does not take objects of this size'),
}

const BY_STATUS: Readonly<Record<number, Kind>> = {
	401: WHO,
	403: kind('STORAGE_PERMISSION', 'give the account the rights to create, get, list and delete objects of this bucket'),
	404: kind('STORAGE_NOT_FOUND', 'check that the repository was not moved'),
	408: AGAIN,
	// What an upload session says that is over: only a new put can help.
	410: AGAIN,
	412: kind('STORAGE_ALREADY_EXISTS', 'objects are never rewritten'),
	413: kind('STORAGE_QUOTA', 'the service does not take objects of this size'),
	416: kind('STORAGE_PERMANENT', 'the object is shorter than it should be'),
	429: SLOWER,
	499: AGAIN,
	501: kind('STORAGE_UNSUPPORTED', 'the service cannot do this'),
	507: kind('STORAGE_QUOTA', 'make room in the store'),
}

const NETWORK = kind('STORAGE_TRANSIENT', 'check the network', { retry: 'later' })
const UNREACHABLE = kind('STORAGE_TRANSIENT', 'check the endpoint, the network and the firewall', {
	retry: 'later',
	reason: 'unreachable',
})
const NAMELESS = kind('STORAGE_TRANSIENT', 'check the name of the endpoint and the name servers of this machine', {
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
	ETIMEDOUT: UNREACHABLE,
	ECONNREFUSED: UNREACHABLE,
	EHOSTUNREACH: UNREACHABLE,
	ENETUNREACH: UNREACHABLE,
	EAI_AGAIN: NAMELESS,
	ENOTFOUND: NAMELESS,
	EPROTO: kind('STORAGE_PERMANENT', 'check that the endpoint speaks TLS: https and http are not the same'),
	ERR_SSL_WRONG_VERSION_NUMBER: kind('STORAGE_PERMANENT', 'the endpoint does not speak TLS: write http'),
}

const IS_CERTIFICATE = /^(?:CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH)/

/** Text of the other side, without what could be a token, a key or the address of an upload session, and short. */
export function cleaned(text: string): string {
	return text
		.replace(/-----BEGIN[^-]*-----[\s\S]*?(?:-----END[^-]*-----|$)/g, '…')
		.replace(/\bya29\.[\w.-]+/g, '…')
		.replace(/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, '…')
		.replace(/\bBearer\s+\S+/gi, 'Bearer …')
		.replace(/\b(upload_id|access_token|refresh_token|assertion|client_secret|key)=[^&\s"]+/gi, '$1=…')
		.replace(/\/\/[^/\s@]+@/g, '//…@')
		.replace(/[^\S ]+|[\p{Cc}]+/gu, ' ')
		.replace(/ {2,}/g, ' ')
		.trim()
		.slice(0, 400)
}

/** An answer that was not the one wanted. */
export interface Refusal {
	readonly status: number
	readonly retryAfter?: string | undefined
	readonly contentType?: string | undefined
	readonly text: string
}

interface Said {
	readonly message: string
	readonly reason: string | undefined
}

function said({ text, contentType = '' }: Refusal): Said {
	try {
		const { error } = JSON.parse(text) as { error?: { message?: unknown; errors?: { reason?: unknown }[] } }
		const reason = error?.errors?.[0]?.reason
		return {
			message: typeof error?.message === 'string' ? cleaned(error.message) : '',
			reason: typeof reason === 'string' ? reason : undefined,
		}
	} catch {
		return { message: /html|xml/.test(contentType) && text.includes('<') ? '' : cleaned(text), reason: undefined }
	}
}

/** Whether a refusal speaks about an absent object, and not about an absent bucket or service. */
export function isAbsentObject(refusal: Refusal): boolean {
	return refusal.status === 404 && !/bucket does not exist|bucket not found/i.test(said(refusal).message)
}

/** Milliseconds of a `Retry-After` header: seconds, or a date. */
export function retryAfterOf(header: string | undefined, now: number = Date.now()): number | undefined {
	if (header === undefined) return undefined
	if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000
	const at = Date.parse(header)
	return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** The error of the contract for an answer. `doing` follows "cannot". */
export function refusalError(refusal: Refusal, doing: string): BackupError {
	const { status } = refusal
	const { message, reason } = said(refusal)
	const retryAfterMs = retryAfterOf(refusal.retryAfter)
	const [code, options] = kindOf(refusal, message, reason)
	const what = [status, reason].filter((part) => part !== undefined).join(' ')
	return new BackupError(code, `cannot ${doing}: ${message === '' ? what : `${message} (${what})`}`, {
		...options,
		...(retryAfterMs !== undefined && options.retry === 'later' && { retryAfterMs }),
	})
}

function kindOf(refusal: Refusal, message: string, reason: string | undefined): Kind {
	const { status } = refusal
	if (status === 404 && !isAbsentObject(refusal))
		return kind('STORAGE_NOT_FOUND', 'create the bucket, or correct its name', { reason: 'bucket-missing' })
	if (status === 400 && /CRC32C|MD5|hash/i.test(message) && /match/i.test(message))
		return kind('STORAGE_INTEGRITY', 'the bytes changed on their way; try again', { retry: 'same' })
	const known = reason === undefined || status >= 500 ? undefined : BY_REASON[reason]
	if (known) return known
	if (status === 503 && refusal.retryAfter !== undefined) return SLOWER
	return (
		BY_STATUS[status] ??
		(status >= 500 ? AGAIN : kind('STORAGE_PERMANENT', 'check that the endpoint is the JSON API of Cloud Storage'))
	)
}

/** The error of the contract for a request that got no answer, or for an answer that broke off. */
export function networkError(error: unknown, doing: string): BackupError {
	if (isBackupError(error)) return error
	const { code = '', message = String(error) } = (error ?? {}) as NodeJS.ErrnoException
	// Several addresses of one name: the first one's failure stands for them all.
	const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : []
	if (first !== undefined) return networkError(first, doing)
	const [to, options] = BY_NETWORK[code] ?? (IS_CERTIFICATE.test(code) ? CERTIFICATE : NETWORK)
	return new BackupError(to, `cannot ${doing}: ${cleaned(message)}${message.includes(code) ? '' : ` (${code})`}`, {
		...options,
		cause: harmless(error),
	})
}

/** An error without the fields in which libraries keep requests and their headers. */
export function harmless(error: unknown): Error {
	const { name = 'Error', code, message = String(error) } = (error ?? {}) as NodeJS.ErrnoException
	const copy = new Error(cleaned(message))
	copy.name = name
	return typeof code === 'string' ? Object.assign(copy, { code }) : copy
}

/** The error for a wait that reached its bound. */
export function timeoutError(milliseconds: number, doing: string): BackupError {
	return new BackupError('STORAGE_TRANSIENT', `cannot ${doing}: no byte moved for ${milliseconds / 1000} s`, {
		retry: 'later',
		reason: 'timeout',
		advice: 'check the endpoint and the network, or raise the parameter timeout',
	})
}
