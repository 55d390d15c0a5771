import { isBackupError } from '@ydbackup/core'
import { content, gate, inFlight, keysOf, read } from '../bytes.ts'
import { type Claim, claimsOf, type Known } from '../claim.ts'
import { demand, described, sameBytes, sameKeys, within } from '../expect.ts'
import { heldMemory } from '../memory.ts'

const inMemory = ({ options, plan }: Known): string | undefined => {
	if (options.isInProcess) return 'the store is in the memory of this process'
	return plan.memoryBytes > 0 ? undefined : 'the plan has no object for it'
}

/** The error of a call that was aborted; it must come in time and say that it was interrupted. */
async function interrupted(ms: number, what: string, work: Promise<unknown>): Promise<void> {
	const error = await within(
		ms,
		what,
		work.then(
			() => undefined,
			(thrown: unknown) => thrown,
		),
	)
	demand(error !== undefined, `${what} succeeded`)
	demand(isBackupError(error, 'INTERRUPTED'), `${what} must fail with INTERRUPTED, and failed with ${described(error)}`)
}

export const resourceClaims: readonly Claim[] = claimsOf('resources', {
	'abort-before': {
		title: 'a call with a signal that is aborted does nothing',
		async check({ store, plan }) {
			await store.put('object', content('abort', 1000))
			const signal = AbortSignal.abort()
			for (const [what, work] of [
				['put', () => store.put('new', content('new', 10), { signal })],
				['get', () => read(store, 'object', 1000, { signal })],
				['stat', () => store.stat('object', { signal })],
				['list', () => keysOf(store, '', { signal })],
				['delete', () => store.delete('object', { signal })],
			] as const)
				await interrupted(plan.settleMs, `${what} with an aborted signal`, work())
			sameKeys(await keysOf(store), ['object'], 'the listing after aborted calls')
		},
	},
	'abort-put': {
		title: 'a put ends within seconds when it is aborted, even while its body is silent',
		async check({ store, plan }) {
			for (const first of [0, 1000, plan.largeBytes]) {
				const abort = new AbortController()
				const silent = gate()
				const reached = gate()
				const put = store.put(
					'object',
					async function* () {
						for (let at = 0; at < first; at += 300_000) yield content('silent', Math.min(300_000, first - at))
						reached.open()
						await silent.opened
					},
					{ signal: abort.signal },
				)
				put.catch(() => undefined)
				try {
					await Promise.race([reached.opened, put])
					abort.abort()
					await interrupted(plan.settleMs, 'an aborted put', put)
				} finally {
					silent.open()
				}
			}
		},
	},
	'abort-get': {
		title: 'a get ends within seconds when it is aborted, and never as if it were whole',
		async check({ store, plan }) {
			const size = Math.min(8 * 2 ** 20, plan.largeBytes * 4)
			await store.put('object', content('abort get', size))
			const abort = new AbortController()
			const { bytes } = await store.get('object', { signal: abort.signal })
			let length = 0
			const reading = (async () => {
				for await (const part of bytes) {
					length += part.length
					abort.abort()
				}
			})()
			const error = await within(
				plan.settleMs,
				'an aborted get',
				reading.then(
					() => undefined,
					(thrown: unknown) => thrown,
				),
			)
			if (error === undefined)
				demand(length === size, `an aborted get ended after ${length} of ${size} bytes without an error`)
			else demand(isBackupError(error), `an aborted get failed with ${described(error)}`)
		},
	},
	'abort-list': {
		title: 'a listing ends within seconds when it is aborted, and never as if it were complete',
		async check({ listing, plan }) {
			const { store, keys } = await listing()
			const [prefix, expected] = [...keys].at(-1) ?? ['', []]
			const abort = new AbortController()
			const found: string[] = []
			const work = (async () => {
				for await (const { key } of store.list(prefix, { signal: abort.signal })) {
					found.push(key)
					abort.abort()
				}
			})()
			const error = await within(
				plan.settleMs,
				'an aborted listing',
				work.then(
					() => undefined,
					(thrown: unknown) => thrown,
				),
			)
			if (error === undefined) sameKeys(found, expected, 'an aborted listing that ended without an error')
			else demand(isBackupError(error), `an aborted listing failed with ${described(error)}`)
		},
	},
	'left-early': {
		title: 'readers and listers that go away early cost nothing',
		async check({ store, plan, listing }) {
			const bytes = content('left', Math.min(3 * 2 ** 20, plan.largeBytes))
			await store.put('object', bytes)
			const { store: many, keys } = await listing()
			const width = Math.min(16, store.capabilities.maxConcurrency)
			const leave = async (): Promise<void> => {
				for (let index = 0; index < 64; index++) {
					for await (const _ of (await store.get('object')).bytes) break
					if (index % 8 > 0) continue
					for await (const _ of many.list([...keys.keys()].at(-1) ?? '')) break
				}
			}
			await leave()
			await within(
				plan.settleMs * 2,
				`reading ${width} objects at once after others were left early`,
				inFlight(width, Array.from({ length: width }), async () =>
					sameBytes(await read(store, 'object', bytes.length), bytes, 'the object'),
				),
			)
		},
	},
	'in-flight': {
		title: 'as many calls as the capabilities say can be in flight',
		async check({ store }) {
			const width = Math.min(64, store.capabilities.maxConcurrency)
			const keys = Array.from({ length: width * 2 }, (_, index) => `k${index}`)
			await inFlight(width, keys, (key) => store.put(key, content(key, 100)))
			await inFlight(width, keys, async (key) => {
				demand((await store.stat(key))?.size === 100, `${key} is not whole`)
			})
		},
	},
	'memory-put': {
		title: 'a put holds a bounded part of the object in memory',
		level: 'full',
		skip: inMemory,
		async check({ store, plan }) {
			const piece = content('memory', 2 ** 20)
			await heldMemory('put', plan.memoryBytes, async (look) => {
				await store.put('object', async function* () {
					for (let at = 0; at < plan.memoryBytes; at += piece.length) {
						look()
						yield Uint8Array.from(piece)
					}
				})
			})
		},
	},
	'memory-get': {
		title: 'a get holds a bounded part of the object in memory',
		level: 'full',
		skip: inMemory,
		async check({ store, plan }) {
			const piece = content('memory', 2 ** 20)
			await store.put('object', async function* () {
				for (let at = 0; at < plan.memoryBytes; at += piece.length) yield Uint8Array.from(piece)
			})
			let length = 0
			await heldMemory('get', plan.memoryBytes, async (look) => {
				const { bytes } = await store.get('object')
				for await (const part of bytes) {
					length += part.length
					look()
				}
			})
			demand(length === plan.memoryBytes, `a large object came with ${length} of ${plan.memoryBytes} bytes`)
		},
	},
	dispose: {
		title: 'a store is closed within seconds, and others stay open',
		async check({ store, fresh, plan }) {
			await store.put('object', content('dispose', 100))
			const other = await fresh()
			await other.stat('object')
			await within(plan.settleMs, 'disposing of a store', other[Symbol.asyncDispose]())
			await store.put('again', content('dispose', 100))
			demand((await store.stat('again'))?.size === 100, 'another store does not work after one was closed')
		},
	},
})
