import { create } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
	ListDirectoryResultSchema,
	DescribePathResultSchema,
	Entry_Type,
	SchemeServiceDefinition,
} from '@ydbjs/api/scheme'
import {
	ChangefeedFormat_Format,
	ChangefeedMode_Mode,
	ColumnFamily_Compression,
	DescribeTableRequestSchema,
	type DescribeTableResult,
	DescribeTableResultSchema,
	StoreType,
	TableServiceDefinition,
} from '@ydbjs/api/table'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client, sdk, withSdk } from './clients.ts'

let directory = ''
let emulator: Emulator
let client: Client
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydb-emulator-tables-'))
	emulator = await startEmulator({ dataDir: directory })
	client = await Client.open(emulator)
})
afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
	await rm(directory, { recursive: true, force: true })
})

/** Does it all again from the journal. */
async function restart(): Promise<void> {
	await client[Symbol.asyncDispose]()
	await emulator.close()
	emulator = await startEmulator({ dataDir: directory })
	client = await Client.open(emulator)
}

const tables = (): ReturnType<typeof client.driver.createClient<typeof TableServiceDefinition>> =>
	client.driver.createClient(TableServiceDefinition)

async function describe(path: string, withValues = false): Promise<DescribeTableResult> {
	const request = create(DescribeTableRequestSchema, { path })
	// include_set_val, which the client package does not know.
	if (withValues) request.$unknown = [{ no: 8, wireType: 0, data: Uint8Array.of(1) }]
	const { operation } = await tables().describeTable(request)
	if (operation?.status !== 400000) throw new Error(`${operation?.status} ${operation?.issues[0]?.message}`)
	return anyUnpack(operation.result!, DescribeTableResultSchema)!
}

async function read(path: string): Promise<unknown[][]> {
	const rows: unknown[][] = []
	for await (const { status, issues, result } of tables().streamReadTable({ path, ordered: true })) {
		if (status !== 400000) throw new Error(`${status} ${issues[0]?.message}`)
		for (const { items } of result?.resultSet?.rows ?? [])
			rows.push(
				items.map(({ value }) =>
					value.case === 'nullFlagValue' ? null : typeof value.value === 'bigint' ? Number(value.value) : value.value,
				),
			)
	}
	return rows
}

const typeAt = async (path: string): Promise<Entry_Type | string> => {
	const { operation } = await client.driver.createClient(SchemeServiceDefinition).describePath({ path })
	return operation?.status === 400000
		? anyUnpack(operation.result!, DescribePathResultSchema)!.self!.type
		: `${operation?.status} ${operation?.issues[0]?.message}`
}

test('indexes: their tables are described, read, consistent, and refuse writes', async () => {
	await client.rows(
		`CREATE TABLE ix (id Uint64 NOT NULL, a Utf8, b Int32, c Utf8, PRIMARY KEY (id),
			INDEX one GLOBAL SYNC ON (a) COVER (c), INDEX two GLOBAL ASYNC ON (b, a), INDEX three GLOBAL UNIQUE SYNC ON (b))`,
	)
	await client.rows(`UPSERT INTO ix (id, a, b, c) VALUES (1, "z", 10, "p"), (2, "y", 9, "q"), (3, NULL, 8, "r")`)
	expect(await read('/local/ix/one/indexImplTable')).toEqual([
		[null, 3, 'r'],
		['y', 2, 'q'],
		['z', 1, 'p'],
	])
	await client.rows(`UPDATE ix SET a = "a" WHERE id = 1`)
	await client.rows(`DELETE FROM ix WHERE id = 3`)
	expect(await read('/local/ix/one/indexImplTable')).toEqual([
		['a', 1, 'p'],
		['y', 2, 'q'],
	])
	expect(await client.rows('SELECT b, a, id FROM `ix/two/indexImplTable` ORDER BY b')).toEqual([
		[9, 'y', 2],
		[10, 'a', 1],
	])
	const described = await describe('/local/ix/one/indexImplTable')
	expect([described.primaryKey, described.columns.map(({ name }) => name)]).toEqual([
		['a', 'id'],
		['a', 'id', 'c'],
	])
	expect((await client.query('UPSERT INTO `ix/one/indexImplTable` (a, id) VALUES ("x", 9)')).issue.message).toContain(
		'Writing to index implementation tables is not allowed',
	)
	expect([await typeAt('/local/ix/one'), await typeAt('/local/ix/one/indexImplTable')]).toEqual([
		Entry_Type.TABLE,
		expect.stringContaining('400070'),
	])
	await client.rows('ALTER TABLE ix ADD INDEX four GLOBAL ON (c)')
	await client.rows('ALTER TABLE ix DROP INDEX two')
	await client.rows('ALTER TABLE ix RENAME INDEX one TO uno')
	await client.rows('ALTER TABLE ix ALTER INDEX uno SET AUTO_PARTITIONING_MIN_PARTITIONS_COUNT 5')
	expect((await describe('/local/ix')).indexes.map(({ name, type }) => [name, type.case])).toEqual([
		['uno', 'globalIndex'],
		['three', 'globalUniqueIndex'],
		['four', 'globalIndex'],
	])
	await restart()
	expect(await read('/local/ix/four/indexImplTable')).toEqual([
		['p', 1],
		['q', 2],
	])
	expect((await describe('/local/ix/uno/indexImplTable')).partitioningSettings?.minPartitionsCount).toBe(5n)
	await expect(describe('/local/ix/two/indexImplTable')).rejects.toThrow('400070')
	expect((await tables().dropTable({ path: '/local/ix/uno/indexImplTable' })).operation?.status).toBe(400070)
})

