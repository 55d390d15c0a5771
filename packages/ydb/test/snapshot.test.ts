import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
	AlterTableResponseSchema,
	CopyTablesResponseSchema,
	type CreateTableRequest,
	CreateTableRequestSchema,
	DescribeTableRequestSchema,
	DescribeTableResponseSchema,
	DescribeTableResultSchema,
	DropTableRequestSchema,
	DropTableResponseSchema,
	SequenceDescriptionSchema,
} from '@ydbjs/api/table'
import { TypeSchema } from '@ydbjs/api/value'
import { protoMessage, type ProtoText } from '@ydbackup/core'
import { describe, expect, test as serially } from 'vitest'
import { fromProtoText } from '../src/proto/message-text.ts'
import { chunkOf, keyOf, optional, PLAIN, plainRows, primitive, schemeOf, splitAt, uint64 } from './support/tables.ts'
import { errorOf } from './support/error-of.ts'
import { drained, listed, makeTable, startWorld, type World } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

const WORK = '~work'

/** What is in the work directory, whoever made it. */
async function left(world: World): Promise<string[]> {
	const { listDirectory } = await import('../src/snapshot/copies.ts')
	const { Driver } = await import('@ydbjs/core')
	using driver = new Driver(world.emulator.connectionString, { 'ydb.sdk.enable_discovery': false })
	const entries = await listDirectory(driver, `/local/${WORK}`)
	return entries === undefined ? [] : [WORK, ...entries.map(({ name }) => `${WORK}/${name}`)]
}

const refused = (status: number, message: string): { operation: never } => ({
	operation: { ready: true, status, issues: [{ message, severity: 1 }] } as never,
})

async function write(world: World, path: string, from: number, to: number): Promise<void> {
	const writer = await world.direct.sink.openWriter(path, (await world.direct.sink.describeTable(path)).schema)
	await writer.write(chunkOf(plainRows(from, to, () => 'new')))
	await writer.finish()
}

test('a snapshot stands still whatever happens to its tables', async () => {
	await using world = await startWorld()
	const { ydb, direct } = world
	await makeTable(direct.sink, 'a', 100, [30, 60])
	await makeTable(direct.sink, 'dir/b', 10)
	const snapshot = await ydb.source.take({ tables: ['a', 'dir/b'], workDirectory: WORK })
	const readAll = async (): Promise<unknown> => {
		const all = []
		for (const table of snapshot.tables)
			for (const range of table.ranges) all.push((await drained(snapshot.read(table, range))).bytes.toString('hex'))
		return [all, await Promise.all(snapshot.tables.map((table) => snapshot.countRows(table)))]
	}
	const before = await readAll()
	expect(before).toMatchObject([{ length: 4 }, [100n, 10n]])
	await write(world, 'a', 50, 300)
	await direct.sink.dropTable('dir/b')
	expect(await readAll()).toEqual(before)
	await direct.sink.dropTable('a')
	await makeTable(direct.sink, 'a', 1)
	expect(await readAll()).toEqual(before)

	expect(snapshot).toMatchObject({ workDirectory: WORK, clock: 'server' })
	expect(snapshot.after <= snapshot.before).toBe(true)
	expect(snapshot.before).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
	expect(await listed(ydb.source.list())).toEqual(['a', 'dir'])
	await snapshot.drop()
	expect(await left(world)).toEqual([])
	await snapshot.drop()
	expect(await listed(ydb.source.list())).toEqual(['a', 'dir'])
})

