import { expect, test } from 'vitest'
import { BackupError, type CollectionAdmin, protoFields } from '@ydbackup/core'
import {
	backup,
	createCollection,
	describeCollection,
	pruneCollection,
	type ShipResult,
	verify,
} from '@ydbackup/engine'
import { CollectionWorld } from '../src/collection-world.ts'

const ROOT = '/local/.backups/collections'
const CREATE = 'CREATE TABLE t (id Uint64 NOT NULL, a Utf8, b Int64, PRIMARY KEY (id))'

async function begin(faults = {}, tables: readonly string[] = ['t']): Promise<CollectionWorld> {
	const world = await CollectionWorld.start(faults)
	for (const path of tables) {
		await world.queries.run(CREATE.replace(' t ', ` \`${path}\` `))
		await world.queries.run(`UPSERT INTO \`${path}\` (id, a, b) VALUES (1, 'one', 1), (2, 'two', 2)`)
	}
	await world.ydb.collections.create({ name: 'c', tables, isIncremental: true })
	return world
}

const codeOf = async (work: Promise<unknown>): Promise<unknown> => {
	const error = await work.then(
		() => undefined,
		(thrown: unknown) => thrown,
	)
	return error instanceof BackupError ? `${error.code} ${error.reason ?? ''}: ${error.message}` : error
}
const states = ({ links }: ShipResult): string[] => links.map(({ state }) => state)
/** The ids of what was shipped, oldest first. */
const idsOf = async ({ repository }: CollectionWorld): Promise<string[]> =>
	(await repository.list()).map(({ id }) => id)

test('an answer that is lost after the server has done its work does not make a second link', async () => {
	await using world = await begin()
	const { collections } = world.ydb
	const losing: CollectionAdmin = {
		...collections,
		async backup(...words) {
			await collections.backup(...words)
			throw new BackupError('DATABASE_UNREACHABLE', 'the connection broke', { retry: 'later' })
		},
	}
	const taken = await world.take('full', { admin: losing })
	expect(taken.warnings).toMatchObject([{ message: expect.stringContaining('answer of the server was lost') }])
	expect(await collections.open('c').links()).toHaveLength(1)
	// And one that was lost before it: nothing is claimed.
	const broken: CollectionAdmin = {
		...collections,
		backup: () => Promise.reject(new BackupError('DATABASE_UNREACHABLE', 'the connection broke', { retry: 'later' })),
	}
	expect(await codeOf(world.take('incremental', { admin: broken }))).toContain('DATABASE_UNREACHABLE')
	expect(await collections.open('c').links()).toHaveLength(1)
})

test('a server that is busy now and then, and answers that are lost, end no backup of a collection', async () => {
	await using world = await begin()
	const { faults } = world.emulator
	for (const kind of ['full', 'incremental', 'incremental'] as const) {
		Object.assign(faults, { unavailableEvery: 4, loseAnswerEvery: 5 })
		expect((await world.take(kind)).tables).toEqual(['t'])
		Object.assign(faults, { unavailableEvery: undefined, loseAnswerEvery: undefined })
	}
	const links = await world.ydb.collections.open('c').links()
	expect(links.map(({ kind }) => kind)).toEqual(['full', 'incremental', 'incremental'])
})

test('a clock of the server that goes back is found at once, and its link is refused', async () => {
	await using world = await begin()
	await world.take('full')
	await world.take('incremental')
	world.pass(-3600)
	expect(await codeOf(world.take('incremental'))).toMatch(/^CHAIN_BROKEN ambiguous: .*clock went back/u)
	expect(states(await world.ship())).toContain('refused')
	world.pass(7200)
	await world.take('full')
	expect(states(await world.ship()).at(-1)).toBe('shipped')
})

