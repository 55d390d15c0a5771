import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmulator } from '@ydbackup/emulator'
import { describe, expect, test as serially } from 'vitest'
import { connect } from '../src/index.ts'
import { errorOf } from './support/error-of.ts'
import { PLAIN, PLAIN_SCHEMA, schemeOf } from './support/tables.ts'
import { collect, startWorld } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

const anonymous = { kind: 'anonymous' } as const

/** How a connection fails, and that it takes no longer than its time-out and a little. */
async function failure(
	options: Partial<Parameters<typeof connect>[0]>,
	limitMs = 10_000,
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
		expect(await failure({ endpoint: `grpc://127.0.0.1:${world.proxy.port}`, readyTimeoutMs: 1_000 })).toMatchObject({
			code: 'DATABASE_UNREACHABLE',
			message: expect.stringContaining('use database /local'),
		})
	})

	test('a stop', async () => {
		const stop = new AbortController()
		setTimeout(() => stop.abort(), 50)
		expect(await failure({ signal: stop.signal, readyTimeoutMs: 20_000 }, 5_000)).toMatchObject({ code: 'INTERRUPTED' })
	})
})

test('another database than the one that is served', async () => {
	await using emulator = await startEmulator({ database: '/ru/home/db' })
	const error = await failure({
		endpoint: `grpc://127.0.0.1:${emulator.port}`,
		database: '/local',
		readyTimeoutMs: 3_000,
	})
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

/** A server that hands connections on to another port while it is open, and holds them when it is not. */
async function startGate(target: number): Promise<{ port: number; isOpen: boolean; close(): void }> {
	const sockets = new Set<Socket>()
	const server = createServer((socket) => {
		sockets.add(socket.on('error', () => {}))
		if (!gate.isOpen) return
		const there = connectTcp(target, '127.0.0.1')
		sockets.add(there.on('error', () => {}))
		socket.pipe(there).pipe(socket)
	})
	const gate = {
		port: await listening(server),
		isOpen: true,
		close() {
			server.close()
			for (const socket of sockets) socket.destroy()
		},
	}
	return gate
}

test('failures that nobody waits for do not end the process', async () => {
	await using emulator = await startEmulator({ auth: { users: { u: 'p' } } })
	// The second connection, which the login needs, is never answered.
	const program = `
		import { createServer, connect as connectTcp } from 'node:net'
		import { connect } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))}
		let count = 0
		const server = createServer((socket) => {
			socket.on('error', () => {})
			if (count++ > 0) return
			const there = connectTcp(${emulator.port}, '127.0.0.1').on('error', () => {})
			socket.pipe(there).pipe(socket)
		}).listen(0, '127.0.0.1', async () => {
			const endpoint = 'grpc://127.0.0.1:' + server.address().port
			const credentials = { kind: 'static', user: 'u', password: 'p' }
			try {
				await connect({ endpoint, database: '/local', credentials, readyTimeoutMs: 200 })
			} catch (error) { console.log(error.code) }
			setTimeout(() => { console.log(count > 1 ? 'alive' : 'no second connection'); process.exit() }, 400)
		})
	`
	const { stdout } = await promisify(execFile)(
		process.execPath,
		['--conditions=@ydbackup/source', '--input-type=module', '-e', program],
		{ cwd: import.meta.dirname },
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

test('the connection for rows is made again when it could not be made, and a stop ends the wait', async () => {
	await using emulator = await startEmulator()
	const gate = await startGate(emulator.port)
	const endpoint = `grpc://127.0.0.1:${gate.port}`
	await using ydb = await connect({ endpoint, database: '/local', credentials: anonymous, readyTimeoutMs: 1_000 })
	await ydb.sink.createTable('t', schemeOf(PLAIN))
	gate.isOpen = false
	const stop = new AbortController()
	setTimeout(() => stop.abort(), 100)
	const begun = performance.now()
	const stopped = errorOf(collect(ydb.sink.read('t', PLAIN_SCHEMA, {}, { signal: stop.signal })))
	expect(await stopped).toMatchObject({ code: 'INTERRUPTED' })
	expect(performance.now() - begun).toBeLessThan(700)
	const read = collect(ydb.sink.read('t', PLAIN_SCHEMA, {}))
	await new Promise((resolve) => setTimeout(resolve, 300))
	gate.isOpen = true
	expect(await read).toEqual([])
	gate.close()
})
