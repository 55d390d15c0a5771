import { BackupError, type ErrorCode, isBackupError, type Retry } from '@ydbackup/core'
import { ClientError, Status } from 'nice-grpc'

/** What an operation of YDB answered when it did not succeed. */
export interface Refusal {
	readonly status: number
	readonly issues: readonly Issue[]
}

export interface Issue {
	readonly message: string
	readonly issueCode: number
	readonly issues?: readonly Issue[]
}

/** `Ydb.StatusIds.StatusCode`. Source: protos/ydb_status_codes.proto. */
export const SUCCESS = 400_000

const BY_STATUS: Readonly<Record<number, readonly [name: string, code: ErrorCode, retry: Retry]>> = {
	400_010: ['BAD_REQUEST', 'DATABASE_REFUSED', 'no'],
	400_020: ['UNAUTHORIZED', 'DATABASE_PERMISSION', 'no'],
	400_030: ['INTERNAL_ERROR', 'DATABASE_REFUSED', 'no'],
	400_040: ['ABORTED', 'DATABASE_REFUSED', 'same'],
	400_050: ['UNAVAILABLE', 'DATABASE_UNREACHABLE', 'later'],
	400_060: ['OVERLOADED', 'DATABASE_REFUSED', 'later'],
	400_070: ['SCHEME_ERROR', 'DATABASE_REFUSED', 'no'],
	400_080: ['GENERIC_ERROR', 'DATABASE_REFUSED', 'no'],
	400_090: ['TIMEOUT', 'DATABASE_REFUSED', 'later'],
	400_100: ['BAD_SESSION', 'DATABASE_REFUSED', 'same'],
	400_120: ['PRECONDITION_FAILED', 'DATABASE_REFUSED', 'no'],
	400_130: ['ALREADY_EXISTS', 'PATH_EXISTS', 'no'],
	400_140: ['NOT_FOUND', 'PATH_NOT_FOUND', 'no'],
	400_150: ['SESSION_EXPIRED', 'DATABASE_REFUSED', 'same'],
	400_160: ['CANCELLED', 'DATABASE_REFUSED', 'no'],
	400_170: ['UNDETERMINED', 'DATABASE_REFUSED', 'same'],
	400_180: ['UNSUPPORTED', 'UNSUPPORTED', 'no'],
	400_190: ['SESSION_BUSY', 'DATABASE_REFUSED', 'later'],
}

/** Issue codes of the scheme shard. Source: ydb/library/yql/public/issue (200200: path does not exist, 2003: already exists), not verified against a server. */
const SCHEME_ISSUES: Readonly<Record<number, ErrorCode>> = { 200_200: 'PATH_NOT_FOUND', 2003: 'PATH_EXISTS' }
/** In the answer to a statement about the scheme, where 2003 is any refusal of a path. */
export const SCHEME_QUERY_ISSUES: Readonly<Record<number, ErrorCode>> = { 200_200: 'PATH_NOT_FOUND' }
/** The same codes in the answer to a query, where 2003 is a table that cannot be found. */
export const QUERY_ISSUES: Readonly<Record<number, ErrorCode>> = { 200_200: 'PATH_NOT_FOUND', 2003: 'PATH_NOT_FOUND' }

function flatten(issues: readonly Issue[]): Issue[] {
	return issues.flatMap((issue) => [issue, ...flatten(issue.issues ?? [])])
}

/** The error for a status that is not SUCCESS. It is told by status and issue code, never by words. */
export function refusalError(
	{ status, issues }: Refusal,
	doing: string,
	meanings: Readonly<Record<number, ErrorCode>> = SCHEME_ISSUES,
): BackupError {
	const [name, code, retry] = BY_STATUS[status] ?? [`status ${status}`, 'DATABASE_REFUSED', 'no']
	const all = flatten(issues)
	const byIssue = all.map(({ issueCode }) => meanings[issueCode]).find((found) => found !== undefined)
	const words = [...new Set(all.map(({ message }) => message).filter((message) => message !== ''))].join('; ')
	return new BackupError(
		status === 400_070 && byIssue ? byIssue : code,
		`cannot ${doing}: ${name}${words === '' ? '' : `: ${words}`}`,
		{
			retry,
			reason: name,
		},
	)
}

const BY_GRPC: Readonly<Partial<Record<Status, readonly [code: ErrorCode, retry: Retry, advice: string]>>> = {
	[Status.UNAVAILABLE]: [
		'DATABASE_UNREACHABLE',
		'later',
		'check the endpoint, the network and whether the database runs',
	],
	[Status.DEADLINE_EXCEEDED]: [
		'DATABASE_UNREACHABLE',
		'later',
		'check the endpoint, the network and whether the database is overloaded',
	],
	[Status.UNAUTHENTICATED]: [
		'DATABASE_UNAUTHENTICATED',
		'no',
		'check user, password or token, and the path of the database',
	],
	[Status.PERMISSION_DENIED]: ['DATABASE_PERMISSION', 'no', 'grant the right to this user'],
	[Status.RESOURCE_EXHAUSTED]: ['DATABASE_REFUSED', 'later', 'the database or the size of a message is at its limit'],
	[Status.UNIMPLEMENTED]: ['UNSUPPORTED', 'no', 'this server does not offer the call'],
	[Status.ABORTED]: ['DATABASE_UNREACHABLE', 'same', 'try again'],
	[Status.INTERNAL]: ['DATABASE_UNREACHABLE', 'later', 'the connection broke'],
	[Status.CANCELLED]: ['DATABASE_UNREACHABLE', 'later', 'the connection was closed'],
	[Status.UNKNOWN]: ['DATABASE_UNREACHABLE', 'later', 'the connection broke'],
}

/** The error of ours for whatever a call threw. */
export function callError(error: unknown, doing: string): BackupError {
	if (isBackupError(error)) return error
	if (error instanceof ClientError) {
		const [code, retry, advice] = BY_GRPC[error.code] ?? ['DATABASE_REFUSED', 'no', 'see the message of the server']
		// A message that is larger than we take will be as large the next time.
		const tooLarge = error.code === Status.RESOURCE_EXHAUSTED && error.details.includes('larger than')
		return new BackupError(code, `cannot ${doing}: ${error.details || Status[error.code]}`, {
			retry: tooLarge ? 'no' : retry,
			advice,
			cause: error,
		})
	}
	const { name = 'Error', message = String(error) } = (error ?? {}) as Error
	if (name === 'AbortError' || name === 'TimeoutError')
		return new BackupError('DEADLINE_EXCEEDED', `cannot ${doing}: no answer in time`, { retry: 'later', cause: error })
	return new BackupError('INTERNAL', `cannot ${doing}: ${message}`, { cause: error })
}