test('a stream that is older than its retention is not relied upon', async () => {
	await using world = await begin({ streamRetentionMs: 24 * 3_600_000 })
	await world.take('full')
	world.pass(25 * 3600)
	expect(await codeOf(world.take('incremental'))).toMatch(/^CHAIN_BROKEN expired: .*25 hours/u)
	const { obstacle } = await describeCollection({ admin: world.ydb.collections, name: 'c' })
	expect(obstacle).toMatchObject({ code: 'CHAIN_BROKEN', reason: 'expired' })
	expect(await world.take('incremental', { fullIfNeeded: true })).toMatchObject({ kind: 'full' })
})

test('the age of a link is told by the clock of the server, whatever time it is here', async () => {
	for (const hours of [-50, 50]) {
		await using world = await begin({ clockOffsetMs: hours * 3_600_000, streamRetentionMs: 24 * 3_600_000 })
		await world.take('full')
		expect(await world.take('incremental')).toMatchObject({ kind: 'incremental' })
		world.pass(25 * 3600)
		expect(await codeOf(world.take('incremental'))).toMatch(/^CHAIN_BROKEN expired: .*25 hours/u)
	}
})

test('stamps of any local time: links are in order, and their time is that of the server', async () => {
	for (const stampOffsetMinutes of [-720, 345, 840]) {
		await using world = await begin({ stampOffsetMinutes })
		const before = world.clock().getTime()
		await world.take('full')
		const [link] = await world.ydb.collection('c').links()
		expect(link).toMatchObject({ clock: 'server' })
		expect(Date.parse(link!.after)).toBeLessThanOrEqual(before + 121_000)
		expect(Date.parse(link!.before)).toBeGreaterThanOrEqual(before + 119_000)
	}
})

test('a missing change table, which RESTORE would pass over, is refused by name', async () => {
	await using world = await begin({}, ['t', 'u'])
	await world.take('full')
	const { link } = await world.take('incremental')
	await world.queries.run(`DROP TABLE \`${ROOT}/c/${link}/u\``)
	const shipped = await world.ship()
	expect(states(shipped)).toEqual(['shipped', 'refused'])
	expect(shipped.links[1]!.reason?.message).toContain('u')
	expect(await codeOf(world.take('incremental'))).toMatch(/^CHAIN_BROKEN gap: .*lacks u/u)
	// Whoever takes one all the same sees where the chain is broken.
	world.pass(120)
	await world.queries.run('BACKUP c INCREMENTAL')
	const { links } = await describeCollection({ admin: world.ydb.collections, name: 'c' })
	expect(links.map(({ gap }) => gap)).toEqual([undefined, 'no change table for u', `it builds upon ${link}`])
})

test('a link carries what belongs to its tables beside the rows: TTL, sequences, indexes and rights', async () => {
	await using world = await CollectionWorld.start({ alterMembers: true })
	const { queries, ydb } = world
	await queries.run(
		`CREATE TABLE t (id Serial NOT NULL, a Utf8, at Timestamp, PRIMARY KEY (id), INDEX by_a GLOBAL ON (a))
		WITH (TTL = Interval("P30D") ON at, AUTO_PARTITIONING_BY_LOAD = ENABLED)`,
	)
	await queries.run("INSERT INTO t (a) VALUES ('one'), ('two')")
	await ydb.collections.create({ name: 'c', tables: ['t'], isIncremental: true })
	await world.take('full')
	await queries.run("INSERT INTO t (a) VALUES ('three')")
	await queries.run('CREATE USER robot')
	await queries.run("GRANT 'ydb.generic.read' ON t TO robot")
	await world.take('incremental')
	await world.ship()
	await world.restore('latest', 'r')
	const [live, restored] = [await ydb.sink.describeTable('t'), await ydb.sink.describeTable('r/t')]
	const field = (table: typeof live, name: string): unknown => protoFields(table.scheme, name)
	for (const name of ['ttl_settings', 'indexes', 'partitioning_settings', 'columns'])
		expect(field(restored, name), name).toEqual(field(live, name))
	expect((await ydb.sink.find('r/t'))!.permissions).toEqual((await ydb.sink.find('t'))!.permissions)
	await queries.run("INSERT INTO `r/t` (a) VALUES ('four')")
	expect(await queries.run("SELECT id FROM `r/t` VIEW by_a WHERE a = 'four'")).toEqual([[4]])
	const [, link] = (await world.repository.list()).map(({ manifest }) => manifest!.source.collection!)
	expect(Date.parse(link!.schemesReadAt)).not.toBeNaN()
})

