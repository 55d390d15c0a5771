import type { CopyBackupResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount, spellDuration, spellRate } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `backup copy`. */
export interface CopiedBackups extends CopyBackupResult {
	readonly repository: string
}

export function copiedBackupsText({ repository, id, to, backups, bytes, elapsedMs }: CopiedBackups): string {
	const facts = factsText({
		from: printable(repository),
		to: printable(to),
		sent: spellBytes(bytes),
		time: `${spellDuration(elapsedMs)}, ${spellRate((bytes / Math.max(1, elapsedMs)) * 1000)}`,
	})
	const list = tableText(backups, [
		{ title: 'BACKUP', cell: (one) => one.id },
		{ title: 'STATE', cell: ({ state }) => (state === 'present' ? 'was there' : 'copied') },
		{ title: 'SENT', align: 'right', cell: ({ objects }) => `${spellCount(objects)} objects` },
		{ title: 'SIZE', align: 'right', cell: (one) => spellBytes(one.bytes) },
	])
	return [`backup ${id} is copied, and every object was read back`, '', facts, '', list].join('\n')
}
