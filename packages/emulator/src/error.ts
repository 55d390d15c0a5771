/** Statuses of `Ydb.StatusIds.StatusCode`. Source: protos/ydb_status_codes.proto. */
export const STATUS = {
	SUCCESS: 400000,
	BAD_REQUEST: 400010,
	UNAUTHORIZED: 400020,
	INTERNAL_ERROR: 400030,
	ABORTED: 400040,
	UNAVAILABLE: 400050,
	OVERLOADED: 400060,
	SCHEME_ERROR: 400070,
	GENERIC_ERROR: 400080,
	TIMEOUT: 400090,
	BAD_SESSION: 400100,
	PRECONDITION_FAILED: 400120,
	ALREADY_EXISTS: 400130,
	NOT_FOUND: 400140,
	SESSION_EXPIRED: 400150,
	CANCELLED: 400160,
	UNSUPPORTED: 400180,
	SESSION_BUSY: 400190,
} as const

export type StatusName = keyof typeof STATUS

/** A refusal of the database: a status and one issue. */
export class YdbError extends Error {
	override readonly name = 'YdbError'
	readonly status: StatusName
	readonly issueCode: number
	constructor(status: StatusName, message: string, issueCode = 0) {
		super(message)
		this.status = status
		this.issueCode = issueCode
	}
}

/** A failure below the protocol: a gRPC status. Source: the gRPC status codes. */
export class GrpcError extends Error {
	override readonly name = 'GrpcError'
	readonly code: number
	constructor(code: number, message: string) {
		super(message)
		this.code = code
	}
}

export const GRPC = {
	CANCELLED: 1,
	NOT_FOUND: 5,
	RESOURCE_EXHAUSTED: 8,
	UNIMPLEMENTED: 12,
	INTERNAL: 13,
	UNAVAILABLE: 14,
	UNAUTHENTICATED: 16,
} as const
