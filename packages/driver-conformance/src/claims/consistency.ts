import type { Storage } from '@ydbackup/core'
import { content, inFlight, keysOf, pause, read } from '../bytes.ts'
import { type Claim, claimsOf, needs, type Trial } from '../claim.ts'
import { demand, sameBytes, sameKeys } from '../expect.ts'
import { absent, isThere } from '../presence.ts'

const skip = needs('strongList')
const LEAST_STEPS = 60

async function connections({ store, another }: Trial): Promise<readonly Storage[]> {
	return [store, await another(1), await another(2), await another(3), await another(4)]
}

/** One client of the mixed workload: it knows what each of its keys must be, and looks through any connection. */
async function client(index: number, stores: readonly Storage[], until: number): Promise<void> {
	const prefix = `c${index}/`
	const there = new Set<string>()
	let made = 0
	for (let step = 0; step < LEAST_STEPS || performance.now() < until; step++) {
		const store = stores[(index + step) % stores.length]!
		const other = stores[(index + step * 3 + 1) % stores.length]!
		const some = [...there][(step * 7) % Math.max(1, there.size)]
		const dice = (Math.imul(step + 1, 2654435761) >>> 8) % 6
		if (dice <= 1 || some === undefined) {
			const key = `${prefix}k${made++}.`
			await store.put(key, content(key, 100 + ((made * 37) % 5000)))
			there.add(key)
		} else if (dice === 2) {
			await store.delete(some)
			there.delete(some)
			demand(!(await isThere(other, some)), `${some} is still there after its delete`)
		} else if (dice === 3) {
			sameKeys((await keysOf(other, prefix)).toSorted(), [...there].toSorted(), `the listing of ${prefix}`)
		} else {
			const number = Number.parseInt(some.slice(prefix.length + 1), 10) + 1
			const bytes = content(some, 100 + ((number * 37) % 5000))
			sameBytes(await read(other, some, bytes.length), bytes, some)
		}
		await new Promise(setImmediate)
	}
}

export const consistencyClaims: readonly Claim[] = claimsOf('consistency', {
	put: {
		title: 'every connection sees a finished put at once',
		skip,
		async check(trial) {
			const stores = await connections(trial)
			for (let round = 0; round < 5; round++) {
				const key = `key${round}`
				await stores[round % 5]!.put(key, content(key, 100))
				await Promise.all(
					stores.map(async (store) => {
						demand((await store.stat(key))?.size === 100, 'stat through another connection does not find a new object')
						sameBytes(await read(store, key, 100), content(key, 100), 'a new object through another connection')
						const isListed = (await keysOf(store)).includes(key)
						demand(isListed, 'a listing through another connection lacks a new object')
					}),
				)
			}
		},
	},
	delete: {
		title: 'every connection sees a finished delete at once, and it lasts',
		skip,
		async check(trial) {
			const stores = await connections(trial)
			const gone = (key: string, store: Storage): Promise<void> =>
				absent(store, key, 'through another connection, after its delete')
			const keys = [0, 1, 2, 3, 4].map((round) => `key${round}`)
			for (const key of keys) await stores[0]!.put(key, content(key, 100))
			for (const [round, key] of keys.entries()) {
				await stores[round]!.delete(key)
				await Promise.all(stores.map((store) => gone(key, store)))
			}
			await pause(trial.plan.settleMs / 30, trial.signal)
			for (const key of keys) await gone(key, stores[1]!)
		},
	},
	'own-bytes': {
		title: 'objects that are put and read at the same time keep their own bytes',
		async check(trial) {
			const stores = await connections(trial)
			const width = Math.min(16, trial.store.capabilities.maxConcurrency)
			const keys = Array.from({ length: 64 }, (_, index) => `k${index}`)
			await inFlight(width, keys.entries(), async ([index, key]) => {
				const size = 1000 + index
				await stores[index % 5]!.put(key, content(key, size))
				sameBytes(await read(stores[(index + 1) % 5]!, key, size), content(key, size), key)
			})
			await inFlight(width, keys.entries(), async ([index, key]) => {
				sameBytes(await read(stores[index % 5]!, key, 1000 + index), content(key, 1000 + index), key)
			})
		},
	},
	workload: {
		title: 'puts, gets, lists and deletes of many clients through many connections agree',
		level: 'full',
		skip: (known) => skip(known) ?? (known.plan.workloadMs > 0 ? undefined : 'the plan gives it no time'),
		async check(trial) {
			const stores = await connections(trial)
			const until = performance.now() + trial.plan.workloadMs
			const width = Math.min(8, trial.store.capabilities.maxConcurrency)
			await Promise.all(Array.from({ length: width }, (_, index) => client(index, stores, until)))
		},
	},
})
