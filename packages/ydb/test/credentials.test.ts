import { generateKeyPairSync, verify, constants } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuthServiceDefinition, LoginResultSchema } from '@ydbjs/api/auth'
import { Driver } from '@ydbjs/core'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { afterAll, beforeAll, describe, expect, test as serially } from 'vitest'
import { resultOf } from '../src/call/operation.ts'
import { connect, type Credentials, type Ydb } from '../src/index.ts'
import { startProxy } from './support/proxy.ts'
import { errorOf } from './support/error-of.ts'
import { listed } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

const USER = { user: 'alice', password: 'a long secret' }
let emulator: Emulator
let directory: string

beforeAll(async () => {
	emulator = await startEmulator({ auth: { users: { [USER.user]: USER.password } } })
	directory = mkdtempSync(join(tmpdir(), 'ydb-credentials-'))
})
afterAll(async () => {
	await emulator.close()
	rmSync(directory, { recursive: true })
})

function open(credentials: Credentials, port = emulator.port): Promise<Ydb> {
	return connect({ endpoint: `grpc://127.0.0.1:${port}`, database: '/local', credentials, readyTimeoutMs: 2_000 })
}

/** A token that the emulator issued, as one finds it in a token file. */
async function issued(): Promise<string> {
	using driver = new Driver(emulator.connectionString, { 'ydb.sdk.enable_discovery': false })
	const answer = await driver.createClient(AuthServiceDefinition).login(USER)
	return resultOf(LoginResultSchema, answer, 'log in').token
}

interface Asked {
	readonly method: string
	readonly headers: IncomingMessage['headers']
	readonly body: string
}

interface Issuer extends AsyncDisposable {
	readonly url: string
	readonly asked: Asked[]
	answer: (asked: Asked, response: ServerResponse) => void
}

/** A server that gives tokens by HTTP. */
async function startIssuer(answer: Issuer['answer']): Promise<Issuer> {
	const asked: Asked[] = []
	const server = createServer(async (request, response) => {
		const parts: Buffer[] = []
		for await (const part of request) parts.push(part as Buffer)
		const one = { method: request.method!, headers: request.headers, body: Buffer.concat(parts).toString() }
		asked.push(one)
		issuer.answer(one, response)
	})
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	const issuer: Issuer = {
		url: `http://127.0.0.1:${(server.address() as { port: number }).port}/token`,
		asked,
		answer,
		async [Symbol.asyncDispose]() {
			server.closeAllConnections()
			server.close()
		},
	}
	return issuer
}

const json =
	(body: unknown, status = 200): Issuer['answer'] =>
	(_, response) =>
		void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

describe('user and password', () => {
	test('one login serves every call and both connections', async () => {
		await using proxy = await startProxy(emulator.port)
		await using ydb = await open({ kind: 'static', ...USER }, proxy.port)
		await Promise.all([listed(ydb.source.list()), listed(ydb.source.list()), ydb.sink.find('')])
		expect(proxy.calls.get('Login')).toBe(1)
	})

	test('a wrong password, and an unknown user', async () => {
		for (const wrong of [
			{ user: 'alice', password: 'a wrong secret' },
			{ user: 'bob', password: 'a wrong secret' },
		]) {
			const error = await errorOf(open({ kind: 'static', ...wrong }))
			expect(error).toMatchObject({
				code: 'DATABASE_UNAUTHENTICATED',
				message: expect.stringContaining(`log in as ${wrong.user}`),
				advice: 'check the name of the user and the password',
			})
			expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('secret')
		}
	})

	test('a token is asked for again before it ends', async () => {
		await using proxy = await startProxy(emulator.port)
		// The emulator's tokens live for half a day: this one says that it lives for two seconds.
		const { create, toBinary } = await import('@bufbuild/protobuf')
		const { anyPack } = await import('@bufbuild/protobuf/wkt')
		const { LoginResponseSchema } = await import('@ydbjs/api/auth')
		const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
		let logins = 0
		proxy.rules.set('Login', ({ reply }) => {
			const token = `${part({})}.${part({ exp: Date.now() / 1000 + 2, n: logins++ })}.x`
			const result = anyPack(LoginResultSchema, create(LoginResultSchema, { token }))
			const operation = { ready: true, status: 400_000, result }
			reply([toBinary(LoginResponseSchema, create(LoginResponseSchema, { operation }))])
		})
		proxy.rules.set('ListEndpoints', async ({ forward, reply }) => reply((await forward()).messages))
		await errorOf(open({ kind: 'static', ...USER }, proxy.port))
		expect(logins).toBe(1)
		const { providerOf } = await import('../src/connect/credentials.ts')
		using plain = new Driver(`grpc://127.0.0.1:${proxy.port}/local`, { 'ydb.sdk.enable_discovery': false })
		const provider = providerOf({ kind: 'static', ...USER }, () => plain)
		const first = await Promise.all([provider.getToken(), provider.getToken()])
		expect(first[0]).toBe(first[1])
		expect(await provider.getToken()).toBe(first[0])
		await new Promise((resolve) => setTimeout(resolve, 1_700))
		expect(await provider.getToken()).not.toBe(first[0])
	})
})