test('copies carry indexes and sequences, unless indexes are left out', async () => {
	await client.rows('CREATE TABLE cs (id Serial, v Utf8, PRIMARY KEY (id), INDEX i GLOBAL ON (v))')
	await client.rows('INSERT INTO cs (v) VALUES ("a"), ("b")')
	await tables().copyTables({
		tables: [
			{ sourcePath: '/local/cs', destinationPath: '/local/cs1' },
			{ sourcePath: '/local/cs', destinationPath: '/local/cs2', omitIndexes: true },
		],
	})
	await client.rows('INSERT INTO cs1 (v) VALUES ("c")')
	expect(await read('/local/cs1/i/indexImplTable')).toEqual([
		['a', 1],
		['b', 2],
		['c', 3],
	])
	expect((await describe('/local/cs2')).indexes).toEqual([])
	await expect(describe('/local/cs2/i/indexImplTable')).rejects.toThrow('400070')
	expect(await read('/local/cs2')).toHaveLength(2)
})

test('serial columns count on, after a restart and after set_val', async () => {
	await client.rows('CREATE TABLE sq (id BigSerial NOT NULL, v Utf8, n Serial2, PRIMARY KEY (id))')
	await client.rows('INSERT INTO sq (v) VALUES ("a")')
	await client.rows('UPSERT INTO sq (v) VALUES ("b"), ("c")')
	await client.query('INSERT INTO sq (id, v) VALUES (1, "twice")')
	expect(await read('/local/sq')).toEqual([
		[1, 'a', 1],
		[2, 'b', 2],
		[3, 'c', 3],
	])
	await client.rows('UPSERT INTO sq (id, v) VALUES (2, "B")')
	await restart()
	await client.rows('INSERT INTO sq (v) VALUES ("d")')
	// The refused row took its number of the other sequence all the same.
	expect((await read('/local/sq')).slice(1)).toEqual([
		[2, 'B', 2],
		[3, 'c', 3],
		[4, 'd', 5],
	])
	const { columns } = await describe('/local/sq', true)
	const { defaultValue } = columns[0]!
	expect(defaultValue).toMatchObject({
		case: 'fromSequence',
		value: { name: '_serial_column_id', startValue: 1n, increment: 1n, setVal: { nextValue: 4n, nextUsed: true } },
	})
	expect((await describe('/local/sq')).columns[0]!.defaultValue.value).not.toHaveProperty('setVal.nextValue')
	const { operation } = await tables().createTable({
		path: '/local/sq2',
		primaryKey: ['id'],
		columns: [
			{
				name: 'id',
				type: { type: { case: 'typeId', value: 3 } },
				notNull: true,
				defaultValue: {
					case: 'fromSequence',
					value: { name: '_serial_column_id', setVal: { nextValue: 40n, nextUsed: true } },
				},
			},
			{
				name: 'v',
				type: { type: { case: 'optionalType', value: { item: { type: { case: 'typeId', value: 4608 } } } } },
			},
		],
	})
	expect(operation?.issues).toEqual([])
	await client.rows('INSERT INTO sq2 (v) VALUES ("x")')
	expect(await client.rows('SELECT id FROM sq2')).toEqual([[41]])
	await client.rows('ALTER SEQUENCE `/local/sq2/_serial_column_id` RESTART WITH 100 INCREMENT BY 5')
	await client.rows('INSERT INTO sq2 (v) VALUES ("x"), ("y")')
	expect(await client.rows('SELECT id FROM sq2 ORDER BY id')).toEqual([[41], [100], [105]])
	await restart()
	await client.rows('INSERT INTO sq2 (v) VALUES ("z")')
	expect(await client.rows('SELECT id FROM sq2 WHERE id > 105')).toEqual([[110]])
	// The last restart is done again by whatever comes later.
	await client.rows('ALTER SEQUENCE `/local/sq2/_serial_column_id` INCREMENT BY 7')
	expect((await client.query('INSERT INTO sq2 (v) VALUES ("again")')).status).toBe(400120)
	expect((await client.query('ALTER SEQUENCE `sq2/_serial_column_id` RESTART')).status).toBe(400070)
})

