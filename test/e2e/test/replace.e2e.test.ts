import { expect, test } from 'vitest'
import { differences, type Picture } from '../../../tools/demo/picture.ts'
import { theirPicture } from '../../../tools/demo/their-reader.ts'
import { openQueries, type Queries } from '../src/queries.ts'
import { createWorld, type World } from '../src/world.ts'

const SETUP = [
	`CREATE TABLE \`shop/numbered\` (id Serial8, name Utf8, at Timestamp, INDEX by_name GLOBAL ON (name), PRIMARY KEY (id))
		WITH (TTL = Interval("P3650D") ON at)`,
	`INSERT INTO \`shop/numbered\` (name, at) VALUES ("a"u, CurrentUtcTimestamp()), ("b"u, CurrentUtcTimestamp())`,
]

async function run(queries: Queries, statements: readonly string[]): Promise<void> {
	for (const statement of statements) await queries.run(statement)
}

/** A database, a backup of it, and tables that are others now. */
async function replaced(world: World, queries: Queries): Promise<Picture> {
	await world.seed(400)
	await run(queries, SETUP)
	await world.run(['repo', 'init'])
	const before = await theirPicture(world.endpoint, world.database)
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	await run(queries, [
		'DELETE FROM `geo/cities` WHERE id % 2 = 0',
		'UPDATE `geo/cities` SET population = 0',
		'DROP TABLE `shop/numbered`',
		'CREATE TABLE `shop/numbered` (other Utf8, PRIMARY KEY (other))',
		'UPSERT INTO `shop/numbered` (other) VALUES ("x"u)',
	])
	return before
}

const names = (world: World): Promise<string[]> => namesBelow(world, '/local/shop', '/local/geo', '/local')

async function namesBelow(world: World, ...paths: string[]): Promise<string[]> {
	const { Driver } = await import('@ydbjs/core')
	const { SchemeServiceDefinition, ListDirectoryResultSchema } = await import('@ydbjs/api/scheme')
	const { anyUnpack } = await import('@bufbuild/protobuf/wkt')
	const driver = new Driver(`${world.endpoint}${world.database}`, { 'ydb.sdk.enable_discovery': false })
	try {
		await driver.ready(AbortSignal.timeout(10_000))
		const found: string[] = []
		for (const path of paths) {
			const { operation } = await driver.createClient(SchemeServiceDefinition).listDirectory({ path })
			const listed = anyUnpack(operation!.result!, ListDirectoryResultSchema)
			found.push(...listed!.children.map(({ name }) => `${path}/${name}`))
		}
		return found.filter((path) => path.includes('~'))
	} finally {
		driver.close()
	}
}

test(
	'tables are replaced by those of the backup, with indexes, sequences and TTL, as another client sees it',
	{ timeout: 120_000 },
	async () => {
		await using world = await createWorld()
		await using queries = await openQueries(world.endpoint, world.database)
		const before = await replaced(world, queries)
		const plan = await world.runOnDatabase(['restore', 'latest', '--existing', 'replace', '--dry-run'])
		expect(plan.result.tables.map(({ action }: { action: string }) => action)).toEqual(
			plan.result.tables.map(() => 'replace'),
		)
		world.emulator.faults.loseAnswerEvery = 5
		const { code, result, error } = await world.runOnDatabase(['restore', 'latest', '--existing', 'replace'])
		world.emulator.faults.loseAnswerEvery = undefined
		expect({ code, outcome: result?.outcome, error }).toEqual({ code: 0, outcome: 'complete' })
		expect(differences(before, await theirPicture(world.endpoint, world.database))).toEqual([])
		expect(await names(world)).toEqual([])
		expect(await queries.run('SELECT name FROM `shop/numbered` VIEW by_name WHERE name = "b"u')).toEqual([['b']])
		await queries.run('INSERT INTO `shop/numbered` (name) VALUES ("c"u)')
		expect(await queries.run('SELECT MAX(id) FROM `shop/numbered`')).toEqual([[3n]])
	},
)

