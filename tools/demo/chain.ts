import { ourPicture } from './our-reader.ts'
import { below, only, type Picture } from './picture.ts'
import type { run as Run } from './shell.ts'
import { dropEverything, runStatements, theirPicture } from './their-reader.ts'

/** Changes of every kind between two links; no row is updated in parts twice within one. */
const ROUNDS: readonly (readonly string[])[] = [
	[
		"UPDATE `geo/cities` SET population = population + 1000 WHERE country = 'FR'",
		"DELETE FROM `geo/cities` WHERE country = 'MC'",
	],
	[
		"UPSERT INTO `geo/cities` (country, id, name, longitude, latitude) VALUES ('ZZ', 1u, 'Atlantis', -30.0, 33.0)",
		"REPLACE INTO `geo/summary/countries` (country, cities, population) VALUES ('ZZ', 1u, 0ul)",
		'UPSERT INTO `empty/table` (id) VALUES (NULL), (7u)',
	],
	[
		"DELETE FROM `geo/cities` WHERE country = 'DE'",
		"DELETE FROM `geo/summary/countries` WHERE country = 'DE'",
		'DELETE FROM `empty/table` ON (id) VALUES (7u), (8u)',
		"UPDATE `geo/cities` SET other_name = 'Poseidonis' WHERE country = 'ZZ'",
	],
]
const TABLES = ['geo/cities', 'geo/summary/countries', 'empty/table']

export interface Act {
	readonly endpoint: string
	readonly database: string
	/** Flags for the database and for the repository. */
	readonly at: readonly string[]
	readonly from: readonly string[]
	/** Runs a command of the tool. */
	readonly run: typeof Run
	title(text: string): void
	prove(what: string, reader: string, before: Picture, after: Picture): void
}

/** A backup collection: a full backup, three increments with real changes, the loss, and the way back to any of them. */
export async function chainAct({ endpoint, database, at, from, run, title, prove }: Act): Promise<void> {
	const tables = (picture: Picture): Picture => new Map([...picture].filter(([path]) => TABLES.includes(path)))
	const look = async (): Promise<{ ours: Picture; theirs: Picture }> => ({
		ours: tables(await ourPicture(endpoint, database)),
		theirs: tables(await theirPicture(endpoint, database)),
	})
	const command = (...words: string[]): ReturnType<typeof Run> => run(['ydbackup', ...words, ...at])

	title('a backup collection: full, and three increments')
	await command('collection', 'create', 'nightly', '--incremental', ...TABLES.flatMap((path) => ['--table', path]))
	await command('collection', 'backup', 'nightly', ...from)
	const links = [await look()]
	for (const statements of ROUNDS) {
		await runStatements(endpoint, database, statements)
		links.push(await look())
		await command('collection', 'backup', 'nightly', '--incremental', ...from)
	}
	await command('collection', 'show', 'nightly', ...from)
	const listed = await run(['ydbackup', 'backup', 'list', '--json', ...from], { quiet: true })
	const { backups } = (JSON.parse(listed.stdout) as { result: { backups: { id: string; collection?: object }[] } })
		.result
	const ids = backups.filter(({ collection }) => collection !== undefined).map(({ id }) => id)
	await run(['ydbackup', 'backup', 'verify', 'latest', '--level', 'full', ...from])

	title('lose everything, the collection too')
	await command('collection', 'drop', 'nightly', ...from)
	await dropEverything(endpoint, database)

	title('restore the last link, the second one, and one table of it')
	await command('restore', 'latest', '--verify-data', ...from)
	await command('restore', ids[1]!, '--to', `${database}/copies/second`, ...from)
	await command('restore', ids[1]!, '--include', 'geo/cities', '--to', `${database}/copies/one`, ...from)
	console.log('')
	const after = { ours: await ourPicture(endpoint, database), theirs: await theirPicture(endpoint, database) }
	for (const [reader, by] of [
		['ydbackup', 'ours'],
		['ydb-sdk', 'theirs'],
	] as const) {
		const copy = (name: string): Picture => tables(below(after[by], `copies/${name}`))
		prove('the last link in place', reader, links[3]![by], tables(after[by]))
		prove('the second link to another path', reader, links[1]![by], copy('second'))
		prove('one table of it', reader, only(links[1]![by], 'geo/cities'), copy('one'))
	}
}
