import { BackupError } from '@ydbackup/core'
import { ClientError, Status } from 'nice-grpc'
import { expect, test } from 'vitest'
import { callError, QUERY_ISSUES, refusalError } from '../src/call/failure.ts'
import { mustSucceed } from '../src/call/operation.ts'
import { errorOf } from './support/error-of.ts'

const issue = (message: string, issueCode = 0, issues: object[] = []): never =>
	({ message, issueCode, severity: 1, issues }) as never

test.each([
	[400_010, 'DATABASE_REFUSED', 'no', 'BAD_REQUEST'],
	[400_020, 'DATABASE_PERMISSION', 'no', 'UNAUTHORIZED'],
	[400_040, 'DATABASE_REFUSED', 'same', 'ABORTED'],
	[400_050, 'DATABASE_UNREACHABLE', 'later', 'UNAVAILABLE'],
	[400_060, 'DATABASE_REFUSED', 'later', 'OVERLOADED'],
	[400_070, 'DATABASE_REFUSED', 'no', 'SCHEME_ERROR'],
	[400_100, 'DATABASE_REFUSED', 'same', 'BAD_SESSION'],
	[400_130, 'PATH_EXISTS', 'no', 'ALREADY_EXISTS'],
	[400_140, 'PATH_NOT_FOUND', 'no', 'NOT_FOUND'],
	[400_150, 'DATABASE_REFUSED', 'same', 'SESSION_EXPIRED'],
	[400_180, 'UNSUPPORTED', 'no', 'UNSUPPORTED'],
	[400_190, 'DATABASE_REFUSED', 'later', 'SESSION_BUSY'],
	[400_999, 'DATABASE_REFUSED', 'no', 'status 400999'],
])('status %i', (status, code, retry, name) => {
	expect(refusalError({ status, issues: [issue('so it is')] }, 'do it')).toMatchObject({
		code,
		retry,
		reason: name,
		message: `cannot do it: ${name}: so it is`,
	})
})

test('a refused scheme is told by the codes of its issues, however deep, and never by words', () => {
	const deep = issue('outer', 0, [issue('middle', 0, [issue('inner', 200_200), issue('inner', 200_200)])])
	expect(refusalError({ status: 400_070, issues: [deep] }, 'look')).toMatchObject({
		code: 'PATH_NOT_FOUND',
		message: 'cannot look: SCHEME_ERROR: outer; middle; inner',
	})
	expect(refusalError({ status: 400_070, issues: [issue('x', 2003)] }, 'make')).toMatchObject({ code: 'PATH_EXISTS' })
	expect(refusalError({ status: 400_070, issues: [issue('path exist')] }, 'make').code).toBe('DATABASE_REFUSED')
	expect(refusalError({ status: 400_010, issues: [issue('x', 200_200)] }, 'look').code).toBe('DATABASE_REFUSED')
	// In the answer to a query this code means that there is no such table.
	expect(refusalError({ status: 400_070, issues: [issue('x', 2003)] }, 'count', QUERY_ISSUES).code).toBe(
		'PATH_NOT_FOUND',
	)
})

test.each([
	[Status.UNAVAILABLE, 'DATABASE_UNREACHABLE', 'later'],
	[Status.DEADLINE_EXCEEDED, 'DATABASE_UNREACHABLE', 'later'],
	[Status.UNAUTHENTICATED, 'DATABASE_UNAUTHENTICATED', 'no'],
	[Status.PERMISSION_DENIED, 'DATABASE_PERMISSION', 'no'],
	[Status.RESOURCE_EXHAUSTED, 'DATABASE_REFUSED', 'later'],
	[Status.UNIMPLEMENTED, 'UNSUPPORTED', 'no'],
	[Status.INTERNAL, 'DATABASE_UNREACHABLE', 'later'],
	[Status.OUT_OF_RANGE, 'DATABASE_REFUSED', 'no'],
])('gRPC status %i', (status, code, retry) => {
	const cause = new ClientError('/x', status, 'details')
	expect(callError(cause, 'do it')).toMatchObject({ code, retry, cause, message: 'cannot do it: details' })
})

test('a message that is too large is not sent again', () => {
	const error = new ClientError('/x', Status.RESOURCE_EXHAUSTED, 'Received message larger than max (5 vs. 4)')
	expect(callError(error, 'do it').retry).toBe('no')
})

test('anything else is a bug, unless it is a time-out', () => {
	expect(callError(new TypeError('x is not a function'), 'do it')).toMatchObject({ code: 'INTERNAL', retry: 'no' })
	expect(callError('text', 'do it').message).toBe('cannot do it: text')
	expect(callError(undefined, 'do it').code).toBe('INTERNAL')
	expect(callError(new DOMException('', 'AbortError'), 'do it')).toMatchObject({
		code: 'DEADLINE_EXCEEDED',
		retry: 'later',
	})
	const own = new BackupError('PATH_EXISTS', 'there')
	expect(callError(own, 'do it')).toBe(own)
})

test('an answer without an operation is refused', async () => {
	const error = await errorOf((async () => mustSucceed({}, 'do it'))())
	expect(error).toMatchObject({ code: 'DATABASE_REFUSED', message: 'cannot do it: the answer has no operation' })
})
