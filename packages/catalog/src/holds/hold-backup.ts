import type { CallOptions } from '@ydbackup/core'

import type { Repository } from '../repository/repository.ts'
import { assertNotDeleted } from '../tombstones/tombstones.ts'
import { type Hold, type HoldTerms, listHolds, putHold } from './holds.ts'

/**
 * Holds a backup, and with it all that it builds upon. Errors: `BACKUP_NOT_FOUND`; `BACKUP_DELETED` when it is being deleted: then nothing is left.
 */
export async function holdBackup(
	repository: Repository,
	id: string,
	terms: HoldTerms,
	{ clock = () => new Date(), signal }: CallOptions & { readonly clock?: (() => Date) | undefined } = {},
): Promise<Hold> {
	const { storage } = repository
	// A damaged one can be held too: perhaps it can be repaired.
	const known = await repository.ids({ signal })
	if (!known.includes(id)) await repository.read(id, { signal })
	const hold = await putHold(storage, id, terms, clock(), { signal })
	try {
		await assertNotDeleted(storage, [id], { signal })
	} catch (error) {
		await storage.delete(hold.key)
		throw error
	}
	return hold
}

/** Takes away all holds of a backup. Gives those that there were, also those that were over; a backup that is gone may have some. */
export async function releaseBackup(repository: Repository, id: string, options: CallOptions = {}): Promise<Hold[]> {
	const { storage } = repository
	const holds = (await listHolds(storage, { ...options, id })).get(id) ?? []
	if (holds.length === 0) await repository.read(id, options)
	for (const { key } of holds) await storage.delete(key, options)
	return holds
}
