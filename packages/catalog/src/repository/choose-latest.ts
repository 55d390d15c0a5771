import type { Manifest } from '@ydbackup/format'
import type { ListedManifest } from './backup-entry.ts'

/** How far the store's clock and the database's may lie apart before an older id is not asked for its time. */
export const CLOCKS_APART_MS: number = 15 * 60_000
const MOST_ASKED = 8

/**
 * The backup with the newest snapshot. Mostly that is the newest id; but a run that began earlier may have taken its snapshot, and ended,
 * later. Only backups that the store wrote since the newest id's snapshot can be such ones, and only they are read.
 * `listed` is newest last and not empty.
 */
export async function chooseLatest<T extends { readonly manifest: Manifest }>(
	listed: readonly ListedManifest[],
	read: (one: ListedManifest) => Promise<T>,
): Promise<T> {
	let latest = await read(listed.at(-1)!)
	const since = Date.parse(latest.manifest.snapshotAfter) - CLOCKS_APART_MS
	const rivals = listed
		.slice(0, -1)
		.filter(({ modifiedAt }) => modifiedAt !== undefined && modifiedAt.getTime() >= since)
		.slice(-MOST_ASKED)
	for (const rival of rivals.toReversed()) {
		const other = await read(rival)
		if (isLater(other.manifest, latest.manifest)) latest = other
	}
	return latest
}

function isLater(a: Manifest, b: Manifest): boolean {
	// A child is later than its parent, whatever clocks say.
	if (a.parent?.id === b.id) return true
	if (b.parent?.id === a.id) return false
	return Date.parse(a.snapshotAfter) > Date.parse(b.snapshotAfter)
}
