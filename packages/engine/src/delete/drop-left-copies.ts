import type { RemovedBackup, Repository } from '@ydbackup/catalog'
import type { SnapshotSource } from '@ydbackup/core'

import { type Reporter, reasonText } from '../events/reporter.ts'

/** A database in which deleted backups may have kept copies. */
export type CopySource = Pick<SnapshotSource, 'database' | 'dropWorkDirectory'>

export interface LeftCopiesOptions {
	readonly repository: Repository
	/** Asked only when there is something to drop. Undefined, or giving undefined, when no database is at hand. */
	readonly openSource?: (() => Promise<CopySource | undefined>) | undefined
	readonly signal?: AbortSignal | undefined
}

/**
 * Drops the copies that deleted backups kept. What is left is warned of by its place, and stays noted for `gc`. Returns the same backups, those
 * whose copy is gone without it.
 */
export async function dropLeftCopies(
	{ repository, openSource, signal }: LeftCopiesOptions,
	removed: readonly RemovedBackup[],
	reporter: Reporter,
): Promise<RemovedBackup[]> {
	const results: RemovedBackup[] = []
	for (const one of removed) {
		const { copy, ...rest } = one
		const { id, state } = rest
		// Of what is deleted in part only, the manifest may be there still.
		if (copy === undefined || state !== 'deleted') {
			results.push(one)
			continue
		}
		const place = `${copy.database}/${copy.workDirectory}`
		try {
			const source = await openSource?.()
			if (source?.database === copy.database) {
				reporter.phase('cleanup', `dropping the copy that ${id} kept`)
				await source.dropWorkDirectory(copy.workDirectory, { signal })
				await repository.endRun(id, { signal })
				results.push(rest)
				continue
			}
			reporter.warn(
				`the copy that ${id} kept stays in ${place}: ydbackup backup gc, connected to that database, drops it`,
			)
		} catch (error) {
			const why = reasonText(error)
			reporter.warn(`the copy that ${id} kept in ${place} could not be dropped: ${why}; ydbackup backup gc does it`)
		}
		results.push(one)
	}
	return results
}
