import { fromBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConsistencyMode, CoordinationServiceDefinition, DescribeNodeResultSchema } from '@ydbjs/api/coordination'
import { OperationSchema } from '@ydbjs/api/operation'
import {
	DescribeResourceResultSchema,
	ListResourcesResultSchema,
	RateLimiterServiceDefinition,
} from '@ydbjs/api/rate-limiter'
import { Entry_Type, ListDirectoryResultSchema, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import {
	Codec,
	DescribeConsumerResultSchema,
	DescribeTopicResultSchema,
	TopicServiceDefinition,
} from '@ydbjs/api/topic'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client, sdk, withSdk } from './clients.ts'

let directory = ''
let emulator: Emulator
let client: Client
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydb-emulator-objects-'))
	emulator = await startEmulator({ dataDir: directory })
	client = await Client.open(emulator)
})
afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
	await rm(directory, { recursive: true, force: true })
})

async function restart(): Promise<void> {
	await client[Symbol.asyncDispose]()
	await emulator.close()
	emulator = await startEmulator({ dataDir: directory })
	client = await Client.open(emulator)
}

async function types(path: string): Promise<Record<string, Entry_Type>> {
	const { operation } = await client.driver.createClient(SchemeServiceDefinition).listDirectory({ path })
	const { children } = anyUnpack(operation!.result!, ListDirectoryResultSchema)!
	return Object.fromEntries(children.map(({ name, type }) => [name, type]))
}

const topics = (): ReturnType<typeof client.driver.createClient<typeof TopicServiceDefinition>> =>
	client.driver.createClient(TopicServiceDefinition)

/** The draft service of views: a raw call, as no client package has it. */
async function describeView(path: string): Promise<{ status: number; query: string | undefined }> {
	const definition = {
		describeView: {
			path: '/Ydb.View.V1.ViewService/DescribeView',
			requestStream: false,
			responseStream: false,
			requestSerialize: (asked: { path: string }) => new BinaryWriter().tag(2, 2).string(asked.path).finish(),
			requestDeserialize: () => ({ path: '' }),
			responseSerialize: () => new Uint8Array(),
			responseDeserialize: (bytes: Uint8Array) => {
				const reader = new BinaryReader(bytes)
				reader.tag()
				return reader.bytes()
			},
			options: {},
		},
	} as const
	const service = client.driver.createClient(definition as never) as unknown as {
		describeView(asked: { path: string }): Promise<Uint8Array>
	}
	const { status, result } = fromBinary(OperationSchema, await service.describeView({ path }))
	if (!result) return { status, query: undefined }
	const reader = new BinaryReader(result.value)
	let query: string | undefined
	while (reader.pos < reader.len) {
		const [no, type] = reader.tag()
		if (no !== 2) {
			reader.skip(type)
			continue
		}
		const inner = new BinaryReader(reader.bytes())
		inner.tag()
		query = inner.string()
	}
	return { status, query }
}

test('views: created as written, described, listed, dropped', async () => {
	await client.rows('CREATE VIEW `dir/v` WITH (security_invoker = TRUE) AS SELECT  1 /* one */ AS a, "x;y" AS b; ')
	await client.rows('CREATE VIEW IF NOT EXISTS `dir/v` WITH security_invoker = true AS SELECT 2')
	const reading =
		'PRAGMA TablePathPrefix = "/local/dir"; $one = (SELECT 1); CREATE VIEW w WITH (security_invoker = tRuE) AS '
	expect(await client.query(`${reading}SELECT * FROM t`)).toMatchObject({
		status: 400070,
		message: expect.stringContaining("Cannot find table 'db.[/local/dir/t]'"),
	})
	await client.rows('CREATE TABLE `dir/t` (id Uint64, PRIMARY KEY (id))')
	await client.rows(`${reading}SELECT * FROM t`)
	await restart()
	expect(await describeView('/local/dir/v')).toEqual({ status: 400000, query: 'SELECT 1 AS a , "x;y" AS b' })
	expect(await describeView('dir/w')).toEqual({
		status: 400000,
		query: 'PRAGMA TablePathPrefix = "/local/dir";\n$one = ( SELECT 1 );\nSELECT * FROM t',
	})
	expect(await types('/local/dir')).toEqual({ t: 2, v: 20, w: 20 })
	expect((await client.query('SELECT * FROM `dir/v`')).status).toBe(400180)
	expect((await client.query('DROP VIEW `dir/t`')).message).toBe(
		"Check failed: path: '/local/dir/t', error: path is not a view",
	)
	expect((await client.query('CREATE VIEW `dir/t` WITH (security_invoker = TRUE) AS SELECT 1')).message).toContain(
		"path: '/local/dir/t', error: unexpected path type",
	)
	await client.rows('DROP VIEW `dir/v`')
	await client.rows('DROP VIEW IF EXISTS `dir/v`')
	expect((await client.query('DROP VIEW `dir/v`')).message).toContain('Path does not exist')
	expect((await describeView('/local/dir/v')).status).toBe(400070)
})