describe('a token', () => {
	test('as it stands in a file', async () => {
		await using ydb = await open({ kind: 'token', token: await issued() })
		expect(await ydb.sink.find('')).toMatchObject({ kind: 'directory' })
	})

	test('that nobody issued', async () => {
		const error = await errorOf(open({ kind: 'token', token: 'my-own-invention' }))
		expect(error).toMatchObject({ code: 'DATABASE_UNAUTHENTICATED', advice: expect.stringContaining('token') })
		expect(error.message).not.toContain('my-own-invention')
	})
})

test('nobody, where somebody is wanted', async () => {
	expect(await errorOf(open({ kind: 'anonymous' }))).toMatchObject({ code: 'DATABASE_UNAUTHENTICATED' })
})

describe("the machine's own account", () => {
	test('is asked for as the metadata service wants it', async () => {
		const token = await issued()
		await using issuer = await startIssuer(json({ access_token: token, expires_in: 3600, token_type: 'Bearer' }))
		await using ydb = await open({ kind: 'metadata', url: issuer.url })
		await listed(ydb.source.list())
		expect(issuer.asked).toMatchObject([{ method: 'GET', headers: { 'metadata-flavor': 'Google' } }])
	})

	test('a token that ends soon is asked for again', async () => {
		const token = await issued()
		await using issuer = await startIssuer(json({ access_token: token, expires_in: 1 }))
		await using ydb = await open({ kind: 'metadata', url: issuer.url })
		await new Promise((resolve) => setTimeout(resolve, 1_100))
		await ydb.sink.find('')
		expect(issuer.asked).toHaveLength(2)
	})

	test('no such service', async () => {
		const begun = performance.now()
		const issuer = await startIssuer(json({}))
		await issuer[Symbol.asyncDispose]()
		expect(await errorOf(open({ kind: 'metadata', url: issuer.url }))).toMatchObject({
			code: 'DATABASE_UNREACHABLE',
			message: `cannot get a token from the metadata service at ${new URL(issuer.url).host}: ECONNREFUSED`,
		})
		expect(performance.now() - begun).toBeLessThan(2_000)
	})

	test('a service that never answers ends the call in its time, and says so', async () => {
		await using issuer = await startIssuer(() => {})
		const begun = performance.now()
		const error = await errorOf(
			connect({
				endpoint: `grpc://127.0.0.1:${emulator.port}`,
				database: '/local',
				credentials: { kind: 'metadata', url: issuer.url },
				readyTimeoutMs: 300,
			}),
		)
		expect(error).toMatchObject({
			code: 'DATABASE_UNREACHABLE',
			message: expect.stringContaining('no token from the metadata service in time'),
		})
		expect(performance.now() - begun).toBeLessThan(2_000)
	})

	test('no account on this machine', async () => {
		await using issuer = await startIssuer(json({}, 404))
		expect(await errorOf(open({ kind: 'metadata', url: issuer.url }))).toMatchObject({
			code: 'DATABASE_UNAUTHENTICATED',
			message: 'the metadata service refuses to give a token: HTTP 404',
		})
	})

	test('an answer without a token, and one that is broken', async () => {
		for (const answer of [json({ token: 'secret' }), json('secret'), json(null)]) {
			await using issuer = await startIssuer(answer)
			const error = await errorOf(open({ kind: 'metadata', url: issuer.url }))
			expect(error).toMatchObject({ code: 'DATABASE_UNREACHABLE', message: expect.stringContaining('holds no token') })
			expect(error.message).not.toContain('secret')
		}
	})

	test('a service that is busy for a moment does not stop a run', async () => {
		const token = await issued()
		await using issuer = await startIssuer(json({ access_token: token, expires_in: 1 }))
		await using ydb = await open({ kind: 'metadata', url: issuer.url })
		await new Promise((resolve) => setTimeout(resolve, 1_100))
		let busy = 3
		issuer.answer = (asked, response) =>
			busy-- > 0 ? json({}, 503)(asked, response) : json({ access_token: token, expires_in: 60 })(asked, response)
		expect(await ydb.sink.find('')).toBeDefined()
		expect(issuer.asked).toHaveLength(5)
	})
})

