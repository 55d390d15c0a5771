import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isBackupError, type BackupError, type Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-azure/driver'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ACCOUNT, type Azurite, type Front, startAzurite, startFront } from '../src/azure/index.ts'
import { type Fault, startProxy, type TcpProxy } from '../src/proxy/index.ts'

const MIB = 1 << 20
let azurite: Azurite
let proxy: TcpProxy
let front: Front

beforeAll(async () => {
	azurite = await startAzurite()
	await azurite.createContainer('faults')
	proxy = await startProxy({ target: azurite.url })
	front = await startFront(azurite)
})
afterAll(async () => {
	await front?.[Symbol.asyncDispose]()
	await proxy?.[Symbol.asyncDispose]()
	await azurite?.[Symbol.asyncDispose]()
})

/** A store behind the proxy or the front, below a prefix of its own. */
async function behind({ url }: { url: string }, environment = azurite.environment, timeout = 0.7): Promise<Storage> {
	await harm(() => undefined)
	front.rule(() => undefined)
	const location = new URL(`az://faults/${randomBytes(6).toString('hex')}?endpoint=${url}&timeout=${timeout}`)
	const storage = await driver.open(location, { environment, writable: true })
	onTestFinished(() => storage[Symbol.asyncDispose]())
	return storage
}

/** Another plan, once the client has seen that its kept-alive connections were reset. */
async function harm(plan: (connection: number) => Fault | undefined): Promise<void> {
	proxy.plan(plan)
	await sleep(20)
}

/** With a signature, which does not cover the headers and most of the query. */
const signed = (): Record<string, string> => ({
	AZURE_STORAGE_ACCOUNT: ACCOUNT,
	AZURE_STORAGE_SAS_TOKEN: azurite.signature('faults', 'rcwdl'),
})

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
	const items: T[] = []
	for await (const item of stream) items.push(item)
	return items
}

const read = async (storage: Storage, key: string): Promise<Buffer> =>
	Buffer.concat(await all((await storage.get(key)).bytes))

async function failure(promise: Promise<unknown>): Promise<BackupError> {
	try {
		await promise
	} catch (error) {
		if (isBackupError(error)) return error
		throw error
	}
	throw new Error('nothing was thrown')
}

test('a put survives connections that are cut in the middle of a block', async () => {
	const storage = await behind(proxy)
	const bytes = randomBytes(20 * MIB)
	await harm((connection) => (connection < 2 ? { up: { cutAfter: 3 * MIB } } : undefined))
	await storage.put('a', bytes, { ifAbsent: true })
	expect(proxy.connections).toBeGreaterThan(2)
	expect((await read(storage, 'a')).equals(bytes)).toBe(true)
})

test('a bit that flips on its way up is noticed by the service, and the block is sent again', async () => {
	const storage = await behind(proxy)
	for (const size of [MIB, 9 * MIB]) {
		const bytes = randomBytes(size)
		await harm((connection) => (connection === 0 ? { up: { flipAt: 500_000 } } : undefined))
		await storage.put(`${size}`, bytes, { ifAbsent: true })
		await harm(() => undefined)
		expect((await read(storage, `${size}`)).equals(bytes)).toBe(true)
	}
})

test('a bit that flips on its way down in a small object is noticed', async () => {
	const storage = await behind(proxy)
	await storage.put('a', randomBytes(MIB))
	await harm(() => ({ down: { flipAt: 500_000 } }))
	expect(await failure(read(storage, 'a'))).toMatchObject({ code: 'STORAGE_INTEGRITY' })
})

test('a read goes on where its connection was cut', async () => {
	const storage = await behind(proxy)
	const bytes = randomBytes(9 * MIB)
	await storage.put('a', bytes)
	for (const cut of ['reset', 'end'] as const) {
		await harm((connection) => (connection < 3 ? { down: { cutAfter: 2 * MIB }, cut } : undefined))
		expect((await read(storage, 'a')).equals(bytes)).toBe(true)
		expect(proxy.connections).toBe(4)
	}
})

