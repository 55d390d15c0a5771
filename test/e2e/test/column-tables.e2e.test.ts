import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openQueries, type Queries } from '../src/queries.ts'
import { endsSnapshots } from '../src/troubles.ts'
import { createWorld, type World } from '../src/world.ts'

const ROWS = 1200

/** Two tables by columns with keys of several columns, one of them empty, and one by rows. */
async function seed(queries: Queries): Promise<void> {
	await queries.run(`CREATE TABLE \`lake/events\` (
		at Timestamp NOT NULL, id Uint64 NOT NULL, city Utf8, price Decimal(22, 9), ratio Double, raw String,
		PRIMARY KEY (at, id)) PARTITION BY HASH (id) WITH (STORE = COLUMN)`)
	await queries.run('CREATE TABLE `lake/none` (id Utf8 NOT NULL, n Int32, PRIMARY KEY (id)) WITH (STORE = COLUMN)')
	await queries.run('CREATE TABLE `shop/orders` (id Uint64, name Utf8, PRIMARY KEY (id))')
	await queries.run('UPSERT INTO `shop/orders` (id, name) VALUES (1, "one"u), (2, NULL)')
	for (let from = 0; from < ROWS; from += 400) {
		const rows = Array.from({ length: 400 }, (_, at) => {
			const id = from + at
			const city = id % 7 === 0 ? 'NULL' : `"city ${id}, with \\"quotes\\""u`
			return `(Timestamp("${new Date(1_700_000_000_000 + Math.floor(id / 5) * 1000).toISOString()}"), ${id}, ${city}, Decimal("${id}.25", 22, 9), ${id}.5, "raw ${id}")`
		})
		await queries.run(`UPSERT INTO \`lake/events\` (at, id, city, price, ratio, raw) VALUES ${rows.join(', ')}`)
	}
}

