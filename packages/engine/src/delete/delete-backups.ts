import {
	assertShowsUsers,
	type BackupEntry,
	compareBackupIds,
	findNeeds,
	KEPT_COPY,
	listTombstones,
	type Need,
	type RemovedBackup,
	removeBackups,
	type Repository,
} from '@ydbackup/catalog'
import { BackupError, throwIfInterrupted } from '@ydbackup/core'

import type { EventHandler } from '../events/event.ts'
import { createReporter, type Reporter, type Warning } from '../events/reporter.ts'
import { dropLeftCopies, type LeftCopiesOptions } from './drop-left-copies.ts'

export interface RemovalSettings {
	readonly repository: Repository
	/** Say what would be deleted, and delete nothing. */
	readonly dryRun?: boolean | undefined
	/** As of {@link LeftCopiesOptions}: without it, copies that backups kept in a database are named and stay. */
	readonly openSource?: LeftCopiesOptions['openSource']
	/** As of the catalog's `RemoveBackupsOptions`. */
	readonly settleMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
	readonly clock?: (() => Date) | undefined
}

export interface DeleteBackupsOptions extends RemovalSettings {
	readonly ids: readonly string[]
	/** Delete what builds upon them too. */
	readonly withDependents?: boolean | undefined
}

export interface DeleteBackupsResult {
	readonly dryRun: boolean
	/** `partial` when something that was asked for is still there. */
	readonly outcome: 'complete' | 'partial'
	/** Newest first. In a dry run what would be deleted, with the files and bytes that its manifest names. */
	readonly backups: readonly RemovedBackup[]
	readonly warnings: readonly Warning[]
}

/**
 * Deletes backups, all of them or none unless something changes meanwhile; one whose delete was cut off is deleted to its end. Errors:
 * `BACKUP_NOT_FOUND`; `BACKUP_NEEDED` naming what builds upon one of them, holds it or uses it; those of the catalog's `removeBackups`.
 */
export async function deleteBackups(options: DeleteBackupsOptions): Promise<DeleteBackupsResult> {
	const { repository, settleMs, signal, clock } = options
	const reporter = createReporter(options.onEvent)
	throwIfInterrupted(signal, 'starting to delete')
	assertShowsUsers(repository.storage)
	reporter.phase('list', 'listing the backups')
	const entries = await repository.listAll({ signal })
	const doomed = await chooseDoomed(options, entries)
	await assertNotNeeded(options, doomed)
	const unreadable = entries.filter(({ id, manifest }) => manifest === undefined && !doomed.has(id))
	for (const { id } of unreadable) reporter.warn(`${id} cannot be read, and nobody knows what it builds upon`)
	if (options.dryRun === true) {
		const backups = planned(entries, doomed)
		return { dryRun: true, outcome: 'complete', backups, warnings: reporter.warnings }
	}
	const count = `${doomed.size} ${doomed.size === 1 ? 'backup' : 'backups'}`
	reporter.phase('check', `looking for whoever uses ${count}`)
	const removed = await removeBackups(repository, [...doomed], { settleMs, signal, clock, ...showing(reporter) })
	const backups = await dropLeftCopies(options, removed, reporter)
	const isComplete = backups.every(({ state }) => state === 'deleted')
	return { dryRun: false, outcome: isComplete ? 'complete' : 'partial', backups, warnings: reporter.warnings }
}

/** Tells the reporter how far `removeBackups` is. */
export function showing(reporter: Reporter): {
	readonly onDeleting: (id: string) => void
	readonly onDeleted: (id: string, objects: number) => void
} {
	return {
		onDeleting: (id) => reporter.phase('cleanup', `deleting ${id}`),
		onDeleted: (id, objects) => reporter.phase('cleanup', `deleting ${id}: ${objects} objects are gone`),
	}
}

async function chooseDoomed(
	{ repository, ids, withDependents, signal }: DeleteBackupsOptions,
	entries: readonly BackupEntry[],
): Promise<Set<string>> {
	const known = new Set([...entries.map(({ id }) => id), ...(await listTombstones(repository.storage, { signal }))])
	// For its error, which names those that there are.
	for (const id of ids) if (!known.has(id)) await repository.read(id, { signal })
	const doomed = new Set(ids)
	if (withDependents !== true) return doomed
	for (let size = 0; size < doomed.size;) {
		size = doomed.size
		for (const { id, manifest } of entries) if (doomed.has(manifest?.parent?.id ?? '')) doomed.add(id)
	}
	return doomed
}

async function assertNotNeeded(
	{ repository, withDependents, signal, clock }: DeleteBackupsOptions,
	doomed: ReadonlySet<string>,
): Promise<void> {
	const needs = await findNeeds(repository, doomed, { clock, signal })
	if (needs.size > 0) throw needed(needs, withDependents === true)
	for (const [id, reason] of await copiesLeft(repository, signal)) {
		if (!doomed.has(id)) continue
		throw new BackupError('BACKUP_NEEDED', `${id} must stay: ${reason}; nothing was deleted`, {
			advice: `drop them with ydbackup backup resume ${id}`,
		})
	}
}

/** Backups whose runs have left copies in a database: with the record nobody would know of them any more. */
export async function copiesLeft(
	repository: Repository,
	signal: AbortSignal | undefined,
): Promise<Map<string, string>> {
	const left = new Map<string, string>()
	for (const { id, record } of await repository.runs({ signal })) {
		if (record === undefined || record.workDirectory === '' || record.kind === KEPT_COPY) continue
		left.set(id, `its run has left copies in ${record.database}/${record.workDirectory}`)
	}
	return left
}

function needed(needs: ReadonlyMap<string, readonly Need[]>, withDependents: boolean): BackupError {
	const reasons = Array.from(needs, ([id, all]) => `${id} must stay: ${all.map(({ reason }) => reason).join(', and ')}`)
	const kinds = new Set(Array.from(needs.values()).flatMap((all) => all.map(({ kind }) => kind)))
	const advice = [
		kinds.has('child') && !withDependents ? 'delete all that builds upon it too, with --with-dependents' : undefined,
		kinds.has('hold') ? 'a hold ends at its time, or by ydbackup backup release ID' : undefined,
		kinds.has('lease') ? 'wait until nobody uses it; the lease of a process that died ends by itself' : undefined,
	]
	return new BackupError('BACKUP_NEEDED', `${reasons.join('; ')}; nothing was deleted`, {
		advice: advice.filter((line) => line !== undefined).join('; '),
	})
}

function planned(entries: readonly BackupEntry[], doomed: ReadonlySet<string>): RemovedBackup[] {
	const manifests = new Map(entries.map(({ id, manifest }) => [id, manifest]))
	return [...doomed]
		.toSorted(compareBackupIds)
		.toReversed()
		.map((id) => {
			const manifest = manifests.get(id)
			const objects = manifest === undefined ? 0 : manifest.files.length + 1
			return { id, state: 'deleted', objects, bytes: manifest?.counts.storedBytes ?? 0 }
		})
}