test('an object that was replaced in the middle of a read is not mixed', async () => {
	const storage = await behind(proxy)
	await storage.put('a', Buffer.alloc(9 * MIB, 1))
	await harm((connection) => (connection === 0 ? { down: { cutAfter: 6 * MIB } } : undefined))
	const { bytes } = await storage.get('a')
	const other = await behindSame(storage)
	await other.put('a', Buffer.alloc(9 * MIB, 2))
	expect(await failure(all(bytes))).toMatchObject({ code: 'STORAGE_PERMANENT' })
})

/** The same place, past the proxy. */
async function behindSame(storage: Storage): Promise<Storage> {
	const location = new URL(storage.location)
	location.searchParams.set('endpoint', azurite.url)
	const other = await driver.open(location, { environment: azurite.environment, writable: true })
	onTestFinished(() => other[Symbol.asyncDispose]())
	return other
}

test('a service that cannot be reached, or is silent, is an error within its bound', { timeout: 60_000 }, async () => {
	const storage = await behind(proxy, azurite.environment, 0.3)
	await storage.put('a', randomBytes(9 * MIB))
	const reads = (): Promise<unknown>[] => [storage.stat('a'), read(storage, 'a'), all(storage.list(''))]
	const writes = (): Promise<unknown>[] => [storage.put('b', Buffer.alloc(10)), storage.delete('a')]
	for (const [fault, calls, reason] of [
		[{ refuse: true }, () => [...reads(), ...writes()], undefined],
		[{ blackHole: true }, () => [...reads(), ...writes()], 'timeout'],
		[{ down: { stallAfter: 100 } }, reads, 'timeout'],
	] as const) {
		await harm(() => fault)
		const begin = performance.now()
		for (const error of await Promise.all(calls().map(failure)))
			expect(error).toMatchObject({ code: 'STORAGE_TRANSIENT', retry: 'later', reason })
		expect(performance.now() - begin).toBeLessThan(10_000)
	}
	await harm(() => undefined)
	expect((await all(storage.list(''))).map(({ key }) => key)).toEqual(['a'])
})

test('a stop ends calls that wait for a silent service', async () => {
	const storage = await behind(proxy)
	await harm(() => ({ blackHole: true }))
	const stop = new AbortController()
	const calls = [
		storage.stat('a', { signal: stop.signal }),
		storage.get('a', { signal: stop.signal }),
		storage.put('a', Buffer.alloc(9 * MIB), { signal: stop.signal }),
		all(storage.list('', { signal: stop.signal })),
	].map(failure)
	setTimeout(() => stop.abort(), 100)
	const begin = performance.now()
	for (const error of await Promise.all(calls)) expect(error.code).toBe('INTERRUPTED')
	expect(performance.now() - begin).toBeLessThan(1000)
})

test('a stop during the last request waits for its answer, for two seconds', async () => {
	const storage = await behind(proxy)
	await harm(() => ({ down: { delayMs: 300 } }))
	const stop = new AbortController()
	setTimeout(() => stop.abort(), 100)
	await storage.put('a', Buffer.alloc(10), { signal: stop.signal })
	expect((await storage.stat('a'))?.size).toBe(10)
})

test('a create-only put whose answer was lost knows its own object', async () => {
	const storage = await behind(front)
	for (const [size, comp] of [
		[1000, null],
		[9 * MIB, 'blocklist'],
	] as const) {
		const isLast = (method: string, query: URLSearchParams): boolean => method === 'PUT' && query.get('comp') === comp
		let lost = 0
		front.rule(({ method, query }) => (isLast(method, query) && lost++ === 0 ? 'lose answer' : undefined))
		const bytes = randomBytes(size)
		const info = await storage.put(`${size}`, bytes, { ifAbsent: true })
		expect(info).toEqual(await storage.stat(`${size}`))
		expect(front.seen.filter(({ method, query }) => isLast(method, query)).length).toBe(2)
		expect((await read(storage, `${size}`)).equals(bytes)).toBe(true)
		const again = await failure(storage.put(`${size}`, bytes, { ifAbsent: true }))
		expect(again.code).toBe('STORAGE_ALREADY_EXISTS')
	}
})