test('settings are the original’s, bounds are the copy’s; on the copies TTL and automatic partitioning are off', async () => {
	await using world = await startWorld()
	const { ydb, direct } = world
	const scheme = schemeOf({
		...PLAIN,
		columns: [...PLAIN.columns!, { name: 'at', type: optional(primitive('Timestamp')) }],
		partitions: splitAt(10, 20),
		ttlSettings: { mode: { case: 'dateTypeColumn', value: { columnName: 'at', expireAfterSeconds: 60 } } },
		partitioningSettings: {
			partitioningBySize: 1,
			partitionSizeMb: 100n,
			partitioningByLoad: 1,
			minPartitionsCount: 3n,
		},
		attributes: { a: '1' },
		indexes: [{ name: 'i', indexColumns: ['value'], type: { case: 'globalIndex', value: {} } }],
	})
	await direct.sink.createTable('t', scheme)
	const snapshot = await ydb.source.take({ tables: ['t'], workDirectory: WORK })
	const parse = (tree: ProtoText): CreateTableRequest =>
		fromProtoText(CreateTableRequestSchema, tree) as CreateTableRequest
	const [table] = snapshot.tables
	expect(parse(table!.scheme)).toMatchObject({
		primaryKey: ['id'],
		ttlSettings: { mode: { case: 'dateTypeColumn' } },
		partitioningSettings: { partitioningBySize: 1, partitioningByLoad: 1, minPartitionsCount: 3n },
		attributes: { a: '1' },
		indexes: [{ name: 'i' }],
		partitions: { case: 'partitionAtKeys', value: { splitPoints: [{}, {}] } },
	})
	expect(protoMessage(table!.scheme, 'path')).toEqual([])
	expect(table!.schema.columns.map(({ name }) => name)).toEqual(['id', 'value', 'at'])
	expect(table!.ranges).toEqual([
		{ to: { key: keyOf(uint64(10)), inclusive: false } },
		{ from: { key: keyOf(uint64(10)), inclusive: true }, to: { key: keyOf(uint64(20)), inclusive: false } },
		{ from: { key: keyOf(uint64(20)), inclusive: true } },
	])
	const copy = parse((await direct.sink.describeTable(`${WORK}/00001`)).scheme)
	expect(copy.ttlSettings).toBeUndefined()
	expect(copy.indexes).toEqual([])
	expect(copy.partitioningSettings).toMatchObject({ partitioningBySize: 2, partitioningByLoad: 2 })
	expect(copy.partitions.value).toMatchObject({ splitPoints: [{}, {}] })
	const original = parse((await direct.sink.describeTable('t')).scheme)
	expect(original.ttlSettings).toBeDefined()
	expect(original.partitioningSettings).toMatchObject({ partitioningBySize: 1 })
	await snapshot.drop()
})

test('sequences stand where the copy has them, and moving on is no alteration', async () => {
	await using world = await startWorld()
	const { ydb, direct, proxy } = world
	await makeTable(direct.sink, 't', 3)
	let next = 100n
	proxy.rules.set('DescribeTable', async ({ request, forward, reply }) => {
		// include_set_val = 8, which the generated code does not know.
		expect(fromBinary(DescribeTableRequestSchema, request).$unknown).toMatchObject([{ no: 8, wireType: 0 }])
		const { operation } = fromBinary(DescribeTableResponseSchema, (await forward()).messages[0]!)
		const result = anyUnpack(operation!.result!, DescribeTableResultSchema)!
		const value = create(SequenceDescriptionSchema, {
			name: '_serial_column_id',
			setVal: { nextValue: next++, nextUsed: false },
		})
		result.columns[0]!.defaultValue = { case: 'fromSequence', value }
		operation!.result = anyPack(DescribeTableResultSchema, result)
		reply([toBinary(DescribeTableResponseSchema, create(DescribeTableResponseSchema, { operation: operation! }))])
	})
	const snapshot = await ydb.source.take({ tables: ['t'], workDirectory: WORK })
	const scheme = fromProtoText(CreateTableRequestSchema, snapshot.tables[0]!.scheme) as CreateTableRequest
	expect(scheme.columns[0]!.defaultValue).toMatchObject({
		case: 'fromSequence',
		value: { setVal: { nextValue: 101n } },
	})
})

test('no table at all is a snapshot, too', async () => {
	await using world = await startWorld()
	const snapshot = await world.ydb.source.take({ tables: [], workDirectory: WORK })
	expect(snapshot.tables).toEqual([])
	expect(world.proxy.calls.get('CopyTables')).toBeUndefined()
	await snapshot.drop()
})

test('more tables than sixteen', async () => {
	await using world = await startWorld()
	const tables = Array.from({ length: 40 }, (_, at) => `t${at}`)
	for (const [at, path] of tables.entries()) await makeTable(world.direct.sink, path, at)
	const snapshot = await world.ydb.source.take({ tables, workDirectory: WORK })
	expect(world.proxy.calls.get('CopyTables')).toBe(1)
	expect(snapshot.tables.map(({ path }) => path)).toEqual(tables)
	const counts = await Promise.all(snapshot.tables.map((table) => snapshot.countRows(table)))
	expect(counts).toEqual(tables.map((_, at) => BigInt(at)))
	await snapshot.drop()
	expect(await left(world)).toEqual([])
})

