import { describe, expect, test } from 'vitest'
import { normalDatabase, normalEndpoint, parseConnectionString } from '../src/index.ts'
import { errorOf } from './support/error-of.ts'

test.each([
	['grpc://localhost:2136/local', 'grpc://localhost:2136', '/local'],
	['grpcs://ydb.example.org:2135/ru/home/db', 'grpcs://ydb.example.org:2135', '/ru/home/db'],
	['grpc://localhost:2136/?database=/local', 'grpc://localhost:2136', '/local'],
	['grpcs://localhost?database=local', 'grpcs://localhost:2135', '/local'],
	['grpc://localhost/local/', 'grpc://localhost:2136', '/local'],
	['http://localhost/local', 'grpc://localhost:2136', '/local'],
	['https://localhost/local', 'grpcs://localhost:2135', '/local'],
	[' grpc://[::1]:2136//a//b ', 'grpc://[::1]:2136', '/a/b'],
])('%s', (text, endpoint, database) => {
	expect(parseConnectionString(text)).toEqual({ endpoint, database })
})

describe('what is no connection string is refused', () => {
	test.each([
		['localhost', 'it has no host'],
		['grpc:///local', 'it has no host'],
		['grpc://localhost:2136', 'it names no database'],
		['grpc://localhost:2136/', 'it names no database'],
		['grpc://localhost/%zz', 'its path cannot be decoded'],
		['ftp://localhost/local', 'its scheme is neither grpc nor grpcs'],
		['grpc://localhost:99999/local', 'it cannot be parsed'],
	])('%s', async (text, why) => {
		const error = await errorOf((async () => parseConnectionString(text))())
		expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(why) })
	})

	test('a password in it is never repeated', async () => {
		for (const text of [
			'grpc://me:hunter2@localhost:2136/local',
			'grpc://me:hunter2@localhost:2136',
			'grpc://me:hunter2@localhost:99999/local',
			'grpc://me:a/hunter2@localhost:2136/local',
			'me:hunter2@localhost/local',
			'ftp://me:hunter2@localhost/local',
		]) {
			const error = await errorOf((async () => parseConnectionString(text))())
			expect(error.code).toBe('CONFIG_INVALID')
			expect(JSON.stringify([error.message, error.advice, String(error.stack)])).not.toContain('hunter2')
		}
	})
})

test('endpoints and databases are spelled in full', async () => {
	expect(normalEndpoint('localhost')).toBe('grpc://localhost:2136')
	expect(normalEndpoint('GRPCS://Host')).toBe('grpcs://host:2135')
	expect(normalDatabase('local')).toBe('/local')
	expect(await errorOf((async () => normalDatabase('//'))())).toMatchObject({ code: 'CONFIG_INVALID' })
})
