import type { StatusName } from '../error.ts'
import type { Grade } from './fact.ts'

/** A pair that clients may branch on. The test of fidelity finds every pair in the sources, and refuses one that is not here. */
export interface IssueCode {
	readonly status: StatusName
	/** Of the innermost issue; 0 where the emulator gives none. */
	readonly code: number
	readonly when: string
	readonly grade: Grade
}

const code = (status: StatusName, number: number, grade: Grade, when: string): IssueCode => ({
	status,
	code: number,
	grade,
	when,
})
const CODES = 'verified: yql/core/issue/protos/issue_id.proto (the code), the place is a guess'
const PROTO = 'verified: ydb_status_codes.proto'

export const ISSUE_CODES: readonly IssueCode[] = [
	code(
		'ABORTED',
		2001,
		'verified: kqp (TRANSACTION_LOCKS_INVALIDATED); SDKs test for it',
		'what a transaction read has changed',
	),
	code('ABORTED', 2028, 'verified: kqp_acl_ut.cpp', 'the scheme changed during a query, or rows are denied'),
	code('ALREADY_EXISTS', 0, 'guess', 'a resource of a rate limiter is there'),
	code('ALREADY_EXISTS', 2003, 'guess', 'a topic or a coordination node is there'),
	code('BAD_REQUEST', 0, PROTO, 'a request that cannot be understood, or a value that cannot be taken'),
	code('BAD_REQUEST', 1030, 'guess', 'a parameter of another type than declared'),
	code('BAD_REQUEST', 2017, CODES, 'a column that the table does not have'),
	code('BAD_REQUEST', 2031, CODES, 'NULL for a column that must have a value'),
	code('BAD_REQUEST', 2032, CODES, 'a column that must have a value is not given'),
	code('BAD_SESSION', 2015, CODES, 'a session that is not there'),
	code('BAD_SESSION', 2027, CODES, 'too many transactions of a session'),
	code(
		'GENERIC_ERROR',
		0,
		'verified: unit tests of the translator',
		'a query that cannot be parsed or has wrong types',
	),
	code('GENERIC_ERROR', 2008, CODES, 'an operation that its transaction or service does not allow'),
	code('GENERIC_ERROR', 2009, "verified: kqp's transformers", 'scheme and data in one query'),
	code('INTERNAL_ERROR', 0, PROTO, 'a bug of the emulator'),
	code('NOT_FOUND', 0, 'guess', 'an operation, a prepared query, a consumer or a resource is not there'),
	code('NOT_FOUND', 2015, CODES, 'a transaction that is not there'),
	code('OVERLOADED', 0, 'guess', 'too many sessions, a path under operation, or a fault that was asked for'),
	code('PRECONDITION_FAILED', 0, 'guess', 'accounts, collections and limits of paths'),
	code(
		'PRECONDITION_FAILED',
		2012,
		'verified: tests of kqp effects',
		'a constraint: the key is there, or a unique index has the value',
	),
	code('PRECONDITION_FAILED', 2029, CODES, 'a key column is not given'),
	code('SCHEME_ERROR', 0, 'guess', 'a table that cannot be as it is asked for'),
	code(
		'SCHEME_ERROR',
		2003,
		'verified: kqp_view_ut.cpp',
		'a path that is there, is of another kind, or cannot be found by a query',
	),
	code('SCHEME_ERROR', 200_200, 'verified: kqp_view_ut.cpp', 'a path that is not there'),
	code('SESSION_BUSY', 0, 'verified: kqp_session_actor.cpp (the status)', 'a session that works already'),
	code('UNAUTHORIZED', 0, 'guess', 'a wrong password, or a service without the right'),
	code('UNAUTHORIZED', 200_000, 'verified: tx_proxy/schemereq.cpp', 'a change of the scheme without the right'),
	code('UNAVAILABLE', 0, PROTO, 'a fault that was asked for'),
	code('UNSUPPORTED', 0, PROTO, 'what the emulator, or YDB, does not do'),
]
