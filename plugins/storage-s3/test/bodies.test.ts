import { expect, test } from 'vitest'
import { Buffers, cut, Slots } from '../src/bodies.ts'

const SIZE = 3 << 20

async function* pieces(sizes: readonly number[]): AsyncGenerator<Uint8Array> {
	const reused = Buffer.alloc(8 << 20)
	let next = 0
	for (const size of sizes) {
		for (let at = 0; at < size; at++) reused[at] = next++ % 251
		yield reused.subarray(0, size)
	}
}

test.each([
	[[]],
	[[1]],
	[[SIZE - 1]],
	[[SIZE]],
	[[SIZE, 1]],
	[[SIZE + 1]],
	[[2 * SIZE]],
	[[1000, 2 << 20, 7, 3 << 20, 1]],
	[Array.from({ length: 40 }, () => 100_003)],
])('pieces of %j bytes are cut into parts of one size, copied, with the last one marked', async (sizes) => {
	const buffers = new Buffers(SIZE)
	const total = sizes.reduce((sum, size) => sum + size, 0)
	let at = 0
	let last: boolean | undefined
	for await (const { bytes, isLast } of cut(pieces(sizes), buffers)) {
		expect(last).not.toBe(true)
		last = isLast
		if (!isLast) expect(bytes.length).toBe(SIZE)
		expect(bytes.every((byte, index) => byte === (at + index) % 251)).toBe(true)
		at += bytes.length
		buffers.release(bytes)
	}
	expect(last).toBe(true)
	expect(at).toBe(total)
})

test('buffers are used again, and the memory of others never is', () => {
	const buffers = new Buffers(1024)
	const first = buffers.take()
	buffers.release(first.subarray(0, 10))
	expect(buffers.take()).toBe(first)
	const theirs = Buffer.alloc(1024)
	buffers.release(theirs)
	buffers.release(first)
	buffers.release(first)
	const taken = [buffers.take(), buffers.take(), buffers.take()]
	expect(new Set(taken).size).toBe(3)
	expect(taken).not.toContain(theirs)
})

test('slots are given in turn, and left by who is aborted', async () => {
	const slots = new Slots(1)
	const { signal } = new AbortController()
	await slots.acquire(signal)
	const stop = new AbortController()
	const aborted = slots.acquire(stop.signal)
	const waiting = slots.acquire(signal)
	stop.abort(new Error('enough'))
	await expect(aborted).rejects.toThrow('enough')
	slots.release()
	await waiting
})
