import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-gcs/driver'
import { describe, expect, test } from 'vitest'
import { keyFile, startGcsServer } from '../src/gcs/index.ts'
import { type Fault, startProxy, type TcpProxy } from '../src/proxy/index.ts'
import { all, bytesOf, ELSEWHERE, failure, noise, pieces } from './gcs-room.ts'

const MIB = 1 << 20

interface Way extends AsyncDisposable {
	readonly proxy: TcpProxy
	/** Through the proxy. */
	readonly storage: Storage
	/** The same, and soon tired of silence: a busy machine must not pass for a silent one where anything is to succeed. */
	readonly impatient: Storage
	/** The same place, past the proxy. */
	readonly direct: Storage
	/** Whether a session that is asked how much it has says so, as it is documented; some imitations end it instead. */
	readonly tellsKept: boolean
	/** Uploads that were begun and not ended, where the server tells. */
	readonly openUploads: number | undefined
	/** Another plan, once the client has seen that its kept-alive connections were reset. */
	harm(plan: (connection: number) => Fault | undefined): Promise<void>
}

async function wayTo(target: URL, openUploads: () => number | undefined, file?: string): Promise<Way> {
	const stack = new AsyncDisposableStack()
	const location = new URL(target)
	location.pathname = `${location.pathname.replace(/\/+$/, '')}/${randomUUID()}`
	const proxy = stack.use(await startProxy({ target: target.searchParams.get('endpoint')! }))
	const environment = file === undefined ? process.env : { GOOGLE_APPLICATION_CREDENTIALS: file }
	const direct = stack.use(await driver.open(location, { environment, writable: true }))
	location.searchParams.set('endpoint', proxy.url)
	const storage = stack.use(await driver.open(location, { environment, writable: true }))
	location.searchParams.set('timeout', '0.7')
	const impatient = stack.use(await driver.open(location, { environment, writable: true }))
	const tellsKept = file !== undefined || (await saysWhatItKept(target, direct))
	return {
		proxy,
		storage,
		impatient,
		direct,
		tellsKept,
		get openUploads() {
			return openUploads()
		},
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

/** Begins a session without credentials, sends one chunk and asks. */
async function saysWhatItKept({ host: bucket, searchParams }: URL, direct: Storage): Promise<boolean> {
	const signal = AbortSignal.timeout(5000)
	const name = `${new URL(direct.location).pathname.slice(1)}/session`
	const url = `${searchParams.get('endpoint')}/upload/storage/v1/b/${bucket}/o?uploadType=resumable&name=${name}`
	const begun = await fetch(url, { method: 'POST', signal })
	const session = begun.headers.get('location')
	if (session === null) throw new Error(`no upload session was begun: ${begun.status} ${await begun.text()}`)
	const put = (range: string, body: Uint8Array<ArrayBuffer>): Promise<Response> =>
		fetch(session, { method: 'PUT', headers: { 'Content-Range': range }, body, redirect: 'manual', signal })
	await put('bytes 0-262143/*', new Uint8Array(262_144))
	const { status } = await put('bytes */*', new Uint8Array())
	await direct.delete('session')
	return status === 308
}

async function toOurServer(): Promise<Way> {
	const stack = new AsyncDisposableStack()
	const server = stack.use(await startGcsServer())
	const file = stack.use(await keyFile(server.account()))
	const way = stack.use(
		await wayTo(new URL(`gs://bucket/x?endpoint=${server.url}`), () => server.openUploads, file.path),
	)
	return Object.assign(Object.create(way) as Way, { [Symbol.asyncDispose]: () => stack.disposeAsync() })
}

/** The proxy goes to the loopback alone, and does not speak TLS. */
const elsewhere = ELSEWHERE === undefined ? undefined : new URL(ELSEWHERE)
const near = /^http:\/\/(?:127\.0\.0\.1|localhost):/.test(elsewhere?.searchParams.get('endpoint') ?? '')
	? elsewhere
	: undefined
const WAYS: readonly (readonly [name: string, open: () => Promise<Way>])[] = [
	['our server', toOurServer],
	...(near ? ([['YDBACKUP_TEST_GCS_URL', () => wayTo(near, () => undefined)]] as const) : []),
]

const read = async (storage: Storage, key: string): Promise<Buffer> => bytesOf((await storage.get(key)).bytes)
const keysOf = async (storage: Storage): Promise<string[]> => (await all(storage.list(''))).map(({ key }) => key)

describe.each(WAYS)('through a line that breaks, to %s', (_, open) => {
	test.concurrent('an upload session survives cuts, wherever they are', async ({ annotate }) => {
		await using way = await open()
		const { storage, direct, proxy } = way
		if (!way.tellsKept)
			await annotate('this server ends a session that is asked what it has: such a put may fail, and leaves nothing')
		const body = noise(20 * MIB)
		for (const [at, cutAfter] of [100, 3 * MIB, 8 * MIB + 100, 17 * MIB].entries())
			for (const cut of ['reset', 'end'] as const) {
				await way.harm((connection) => (connection < 2 ? { up: { cutAfter }, cut } : undefined))
				const key = `${at}-${cut}`
				const put = (): Promise<unknown> => storage.put(key, pieces(body), { ifAbsent: true })
				const error = await put().then(
					() => undefined,
					(reason: unknown) => reason,
				)
				expect(proxy.connections, key).toBeGreaterThan(1)
				if (error && !way.tellsKept) {
					expect(error).toMatchObject({ code: expect.stringMatching(/^STORAGE_(?:TRANSIENT|INTEGRITY)$/) })
					expect(await direct.stat(key)).toBeUndefined()
					await way.harm(() => undefined)
					await put()
				} else expect(error, key).toBeUndefined()
				expect(body.equals(await read(direct, key)), key).toBe(true)
			}
		expect(await keysOf(direct)).toHaveLength(8)
		expect(way.openUploads ?? 0).toBe(0)
	}, 60_000)

	test.concurrent('answers that are cut are asked for again, and a create-only put knows its own object', async () => {
		await using way = await open()
		const { storage, direct } = way
		for (const size of [0, 1000, 9 * MIB])
			for (const cutAfter of [0, 1, 150]) {
				const key = `${size}/${cutAfter}`
				const body = noise(size)
				await way.harm((connection) => (connection === 0 ? { down: { cutAfter } } : undefined))
				await storage.put(key, pieces(body), { ifAbsent: true })
				expect(body.equals(await read(direct, key)), key).toBe(true)
				expect(await failure(storage.put(key, pieces(body), { ifAbsent: true }))).toMatchObject({
					code: 'STORAGE_ALREADY_EXISTS',
				})
			}
		expect(await keysOf(direct)).toHaveLength(9)
		// Where the address of a session is what was cut off, nobody knows it: it has no bytes, and ends after a week.
		expect(way.openUploads ?? 0).toBeLessThanOrEqual(3)
	}, 60_000)

	test.concurrent('a read that is cut ends as a failure that says to try again, never short', async () => {
		await using way = await open()
		const { storage, direct } = way
		const body = noise(3 * MIB)
		await direct.put('k', body)
		for (const cut of ['reset', 'end'] as const)
			for (const cutAfter of [1000, 2 * MIB]) {
				await way.harm(() => ({ down: { cutAfter }, cut }))
				expect(await failure(read(storage, 'k'))).toMatchObject({ code: 'STORAGE_TRANSIENT', retry: 'later' })
			}
		await way.harm((connection) => (connection === 0 ? { down: { cutAfter: 10 } } : undefined))
		expect(body.equals(await read(storage, 'k'))).toBe(true)
	})

	test.concurrent('a bit that flips on its way up is never stored', async () => {
		await using way = await open()
		const { storage, direct } = way
		for (const [key, size] of [
			['small', MIB],
			['large', 17 * MIB],
		] as const) {
			const body = noise(size)
			await way.harm((connection) => (connection === 0 ? { up: { flipAt: size - 100_000 } } : undefined))
			const error = await storage.put(key, pieces(body), { ifAbsent: true }).then(
				() => undefined,
				(reason: unknown) => reason,
			)
			// One request is made again; what a session has kept cannot be mended, and its caller is told to write once more.
			if (error) {
				expect(error).toMatchObject({ code: 'STORAGE_INTEGRITY', retry: 'same' })
				expect(await direct.stat(key)).toBeUndefined()
				await way.harm(() => undefined)
				await storage.put(key, pieces(body), { ifAbsent: true })
			}
			expect(error === undefined, key).toBe(key === 'small')
			expect(body.equals(await read(direct, key))).toBe(true)
		}
		expect(way.openUploads ?? 0).toBe(0)
	})

	test.concurrent('a bit that flips on its way down is noticed', async () => {
		await using way = await open()
		const { storage, direct } = way
		await direct.put('k', noise(MIB))
		await way.harm(() => ({ down: { flipAt: 500_000 } }))
		expect(await failure(read(storage, 'k'))).toMatchObject({ code: 'STORAGE_INTEGRITY', retry: 'same' })
	})

	test.concurrent('a slow line is waited for', async () => {
		await using way = await open()
		const { storage } = way
		const body = noise(9 * MIB)
		await way.harm(() => ({ up: { delayMs: 5 }, down: { delayMs: 50 } }))
		await storage.put('k', pieces(body), { ifAbsent: true })
		const { bytes } = await storage.get('k', { range: { offset: 5, length: 100_000 } })
		expect(body.subarray(5, 100_005).equals(await bytesOf(bytes))).toBe(true)
	}, 60_000)

	test.concurrent.each<readonly [string, Fault, 'read' | 'write' | 'both', string | undefined]>([
		['a line that refuses', { refuse: true }, 'both', undefined],
		['a silent line', { blackHole: true }, 'both', 'timeout'],
		['a line that stalls on its way down', { down: { stallAfter: 60 } }, 'read', 'timeout'],
		['a line that stalls on its way up', { up: { stallAfter: 50 } }, 'write', 'timeout'],
	])(
		'%s ends each call within its bound',
		async (_name, fault, which, reason) => {
			await using way = await open()
			const { impatient, direct } = way
			await direct.put('k', noise(MIB))
			const reads = (): Promise<unknown>[] => [impatient.stat('k'), read(impatient, 'k'), all(impatient.list(''))]
			const writes = (): Promise<unknown>[] => [
				impatient.put('small', Buffer.from('x')),
				impatient.put('large', pieces(noise(9 * MIB))),
				impatient.delete('k'),
			]
			await way.harm(() => fault)
			const begin = performance.now()
			const calls = [...(which === 'write' ? [] : reads()), ...(which === 'read' ? [] : writes())]
			for (const error of await Promise.all(calls.map(failure)))
				expect(error, error.message).toMatchObject({ code: 'STORAGE_TRANSIENT', retry: 'later', reason })
			expect(performance.now() - begin).toBeLessThan(20_000)
			expect(await keysOf(direct)).toEqual(['k'])
			expect(way.openUploads ?? 0).toBe(0)
		},
		60_000,
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
				storage.put('k', pieces(noise(9 * MIB)), { signal }),
				all(storage.list('', { signal })),
			].map(failure),
		))
			expect(error).toMatchObject({ code: 'INTERRUPTED' })
		expect(performance.now() - begin).toBeLessThan(1500)
		expect(await keysOf(direct)).toEqual([])
	})
})
