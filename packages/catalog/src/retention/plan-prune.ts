import { compareBackupIds } from '../id/backup-id.ts'
import type { BackupEntry, ReadableBackup } from '../repository/backup-entry.ts'
import { applyRules, type RetentionRules, sortNewestFirst } from './rules.ts'

export interface PruneChoice {
	readonly rules: RetentionRules
	readonly now: Date
	/** Only backups with all of these labels are judged; others stay. */
	readonly labels?: Readonly<Record<string, string>> | undefined
	/** Backups that were read whole and found right. */
	readonly proven?: ReadonlySet<string> | undefined
	/** What else must stay, and why: what is held, in use, … */
	readonly needed?: ReadonlyMap<string, readonly string[]> | undefined
}

export interface PruneDecision {
	readonly id: string
	readonly action: 'keep' | 'delete'
	/** At least one. */
	readonly reasons: readonly string[]
}

/** Clocks are allowed to differ by this much. */
const SKEW_MS = 86_400_000

/**
 * Decides about every backup, newest last. Rules are applied to the backups of the same paths of the same database, or of the same
 * collection, by themselves. Beyond them stay: what something that stays builds upon; the newest of each; the newest of each that was
 * proven; what is from the future, which no rule counts; whatever is damaged, and everything older than that, because nobody knows what it
 * builds upon. More of a rule never lets go of anything.
 */
export function planPrune(entries: readonly BackupEntry[], choice: PruneChoice): PruneDecision[] {
	const { rules, now, labels = {}, proven = new Set<string>(), needed = new Map<string, string[]>() } = choice
	const readable = entries.filter((entry): entry is ReadableBackup => entry.manifest !== undefined)
	const reasons = new Map<string, string[]>()
	const keep = (id: string, ...more: readonly string[]): void => {
		reasons.set(id, [...(reasons.get(id) ?? []), ...more])
	}
	const isFuture = ({ manifest }: ReadableBackup): boolean =>
		Date.parse(manifest.snapshotBefore) > now.getTime() + SKEW_MS
	const isLabelled = ({ manifest }: ReadableBackup): boolean =>
		Object.entries(labels).every(
			([name, value]) => Object.hasOwn(manifest.labels, name) && manifest.labels[name] === value,
		)

	for (const entry of readable) {
		if (!isLabelled(entry)) keep(entry.id, 'it has other labels')
		else if (isFuture(entry)) keep(entry.id, `it is of ${entry.manifest.snapshotBefore}, which lies in the future`)
	}
	for (const group of Map.groupBy(readable, groupOf).values()) {
		const judged = group.filter((entry) => isLabelled(entry) && !isFuture(entry))
		const candidates = judged.map(({ id, manifest }) => ({ id, takenAt: manifest.snapshotBefore }))
		for (const [id, found] of applyRules(candidates, rules, now)) keep(id, ...found)
		const newestFirst = sortNewestFirst(candidates)
		const [newest] = newestFirst
		if (newest !== undefined && !reasons.has(newest.id)) keep(newest.id, 'the newest of its kind')
		const sure = newestFirst.find(({ id }) => proven.has(id))
		if (sure !== undefined && !reasons.has(sure.id)) keep(sure.id, 'the newest that was proven: verify a newer one')
	}
	for (const [id, all] of needed) keep(id, ...all)
	for (const { id, manifest } of entries) if (manifest === undefined) keep(id, 'it is damaged: delete it by its id')
	const newestDamaged = entries.findLast(({ manifest }) => manifest === undefined)
	for (const { id } of newestDamaged === undefined ? [] : readable) {
		if (compareBackupIds(id, newestDamaged!.id) < 0) keep(id, `${newestDamaged!.id} is damaged, and may build upon it`)
	}
	keepAncestors(readable, reasons, keep)
	return entries.map(({ id }) => ({
		id,
		action: reasons.has(id) ? 'keep' : 'delete',
		reasons: reasons.get(id) ?? ['no rule keeps it'],
	}))
}

/** Whatever manifests say, also in an order that only a forger makes, nothing goes that something needs. */
function keepAncestors(
	readable: readonly ReadableBackup[],
	reasons: ReadonlyMap<string, readonly string[]>,
	keep: (id: string, reason: string) => void,
): void {
	const parents = new Map(readable.map(({ id, manifest }) => [id, manifest.parent?.id]))
	const waiting = readable.filter(({ id }) => reasons.has(id)).map(({ id }) => id)
	const seen = new Set<string>()
	for (let child = waiting.pop(); child !== undefined; child = waiting.pop()) {
		if (seen.has(child)) continue
		seen.add(child)
		const parent = parents.get(child)
		if (parent === undefined || !parents.has(parent)) continue
		keep(parent, `${child} builds upon it`)
		waiting.push(parent)
	}
}

function groupOf({ manifest: { source, paths } }: ReadableBackup): string {
	return JSON.stringify([source.database, source.collection?.name ?? '', paths.toSorted()])
}
