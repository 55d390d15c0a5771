import { createHash } from 'node:crypto'
import type { ByteRange, Storage } from '@ydbackup/core'
import { describe, expect, test } from 'vitest'

import { observing, openMemory, retrying } from '../src/index.ts'
import { bytesOf, errorOf, keysOf, pieces, silent, textOf } from './stores.ts'

const noWait = { pause: async () => undefined }
const STORES: readonly [string, () => Storage][] = [
	['memory', () => openMemory()],
	['retrying', () => retrying(openMemory(), noWait)],
	['observing', () => observing(openMemory(), { onCall: () => undefined })],
	['wrapped twice', () => observing(retrying(openMemory(), noWait), { onCall: () => undefined })],
]

describe.each(STORES)('%s', (_, openStore) => {
	test('gives back what was put, from bytes and from a stream', async () => {
		const storage = openStore()
		expect(await storage.put('a/bytes', bytesOf('hello'))).toMatchObject({ key: 'a/bytes', size: 5 })
		expect(await storage.put('a/stream', pieces('hel', '', 'lo'))).toMatchObject({ key: 'a/stream', size: 5 })
		expect(await storage.put('a/empty', pieces())).toMatchObject({ size: 0 })
		for (const [key, text] of [
			['a/bytes', 'hello'],
			['a/stream', 'hello'],
			['a/empty', ''],
		] as const) {
			const body = await storage.get(key)
			expect(body.info).toEqual(await storage.stat(key))
			expect(await textOf(body)).toBe(text)
		}
	})

	test('holds its own copy: neither the writer nor a reader can change it', async () => {
		const storage = openStore()
		const mine = bytesOf('hello')
		await storage.put('bytes', mine)
		await storage.put('stream', async function* () {
			yield mine
		})
		mine.fill(0)
		for (const key of ['bytes', 'stream']) {
			for await (const part of (await storage.get(key)).bytes) part.fill(1)
			expect(await textOf(await storage.get(key))).toBe('hello')
		}
	})

	test('a put without ifAbsent replaces, one with it has one winner', async () => {
		const storage = openStore()
		await storage.put('a', bytesOf('old'))
		await storage.put('a', bytesOf('new'))
		expect((await errorOf(storage.put('a', bytesOf('newer'), { ifAbsent: true }))).code).toBe('STORAGE_ALREADY_EXISTS')
		expect(await textOf(await storage.get('a'))).toBe('new')

		const results = await Promise.allSettled(
			Array.from({ length: 32 }, (_, nth) => storage.put('race', pieces('writer ', `${nth}`), { ifAbsent: true })),
		)
		const winners = results.flatMap(({ status }, nth) => (status === 'fulfilled' ? [nth] : []))
		expect(winners).toHaveLength(1)
		expect(await textOf(await storage.get('race'))).toBe(`writer ${winners[0]}`)
	})

	test('a body of another size or hash than declared is refused, and nothing is stored', async () => {
		const storage = openStore()
		const sha256 = createHash('sha256').update('hello').digest('hex')
		await storage.put('good', pieces('he', 'llo'), { size: 5, sha256 })
		for (const options of [{ size: 4 }, { size: 6 }, { sha256: sha256.replace(/./u, 'x') }])
			for (const body of [bytesOf('hello'), pieces('he', 'llo')])
				expect((await errorOf(storage.put('bad', body, options))).code).toBe('STORAGE_INTEGRITY')
		expect(await keysOf(storage)).toEqual(['good'])
	})

	test('what a body throws comes through as it is, and the old object stays', async () => {
		const storage = openStore()
		await storage.put('a', bytesOf('old'))
		const mine = new Error('mine')
		const body = async function* (): AsyncGenerator<Uint8Array> {
			yield bytesOf('new')
			throw mine
		}
		await expect(storage.put('a', body)).rejects.toBe(mine)
		expect(await textOf(await storage.get('a'))).toBe('old')
	})

	test('an object is absent while its body is still coming', async () => {
		const storage = openStore()
		const more = Promise.withResolvers<void>()
		const opened = Promise.withResolvers<void>()
		const put = storage.put('a', async function* () {
			yield bytesOf('first ')
			opened.resolve()
			await more.promise
			yield bytesOf('second')
		})
		await opened.promise
		expect(await storage.stat('a')).toBeUndefined()
		expect(await keysOf(storage)).toEqual([])
		more.resolve()
		await put
		expect(await textOf(await storage.get('a'))).toBe('first second')
	})

	test.for<[ByteRange, string]>([
		[{ offset: 0 }, '0123456789'],
		[{ offset: 3 }, '3456789'],
		[{ offset: 3, length: 4 }, '3456'],
		[{ offset: 9, length: 1 }, '9'],
		[{ offset: 0, length: 10 }, '0123456789'],
		[{ offset: 5, length: 0 }, ''],
	])('the range %j is exact', async ([range, text]) => {
		const storage = openStore()
		await storage.put('a', bytesOf('0123456789'))
		const body = await storage.get('a', { range })
		expect(body.info.size).toBe(10)
		expect(await textOf(body)).toBe(text)
	})

	test.for<ByteRange>([
		{ offset: 10 },
		{ offset: 10, length: 0 },
		{ offset: 11 },
		{ offset: 0, length: 11 },
		{ offset: 9, length: 2 },
		{ offset: -1 },
		{ offset: 2, length: -1 },
		{ offset: 0.5 },
		{ offset: Number.NaN },
		{ offset: 0, length: Number.NaN },
	])('the range %j is refused', async (range) => {
		const storage = openStore()
		await storage.put('a', bytesOf('0123456789'))
		expect((await errorOf(storage.get('a', { range }))).code).toBe('STORAGE_PERMANENT')
	})

	test('absence is a value of stat, an error of get, and no error of delete', async () => {
		const storage = openStore()
		await storage.put('a/b', bytesOf('x'))
		for (const key of ['a', 'a/b/c', 'b']) {
			expect(await storage.stat(key)).toBeUndefined()
			expect((await errorOf(storage.get(key))).code).toBe('STORAGE_NOT_FOUND')
			await storage.delete(key)
		}
		await storage.delete('a/b')
		await storage.delete('a/b')
		expect(await storage.stat('a/b')).toBeUndefined()
		expect(await keysOf(storage)).toEqual([])
	})

	test('lists every key once, in the order of bytes, below a prefix and after a key', async () => {
		const storage = openStore()
		const keys = ['B', 'a-b', 'a', 'a0', 'a/b', 'a/B', 'a.b/c', 'foo', 'foobar/x', 'foo/x', '.hidden', '...']
		for (let nth = 0; nth < 2500; nth++) keys.push(`many/${nth}`)
		await Promise.all(keys.map((key) => storage.put(key, bytesOf(key))))
		const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
		expect(await keysOf(storage)).toEqual(sorted)
		for (const prefix of ['a', 'a/', 'foo', 'foo/', 'many/1', 'none', '.'])
			expect(await keysOf(storage, prefix)).toEqual(sorted.filter((key) => key.startsWith(prefix)))
		for (const startAfter of ['', 'a', 'a/', 'a/b', 'foo', 'many/2', 'zzz'])
			expect(await keysOf(storage, '', { startAfter })).toEqual(sorted.filter((key) => key > startAfter))
		for await (const info of storage.list('foo')) expect(info.size).toBe(info.key.length)
	})

	test.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', '.', 'a b', 'a\0', 'a\\b', 'ä', 'x'.repeat(513)])(
		'%j is refused as a key by every call',
		async (key) => {
			const storage = openStore()
			for (const work of [
				() => storage.put(key, bytesOf('x')),
				() => storage.get(key),
				() => storage.stat(key),
				() => storage.delete(key),
			])
				expect((await errorOf(work())).code).toBe('STORAGE_PERMANENT')
			expect(await keysOf(storage)).toEqual([])
		},
	)

	test.each(['/', '../', 'a//', 'a/../', 'ä'])('%j is refused as a prefix: nothing can have it', async (prefix) => {
		expect((await errorOf(keysOf(openStore(), prefix))).code).toBe('STORAGE_PERMANENT')
	})

	test('an aborted signal stops every call', async () => {
		const storage = openStore()
		await storage.put('a', bytesOf('x'))
		const signal = AbortSignal.abort()
		for (const work of [
			() => storage.put('b', bytesOf('x'), { signal }),
			() => storage.get('a', { signal }),
			() => storage.stat('a', { signal }),
			() => keysOf(storage, '', { signal }),
			() => storage.delete('a', { signal }),
		])
			expect((await errorOf(work())).code).toBe('INTERRUPTED')
		expect(await keysOf(storage)).toEqual(['a'])
	})

	test('a put whose body has fallen silent is stopped by the signal, and stores nothing', async () => {
		const storage = openStore()
		const controller = new AbortController()
		const { body, isOpen } = silent()
		const put = errorOf(storage.put('a', body, { signal: controller.signal }))
		await isOpen
		controller.abort()
		expect(await put).toMatchObject({ code: 'INTERRUPTED', message: expect.stringContaining('writing a') })
		expect(await keysOf(storage)).toEqual([])
	})

	test('a read is stopped by the signal between two pieces', async () => {
		const storage = openStore()
		await storage.put('a', new Uint8Array(300_000))
		const controller = new AbortController()
		const { bytes } = await storage.get('a', { signal: controller.signal })
		const read = async (): Promise<void> => {
			for await (const _ of bytes) controller.abort()
		}
		expect((await errorOf(read())).code).toBe('INTERRUPTED')
	})
})

