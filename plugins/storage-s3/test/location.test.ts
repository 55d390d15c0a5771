import { expect, test } from 'vitest'
import driver from '../src/index.ts'
import { redacted, settingsOf } from '../src/location.ts'

const NOTHING = {}

test('a location is read with its parameters, the environment where it is silent', () => {
	expect(settingsOf(new URL('s3://Bucket/a/b/?region=eu-west-1'), NOTHING)).toMatchObject({
		bucket: 'Bucket',
		prefix: 'a/b/',
		region: 'eu-west-1',
		endpoint: undefined,
		pathStyle: false,
		partBytes: 8 * 2 ** 20,
		timeoutMs: 60_000,
		credentials: undefined,
	})
	const environment = {
		AWS_DEFAULT_REGION: 'x',
		AWS_ENDPOINT_URL: 'http://localhost:9000/',
		AWS_ACCESS_KEY_ID: 'a',
		AWS_SECRET_ACCESS_KEY: 'b',
		AWS_SESSION_TOKEN: 'c',
	}
	expect(settingsOf(new URL('s3://bucket'), environment)).toMatchObject({
		prefix: '',
		region: 'x',
		endpoint: 'http://localhost:9000',
		pathStyle: true,
		credentials: { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' },
	})
	expect(settingsOf(new URL('s3://bucket/?endpoint=https://h&pathStyle=false'), environment)).toMatchObject({
		endpoint: 'https://h',
		pathStyle: false,
	})
})

test.each([
	['s3:///prefix', 'names no bucket'],
	['s3://b', 'name that no bucket can have'],
	['s3://bucket:9000/x', 'port'],
	['s3://user:canary@bucket/x', 'user name or a password'],
	['s3://bucket/x#canary', 'fragment'],
	['s3://bucket/a//b', 'empty segment'],
	['s3://bucket/%2e%2e%2fa', 'dots'],
	['s3://bucket/%ff', 'not encoded'],
	['s3://bucket/%00', 'control character'],
	['s3://bucket/x?region=', 'region is empty'],
	['s3://bucket/x?region=a&region=b', 'given twice'],
	['s3://bucket/x?secretAccessKey=canary', 'does not know'],
	['s3://bucket/x?endpoint=canary', 'no URL'],
	['s3://bucket/x?endpoint=ftp://h', 'neither http nor https'],
	['s3://bucket/x?endpoint=https://u:canary@h', 'user name or a password'],
	['s3://bucket/x?endpoint=https://h?key=canary', 'parameters'],
	['s3://bucket/x?pathStyle=maybe', 'none of true, false'],
	['s3://bucket/x?sse=rot13', 'none of AES256'],
	['s3://bucket/x?kmsKeyId=k', 'needs sse=aws:kms'],
	['s3://bucket/x?objectLockRetainDays=3', 'needs objectLockMode'],
	['s3://bucket/x?objectLockMode=GOVERNANCE&objectLockRetainDays=0', 'whole number'],
	['s3://bucket/x?partMiB=4', 'from 5 to 512'],
	['s3://bucket/x?timeoutSeconds=1e3', 'from 1 to 600'],
	['http://bucket/x', 'scheme is not s3'],
])('%s is refused, and nothing of it is shown that may be a secret', (text, why) => {
	let message = ''
	try {
		settingsOf(new URL(text), NOTHING)
	} catch (error) {
		expect(error).toMatchObject({ code: 'LOCATION_INVALID', advice: expect.any(String) })
		message = `${String(error)} ${JSON.stringify(error)}`
	}
	expect(message).toContain(why)
	expect(message).not.toContain('canary')
})

test('an unknown parameter is answered with the nearest known one', () => {
	for (const [name, near] of [
		['regoin', 'region'],
		['endpont', 'endpoint'],
		['path-style', 'pathStyle'],
		['storageclass', 'storageClass'],
	])
		expect(() => settingsOf(new URL(`s3://bucket/x?${name}=1`), NOTHING)).toThrow(
			expect.objectContaining({ advice: expect.stringContaining(`did you mean ${near}?`) }),
		)
})

test('half of a pair of credentials, or a wrong customer key, is refused', () => {
	for (const environment of [
		{ AWS_ACCESS_KEY_ID: 'canary' },
		{ AWS_SECRET_ACCESS_KEY: 'canary' },
		{ YDBACKUP_S3_CUSTOMER_KEY: 'canary' },
	])
		expect(() => settingsOf(new URL('s3://bucket/x'), environment)).toThrow(
			expect.objectContaining({ code: 'LOCATION_INVALID', message: expect.not.stringContaining('canary') }),
		)
})

test('a location is shown without what may be a secret', () => {
	expect(redacted(new URL('s3://u:p@bucket/x?region=r&token=canary&endpoint=https://u:canary@h:9/#canary'))).toBe(
		's3://bucket/x?region=r&endpoint=https://h:9',
	)
	expect(driver.redact(new URL('s3://bucket/x?endpoint=canary'))).not.toContain('canary')
	for (const example of driver.examples) expect(settingsOf(new URL(example), NOTHING).bucket).toBe('bucket')
})
