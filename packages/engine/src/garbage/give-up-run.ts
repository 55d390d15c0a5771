import {
	isWorkDirectory,
	KEPT_COPY,
	type ListedRun,
	putTombstone,
	removeObjects,
	type Repository,
	type RunRecord,
	takeLease,
} from '@ydbackup/catalog'
import { type ClusterTransfers, isBackupError, type SnapshotSource } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { settleDead } from '../backup/settle-copies.ts'
import { COPY_RUN } from '../copy/copy-backup.ts'
import { EXPORT_RUNS } from '../cluster/cluster-backup.ts'
import { giveUpExport } from '../cluster/resume-export.ts'
import type { EventHandler } from '../events/event.ts'
import { type Reporter, reasonText } from '../events/reporter.ts'
import type { Garbage } from './garbage.ts'

/** The database whose runs may be given up. */
export interface GarbageDatabase {
	readonly source: Pick<SnapshotSource, 'database' | 'dropWorkDirectory' | 'workDirectories'>
	readonly transfers: ClusterTransfers
}

export interface GiveUpOptions {
	readonly repository: Repository
	readonly database?: GarbageDatabase | undefined
	readonly dryRun?: boolean | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
	readonly clock?: (() => Date) | undefined
	readonly tool: { readonly name: string; readonly version: string }
}

/** Why a run is left alone, as far as its record and those of all others tell; undefined when it may go. */
export function reasonToKeep(run: ListedRun, { repository, database }: GiveUpOptions): string | undefined {
	const { record } = run
	if (record === undefined) return `its record cannot be read: ${run.error.message}`
	const { kind = 'backup' } = record
	if (kind !== 'backup' && kind !== COPY_RUN && kind !== KEPT_COPY && !EXPORT_RUNS.has(kind))
		return `it is a run of kind ${kind}, which is not given up here`
	if (!leavesInDatabase(record)) return undefined
	const place = `${record.database}/${record.workDirectory}`
	if (record.workDirectory !== '' && !isWorkDirectory(repository.header, record.workDirectory))
		return `its copies would be in ${place}, which is no place of ours`
	if (database === undefined) return `it may have left something in ${place}: connect to that database`
	if (database.source.database === record.database) return undefined
	return `it may have left something in ${place}, and ${database.source.database} is connected`
}

/**
 * Removes what a run has left, under a lease that nobody shares: its copies, its export in the cluster, its objects, its record. A backup
 * that came of it is not touched. Killed anywhere, what is left is found again: by its record, or by a tombstone.
 */
export async function giveUpRun(
	options: GiveUpOptions,
	{ id, record }: { readonly id: string; readonly record: RunRecord },
	sharers: readonly string[],
	reporter: Reporter,
): Promise<Garbage> {
	const { repository, database, clock = () => new Date(), signal } = options
	const { storage } = repository
	const garbage = { kind: 'run', name: id, objects: 0 } as const
	try {
		// Who goes on with any run that has the same copies is seen, and sees us.
		const backups = [id, ...sharers]
		await using lease = await takeLease(storage, { purpose: 'delete', backups, isExclusive: true, clock, signal })
		if ((await storage.stat(layout.runKey(id), { signal })) === undefined) {
			return { ...garbage, state: 'kept', reason: 'it has ended meanwhile' }
		}
		reporter.phase('cleanup', `giving up run ${id}`)
		if ((await storage.stat(layout.manifestKey(id), { signal })) !== undefined) {
			const isKept = await settle(options, { id, record })
			lease.assertHeld()
			await repository.endRun(id, { signal })
			const copy = isKept ? ', with the copy that it keeps' : ''
			return { ...garbage, state: 'removed', reason: `its backup is complete and stays${copy}` }
		}
		if (record.workDirectory !== '') await database?.source.dropWorkDirectory(record.workDirectory, { signal })
		lease.assertHeld()
		const reason = record.kind === KEPT_COPY ? 'the copy of a deleted backup' : 'no backup came of it'
		if (EXPORT_RUNS.has(record.kind ?? '') && database !== undefined) {
			const isGone = await giveUpExport({ ...options, id, transfers: database.transfers })
			return isGone
				? { ...garbage, state: 'removed', reason }
				: { ...garbage, state: 'failed', reason: 'its export, or its objects, could not be removed' }
		}
		await putTombstone(storage, id, clock(), { signal })
		const { objects, refused } = await removeObjects(storage, id, { beforeBatch: () => lease.assertHeld(), signal })
		if (refused.length === 0) return { ...garbage, state: 'removed', reason, objects }
		return { ...garbage, state: 'failed', reason: `the store does not delete ${refused[0]}`, objects }
	} catch (error) {
		if (isBackupError(error, 'LEASED')) return { ...garbage, state: 'kept', reason: error.message }
		if (signal?.aborted === true) throw error
		return { ...garbage, state: 'failed', reason: reasonText(error) }
	}
}

/** Drops what a listed backup does not keep. A delete of it that was cut off before it was begun keeps everything. */
async function settle(
	{ repository, database, signal }: GiveUpOptions,
	run: { readonly id: string; readonly record: RunRecord },
): Promise<boolean> {
	const { kind, workDirectory } = run.record
	if (kind === KEPT_COPY) return true
	if (database === undefined || workDirectory === '') return false
	return settleDead(database.source, repository, run, { signal })
}

const leavesInDatabase = ({ workDirectory, kind }: RunRecord): boolean =>
	workDirectory !== '' || EXPORT_RUNS.has(kind ?? '')