test('what belongs to a table goes where it goes', async () => {
	await client.rows('CREATE TABLE mv (id Serial, v Utf8, PRIMARY KEY (id), INDEX i GLOBAL ON (v))')
	await client.rows('INSERT INTO mv (v) VALUES ("a")')
	await client.rows('ALTER TABLE mv RENAME TO `far/mv`')
	await client.rows('INSERT INTO `far/mv` (v) VALUES ("b")')
	await client.rows('ALTER TABLE `far/mv` DROP INDEX i')
	await client.rows('ALTER TABLE `far/mv` ADD INDEX i GLOBAL ON (v) COVER (v)')
	expect((await client.query('ALTER TABLE `far/mv` ADD INDEX j GLOBAL ON (nothing)')).status).toBe(400070)
	await restart()
	expect(await read('/local/far/mv/i/indexImplTable')).toEqual([
		['a', 1],
		['b', 2],
	])
	await client.rows('DROP TABLE `far/mv`')
	await expect(describe('/local/far/mv/i/indexImplTable')).rejects.toThrow('400070')
	expect(
		(await client.query('CREATE TABLE js (id Uint64, j Json, PRIMARY KEY (id), INDEX i GLOBAL ON (j))')).status,
	).toBe(400070)
	expect(await typeAt('/local/js')).toContain('400070')
})

test('defaults fill what is not written, and stay where a row is', async () => {
	await client.rows(
		'CREATE TABLE df (id Uint64, a Int32 DEFAULT 7, b Utf8 NOT NULL DEFAULT "x", c Int64, PRIMARY KEY (id))',
	)
	await client.rows('UPSERT INTO df (id) VALUES (1)')
	await client.rows('UPSERT INTO df (id, a, b) VALUES (2, 1, "y")')
	await client.rows('UPSERT INTO df (id, c) VALUES (2, 5)')
	await client.rows('REPLACE INTO df (id, c) VALUES (3, 6)')
	expect(await read('/local/df')).toEqual([
		[1, 7, 'x', null],
		[2, 1, 'y', 5],
		[3, 7, 'x', 6],
	])
	await client.rows('ALTER TABLE df ADD COLUMN d Bool NOT NULL DEFAULT true')
	expect(await client.rows('SELECT d FROM df WHERE id = 1')).toEqual([[true]])
	expect((await describe('/local/df')).columns[1]!.defaultValue.case).toBe('fromLiteral')
	expect((await client.query('CREATE TABLE bad (id Uint64, a Int32 DEFAULT "x", PRIMARY KEY (id))')).status).toBe(
		400080,
	)
	await client.rows('ALTER TABLE df ALTER COLUMN b DROP NOT NULL')
	await restart()
	expect((await describe('/local/df')).columns.map(({ notNull }) => notNull)).toEqual([
		false,
		false,
		false,
		false,
		true,
	])
	expect((await client.query('UPSERT INTO df (id, b) VALUES (4, NULL)')).status).toBe(400000)
})

