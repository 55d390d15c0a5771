import { putTombstone, removeObjects as removeFromStorage } from '@ydbackup/catalog'
import { BackupError, isBackupError } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import type { BackupRun } from './backup-run.ts'
import { deleteObjects, dropCopies, keysOfRun } from './cleanup.ts'
import { rootKeys } from './write-root.ts'

const FLUSH_MS = 15_000

/** Failures of the manifest's put after which it may still appear. */
const UNCERTAIN = new Set(['STORAGE_TRANSIENT', 'STORAGE_THROTTLED', 'DEADLINE_EXCEEDED', 'INTERRUPTED'])

/** Undoes a run that failed or was stopped, as far as its stage allows, and gives the error to throw. */
export async function abandonRun(run: BackupRun, error: unknown): Promise<unknown> {
	const isStopped = run.options.signal?.aborted === true && run.stage === 'working'
	if (isStopped && run.options.discardOnInterrupt !== true && run.snapshot?.copies !== undefined) {
		const signal = cleanupSignal(FLUSH_MS, 'noting what is done')
		// What is not noted is made again.
		await run.journal?.flush(signal).catch(() => undefined)
		return kept(run, error)
	}

	const isDropped = run.snapshot === undefined || (await dropCopies(run.snapshot, run.reporter))
	if (run.stage === 'committing' && isBackupError(error, 'BACKUP_DELETED')) {
		await takeBack(run)
		if (isDropped) await run.end()
		return error
	}
	const mayExist = run.stage === 'committing' && (await mayBeListed(run, error))
	if (!mayExist) await removeObjects(run)
	if (isDropped) await run.end()
	if (isStopped) return discarded(run, error)
	if (mayExist) {
		run.reporter.warn(
			`it is not certain whether ${run.id} was committed, so its objects stay; if it is listed it is whole: verify it`,
		)
	}
	return error
}

async function removeObjects(run: BackupRun): Promise<void> {
	const { ledger, id, reporter, options } = run
	const { storage } = options.repository
	// Of a run that was gone on with, other processes have written too.
	const keys = run.isResumed ? await keysOfRun(storage, id).catch(() => ledger.attempted()) : ledger.attempted()
	await deleteObjects(storage, rootKeys(id), keys, reporter)
}

/** What it builds upon is being deleted: its manifest may be there, and must not be seen. */
async function takeBack({ id, reporter, options, now }: BackupRun): Promise<void> {
	const { storage } = options.repository
	const signal = cleanupSignal(60_000, `taking back ${id}`)
	try {
		await putTombstone(storage, id, now(), { signal })
		const { refused } = await removeFromStorage(storage, id, { signal })
		if (refused.length > 0)
			reporter.warn(`${refused.length} objects of ${id} stay on storage, where no backup lists them`)
	} catch (failure) {
		reporter.warn(`${id} could not be taken back, and lacks what it builds upon: delete it: ${reasonText(failure)}`)
	}
}

/** Whether the manifest is there or may come to be. Deleting the objects of a listed backup would be the worst of all ends. */
export async function mayBeListed(
	run: { readonly id: string; readonly options: Pick<BackupRun['options'], 'repository'> },
	error: unknown,
): Promise<boolean> {
	if (!isBackupError(error) || UNCERTAIN.has(error.code)) return true
	try {
		const signal = cleanupSignal(30_000, 'looking for the manifest')
		return (await run.options.repository.storage.stat(layout.manifestKey(run.id), { signal })) !== undefined
	} catch {
		return true
	}
}

function kept(run: BackupRun, cause: unknown): BackupError {
	const place = `${run.options.source.database}/${run.workDirectory}`
	return new BackupError('INTERRUPTED', `run ${run.id} was stopped before the backup was complete; nothing is listed`, {
		advice: `to go on: ydbackup backup resume ${run.id}; to give the run up, with its copies in ${place}: ydbackup backup gc`,
		cause,
	})
}

function discarded(run: BackupRun, cause: unknown): BackupError {
	return new BackupError('INTERRUPTED', `run ${run.id} was stopped and discarded; nothing is listed`, {
		advice: 'run it again',
		cause,
	})
}
