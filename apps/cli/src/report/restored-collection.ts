import type { RestoreCollectionResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellCount, spellDuration } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

export function restoredCollectionText(restored: RestoreCollectionResult): string {
	const { collection, database, dryRun, links, tables, elapsedMs } = restored
	const name = printable(collection)
	const increments = links.length - 1
	return [
		dryRun ? `dry run: nothing was restored. RESTORE of ${name} would bring back:` : `${name} is restored`,
		'',
		factsText({
			database,
			full: links[0],
			increments: increments === 0 ? 'none' : `${spellCount(increments)}, to ${links.at(-1)}`,
			time: dryRun ? undefined : spellDuration(elapsedMs),
		}),
		'',
		tableText(tables, [
			{ title: 'TABLE', cell: ({ path }) => path },
			{ title: 'ROWS', align: 'right', cell: ({ rows }) => (rows === undefined ? 'not counted' : spellCount(rows)) },
		]),
	].join('\n')
}
