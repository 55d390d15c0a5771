import type { BackupResult, ResumedBackupResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellCount } from '../output/quantity.ts'
import { type CreatedBackup, createdBackup, createdBackupText } from './created-backup.ts'

/** The result of `backup resume`: that of `backup create`, and what came of the run. */
export interface ResumedBackup extends CreatedBackup {
	readonly resumed: Resumed
}

/** `export`: the cluster's own export was followed to its end. */
type Resumed = Omit<ResumedBackupResult['resumed'], 'kept'> & {
	readonly kept: ResumedBackupResult['resumed']['kept'] | 'export'
}

export function asResumed(run: string, result: BackupResult): BackupResult & { readonly resumed: Resumed } {
	return { ...result, resumed: { run, kept: 'export', parts: 0 } }
}

export function resumedBackup(
	{ resumed, ...result }: BackupResult & { readonly resumed: Resumed },
	made: Parameters<typeof createdBackup>[1],
): ResumedBackup {
	return { ...createdBackup(result, made), resumed }
}

export function resumedBackupText(resumed: ResumedBackup): string {
	const { run, kept, parts, reason } = resumed.resumed
	const what = {
		parts: `run ${run} was gone on with: ${spellCount(parts)} data files were there already`,
		copies: `run ${run} was gone on with from its copies, under a new id: ${printable(reason ?? '')}`,
		export: `the export of run ${run} was followed to its end`,
		nothing: `nothing of run ${run} could be used: ${printable(reason ?? '')}; this is a new backup`,
	}[kept]
	return `${what}\n${createdBackupText(resumed)}`
}
