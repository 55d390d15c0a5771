import {
	assertShowsUsers,
	type BackupEntry,
	findNeeds,
	hasRule,
	listProofs,
	planPrune,
	type PruneDecision,
	type RemovedBackup,
	removeBackups,
	type RetentionRules,
} from '@ydbackup/catalog'
import { BackupError, throwIfInterrupted } from '@ydbackup/core'

import { createReporter, type Warning } from '../events/reporter.ts'
import { dropLeftCopies } from './drop-left-copies.ts'
import { copiesLeft, type RemovalSettings, showing } from './delete-backups.ts'

export interface PruneBackupsOptions extends RemovalSettings {
	readonly rules: RetentionRules
	/** Only backups with all of these labels are judged. */
	readonly labels?: Readonly<Record<string, string>> | undefined
	/** Of what no rule keeps delete these alone: those that somebody has agreed to. */
	readonly only?: ReadonlySet<string> | undefined
}

export interface PrunedBackup extends PruneDecision {
	/** RFC 3339; undefined for a damaged one. */
	readonly takenAt: string | undefined
	readonly kind: 'full' | 'incremental' | undefined
	readonly storedBytes: number
}

export interface PruneBackupsResult {
	readonly dryRun: boolean
	/** `partial` when something that was to go is still there. */
	readonly outcome: 'complete' | 'partial'
	/** Every backup, newest last. What had to stay at the last moment is kept, with the reason. */
	readonly backups: readonly PrunedBackup[]
	readonly deleted: number
	/** That were deleted; in a dry run those that the manifests name. */
	readonly bytes: number
	readonly warnings: readonly Warning[]
}

/**
 * Deletes the backups that no rule keeps and nothing needs. Errors: `CONFIG_INVALID` without a rule; those of the catalog's `removeBackups`.
 */
export async function pruneBackups(options: PruneBackupsOptions): Promise<PruneBackupsResult> {
	const { repository, rules, signal, clock, settleMs, only } = options
	const reporter = createReporter(options.onEvent)
	throwIfInterrupted(signal, 'starting to prune')
	if (!hasRule(rules)) {
		throw new BackupError('CONFIG_INVALID', 'no rule says what to keep', {
			advice: 'give at least one, for example --keep-last 7',
		})
	}
	assertShowsUsers(repository.storage)
	reporter.phase('list', 'listing the backups')
	const { entries, decisions } = await plan(options)
	const known = new Map(entries.map((entry) => [entry.id, entry]))
	const doomed = decisions.flatMap(({ id, action }) => (action === 'delete' && only?.has(id) !== false ? [id] : []))
	const isDry = options.dryRun === true
	let removed: readonly RemovedBackup[] = []
	if (!isDry && doomed.length > 0) {
		reporter.phase('check', `looking for whoever uses ${doomed.length} ${doomed.length === 1 ? 'backup' : 'backups'}`)
		removed = await removeBackups(repository, doomed, { settleMs, signal, clock, ...showing(reporter) })
		await dropLeftCopies(options, removed, reporter)
	}
	const ends = new Map(removed.map((one) => [one.id, one]))
	const backups = decisions.map((decision) => described(decided(decision, ends.get(decision.id), only), known))
	const gone = removed.filter(({ state }) => state === 'deleted')
	return {
		dryRun: isDry,
		outcome: gone.length === removed.length ? 'complete' : 'partial',
		backups,
		deleted: isDry ? doomed.length : gone.length,
		bytes: isDry
			? doomed.reduce((sum, id) => sum + bytesOf(known.get(id)), 0)
			: removed.reduce((sum, { bytes }) => sum + bytes, 0),
		warnings: reporter.warnings,
	}
}

async function plan({ repository, rules, labels, signal, clock = () => new Date() }: PruneBackupsOptions): Promise<{
	readonly entries: readonly BackupEntry[]
	readonly decisions: readonly PruneDecision[]
}> {
	const proven = new Set((await listProofs(repository.storage, { signal })).keys())
	const entries = await repository.list({ signal })
	const ids = new Set(entries.map(({ id }) => id))
	const needed = new Map<string, string[]>()
	// All at once: what builds upon one of them is judged by the plan.
	for (const [id, needs] of await findNeeds(repository, ids, { clock, signal })) {
		needed.set(
			id,
			needs.map(({ reason }) => reason),
		)
	}
	for (const [id, reason] of await copiesLeft(repository, signal)) {
		if (ids.has(id)) needed.set(id, [...(needed.get(id) ?? []), reason])
	}
	return { entries, decisions: planPrune(entries, { rules, labels, proven, needed, now: clock() }) }
}

function decided(
	decision: PruneDecision,
	end: RemovedBackup | undefined,
	only: ReadonlySet<string> | undefined,
): PruneDecision {
	if (end?.reason !== undefined) {
		return { ...decision, action: end.state === 'kept' ? 'keep' : 'delete', reasons: [end.reason] }
	}
	if (decision.action === 'keep' || only?.has(decision.id) !== false) return decision
	return { ...decision, action: 'keep', reasons: ['no rule keeps it, but nobody was asked about it'] }
}

function described(decision: PruneDecision, known: ReadonlyMap<string, BackupEntry>): PrunedBackup {
	const entry = known.get(decision.id)
	const manifest = entry?.manifest
	return { ...decision, takenAt: manifest?.snapshotBefore, kind: manifest?.kind, storedBytes: bytesOf(entry) }
}

function bytesOf(entry: BackupEntry | undefined): number {
	return entry?.manifest?.counts.storedBytes ?? 0
}
