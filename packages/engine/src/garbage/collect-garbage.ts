import {
	assertShowsUsers,
	leaseText,
	type ListedLease,
	listLeases,
	listTombstones,
	removeBackups,
	takeLease,
	workDirectoryOf,
	workDirectoryPrefix,
} from '@ydbackup/catalog'
import { isBackupError, throwIfInterrupted } from '@ydbackup/core'

import { showing } from '../delete/delete-backups.ts'
import { dropLeftCopies } from '../delete/drop-left-copies.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import type { CollectGarbageResult, Garbage } from './garbage.ts'
import { giveUpRun, type GiveUpOptions, reasonToKeep } from './give-up-run.ts'

export interface CollectGarbageOptions extends GiveUpOptions {
	/** As of the catalog's `RemoveBackupsOptions`. */
	readonly settleMs?: number | undefined
}

const DAY_MS = 86_400_000

/**
 * Removes what processes left that nobody goes on with: runs without a live lease, deletions that were cut off, leases that are over,
 * uploads that were not completed within a day. What it does not know it leaves alone, and without a connection all runs that may have
 * left something in the database. Errors: `STORAGE_UNSUPPORTED` for a store in which nobody could see who is at work.
 */
export async function collectGarbage(options: CollectGarbageOptions): Promise<CollectGarbageResult> {
	const { repository, dryRun = false, signal } = options
	const reporter = createReporter(options.onEvent)
	throwIfInterrupted(signal, 'starting to collect garbage')
	assertShowsUsers(repository.storage)
	reporter.phase('list', 'looking for what runs have left')
	// Before the runs: whoever makes copies has noted its run before.
	const directories = await workDirectories(options)
	const runs = await giveUpRuns(options, reporter)
	const garbage = [
		...runs,
		...(await finishDeletions(options, reporter, runs)),
		...(await nameStrangers(options, directories)),
		...(await clearLeases(options)),
		...(await clearUploads(options)),
	]
	const outcome = garbage.some(({ state }) => state === 'failed') ? 'partial' : 'complete'
	return { dryRun, outcome, garbage, warnings: reporter.warnings }
}

async function giveUpRuns(options: CollectGarbageOptions, reporter: Reporter): Promise<Garbage[]> {
	const { repository, dryRun } = options
	const runs = await repository.runs({ signal: options.signal })
	// After the runs: who is at work took its lease before it noted its run.
	const leases = await liveLeases(options)
	const garbage: Garbage[] = []
	for (const run of runs) {
		const { id, record } = run
		const directory = record?.workDirectory ?? ''
		const sharers = runs.filter((one) => one.id !== id && directory !== '' && one.record?.workDirectory === directory)
		const ids = sharers.map((one) => one.id)
		const reason = userOf([id, ...ids], leases) ?? reasonToKeep(run, options)
		if (reason !== undefined) garbage.push({ kind: 'run', name: id, state: 'kept', reason, objects: 0 })
		else if (dryRun === true)
			garbage.push({ kind: 'run', name: id, state: 'removed', reason: 'nobody is at work with it', objects: 0 })
		else if (record !== undefined) garbage.push(await giveUpRun(options, { id, record }, ids, reporter))
	}
	return garbage
}

/** Deletions whose process died: gone on with, or taken back where the backup is whole and needed. */
async function finishDeletions(
	options: CollectGarbageOptions,
	reporter: Reporter,
	runs: readonly Garbage[],
): Promise<Garbage[]> {
	const { repository, dryRun, settleMs, clock, signal } = options
	const tombstones = await listTombstones(repository.storage, { signal })
	if (tombstones.size === 0) return []
	const leases = await liveLeases(options)
	// With a deletion goes the record of the run, without which nobody knows what it left in the database.
	const stayed = new Set(runs.filter(({ state }) => state !== 'removed').map(({ name }) => name))
	const garbage: Garbage[] = []
	const doomed: string[] = []
	for (const id of tombstones) {
		const reason = userOf([id], leases) ?? (stayed.has(id) ? 'its run is not given up' : undefined)
		if (reason === undefined) doomed.push(id)
		else garbage.push({ kind: 'deletion', name: id, state: 'kept', reason, objects: 0 })
	}
	if (dryRun === true) {
		const cutOff = { kind: 'deletion', state: 'removed', reason: 'it was cut off', objects: 0 } as const
		return [...garbage, ...doomed.map((name) => ({ ...cutOff, name }))]
	}
	if (doomed.length === 0) return garbage
	try {
		const removed = await removeBackups(repository, doomed, { settleMs, clock, signal, ...showing(reporter) })
		await dropLeftCopies({ repository, openSource: async () => options.database?.source, signal }, removed, reporter)
		for (const { id, state, reason = 'it was cut off', objects } of removed) {
			const end = ({ deleted: 'removed', kept: 'kept', partial: 'failed' } as const)[state]
			garbage.push({ kind: 'deletion', name: id, state: end, reason, objects })
		}
	} catch (error) {
		if (!isBackupError(error, 'LEASED')) throw error
		const kept = { kind: 'deletion', state: 'kept', reason: error.message, objects: 0 } as const
		garbage.push(...doomed.map((name) => ({ ...kept, name })))
	}
	return garbage
}

