import { BackupError, isBackupError, type Storage } from '@ydbackup/core'
import { type ManifestFile, sha256Hex } from '@ydbackup/format'

import { runAll } from '../flow/run-all.ts'
import { readWhole } from '../part/read-object.ts'

export interface ReadBackOptions {
	readonly storage: Storage
	readonly files: readonly ManifestFile[]
	readonly concurrency: number
	readonly signal: AbortSignal | undefined
}

/**
 * Asks the store for every object again: data files for their sizes, all others for their bytes. `unavailable` when the store does
 * not let us look, as with rights to put alone. Errors: `OBJECT_MISSING`, `OBJECT_DAMAGED` naming the key.
 */
export async function readBack(options: ReadBackOptions): Promise<'done' | 'unavailable'> {
	const { storage, files, concurrency, signal } = options
	try {
		await runAll(files, concurrency, signal, async (file, stop) => {
			if (file.role === 'data') {
				const info = await storage.stat(file.key, { signal: stop })
				if (info === undefined) throw missing(file.key)
				if (info.size !== file.size) throw damaged(file.key, `has ${info.size} bytes, and ${file.size} were written`)
				return
			}
			const found = await readWhole({ storage, key: file.key, size: file.size, signal: stop })
			if (sha256Hex(found) !== file.sha256) throw damaged(file.key, 'does not hold the bytes that were written')
		})
	} catch (error) {
		if (isBackupError(error, 'STORAGE_PERMISSION')) return 'unavailable'
		throw error
	}
	return 'done'
}

function missing(key: string): BackupError {
	return new BackupError('OBJECT_MISSING', `the store took ${key} and does not have it`, {
		advice: 'nothing is listed; check the storage, then run again',
	})
}

function damaged(key: string, how: string): BackupError {
	return new BackupError('OBJECT_DAMAGED', `${key} ${how}`, {
		advice: 'nothing is listed; check the storage and what stands between, then run again',
	})
}
