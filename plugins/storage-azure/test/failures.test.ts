import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { serviceCode, storageError } from '../src/failure.ts'

const SECRET = 'c2VjcmV0LXNpZ25hdHVyZQ'

/** What the SDK throws, as far as the driver looks at it. */
function answer(statusCode: number, errorCode?: string, headers: Record<string, string> = {}, message = 'said'): Error {
	return Object.assign(new Error(message), {
		name: 'RestError',
		statusCode,
		...(errorCode && { details: { errorCode } }),
		response: { headers: { get: (name: string) => headers[name] } },
		request: { url: `https://h/?sig=${SECRET}` },
	})
}
const socket = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code, name: 'RestError' })
const of = (error: unknown, expiresAt?: Date): ReturnType<typeof storageError> =>
	storageError(error, { doing: 'read a in az://backups', secrets: [SECRET], expiresAt })

test('errors of the service have the codes of the contract', () => {
	const known: [Error, string, string][] = [
		[answer(404, 'BlobNotFound'), 'STORAGE_NOT_FOUND', 'no'],
		[answer(404, 'ContainerNotFound'), 'STORAGE_NOT_FOUND', 'no'],
		[answer(404), 'STORAGE_NOT_FOUND', 'no'],
		[answer(409, 'BlobAlreadyExists'), 'STORAGE_ALREADY_EXISTS', 'no'],
		[answer(409, 'BlobImmutableDueToPolicy'), 'STORAGE_PERMISSION', 'no'],
		[answer(409, 'BlobArchived'), 'STORAGE_PERMANENT', 'no'],
		[answer(412, 'LeaseIdMissing'), 'STORAGE_PERMISSION', 'no'],
		[answer(412, 'ConditionNotMet'), 'STORAGE_PERMANENT', 'no'],
		[answer(416, 'InvalidRange'), 'STORAGE_PERMANENT', 'no'],
		[answer(401), 'STORAGE_PERMISSION', 'no'],
		[answer(403, 'AuthenticationFailed'), 'STORAGE_PERMISSION', 'no'],
		[answer(403, 'AuthorizationPermissionMismatch'), 'STORAGE_PERMISSION', 'no'],
		[answer(403), 'STORAGE_PERMISSION', 'no'],
		[answer(400, 'Md5Mismatch'), 'STORAGE_INTEGRITY', 'same'],
		[answer(400, 'InvalidBlockList'), 'STORAGE_TRANSIENT', 'same'],
		[answer(400, 'InvalidInput'), 'STORAGE_PERMANENT', 'no'],
		[answer(413, 'RequestBodyTooLarge'), 'STORAGE_QUOTA', 'no'],
		[answer(429), 'STORAGE_THROTTLED', 'later'],
		[answer(503, 'ServerBusy'), 'STORAGE_THROTTLED', 'later'],
		[answer(500, 'OperationTimedOut'), 'STORAGE_TRANSIENT', 'later'],
		[answer(500, 'InternalError'), 'STORAGE_TRANSIENT', 'later'],
		[answer(502), 'STORAGE_TRANSIENT', 'later'],
		[answer(501), 'STORAGE_UNSUPPORTED', 'no'],
		[socket('ECONNRESET'), 'STORAGE_TRANSIENT', 'later'],
		[socket('ECONNREFUSED'), 'STORAGE_TRANSIENT', 'later'],
		[socket('ENOTFOUND'), 'STORAGE_TRANSIENT', 'later'],
		[socket('HPE_INVALID_CONSTANT'), 'STORAGE_TRANSIENT', 'later'],
		[socket('SELF_SIGNED_CERT_IN_CHAIN'), 'STORAGE_PERMANENT', 'no'],
		[Object.assign(new Error('no'), { name: 'CredentialUnavailableError' }), 'STORAGE_PERMISSION', 'no'],
		[new Error('something else'), 'STORAGE_PERMANENT', 'no'],
	]
	for (const [error, code, retry] of known) {
		const failure = of(error)
		const what = `${serviceCode(error)} ${error.message}`
		expect.soft([failure.code, failure.retry], what).toEqual([code, retry])
		expect.soft(failure.message).toMatch(/^cannot read a in az:\/\/backups: ./)
	}
})

test('the service says how long to wait', () => {
	expect(of(answer(503, 'ServerBusy', { 'retry-after': '7' })).retryAfterMs).toBe(7000)
	const soon = new Date(Date.now() + 5000).toUTCString()
	expect(of(answer(429, undefined, { 'retry-after': soon })).retryAfterMs).toBeGreaterThan(3000)
	expect(of(answer(503, 'ServerBusy', { 'retry-after': 'soon' })).retryAfterMs).toBeUndefined()
	expect(of(answer(404, 'BlobNotFound', { 'retry-after': '7' })).retryAfterMs).toBeUndefined()
})

test('an expired signature and a wrong clock are told from other refusals', () => {
	expect(of(answer(403, 'AuthenticationFailed')).reason).toBeUndefined()
	expect(of(answer(403, 'AuthenticationFailed'), new Date(0)).reason).toBe('expired')
	const late = answer(403, 'AuthenticationFailed', {}, 'Signature not valid in the specified time frame')
	expect(of(late).reason).toBe('expired')
	expect(of(answer(403, 'AuthenticationFailed', {}, 'Request date header too old')).reason).toBe('clock')
})

test('nothing of a request stays in an error', () => {
	const failures = [
		answer(403, 'AuthenticationFailed', {}, `bad ?sig=${SECRET}&x`),
		answer(400, 'InvalidInput', {}, `SharedKey account:${SECRET}`),
		new Error(`at https://h/?sv=1&sig=${SECRET}`),
		new Error(SECRET),
	]
	for (const failure of failures.map((error) => of(error))) {
		expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(SECRET)
		expect(JSON.stringify([failure, failure.cause])).not.toContain(SECRET)
	}
})