test('memory holds objects until their date, and never shortens it', async () => {
	let now = new Date('2026-01-01T00:00:00Z')
	const storage = openMemory({ now: () => now })
	const until = new Date('2026-01-03T00:00:00Z')
	await storage.put('a', bytesOf('x'), { retainUntil: until })
	await storage.extendRetention!('a', new Date('2026-01-02T00:00:00Z'))
	now = new Date('2026-01-02T12:00:00Z')
	for (const work of [() => storage.delete('a'), () => storage.put('a', bytesOf('y'))])
		expect((await errorOf(work())).code).toBe('STORAGE_PERMISSION')
	now = new Date('2026-01-03T00:00:01Z')
	await storage.delete('a')
	expect(await storage.stat('a')).toBeUndefined()
})

test('memory copies inside the store, create-only where asked', async () => {
	const storage = openMemory()
	await storage.put('a', bytesOf('x'))
	await storage.copy!('a', 'b', { ifAbsent: true })
	expect(await textOf(await storage.get('b'))).toBe('x')
	expect((await errorOf(storage.copy!('a', 'b', { ifAbsent: true }))).code).toBe('STORAGE_ALREADY_EXISTS')
	expect((await errorOf(storage.copy!('none', 'c'))).code).toBe('STORAGE_NOT_FOUND')
})

test('two openings of one memory see the same objects', async () => {
	const objects = new Map()
	await openMemory({ objects }).put('a', bytesOf('x'))
	expect(await keysOf(openMemory({ objects }))).toEqual(['a'])
})
