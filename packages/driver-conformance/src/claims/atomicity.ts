import type { Storage } from '@ydbackup/core'
import { content, gate, keysOf, pause, read } from '../bytes.ts'
import { type Claim, claimsOf } from '../claim.ts'
import { ClaimBroken, demand, described, sameBytes, within } from '../expect.ts'
import { killedPut } from '../killed-put.ts'
import { absent } from '../presence.ts'

/** What a body throws in these claims: the driver must hand it on as it is. */
class BodyFailure extends Error {
	override readonly name = 'BodyFailure'
}

async function whole(store: Storage, key: string, bytes: Uint8Array, when: string): Promise<void> {
	sameBytes(await read(store, key, bytes.length), bytes, `the object ${when}`)
	const size = (await store.stat(key))?.size
	demand(size === bytes.length, `stat tells ${size} bytes of ${bytes.length} ${when}`)
	demand((await keysOf(store)).includes(key), `list does not show the object ${when}`)
}

/** Puts in three pieces and looks, through another connection, before each of the later ones. */
async function watched(
	store: Storage,
	{ key, bytes, look }: { key: string; bytes: Uint8Array; look: (when: string) => Promise<void> },
): Promise<void> {
	const third = Math.ceil(bytes.length / 3)
	let asked = gate()
	let answered = gate()
	const put = store.put(key, async function* () {
		for (let index = 0; index < 3; index++) {
			if (index > 0) {
				asked.open()
				await answered.opened
			}
			yield Uint8Array.from(bytes.subarray(index * third, (index + 1) * third))
		}
	})
	const early = put.then(() => {
		throw new ClaimBroken('put was over before its body was')
	})
	early.catch(() => undefined)
	try {
		for (let index = 1; index < 3; index++) {
			await Promise.race([asked.opened, early])
			await look(`while it is being put, after ${index * third} of ${bytes.length} bytes`)
			asked = gate()
			const next = answered
			answered = gate()
			next.open()
		}
		await put
	} finally {
		answered.open()
		await put.catch(() => undefined)
	}
}

export const atomicityClaims: readonly Claim[] = claimsOf('atomicity', {
	'unfinished-put': {
		title: 'an object that is being put is not there until it is whole',
		async check({ store, another, plan }) {
			const other = await another()
			const bytes = content('unfinished', plan.largeBytes)
			await watched(store, { key: 'object', bytes, look: (when) => absent(other, 'object', when) })
			await whole(other, 'object', bytes, 'after the put')
		},
	},
	replacement: {
		title: 'an object that is being replaced keeps its old bytes until the new ones are whole',
		async check({ store, another, plan }) {
			const other = await another()
			const old = content('old', 5000)
			const bytes = content('new', plan.largeBytes)
			await store.put('object', old)
			await watched(store, { key: 'object', bytes, look: (when) => whole(other, 'object', old, when) })
			await whole(other, 'object', bytes, 'after the put')
		},
	},
	'body-fails': {
		title: 'a body that fails fails the put with its own error, and nothing is stored',
		async check({ store, plan }) {
			const bytes = content('fails', plan.largeBytes)
			for (const failAt of [0, bytes.length]) {
				const failure = new BodyFailure('the body failed')
				const error = await store
					.put('object', async function* () {
						for (let at = 0; at < failAt; at += 300_000) yield Uint8Array.from(bytes.subarray(at, at + 300_000))
						throw failure
					})
					.then(
						() => new ClaimBroken('a put whose body failed succeeded'),
						(thrown: unknown) => thrown,
					)
				if (error instanceof ClaimBroken) throw error
				demand(error === failure, `the error of the body came out as ${described(error)}`)
				await absent(store, 'object', 'after its body failed')
			}
		},
	},
	'body-fails-over-old': {
		title: 'a put that fails leaves the old object as it was',
		async check({ store }) {
			const old = content('old', 5000)
			await store.put('object', old)
			const put = store.put('object', async function* () {
				yield content('new', 3000)
				throw new BodyFailure('the body failed')
			})
			await put.catch(() => undefined)
			await whole(store, 'object', old, 'after a put over it failed')
		},
	},
	'aborted-put': {
		title: 'a put that is aborted stores nothing, then and later',
		async check({ store, another, plan, signal }) {
			const other = await another()
			const abort = new AbortController()
			const hold = gate()
			const put = store.put(
				'object',
				async function* () {
					for (let at = 0; at < plan.largeBytes; at += 300_000) yield content(`aborted ${at}`, 300_000)
					abort.abort()
					await hold.opened
				},
				{ signal: abort.signal },
			)
			const outcome = put.then(
				() => 'put',
				() => 'failed',
			)
			try {
				const ended = await within(plan.settleMs, 'the aborted put', outcome).catch((error: unknown) => {
					hold.open()
					return outcome.then(() => Promise.reject(error))
				})
				demand(ended === 'failed', 'a put that was aborted before its body ended succeeded')
			} finally {
				hold.open()
			}
			await absent(other, 'object', 'after its put was aborted')
			await pause(plan.settleMs / 30, signal)
			await absent(other, 'object', 'some time after its put was aborted')
		},
	},
	'concurrent-puts': {
		title: 'of puts to one key at the same time one wins whole',
		async check({ store, another }) {
			const bodies = Array.from({ length: 6 }, (_, index) => content(`concurrent ${index}`, 50_000 + index))
			const stores = [store, await another()]
			const results = await Promise.allSettled(
				bodies.map((bytes, index) =>
					stores[index % 2]!.put('object', async function* () {
						for (let at = 0; at < bytes.length; at += 10_000) {
							await new Promise(setImmediate)
							yield Uint8Array.from(bytes.subarray(at, at + 10_000))
						}
					}),
				),
			)
			demand(
				results.some(({ status }) => status === 'fulfilled'),
				`all of ${bodies.length} puts to one key at the same time failed: ${results.map((result) => (result.status === 'rejected' ? described(result.reason) : '')).join('; ')}`,
			)
			const found = await read(store, 'object', 60_000)
			const winner = bodies.findIndex((bytes) => Buffer.compare(bytes, found) === 0)
			demand(winner >= 0, `after concurrent puts the object has ${found.length} bytes that no put had`)
			demand(results[winner]?.status === 'fulfilled', 'the object has the bytes of a put that failed')
		},
	},
	killed: {
		title: 'a process that is killed in the middle of a put leaves no object',
		level: 'full',
		skip: ({ options }) => (options.process ? undefined : 'no other process can open this store'),
		async check(trial) {
			const other = await trial.fresh()
			await killedPut(trial, 'object')
			await absent(other, 'object', 'after the process that put it was killed')
			await other[Symbol.asyncDispose]()
		},
	},
})