describe("a service account's key", () => {
	const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
	const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
	const file = (name: string, content: unknown): string => {
		const path = join(directory, name)
		writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
		return path
	}
	// Real files have a line of warning before the key.
	const key = { id: 'key-1', service_account_id: 'account-1', private_key: `PLEASE DO NOT REMOVE THIS LINE!\n${pem}` }

	test('signs a token that the service can check, and exchanges it', async () => {
		const token = await issued()
		await using issuer = await startIssuer(json({ iamToken: token, expiresAt: '2030-01-01T00:00:00Z' }))
		await using ydb = await open({ kind: 'service-account-key', file: file('key.json', key), url: issuer.url })
		await listed(ydb.source.list())
		expect(issuer.asked).toHaveLength(1)
		const { jwt } = JSON.parse(issuer.asked[0]!.body) as { jwt: string }
		const [head = '', body = '', signature = ''] = jwt.split('.')
		const decode = (part: string): Record<string, number> => JSON.parse(Buffer.from(part, 'base64url').toString())
		expect(decode(head)).toEqual({ alg: 'PS256', typ: 'JWT', kid: 'key-1' })
		const claims = decode(body)
		expect(claims).toMatchObject({ iss: 'account-1', aud: issuer.url })
		expect(claims['exp']! - claims['iat']!).toBe(3600)
		expect(Math.abs(claims['iat']! - Date.now() / 1000)).toBeLessThan(60)
		const pss = {
			key: publicKey,
			padding: constants.RSA_PKCS1_PSS_PADDING,
			saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
		}
		expect(verify('sha256', Buffer.from(`${head}.${body}`), pss, Buffer.from(signature, 'base64url'))).toBe(true)
	})

	test('that is revoked', async () => {
		await using issuer = await startIssuer(json({ code: 16, message: 'key-1 is gone' }, 401))
		const path = file('revoked.json', key)
		expect(await errorOf(open({ kind: 'service-account-key', file: path, url: issuer.url }))).toMatchObject({
			code: 'DATABASE_UNAUTHENTICATED',
			message: 'the token service refuses to give a token: HTTP 401',
			advice: `create a new authorized key for ${path}`,
		})
	})

	test('that is no key: what the file holds is never shown', async () => {
		for (const [at, content] of [
			'',
			'TOPSECRET',
			'{"private_key":"TOPSECRET"',
			{ ...key, private_key: 'TOPSECRET' },
			{ id: 'TOPSECRET' },
			{ ...key, private_key: pem.replace('MII', 'TOPSECRET') },
		].entries()) {
			const path = file(`broken-${at}.json`, content)
			const error = await errorOf(open({ kind: 'service-account-key', file: path, url: 'http://127.0.0.1:1' }))
			expect(error).toMatchObject({
				code: 'CONFIG_INVALID',
				message: `${path} is no authorized key of a service account`,
			})
			expect(error.cause).toBeUndefined()
			expect(String(error.stack)).not.toContain('TOPSECRET')
		}
		expect(await errorOf(open({ kind: 'service-account-key', file: join(directory, 'none') }))).toMatchObject({
			code: 'CONFIG_INVALID',
		})
	})
})
