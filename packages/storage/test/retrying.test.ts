import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BackupError, type ErrorCode, type PutBody, type PutOptions, type Retry, type Storage } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { openMemory, retrying } from '../src/index.ts'
import { bytesOf, changed, errorOf, failure, keysOf, pieces, silent, textOf, transient } from './stores.ts'

/** A clock that only moves when somebody waits. */
function waiting(): {
	pauses: number[]
	options: { now: () => number; pause: (ms: number) => Promise<void> }
} {
	const pauses: number[] = []
	let time = 0
	return {
		pauses,
		options: {
			now: () => time,
			pause: async (ms) => {
				pauses.push(ms)
				time += ms
			},
		},
	}
}

/** Fails the first `times` calls of a member before they reach the store, or after (`answer`): then the answer is lost. */
function failing(
	storage: Storage,
	member: 'put' | 'get' | 'stat' | 'delete',
	times: number,
	error: () => Error = transient,
	when: 'before' | 'answer' = 'before',
): { storage: Storage; calls: () => number } {
	let calls = 0
	const work = storage[member].bind(storage) as (...call: unknown[]) => Promise<unknown>
	return {
		calls: () => calls,
		storage: changed(storage, {
			[member]: async (...call: unknown[]) => {
				const isFailing = ++calls <= times
				if (isFailing && when === 'before') throw error()
				const result = await work(...call)
				if (isFailing) throw error()
				return result
			},
		}),
	}
}

test('a put is made again as a whole, opening its body anew each time', async () => {
	const memory = openMemory()
	let attempts = 0
	const flaky = changed(memory, {
		async put(key, body, options) {
			if (++attempts < 3) {
				for await (const _ of (body as () => AsyncIterable<Uint8Array>)()) throw transient()
			}
			return memory.put(key, body, options)
		},
	})
	let opened = 0
	const info = await retrying(flaky, waiting().options).put('a', async function* () {
		opened++
		yield bytesOf('one ')
		yield bytesOf('two')
	})
	expect(opened).toBe(3)
	expect(info).toMatchObject({ key: 'a', size: 7 })
	expect(await textOf(await memory.get('a'))).toBe('one two')
})

test.for<[ErrorCode, Retry, boolean]>([
	['STORAGE_TRANSIENT', 'same', true],
	['STORAGE_TRANSIENT', 'later', true],
	['STORAGE_THROTTLED', 'later', true],
	['STORAGE_TRANSIENT', 'no', false],
	['STORAGE_PERMISSION', 'no', false],
	['STORAGE_PERMANENT', 'no', false],
	['STORAGE_QUOTA', 'no', false],
	['STORAGE_INTEGRITY', 'no', false],
	// Errors that are not about the store: a body may read a database, which has a patience of its own.
	['DATABASE_UNREACHABLE', 'later', false],
	['INTERRUPTED', 'same', false],
])('%s with retry %s is tried again: %s', async ([code, retry, isTriedAgain]) => {
	const error = failure(code, retry)
	for (const member of ['put', 'get', 'stat', 'delete'] as const) {
		const memory = openMemory()
		await memory.put('a', bytesOf('x'))
		const { storage, calls } = failing(memory, member, 1, () => error)
		const wrapped = retrying(storage, waiting().options)
		const work = {
			put: () => wrapped.put('a', bytesOf('y')),
			get: () => wrapped.get('a'),
			stat: () => wrapped.stat('a'),
			delete: () => wrapped.delete('a'),
		}[member]()
		if (isTriedAgain) await work
		else await expect(work).rejects.toBe(error)
		expect(calls()).toBe(isTriedAgain ? 2 : 1)
	}
})

test('an error that is none of ours comes through at once', async () => {
	const mine = new Error('mine')
	const { storage, calls } = failing(openMemory(), 'put', 1, () => mine)
	await expect(retrying(storage, waiting().options).put('a', bytesOf('x'))).rejects.toBe(mine)
	expect(calls()).toBe(1)
})

test('what a body throws about a database is not tried again', async () => {
	let opened = 0
	const lost = failure('DATABASE_UNREACHABLE', 'later')
	const put = retrying(openMemory(), waiting().options).put('a', async function* () {
		opened++
		yield bytesOf('x')
		throw lost
	})
	await expect(put).rejects.toBe(lost)
	expect(opened).toBe(1)
})

test('gives up when the budget of time is used up, however many tries that were', async () => {
	const { storage, calls } = failing(openMemory(), 'stat', Infinity)
	const { pauses, options } = waiting()
	const heard: string[] = []
	const wrapped = retrying(storage, { ...options, budgetMs: 20_000, onRetry: ({ what }) => heard.push(what) })
	expect((await errorOf(wrapped.stat('a'))).code).toBe('STORAGE_TRANSIENT')
	const waited = pauses.reduce((sum, ms) => sum + ms, 0)
	expect(waited).toBeLessThanOrEqual(20_000)
	expect(waited).toBeGreaterThan(5000)
	expect(pauses[0]).toBe(0)
	expect(calls()).toBe(pauses.length + 1)
	expect(heard).toEqual(pauses.map(() => 'look for a'))
})

