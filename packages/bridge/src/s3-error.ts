import { isBackupError } from '@ydbackup/core'

/** Codes of S3 that we answer with. Source: Amazon S3 API reference, list of error codes. */
const STATUS = {
	AccessDenied: 403,
	BadDigest: 400,
	EntityTooLarge: 400,
	InternalError: 500,
	InvalidArgument: 400,
	InvalidPart: 400,
	InvalidPartOrder: 400,
	InvalidRange: 416,
	InvalidRequest: 400,
	IncompleteBody: 400,
	MalformedXML: 400,
	MissingContentLength: 411,
	MethodNotAllowed: 405,
	NoSuchBucket: 404,
	NoSuchKey: 404,
	NoSuchUpload: 404,
	NotImplemented: 501,
	RequestTimeTooSkewed: 403,
	SignatureDoesNotMatch: 403,
	SlowDown: 503,
	XAmzContentSHA256Mismatch: 400,
} as const

export type S3Code = keyof typeof STATUS

/** A refusal as S3 would say it. */
export class S3Error extends Error {
	override readonly name = 'S3Error'
	readonly code: S3Code

	constructor(code: S3Code, message: string, options?: ErrorOptions) {
		super(message, options)
		this.code = code
	}

	get status(): number {
		return STATUS[this.code]
	}
}

/** What the cluster is told of a failure: codes that its client tries again where that may help, and none of our words. */
export function s3ErrorOf(error: unknown): S3Error {
	if (error instanceof S3Error) return error
	if (isBackupError(error, 'STORAGE_NOT_FOUND')) return new S3Error('NoSuchKey', 'there is no such key')
	if (isBackupError(error, 'STORAGE_THROTTLED')) return new S3Error('SlowDown', 'the store asks to slow down')
	if (isBackupError(error, 'STORAGE_PERMISSION')) return new S3Error('AccessDenied', 'the store refuses')
	if (isBackupError(error, 'STORAGE_QUOTA')) return new S3Error('AccessDenied', 'the store is full')
	return new S3Error('InternalError', 'the store failed', { cause: error })
}
