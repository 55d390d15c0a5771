import { expect, test } from 'vitest'
import { storageError } from '../src/failure.ts'

const same = (text: string): string => text

test.each([
	[{ name: 'NoSuchKey' }, 'STORAGE_NOT_FOUND', 'no'],
	[{ name: 'NotFound', $metadata: { httpStatusCode: 404 } }, 'STORAGE_NOT_FOUND', 'no'],
	[{ name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }, 'STORAGE_PERMANENT', 'no'],
	[{ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } }, 'STORAGE_ALREADY_EXISTS', 'no'],
	[{ name: 'ConditionalRequestConflict', $metadata: { httpStatusCode: 409 } }, 'STORAGE_TRANSIENT', 'later'],
	[{ name: '403', $metadata: { httpStatusCode: 403 } }, 'STORAGE_PERMISSION', 'no'],
	[{ name: 'KMS.DisabledException', $metadata: { httpStatusCode: 400 } }, 'STORAGE_PERMISSION', 'no'],
	[{ name: 'Whatever', $metadata: { httpStatusCode: 502 } }, 'STORAGE_TRANSIENT', 'later'],
	[{ name: 'Whatever', $metadata: { httpStatusCode: 429 } }, 'STORAGE_THROTTLED', 'later'],
	[{ name: 'XMinioStorageFull', $metadata: { httpStatusCode: 507 } }, 'STORAGE_QUOTA', 'no'],
	[{ name: 'TimeoutError', code: 'ECONNRESET' }, 'STORAGE_TRANSIENT', 'later'],
	[{ name: 'AggregateError', errors: [{ name: 'Error', code: 'ECONNREFUSED' }] }, 'STORAGE_TRANSIENT', 'later'],
	[{ name: 'Error', code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'STORAGE_PERMANENT', 'no'],
	[{ name: 'Error', message: 'Region is missing' }, 'LOCATION_INVALID', 'no'],
	[
		{ name: 'Error', message: "char 'h' is not expected.\n  Deserialization error: …", $response: { statusCode: 200 } },
		'STORAGE_PERMANENT',
		'no',
	],
	[undefined, 'STORAGE_PERMANENT', 'no'],
	['a string', 'STORAGE_PERMANENT', 'no'],
])('%j is %s', (error, code, retry) => {
	expect(storageError(error, 'write it', same)).toMatchObject({
		code,
		retry,
		message: expect.stringContaining('cannot write it'),
	})
})

test('a pause that the store asks for is given on: in seconds, or until a date', () => {
	const asked = (text: string): number | undefined =>
		storageError({ name: 'SlowDown', $response: { statusCode: 503, headers: { 'retry-after': text } } }, 'x', same)
			.retryAfterMs
	expect(asked('7')).toBe(7000)
	expect(asked(new Date(Date.now() + 60_000).toUTCString())).toBeGreaterThan(50_000)
	expect(asked(new Date(0).toUTCString())).toBe(0)
	expect(asked('soon')).toBeUndefined()
})

test('an error keeps neither the answer of the store nor the request: secrets stand in both', () => {
	const error = {
		name: 'ExpiredToken',
		message: 'expired: canary-token',
		'Token-0': 'canary-token',
		$response: { headers: { a: 'canary' } },
	}
	const failure = storageError(error, 'x', (text) => text.replaceAll('canary-token', '***'))
	expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('canary')
	expect(JSON.stringify(failure.cause, Object.getOwnPropertyNames(failure.cause))).not.toContain('canary')
})