test('waits as long as the store asks, and not at all when that is beyond the budget', async () => {
	const throttled = (ms: number) => () => failure('STORAGE_THROTTLED', 'later', ms)
	const patient = waiting()
	await retrying(failing(openMemory(), 'stat', 1, throttled(7000)).storage, patient.options).stat('a')
	expect(patient.pauses).toEqual([7000])
	const impatient = waiting()
	const { storage } = failing(openMemory(), 'stat', 1, throttled(70_000))
	expect((await errorOf(retrying(storage, impatient.options).stat('a'))).code).toBe('STORAGE_THROTTLED')
	expect(impatient.pauses).toEqual([])
})

test('a pause that is no number does not make it try for ever', async () => {
	const { storage } = failing(openMemory(), 'stat', Infinity, () => failure('STORAGE_THROTTLED', 'later', Number.NaN))
	const { pauses, options } = waiting()
	await errorOf(retrying(storage, options).stat('a'))
	expect(pauses.every((ms) => ms > 0)).toBe(true)
})

test('a signal stops the waiting at once, and the error names what it waited for', async () => {
	const { storage, calls } = failing(openMemory(), 'put', Infinity, () => failure('STORAGE_THROTTLED', 'later', 30_000))
	const controller = new AbortController()
	const waits = Promise.withResolvers<void>()
	const wrapped = retrying(storage, { onRetry: () => waits.resolve() })
	const begun = performance.now()
	const put = errorOf(wrapped.put('a/b', bytesOf('x'), { signal: controller.signal }))
	await waits.promise
	controller.abort()
	expect(await put).toMatchObject({ code: 'INTERRUPTED', message: 'stopped while waiting to write a/b again' })
	expect(performance.now() - begun).toBeLessThan(5000)
	expect(calls()).toBe(1)
})

test('a failure of a call that was stopped is the interruption, not the failure', async () => {
	const controller = new AbortController()
	const { storage, calls } = failing(openMemory(), 'stat', Infinity, () => {
		controller.abort()
		return transient()
	})
	const stat = errorOf(retrying(storage, waiting().options).stat('a', { signal: controller.signal }))
	expect(await stat).toMatchObject({ code: 'INTERRUPTED', message: 'stopped while trying to look for a' })
	expect(calls()).toBe(1)
})

const bodies: readonly [string, PutBody, PutOptions][] = [
	['bytes', bytesOf('mine'), {}],
	['a stream', pieces('mi', 'ne'), {}],
	['a stream with a hash', pieces('mi', 'ne'), { size: 4, sha256: createHash('sha256').update('mine').digest('hex') }],
]

test.for(bodies)('create-only of %s: an answer that was lost is settled as success', async ([, body, options]) => {
	const memory = openMemory()
	const { storage, calls } = failing(memory, 'put', 1, transient, 'answer')
	const info = await retrying(storage, waiting().options).put('a', body, { ...options, ifAbsent: true })
	expect(info).toEqual(await memory.stat('a'))
	expect(calls()).toBe(2)
})

test.for(bodies)("create-only of %s: somebody else's object is a conflict, and stays", async ([, body, options]) => {
	for (const other of ['othr', 'longer than ours', '']) {
		const memory = openMemory()
		let puts = 0
		const storage = changed(memory, {
			async put(...call) {
				if (++puts > 1) return memory.put(...call)
				await memory.put('a', bytesOf(other))
				throw transient()
			},
		})
		const put = retrying(storage, waiting().options).put('a', body, { ...options, ifAbsent: true })
		expect((await errorOf(put)).code).toBe('STORAGE_ALREADY_EXISTS')
		expect(await textOf(await memory.get('a'))).toBe(other)
	}
})

test('create-only: equal bytes that were there before the first try are a conflict', async () => {
	const memory = openMemory()
	await memory.put('a', bytesOf('mine'))
	const put = retrying(memory, waiting().options).put('a', bytesOf('mine'), { ifAbsent: true })
	expect((await errorOf(put)).code).toBe('STORAGE_ALREADY_EXISTS')
})

test('create-only: where the object cannot be read back, the conflict stands', async () => {
	for (const member of ['stat', 'get'] as const) {
		const late = failing(openMemory(), 'put', 1, transient, 'answer').storage
		const { storage } = failing(late, member, Infinity, () => failure('STORAGE_PERMISSION'))
		const put = retrying(storage, waiting().options).put('a', bytesOf('mine'), { ifAbsent: true })
		expect((await errorOf(put)).code).toBe('STORAGE_ALREADY_EXISTS')
	}
})

test('create-only: the settling is stopped by the signal while the body is silent', async () => {
	const memory = openMemory()
	const controller = new AbortController()
	const { body, isOpen } = silent()
	let puts = 0
	const storage = changed(memory, {
		async put(key, _, options) {
			if (++puts > 1) return memory.put(key, bytesOf('first'), options)
			await memory.put(key, bytesOf('first'))
			throw transient()
		},
	})
	const put = errorOf(
		retrying(storage, waiting().options).put('a', body, { ifAbsent: true, signal: controller.signal }),
	)
	await isOpen
	controller.abort()
	expect((await put).code).toBe('INTERRUPTED')
})

