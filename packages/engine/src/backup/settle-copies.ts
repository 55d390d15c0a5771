import { type Repository, type RunRecord, workDirectoryOf } from '@ydbackup/catalog'
import { type CallOptions, isBackupError, type SnapshotSource } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import { dropKeptCopy } from '../chain/parent-copy.ts'
import type { BackupPlan } from './backup-plan.ts'
import type { BackupRun } from './backup-run.ts'
import { dropCopies, dropOrWarn } from './cleanup.ts'

/** Whether the copies of a run stay when it is committed: they must be there, under the name that follows from the backup's id. */
export function keepsCopies(run: BackupRun, { tables }: BackupPlan): boolean {
	return run.options.keepCopy === true && isNamedByRun(run) && run.snapshot !== undefined && tables.some(isCopied)
}

const isNamedByRun = ({ id, options, workDirectory }: BackupRun): boolean =>
	workDirectory === workDirectoryOf(options.repository.header, id)

const isCopied = ({ kind }: BackupPlan['tables'][number]): boolean => kind === 'row-table'

/**
 * Drops what is not needed any more when a backup is listed: its copies, unless it keeps them, and the copy that its parent kept, because only
 * the one of a chain's newest link can be compared with. Then the run ends; what could not be dropped is warned of, and its record stays for `gc`.
 */
export async function settleCopies(run: BackupRun, isKept: boolean): Promise<void> {
	const { snapshot, reporter, increment, options } = run
	if (options.keepCopy === true && !isKept) reporter.warn(`${run.id} keeps no copy: ${whyNone(run)}`)
	let isSettled = true
	if (isKept) {
		reporter.phase('cleanup', `leaving the copies in ${run.workDirectory}`)
		// What it holds of the server besides ends by itself.
		await snapshot?.leave().catch(() => undefined)
	} else if (snapshot !== undefined) isSettled = await dropCopies(snapshot, reporter)
	if (increment?.dropCopy !== undefined) isSettled = (await dropParentCopy(run, increment.dropCopy)) && isSettled
	if (isSettled) await run.end()
}

function whyNone(run: BackupRun): string {
	return isNamedByRun(run)
		? 'it has no row table, and others are not copied'
		: 'its copies bear the name of the run that was gone on with'
}

function dropParentCopy(
	{ reporter, increment, options }: BackupRun,
	drop: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
	const { id } = increment!.parent
	const place = workDirectoryOf(options.repository.header, id)
	const doing = `dropping the copy that ${id} kept`
	const failed = (why: string): string => `the copy that ${id} kept in ${place} could not be dropped: ${why}`
	return dropOrWarn({ reporter, doing, place, failed }, drop)
}

/** Whether a run failed because of the copy that its parent kept, and that copy is gone now. */
export async function dropsUselessCopy(run: BackupRun, failure: unknown): Promise<boolean> {
	const { increment, reporter } = run
	if (increment?.dropCopy === undefined || !isBackupError(failure, 'COPIES_GONE')) return false
	if (!(await dropParentCopy(run, increment.dropCopy))) return false
	reporter.warn(`${failure.message}; it is dropped, and the backup begins anew`)
	return true
}

/** As {@link settleCopies} for a run whose process died after its manifest was written. Whether its copies stay. */
export async function settleDead(
	source: Pick<SnapshotSource, 'dropWorkDirectory'>,
	repository: Repository,
	{ id, record: { workDirectory } }: { readonly id: string; readonly record: RunRecord },
	options: CallOptions,
): Promise<boolean> {
	const { header } = repository
	const manifest = await readIfWhole(repository, id, options)
	const isKept = manifest?.keptCopy === true
	if (!isKept) await source.dropWorkDirectory(workDirectory, options)
	if (manifest?.parent !== undefined) await dropKeptCopy(source, header, manifest.parent, options)
	return isKept
}

/** Of a damaged backup, a copy is of no use. */
async function readIfWhole(repository: Repository, id: string, options: CallOptions): Promise<Manifest | undefined> {
	try {
		return (await repository.read(id, options)).manifest
	} catch (error) {
		if (isBackupError(error) && error.kind === 'damaged') return undefined
		throw error
	}
}
