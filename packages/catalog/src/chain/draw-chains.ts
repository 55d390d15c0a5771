import type { Manifest } from '@ydbackup/format'
import type { BackupEntry } from '../repository/backup-entry.ts'

/** A backup's place among the others of a listing. */
export interface ChainPlace {
	readonly id: string
	/** The full backup that its chain begins with; undefined when that is not known, because a link between them is missing or damaged. */
	readonly root: string | undefined
	/** 0 for a full backup, 1 for the first increment upon it. Undefined with {@link root}. */
	readonly position: number | undefined
	/** Backups that were made upon this one, oldest first. While there is one, this one must stay. */
	readonly children: readonly string[]
}

/** The place of every backup of a listing, in its order. It trusts what manifests say of each other; `readChain` checks it. */
export function chainPlaces(entries: readonly BackupEntry[]): ChainPlace[] {
	const manifests = new Map(entries.flatMap(({ id, manifest }) => (manifest ? [[id, manifest] as const] : [])))
	const children = new Map<string, string[]>()
	for (const [id, { parent }] of manifests) {
		if (parent) children.set(parent.id, [...(children.get(parent.id) ?? []), id])
	}
	const known = new Map<string, Pick<ChainPlace, 'root' | 'position'>>()

	/** A loop, not a recursion: chains may be long; a circle (only a forger makes one) has no root. */
	function placeOf(id: string): Pick<ChainPlace, 'root' | 'position'> {
		const way: string[] = []
		const seen = new Set<string>()
		let at: string | undefined = id
		let base: Pick<ChainPlace, 'root' | 'position'> = { root: undefined, position: undefined }
		while (at !== undefined && !seen.has(at)) {
			const found = known.get(at)
			if (found) {
				base = found
				break
			}
			const manifest: Manifest | undefined = manifests.get(at)
			if (manifest === undefined) break
			seen.add(at)
			if (manifest.parent === undefined) {
				base = { root: at, position: 0 }
				known.set(at, base)
				break
			}
			way.unshift(at)
			at = manifest.parent.id
		}
		for (const link of way) {
			base = { root: base.root, position: base.position === undefined ? undefined : base.position + 1 }
			known.set(link, base)
		}
		return known.get(id) ?? base
	}

	return entries.map(({ id }) => ({ id, ...placeOf(id), children: (children.get(id) ?? []).toSorted() }))
}
