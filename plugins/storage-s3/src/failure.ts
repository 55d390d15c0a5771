import { BackupError, type ErrorCode, isBackupError, type Retry } from '@ydbackup/core'

type Kind = readonly [code: ErrorCode, retry: Retry, advice: string]

const CREDENTIALS: Kind = [
	'STORAGE_PERMISSION',
	'no',
	'check the access key and its secret: the store does not know them',
]
const EXPIRED: Kind = ['STORAGE_PERMISSION', 'no', 'the credentials have expired: renew them and start again']
const REGION: Kind = ['STORAGE_PERMANENT', 'no', 'give the region of the bucket with ?region=']
const RIGHTS: Kind = [
	'STORAGE_PERMISSION',
	'no',
	'give these credentials the right to do this, in their policy and in that of the bucket',
]
const SLOWER: Kind = ['STORAGE_THROTTLED', 'later', 'the store asks to slow down: use fewer requests at a time']
const AGAIN: Kind = ['STORAGE_TRANSIENT', 'later', 'try again; when it stays, look at the health of the store']
const DAMAGED: Kind = [
	'STORAGE_INTEGRITY',
	'same',
	'the bytes were changed on their way: try again; when it stays, check network and memory',
]
const NETWORK: Kind = ['STORAGE_TRANSIENT', 'later', 'check the network between here and the store']
const CERTIFICATE: Kind = [
	'STORAGE_PERMANENT',
	'no',
	'give the certificate of your authority with ?caFile= or AWS_CA_BUNDLE',
]
const FULL: Kind = ['STORAGE_QUOTA', 'no', 'make room in the store or raise its quota']
const LACKING: Kind = ['STORAGE_UNSUPPORTED', 'no', 'the store does not implement this part of S3']
const CLOCK: Kind = [
	'STORAGE_PERMISSION',
	'no',
	'set the clock of this machine: the store refuses signatures that are minutes off',
]

/** By the code of an error body of S3, of the SDK, or of the network. */
const KINDS: Record<string, Kind> = {
	NoSuchKey: ['STORAGE_NOT_FOUND', 'no', 'check that the repository was not moved'],
	NoSuchVersion: ['STORAGE_NOT_FOUND', 'no', 'check that the repository was not moved'],
	NoSuchBucket: ['STORAGE_PERMANENT', 'no', 'create the bucket, or check its name, the endpoint and the region'],
	InvalidBucketName: ['STORAGE_PERMANENT', 'no', 'check the name of the bucket'],
	PreconditionFailed: ['STORAGE_ALREADY_EXISTS', 'no', 'objects are never rewritten'],
	ConditionalRequestConflict: ['STORAGE_TRANSIENT', 'later', 'another one writes the same object: try again'],
	OperationAborted: ['STORAGE_TRANSIENT', 'later', 'another one changes the same thing: try again'],
	AccessDenied: RIGHTS,
	AllAccessDisabled: RIGHTS,
	AccountProblem: RIGHTS,
	InvalidObjectState: ['STORAGE_PERMANENT', 'no', 'the object is in an archive: have the store bring it back first'],
	InvalidAccessKeyId: CREDENTIALS,
	SignatureDoesNotMatch: CREDENTIALS,
	InvalidToken: CREDENTIALS,
	InvalidClientTokenId: CREDENTIALS,
	UnrecognizedClientException: CREDENTIALS,
	ExpiredToken: EXPIRED,
	ExpiredTokenException: EXPIRED,
	TokenRefreshRequired: EXPIRED,
	CredentialsProviderError: [
		'STORAGE_PERMISSION',
		'no',
		'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a profile, a role or another source that the AWS SDK knows',
	],
	RequestTimeTooSkewed: CLOCK,
	RequestExpired: CLOCK,
	AuthorizationHeaderMalformed: REGION,
	PermanentRedirect: REGION,
	TemporaryRedirect: REGION,
	Redirect: REGION,
	IllegalLocationConstraintException: REGION,
	BadDigest: DAMAGED,
	InvalidDigest: DAMAGED,
	XAmzContentSHA256Mismatch: DAMAGED,
	XAmzContentChecksumMismatch: DAMAGED,
	IncompleteBody: AGAIN,
	RequestTimeout: AGAIN,
	InternalError: AGAIN,
	NoSuchUpload: ['STORAGE_TRANSIENT', 'same', 'somebody aborted the upload: try again'],
	SlowDown: SLOWER,
	ServiceUnavailable: SLOWER,
	Throttling: SLOWER,
	ThrottlingException: SLOWER,
	RequestLimitExceeded: SLOWER,
	TooManyRequests: SLOWER,
	BandwidthLimitExceeded: SLOWER,
	NotImplemented: LACKING,
	InvalidStorageClass: ['STORAGE_UNSUPPORTED', 'no', 'give a storage class that the store has'],
	QuotaExceeded: FULL,
	InsufficientStorage: FULL,
	XMinioStorageFull: FULL,
	XMinioAdminBucketQuotaExceeded: FULL,
	EntityTooLarge: ['STORAGE_QUOTA', 'no', 'the store takes no objects of this size'],
	InvalidRange: ['STORAGE_PERMANENT', 'no', 'the object is shorter than it was meant to be'],
	ENOTFOUND: ['STORAGE_TRANSIENT', 'later', 'check the host name of the endpoint and the name service of this machine'],
	EAI_AGAIN: ['STORAGE_TRANSIENT', 'later', 'check the name service of this machine'],
	ECONNREFUSED: ['STORAGE_TRANSIENT', 'later', 'check that the store is running, and host and port of the endpoint'],
	ECONNRESET: NETWORK,
	ECONNABORTED: NETWORK,
	EPIPE: NETWORK,
	ETIMEDOUT: NETWORK,
	EHOSTUNREACH: NETWORK,
	ENETUNREACH: NETWORK,
	ENETDOWN: NETWORK,
	ERR_STREAM_PREMATURE_CLOSE: NETWORK,
	TimeoutError: NETWORK,
	EMFILE: ['STORAGE_TRANSIENT', 'later', 'raise the limit of open files'],
	DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
	SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
	UNABLE_TO_GET_ISSUER_CERT: CERTIFICATE,
	UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
	UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
	CERT_UNTRUSTED: CERTIFICATE,
	CERT_HAS_EXPIRED: ['STORAGE_PERMANENT', 'no', 'the certificate of the store has expired: have it renewed'],
	ERR_TLS_CERT_ALTNAME_INVALID: [
		'STORAGE_PERMANENT',
		'no',
		'use the host name that the certificate of the store is for',
	],
	EPROTO: ['STORAGE_PERMANENT', 'no', 'check whether the endpoint is http or https'],
	ERR_SSL_WRONG_VERSION_NUMBER: ['STORAGE_PERMANENT', 'no', 'check whether the endpoint is http or https'],
}