test('topics: by statements and by the service, with consumers', async () => {
	await client.rows(
		`CREATE TOPIC \`t/one\` (CONSUMER a, CONSUMER b WITH (important = true, supported_codecs = "RAW, GZIP"))
			WITH (min_active_partitions = 3, retention_period = Interval("PT2H"), partition_write_speed_bytes_per_second = 2097152,
				auto_partitioning_strategy = 'up', max_active_partitions = 10)`,
	)
	await client.rows(
		'ALTER TOPIC `t/one` DROP CONSUMER a, ADD CONSUMER c, ALTER CONSUMER b SET (important = false), SET (min_active_partitions = 5)',
	)
	await topics().createTopic({
		path: '/local/t/two',
		consumers: [{ name: 'x' }],
		supportedCodecs: { codecs: [Codec.RAW, Codec.ZSTD] },
		attributes: { key: 'value' },
	})
	expect((await topics().createTopic({ path: '/local/t/two' })).operation?.status).toBe(400130)
	expect((await topics().alterTopic({ path: '/local/t/two', dropConsumers: ['nobody'] })).operation?.status).toBe(
		400140,
	)
	await restart()
	const describe = async (path: string) => {
		const { operation } = await topics().describeTopic({ path, includeStats: true, includeLocation: true })
		return anyUnpack(operation!.result!, DescribeTopicResultSchema)!
	}
	const one = await describe('/local/t/one')
	expect(one.self?.type).toBe(Entry_Type.TOPIC)
	expect(one.partitions.map(({ partitionId }) => partitionId)).toEqual([0n, 1n, 2n, 3n, 4n])
	expect(one.retentionPeriod?.seconds).toBe(7200n)
	expect(one.consumers.map(({ name, important }) => [name, important])).toEqual([
		['b', false],
		['c', false],
	])
	expect(await describe('/local/t/two')).toMatchObject({
		retentionPeriod: { seconds: 86_400n },
		attributes: { key: 'value' },
		consumers: [{ name: 'x', attributes: { _service_type: 'data-streams' } }],
	})
	const { operation } = await topics().describeConsumer({ path: '/local/t/one', consumer: 'b' })
	expect(anyUnpack(operation!.result!, DescribeConsumerResultSchema)!.consumer?.supportedCodecs?.codecs).toEqual([1, 2])
	expect(await types('/local/t')).toEqual({ one: Entry_Type.TOPIC, two: Entry_Type.TOPIC })
	await client.rows('DROP TOPIC `t/one`')
	expect((await topics().dropTopic({ path: '/local/t/two' })).operation?.status).toBe(400000)
	expect((await topics().describeTopic({ path: '/local/t/two' })).operation?.status).toBe(400070)
})

test('the topic of a changefeed takes consumers, and goes with the feed only', async () => {
	await client.rows('CREATE TABLE cf (id Uint64, PRIMARY KEY (id)) WITH (PARTITION_AT_KEYS = (10, 20))')
	await client.rows(
		`ALTER TABLE cf ADD CHANGEFEED f WITH (MODE = 'UPDATES', FORMAT = 'JSON', RETENTION_PERIOD = Interval("PT1H"))`,
	)
	await client.rows('ALTER TOPIC `cf/f` ADD CONSUMER reader')
	expect((await topics().dropTopic({ path: '/local/cf/f' })).operation?.status).toBe(400070)
	await restart()
	const { operation } = await topics().describeTopic({ path: '/local/cf/f' })
	const { consumers, partitions, retentionPeriod } = anyUnpack(operation!.result!, DescribeTopicResultSchema)!
	expect([consumers.map(({ name }) => name), partitions.length, retentionPeriod?.seconds]).toEqual([
		['reader'],
		3,
		3600n,
	])
	expect((await client.query('ALTER TABLE cf RENAME TO cf2')).message).toContain('Cannot move table with cdc streams')
	await client.rows('ALTER TABLE cf DROP CHANGEFEED f')
	expect((await topics().describeTopic({ path: '/local/cf/f' })).operation?.status).toBe(400070)
	await client.rows(`ALTER TABLE cf ADD CHANGEFEED f WITH (MODE = 'UPDATES', FORMAT = 'JSON')`)
	const again = await topics().describeTopic({ path: '/local/cf/f' })
	expect(anyUnpack(again.operation!.result!, DescribeTopicResultSchema)!.consumers).toEqual([])
})

