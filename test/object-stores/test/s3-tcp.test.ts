import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-s3/driver'
import { describe, expect, test } from 'vitest'
import { type Fault, startProxy, type TcpProxy } from '../src/proxy/index.ts'
import { startS3Server } from '../src/s3/server.ts'
import { bytesOf, environmentOf, keysIn, locationOn, piecesOf } from './s3-stores.ts'

const MIB = 1 << 20

interface Way extends AsyncDisposable {
	readonly proxy: TcpProxy
	/** Through the proxy. */
	readonly storage: Storage
	/** The same place, past the proxy. */
	readonly direct: Storage
	/** Another plan, once the client has seen that its kept-alive connections were reset. */
	harm(plan: (connection: number) => Fault | undefined): Promise<void>
}

async function wayTo(target: URL, environment: Readonly<Record<string, string | undefined>>): Promise<Way> {
	const stack = new AsyncDisposableStack()
	const location = new URL(target)
	location.pathname = `${location.pathname.replace(/\/+$/, '')}/${randomUUID()}`
	location.searchParams.set('partMiB', '5')
	const proxy = stack.use(await startProxy({ target: target.searchParams.get('endpoint')! }))
	const direct = stack.use(await driver.open(location, { environment, writable: true }))
	location.searchParams.set('endpoint', proxy.url)
	location.searchParams.set('timeoutSeconds', '1')
	const storage = stack.use(await driver.open(location, { environment, writable: true }))
	return {
		proxy,
		storage,
		direct,
		async harm(plan) {
			proxy.plan(plan)
			await sleep(20)
		},
		async [Symbol.asyncDispose]() {
			proxy.plan(() => undefined)
			for await (const { key } of direct.list('')) await direct.delete(key)
			await stack.disposeAsync()
		},
	}
}

