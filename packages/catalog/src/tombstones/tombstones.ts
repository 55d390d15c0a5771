import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { canonicalJson, layout } from '@ydbackup/format'

import { parseBackupId } from '../id/backup-id.ts'
import { listManifests } from '../repository/list-manifests.ts'

/** Ids of the backups that are being deleted: one LIST, mostly of nothing. */
export async function listTombstones(storage: Storage, { signal }: CallOptions = {}): Promise<Set<string>> {
	const ids = new Set<string>()
	for await (const { key } of storage.list(layout.tombstonesRoot, { signal })) {
		const id = key.slice(layout.tombstonesRoot.length, -'.json'.length)
		if (key === layout.tombstoneKey(id) && parseBackupId(id) !== undefined) ids.add(id)
	}
	return ids
}

/** Says that a backup is going to be deleted; may be said twice. */
export async function putTombstone(
	storage: Storage,
	id: string,
	at: Date,
	{ signal }: CallOptions = {},
): Promise<void> {
	const bytes = Buffer.from(canonicalJson({ ydbackup: 'tombstone', version: 1, id, at: at.toISOString() }))
	const isAtomic = storage.capabilities.conditionalCreate === true
	try {
		await storage.put(layout.tombstoneKey(id), bytes, {
			size: bytes.length,
			signal,
			...(isAtomic ? { ifAbsent: true } : {}),
		})
	} catch (error) {
		if (!isBackupError(error, 'STORAGE_ALREADY_EXISTS')) throw error
	}
}

/**
 * That backups are there and will stay as long as whoever asks is seen: by its lease, or by its own manifest. Tombstones are looked at
 * before manifests: a tombstone that comes later comes from somebody who sees us, and one that is gone already has taken the manifest
 * with it. Errors: `BACKUP_DELETED`.
 */
export async function assertNotDeleted(
	storage: Storage,
	ids: readonly string[],
	options: CallOptions = {},
): Promise<void> {
	if (ids.length === 0) return
	const tombstones = await listTombstones(storage, options)
	const there = new Set((await listManifests(storage, options)).map(({ id }) => id))
	const gone = ids.filter((id) => tombstones.has(id) || !there.has(id))
	if (gone.length === 0) return
	throw new BackupError(
		'BACKUP_DELETED',
		`${gone.join(', ')} ${gone.length === 1 ? 'is' : 'are'} being deleted, or gone`,
		{
			advice: 'use another backup; see ydbackup backup list',
		},
	)
}
