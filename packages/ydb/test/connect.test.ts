import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmulator } from '@ydbackup/emulator'
import { describe, expect, test as serially } from 'vitest'
import { connect } from '../src/index.ts'
import { errorOf } from './support/error-of.ts'
import { collect, startWorld } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

const anonymous = { kind: 'anonymous' } as const

/** How a connection fails, and that it takes no longer than its time-out and a little. */
async function failure(
	options: Partial<Parameters<typeof connect>[0]>,
	limitMs = 3_000,
): Promise<Awaited<ReturnType<typeof errorOf>>> {
	const begun = performance.now()
	const error = await errorOf(
		connect({
			endpoint: 'grpc://127.0.0.1:1',
			database: '/local',
			credentials: anonymous,
			readyTimeoutMs: 300,
			...options,
		}),
	)
	expect(performance.now() - begun).toBeLessThan(limitMs)
	return error
}

async function listening(server: Server): Promise<number> {
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
	return (server.address() as { port: number }).port
}

describe('a connection that cannot be made ends in time and says why', () => {
	test('nobody listens', async () => {
		expect(await failure({ endpoint: 'grpc://127.0.0.1:1' })).toMatchObject({
			code: 'DATABASE_UNREACHABLE',
			message: 'cannot connect to grpc://127.0.0.1:1 within 0.3 s: ECONNREFUSED',
			advice: expect.stringContaining('check host, port'),
		})
	})

	test('no such host', async () => {
		const error = await failure({ endpoint: 'grpc://no-such-host.invalid:2136' })
		expect(error.code).toBe('DATABASE_UNREACHABLE')
		expect(error.message).toMatch(/within 0\.3 s: (ENOTFOUND|EAI_AGAIN|no answer)$/)
	})

	test('somebody listens who never says a word', async () => {
		const sockets = new Set<{ destroy(): void }>()
		const server = createServer((socket) => sockets.add(socket.on('error', () => {})))
		const port = await listening(server)
		const error = await failure({ endpoint: `grpc://127.0.0.1:${port}` })
		expect(error.code).toBe('DATABASE_UNREACHABLE')
		for (const socket of sockets) socket.destroy()
		server.close()
	})

	test('TLS where there is none', async () => {
		await using emulator = await startEmulator()
		const error = await failure({ endpoint: `grpcs://127.0.0.1:${emulator.port}` })
		expect(error).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
		expect(error.message).toMatch(/within 0\.3 s: \S+/)
	})

	test('it connects, and the first call is never answered', async () => {
		await using world = await startWorld()
		world.proxy.rules.set('ListEndpoints', ({ closed }) => closed)
		expect(await failure({ endpoint: `grpc://127.0.0.1:${world.proxy.port}` })).toMatchObject({
			code: 'DATABASE_UNREACHABLE',
			message: expect.stringContaining('use database /local'),
		})
	})

	test('a stop', async () => {
		const stop = new AbortController()
		setTimeout(() => stop.abort(), 50)
		expect(await failure({ signal: stop.signal, readyTimeoutMs: 20_000 }, 1_000)).toMatchObject({ code: 'INTERRUPTED' })
	})
})

test('another database than the one that is served', async () => {
	await using emulator = await startEmulator({ database: '/ru/home/db' })
	const error = await failure({ endpoint: `grpc://127.0.0.1:${emulator.port}`, database: '/local' })
	expect(error.message).toContain('/local')
	expect(['DATABASE_NOT_FOUND', 'DATABASE_UNAUTHENTICATED']).toContain(error.code)
	expect(error.advice).toContain('path of the database')
})

test('a file of certificates that is missing, or is none', async () => {
	const directory = mkdtempSync(join(tmpdir(), 'ydb-connect-'))
	try {
		const endpoint = 'grpcs://127.0.0.1:1'
		const missing = join(directory, 'missing.pem')
		expect(await failure({ endpoint, caFile: missing }, 500)).toMatchObject({
			code: 'CONFIG_INVALID',
			message: `cannot read the certificates in ${missing}`,
		})
		const none = join(directory, 'none.pem')
		writeFileSync(none, 'hello')
		expect(await failure({ endpoint, caFile: none }, 500)).toMatchObject({ code: 'CONFIG_INVALID' })
	} finally {
		rmSync(directory, { recursive: true })
	}
})

test('failures that nobody waits for do not end the process', async () => {
	const program = `
		import { connect } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))}
		try {
			await connect({ endpoint: 'grpc://127.0.0.1:1', database: '/local', credentials: { kind: 'static', user: 'u', password: 'p' }, readyTimeoutMs: 100 })
		} catch (error) { console.log(error.code) }
		await new Promise((resolve) => setTimeout(resolve, 400))
		console.log('alive')
	`
	const { stdout } = await promisify(execFile)(
		process.execPath,
		['--conditions=@ydbackup/source', '--input-type=module', '-e', program],
		{
			cwd: import.meta.dirname,
		},
	)
	expect(stdout).toBe('DATABASE_UNREACHABLE\nalive\n')
})

serially('a connection says where it is, and leaves nothing open', async () => {
	await using world = await startWorld()
	const { ydb, proxy } = world
	expect(ydb).toMatchObject({ endpoint: `grpc://127.0.0.1:${proxy.port}`, database: '/local' })
	expect(proxy.connections).toBe(1)
	expect([undefined, expect.any(String)]).toContainEqual(await ydb.serverVersion())
	await ydb.close()
	await ydb.close()
	await expect.poll(() => proxy.connections).toBe(0)
})

test('the connection for rows is made again when it could not be made', async () => {
	await using world = await startWorld({}, { readyTimeoutMs: 200 })
	const { ydb, direct, proxy } = world
	const { PLAIN, schemeOf, PLAIN_SCHEMA } = await import('./support/tables.ts')
	await direct.sink.createTable('t', schemeOf(PLAIN))
	const stop = new AbortController()
	await using emulator = world.emulator
	await emulator.close()
	proxy.cut()
	setTimeout(() => stop.abort(), 300)
	const error = await errorOf(collect(ydb.sink.read('t', PLAIN_SCHEMA, {}, { signal: stop.signal })))
	expect(error.code).toBe('INTERRUPTED')
})
