import { BackupError } from '@ydbackup/core'
import type { DeleteBackupsResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `backup delete`. */
export interface DeletedBackups extends DeleteBackupsResult {
	readonly repository: string
}

export function deletedBackupsText({ repository, dryRun, backups }: DeletedBackups): string {
	const deleted = backups.filter(({ state }) => state === 'deleted')
	const title = dryRun
		? `dry run: nothing was deleted. Would be deleted: ${countText(deleted.length)}`
		: `${countText(deleted.length)} deleted`
	const bytes = spellBytes(backups.reduce((sum, one) => sum + one.bytes, 0))
	const list = tableText(backups, [
		{ title: 'BACKUP', cell: ({ id }) => id },
		{ title: 'STATE', cell: ({ state }) => (dryRun ? 'would be deleted' : state) },
		{ title: 'OBJECTS', align: 'right', cell: ({ objects }) => spellCount(objects) },
		{ title: 'SIZE', align: 'right', cell: (one) => spellBytes(one.bytes) },
		{ title: 'WHY', cell: ({ reason }) => printable(reason ?? '') },
	])
	return [title, '', factsText({ repository, size: bytes }), '', list].join('\n')
}

/** Something had to stay: exit 9, beside the result. */
export function deletedFailure({ outcome, backups }: DeletedBackups): BackupError | undefined {
	if (outcome === 'complete') return undefined
	const left = backups.filter(({ state }) => state !== 'deleted')
	return new BackupError(
		'PARTIAL',
		`${countText(left.length)} could not be deleted; the first, ${left[0]!.id}: ${left[0]!.reason}`,
		{ advice: 'run it again when the reason is gone' },
	)
}

const countText = (count: number): string => `${spellCount(count)} ${count === 1 ? 'backup' : 'backups'}`
