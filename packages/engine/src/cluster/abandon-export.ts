import { removeObjects } from '@ydbackup/catalog'
import { BackupError, type ClusterTransfers, isBackupError } from '@ydbackup/core'

import { mayBeListed } from '../backup/abandon-run.ts'
import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import type { ExportRun } from './complete-export.ts'
import { cancel } from './follow.ts'

const DELETE_MS = 120_000

export interface AbandonExport {
	readonly run: ExportRun
	readonly transfers: ClusterTransfers
	/** Undefined when no export was begun, or nobody knows. */
	readonly operation: string | undefined
	readonly isBridged: boolean
	readonly discardOnInterrupt: boolean
}

/** Undoes an export that failed, or leaves one that was stopped to the cluster, and gives the error to throw. */
export async function abandonExport(options: AbandonExport, error: unknown): Promise<unknown> {
	const { run, operation, isBridged, discardOnInterrupt } = options
	const { id, reporter } = run
	const isStopped = run.options.signal?.aborted === true && run.stage === 'working'
	if (isStopped && operation !== undefined && !isBridged && !discardOnInterrupt) {
		return new BackupError('INTERRUPTED', `the cluster goes on with the export of ${id}; nothing is listed yet`, {
			advice: `ydbackup backup resume ${id} goes on with it, ydbackup operation cancel "${operation}" ends it`,
			cause: error,
		})
	}
	// The answer to the start was lost: the cluster may have begun, and the same id again finds it.
	if (operation === undefined && isBackupError(error) && isOpenEnd(error)) {
		reporter.warn(
			`it is not certain whether the cluster has begun the export of ${id}: ydbackup backup resume ${id} finds out`,
		)
		return error
	}
	if (run.stage === 'committing' && (await mayBeListed(run, error))) {
		reporter.warn(
			`it is not certain whether ${id} was committed, so its objects stay; if it is listed it is whole: verify it`,
		)
		await run.end()
		return error
	}
	if (await discardExport(options)) await run.end()
	if (!isStopped) return error
	return new BackupError('INTERRUPTED', `run ${id} was stopped and discarded; nothing is listed`, {
		advice: 'run it again',
		cause: error,
	})
}

/** Ends what the cluster does and deletes what it has written. False, with a warning, when something is left. */
export async function discardExport({ run, transfers, operation }: AbandonExport): Promise<boolean> {
	const { id, reporter } = run
	const { storage } = run.options.repository
	reporter.phase('cleanup', `ending the export of ${id}`)
	const hasEnded = operation === undefined || (await cancel(transfers.operations, operation, reporter))
	if (!hasEnded) return false
	try {
		const { refused } = await removeObjects(storage, id, { signal: cleanupSignal(DELETE_MS, `deleting ${id}`) })
		if (refused.length > 0)
			reporter.warn(`${refused.length} objects of this unfinished run stay on storage, where no backup lists them`)
		return true
	} catch (error) {
		reporter.warn(`objects of this unfinished run stay on storage, where no backup lists them: ${reasonText(error)}`)
		return false
	}
}

function isOpenEnd({ code }: BackupError): boolean {
	return code === 'DATABASE_UNREACHABLE' || code === 'DEADLINE_EXCEEDED' || code === 'INTERRUPTED'
}
