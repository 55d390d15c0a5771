import { expect, test } from 'vitest'
import { BackupError, type CollectionAdmin } from '@ydbackup/core'
import { backup, restoreCollection } from '@ydbackup/engine'
import { CollectionWorld } from '../src/collection-world.ts'

const ROOT = '/local/.backups/collections'

async function begin(faults = {}, index = ', INDEX by_a GLOBAL ON (a)'): Promise<CollectionWorld> {
	const world = await CollectionWorld.start(faults)
	await world.queries.run(`CREATE TABLE \`dir/t\` (id Uint64 NOT NULL, a Utf8, b Int64, PRIMARY KEY (id)${index})`)
	await world.queries.run('CREATE TABLE u (k Utf8, v String, PRIMARY KEY (k))')
	await world.queries.run("UPSERT INTO `dir/t` (id, a, b) VALUES (1, 'one', 1), (2, 'two', 2), (3, NULL, 3)")
	await world.queries.run("UPSERT INTO u (k, v) VALUES ('x', 'y'), (NULL, 'nobody')")
	await world.ydb.collections.create({ name: 'c', tables: ['dir/t', 'u'], isIncremental: true })
	return world
}

const TABLES = ['dir/t', 'u'] as const
const states = (world: CollectionWorld, below = ''): Promise<string[]> =>
	Promise.all(TABLES.map((path) => world.table(`${below}${path}`)))
const dropAll = async ({ queries }: CollectionWorld): Promise<void> => {
	for (const path of TABLES) await queries.run(`DROP TABLE \`${path}\``)
}
const idsOf = async ({ repository }: CollectionWorld): Promise<string[]> =>
	(await repository.list()).map(({ id }) => id)
const refusal = async (work: Promise<unknown>): Promise<string> => {
	const error = await work.then(
		() => undefined,
		(thrown: unknown) => thrown,
	)
	return error instanceof BackupError ? `${error.code}: ${error.message}; ${error.advice ?? ''}` : String(error)
}

/** A full backup and three increments; the state at each. */
async function chain(world: CollectionWorld): Promise<string[][]> {
	const truths: string[][] = []
	const { queries } = world
	const link = async (kind: 'full' | 'incremental'): Promise<void> => {
		truths.push(await states(world))
		await world.take(kind)
	}
	await link('full')
	await queries.run("UPSERT INTO `dir/t` (id, a) VALUES (1, 'changed'), (9, 'new')")
	await queries.run("DELETE FROM u WHERE k = 'x'")
	await link('incremental')
	await queries.run('REPLACE INTO `dir/t` (id, b) VALUES (2, 22)')
	await queries.run('DELETE FROM `dir/t` ON (id) VALUES (99), (3)')
	await link('incremental')
	await queries.run("UPSERT INTO u (k, v) VALUES ('z', '\\x00\\xff'), (NULL, NULL)")
	await link('incremental')
	expect(await world.ship()).toMatchObject({ outcome: 'complete' })
	return truths
}

test("both ways of restoring give the same rows at every link, and the cluster's own leaves nothing behind", async () => {
	// A server that lets tables of a collection be altered, so that their indexes can be built.
	await using world = await begin({ alterMembers: true })
	const truths = await chain(world)
	for (const [at, id] of (await idsOf(world)).entries()) {
		await world.restore(id, `r${at}`)
		await dropAll(world)
		const restored = await world.restoreNatively(id)
		expect(restored).toMatchObject({ method: 'native', outcome: 'complete', warnings: [] })
		expect(restored.tables.every(({ isCompared }) => isCompared)).toBe(true)
		expect(await states(world), `link ${at}`).toEqual(truths[at])
		expect(await states(world, `r${at}/`), `link ${at}`).toEqual(truths[at])
		expect(await world.queries.run("SELECT id FROM `dir/t` VIEW by_a WHERE a = 'two'")).toEqual(at < 2 ? [[2n]] : [])
		expect(await world.ydb.collections.names()).toEqual(['c'])
	}
})

test('a collection that stands lets nobody build the indexes of its tables: the rows are there, and that is told', async () => {
	await using world = await begin()
	const truths = await chain(world)
	const { ydb, repository } = world
	for (const native of [undefined, ydb.collections]) {
		await dropAll(world)
		const { outcome, problems } = await world.restoreNatively('latest', { native })
		expect({ outcome, problems }).toMatchObject({
			outcome: 'partial',
			problems: [{ path: 'dir/t', message: expect.stringContaining('its index by_a could not be built') }],
		})
		expect(await states(world)).toEqual(truths.at(-1))
	}
	expect(await repository.list()).toHaveLength(4)
})

