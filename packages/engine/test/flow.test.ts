import { setTimeout as sleep } from 'node:timers/promises'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { ahead } from '../src/flow/ahead.ts'
import { collect } from '../src/flow/collect.ts'
import { runAll } from '../src/flow/run-all.ts'

async function* numbers(count: number, onEnd: () => void = () => undefined): AsyncGenerator<number> {
	try {
		for (let at = 0; at < count; at++) yield at
	} finally {
		onEnd()
	}
}

test('ahead keeps the order whatever each item takes, and never maps more than its depth at once', async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(fc.nat(3)), fc.integer({ min: 1, max: 5 }), async (delays, depth) => {
			let running = 0
			let most = 0
			const mapped = ahead(numbers(delays.length), depth, async (at) => {
				most = Math.max(most, ++running)
				for (let turn = 0; turn < (delays[at] ?? 0); turn++) await Promise.resolve()
				running--
				return at * 2
			})
			expect(await collect(mapped)).toEqual(delays.map((_, at) => at * 2))
			expect(most).toBeLessThanOrEqual(depth)
		}),
	)
})

test('ahead pulls no further than its depth while the reader waits', async () => {
	let pulled = 0
	async function* source(): AsyncGenerator<number> {
		for (;;) yield pulled++
	}
	const stream = ahead(source(), 3, (item) => item)
	await stream.next()
	await sleep(5)
	expect(pulled).toBeLessThanOrEqual(4)
	await stream.return()
})

test('ahead closes its stream before a reader that leaves goes on', async () => {
	let isClosed = false
	for await (const _ of ahead(
		numbers(100, () => (isClosed = true)),
		2,
		(item) => item,
	))
		break
	expect(isClosed).toBe(true)
})

test('ahead throws what the stream or the mapping throws, after the items before it', async () => {
	const seen: number[] = []
	const mapping = ahead(numbers(10), 4, async (at) => {
		if (at === 3) throw new Error('three')
		return at
	})
	await expect(
		(async () => {
			for await (const at of mapping) seen.push(at)
		})(),
	).rejects.toThrow('three')
	expect(seen).toEqual([0, 1, 2])
	async function* broken(): AsyncGenerator<number> {
		yield 1
		throw new Error('stream')
	}
	await expect(collect(ahead(broken(), 2, (item) => item))).rejects.toThrow('stream')
})

test('runAll throws the first failure only when every job that had begun is over', async () => {
	let open = 0
	const jobs = [1, 2, 3, 4, 5, 6, 7, 8]
	const begun: number[] = []
	await expect(
		runAll(jobs, 3, undefined, async (job, signal) => {
			begun.push(job)
			open++
			try {
				if (job === 2) throw new Error('two')
				await sleep(5)
				expect(signal.aborted).toBe(true)
			} finally {
				open--
			}
		}),
	).rejects.toThrow('two')
	expect(open).toBe(0)
	expect(begun).toEqual([1, 2, 3])
})

test('runAll keeps its bound and stops when it is told to', async () => {
	let running = 0
	let most = 0
	const stop = new AbortController()
	const begun: number[] = []
	const all = runAll(numbersTo(50), 4, stop.signal, async (job) => {
		begun.push(job)
		most = Math.max(most, ++running)
		await sleep(1)
		running--
		if (job === 10) stop.abort(new Error('enough'))
	})
	await expect(all).rejects.toThrow('enough')
	expect(most).toBe(4)
	expect(begun.length).toBeLessThan(20)
})

function numbersTo(count: number): number[] {
	return Array.from({ length: count }, (_, index) => index)
}
