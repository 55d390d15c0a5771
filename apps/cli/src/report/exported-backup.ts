import type { ExportDumpResult } from '@ydbackup/engine'
import { spellBytes, spellCount, spellDuration, spellRate } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'
import { objectCountsText } from './listed-objects.ts'

/** The result of `backup export`. */
export interface ExportedBackup extends Omit<ExportDumpResult, 'keysUsed'> {
	readonly repository: string
}

export function exportedBackupText(exported: ExportedBackup): string {
	const { id, location, repository, tables, objects, directories, rows, bytes, elapsedMs, notes } = exported
	const files = tables.reduce((sum, table) => sum + table.files, 0)
	const lines = [
		`backup ${id} is written as a dump`,
		'',
		factsText({
			repository,
			directory: location,
			tables: `${spellCount(tables.length)}, ${spellCount(rows)} rows`,
			directories: spellCount(directories.length),
			objects: objectCountsText(objects),
			size: `${spellBytes(bytes)} in ${spellCount(files)} data files`,
			time: `${spellDuration(elapsedMs)}, ${spellRate((bytes / Math.max(1, elapsedMs)) * 1000)}`,
		}),
	]
	if (notes.length > 0)
		lines.push(
			'',
			'left out:',
			'',
			tableText(notes, [
				{ title: 'PATH', cell: ({ path }) => path },
				{ title: 'KIND', cell: ({ kind }) => kind },
				{ title: 'WHY', cell: ({ reason }) => reason },
			]),
		)
	return lines.join('\n')
}