test('what RESTORE cannot do is refused before anything is touched', async () => {
	await using world = await begin()
	await chain(world)
	const before = await states(world)
	for (const [more, words] of [
		[{ to: '/local/x' }, '--to'],
		[{ map: [['/local/u', '/local/v']] }, '--map'],
		[{ include: ['u'] }, '--include'],
		[{ exclude: ['u'] }, '--exclude'],
		[{ existing: 'merge' }, '--existing merge'],
		[{ schemeOnly: true }, '--scheme-only'],
		[{ dataOnly: true }, '--data-only'],
	] as const)
		expect(await refusal(world.restoreNatively('latest', more))).toMatch(
			new RegExp(`^CONFIG_INVALID: ${words} cannot be had.*--method apply`, 'u'),
		)
	expect(await refusal(world.restoreNatively('latest'))).toMatch(/^PATH_EXISTS: .*dir\/t/u)
	expect(await states(world)).toEqual(before)
	expect(await world.ydb.collections.names()).toEqual(['c'])
})

test('columns whose numbers would be others after an import are refused, and so are columns that changed', async () => {
	await using world = await begin({ alterMembers: true })
	await world.queries.run('ALTER TABLE u ADD COLUMN gone Int64')
	await world.queries.run('ALTER TABLE u DROP COLUMN gone')
	await world.queries.run('ALTER TABLE u ADD COLUMN w Int64')
	await world.take('full')
	await world.queries.run("UPSERT INTO u (k, w) VALUES ('x', 1)")
	const truth = await states(world)
	await world.take('incremental')
	await world.queries.run('ALTER TABLE `dir/t` ADD COLUMN c Int64')
	await world.queries.run('UPSERT INTO `dir/t` (id, c) VALUES (1, 5)')
	await world.take('incremental')
	await world.ship()
	const [full, first, second] = await idsOf(world)
	await dropAll(world)
	expect(await refusal(world.restoreNatively(first!))).toMatch(
		/^UNSUPPORTED: u has columns in .* numbers.*--method apply/u,
	)
	expect(await refusal(world.restoreNatively(second!))).toMatch(/^UNSUPPORTED: dir\/t has other columns/u)
	expect(await world.restoreNatively(full!)).toMatchObject({ outcome: 'complete' })
	await dropAll(world)
	await world.restore(first!, 'r')
	expect(await states(world, 'r/')).toEqual(truth)
})

test("a chain of comparisons goes through the cluster's own RESTORE too", async () => {
	await using world = await begin({}, '')
	const { repository, queries, ydb } = world
	const take = async (parent?: string): Promise<string> => {
		world.pass(2)
		const options = { source: ydb.source, repository, clock: world.clock, tool: { name: 'test', version: '0' } }
		return (await backup({ ...options, ...(parent !== undefined && { parent }) })).id
	}
	const ids = [await take()]
	const truths = [await states(world)]
	for (const statement of ['UPSERT INTO `dir/t` (id, b) VALUES (1, 7), (8, 8)', "DELETE FROM u WHERE k = 'x'"]) {
		await queries.run(statement)
		ids.push(await take(ids.at(-1)))
		truths.push(await states(world))
	}
	for (const [at, id] of ids.entries()) {
		await dropAll(world)
		expect(await world.restoreNatively(id)).toMatchObject({ outcome: 'complete', warnings: [] })
		expect(await states(world), `link ${at}`).toEqual(truths[at])
	}
})

test('suspect links, and tables without the change table of a link, are refused', async () => {
	await using world = await begin({ mergeChanges: false })
	await world.take('full')
	await world.queries.run("UPSERT INTO `dir/t` (id, a) VALUES (1, 'x')")
	await world.queries.run('UPSERT INTO `dir/t` (id, b) VALUES (1, 11)')
	await world.take('incremental')
	await world.ship()
	await dropAll(world)
	expect(await refusal(world.restoreNatively('latest'))).toMatch(/^CHAIN_BROKEN: .*dir\/t/u)

	await using other = await begin()
	await chain(other)
	await dropAll(other)
	// Somebody drops an imported change table right before RESTORE, which would pass over it and succeed.
	const { collections } = other.ydb
	const racing: CollectionAdmin = {
		...collections,
		open(name) {
			const source = collections.open(name)
			return {
				...source,
				async contents(link, options) {
					if (link.kind === 'incremental') await other.queries.run(`DROP TABLE \`${ROOT}/${name}/${link.name}/u\``)
					return source.contents(link, options)
				},
			}
		},
	}
	expect(await refusal(other.restoreNatively('latest', { native: racing }))).toMatch(
		/^CHAIN_BROKEN: u of .*_incremental/u,
	)
	expect(await other.ydb.sink.find('u')).toBeUndefined()
	expect(await other.ydb.collections.names()).toEqual(['c'])
})