describe('whatever goes wrong, nothing is left', () => {
	test('a table that is not there', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 'a', 3)
		const error = await errorOf(world.ydb.source.take({ tables: ['a', 'gone'], workDirectory: WORK }))
		expect(error).toMatchObject({ code: 'PATH_NOT_FOUND', message: expect.stringContaining('/local/gone') })
		expect(await left(world)).toEqual([])
	})

	test('a table that is dropped while the copy begins', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 'a', 3)
		await makeTable(world.direct.sink, 'b', 3)
		world.emulator.faults.onCopyTables = () => world.direct.sink.dropTable('b')
		const error = await errorOf(world.ydb.source.take({ tables: ['a', 'b'], workDirectory: WORK }))
		expect(error).toMatchObject({ code: 'PATH_NOT_FOUND', retry: 'later' })
		expect(await left(world)).toEqual([])
	})

	test('a table that is made anew, otherwise, while the copy begins', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 'a', 3)
		world.emulator.faults.onCopyTables = async () => {
			await world.direct.sink.dropTable('a')
			await world.direct.sink.createTable(
				'a',
				schemeOf({ ...PLAIN, columns: [...PLAIN.columns!, { name: 'more', type: optional(primitive('Bool')) }] }),
			)
		}
		const error = await errorOf(world.ydb.source.take({ tables: ['a'], workDirectory: WORK }))
		expect(error).toMatchObject({ code: 'SCHEMA_CHANGED', message: 'table a was altered while the snapshot was taken' })
		expect(await left(world)).toEqual([])
	})

	test('a column of a type that is not known, before anything is made', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 'a', 3)
		world.proxy.rules.set('DescribeTable', async ({ forward, reply }) => {
			const { operation } = fromBinary(DescribeTableResponseSchema, (await forward()).messages[0]!)
			const result = anyUnpack(operation!.result!, DescribeTableResultSchema)!
			result.columns[1]!.type = create(TypeSchema, { type: { case: 'typeId', value: 0x7777 as never } })
			operation!.result = anyPack(DescribeTableResultSchema, result)
			reply([toBinary(DescribeTableResponseSchema, create(DescribeTableResponseSchema, { operation: operation! }))])
		})
		const error = await errorOf(world.ydb.source.take({ tables: ['a'], workDirectory: WORK }))
		expect(error).toMatchObject({
			code: 'TYPE_UNKNOWN',
			message: expect.stringMatching(/column value of table a .*30583/),
		})
		expect(world.proxy.calls.get('MakeDirectory')).toBeUndefined()
	})

	test.each(['MakeDirectory', 'CopyTables', 'DescribeTable', 'AlterTable'])('%s is refused', async (method) => {
		await using world = await startWorld()
		await world.direct.sink.createTable('a', schemeOf({ ...PLAIN, partitioningSettings: { partitioningBySize: 1 } }))
		await makeTable(world.direct.sink, 'b', 3)
		const answer = toBinary(
			AlterTableResponseSchema,
			create(AlterTableResponseSchema, refused(400_080, 'no, says the test')),
		)
		world.proxy.rules.set(method, async ({ request, forward, reply }) => {
			const isOriginal =
				method === 'DescribeTable' && !fromBinary(DescribeTableRequestSchema, request).path.includes(WORK)
			reply(isOriginal ? (await forward()).messages : [answer])
		})
		const error = await errorOf(world.ydb.source.take({ tables: ['a', 'b'], workDirectory: WORK }))
		expect(error).toMatchObject({ code: 'DATABASE_REFUSED', message: expect.stringContaining('no, says the test') })
		expect(await left(world)).toEqual([])
		expect(await listed(world.ydb.source.list())).toEqual(['a', 'b'])
	})

	test.each(['MakeDirectory', 'CopyTables', 'AlterTable'])('a stop during %s', async (method) => {
		await using world = await startWorld()
		await world.direct.sink.createTable('a', schemeOf({ ...PLAIN, partitioningSettings: { partitioningBySize: 1 } }))
		const stop = new AbortController()
		world.proxy.rules.set(method, async ({ forward, reply }) => {
			stop.abort()
			await new Promise((resolve) => setTimeout(resolve, 100))
			reply((await forward()).messages)
		})
		const begun = performance.now()
		const error = await errorOf(world.ydb.source.take({ tables: ['a'], workDirectory: WORK, signal: stop.signal }))
		expect(error.code).toBe('INTERRUPTED')
		expect(performance.now() - begun).toBeLessThan(2_000)
		await new Promise((resolve) => setTimeout(resolve, 150))
		expect(await left(world)).toEqual([])
	})

	test('one copy cannot be dropped: the others are, and the error says what stays', async () => {
		await using world = await startWorld()
		const tables = Array.from({ length: 40 }, (_, at) => `t${at}`)
		for (const path of tables) await makeTable(world.direct.sink, path, 0)
		const no = toBinary(DropTableResponseSchema, create(DropTableResponseSchema, refused(400_080, 'no drop')))
		world.proxy.rules.set('DropTable', async ({ request, forward, reply }) =>
			reply(fromBinary(DropTableRequestSchema, request).path.endsWith('00001') ? [no] : (await forward()).messages),
		)
		const snapshot = await world.ydb.source.take({ tables, workDirectory: WORK })
		expect((await errorOf(snapshot.drop())).message).toContain('no drop')
		expect(await left(world)).toEqual([WORK, `${WORK}/00001`])
		world.proxy.rules.clear()
		await snapshot.drop()
		expect(await left(world)).toEqual([])

		world.proxy.rules.set('DropTable', ({ reply }) => reply([no]))
		const answer = toBinary(AlterTableResponseSchema, create(AlterTableResponseSchema, refused(400_080, 'no alter')))
		world.proxy.rules.set('AlterTable', ({ reply }) => reply([answer]))
		await world.direct.sink.createTable('e', schemeOf({ ...PLAIN, partitioningSettings: { partitioningBySize: 1 } }))
		expect(await errorOf(world.ydb.source.take({ tables: ['e'], workDirectory: WORK }))).toMatchObject({
			code: 'DATABASE_REFUSED',
			message: expect.stringMatching(/no alter; afterwards the copies in \/local\/~work could not be removed$/),
			advice: 'drop the tables in /local/~work and the directory',
		})
	})
})