test('coordination nodes and their rate limiters', async () => {
	const nodes = (): ReturnType<typeof client.driver.createClient<typeof CoordinationServiceDefinition>> =>
		client.driver.createClient(CoordinationServiceDefinition)
	const limits = (): ReturnType<typeof client.driver.createClient<typeof RateLimiterServiceDefinition>> =>
		client.driver.createClient(RateLimiterServiceDefinition)
	const coordinationNodePath = '/local/k/node'
	await nodes().createNode({ path: coordinationNodePath, config: { sessionGracePeriodMillis: 5000 } })
	await nodes().alterNode({ path: coordinationNodePath, config: { readConsistencyMode: ConsistencyMode.STRICT } })
	const drr = (maxUnitsPerSecond: number, more: object = {}) => ({
		type: { case: 'hierarchicalDrr' as const, value: { maxUnitsPerSecond, ...more } },
	})
	const create = (resourcePath: string, units: number) =>
		limits().createResource({ coordinationNodePath, resource: { resourcePath, ...drr(units) } })
	expect((await create('a/b', 1)).operation?.status).toBe(400010)
	expect((await create('a', 0)).operation?.status).toBe(400010)
	await create('a', 100)
	await create('a/b', 0)
	await create('z', 7)
	expect((await create('a', 5)).operation?.status).toBe(400130)
	await limits().alterResource({
		coordinationNodePath,
		resource: { resourcePath: 'a', ...drr(0, { prefetchCoefficient: 0.5 }) },
	})
	expect((await limits().dropResource({ coordinationNodePath, resourcePath: 'a' })).operation?.status).toBe(400010)
	await restart()
	const list = async (resourcePath: string, recursive: boolean): Promise<string[]> => {
		const { operation } = await limits().listResources({ coordinationNodePath, resourcePath, recursive })
		return anyUnpack(operation!.result!, ListResourcesResultSchema)!.resourcePaths
	}
	expect([await list('', true), await list('', false), await list('a', true)]).toEqual([
		['a', 'a/b', 'z'],
		['a', 'z'],
		['a', 'a/b'],
	])
	const { operation } = await limits().describeResource({ coordinationNodePath, resourcePath: 'a' })
	expect(anyUnpack(operation!.result!, DescribeResourceResultSchema)!.resource?.type.value).toMatchObject({
		maxUnitsPerSecond: 100,
		prefetchCoefficient: 0.5,
	})
	const described = await nodes().describeNode({ path: coordinationNodePath })
	expect(anyUnpack(described.operation!.result!, DescribeNodeResultSchema)!.config).toMatchObject({
		sessionGracePeriodMillis: 5000,
		readConsistencyMode: ConsistencyMode.STRICT,
	})
	expect(await types('/local/k')).toEqual({ node: Entry_Type.COORDINATION_NODE })
	await nodes().dropNode({ path: coordinationNodePath })
	expect(await types('/local/k')).toEqual({})
})

test('external data sources and tables, replications and transfers are objects', async () => {
	await client.rows(
		`CREATE EXTERNAL DATA SOURCE \`x/source\` WITH (SOURCE_TYPE = "ObjectStorage", LOCATION = "http://host/bucket/", AUTH_METHOD = "NONE")`,
	)
	await client.rows('CREATE EXTERNAL DATA SOURCE IF NOT EXISTS `x/source` WITH (SOURCE_TYPE = "ObjectStorage")')
	await client.rows(
		'CREATE OR REPLACE EXTERNAL DATA SOURCE `x/source` WITH (SOURCE_TYPE = "ObjectStorage", LOCATION = "http://h/")',
	)
	await client.rows(
		'CREATE EXTERNAL TABLE `x/table` (a Utf8 NOT NULL, b Int32) WITH (DATA_SOURCE = "x/source", LOCATION = "f.csv", FORMAT = "csv_with_names")',
	)
	await client.rows(
		`CREATE ASYNC REPLICATION \`x/copy\` FOR \`/remote/a\` AS \`x/a\`, \`/remote/b\` AS \`x/b\`
			WITH (CONNECTION_STRING = 'grpc://host:2136/?database=/remote', TOKEN_SECRET_NAME = 'secret')`,
	)
	await client.rows(
		`CREATE TRANSFER \`x/move\` FROM \`x/topic\` TO \`x/t\` USING ($m) -> { RETURN [<| a: $m._offset |>]; } WITH (FLUSH_INTERVAL = Interval('PT1S'))`,
	)
	await restart()
	expect(await types('/local/x')).toEqual({
		source: Entry_Type.EXTERNAL_DATA_SOURCE,
		table: Entry_Type.EXTERNAL_TABLE,
		copy: Entry_Type.REPLICATION,
		move: 23,
	})
	const used = await client.query('DROP EXTERNAL DATA SOURCE `x/source`')
	expect(used.message).toContain('Other entities depend on this data source')
	for (const what of [
		'EXTERNAL TABLE `x/table`',
		'EXTERNAL DATA SOURCE `x/source`',
		'ASYNC REPLICATION `x/copy` CASCADE',
		'TRANSFER `x/move`',
	])
		await client.rows(`DROP ${what}`)
	expect(await types('/local/x')).toEqual({})
})

test('ydb-sdk: topics', () =>
	withSdk(emulator, async (driver) => {
		await driver.topic.createTopic({ path: 'sdk', consumers: [{ name: 'one' }] })
		await driver.topic.alterTopic({ path: 'sdk', addConsumers: [{ name: 'two' }] })
		const { operation } = (await driver.topic.describeTopic({ path: 'sdk' })) as unknown as {
			operation: { result: { value: Uint8Array } }
		}
		const { consumers } = sdk.Ydb.Topic.DescribeTopicResult.decode(operation.result.value)
		expect(consumers.map(({ name }) => name)).toEqual(['one', 'two'])
		await driver.topic.dropTopic({ path: 'sdk' })
	}))
