import type { Storage } from '@ydbackup/core'
import { inFlight } from './bytes.ts'
import type { Listing } from './claim.ts'

/** Puts so many keys below a prefix of their own, for each count. */
export async function makeListing(store: Storage, counts: readonly number[]): Promise<Listing> {
	const keys = new Map(
		counts.map((count) => {
			const prefix = `n${count}/`
			return [prefix, Array.from({ length: count }, (_, index) => `${prefix}k${String(index).padStart(6, '0')}`)]
		}),
	)
	await inFlight(Math.min(16, store.capabilities.maxConcurrency), [...keys.values()].flat(), (key) =>
		store.put(key, Buffer.from(key)),
	)
	return { store, keys }
}