test('a work directory that is there before us is not touched', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 'a', 3)
	await makeTable(world.direct.sink, `${WORK}/00001`, 7)
	expect(await errorOf(world.ydb.source.take({ tables: ['a'], workDirectory: WORK }))).toMatchObject({
		code: 'PATH_EXISTS',
	})
	expect(await world.direct.sink.countRows(`${WORK}/00001`)).toBe(7n)
})

test('too many tables for one copy', async () => {
	await using world = await startWorld()
	const tables = Array.from({ length: 10_001 }, (_, at) => `t${at}`)
	expect(await errorOf(world.ydb.source.take({ tables, workDirectory: WORK }))).toMatchObject({
		code: 'TOO_MANY_TABLES',
		message: '10001 tables were chosen, and one consistent copy can hold 10000',
	})
})

describe('a copy whose answer is lost', () => {
	const lose = (world: World, times = 1): void => {
		world.proxy.rules.set('CopyTables', async ({ forward, reply, cut }) => {
			const { messages } = await forward()
			if (times-- > 0) cut()
			else reply(messages)
		})
	}

	test('is known again', async () => {
		await using world = await startWorld()
		for (const path of ['a', 'b']) await makeTable(world.direct.sink, path, 5)
		lose(world)
		const snapshot = await world.ydb.source.take({ tables: ['a', 'b'], workDirectory: WORK })
		expect(world.proxy.calls.get('CopyTables')).toBe(2)
		await write(world, 'a', 0, 9)
		expect(await Promise.all(snapshot.tables.map((table) => snapshot.countRows(table)))).toEqual([5n, 5n])
		await snapshot.drop()
		expect(await left(world)).toEqual([])
	})

	test('more than once', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 'a', 5)
		lose(world, 3)
		const snapshot = await world.ydb.source.take({ tables: ['a'], workDirectory: WORK })
		expect(await snapshot.countRows(snapshot.tables[0]!)).toBe(5n)
	})

	test('is not mistaken for one that was made in part by somebody else', async () => {
		await using world = await startWorld()
		for (const path of ['a', 'b']) await makeTable(world.direct.sink, path, 5)
		world.proxy.rules.set('CopyTables', async ({ forward, reply, cut }) => {
			if (world.proxy.calls.get('CopyTables') !== 1) return reply((await forward()).messages)
			await makeTable(world.direct.sink, `${WORK}/00002`, 1)
			cut()
		})
		const error = await errorOf(world.ydb.source.take({ tables: ['a', 'b'], workDirectory: WORK }))
		expect(error.code).toBe('PATH_EXISTS')
	})

	test('of which the first try was never carried out', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 'a', 5)
		const answer = toBinary(CopyTablesResponseSchema, create(CopyTablesResponseSchema, refused(400_050, 'later')))
		world.proxy.rules.set('CopyTables', async ({ forward, reply }) =>
			reply(world.proxy.calls.get('CopyTables')! < 3 ? [answer] : (await forward()).messages),
		)
		const snapshot = await world.ydb.source.take({ tables: ['a'], workDirectory: WORK })
		expect(await snapshot.countRows(snapshot.tables[0]!)).toBe(5n)
	})
})

