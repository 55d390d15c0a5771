import { hostname } from 'node:os'

import type { Repository } from '@ydbackup/catalog'
import { layout } from '@ydbackup/format'

import { deleteObjects } from '../backup/cleanup.ts'
import { rootKeys } from '../backup/write-root.ts'
import type { Reporter } from '../events/reporter.ts'
import type { CollectionName } from './shipped-links.ts'

/** Runs of this process. Its number alone says nothing: in a container every process may have the same. */
export const runsOfThisProcess: Set<string> = new Set<string>()

/**
 * Removes what runs of this collection left that died on this machine. A run of another machine may still live: it is named and left
 * alone. Nothing of a backup that is listed is touched.
 */
export async function clearDeadRuns(
	repository: Repository,
	{ database, name }: CollectionName,
	reporter: Reporter,
	signal: AbortSignal | undefined,
): Promise<void> {
	const { storage } = repository
	for (const { id, record } of await repository.runs({ signal })) {
		if (record?.collection !== name || record.database !== database) continue
		if (record.host !== hostname() || isAlive(id, record.pid)) {
			reporter.warn(`run ${id} of ${record.host} (process ${record.pid}) ships the same collection, or died doing so`)
			continue
		}
		if ((await storage.stat(layout.manifestKey(id), { signal })) === undefined) {
			const keys: string[] = []
			for (const root of [layout.backupPrefix(id), layout.catalogPrefix(id)]) {
				for await (const { key } of storage.list(`${root}/`, { signal })) keys.push(key)
			}
			await deleteObjects(storage, rootKeys(id), keys, reporter)
		}
		await repository.endRun(id, { signal })
	}
}

function isAlive(id: string, pid: number): boolean {
	if (pid === process.pid) return runsOfThisProcess.has(id)
	try {
		process.kill(pid, 0)
		return true
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM'
	}
}
