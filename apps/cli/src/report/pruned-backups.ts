import { BackupError } from '@ydbackup/core'
import type { PruneBackupsResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount, spellTime } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `backup prune`. */
export interface PrunedBackups extends PruneBackupsResult {
	readonly repository: string
}

export function prunedBackupsText({ repository, dryRun, backups, deleted, bytes }: PrunedBackups): string {
	const count = `${spellCount(deleted)} of ${spellCount(backups.length)} backups`
	const title = dryRun ? `dry run: nothing was deleted. Would be deleted: ${count}` : `${count} deleted`
	const gone = dryRun ? 'would be deleted' : 'deleted'
	const list = tableText(backups, [
		{ title: 'BACKUP', cell: ({ id }) => id },
		{ title: 'TAKEN', cell: ({ takenAt }) => (takenAt === undefined ? '' : spellTime(takenAt)) },
		{ title: 'KIND', cell: ({ kind }) => kind ?? 'damaged' },
		{ title: 'STORED', align: 'right', cell: ({ storedBytes }) => spellBytes(storedBytes) },
		{ title: 'STATE', cell: ({ action }) => (action === 'keep' ? 'kept' : gone) },
		{ title: 'WHY', cell: ({ reasons }) => printable(reasons.join(', ')) },
	])
	return [title, '', factsText({ repository: printable(repository), size: spellBytes(bytes) }), '', list].join('\n')
}

/** Something had to stay: exit 9, beside the result. */
export function prunedBackupsFailure({ outcome }: PrunedBackups): BackupError | undefined {
	if (outcome === 'complete') return undefined
	return new BackupError(
		'PARTIAL',
		'something that no rule keeps had to stay at the last moment, or was not deleted whole',
		{
			advice: 'the result says which and why; run it again when the reason is gone',
		},
	)
}