test('a create-only put whose answer was lost, and whose object is another one by now, is a conflict', async () => {
	const storage = await behind(front)
	const other = await behindSame(storage)
	let puts = 0
	front.rule(({ method }) => (method === 'PUT' && puts++ === 0 ? { status: 500 } : undefined))
	await other.put('a', Buffer.from('other'))
	expect(await failure(storage.put('a', Buffer.from('mine'), { ifAbsent: true }))).toMatchObject({
		code: 'STORAGE_ALREADY_EXISTS',
	})
	expect((await read(storage, 'a')).toString()).toBe('other')
})

test('a service that asks to slow down is obeyed, or its wish handed on', async () => {
	const storage = await behind(front)
	await storage.put('a', Buffer.from('x'))
	let asked = 0
	front.rule(() =>
		asked++ === 0 ? { status: 503, headers: { 'retry-after': '1', 'x-ms-error-code': 'ServerBusy' } } : undefined,
	)
	const begin = performance.now()
	expect((await storage.stat('a'))?.size).toBe(1)
	expect(performance.now() - begin).toBeGreaterThan(990)
	for (const status of [429, 503]) {
		front.rule(() => ({ status, headers: { 'retry-after': '120' } }))
		expect(await failure(storage.stat('a'))).toMatchObject({
			code: 'STORAGE_THROTTLED',
			retry: 'later',
			retryAfterMs: 120_000,
		})
		expect(front.seen.length).toBe(1)
	}
	front.rule(() => ({ status: 500 }))
	expect(await failure(storage.stat('a'))).toMatchObject({ code: 'STORAGE_TRANSIENT' })
	expect(front.seen.length).toBe(4)
})

test('a listing of many pages is whole, and survives a page that fails', async () => {
	const storage = await behind(front, signed())
	const keys = Array.from({ length: 57 }, (_, n) => `k/${String(n).padStart(3, '0')}`)
	await Promise.all(keys.map((key) => storage.put(key, Buffer.alloc(0))))
	let pages = 0
	// The query is not covered by a shared access signature, so pages can be made small.
	front.rule(({ query }) => {
		if (query.get('comp') !== 'list') return undefined
		return pages++ % 3 === 1 ? { status: 500 } : { query: { maxresults: '10' } }
	})
	expect((await all(storage.list('k/'))).map(({ key }) => key)).toEqual(keys)
	expect(pages).toBeGreaterThanOrEqual(8)
	front.rule(({ query }) => (query.has('marker') ? { status: 403 } : { query: { maxresults: '10' } }))
	expect(await failure(all(storage.list('k/')))).toMatchObject({ code: 'STORAGE_PERMISSION' })
})

test('an answer with other bytes than those that were asked for is refused', async () => {
	const storage = await behind(front, signed())
	await storage.put('a', randomBytes(1000))
	front.rule(() => ({ without: ['x-ms-range', 'range'] }))
	const range = { offset: 10, length: 10 }
	expect(await failure(storage.get('a', { range }))).toMatchObject({ code: 'STORAGE_PERMANENT' })
	front.rule(() => ({ status: 200, headers: { etag: '"1"', 'content-length': '10' }, body: 'short' }))
	expect(await failure(read(storage, 'a'))).toMatchObject({ code: 'STORAGE_PERMANENT' })
})

test('a service that ends in the middle of a put is an error that says to try again', { timeout: 60_000 }, async () => {
	await using mortal = await startAzurite()
	await mortal.createContainer('mortal')
	await using storage = await driver.open(new URL(`az://mortal?endpoint=${mortal.url}`), {
		environment: mortal.environment,
		writable: true,
	})
	const slow = async function* (): AsyncGenerator<Uint8Array> {
		for (let n = 0; n < 30; n++) {
			yield Buffer.alloc(MIB, n)
			if (n === 20) await mortal.kill()
		}
	}
	expect(await failure(storage.put('a', slow))).toMatchObject({ code: 'STORAGE_TRANSIENT', retry: 'later' })
})
