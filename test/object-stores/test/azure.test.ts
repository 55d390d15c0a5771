import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isBackupError, type Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-azure/driver'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Azurite, startAzurite } from '../src/azure/index.ts'

/** A container of one's own may be given, as a whole URL with the credentials in the environment. */
const OWN = process.env['YDBACKUP_TEST_AZURE_URL']
const MIB = 1 << 20
let azurite: Azurite | undefined
let base: URL

beforeAll(async () => {
	if (OWN) {
		base = new URL(OWN)
		return
	}
	azurite = await startAzurite()
	await azurite.createContainer('objects')
	base = new URL(`az://objects/some/where?endpoint=${azurite.url}`)
})
afterAll(() => azurite?.[Symbol.asyncDispose]())

/** A store below a prefix of its own, emptied at the end of the test. */
async function openStore(prefix = `test-${randomBytes(6).toString('hex')}`): Promise<Storage> {
	const location = new URL(base)
	location.pathname = `${base.pathname.replace(/\/$/, '')}/${prefix}`
	const environment = azurite?.environment ?? process.env
	const storage = await driver.open(location, { environment, writable: true })
	onTestFinished(async () => {
		for await (const { key } of storage.list('')) await storage.delete(key)
		await storage[Symbol.asyncDispose]()
	})
	return storage
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function read(storage: Storage, key: string, range?: { offset: number; length?: number }): Promise<Buffer> {
	return Buffer.concat(await all((await storage.get(key, { range })).bytes))
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
	const items: T[] = []
	for await (const item of stream) items.push(item)
	return items
}

/** Pieces of a stream that can be opened again. */
function body(bytes: Uint8Array, pieceBytes = 100_000): () => AsyncGenerator<Uint8Array> {
	return async function* () {
		for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
	}
}

const failure = async (promise: Promise<unknown>): Promise<string> => {
	try {
		await promise
	} catch (error) {
		if (isBackupError(error)) return error.code
		throw error
	}
	return 'none'
}

test('objects of every size come back as they were', async () => {
	const storage = await openStore()
	for (const size of [0, 1, 1000, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB]) {
		const bytes = randomBytes(size)
		const stream = await storage.put(`stream/${size}`, body(bytes), { ifAbsent: true })
		const whole = await storage.put(`whole/${size}`, bytes, { size, sha256: sha256(bytes) })
		for (const info of [stream, whole]) {
			expect(info.size).toBe(size)
			expect(await storage.stat(info.key)).toEqual(info)
			expect(sha256(await read(storage, info.key))).toBe(sha256(bytes))
		}
	}
})

test('a put replaces an object, a create-only one does not', async () => {
	const storage = await openStore()
	await storage.put('a', Buffer.from('one'))
	await storage.put('a', Buffer.from('two'))
	for (const size of [3, 9 * MIB])
		expect(await failure(storage.put('a', Buffer.alloc(size), { ifAbsent: true }))).toBe('STORAGE_ALREADY_EXISTS')
	expect((await read(storage, 'a')).toString()).toBe('two')
	await storage.put('a', Buffer.alloc(9 * MIB, 'x'))
	expect((await storage.stat('a'))?.size).toBe(9 * MIB)
})

test('what is not there is absent, and deleting it is fine', async () => {
	const storage = await openStore()
	expect(await storage.stat('a/b')).toBeUndefined()
	expect(await failure(storage.get('a/b'))).toBe('STORAGE_NOT_FOUND')
	expect(await failure(storage.get('a/b', { range: { offset: 0, length: 0 } }))).toBe('STORAGE_NOT_FOUND')
	await storage.delete('a/b')
	await storage.put('a/b', Buffer.from('x'))
	await storage.delete('a/b')
	await storage.delete('a/b')
	expect(await storage.stat('a/b')).toBeUndefined()
})

test('keys are taken as they are', async () => {
	const storage = await openStore()
	const keys = ['a', 'A', 'a.b', '.a', '_=-', 'a/b/c', 'a/b-c', 'a/B', '0', `${'k'.repeat(255)}/${'l'.repeat(256)}`]
	for (const key of keys) await storage.put(key, Buffer.from(key), { ifAbsent: true })
	for (const key of keys) expect((await read(storage, key)).toString()).toBe(key)
	const listed = (await all(storage.list(''))).map(({ key }) => key)
	expect(listed).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)))
	for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a?b', 'a%20', 'ä', 'x'.repeat(513)]) {
		expect(await failure(storage.put(key, Buffer.alloc(0)))).toBe('STORAGE_PERMANENT')
		expect(await failure(storage.stat(key))).toBe('STORAGE_PERMANENT')
		expect(await failure(storage.delete(key))).toBe('STORAGE_PERMANENT')
	}
})

