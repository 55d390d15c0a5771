import { isBackupError, type Storage } from '@ydbackup/core'
import { content, pause, pieces, read } from '../bytes.ts'
import { type Claim, claimsOf, needs } from '../claim.ts'
import { ClaimBroken, demand, described, refused, sameBytes } from '../expect.ts'

const skip = needs('conditionalCreate')
const TRIES = 10

type Result = 'won' | 'lost' | 'unknown'

/** Creates, again after failures that ask for it: `unknown` when the object is there and an attempt before may have made it. */
async function create(store: Storage, key: string, bytes: Uint8Array, signal: AbortSignal): Promise<Result> {
	for (let attempt = 1; ; attempt++) {
		try {
			await store.put(key, pieces(bytes, Math.max(1000, Math.ceil(bytes.length / 3))), { ifAbsent: true })
			return 'won'
		} catch (error) {
			if (isBackupError(error, 'STORAGE_ALREADY_EXISTS')) return attempt === 1 ? 'lost' : 'unknown'
			const mayRetry = isBackupError(error) && error.retry !== 'no' && attempt < TRIES
			if (!mayRetry)
				throw new ClaimBroken(
					`a create-only put that lost must fail with STORAGE_ALREADY_EXISTS, not ${described(error)}`,
				)
			await pause(50 * attempt, signal)
		}
	}
}

async function race(
	stores: readonly Storage[],
	key: string,
	bodies: readonly Uint8Array[],
	signal: AbortSignal,
): Promise<void> {
	const results = await Promise.all(
		bodies.map((bytes, index) => create(stores[index % stores.length]!, key, bytes, signal)),
	)
	const winners = results.flatMap((result, index) => (result === 'won' ? [index] : []))
	demand(winners.length <= 1, `${winners.length} of ${bodies.length} create-only puts to one key succeeded`)
	const found = await read(stores[0]!, key, bodies[0]!.length)
	const holder = bodies.findIndex((bytes) => Buffer.compare(bytes, found) === 0)
	demand(holder >= 0, 'the object has bytes that no create-only put had')
	const [winner = results[holder] === 'unknown' ? holder : undefined] = winners
	demand(winner !== undefined, `none of ${bodies.length} create-only puts to one key succeeded`)
	demand(holder === winner, 'the object has the bytes of a create-only put that lost')
}

export const conditionalCreateClaims: readonly Claim[] = claimsOf('conditional-create', {
	conflict: {
		title: 'a create-only put over an object fails with STORAGE_ALREADY_EXISTS and changes nothing',
		skip,
		async check({ store, another }) {
			const old = content('old', 2000)
			await store.put('object', old, { ifAbsent: true })
			for (const through of [store, await another()])
				await refused(
					through.put('object', content('new', 2000), { ifAbsent: true }),
					'a create-only put over an object',
					'STORAGE_ALREADY_EXISTS',
				)
			sameBytes(await read(store, 'object', 2000), old, 'the object after a create-only put')
		},
	},
	'after-delete': {
		title: 'a create-only put succeeds where an object was deleted',
		skip,
		async check({ store }) {
			await store.put('object', content('old', 100), { ifAbsent: true })
			await store.delete('object')
			await store.put('object', content('new', 100), { ifAbsent: true })
			sameBytes(await read(store, 'object', 100), content('new', 100), 'the object created again')
		},
	},
	race: {
		title: 'of create-only puts that race for one key exactly one succeeds, and its bytes stay',
		skip,
		async check({ store, another, plan, signal }) {
			const stores = [store, await another(1), await another(2), await another(3)]
			for (let round = 0; round < plan.raceRounds; round++) {
				const bodies = Array.from({ length: plan.raceClients }, (_, index) => content(`race ${round} ${index}`, 3000))
				await race(stores, `key${round}`, bodies, signal)
			}
		},
	},
	large: {
		title: 'the same holds for objects that take more than one request',
		level: 'full',
		skip,
		async check({ store, another, plan, signal }) {
			const other = await another()
			const bodies = ['a', 'b'].map((name) => content(`large race ${name}`, plan.largeBytes))
			await race([store, other], 'object', bodies, signal)
			const kept = await read(store, 'object', plan.largeBytes)
			await refused(
				other.put('object', pieces(content('late', plan.largeBytes), 300_000), { ifAbsent: true }),
				'a large create-only put over an object',
				'STORAGE_ALREADY_EXISTS',
			)
			sameBytes(await read(store, 'object', plan.largeBytes), kept, 'the object after a large create-only put')
		},
	},
})
