import type { DescribedCollection } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellAge, spellBytes, spellCount, spellTime } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `collection show`. */
export interface ShownCollection extends DescribedCollection {
	readonly repository?: string
}

export function shownCollectionText(
	{ collection, database, repository, tables, links, shippedOnly, obstacle, stream }: ShownCollection,
	now: Date,
): string {
	const { ageMs, keptMs } = stream
	const facts = factsText({
		collection,
		database,
		repository,
		tables: tables.length === 0 ? 'not known before the first backup' : spellCount(tables.length),
		changes:
			ageMs === undefined
				? undefined
				: `collected for ${spellAge(ageMs)} at most, kept for ${spellAge(keptMs)}; how long is not asked of the server`,
	})
	const list = tableText(links, [
		{ title: 'LINK', cell: ({ name }) => name },
		{ title: 'KIND', cell: ({ kind }) => kind },
		{ title: 'TAKEN BY', cell: ({ before }) => spellTime(before) },
		{ title: 'AGE', align: 'right', cell: ({ before }) => spellAge(now.getTime() - Date.parse(before)) },
		{ title: 'TABLES', align: 'right', cell: (link) => spellCount(link.tables) },
		...(links.some(({ rows }) => rows !== undefined)
			? [
					{
						title: 'ROWS',
						align: 'right' as const,
						cell: ({ rows }: (typeof links)[number]) => (rows === undefined ? '' : spellCount(rows)),
					},
				]
			: []),
		{ title: 'SIZE', align: 'right', cell: ({ storedBytes }) => spellBytes(storedBytes) },
		{ title: 'STATE', cell: ({ state }) => state },
		...(repository === undefined
			? []
			: [{ title: 'BACKUP', cell: ({ backup }: (typeof links)[number]) => backup ?? 'not shipped' }]),
	])
	const next =
		obstacle === undefined
			? ['the next increment can be taken']
			: [
					`the next increment cannot be taken: ${printable(obstacle.message)}`,
					...(obstacle.advice === undefined ? [] : [printable(obstacle.advice)]),
				]
	return [
		facts,
		...(tables.length > 0 ? ['', ...tables.map((path) => `  ${printable(path)}`)] : []),
		...(links.length > 0 ? ['', list] : ['', 'no backups in the cluster']),
		...(shippedOnly.length > 0
			? [
					'',
					'shipped, and not in the cluster any more:',
					...shippedOnly.map(({ link, backup }) => `  ${printable(link)}  ${backup}`),
				]
			: []),
		'',
		...next,
	].join('\n')
}