test('ranges are exact, or refused', async () => {
	const storage = await openStore()
	const bytes = randomBytes(1000)
	await storage.put('a', bytes)
	await storage.put('empty', Buffer.alloc(0))
	for (const offset of [0, 1, 500, 999])
		for (const length of [undefined, 0, 1, 999 - offset, 1000 - offset]) {
			const range = length === undefined ? { offset } : { offset, length }
			const end = length === undefined ? 1000 : offset + length
			expect(await read(storage, 'a', range)).toEqual(bytes.subarray(offset, end))
			expect((await storage.get('a', { range })).info.size).toBe(1000)
		}
	const bad = [
		{ offset: 1000 },
		{ offset: 1000, length: 0 },
		{ offset: 2000 },
		{ offset: 0, length: 1001 },
		{ offset: 999, length: 2 },
		{ offset: -1 },
		{ offset: 0.5 },
		{ offset: 0, length: -1 },
		{ offset: 0, length: Number.NaN },
	]
	for (const range of bad)
		expect.soft(await failure(read(storage, 'a', range)), JSON.stringify(range)).toBe('STORAGE_PERMANENT')
	for (const range of [{ offset: 0 }, { offset: 0, length: 0 }, { offset: 0, length: 1 }])
		expect.soft(await failure(read(storage, 'empty', range)), JSON.stringify(range)).toBe('STORAGE_PERMANENT')
	expect(await read(storage, 'empty')).toEqual(Buffer.alloc(0))
})

test('a body that is not what was declared, or that throws, leaves nothing', async () => {
	const storage = await openStore()
	for (const size of [1000, 9 * MIB]) {
		const bytes = randomBytes(size)
		for (const declared of [{ size: size - 1 }, { size: size + 1 }, { sha256: sha256(Buffer.alloc(1)) }])
			for (const each of [bytes, body(bytes)])
				expect(await failure(storage.put('a', each, declared))).toBe('STORAGE_INTEGRITY')
		const broken = new Error('the source broke')
		const throwing = async function* (): AsyncGenerator<Uint8Array> {
			yield* body(bytes)()
			throw broken
		}
		await expect(storage.put('a', throwing)).rejects.toBe(broken)
	}
	expect(await storage.stat('a')).toBeUndefined()
	expect(await all(storage.list(''))).toEqual([])
})

test('of many create-only puts exactly one wins, with its own bytes', async () => {
	const storages = await Promise.all([openStore('race'), openStore('race'), openStore('race')])
	for (const [size, writers, rounds] of [
		[100, 12, 10],
		[9 * MIB, 4, 3],
	] as const)
		for (let round = 0; round < rounds; round++) {
			const key = `${size}/${round}`
			const results = await Promise.all(
				Array.from({ length: writers }, (_, writer) =>
					failure(storages[writer % 3]!.put(key, body(Buffer.alloc(size, writer + 1), MIB), { ifAbsent: true })),
				),
			)
			expect(results.toSorted().slice(0, -1)).toEqual(Array(writers - 1).fill('STORAGE_ALREADY_EXISTS'))
			const winner = results.indexOf('none')
			expect((await read(storages[0]!, key)).equals(Buffer.alloc(size, winner + 1))).toBe(true)
		}
})

test('puts that replace the same large object never mix', async () => {
	const storage = await openStore()
	const results = await Promise.all(
		[1, 2, 3].map((writer) => failure(storage.put('a', body(Buffer.alloc(9 * MIB, writer), MIB)))),
	)
	// One that lost its blocks to another may be made again: the caller's wrapper does.
	for (const code of results) expect(['none', 'STORAGE_TRANSIENT']).toContain(code)
	expect(results).toContain('none')
	const found = await read(storage, 'a')
	expect(found.equals(Buffer.alloc(9 * MIB, found[0]))).toBe(true)
})

