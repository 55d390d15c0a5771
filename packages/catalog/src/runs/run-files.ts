import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { mapBounded } from '../read/map-bounded.ts'
import { readWhole } from '../read/read-whole.ts'

/** What a run wrote down to be able to go on: small objects that are written once. */
export interface RunFile {
	/** Without its folder. */
	readonly name: string
	readonly bytes: Uint8Array
}

const MAX_FILE_BYTES = 256 << 20
const AT_ONCE = 8

export async function putRunFile(
	storage: Storage,
	id: string,
	{ name, bytes }: RunFile,
	{ signal }: CallOptions = {},
): Promise<void> {
	await storage.put(layout.runFileKey(id, name), bytes, { size: bytes.length, signal })
}

/** Files of a run whose names begin so, in the order of their names. One that is too large to be ours is left out. */
export async function readRunFiles(
	storage: Storage,
	id: string,
	prefix: string,
	{ signal }: CallOptions = {},
): Promise<RunFile[]> {
	const folder = layout.runFileKey(id, '')
	const keys: string[] = []
	for await (const { key } of storage.list(`${folder}${prefix}`, { signal })) keys.push(key)
	const files = await mapBounded(keys.toSorted(), AT_ONCE, async (key): Promise<RunFile[]> => {
		const tooLarge = (): BackupError => new BackupError('FORMAT_INVALID', `${key} is too large`)
		try {
			const bytes = await readWhole(storage, key, MAX_FILE_BYTES, tooLarge, { signal })
			return [{ name: key.slice(folder.length), bytes }]
		} catch (error) {
			if (isBackupError(error, 'STORAGE_NOT_FOUND') || isBackupError(error, 'FORMAT_INVALID')) return []
			throw error
		}
	})
	return files.flat()
}
