import type { CallOptions, Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'
import { compareBackupIds, parseBackupId } from '../id/backup-id.ts'
import type { ListedManifest } from './backup-entry.ts'

/** Every manifest of a repository, newest last: one LIST of `catalog/`. */
export async function listManifests(storage: Storage, options: CallOptions = {}): Promise<ListedManifest[]> {
	const found: ListedManifest[] = []
	for await (const { key, size, modifiedAt } of storage.list(layout.catalogRoot, { signal: options.signal })) {
		const parts = key.split('/')
		const id = parts[1]
		if (parts.length !== 3 || parts[2] !== 'manifest.json' || id === undefined) continue
		found.push({ id, key, isId: parseBackupId(id) !== undefined, size, modifiedAt })
	}
	return found.toSorted((a, b) => compareBackupIds(a.id, b.id))
}
