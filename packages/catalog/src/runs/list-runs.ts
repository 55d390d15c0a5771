import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'
import { compareBackupIds, parseBackupId } from '../id/backup-id.ts'
import { mapBounded } from '../read/map-bounded.ts'
import { readWhole } from '../read/read-whole.ts'
import { decodeRun, MAX_RUN_BYTES, type RunRecord } from './run-record.ts'

const AT_ONCE = 16

/** A run that has not ended, with its record or the reason why that cannot be read. */
export type ListedRun =
	| { readonly id: string; readonly record: RunRecord; readonly error?: undefined }
	| { readonly id: string; readonly record?: undefined; readonly error: BackupError }

export async function listRuns(storage: Storage, options: CallOptions): Promise<ListedRun[]> {
	const ids = new Set<string>()
	for await (const { key } of storage.list(layout.runsRoot, { signal: options.signal })) {
		const id = key.split('/')[1]
		if (id !== undefined && parseBackupId(id) !== undefined) ids.add(id)
	}
	const runs: ListedRun[] = []
	for (const id of Array.from(ids).toSorted(compareBackupIds)) {
		const run = await readRun(storage, id, options)
		if (run !== undefined) runs.push(run)
	}
	return runs
}

export async function readRun(storage: Storage, id: string, options: CallOptions): Promise<ListedRun | undefined> {
	const key = layout.runKey(id)
	try {
		const tooLarge = (size: number): BackupError => new BackupError('FORMAT_INVALID', `${key} has ${size} bytes`)
		return { id, record: decodeRun(await readWhole(storage, key, MAX_RUN_BYTES, tooLarge, options), key) }
	} catch (error) {
		// Ended since it was listed.
		if (isBackupError(error, 'STORAGE_NOT_FOUND')) return undefined
		if (!isBackupError(error, 'FORMAT_INVALID')) throw error
		return { id, error }
	}
}

/** The record goes last: as long as it is there, the run can be found. */
export async function deleteRun(storage: Storage, id: string, options: CallOptions): Promise<void> {
	const { signal } = options
	const record = layout.runKey(id)
	const keys: string[] = []
	for await (const { key } of storage.list(`${layout.runsRoot}${id}/`, { signal })) {
		if (key !== record) keys.push(key)
	}
	await mapBounded(keys, Math.min(AT_ONCE, storage.capabilities.maxConcurrency), (key) =>
		storage.delete(key, { signal }),
	)
	await storage.delete(record, { signal })
}