test('families: created, altered, given to columns', async () => {
	await client.rows(
		`CREATE TABLE fm (id Uint64, a Utf8 FAMILY cold, PRIMARY KEY (id),
			FAMILY default (DATA = "ssd", COMPRESSION = "off"), FAMILY cold (DATA = "rot", COMPRESSION = "lz4"))`,
	)
	await client.rows('ALTER TABLE fm ADD FAMILY warm (DATA = "ssd"), ADD COLUMN b Utf8 FAMILY warm')
	await client.rows('ALTER TABLE fm ALTER FAMILY cold SET DATA "hdd", ALTER COLUMN b SET FAMILY cold')
	await restart()
	const { columnFamilies, columns } = await describe('/local/fm')
	expect(columnFamilies.map(({ name, data, compression }) => [name, data?.media, compression])).toEqual([
		['default', 'ssd', ColumnFamily_Compression.NONE],
		['cold', 'hdd', ColumnFamily_Compression.LZ4],
		['warm', 'ssd', ColumnFamily_Compression.UNSPECIFIED],
	])
	expect(columns.map(({ family }) => family)).toEqual(['', 'cold', 'cold'])
	await client.rows('ALTER TABLE fm ADD COLUMN z Utf8 FAMILY undeclared')
	expect((await describe('/local/fm')).columnFamilies.map(({ name }) => name)).toContain('undeclared')
})

test('settings of tables change and stay: TTL, partitioning, replicas, attributes', async () => {
	await client.rows('CREATE TABLE st (id Uint64, at Timestamp, n Uint32, PRIMARY KEY (id))')
	await client.rows('ALTER TABLE st SET (TTL = Interval("PT1H") ON n AS SECONDS)')
	await client.rows(
		'ALTER TABLE st SET (AUTO_PARTITIONING_BY_LOAD = ENABLED, READ_REPLICAS_SETTINGS = "PER_AZ:2", TTL = Interval("P1D") ON at)',
	)
	await tables().alterTable({ path: '/local/st', alterAttributes: { owner: 'me', gone: 'x' } })
	await tables().alterTable({ path: '/local/st', alterAttributes: { gone: '' } })
	await restart()
	expect(await describe('/local/st')).toMatchObject({
		attributes: { owner: 'me' },
		ttlSettings: { mode: { case: 'dateTypeColumn', value: { columnName: 'at', expireAfterSeconds: 86_400 } } },
		partitioningSettings: { partitioningByLoad: 1 },
		readReplicasSettings: { settings: { case: 'perAzReadReplicasCount', value: 2n } },
	})
})

test('settings that nobody gave are told as servers tell them; turning partitioning on takes others back', async () => {
	await client.rows('CREATE TABLE pl (id Uint64, PRIMARY KEY (id)) WITH (AUTO_PARTITIONING_MIN_PARTITIONS_COUNT = 4)')
	expect(await describe('/local/pl')).toMatchObject({
		partitioningSettings: {
			partitioningBySize: 1,
			partitionSizeMb: 2048n,
			partitioningByLoad: 2,
			minPartitionsCount: 4n,
		},
		columnFamilies: [{ name: 'default', compression: ColumnFamily_Compression.NONE }],
		storageSettings: { storeExternalBlobs: 2 },
	})
	await client.rows('ALTER TABLE pl SET (AUTO_PARTITIONING_BY_LOAD = ENABLED)')
	expect((await describe('/local/pl')).partitioningSettings?.minPartitionsCount).toBe(1n)
	expect((await tables().alterTable({ path: '/local/pl' })).operation?.status).toBe(400010)
})

