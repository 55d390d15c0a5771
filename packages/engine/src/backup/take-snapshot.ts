import { isBackupError, type ObjectKind, type SnapshotSource } from '@ydbackup/core'

import type { BackupPlan } from './backup-plan.ts'
import type { BackupRun } from './backup-run.ts'

/** Takes the snapshot of a run; when tables were dropped or altered meanwhile, once more by a new plan. Returns the plan that was used. */
export async function takeSnapshot(
	run: BackupRun,
	source: SnapshotSource,
	plan: BackupPlan,
	planAgain: () => Promise<BackupPlan>,
): Promise<BackupPlan> {
	async function take(of: BackupPlan): Promise<void> {
		if (of.tables.length === 0) return
		const pathsOf = (kind: ObjectKind): string[] =>
			of.tables.filter((table) => table.kind === kind).map(({ path }) => path)
		const tables = pathsOf('row-table')
		const columnTables = pathsOf('column-table')
		const { workDirectory, options, reporter } = run
		const copied = `copying ${tables.length} tables at one moment into ${workDirectory}`
		const read = `opening a transaction over ${columnTables.length} column tables`
		reporter.phase('snapshot', columnTables.length === 0 ? copied : tables.length === 0 ? read : `${copied}, ${read}`)
		run.snapshot = await source.take({ tables, columnTables, workDirectory, signal: options.signal })
	}
	try {
		await take(plan)
		return plan
	} catch (error) {
		if (!isBackupError(error, 'SCHEMA_CHANGED') && !isBackupError(error, 'PATH_NOT_FOUND')) throw error
		run.reporter.retry('taking the snapshot', error)
		const second = await planAgain()
		await take(second)
		return second
	}
}