async function toOurServer(): Promise<Way> {
	const stack = new AsyncDisposableStack()
	const server = stack.use(await startS3Server())
	const way = stack.use(await wayTo(locationOn(server), environmentOf(server)))
	return { ...way, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** The proxy goes to the loopback alone, and does not speak TLS. */
const elsewhere = process.env['YDBACKUP_TEST_S3_URL']
const isNear =
	elsewhere !== undefined &&
	/^http:\/\/(?:127\.0\.0\.1|localhost):/.test(new URL(elsewhere).searchParams.get('endpoint') ?? '')
const WAYS: readonly (readonly [name: string, open: () => Promise<Way>])[] = [
	['our server', toOurServer],
	...(isNear ? ([['YDBACKUP_TEST_S3_URL', () => wayTo(new URL(elsewhere!), process.env)]] as const) : []),
]

const keysOf = (storage: Storage): Promise<string[]> => keysIn(storage)
/** Uploads that were begun and neither ended nor aborted. Removes them. */
const openUploads = async (storage: Storage): Promise<number> =>
	(await storage.abortStaleUploads?.(new Date(Date.now() + 60_000))) ?? 0
const failure = (work: Promise<unknown>): Promise<Error> =>
	work.then(
		(value) => Promise.reject(new Error(`it succeeded: ${String(value)}`)),
		(error: Error) => error,
	)

describe.each(WAYS)('through a line that breaks, to %s', (_, open) => {
	test.concurrent('a put whose parts are cut, wherever it is, sends them again', { timeout: 60_000 }, async () => {
		await using way = await open()
		const { storage, direct, proxy } = way
		const body = randomBytes(12 * MIB)
		for (const [at, cutAfter] of [200, 3 * MIB, 5 * MIB + 2000].entries())
			for (const cut of ['reset', 'end'] as const) {
				await way.harm((connection) => (connection < 2 ? { up: { cutAfter }, cut } : undefined))
				const key = `${at}-${cut}`
				await storage.put(key, piecesOf(body))
				expect(proxy.connections, key).toBeGreaterThan(1)
				expect(body.equals(await bytesOf(direct, key)), key).toBe(true)
			}
		expect(await keysOf(direct)).toHaveLength(6)
		expect(await openUploads(direct)).toBe(0)
	})

	test.concurrent(
		'answers that are cut are asked for again, and a create-only put knows its own object',
		{ timeout: 60_000 },
		async () => {
			await using way = await open()
			const { storage, direct } = way
			for (const size of [0, 1000])
				for (const cutAfter of [0, 1, 100]) {
					const key = `${size}/${cutAfter}`
					const body = randomBytes(size)
					await way.harm((connection) => (connection === 0 ? { down: { cutAfter } } : undefined))
					const put = (): Promise<unknown> => storage.put(key, body, { ifAbsent: true })
					await put()
					expect(body.equals(await bytesOf(direct, key)), key).toBe(true)
					expect(await failure(put())).toMatchObject({ code: 'STORAGE_ALREADY_EXISTS' })
				}
		},
	)

	test.concurrent('a read that is cut ends as a failure that says to try again, never short', async () => {
		await using way = await open()
		const { storage, direct } = way
		const body = randomBytes(3 * MIB)
		await direct.put('k', body)
		for (const cut of ['reset', 'end'] as const)
			for (const cutAfter of [1000, 2 * MIB]) {
				await way.harm(() => ({ down: { cutAfter }, cut }))
				expect(await failure(bytesOf(storage, 'k'))).toMatchObject({ code: 'STORAGE_TRANSIENT' })
			}
		await way.harm((connection) => (connection === 0 ? { down: { cutAfter: 10 } } : undefined))
		expect(body.equals(await bytesOf(storage, 'k'))).toBe(true)
	})

	test.concurrent('a bit that flips on its way up is never stored', { timeout: 30_000 }, async () => {
		await using way = await open()
		const { storage, direct } = way
		for (const [key, size] of [
			['small', MIB],
			['large', 12 * MIB],
		] as const) {
			const body = randomBytes(size)
			await way.harm((connection) => (connection === 0 ? { up: { flipAt: MIB - 100_000 } } : undefined))
			const error = await storage.put(key, piecesOf(body)).then(
				() => undefined,
				(reason: unknown) => reason,
			)
			if (error) {
				expect(error, key).toMatchObject({ code: expect.stringMatching(/^STORAGE_(?:INTEGRITY|TRANSIENT)$/) })
				expect(await direct.stat(key)).toBeUndefined()
			} else expect(body.equals(await bytesOf(direct, key)), key).toBe(true)
		}
		expect(await openUploads(direct)).toBe(0)
	})

	test.concurrent('a bit that flips on its way down is noticed, or is left to the hashes of the manifest', async () => {
		await using way = await open()
		const { storage, direct } = way
		const body = randomBytes(MIB)
		await direct.put('k', body)
		await way.harm(() => ({ down: { flipAt: 500_000 } }))
		const got = await bytesOf(storage, 'k').catch((error: unknown) => error)
		// A store that keeps no checksum (RGW) gives the SDK nothing to compare with; our own server does.
		if (Buffer.isBuffer(got)) {
			expect(elsewhere).toBeDefined()
			expect(got.length).toBe(body.length)
		} else expect(got).toMatchObject({ code: 'STORAGE_INTEGRITY' })
	})

	test.concurrent(
		'a slow line is waited for, a silent, a stalled and a refusing one end each call within its bound',
		{ timeout: 60_000 },
		async () => {
			await using way = await open()
			const { storage, direct } = way
			const body = randomBytes(6 * MIB)
			await way.harm(() => ({ up: { delayMs: 2 }, down: { delayMs: 20 } }))
			await storage.put('k', piecesOf(body))
			const part = await bytesOf(storage, 'k', { offset: 5, length: 100_000 })
			expect(body.subarray(5, 100_005).equals(part)).toBe(true)
			const reads = (): Promise<unknown>[] => [storage.stat('k'), bytesOf(storage, 'k'), keysOf(storage)]
			const writes = (): Promise<unknown>[] => [
				storage.put('small', Buffer.from('x')),
				storage.put('large', piecesOf(body)),
				storage.delete('k'),
			]
			for (const [fault, calls] of [
				[{ refuse: true }, () => [...reads(), ...writes()]],
				[{ blackHole: true }, () => [...reads(), ...writes()]],
				[{ down: { stallAfter: 60 } }, reads],
				[{ up: { stallAfter: 50 } }, writes],
			] as const) {
				await way.harm(() => fault)
				const begin = performance.now()
				for (const error of await Promise.all(calls().map(failure)))
					expect(error, error.message).toMatchObject({ code: 'STORAGE_TRANSIENT' })
				expect(performance.now() - begin).toBeLessThan(15_000)
			}
			await way.harm(() => undefined)
			expect(await keysOf(direct)).toEqual(['k'])
		},
	)

	test.concurrent('a stop ends calls that wait for a silent line at once', async () => {
		await using way = await open()
		const { storage, direct } = way
		await way.harm(() => ({ blackHole: true }))
		const begin = performance.now()
		const signal = AbortSignal.timeout(100)
		for (const error of await Promise.all(
			[
				storage.stat('k', { signal }),
				storage.get('k', { signal }),
				storage.put('k', Buffer.from('x'), { signal }),
				storage.put('k', piecesOf(randomBytes(6 * MIB)), { signal }),
				keysIn({ ...storage, list: (prefix, options) => storage.list(prefix, { ...options, signal }) } as Storage),
			].map(failure),
		))
			expect(error).toMatchObject({ code: 'INTERRUPTED' })
		expect(performance.now() - begin).toBeLessThan(1500)
		expect(await keysOf(direct)).toEqual([])
	})
})