test('a RESTORE that fails, gets lost or is left alone says so, and what it made is told or removed', async () => {
	await using world = await begin({}, '')
	const truths = await chain(world)
	await dropAll(world)
	const { faults } = world.emulator
	faults.failOperations = 1
	expect(await refusal(world.restoreNatively('latest'))).toMatch(
		/^DATABASE_REFUSED: RESTORE .*failed.*dropped as incomplete/u,
	)
	expect(await world.ydb.sink.find('u')).toBeUndefined()
	expect(await world.ydb.collections.names()).toEqual(['c'])

	// What is lost of the collection that it imports into, each answer once, stands in lost-answers.test.ts of ydb.
	faults.loseAnswerEvery = 7
	expect(await world.restoreNatively('latest')).toMatchObject({ outcome: 'complete' })
	faults.loseAnswerEvery = undefined
	expect(await states(world)).toEqual(truths.at(-1))

	await dropAll(world)
	faults.stuckOperations = true
	const stop = new AbortController()
	const stopped = world.restoreNatively('latest', {
		signal: stop.signal,
		onEvent: (event) => {
			if (event.type === 'phase' && event.text.startsWith('the server restores')) stop.abort()
		},
	})
	expect(await refusal(stopped)).toMatch(/^INTERRUPTED: .*perhaps created, look before restoring again: /u)
	const [left] = (await world.ydb.collections.names()).filter((name) => name !== 'c')
	faults.stuckOperations = false
	// It goes on in the server; the next one says whose it is, and the tables are in the way.
	await expect
		.poll(
			() =>
				world.ydb.collections.drop(left!).then(
					() => true,
					() => false,
				),
			{ timeout: 10_000 },
		)
		.toBe(true)
	expect(await refusal(world.restoreNatively('latest'))).toMatch(/^PATH_EXISTS/u)
	expect(await states(world)).toEqual(truths.at(-1))
})

test('nodes that restart during an import and a RESTORE change nothing', async () => {
	await using world = await begin({ operationDelayMs: 40 }, '')
	const truths = await chain(world)
	await dropAll(world)
	let restarts = 0
	const restored = await world.restoreNatively('latest', {
		onEvent(event) {
			if (event.type !== 'phase' || restarts > 2 || !/importing|the server restores/u.test(event.text)) return
			restarts++
			void world.emulator.control.restartNode(1, 10)
		},
	})
	expect(restored).toMatchObject({ outcome: 'complete' })
	expect(restarts).toBeGreaterThan(1)
	expect(await states(world)).toEqual(truths.at(-1))
})

test('collection restore goes to the newest link, and refuses what the server would pass over', async () => {
	await using world = await begin()
	const truths = await chain(world)
	const { collections: admin, sink } = world.ydb
	expect(await refusal(restoreCollection({ admin, sink, name: 'c' }))).toMatch(/^PATH_EXISTS: .*dir\/t, u/u)
	await dropAll(world)
	expect(await restoreCollection({ admin, sink, name: 'c', dryRun: true })).toMatchObject({
		dryRun: true,
		links: { length: 4 },
		tables: [{ path: 'dir/t' }, { path: 'u' }],
	})
	expect(await sink.find('u')).toBeUndefined()
	const restored = await restoreCollection({ admin, sink, name: 'c' })
	expect(restored).toMatchObject({
		tables: [
			{ path: 'dir/t', rows: 3 },
			{ path: 'u', rows: 2 },
		],
	})
	expect(await states(world)).toEqual(truths.at(-1))

	await dropAll(world)
	const [, link] = await admin.open('c').links()
	await world.queries.run(`DROP TABLE \`${ROOT}/c/${link!.name}/u\``)
	expect(await refusal(restoreCollection({ admin, sink, name: 'c' }))).toMatch(
		/^CHAIN_BROKEN: .*no change table for: u/u,
	)
	world.emulator.faults.failOperations = 1
	await world.queries.run('CREATE TABLE u (k Utf8, v String, PRIMARY KEY (k))')
	await world.queries.run('CREATE TABLE `dir/t` (id Uint64 NOT NULL, PRIMARY KEY (id))')
	await world.take('full')
	await dropAll(world)
	expect(await refusal(restoreCollection({ admin, sink, name: 'c' }))).toMatch(
		/^DATABASE_REFUSED: RESTORE of c has failed/u,
	)
	expect(await refusal(restoreCollection({ admin, sink, name: 'nope' }))).toMatch(/^PATH_NOT_FOUND/u)
})