test('a link that was deleted in the cluster before it was shipped breaks the chain behind it by name', async () => {
	await using world = await begin()
	await world.take('full')
	await world.ship()
	const { link } = await world.take('incremental')
	await world.take('incremental')
	const source = world.ydb.collection('c')
	await source.drop((await source.links()).find(({ name }) => name === link)!)
	// Nothing that can be seen from outside tells of a link that was never listed; what is there follows the full backup.
	const shipped = await world.ship()
	expect(states(shipped)[0]).toBe('present')
})

test('two collections of increments may not share a table', async () => {
	await using world = await begin()
	await world.take('full')
	await world.take('incremental')
	const { collections: admin } = world.ydb
	expect(await codeOf(createCollection({ admin, name: 'd', tables: ['t'], isIncremental: true }))).toMatch(
		/^CONFIG_INVALID .*t is in the collection c/u,
	)
	expect(await createCollection({ admin, name: 'd', tables: ['t'], isIncremental: false })).toMatchObject({
		collection: 'd',
	})
})

test('two partial updates of a row within an interval: what the server lost is told, not restored as if it were right', async () => {
	await using world = await begin({ mergeChanges: false })
	await world.take('full')
	await world.queries.run("UPSERT INTO t (id, a) VALUES (1, 'x')")
	await world.queries.run('UPSERT INTO t (id, b) VALUES (1, 11)')
	await world.take('incremental')
	const { links, outcome } = await world.ship()
	expect(outcome).toBe('partial')
	expect(links[1]!.suspects).toMatchObject([{ path: 't' }])
	const [, id] = await idsOf(world)
	const { findings } = await verify({ repository: world.repository, id: id!, level: 'full' })
	expect(findings.map(({ message }) => message).join()).toContain('t')
	// The same in a server that merges them.
	await using merging = await begin({ mergeChanges: true })
	await merging.take('full')
	await merging.queries.run("UPSERT INTO t (id, a) VALUES (1, 'x')")
	await merging.queries.run('UPSERT INTO t (id, b) VALUES (1, 11)')
	await merging.take('incremental')
	const truth = await merging.table('t')
	expect(await merging.ship()).toMatchObject({ outcome: 'complete' })
	await merging.restore((await idsOf(merging))[1]!, 'r')
	expect(await merging.table('r/t')).toBe(truth)
})

