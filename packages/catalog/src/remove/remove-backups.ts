import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { compareBackupIds } from '../id/backup-id.ts'
import { type Lease, takeLease } from '../leases/lease.ts'
import { pause } from '../read/read-whole.ts'
import type { Repository } from '../repository/repository.ts'
import { listTombstones, putTombstone } from '../tombstones/tombstones.ts'
import type { RunRecord } from '../runs/run-record.ts'
import { findNeeds, type Need } from './find-needs.ts'
import { noteKeptCopy } from './note-kept-copy.ts'
import { removeObjects } from './remove-objects.ts'

export interface RemoveBackupsOptions extends CallOptions {
	readonly clock?: (() => Date) | undefined
	/** How long tombstones stand before anybody is looked for who uses the backups. Default 1 s. */
	readonly settleMs?: number | undefined
	readonly leaseTtlMs?: number | undefined
	readonly onDeleting?: ((id: string) => void) | undefined
	readonly onDeleted?: ((id: string, objects: number) => void) | undefined
}

export interface RemovedBackup {
	readonly id: string
	/** `kept`: it is needed after all. `partial`: it is not listed any more, but the store does not delete all of its objects. */
	readonly state: 'deleted' | 'kept' | 'partial'
	readonly reason?: string | undefined
	readonly objects: number
	readonly bytes: number
	/** The copy that it kept in a database, which is there still; a record of it stays in `runs/`, for whoever drops it to end. */
	readonly copy?: Pick<RunRecord, 'database' | 'workDirectory'> | undefined
}

const SETTLE_MS = 1000

/**
 * Deletes backups, newest first, so that at no moment one is listed that is not whole, or one that lacks what it builds upon. First all
 * get a tombstone; then whoever needs one of them is looked for; a backup that is needed gets its tombstone taken away again, and so does
 * everything it builds upon. Whoever makes a child, or begins to use a backup, looks for tombstones after saying so: one of the two sees
 * the other. It may be stopped anywhere and called again.
 *
 * Errors: `STORAGE_UNSUPPORTED` for a store that does not show at once what was written; `LEASED` when somebody else deletes one of them;
 * `LEASE_LOST`, `STORAGE_PERMISSION`; what the store says.
 */
export async function removeBackups(
	repository: Repository,
	ids: readonly string[],
	options: RemoveBackupsOptions = {},
): Promise<RemovedBackup[]> {
	const { storage } = repository
	const { clock, signal, leaseTtlMs } = options
	assertShowsUsers(storage)
	await using lease = await takeLease(storage, {
		purpose: 'delete',
		backups: ids,
		isExclusive: true,
		ttlMs: leaseTtlMs,
		clock,
		signal,
	})
	return remove({ repository, lease, options }, ids.toSorted(compareBackupIds).toReversed())
}

/** Errors: `STORAGE_UNSUPPORTED` for a store in which nobody could see who uses a backup. */
export function assertShowsUsers(storage: Storage): void {
	const { strongList } = storage.capabilities
	if (strongList === true) return
	throw new BackupError('STORAGE_UNSUPPORTED', `nothing is deleted in ${storage.location}: ${strongList.lacking}`, {
		advice: 'nobody could see who uses a backup; delete with the tools of the store when nothing else runs',
	})
}

interface Removal {
	readonly repository: Repository
	readonly lease: Lease
	readonly options: RemoveBackupsOptions
}

async function remove({ repository, lease, options }: Removal, ids: readonly string[]): Promise<RemovedBackup[]> {
	const { storage } = repository
	const { clock = () => new Date(), settleMs = SETTLE_MS, signal } = options
	const before = await listTombstones(storage, { signal })
	for (const id of ids) if (!before.has(id)) await putTombstone(storage, id, clock(), { signal })
	let needed: ReadonlyMap<string, string>
	try {
		await pause(settleMs, signal)
		needed = await withAncestors(repository, ids, await findNeeds(repository, new Set(ids), { clock, lease, signal }))
		lease.assertHeld()
	} catch (error) {
		// Nothing was deleted: what cannot be taken back now, the next one takes back.
		for (const id of ids) if (!before.has(id)) await withdraw(repository, id).catch(() => undefined)
		throw error
	}
	const results: RemovedBackup[] = []
	for (const id of ids) {
		const reason = needed.get(id)
		if (reason === undefined) continue
		if (!before.has(id) || (await isUntouched(repository, id))) await withdraw(repository, id)
		results.push({ id, state: 'kept', reason, objects: 0, bytes: 0 })
	}
	for (const id of ids) {
		if (needed.has(id)) continue
		options.onDeleting?.(id)
		const noted = await noteKeptCopy(repository, id, { signal })
		const copy = noted && { copy: { database: noted.database, workDirectory: noted.workDirectory } }
		const { objects, bytes, refused } = await removeObjects(storage, id, {
			beforeBatch: () => lease.assertHeld(),
			onDeleted: (count) => options.onDeleted?.(id, count),
			keepRun: noted !== undefined,
			signal,
		})
		if (refused.length === 0) results.push({ id, state: 'deleted', objects, bytes, ...copy })
		else if (objects === 0 && (await isUntouched(repository, id))) {
			if (noted !== undefined) await repository.endRun(id, { signal })
			await withdraw(repository, id)
			results.push({ id, state: 'kept', reason: refusal(refused), objects, bytes })
		} else results.push({ id, state: 'partial', reason: refusal(refused), objects, bytes, ...copy })
	}
	return results.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))
}

const refusal = (refused: readonly string[]): string =>
	`the store does not delete ${refused[0]} and ${refused.length - 1} others: they are held there, or rights are missing`

/** What is needed, and everything that it builds upon. */
async function withAncestors(
	repository: Repository,
	ids: readonly string[],
	needs: ReadonlyMap<string, readonly Need[]>,
): Promise<Map<string, string>> {
	const needed = new Map<string, string>()
	if (needs.size === 0) return needed
	const all = await repository.listAll()
	const parents = new Map(all.map(({ id, manifest }) => [id, manifest?.parent?.id]))
	for (const [id, found] of needs) {
		const reason = found.map((need) => need.reason).join(', and ')
		needed.set(id, reason)
		for (let at = parents.get(id); at !== undefined && !needed.has(at); at = parents.get(at)) {
			if (ids.includes(at)) needed.set(at, `${id} builds upon it and stays: ${reason}`)
		}
	}
	return needed
}

/** Whether no delete of the backup has begun: what goes first is all there. */
async function isUntouched({ storage }: Repository, id: string): Promise<boolean> {
	const [root, manifest] = await Promise.all([
		storage.stat(`${layout.backupPrefix(id)}/metadata.json`),
		storage.stat(layout.manifestKey(id)),
	])
	return root !== undefined && manifest !== undefined
}

async function withdraw({ storage }: Repository, id: string): Promise<void> {
	try {
		await storage.delete(layout.tombstoneKey(id))
	} catch (error) {
		if (!isBackupError(error, 'STORAGE_PERMISSION')) throw error
		throw new BackupError('STORAGE_PERMISSION', `the tombstone of ${id} could not be taken back`, {
			advice: `delete ${layout.tombstoneKey(id)}: the backup is whole, but is not listed while that is there`,
			cause: error,
		})
	}
}