/** These tables, and a repository. */
async function createLake(): Promise<AsyncDisposable & { readonly world: World; readonly queries: Queries }> {
	await using made = new AsyncDisposableStack()
	const world = made.use(await createWorld())
	const queries = made.use(await openQueries(world.endpoint, world.database))
	await seed(queries)
	await world.run(['repo', 'init'])
	const kept = made.move()
	return { world, queries, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

const all = async (queries: Queries, path: string): Promise<string> =>
	JSON.stringify(
		await queries.run(`SELECT id, at, city, price, ratio, raw FROM \`${path}\` ORDER BY at, id LIMIT 100000`),
		plain,
	)

const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

test.skipIf(endsSnapshots)(
	'column tables come back as they were, beside row tables and with what is known of their moments',
	{ timeout: 120_000 },
	async () => {
		await using lake = await createLake()
		const { world, queries } = lake
		const before = await all(queries, 'lake/events')
		const made = await world.runOnDatabase(['backup', 'create'])
		expect(made).toMatchObject({ code: 0 })
		expect(made.result.tables).toMatchObject([
			{ path: 'lake/events', rows: ROWS, partitions: 1 },
			{ path: 'lake/none', rows: 0 },
			{ path: 'shop/orders', rows: 2 },
		])
		const { result: shown } = await world.run(['backup', 'show', 'latest'])
		expect(shown.notes).toEqual([
			{ path: '', kind: 'consistency', reason: expect.stringMatching(/2 column tables .* 1 row tables/) },
		])
		expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
		// The files are those of any table, in the order of the key.
		const [place] = await readdir(join(world.repo, 'backups'))
		expect(await readFile(join(world.repo, 'backups', place!, '001', 'scheme.pb'), 'utf8')).toContain(
			'store_type: STORE_TYPE_COLUMN',
		)

		const back = await world.runOnDatabase(['restore', 'latest', '--to', '/local/back', '--verify-data'])
		expect(back).toMatchObject({ code: 0, result: { outcome: 'complete' } })
		expect(back.result.tables.every(({ isCompared }: { isCompared: boolean }) => isCompared)).toBe(true)
		expect(await all(queries, 'back/lake/events')).toBe(before)

		// Over rows that changed, and never as another kind of table.
		await queries.run('DELETE FROM `lake/events` WHERE id % 3 = 0')
		expect(await world.runOnDatabase(['restore', 'latest', '--existing', 'merge'])).toMatchObject({ code: 0 })
		expect(await all(queries, 'lake/events')).toBe(before)
		const replaced = await world.runOnDatabase(['restore', 'latest', '--existing', 'replace'])
		expect({ code: replaced.code, message: replaced.error.message }).toMatchObject({
			code: 5,
			message: expect.stringContaining('lake/events is a column table'),
		})
		await queries.run('DROP TABLE `lake/none`')
		await queries.run('CREATE TABLE `lake/none` (id Utf8 NOT NULL, n Int32, PRIMARY KEY (id))')
		expect(
			await world.runOnDatabase(['restore', 'latest', '--existing', 'merge', '--include', 'lake/none']),
		).toMatchObject({
			code: 5,
		})
	},
)

test.skipIf(endsSnapshots)(
	'rows that are written meanwhile are not in the backup, and streams that break lose none',
	{ timeout: 120_000 },
	async () => {
		await using lake = await createLake()
		const { world, queries } = lake
		const before = await all(queries, 'lake/events')
		Object.assign(world.emulator.faults, { queryPartRows: 50, delayQueryMs: 15 })
		Object.assign(world.emulator.faults, { breakQueryAfterParts: 2, breakQueryTimes: 2, cutQueryRows: 170 })
		const write = setInterval(() => {
			queries.run('DELETE FROM `lake/events` WHERE id % 2 = 0').catch(() => {})
		}, 50)
		const made = await world.runOnDatabase(['backup', 'create'])
		clearInterval(write)
		expect(made).toMatchObject({ code: 0 })
		Object.assign(world.emulator.faults, { queryPartRows: undefined, delayQueryMs: 0, cutQueryRows: undefined })
		const count = async (path: string): Promise<unknown> =>
			(await queries.run(`SELECT COUNT(*) FROM \`${path}\``))[0]![0]
		const { rows } = made.result.tables[0]
		// As of one moment: before the delete or behind it, never between.
		expect([ROWS, ROWS / 2]).toContain(rows)
		expect(await count('lake/events')).toBe(BigInt(ROWS / 2))
		expect(await world.runOnDatabase(['restore', 'latest', '--to', '/local/back', '--verify-data'])).toMatchObject({
			code: 0,
		})
		expect(await count('back/lake/events')).toBe(BigInt(rows))
		if (rows === ROWS) expect(await all(queries, 'back/lake/events')).toBe(before)
		expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
	},
)

test.skipIf(endsSnapshots)(
	'an increment has what changed in a column table, and a chain is restored with it',
	{ timeout: 120_000 },
	async () => {
		await using lake = await createLake()
		const { world, queries } = lake
		expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
		await queries.run('DELETE FROM `lake/events` WHERE id % 5 = 0')
		await queries.run('UPDATE `lake/events` SET city = "moved"u WHERE id % 11 = 0')
		await queries.run('UPSERT INTO `lake/none` (id, n) VALUES ("now"u, 1)')
		const before = await all(queries, 'lake/events')
		const increment = await world.runOnDatabase(['backup', 'create', '--incremental'])
		expect(increment).toMatchObject({ code: 0 })
		expect(await world.runOnDatabase(['restore', 'latest', '--to', '/local/back', '--verify-data'])).toMatchObject({
			code: 0,
		})
		expect(await all(queries, 'back/lake/events')).toBe(before)
		expect(await queries.run('SELECT n FROM `back/lake/none`')).toEqual([[1]])
	},
)

test(
	'a transaction that is gone ends the backup with an error that says so, and nothing is listed',
	{ timeout: 120_000 },
	async () => {
		await using lake = await createLake()
		const { world } = lake
		const ended = await lose(world)
		expect({ code: ended.code, error: ended.error?.code }).toEqual({ code: 6, error: 'DATABASE_UNREACHABLE' })
		expect(ended.error.message).toContain('the transaction that column tables are read in is gone')
		expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
	},
)

/** All sessions end while rows are read. */
async function lose(world: World): ReturnType<World['runOnDatabase']> {
	world.emulator.faults.delayQueryMs = 40
	const over = setInterval(() => world.emulator.control.closeSessions(), 150)
	try {
		return await world.runOnDatabase(['backup', 'create'])
	} finally {
		clearInterval(over)
		world.emulator.faults.delayQueryMs = 0
	}
}
