import { element } from './xml.ts'

/** Codes of errors with their status and the message that S3 gives. */
const ERRORS = {
	AccessDenied: [403, 'Access Denied'],
	AuthorizationHeaderMalformed: [400, 'The authorization header is malformed'],
	BadDigest: [400, 'The Content-MD5 or checksum value that you specified did not match what the server received.'],
	BucketAlreadyOwnedByYou: [409, 'Your previous request to create the named bucket succeeded and you already own it.'],
	BucketNotEmpty: [409, 'The bucket you tried to delete is not empty'],
	EntityTooLarge: [400, 'Your proposed upload exceeds the maximum allowed object size'],
	EntityTooSmall: [400, 'Your proposed upload is smaller than the minimum allowed size'],
	ExpiredToken: [400, 'The provided token has expired.'],
	IncompleteBody: [400, 'You did not provide the number of bytes specified by the Content-Length HTTP header'],
	InternalError: [500, 'We encountered an internal error. Please try again.'],
	InvalidAccessKeyId: [403, 'The AWS Access Key Id you provided does not exist in our records.'],
	InvalidArgument: [400, 'Invalid Argument'],
	InvalidDigest: [400, 'The Content-MD5 you specified was invalid.'],
	InvalidPart: [
		400,
		"One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
	],
	InvalidPartOrder: [400, 'The list of parts was not in ascending order. Parts must be ordered by part number.'],
	InvalidRange: [416, 'The requested range is not satisfiable'],
	InvalidRequest: [400, 'Invalid Request'],
	InvalidToken: [400, 'The provided token is malformed or otherwise invalid.'],
	KeyTooLongError: [400, 'Your key is too long'],
	MalformedXML: [400, 'The XML you provided was not well-formed or did not validate against our published schema'],
	MethodNotAllowed: [405, 'The specified method is not allowed against this resource.'],
	MissingContentLength: [411, 'You must provide the Content-Length HTTP header.'],
	NoSuchBucket: [404, 'The specified bucket does not exist'],
	NoSuchKey: [404, 'The specified key does not exist.'],
	NoSuchObjectLockConfiguration: [404, 'The specified object does not have a ObjectLock configuration'],
	NoSuchUpload: [
		404,
		'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
	],
	NotImplemented: [501, 'A header you provided implies functionality that is not implemented'],
	ObjectLockConfigurationNotFoundError: [404, 'Object Lock configuration does not exist for this bucket'],
	PreconditionFailed: [412, 'At least one of the pre-conditions you specified did not hold'],
	RequestTimeTooSkewed: [403, 'The difference between the request time and the current time is too large.'],
	ServiceUnavailable: [503, 'Service is unable to handle request.'],
	SignatureDoesNotMatch: [
		403,
		'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
	],
	SlowDown: [503, 'Please reduce your request rate.'],
	TooManyRequests: [429, 'Please reduce your request rate.'],
	XAmzContentSHA256Mismatch: [400, "The provided 'x-amz-content-sha256' header does not match what was computed."],
} as const satisfies Record<string, readonly [status: number, message: string]>

export type S3ErrorCode = keyof typeof ERRORS

/** A refusal of the server. `detail` are more elements of the error body, in order. */
export class S3Error extends Error {
	readonly code: S3ErrorCode
	readonly status: number
	readonly detail: Readonly<Record<string, string>>

	constructor(code: S3ErrorCode, message?: string, detail: Readonly<Record<string, string>> = {}) {
		super(message ?? ERRORS[code][1])
		this.code = code
		this.status = ERRORS[code][0]
		this.detail = detail
	}
}

/** The body of an error, as S3 writes it. */
export function errorBody(error: S3Error, resource: string, requestId: string): string {
	const { code, message, detail } = error
	return element('Error', {
		Code: code,
		Message: message,
		...detail,
		Resource: resource,
		RequestId: requestId,
		HostId: Buffer.from(requestId.repeat(3)).toString('base64'),
	})
}
