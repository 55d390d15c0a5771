import { create, toJson } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { CoordinationServiceDefinition, DescribeNodeResultSchema } from '@ydbjs/api/coordination'
import { OperationSchema, type Operation } from '@ydbjs/api/operation'
import {
	DescribeResourceResultSchema,
	ListResourcesResultSchema,
	RateLimiterServiceDefinition,
} from '@ydbjs/api/rate-limiter'
import { ListDirectoryResultSchema, SchemeServiceDefinition, ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import { DescribeTableRequestSchema, DescribeTableResultSchema, TableServiceDefinition } from '@ydbjs/api/table'
import { DescribeTopicResultSchema, TopicServiceDefinition } from '@ydbjs/api/topic'
import { Driver } from '@ydbjs/core'
import { fromBinary } from '@bufbuild/protobuf'
import { openQueries } from './queries.ts'

/** Statements that make one object of every kind in `dir`, around the tables `orders` and `unique`. */
export const EVERY_KIND: readonly string[] = [
	`CREATE TABLE \`dir/orders\` (
		id Serial NOT NULL, city Utf8 NOT NULL, note Utf8 FAMILY cold, at Timestamp, PRIMARY KEY (id),
		INDEX by_city GLOBAL SYNC ON (city) COVER (note), INDEX by_note GLOBAL ASYNC ON (note), FAMILY cold (COMPRESSION = "lz4")
	) WITH (AUTO_PARTITIONING_BY_LOAD = ENABLED, AUTO_PARTITIONING_MIN_PARTITIONS_COUNT = 2, KEY_BLOOM_FILTER = ENABLED,
		READ_REPLICAS_SETTINGS = "PER_AZ:1", TTL = Interval("PT240000H") ON at)`,
	'CREATE TABLE `dir/unique` (id Uint64 NOT NULL, code Utf8, PRIMARY KEY (id), INDEX by_code GLOBAL UNIQUE SYNC ON (code))',
	`UPSERT INTO \`dir/orders\` (city, note, at) VALUES ("Riga", "first", Timestamp("2026-01-01T00:00:00Z")), ("Oslo", NULL, NULL)`,
	'UPSERT INTO `dir/unique` (id, code) VALUES (1, "one"), (2, "two")',
	'ALTER TABLE `dir/orders` ADD CHANGEFEED updates WITH (MODE = "NEW_AND_OLD_IMAGES", FORMAT = "JSON", RETENTION_PERIOD = Interval("PT2H"), VIRTUAL_TIMESTAMPS = TRUE)',
	'ALTER TABLE `dir/orders` ADD CHANGEFEED keys WITH (MODE = "KEYS_ONLY", FORMAT = "JSON")',
	'ALTER TOPIC `dir/orders/updates` ADD CONSUMER billing WITH (important = TRUE), ADD CONSUMER search',
	`CREATE TOPIC \`dir/events\` (CONSUMER a, CONSUMER b WITH (important = TRUE, supported_codecs = "RAW, GZIP"))
		WITH (min_active_partitions = 3, retention_period = Interval("PT5H"), partition_write_speed_bytes_per_second = 2097152)`,
	'CREATE VIEW `dir/a_over_z` WITH (security_invoker = TRUE) AS SELECT city FROM `dir/z_cities`',
	'CREATE VIEW `dir/z_cities` WITH (security_invoker = TRUE) AS SELECT city FROM `dir/orders` WHERE note = "a;b"',
	'PRAGMA TablePathPrefix = "/local/dir"; $known = (SELECT city FROM orders); CREATE VIEW named WITH (security_invoker = TRUE) AS SELECT * FROM `/local/dir/orders` AS o WHERE o.city IN $known',
	'CREATE EXTERNAL DATA SOURCE `dir/bucket` WITH (SOURCE_TYPE = "ObjectStorage", LOCATION = "https://example.com/it\'s/", AUTH_METHOD = "AWS", AWS_ACCESS_KEY_ID_SECRET_NAME = "key-id", AWS_SECRET_ACCESS_KEY_SECRET_NAME = "key", AWS_REGION = "ru-1")',
	'CREATE EXTERNAL TABLE `dir/files` (name Utf8 NOT NULL, size Uint64, price Decimal(22,9)) WITH (DATA_SOURCE = "dir/bucket", LOCATION = "/in/", FORMAT = "csv_with_names")',
	'CREATE ASYNC REPLICATION `dir/replica` FOR `far/orders` AS `dir/far_orders`, `far/more` AS `dir/far_more` WITH (CONNECTION_STRING = "grpcs://far.example.com:2135/?database=/far", TOKEN_SECRET_NAME = "far-token", CONSISTENCY_LEVEL = "Global", COMMIT_INTERVAL = Interval("PT7S"))',
	'$move = ($m) -> { return [<| id: CAST($m._offset AS Uint64), code: "x" |>]; }; CREATE TRANSFER `dir/transfer` FROM `dir/events` TO `dir/unique` USING $move WITH (CONSUMER = "a", BATCH_SIZE_BYTES = 8388608, FLUSH_INTERVAL = Interval("PT60S"))',
]

/** In the order in which they are made: what needs another one comes after it. */
export const STATEMENTS: readonly string[] = EVERY_KIND.toSorted((a, b) => rank(a) - rank(b))

function rank(statement: string): number {
	return statement.includes('a_over_z') ? 1 : 0
}

const DRAFTS: Readonly<Record<number, string>> = {
	16: '/Ydb.Replication.V1.ReplicationService/DescribeReplication',
	18: '/Ydb.Table.V1.TableService/DescribeExternalTable',
	19: '/Ydb.Table.V1.TableService/DescribeExternalDataSource',
	20: '/Ydb.View.V1.ViewService/DescribeView',
	23: '/Ydb.Replication.V1.ReplicationService/DescribeTransfer',
}
const TABLE = 2
const COORDINATION = 7
const TOPIC = 17
const DIRECTORY = 1

/** Creates every kind. */
export async function makeEveryKind(endpoint: string, database: string): Promise<void> {
	await using queries = await openQueries(endpoint, database)
	for (const statement of STATEMENTS) await queries.run(statement)
	const driver = await openDriver(endpoint, database)
	try {
		const nodes = driver.createClient(CoordinationServiceDefinition)
		const limiters = driver.createClient(RateLimiterServiceDefinition)
		const path = `${database}/dir/locks`
		succeeded(await nodes.createNode({ path, config: { selfCheckPeriodMillis: 2000, sessionGracePeriodMillis: 9000 } }))
		for (const [resourcePath, maxUnitsPerSecond] of [
			['api', 100],
			['api/read', 40],
			['other', 7.5],
		] as const) {
			const type = { case: 'hierarchicalDrr' as const, value: { maxUnitsPerSecond, maxBurstSizeCoefficient: 2 } }
			succeeded(await limiters.createResource({ coordinationNodePath: path, resource: { resourcePath, type } }))
		}
		const schemes = driver.createClient(SchemeServiceDefinition)
		for (const name of ['z_cities', 'events', 'locks', 'bucket', 'files', 'replica', 'transfer', 'orders']) {
			const grant = { subject: 'reader@builtin', permissionNames: ['ydb.generic.read'] }
			const actions = [
				{ action: { case: 'changeOwner' as const, value: 'owner@builtin' } },
				{ action: { case: 'grant' as const, value: grant } },
			]
			const request = create(ModifyPermissionsRequestSchema, { path: `${database}/dir/${name}`, actions })
			succeeded(await schemes.modifyPermissions(request))
		}
	} finally {
		driver.close()
	}
}

/** Everything below a directory as the services tell it, by path below it: kinds, owners, grants, and all of what they describe. */
export async function describeAll(endpoint: string, database: string, top: string): Promise<Record<string, unknown>> {
	const driver = await openDriver(endpoint, database)
	const all: Record<string, unknown> = {}
	try {
		const schemes = driver.createClient(SchemeServiceDefinition)
		const open = [top]
		for (const directory of open) {
			const path = `${database}/${directory}`
			const { children } = unpack(ListDirectoryResultSchema, await schemes.listDirectory({ path }))
			for (const { name, type, owner, permissions } of children) {
				const full = `${directory}/${name}`
				if ((type as number) === DIRECTORY) open.push(full)
				all[full.slice(top.length + 1)] = {
					type,
					owner,
					permissions: permissions.map(({ subject, permissionNames }) => [subject, permissionNames.toSorted()]),
					is: await describe(driver, `${database}/${full}`, type),
				}
			}
		}
		return all
	} finally {
		driver.close()
	}
}

async function describe(driver: Driver, path: string, type: number): Promise<unknown> {
	if (type === TABLE) {
		const request = create(DescribeTableRequestSchema, { path, includeShardKeyBounds: true })
		// include_set_val, of which the client package knows nothing: where sequences are.
		request.$unknown = [{ no: 8, wireType: 0, data: Uint8Array.of(1) }]
		const answer = await driver.createClient(TableServiceDefinition).describeTable(request)
		const table = unpack(DescribeTableResultSchema, answer)
		const feeds = table.changefeeds.map(async ({ name }) => [name, await describe(driver, `${path}/${name}`, TOPIC)])
		table.changefeeds.sort((a, b) => (a.name < b.name ? -1 : 1))
		return [json(DescribeTableResultSchema, table), Object.fromEntries(await Promise.all(feeds)) as unknown]
	}
	if (type === TOPIC) {
		const answer = await driver.createClient(TopicServiceDefinition).describeTopic({ path })
		return json(DescribeTopicResultSchema, unpack(DescribeTopicResultSchema, answer))
	}
	if (type === COORDINATION) {
		const node = unpack(
			DescribeNodeResultSchema,
			await driver.createClient(CoordinationServiceDefinition).describeNode({ path }),
		)
		const limiters = driver.createClient(RateLimiterServiceDefinition)
		const { resourcePaths } = unpack(
			ListResourcesResultSchema,
			await limiters.listResources({ coordinationNodePath: path, recursive: true }),
		)
		const resources = resourcePaths.map(async (resourcePath) => {
			const answer = await limiters.describeResource({ coordinationNodePath: path, resourcePath })
			return json(DescribeResourceResultSchema, unpack(DescribeResourceResultSchema, answer))
		})
		return [json(DescribeNodeResultSchema, node), await Promise.all(resources)]
	}
	const draft = DRAFTS[type]
	return draft === undefined ? undefined : describeDraft(driver, draft, path)
}

/** Fields by their numbers, without the first one, which has the time of creation. No client package has these calls. */
async function describeDraft(driver: Driver, method: string, path: string): Promise<unknown> {
	const definition = {
		call: {
			path: method,
			requestStream: false,
			responseStream: false,
			requestSerialize: (asked: { path: string }) => new BinaryWriter().tag(2, 2).string(asked.path).finish(),
			requestDeserialize: () => ({ path: '' }),
			responseSerialize: () => new Uint8Array(),
			responseDeserialize: (bytes: Uint8Array) => bytes,
			options: {},
		},
	}
	const service = driver.createClient(definition as never) as unknown as {
		call(asked: { path: string }): Promise<Uint8Array>
	}
	const reader = new BinaryReader(await service.call({ path }))
	reader.tag()
	const operation = succeeded({ operation: fromBinary(OperationSchema, reader.bytes()) })
	const fields = new BinaryReader(operation.result!.value)
	const told: [number, string][] = []
	while (fields.pos < fields.len) {
		const [number, wire] = fields.tag()
		if (number === 1 || wire !== 2) fields.skip(wire)
		else told.push([number, Buffer.from(fields.bytes()).toString('latin1')])
	}
	return told.toSorted((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1))
}

interface Answer {
	readonly operation?: Operation | undefined
}

function succeeded({ operation }: Answer): Operation {
	if (operation?.status !== 400_000) throw new Error(JSON.stringify(operation?.issues))
	return operation
}

function unpack<D extends Parameters<typeof create>[0]>(schema: D, answer: Answer): ReturnType<typeof create<D>> {
	return anyUnpack(succeeded(answer).result!, schema) as ReturnType<typeof create<D>>
}

function json<D extends Parameters<typeof create>[0]>(schema: D, message: ReturnType<typeof create<D>>): unknown {
	const { self: _self, tableStats: _stats, ...rest } = toJson(schema, message) as Record<string, unknown>
	return rest
}

async function openDriver(endpoint: string, database: string): Promise<Driver> {
	const driver = new Driver(`${endpoint}${database}`, { 'ydb.sdk.enable_discovery': false })
	await driver.ready(AbortSignal.timeout(10_000))
	return driver
}

const DROPS: Readonly<Record<number, string>> = {
	2: 'TABLE',
	13: 'TABLE',
	16: 'ASYNC REPLICATION',
	17: 'TOPIC',
	18: 'EXTERNAL TABLE',
	19: 'EXTERNAL DATA SOURCE',
	20: 'VIEW',
	23: 'TRANSFER',
}
/** What others need is dropped last. */
const LAST = [TABLE, 19]

/** The disaster: a directory is dropped with all that is in it. */
export async function lose(endpoint: string, database: string, top: string): Promise<void> {
	const driver = await openDriver(endpoint, database)
	await using queries = await openQueries(endpoint, database)
	try {
		const schemes = driver.createClient(SchemeServiceDefinition)
		const open = [top]
		const found: { path: string; type: number }[] = []
		for (const directory of open) {
			const { children } = unpack(
				ListDirectoryResultSchema,
				await schemes.listDirectory({ path: `${database}/${directory}` }),
			)
			for (const { name, type } of children) {
				const path = `${directory}/${name}`
				if ((type as number) === DIRECTORY) open.push(path)
				else found.push({ path, type })
			}
		}
		for (const { path, type } of found.toSorted((a, b) => LAST.indexOf(a.type) - LAST.indexOf(b.type))) {
			if (type === COORDINATION)
				succeeded(await driver.createClient(CoordinationServiceDefinition).dropNode({ path: `${database}/${path}` }))
			else await queries.run(`DROP ${DROPS[type]} \`${path}\``)
		}
		for (const directory of open.toReversed())
			succeeded(await schemes.removeDirectory({ path: `${database}/${directory}` }))
	} finally {
		driver.close()
	}
}
