import { expect, test } from 'vitest'

import { openMemory, readOnly } from '../src/index.ts'
import { bytesOf, changed, errorOf, keysOf, textOf } from './stores.ts'

test('reads pass, and writes are refused before they reach the store', async () => {
	const memory = openMemory()
	await memory.put('a', bytesOf('hello'))
	const storage = readOnly(memory)
	expect(await textOf(await storage.get('a', { range: { offset: 1, length: 2 } }))).toBe('el')
	expect(await storage.stat('a')).toEqual(await memory.stat('a'))
	expect(await keysOf(storage)).toEqual(['a'])
	for (const [work, what] of [
		[() => storage.put('b', bytesOf('x')), 'write b'],
		[() => storage.put('a', bytesOf('x'), { ifAbsent: true }), 'write a'],
		[() => storage.delete('a'), 'delete a'],
	] as const)
		expect(await errorOf(work())).toMatchObject({
			code: 'STORAGE_PERMISSION',
			retry: 'no',
			message: expect.stringContaining(what),
		})
	expect(await textOf(await memory.get('a'))).toBe('hello')
	expect(await keysOf(memory)).toEqual(['a'])
})

test('a refused put does not open its body', async () => {
	let opened = 0
	const body = async function* (): AsyncGenerator<Uint8Array> {
		opened++
		yield bytesOf('x')
	}
	await errorOf(readOnly(openMemory()).put('a', body))
	expect(opened).toBe(0)
})

test('claims no capability whose call it does not have', () => {
	const storage = readOnly(openMemory())
	expect(storage.capabilities).toMatchObject({
		strongList: true,
		rangeRead: true,
		retention: { lacking: expect.any(String) },
		serverSideCopy: { lacking: expect.any(String) },
	})
	for (const name of ['copy', 'extendRetention', 'abortStaleUploads'] as const) expect(storage[name]).toBeUndefined()
})

test("keeps the store's own reasons for what it cannot do", () => {
	const memory = openMemory()
	const retention = { lacking: 'tapes only' }
	const storage = readOnly(changed(memory, { capabilities: { ...memory.capabilities, retention } }))
	expect(storage.capabilities.retention).toEqual(retention)
})

test('closes the store that it wraps', async () => {
	let closed = 0
	{
		const memory = openMemory()
		memory[Symbol.asyncDispose] = async () => {
			closed++
		}
		await using storage = readOnly(memory)
		expect(storage.location).toBe('memory:')
	}
	expect(closed).toBe(1)
})