test('listing is complete and in order, from where it is told', async () => {
	const storage = await openStore()
	const keys = Array.from({ length: 120 }, (_, n) => `d${n % 7}/${String(n).padStart(5, '0')}`)
	await Promise.all(keys.map((key, n) => storage.put(key, Buffer.alloc(n % 3))))
	const sorted = keys.toSorted()
	const listed = await all(storage.list(''))
	expect(listed.map(({ key }) => key)).toEqual(sorted)
	expect(listed.every(({ key, size }) => size === keys.indexOf(key) % 3)).toBe(true)
	const startAfter = sorted[100]!
	expect((await all(storage.list('', { startAfter }))).map(({ key }) => key)).toEqual(sorted.slice(101))
	const below = (prefix: string): string[] => sorted.filter((key) => key.startsWith(prefix))
	expect((await all(storage.list('d3/000'))).map(({ key }) => key)).toEqual(below('d3/000'))
	expect(await all(storage.list('none'))).toEqual([])
	await expect(all(storage.list('/d3'))).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
	const stop = new AbortController()
	await expect(async () => {
		for await (const { key } of storage.list('', { signal: stop.signal })) if (key === sorted[10]) stop.abort()
	}).rejects.toMatchObject({ code: 'INTERRUPTED' })
})

test('a stop settles every call within seconds and leaves no object', async () => {
	const storage = await openStore()
	await storage.put('there', randomBytes(20 * MIB))
	const silent = async function* (): AsyncGenerator<Uint8Array> {
		yield Buffer.alloc(9 * MIB)
		await sleep(60_000, undefined, { ref: false })
	}
	let drawn = 0
	const endless = async function* (): AsyncGenerator<Uint8Array> {
		for (;;) {
			drawn++
			yield Buffer.alloc(MIB)
		}
	}
	const reading = async (signal: AbortSignal): Promise<void> => {
		for await (const piece of (await storage.get('there', { signal })).bytes) await sleep(100, piece)
	}
	for (const call of [
		(signal: AbortSignal) => storage.put('a', silent, { signal }),
		(signal: AbortSignal) => storage.put('a', endless, { signal, ifAbsent: true }),
		reading,
	]) {
		const stop = new AbortController()
		const timer = setTimeout(() => stop.abort(), 300)
		const begin = performance.now()
		expect(await failure(call(stop.signal))).toBe('INTERRUPTED')
		expect(performance.now() - begin).toBeLessThan(3000)
		clearTimeout(timer)
	}
	const before = drawn
	await sleep(200)
	expect(drawn).toBe(before)
	const stopped = AbortSignal.abort()
	for (const call of [
		() => storage.put('a', Buffer.alloc(1), { signal: stopped }),
		() => storage.get('there', { signal: stopped }),
		() => storage.stat('there', { signal: stopped }),
		() => storage.delete('there', { signal: stopped }),
		() => all(storage.list('', { signal: stopped })),
	])
		expect(await failure(call())).toBe('INTERRUPTED')
	expect((await all(storage.list(''))).map(({ key }) => key)).toEqual(['there'])
})

test('memory does not grow with the object', { timeout: 60_000 }, async () => {
	const storage = await openStore()
	const piece = randomBytes(MIB)
	const size = 192
	const stream = async function* (): AsyncGenerator<Uint8Array> {
		for (let n = 0; n < size; n++) yield piece
	}
	await storage.put('warm', randomBytes(40 * MIB))
	const before = process.memoryUsage().rss
	let highest = 0
	const watch = setInterval(() => (highest = Math.max(highest, process.memoryUsage().rss)), 20)
	await storage.put('big', stream, { size: size * MIB })
	let bytes = 0
	for await (const part of (await storage.get('big')).bytes) bytes += part.length
	clearInterval(watch)
	expect(bytes).toBe(size * MIB)
	expect(highest - before).toBeLessThan(128 * MIB)
})

test('a reader that goes away releases its connection', async () => {
	const storage = await openStore()
	await storage.put('a', randomBytes(9 * MIB))
	for (let round = 0; round < 20; round++) {
		const { bytes } = await storage.get('a')
		if (round % 2 === 0) for await (const piece of bytes) if (piece.length > 0) break
		if (round % 2 === 1) await bytes[Symbol.asyncIterator]().return?.()
	}
	expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length).toBeLessThan(8)
})
