import { expect, test } from 'vitest'
import { cleaned, networkError, refusalError, retryAfterOf } from '../src/failure.ts'

const body = (code: number, message: string, reason: string): string =>
	JSON.stringify({ error: { code, message, errors: [{ message, domain: 'global', reason }] } })

test('answers get the code that callers branch on', () => {
	for (const [status, message, reason, expected] of [
		[400, 'Invalid argument.', 'invalid', { code: 'STORAGE_PERMANENT', retry: 'no' }],
		[
			400,
			'Bucket is a requester pays bucket but no user project provided.',
			'userProjectMissing',
			{ code: 'STORAGE_PERMISSION' },
		],
		[
			400,
			'Provided CRC32C "A" doesn\'t match calculated CRC32C "B".',
			'invalid',
			{ code: 'STORAGE_INTEGRITY', retry: 'same' },
		],
		[401, 'Invalid Credentials', 'authError', { code: 'STORAGE_PERMISSION', reason: 'credentials' }],
		[403, 'Access denied.', 'forbidden', { code: 'STORAGE_PERMISSION', reason: undefined }],
		[403, 'held', 'retentionPolicyNotMet', { code: 'STORAGE_PERMISSION', reason: 'held' }],
		[403, 'held', 'objectUnderActiveHold', { code: 'STORAGE_PERMISSION', reason: 'held' }],
		[403, 'slow', 'rateLimitExceeded', { code: 'STORAGE_THROTTLED', retry: 'later' }],
		[404, 'No such object: b/o', 'notFound', { code: 'STORAGE_NOT_FOUND', reason: undefined }],
		[404, 'The specified bucket does not exist.', 'notFound', { code: 'STORAGE_NOT_FOUND', reason: 'bucket-missing' }],
		[
			412,
			'At least one of the pre-conditions you specified did not hold.',
			'conditionNotMet',
			{ code: 'STORAGE_ALREADY_EXISTS' },
		],
		[429, 'slow', 'rateLimitExceeded', { code: 'STORAGE_THROTTLED', retry: 'later' }],
		[500, 'oops', 'backendError', { code: 'STORAGE_TRANSIENT', retry: 'later' }],
		[502, 'oops', 'badGateway', { code: 'STORAGE_TRANSIENT', retry: 'later' }],
	] as const)
		expect(refusalError({ status, text: body(status, message, reason) }, 'do it')).toMatchObject(expected)
	expect(refusalError({ status: 503, text: '', retryAfter: '7' }, 'do it')).toMatchObject({
		code: 'STORAGE_THROTTLED',
		retryAfterMs: 7000,
	})
	expect(
		refusalError({ status: 403, text: '<html><body>Blocked</body></html>', contentType: 'text/html' }, 'do it').message,
	).toBe('cannot do it: 403')
	expect(
		refusalError({ status: 404, text: 'No such object: b/o', contentType: 'text/html; charset=UTF-8' }, 'read o'),
	).toMatchObject({
		code: 'STORAGE_NOT_FOUND',
		message: 'cannot read o: No such object: b/o (404)',
	})
})

test('failures of sockets, names and certificates', () => {
	const of = (code: string) => networkError(Object.assign(new Error(`it failed: ${code}`), { code }), 'do it')
	expect(of('ECONNRESET')).toMatchObject({ code: 'STORAGE_TRANSIENT', retry: 'later' })
	expect(of('ENOTFOUND')).toMatchObject({ code: 'STORAGE_TRANSIENT', reason: 'unreachable' })
	expect(of('ECONNREFUSED')).toMatchObject({ code: 'STORAGE_TRANSIENT', reason: 'unreachable' })
	expect(of('SELF_SIGNED_CERT_IN_CHAIN')).toMatchObject({ code: 'STORAGE_PERMANENT', reason: 'certificate' })
	expect(of('CERT_HAS_EXPIRED')).toMatchObject({ code: 'STORAGE_PERMANENT', reason: 'certificate' })
	const both = new AggregateError([Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })])
	expect(networkError(both, 'do it')).toMatchObject({ reason: 'unreachable' })
})

test('Retry-After is seconds or a date', () => {
	expect(retryAfterOf('3')).toBe(3000)
	expect(retryAfterOf('Thu, 01 Jan 1970 00:00:10 GMT', 4000)).toBe(6000)
	expect(retryAfterOf('Thu, 01 Jan 1970 00:00:10 GMT', 40_000)).toBe(0)
	expect(retryAfterOf('soon')).toBeUndefined()
	expect(retryAfterOf(undefined)).toBeUndefined()
})

test('what the other side says is short, of one line, and without tokens', () => {
	expect(cleaned('a Bearer abc.def b')).toBe('a Bearer … b')
	expect(cleaned('x ya29.a0-b_c y')).toBe('x … y')
	expect(cleaned('at https://u:p@h/o?upload_id=abc&x=1')).toBe('at https://…@h/o?upload_id=…&x=1')
	expect(cleaned('-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nrest')).not.toContain('abc')
	expect(cleaned('one\r\n\ttwo\u0007')).toBe('one two')
	expect(cleaned('x'.repeat(1000))).toHaveLength(400)
})