test('keys of every type, and NULL in keys', async () => {
	await using world = await CollectionWorld.start()
	const keys: readonly (readonly [type: string, values: readonly string[]])[] = [
		['Int64', ['-5', '0', 'NULL']],
		['Utf8', ['""u', '"é"u', 'NULL']],
		['String', ['""', '"\\x00\\xff"', 'NULL']],
		['Bool', ['false', 'true', 'NULL']],
		['Date', ['Date("1970-01-01")', 'Date("2100-01-01")', 'NULL']],
		['Timestamp', ['Timestamp("2001-02-03T04:05:06.000007Z")', 'NULL']],
		['Decimal(22,9)', ['Decimal("-1.5", 22, 9)', 'Decimal("1.5", 22, 9)', 'NULL']],
		['Uuid', ['Uuid("00000000-0000-0000-0000-000000000001")', 'NULL']],
		['Int8', ['Int8("-128")', 'Int8("127")', 'NULL']],
		['Int16', ['Int16("-32768")', 'Int16("0")', 'NULL']],
		['Int32', ['-2147483648', '2147483647', 'NULL']],
		['Uint8', ['Uint8("0")', 'Uint8("127")', 'NULL']],
		['Uint16', ['Uint16("0")', 'Uint16("65535")', 'NULL']],
		['Uint32', ['0u', '4294967295u', 'NULL']],
		['Uint64', ['0ul', '18446744073709551615ul', 'NULL']],
		['Datetime', ['Datetime("1970-01-01T00:00:00Z")', 'Datetime("2100-01-01T00:00:00Z")', 'NULL']],
		['Interval', ['Interval("-P1D")', 'Interval("PT1S")', 'NULL']],
		['DyNumber', ['DyNumber("-1.5")', 'DyNumber("0")', 'NULL']],
		['Date32', ['Date32("-0001-01-01")', 'Date32("2000-01-01")', 'NULL']],
		['Datetime64', ['Datetime64("-0001-01-01T00:00:00Z")', 'Datetime64("2000-01-01T00:00:00Z")', 'NULL']],
		['Timestamp64', ['Timestamp64("1600-01-01T00:00:00.000001Z")', 'Timestamp64("2000-01-01T00:00:00Z")', 'NULL']],
		['Interval64', ['Interval64("-P1D")', 'Interval64("P1D")', 'NULL']],
	]
	const tables = keys.map((_, at) => `k${at}`)
	for (const [at, [type, values]] of keys.entries()) {
		await world.queries.run(`CREATE TABLE k${at} (k ${type}, v Int64, PRIMARY KEY (k))`)
		await world.queries.run(`UPSERT INTO k${at} (k, v) VALUES ${values.map((value) => `(${value}, 1)`).join(', ')}`)
	}
	await world.ydb.collections.create({ name: 'c', tables, isIncremental: true })
	await world.take('full')
	for (const [at, [, values]] of keys.entries()) {
		await world.queries.run(`UPSERT INTO k${at} (k, v) VALUES (${values[0]}, 2), (NULL, 3)`)
		if (values.length > 2) await world.queries.run(`DELETE FROM k${at} ON (k) VALUES (${values[1]})`)
	}
	const truth = await Promise.all(tables.map((path) => world.table(path)))
	await world.take('incremental')
	expect(await world.ship()).toMatchObject({ outcome: 'complete' })
	await world.restore((await idsOf(world))[1]!, 'r')
	expect(await Promise.all(tables.map((path) => world.table(`r/${path}`)))).toEqual(truth)
})

test(
	'a chain of 48 links, with splits and merges in between, comes back at its end',
	{ timeout: 120_000 },
	async () => {
		await using world = await begin()
		await world.take('full')
		for (let at = 1; at <= 48; at++) {
			await world.queries.run(`UPSERT INTO t (id, b) VALUES (${at % 20}, ${at})`)
			if (at % 5 === 0) await world.queries.run(`DELETE FROM t WHERE id = ${at % 7}`)
			if (at % 9 === 0) world.emulator.control.split('/local/t')
			if (at % 12 === 0) world.emulator.control.merge('/local/t')
			await world.take('incremental')
		}
		const truth = await world.table('t')
		expect(new Set(states(await world.ship()))).toEqual(new Set(['shipped']))
		await world.restore('latest', 'r')
		expect(await world.table('r/t')).toBe(truth)
		await world.take('full')
		await world.ship()
		const pruned = await pruneCollection({ source: world.ydb.collection('c'), repository: world.repository })
		expect(pruned.chains.map(({ state }) => state)).toContain('dropped')
		expect(await world.ydb.collection('c').links()).toHaveLength(1)
	},
)