async function workDirectories({
	repository,
	database,
	signal,
}: Pick<CollectGarbageOptions, 'repository' | 'database' | 'signal'>): Promise<readonly string[]> {
	return (await database?.source.workDirectories(workDirectoryPrefix(repository.header), { signal })) ?? []
}

/**
 * Names copies that nothing in this repository speaks of, and leaves them alone: another copy of the repository has the same id, and may know
 * them.
 */
async function nameStrangers(
	{ repository, database, signal }: CollectGarbageOptions,
	before: readonly string[],
): Promise<Garbage[]> {
	if (database === undefined || before.length === 0) return []
	const now = new Set(await workDirectories({ repository, database, signal }))
	const ofRuns = (await repository.runs({ signal })).map(({ record }) => record?.workDirectory)
	const ofBackups = (await repository.listAll({ signal })).flatMap(({ id, manifest }) =>
		manifest === undefined || manifest.keptCopy === true ? workDirectoryOf(repository.header, id) : [],
	)
	const known = new Set([...ofRuns, ...ofBackups])
	return before.flatMap((name): Garbage[] => {
		if (!now.has(name) || known.has(name)) return []
		const reason =
			'no backup and no run here speaks of it: drop it by hand, unless another copy of this repository has that backup'
		return [{ kind: 'copies', name: `${database.source.database}/${name}`, state: 'kept', reason, objects: 0 }]
	})
}

async function clearLeases({ repository, dryRun, clock, signal }: CollectGarbageOptions): Promise<Garbage[]> {
	const { storage } = repository
	const seen = await listLeases(storage, { clock, signal })
	if (seen.every(({ isLive }) => isLive)) return []
	// Only one that was just written tells the time of the store: by a wrong clock of ours those of others would go.
	await using own =
		dryRun === true ? undefined : await takeLease(storage, { purpose: 'read', backups: [], clock, signal })
	const garbage: Garbage[] = []
	for (const { token, isLive, keys } of own ? await listLeases(storage, { clock, own, signal }) : seen) {
		if (isLive) continue
		if (dryRun !== true) for (const key of keys) await storage.delete(key, { signal })
		garbage.push({ kind: 'lease', name: token, state: 'removed', reason: 'it is over', objects: keys.length })
	}
	return garbage
}

async function clearUploads(options: CollectGarbageOptions): Promise<Garbage[]> {
	const { repository, dryRun, clock = () => new Date(), signal } = options
	if (dryRun === true) return []
	const count = (await repository.storage.abortStaleUploads?.(new Date(clock().getTime() - DAY_MS), { signal })) ?? 0
	const reason = 'begun and not completed within a day'
	return count === 0 ? [] : [{ kind: 'uploads', name: String(count), state: 'removed', reason, objects: count }]
}

async function liveLeases({ repository, clock, signal }: CollectGarbageOptions): Promise<ListedLease[]> {
	return (await listLeases(repository.storage, { clock, signal })).filter(({ isLive }) => isLive)
}

/** A lease that cannot be read is on everything. */
function userOf(ids: readonly string[], leases: readonly ListedLease[]): string | undefined {
	const lease = leases.find(({ record }) => record === undefined || record.backups.some((id) => ids.includes(id)))
	return lease && `it is in use: ${leaseText(lease.record)}, until ${lease.endsAt.toISOString()}`
}