/** Where the body has no code, as in answers to HEAD. */
const STATUS_KINDS: Record<number, Kind> = {
	301: REGION,
	307: REGION,
	400: ['STORAGE_PERMANENT', 'no', 'the store gives no reason: check region, credentials and clock'],
	401: CREDENTIALS,
	403: RIGHTS,
	404: KINDS['NoSuchKey']!,
	405: LACKING,
	408: AGAIN,
	409: KINDS['OperationAborted']!,
	412: KINDS['PreconditionFailed']!,
	416: KINDS['InvalidRange']!,
	429: SLOWER,
	501: LACKING,
	503: SLOWER,
	507: FULL,
}

/** What is looked at of an error of the SDK. */
interface SdkError {
	readonly name?: string
	readonly code?: unknown
	readonly Code?: unknown
	readonly message?: string
	readonly Region?: unknown
	readonly cause?: unknown
	readonly errors?: readonly unknown[]
	readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
	readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
}

/** Code of S3, of the SDK or of the network, and the status of the answer, for those who decide by them. */
export function reasonOf(error: unknown): { readonly code: string; readonly status: number | undefined } {
	const { name = '', code, Code, $metadata, $response, errors = [] } = (error ?? {}) as SdkError
	const status = $metadata?.httpStatusCode ?? $response?.statusCode
	// The SDK gives several failures of the network one name.
	const found = [Code, code, name].find((known) => typeof known === 'string' && known in KINDS)
	if (typeof found === 'string') return { code: found, status }
	// One failure for each address of a host name.
	if (errors.length > 0) return reasonOf(errors[0])
	return { code: typeof code === 'string' ? code : /^(?:Error|\d+|Unknown.*)?$/.test(name) ? '' : name, status }
}

/** The error of the contract for one of the SDK. `doing` is an infinitive; `scrub` takes secrets out of what others wrote. */
export function storageError(error: unknown, doing: string, scrub: (text: string) => string): BackupError {
	if (isBackupError(error)) return error
	const { message = String(error), Region, $metadata, $response } = (error ?? {}) as SdkError
	const { code, status } = reasonOf(error)
	const headers = $response?.headers ?? {}
	const kind = kindOf(code, status, message)
	const region = typeof Region === 'string' ? Region : headers['x-amz-bucket-region']
	const what = [
		code,
		code === '' && status !== undefined ? `HTTP ${status}` : '',
		code in KINDS ? '' : firstLine(message),
	]
	const cause = new Error(scrub(`${code || 'error'}: ${firstLine(message)}${requestOf($metadata?.requestId)}`))
	const retryAfterMs = retryAfter(headers['retry-after'])
	return new BackupError(
		kind[0],
		scrub(`cannot ${doing}: ${what.filter((part) => part !== '').join(', ')}${requestOf($metadata?.requestId)}`),
		{
			retry: kind[1],
			advice: kind === REGION && region !== undefined ? `the bucket is in ${region}: give ?region=${region}` : kind[2],
			...(code !== '' && { reason: code }),
			...(retryAfterMs !== undefined && kind[1] === 'later' && { retryAfterMs }),
			cause,
		},
	)
}

function kindOf(code: string, status: number | undefined, message: string): Kind {
	const known = KINDS[code]
	if (known) return known
	if (code.startsWith('KMS'))
		return ['STORAGE_PERMISSION', 'no', 'check the KMS key, its state, and the right to use it']
	if (message.startsWith('Region is missing')) return ['LOCATION_INVALID', 'no', 'give ?region= or set AWS_REGION']
	const byStatus = status === undefined ? undefined : STATUS_KINDS[status]
	if (byStatus) return byStatus
	if (status !== undefined && status >= 500) return AGAIN
	if (message.includes('Deserialization error'))
		return ['STORAGE_PERMANENT', 'no', 'what answers there is not S3: check the endpoint, and proxies on the way']
	return ['STORAGE_PERMANENT', 'no', 'the store gives this reason and no other']
}

function firstLine(text: string): string {
	return (/^[^\n]*/.exec(text)?.[0] ?? '').slice(0, 300)
}

function requestOf(id: string | undefined): string {
	return id === undefined || !/^[\w.:-]{1,80}$/.test(id) ? '' : ` (request ${id})`
}

/** Milliseconds of a `Retry-After` header: seconds, or a date. */
function retryAfter(text: string | undefined): number | undefined {
	if (text === undefined) return undefined
	const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
	return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}