test(
	'a table with a changefeed is named before anything is touched, and rows go in when that is allowed',
	{ timeout: 120_000 },
	async () => {
		await using world = await createWorld()
		await using queries = await openQueries(world.endpoint, world.database)
		await replaced(world, queries)
		await queries.run("ALTER TABLE `geo/cities` ADD CHANGEFEED feed WITH (MODE = 'UPDATES', FORMAT = 'JSON')")
		const now = await theirPicture(world.endpoint, world.database)
		const refused = await world.runOnDatabase(['restore', 'latest', '--existing', 'replace'])
		expect({ code: refused.code, error: refused.error.code }).toEqual({ code: 5, error: 'PATH_EXISTS' })
		expect(refused.error.message).toContain('geo/cities has changefeeds: feed')
		const only = ['restore', 'latest', '--include', 'geo/cities', '--existing', 'merge']
		expect(await world.runOnDatabase(only)).toMatchObject({ code: 5 })
		expect(differences(now, await theirPicture(world.endpoint, world.database))).toEqual([])
		expect(await names(world)).toEqual([])
		expect(await world.runOnDatabase([...only, '--allow-downstream-events'])).toMatchObject({ code: 0 })
		expect(await queries.run('SELECT COUNT(*) FROM `geo/cities`')).toEqual([[400n]])
	},
)

test('a table that a transfer writes to is named before anything is touched, and a second reader of its topic is warned of', async () => {
	await using world = await createWorld()
	await using queries = await openQueries(world.endpoint, world.database)
	await queries.run('CREATE TABLE `shop/log` (id Uint64 NOT NULL, PRIMARY KEY (id))')
	await queries.run('CREATE TOPIC `far/events` (CONSUMER c)')
	await queries.run(
		'$l = ($m) -> { return [<| id: CAST($m._offset AS Uint64) |>]; }; CREATE TRANSFER `jobs/fill` FROM `far/events` TO `shop/log` USING $l WITH (CONSUMER = "c")',
	)
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	const only = ['restore', 'latest', '--include', 'shop', '--existing']
	const replacing = await world.runOnDatabase([...only, 'replace'])
	expect(replacing).toMatchObject({ code: 5, error: { code: 'PATH_EXISTS' } })
	expect(replacing.error.message).toContain('shop/log is written to by transfers: jobs/fill')
	const merging = await world.runOnDatabase([...only, 'merge'])
	expect(merging).toMatchObject({ code: 5, error: { code: 'PATH_EXISTS' } })
	expect(merging.error.message).toContain('transfers write to tables of /local: shop/log (jobs/fill)')
	expect(await world.runOnDatabase([...only, 'merge', '--allow-downstream-events'])).toMatchObject({ code: 0 })

	const beside = ['restore', 'latest', '--to', '/local/copy', '--dry-run']
	expect((await world.runOnDatabase(beside)).result.warnings).toEqual([])
	const alone = await world.runOnDatabase([...beside, '--exclude', 'far'])
	expect(alone.result.warnings).toMatchObject([
		{ path: 'copy/jobs/fill', message: expect.stringContaining('by the same consumer of the same topic') },
	])
})

test(
	'a replacement that is killed at any moment leaves the old tables or the new ones, and can be run again',
	{ timeout: 120_000 },
	async () => {
		await using world = await createWorld()
		await using queries = await openQueries(world.endpoint, world.database)
		const before = await replaced(world, queries)
		const now = await theirPicture(world.endpoint, world.database)
		world.emulator.faults.delayOperationsMs = 60
		let killed = 0
		let finished = 0
		for (const delay of [500, 800, 1100, 1500]) {
			const { code } = await world.runOnDatabase(['restore', 'latest', '--existing', 'replace', '--resume'], {
				onStart: (child) => setTimeout(() => child.kill('SIGKILL'), delay),
			})
			if (code === null) killed++
			else finished++
			const picture = await theirPicture(world.endpoint, world.database)
			// Owners come after the swap: until then a new table is the tool's own.
			const isNew = differences(before, picture).every((each) => each.includes(': owner was '))
			if (!isNew) expect(differences(now, picture), `killed after ${delay} ms`).toEqual([])
			if (isNew) break
		}
		expect(killed + finished).toBeGreaterThan(0)
		world.emulator.faults.delayOperationsMs = 0
		expect(await world.runOnDatabase(['restore', 'latest', '--existing', 'replace', '--resume'])).toMatchObject({
			code: 0,
		})
		expect((await names(world)).filter((path) => path.includes('~'))).toEqual([])
		expect(differences(before, await theirPicture(world.endpoint, world.database))).toEqual([])
	},
)