test('changefeeds: shown with their topics, dropped, kept', async () => {
	await client.rows('CREATE TABLE cf (id Uint64, PRIMARY KEY (id))')
	await client.rows(
		`ALTER TABLE cf ADD CHANGEFEED feed WITH (MODE = 'NEW_AND_OLD_IMAGES', FORMAT = 'JSON', INITIAL_SCAN = TRUE,
			VIRTUAL_TIMESTAMPS = TRUE, RETENTION_PERIOD = Interval("PT12H"), RESOLVED_TIMESTAMPS = Interval("PT1S"))`,
	)
	await client.rows(`ALTER TABLE cf ADD CHANGEFEED other WITH (MODE = 'KEYS_ONLY', FORMAT = 'DEBEZIUM_JSON')`)
	await client.rows('ALTER TABLE cf DROP CHANGEFEED other')
	await restart()
	const { changefeeds } = await describe('/local/cf')
	expect(changefeeds).toMatchObject([
		{
			name: 'feed',
			mode: ChangefeedMode_Mode.NEW_AND_OLD_IMAGES,
			format: ChangefeedFormat_Format.JSON,
			virtualTimestamps: true,
			resolvedTimestampsInterval: { seconds: 1n },
		},
	])
	expect(await typeAt('/local/cf/feed')).toBe(Entry_Type.TOPIC)
	const { operation } = await client.driver.createClient(SchemeServiceDefinition).listDirectory({ path: '/local' })
	const { children } = anyUnpack(operation!.result!, ListDirectoryResultSchema)!
	expect(children.some(({ name }) => name === 'feed' || name === 'one')).toBe(false)
	const twice = await client.query(`ALTER TABLE cf ADD CHANGEFEED feed WITH (MODE = 'UPDATES', FORMAT = 'JSON')`)
	expect(twice.status).toBe(400070)
})

test('column tables are read by queries only', async () => {
	await client.rows(
		`CREATE TABLE ct (id Uint64 NOT NULL, v Utf8, PRIMARY KEY (id)) PARTITION BY HASH (id)
			WITH (STORE = COLUMN, AUTO_PARTITIONING_MIN_PARTITIONS_COUNT = 4)`,
	)
	await client.rows('UPSERT INTO ct (id, v) VALUES (1, "a")')
	expect(await client.rows('SELECT id, v FROM ct')).toEqual([[1, 'a']])
	await expect(read('/local/ct')).rejects.toThrow('400070')
	const copied = await tables().copyTables({ tables: [{ sourcePath: '/local/ct', destinationPath: '/local/ct2' }] })
	expect(copied.operation?.status).toBe(400070)
	const { storeType, partitioningSettings, self } = await describe('/local/ct')
	expect([storeType, partitioningSettings?.partitionBy, self?.type]).toEqual([
		StoreType.COLUMN,
		['id'],
		Entry_Type.COLUMN_TABLE,
	])
	const nullable = await client.query('CREATE TABLE ct3 (id Uint64, PRIMARY KEY (id)) WITH (STORE = COLUMN)')
	expect(nullable.status).toBe(400070)
})

test('ydb-sdk sees indexes, families and types of entries', () =>
	withSdk(emulator, (driver) =>
		driver.tableClient.withSession(async (session) => {
			const { indexes } = await session.describeTable('ix')
			expect(indexes!.map(({ name }) => name)).toContain('uno')
			const { columnFamilies } = await session.describeTable('fm')
			expect(columnFamilies!.map(({ name }) => name)).toEqual(['default', 'cold', 'warm', 'undeclared'])
			const { children } = await driver.schemeClient.listDirectory('')
			expect(children!.find(({ name }) => name === 'cf')).toMatchObject({ type: sdk.Ydb.Scheme.Entry.Type.TABLE })
		}),
	))

test('an index follows its table when a column before its own is dropped', async () => {
	await using emulator = await startEmulator()
	await using client = await Client.open(emulator)
	await client.rows('CREATE TABLE t (id Uint32, a Utf8, b Utf8, c Utf8, PRIMARY KEY (id), INDEX i GLOBAL ON (c))')
	await client.rows('UPSERT INTO t (id, a, b, c) VALUES (1, "a", "b", "c")')
	await client.rows('ALTER TABLE t DROP COLUMN a')
	expect(await client.rows('SELECT id FROM t VIEW i WHERE c = "c"')).toEqual([[1]])
	expect(await client.rows('SELECT c, id FROM `t/i/indexImplTable`')).toEqual([['c', 1]])
})
