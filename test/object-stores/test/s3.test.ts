import { createHash } from 'node:crypto'
import type { Storage } from '@ydbackup/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, keysIn, patterned, piecesOf, places } from './s3-stores.ts'

const MIB = 2 ** 20
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe.each(places())('on %s', (_name, open) => {
	test.each([0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB + 3])(
		'a body of %i bytes is the same when it comes back',
		async (size) => {
			await using opened = await open()
			const { storage } = opened
			const bytes = patterned(size)
			const info = await storage.put('a/object', piecesOf(bytes))
			expect(info).toMatchObject({ key: 'a/object', size })
			expect((await bytesOf(storage, 'a/object')).equals(bytes)).toBe(true)
			expect(await storage.stat('a/object')).toMatchObject({ key: 'a/object', size })
			expect(await keysIn(storage)).toEqual(['a/object'])
		},
	)

	test('bytes in memory are put as a stream of them is', async () => {
		await using opened = await open()
		const { storage } = opened
		for (const size of [0, 5, 70 * MIB]) {
			const bytes = patterned(size)
			await storage.put('object', bytes, { size, sha256: sha256(bytes) })
			expect((await bytesOf(storage, 'object')).equals(bytes), `${size}`).toBe(true)
		}
	})

	test('ranges are exact, and what is beyond the end is refused', async () => {
		await using opened = await open()
		const { storage } = opened
		const bytes = patterned(1000)
		await storage.put('object', bytes)
		await storage.put('empty', Buffer.alloc(0))
		for (const [offset, length] of [
			[0, 1],
			[0, 1000],
			[999, 1],
			[500, undefined],
			[17, 300],
			[0, 0],
			[999, 0],
		] as const) {
			const range = { offset, ...(length !== undefined && { length }) }
			const end = length === undefined ? undefined : offset + length
			const body = await storage.get('object', { range })
			const pieces: Uint8Array[] = []
			for await (const piece of body.bytes) pieces.push(piece)
			expect(Buffer.concat(pieces).equals(bytes.subarray(offset, end)), `${offset}+${length}`).toBe(true)
			expect(body.info.size).toBe(1000)
		}
		for (const range of [
			{ offset: 1000 },
			{ offset: 1000, length: 0 },
			{ offset: 1000, length: 1 },
			{ offset: 999, length: 2 },
			{ offset: 0, length: 1001 },
			{ offset: 5000 },
			{ offset: -1, length: 1 },
		])
			await expect(bytesOf(storage, 'object', range), JSON.stringify(range)).rejects.toMatchObject({
				code: 'STORAGE_PERMANENT',
			})
		await expect(bytesOf(storage, 'empty', { offset: 0, length: 1 })).rejects.toMatchObject({
			code: 'STORAGE_PERMANENT',
		})
	})

	test('1205 keys are listed in the order of their bytes, with their sizes, from any key on', async () => {
		await using opened = await open()
		const { storage } = opened
		const keys = Array.from({ length: 1205 }, (_, index) => `list/${['a', 'B', '_', '-', '0'][index % 5]}${index}`)
		const queue = keys.entries()
		await Promise.all(
			Array.from({ length: 16 }, async () => {
				for (const [index, key] of queue) await storage.put(key, Buffer.alloc(index % 7))
			}),
		)
		await storage.put('lis', Buffer.alloc(1))
		await storage.put('list0', Buffer.alloc(1))
		const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
		expect(await keysIn(storage, 'list/')).toEqual(sorted)
		expect(await keysIn(storage, 'list/', sorted[1100])).toEqual(sorted.slice(1101))
		expect(await keysIn(storage, 'list/B1')).toEqual(sorted.filter((key) => key.startsWith('list/B1')))
		for await (const { key, size } of storage.list('list/_')) expect(size).toBe(keys.indexOf(key) % 7)
	})

	test('of 20 writers that create one key, one wins, whatever the size', async () => {
		await using opened = await open()
		const { storage, another } = opened
		if (storage.capabilities.conditionalCreate !== true) return
		const stores: Storage[] = [storage, await another(), await another()]
		for (const size of [10, 9 * MIB]) {
			const bodies = Array.from({ length: 20 }, (_, index) => Buffer.alloc(size, index))
			const results = await Promise.allSettled(
				bodies.map((body, index) => stores[index % 3]!.put(`race-${size}`, piecesOf(body, MIB), { ifAbsent: true })),
			)
			const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
			expect(winners).toHaveLength(1)
			for (const result of results)
				if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STORAGE_ALREADY_EXISTS' })
			expect((await bytesOf(storage, `race-${size}`)).equals(bodies[winners[0]!]!)).toBe(true)
		}
	})

	test('a body that is not what was declared is refused, and nothing is stored', async () => {
		await using opened = await open()
		const { storage } = opened
		for (const size of [100, 9 * MIB]) {
			const bytes = patterned(size)
			for (const options of [{ size: size - 1 }, { size: size + 1 }, { sha256: sha256(Buffer.from('other')) }])
				for (const body of [bytes, piecesOf(bytes)])
					await expect(storage.put('object', body, options)).rejects.toMatchObject({ code: 'STORAGE_INTEGRITY' })
			await storage.put('right', piecesOf(bytes), { size, sha256: sha256(bytes) })
		}
		expect(await keysIn(storage)).toEqual(['right'])
	})

	test('what a body throws is thrown as it is, and nothing is stored', async () => {
		await using opened = await open()
		const { storage } = opened
		const mishap = new Error('the source broke')
		for (const after of [0, 100, 9 * MIB]) {
			const body = async function* (): AsyncGenerator<Uint8Array> {
				for (let at = 0; at < after; at += MIB) yield Buffer.alloc(Math.min(MIB, after - at))
				throw mishap
			}
			await expect(storage.put('object', body), `${after}`).rejects.toBe(mishap)
			if (storage.capabilities.conditionalCreate === true)
				await expect(storage.put('object', body, { ifAbsent: true }), `${after}`).rejects.toBe(mishap)
		}
		expect(await storage.stat('object')).toBeUndefined()
		expect(await storage.abortStaleUploads!(new Date(Date.now() + 86_400_000))).toBe(0)
	})

	test('an object is overwritten whole; absence and deletes are as they should be', async () => {
		await using opened = await open()
		const { storage, another } = opened
		const other = await another()
		await expect(storage.get('none')).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
		await expect(storage.get('none', { range: { offset: 0, length: 0 } })).rejects.toMatchObject({
			code: 'STORAGE_NOT_FOUND',
		})
		expect(await storage.stat('none')).toBeUndefined()
		await storage.delete('none')
		await storage.put('object', Buffer.from('first'))
		await storage.put('object', Buffer.from('2nd'))
		expect(String(await bytesOf(other, 'object'))).toBe('2nd')
		await storage.delete('object')
		expect(await other.stat('object')).toBeUndefined()
		expect(await keysIn(other)).toEqual([])
	})

	test('keys are told apart by case and at their longest, and what is no key is refused', async () => {
		await using opened = await open()
		const { storage } = opened
		const keys = ['a', 'A', 'a/b', 'a/b.c', 'a=b/_-.x', `long/${'k'.repeat(507)}`]
		for (const key of keys) await storage.put(key, Buffer.from(key))
		for (const key of keys) expect(String(await bytesOf(storage, key))).toBe(key)
		expect(await keysIn(storage)).toEqual(keys.toSorted())
		for (const key of ['', '/a', 'a//b', '../a', 'a/./b', 'ä', 'a?b', 'a%2fb', 'k'.repeat(513)]) {
			await expect(storage.put(key, Buffer.alloc(1))).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
			await expect(storage.get(key)).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
			await expect(storage.stat(key)).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
			await expect(storage.delete(key)).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
		}
	})

	test('an aborted put rejects soon and leaves neither object nor upload', async () => {
		await using opened = await open()
		const { storage } = opened
		const stop = new AbortController()
		const body = async function* (): AsyncGenerator<Uint8Array> {
			for (let at = 0; at < 12; at++) yield Buffer.alloc(MIB)
			setTimeout(() => stop.abort(), 50)
			await new Promise(() => undefined)
		}
		const began = performance.now()
		await expect(storage.put('object', body, { signal: stop.signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
		expect(performance.now() - began).toBeLessThan(5000)
		expect(await storage.stat('object')).toBeUndefined()
		expect(await storage.abortStaleUploads!(new Date(Date.now() + 86_400_000))).toBe(0)
	})

	test('a call with an aborted signal does nothing', async () => {
		await using opened = await open()
		const { storage } = opened
		await storage.put('object', Buffer.from('x'))
		const signal = AbortSignal.abort()
		await expect(storage.put('other', Buffer.from('x'), { signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
		await expect(storage.get('object', { signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
		await expect(storage.stat('object', { signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
		await expect(storage.delete('object', { signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
		await expect(storage.list('', { signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
			code: 'INTERRUPTED',
		})
		expect(await keysIn(storage)).toEqual(['object'])
	})
})
