import { isBackupError, type SnapshotSource } from '@ydbackup/core'

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
		const tables = of.tables.map((table) => table.path)
		if (tables.length === 0) return
		run.reporter.phase('snapshot', `copying ${tables.length} tables at one moment into ${run.workDirectory}`)
		run.snapshot = await source.take({ tables, workDirectory: run.workDirectory, signal: run.options.signal })
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