test('nodes that restart while an increment is written, shipped and restored change nothing', async () => {
	await using world = await begin({ operationDelayMs: 50 })
	await world.take('full')
	await world.queries.run('UPSERT INTO t (id, b) VALUES (5, 5)')
	const truth = await world.table('t')
	const restarting = async <T>(work: Promise<T>): Promise<T | Error> => {
		const settled = work.catch((error: unknown) => error as Error)
		for (let times = 0; times < 3; times++) {
			await world.emulator.control.restartNode(1, 20)
			await new Promise((resolve) => setTimeout(resolve, 40))
		}
		return settled
	}
	if ((await restarting(world.take('incremental'))) instanceof Error) await world.take('incremental')
	world.emulator.faults.delayReadMs = 30
	expect(await restarting(world.ship())).toMatchObject({ outcome: 'complete' })
	expect(await restarting(world.restore('latest', 'r'))).toBeUndefined()
	expect(await world.table('r/t')).toBe(truth)
})

test('an update, a delete and an insert of one row within an interval', async () => {
	const life = async (world: CollectionWorld, insert: string): Promise<string> => {
		await world.take('full')
		await world.queries.run('UPSERT INTO t (id, b) VALUES (1, 10)')
		await world.queries.run('DELETE FROM t WHERE id = 1')
		await world.queries.run(insert)
		await world.take('incremental')
		await world.ship()
		await world.restore('latest', 'r')
		return world.table('t')
	}
	const whole = "INSERT INTO t (id, a, b) VALUES (1, 'back', 11)"
	for (const [mergeChanges, insert] of [
		[false, whole],
		[true, whole],
		[true, "UPSERT INTO t (id, a) VALUES (1, 'back')"],
	] as const) {
		await using world = await begin({ mergeChanges })
		const truth = await life(world, insert)
		expect(await world.table('r/t'), `${mergeChanges} ${insert}`).toBe(truth)
	}
	// A server that keeps the last change alone leaves no trace of the others when that is a partial one. A comparison finds it.
	await using world = await begin({ mergeChanges: false })
	const truth = await life(world, "UPSERT INTO t (id, a) VALUES (1, 'back')")
	expect(await world.table('r/t')).not.toBe(truth)
	const { repository, clock, ydb } = world
	const [, parent] = await idsOf(world)
	const options = { source: ydb.source, repository, clock, tool: { name: 'test', version: '0' } }
	const { tables } = await backup({ ...options, parent: parent! })
	expect(tables, 'the row that is wrong').toContainEqual(expect.objectContaining({ path: 't', rows: 1 }))
	await world.restore('latest', 's')
	expect(await world.table('s/t')).toBe(truth)
})

test('older change tables are refused by their columns', async () => {
	for (const olderChangeTables of [1, 2]) {
		await using world = await begin({ olderChangeTables })
		await world.take('full')
		await world.queries.run('UPSERT INTO t (id, b) VALUES (5, 5)')
		await world.take('incremental')
		const shipped = await world.ship()
		expect(states(shipped)).toEqual(['shipped', 'refused'])
	}
})

test('changes of synchronous indexes are shipped beside the tables, and the index is there after a restore', async () => {
	await using world = await CollectionWorld.start()
	await world.queries.run('CREATE TABLE t (id Uint64 NOT NULL, a Utf8, PRIMARY KEY (id), INDEX by_a GLOBAL ON (a))')
	await world.ydb.collections.create({ name: 'c', tables: ['t'], isIncremental: true })
	await world.take('full')
	await world.queries.run("UPSERT INTO t (id, a) VALUES (1, 'x')")
	await world.take('incremental')
	expect(await world.ship()).toMatchObject({ outcome: 'complete' })
	const [, id] = await idsOf(world)
	const { manifest } = await world.repository.read(id!)
	expect(manifest.objects.map(({ path, kind }) => [kind, path])).toContainEqual([
		'index-changes',
		'__ydb_backup_meta/indexes/t/by_a/indexImplTable',
	])
	await world.restore(id!, 'r')
	expect(await world.queries.run("SELECT id FROM `r/t` VIEW by_a WHERE a = 'x'")).toEqual([[1n]])
})
