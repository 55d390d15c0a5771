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

export interface Issue {
	readonly message: string
	readonly issueCode: number
	readonly severity: number
	readonly position?: { readonly row: number; readonly column: number }
	readonly issues?: readonly Issue[]
}

export interface Circumstances {
	/** Where in a query, counting from 1. */
	readonly at?: { readonly row: number; readonly column: number } | undefined
	/** Messages of the stages of YDB that the error passes through, the outermost first. */
	readonly within?: readonly (readonly [message: string, issueCode: number])[]
}

/** A refusal of the database: a status and an issue, perhaps inside others. */
export class YdbError extends Error {
	override readonly name = 'YdbError'
	readonly status: StatusName
	readonly issueCode: number
	readonly circumstances: Circumstances
	constructor(status: StatusName, message: string, issueCode = 0, circumstances: Circumstances = {}) {
		super(message)
		this.status = status
		this.issueCode = issueCode
		this.circumstances = circumstances
	}

	issues(): Issue[] {
		const { at, within = [] } = this.circumstances
		const innermost: Issue = {
			message: this.message,
			issueCode: this.issueCode,
			severity: 1,
			...(at && { position: at }),
		}
		return [
			within.reduceRight<Issue>(
				(inner, [message, issueCode]) => ({ message, issueCode, severity: 1, issues: [inner] }),
				innermost,
			),
		]
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