/** A store whose bodies break off after some bytes, as often as `breaks` says. */
function breaking(memory: Storage, breaks: number[]): Storage {
	const left = [...breaks]
	return changed(memory, {
		async get(key, options) {
			const { info, bytes } = await memory.get(key, options)
			const after = left.shift()
			if (after === undefined) return { info, bytes }
			return {
				info,
				bytes: (async function* () {
					for await (const piece of bytes) {
						yield piece.subarray(0, after)
						break
					}
					throw transient()
				})(),
			}
		},
	})
}

test('a read goes on behind the last byte that was handed on, with no byte lost or twice', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.uint8Array({ minLength: 1, maxLength: 40 }),
			fc.array(fc.nat(12), { maxLength: 6 }),
			fc.nat(39),
			fc.option(fc.nat(40), { nil: undefined }),
			async (bytes, breaks, at, wanted) => {
				const memory = openMemory()
				await memory.put('a', bytes)
				const offset = at % bytes.length
				const length = wanted === undefined ? undefined : wanted % (bytes.length - offset + 1)
				const storage = retrying(breaking(memory, breaks), waiting().options)
				const { bytes: got } = await storage.get('a', { range: { offset, length } })
				const parts: Uint8Array[] = []
				for await (const part of got) parts.push(part)
				expect(Buffer.concat(parts)).toEqual(
					Buffer.from(bytes.subarray(offset, length === undefined ? undefined : offset + length)),
				)
			},
		),
		{ numRuns: 200 },
	)
})

test('a body that ends early or has too much is damage, and no surplus byte is handed on', async () => {
	const memory = openMemory()
	await memory.put('a', bytesOf('hello'))
	for (const [sent, handedOn] of [
		['hel', 'hel'],
		['hello and more', ''],
	] as const) {
		const lying = changed(memory, { get: async (key) => ({ ...(await memory.get(key)), bytes: pieces(sent)() }) })
		const got: Uint8Array[] = []
		const read = async (): Promise<void> => {
			for await (const part of (await retrying(lying, waiting().options).get('a')).bytes) got.push(part)
		}
		expect((await errorOf(read())).code).toBe('STORAGE_INTEGRITY')
		expect(Buffer.concat(got).toString()).toBe(handedOn)
	}
})

test("a reader that goes away before the first byte releases the store's body", async () => {
	const memory = openMemory()
	await memory.put('a', bytesOf('hello'))
	let released = 0
	const storage = changed(memory, {
		get: async (key) => ({
			info: (await memory.stat(key))!,
			bytes: {
				[Symbol.asyncIterator]: () => ({
					next: () => Promise.reject(transient()),
					return: async () => (released++, { done: true, value: undefined }),
				}),
			},
		}),
	})
	const { bytes } = await retrying(storage, waiting().options).get('a')
	await bytes[Symbol.asyncIterator]().return?.()
	expect(released).toBe(1)
})

function breakingList(memory: Storage, every: number): Storage {
	return changed(memory, {
		async *list(prefix, options) {
			let given = 0
			for await (const info of memory.list(prefix, options)) {
				if (given++ === every) throw transient()
				yield info
			}
		},
	})
}

test('a listing goes on behind the last key, with no key lost or twice', async () => {
	const memory = openMemory()
	for (let nth = 0; nth < 20; nth++) await memory.put(`a/${nth}`, bytesOf('x'))
	const storage = retrying(breakingList(memory, 3), waiting().options)
	expect(await keysOf(storage, 'a/')).toEqual(await keysOf(memory, 'a/'))
})

test('a listing in no order that broke off is an error: it cannot be continued', async () => {
	const memory = openMemory()
	for (let nth = 0; nth < 5; nth++) await memory.put(`a/${nth}`, bytesOf('x'))
	const unordered = changed(breakingList(memory, 3), {
		capabilities: { ...memory.capabilities, orderedList: { lacking: 'a test' } },
	})
	expect((await errorOf(keysOf(retrying(unordered, waiting().options)))).code).toBe('STORAGE_TRANSIENT')
})

test('the real pauses grow from a tenth of a second', async () => {
	const { storage, calls } = failing(openMemory(), 'stat', 2, () => failure('STORAGE_THROTTLED', 'later'))
	const stat = retrying(storage).stat('a')
	await sleep(20)
	expect(calls()).toBe(1)
	expect(await stat).toBeUndefined()
	expect(calls()).toBe(3)
})

test('tells of each failure that is tried again, and of no other', async () => {
	const heard: [string, BackupError][] = []
	const { storage } = failing(openMemory(), 'delete', 2)
	const wrapped = retrying(storage, { ...waiting().options, onRetry: ({ what, reason }) => heard.push([what, reason]) })
	await wrapped.delete('a')
	await errorOf(wrapped.get('none'))
	expect(heard.map(([what, reason]) => [what, reason.code])).toEqual([
		['delete a', 'STORAGE_TRANSIENT'],
		['delete a', 'STORAGE_TRANSIENT'],
	])
})
