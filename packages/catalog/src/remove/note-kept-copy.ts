import { type CallOptions, isBackupError } from '@ydbackup/core'
import { layout, type Manifest } from '@ydbackup/format'
import { workDirectoryOf } from '../id/work-directory.ts'
import { thisOwner } from '../leases/owner.ts'
import type { Repository } from '../repository/repository.ts'
import { readRun } from '../runs/list-runs.ts'
import type { RunRecord } from '../runs/run-record.ts'

/** The kind of a record that is of no run, but of the copy in a database that a deleted backup kept. */
export const KEPT_COPY = 'kept-copy'

/**
 * Writes down where a backup keeps its copy, if it does, before its manifest goes: with that nobody would know of the copy any more. What was
 * written down before is given again when the manifest is gone.
 */
export async function noteKeptCopy(
	repository: Repository,
	id: string,
	options: CallOptions = {},
): Promise<RunRecord | undefined> {
	const { storage, header } = repository
	const noted = (await readRun(storage, id, options))?.record
	if (noted !== undefined) return noted.kind === KEPT_COPY ? noted : undefined
	const manifest = await readManifest(repository, id, options)
	if (manifest?.keptCopy !== true) return undefined
	const record: RunRecord = {
		kind: KEPT_COPY,
		database: manifest.source.database,
		workDirectory: workDirectoryOf(header, id),
		startedAt: manifest.createdAt,
		...thisOwner(),
	}
	await repository.startRun(id, record, options)
	return record
}

/** Undefined when it is not there, and when it cannot be read: nobody knows then. */
async function readManifest(repository: Repository, id: string, options: CallOptions): Promise<Manifest | undefined> {
	if ((await repository.storage.stat(layout.manifestKey(id), options)) === undefined) return undefined
	try {
		return (await repository.read(id, options)).manifest
	} catch (error) {
		if (isBackupError(error) && (error.kind === 'damaged' || error.code === 'BACKUP_NOT_FOUND')) return undefined
		throw error
	}
}
