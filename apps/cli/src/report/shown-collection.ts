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
		changes: ageMs === undefined ? undefined : `collected for ${spellAge(ageMs)} at most, of ${spellAge(keptMs)}`,
	})
	const list = tableText(links, [
		{ title: 'LINK', cell: (link) => drawn(link, links) },
		{ title: 'TAKEN BY', cell: ({ before }) => spellTime(before) },
		{ title: 'AGE', align: 'right', cell: ({ before }) => spellAge(now.getTime() - Date.parse(before)) },
		{ title: 'TABLES', align: 'right', cell: (link) => spellCount(link.tables) },
		...(links.some(({ rows }) => rows !== undefined)
			? [
					{
						title: 'ROWS',
						align: 'right' as const,
						cell: ({ rows }: Link) => (rows === undefined ? '' : spellCount(rows)),
					},
				]
			: []),
		{ title: 'SIZE', align: 'right', cell: ({ storedBytes }) => spellBytes(storedBytes) },
		{ title: 'STATE', cell: ({ state, gap }) => (gap === undefined ? state : 'gap') },
		...(repository === undefined ? [] : [{ title: 'BACKUP', cell: ({ backup }: Link) => backup ?? 'not shipped' }]),
	])
	const gaps = links.filter(({ gap }) => gap !== undefined)
	return [
		facts,
		...(tables.length > 0 ? ['', ...tables.map((path) => `  ${printable(path)}`)] : []),
		...(links.length > 0 ? ['', list] : ['', 'no backups in the cluster']),
		...(gaps.length > 0
			? [
					'',
					'gaps, which RESTORE in the cluster would not notice:',
					...gaps.map(({ name, gap }) => `  ${printable(name)}: ${printable(gap ?? '')}`),
				]
			: []),
		...(shippedOnly.length > 0
			? [
					'',
					'shipped, and not in the cluster any more:',
					...shippedOnly.map(({ link, backup }) => `  ${printable(link)}  ${backup}`),
				]
			: []),
		'',
		...nextText(obstacle, links.at(-1), keptMs),
	].join('\n')
}

type Link = DescribedCollection['links'][number]

/** Increments hang from the full backup that they build upon. */
function drawn({ name, kind }: Link, links: readonly Link[]): string {
	if (kind === 'full') return name
	const next = links[links.findIndex((link) => link.name === name) + 1]
	return `${next?.kind === 'incremental' ? '├' : '└'} ${name}`
}

/** What the next increment needs. The server is not asked how long it keeps changes: it tells nobody. */
function nextText(obstacle: DescribedCollection['obstacle'], newest: Link | undefined, keptMs: number): string[] {
	if (obstacle !== undefined) {
		const advice = obstacle.advice === undefined ? [] : [printable(obstacle.advice)]
		return [`the next increment cannot be taken: ${printable(obstacle.message)}`, ...advice]
	}
	const until = newest && new Date(Date.parse(newest.after) + keptMs).toISOString()
	return [
		`the next increment can be taken${until === undefined ? '' : ` until ${spellTime(until)}`}`,
		`changes are taken to be kept for ${spellAge(keptMs)} (--stream-hours): the server does not tell`,
	]
}
