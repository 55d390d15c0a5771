import { expect, test } from 'vitest'
import { targetOf } from '../src/connection/target.ts'

const refused = (flags: object, environment: Record<string, string> = {}): string => {
	try {
		return `accepted ${JSON.stringify(targetOf(flags, environment))}`
	} catch (error) {
		return `${(error as { code: string }).code}: ${(error as Error).message}`
	}
}

test('flags win over the environment, part by part', () => {
	const environment = { YDB_ENDPOINT: 'grpc://env:1', YDB_DATABASE: '/env' }
	expect(targetOf({ endpoint: 'grpc://flag:2' }, environment)).toEqual({ endpoint: 'grpc://flag:2', database: '/env' })
	expect(targetOf({ db: 'grpc://flag:2/flag' }, environment)).toEqual({ endpoint: 'grpc://flag:2', database: '/flag' })
})

test('a connection string names endpoint and database, by path or by parameter', () => {
	expect(targetOf({ db: 'grpcs://host:2135/ru/folder/db' }, {})).toEqual({
		endpoint: 'grpcs://host:2135',
		database: '/ru/folder/db',
	})
	expect(targetOf({ db: 'grpc://host:2136/?database=/local' }, {})).toEqual({
		endpoint: 'grpc://host:2136',
		database: '/local',
	})
	expect(targetOf({}, { YDB_CONNECTION_STRING: 'grpc://[::1]:2136/local' })).toEqual({
		endpoint: 'grpc://[::1]:2136',
		database: '/local',
	})
})

test('an endpoint without protocol or port is completed as the ydb CLI does', () => {
	expect(targetOf({ endpoint: 'ydb.example.com', database: 'local/' }, {})).toEqual({
		endpoint: 'grpcs://ydb.example.com:2135',
		database: '/local',
	})
	expect(targetOf({ endpoint: 'localhost:2136', database: '/local' }, {}).endpoint).toBe('grpcs://localhost:2136')
})

test('contradictions are refused instead of guessed', () => {
	expect(refused({ db: 'grpc://a:1/b', endpoint: 'grpc://a:1' })).toMatch(/^CONFIG_INVALID: --db .*--endpoint/)
	const two = { YDB_CONNECTION_STRING: 'grpc://a:1/one', YDB_DATABASE: '/two' }
	expect(refused({}, two)).toMatch(/CONFIG_INVALID: .*two databases: \/one .*\/two/)
	expect(targetOf({ database: '/two' }, two).database).toBe('/two')
	expect(targetOf({}, { YDB_CONNECTION_STRING: 'grpc://a:1/one', YDB_DATABASE: '/one/' }).database).toBe('/one')
})

test('what is missing is named with the flag and the variable', () => {
	expect(refused({})).toMatch(/no endpoint/)
	expect(refused({ endpoint: 'grpc://a:1' }, { YDB_DATABASE: '' })).toMatch(/no database/)
})

test('an address with a password, another protocol or a path is refused, and the password not repeated', () => {
	const secret = refused({ db: 'grpc://user:canary-secret@host:1/local' })
	expect(secret).toMatch(/CONFIG_INVALID: --db holds a user name or password/)
	expect(secret).not.toContain('canary-secret')
	expect(refused({ endpoint: 'http://host:1', database: '/local' })).toMatch(/protocol http/)
	expect(refused({ endpoint: 'grpc://host:1/local', database: '/local' })).toMatch(/names a path/)
	expect(refused({ endpoint: 'grpc://:::', database: '/local' })).toMatch(/not an address/)
	expect(refused({ db: 'grpc://host:1/%zz' })).toMatch(/CONFIG_INVALID/)
	expect(refused({ db: 'grpc://host:1' })).toMatch(/names no database/)
})
