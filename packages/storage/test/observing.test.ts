import { expect, test } from 'vitest'

import { observing, openMemory, type StorageCall } from '../src/index.ts'
import { bytesOf, changed, errorOf, failure, keysOf, pieces, textOf } from './stores.ts'

function observed(storage = openMemory()): { storage: ReturnType<typeof observing>; calls: StorageCall[] } {
	const calls: StorageCall[] = []
	let time = 0
	return { calls, storage: observing(storage, { onCall: (call) => calls.push(call), now: () => (time += 5) }) }
}

test('tells of each call once: operation, key, bytes, time and outcome', async () => {
	const { storage, calls } = observed()
	await storage.put('a/1', bytesOf('hello'))
	await storage.put('a/2', pieces('hel', 'lo!'))
	await textOf(await storage.get('a/1', { range: { offset: 1, length: 3 } }))
	await storage.stat('a/1')
	await keysOf(storage, 'a/')
	await storage.copy!('a/1', 'b')
	await storage.extendRetention!('b', new Date(0))
	await storage.abortStaleUploads!(new Date(0))
	await storage.delete('a/1')
	const done = { ms: 5, outcome: 'done', code: undefined }
	expect(calls).toEqual([
		{ operation: 'put', key: 'a/1', bytes: 5, ...done },
		{ operation: 'put', key: 'a/2', bytes: 6, ...done },
		{ operation: 'get', key: 'a/1', bytes: 3, ...done },
		{ operation: 'stat', key: 'a/1', bytes: 0, ...done },
		{ operation: 'list', key: 'a/', bytes: 0, ...done },
		{ operation: 'copy', key: 'b', bytes: 0, ...done },
		{ operation: 'extendRetention', key: 'b', bytes: 0, ...done },
		{ operation: 'abortStaleUploads', key: '', bytes: 0, ...done },
		{ operation: 'delete', key: 'a/1', bytes: 0, ...done },
	])
})

test('a failed call has its code, and the error comes through', async () => {
	const { storage, calls } = observed()
	const mine = new Error('mine')
	await expect(
		storage.put('a', async function* () {
			yield bytesOf('ab')
			throw mine
		}),
	).rejects.toBe(mine)
	expect((await errorOf(storage.get('none'))).code).toBe('STORAGE_NOT_FOUND')
	expect((await errorOf(keysOf(storage, '../'))).code).toBe('STORAGE_PERMANENT')
	expect(calls).toMatchObject([
		{ operation: 'put', key: 'a', bytes: 2, outcome: 'failed', code: undefined },
		{ operation: 'get', key: 'none', bytes: 0, outcome: 'failed', code: 'STORAGE_NOT_FOUND' },
		{ operation: 'list', key: '../', outcome: 'failed', code: 'STORAGE_PERMANENT' },
	])
})

test('a body that breaks off is a failed get with the bytes that came', async () => {
	const memory = openMemory()
	await memory.put('a', bytesOf('hello'))
	const { storage, calls } = observed(
		changed(memory, {
			async get(key) {
				const { info } = await memory.get(key)
				return {
					info,
					bytes: (async function* () {
						yield bytesOf('hel')
						throw failure('STORAGE_TRANSIENT', 'same')
					})(),
				}
			},
		}),
	)
	await errorOf(storage.get('a').then(textOf))
	expect(calls).toMatchObject([{ operation: 'get', bytes: 3, outcome: 'failed', code: 'STORAGE_TRANSIENT' }])
})

test('a reader that goes away has left, before the first byte too, and the store hears of it', async () => {
	const memory = openMemory()
	await memory.put('a', new Uint8Array(200_000))
	await memory.put('b', bytesOf('x'))
	let released = 0
	const { storage, calls } = observed(
		changed(memory, {
			async get(key) {
				const { info, bytes } = await memory.get(key)
				const iterator = bytes[Symbol.asyncIterator]()
				return {
					info,
					bytes: {
						[Symbol.asyncIterator]: () => ({
							next: () => iterator.next(),
							return: async () => (released++, { done: true, value: undefined }),
						}),
					},
				}
			},
		}),
	)
	for await (const _ of (await storage.get('a')).bytes) break
	await (await storage.get('a')).bytes[Symbol.asyncIterator]().return?.()
	for await (const _ of storage.list('')) break
	expect(calls.map(({ operation, bytes, outcome }) => [operation, bytes, outcome])).toEqual([
		['get', 65_536, 'left'],
		['get', 0, 'left'],
		['list', 0, 'left'],
	])
	expect(released).toBe(2)
})

test('what it tells holds no byte of an object, no location and no message', async () => {
	const { storage, calls } = observed(
		changed(openMemory(), {
			location: 'acme://canary-location/',
			stat: () => Promise.reject(failure('STORAGE_PERMISSION')),
		}),
	)
	await storage.put('a', bytesOf('canary-value'))
	await errorOf(storage.stat('a'))
	expect(storage.location).toBe('acme://canary-location/')
	expect(JSON.stringify(calls)).not.toMatch(/canary|happened/u)
})

test('has the optional calls of the store that it wraps, and no others', () => {
	const { location, capabilities, put, get, stat, list, delete: remove, [Symbol.asyncDispose]: close } = openMemory()
	const bare = { location, capabilities, put, get, stat, list, delete: remove, [Symbol.asyncDispose]: close }
	const { storage } = observed(bare)
	for (const name of ['copy', 'extendRetention', 'abortStaleUploads', 'serverSideTarget'] as const)
		expect(name in storage).toBe(false)
})