test('a server that fails now and then, everywhere', async () => {
	await using world = await startWorld()
	for (const path of ['a', 'b']) await makeTable(world.direct.sink, path, 5)
	world.emulator.faults.unavailableTimes = 8
	const snapshot = await world.ydb.source.take({ tables: ['a', 'b'], workDirectory: WORK })
	world.emulator.faults.unavailableTimes = 4
	await snapshot.drop()
	expect(await left(world)).toEqual([])
})

test('where the server does not tell its time, both moments are by our clock', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 'a', 5)
	let asked = 0
	world.proxy.rules.set('ExecuteQuery', async ({ forward, reply }) => {
		if (asked++ === 0) return reply((await forward()).messages)
		reply([], 12, 'no such thing')
	})
	const begun = new Date(Date.now() - 1).toISOString()
	const snapshot = await world.ydb.source.take({ tables: ['a'], workDirectory: WORK })
	expect(snapshot.clock).toBe('client')
	expect(begun < snapshot.after && snapshot.after <= snapshot.before).toBe(true)
	expect(snapshot.before < new Date(Date.now() + 1).toISOString()).toBe(true)
})

test('another process opens a snapshot again, and only the very same one', async () => {
	await using world = await startWorld()
	const { ydb, direct } = world
	await makeTable(direct.sink, 'a', 100, [30, 60])
	await makeTable(direct.sink, 'b', 10)
	const taken = await ydb.source.take({ tables: ['a', 'b'], workDirectory: WORK })
	const rows = async (snapshot: typeof taken): Promise<string> => {
		const all = []
		for (const table of snapshot.tables)
			for (const range of table.ranges) all.push((await drained(snapshot.read(table, range))).bytes.toString('hex'))
		return all.join('\n')
	}
	const { workDirectory, after, before, clock, tables, copies } = taken
	const known = { workDirectory, after, before, clock, tables, copies: copies! }
	const truth = await rows(taken)
	await write(world, 'a', 0, 20)
	expect(await ydb.source.workDirectories('~wo')).toEqual([WORK])
	expect(await ydb.source.workDirectories('~other')).toEqual([])
	const again = await direct.source.reopen(known)
	expect(await rows(again)).toBe(truth)
	expect(again).toMatchObject({ after, before, workDirectory })

	await direct.sink.dropTable(`${WORK}/00002`)
	expect(await errorOf(direct.source.reopen(known))).toMatchObject({ code: 'COPIES_GONE' })
	await makeTable(direct.sink, `${WORK}/00002`, 10)
	expect(await errorOf(direct.source.reopen(known))).toMatchObject({
		code: 'COPIES_GONE',
		message: expect.stringContaining('another one'),
	})
	await direct.source.dropWorkDirectory(WORK)
	await direct.source.dropWorkDirectory(WORK)
	expect(await left(world)).toEqual([])
	expect(await errorOf(direct.source.reopen(known))).toMatchObject({ code: 'COPIES_GONE' })
})

test('copies that were left are opened by what was copied alone, and read as they are', async () => {
	await using world = await startWorld()
	const { ydb, direct } = world
	await makeTable(direct.sink, 'a', 100, [30, 60])
	await makeTable(direct.sink, 'b', 10)
	const taken = await ydb.source.take({ tables: ['a', 'b'], workDirectory: WORK })
	const rows = async ({ tables, read }: Pick<typeof taken, 'tables' | 'read'>, inTurns?: object): Promise<string[]> => {
		const all = []
		for (const table of tables)
			for (const range of table.ranges) all.push((await drained(read(table, range, { inTurns }))).bytes.toString('hex'))
		return all
	}
	const truth = await rows(taken)
	await taken.leave()
	await taken.leave()
	await write(world, 'a', 0, 20)
	const { tables } = taken
	const request = { workDirectory: WORK, tables: tables.map(({ path, schema }) => ({ path, schema })) }
	expect((await rows(await direct.source.openCopies(request), {})).join('')).toBe(truth.join(''))

	const other = { ...tables[1]!.schema, primaryKey: [tables[1]!.schema.columns[1]!.name] }
	const refusals: [object, string][] = [
		[{ tables: [request.tables[0]!, { path: 'b', schema: other }] }, 'other columns, or another key'],
		[{ tables: [...request.tables, { path: 'c', schema: other }] }, 'no copy of c'],
		[{ workDirectory: '~elsewhere' }, 'not there'],
	]
	for (const [change, why] of refusals)
		expect(await errorOf(direct.source.openCopies({ ...request, ...change }))).toMatchObject({
			code: 'COPIES_GONE',
			message: expect.stringContaining(why),
		})
	await direct.source.dropWorkDirectory(WORK)
})
