import {
	type DefinedKind,
	protoField,
	type ProtoText,
	type ProtoValue,
	type SchemeObject,
	type SourceObject,
} from '@ydbackup/core'
import { parseProtoText, printProtoText } from '@ydbackup/format'
import type { Ydb } from '@ydbackup/ydb'

/** A kind of object, or a part of one, that a backup may carry. */
export interface MatrixObject {
	/** For the table in the docs. */
	readonly title: string
	/** Where it stands in the source, relative to the database. */
	readonly path: string
	/** In the order in which they are run. */
	readonly statements: readonly string[]
	/** What no statement makes. */
	readonly make?: ((sink: Ydb['sink']) => Promise<void>) | undefined
	/** What must be the same after a restore: rights, parts (changefeeds, rate limiters), or fields of the scheme; the whole object by default. */
	readonly of?: 'rights' | 'parts' | readonly string[]
}

const proto = (text: string): ProtoText => parseProtoText(text, 'matrix')

/** The one list of what the matrix tries. Whoever teaches a kind to a backup adds it here. */
export const MATRIX_OBJECTS: readonly MatrixObject[] = [
	{
		title: 'row table: columns, key, rows',
		path: 'm/rows',
		statements: [
			'CREATE TABLE `m/rows` (id Uint64, t Utf8, b String, d Double, at Timestamp, n Decimal(22, 9), j Json, f Bool, i Int32 NOT NULL, PRIMARY KEY (id))',
			`UPSERT INTO \`m/rows\` (id, t, b, d, at, n, j, f, i) VALUES
				(1, "привет, \\"one\\""u, "a\\nb", 0.1, Timestamp("2026-11-23T02:15:30.123456Z"), Decimal("-1.5", 22, 9), Json("{}"), true, -7),
				(18446744073709551615, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0)`,
		],
	},
	{
		title: 'empty table',
		path: 'm/empty',
		statements: ['CREATE TABLE `m/empty` (id Utf8, PRIMARY KEY (id))'],
	},
	{
		title: 'partitions by key',
		path: 'm/parts',
		of: ['partition_at_keys'],
		statements: [
			'CREATE TABLE `m/parts` (id Uint64, n Utf8, PRIMARY KEY (id)) WITH (PARTITION_AT_KEYS = (10, 20))',
			'UPSERT INTO `m/parts` (id, n) VALUES (1, "a"u), (15, "b"u), (30, "c"u)',
		],
	},
	{
		title: 'secondary index',
		path: 'm/indexed',
		of: ['indexes'],
		statements: [
			'CREATE TABLE `m/indexed` (id Uint64, n Utf8, PRIMARY KEY (id), INDEX by_n GLOBAL ON (n))',
			'UPSERT INTO `m/indexed` (id, n) VALUES (1, "a"u), (2, "b"u)',
		],
	},
	{
		title: 'asynchronous and unique indexes',
		path: 'm/uniquely',
		of: ['indexes'],
		statements: [
			'CREATE TABLE `m/uniquely` (id Uint64, n Utf8, PRIMARY KEY (id), INDEX one GLOBAL UNIQUE SYNC ON (n), INDEX later GLOBAL ASYNC ON (n))',
			'UPSERT INTO `m/uniquely` (id, n) VALUES (1, "a"u), (2, "b"u)',
		],
	},
	{
		title: 'TTL',
		path: 'm/ttl',
		of: ['ttl_settings'],
		statements: [
			'CREATE TABLE `m/ttl` (id Uint64, at Timestamp, PRIMARY KEY (id)) WITH (TTL = Interval("P900D") ON at)',
		],
	},
	{
		title: 'sequence of a column',
		path: 'm/serial',
		of: ['columns'],
		statements: [
			'CREATE TABLE `m/serial` (id Serial, n Utf8, PRIMARY KEY (id))',
			'INSERT INTO `m/serial` (n) VALUES ("a"u), ("b"u)',
		],
	},
	{
		title: 'owner and grants of a table',
		path: 'm/granted',
		of: 'rights',
		statements: [
			'CREATE TABLE `m/granted` (id Uint64, PRIMARY KEY (id))',
			'GRANT "ydb.generic.read" ON `m/granted` TO `reader@builtin`',
		],
		make: (sink) => sink.setPermissions('m/granted', proto('actions { change_owner: "owner@builtin" }')),
	},
	{
		title: 'attributes of a table',
		path: 'm/attributed',
		of: ['attributes'],
		statements: [],
		make: (sink) =>
			sink.createTable(
				'm/attributed',
				proto(
					'columns { name: "id" type { optional_type { item { type_id: UINT64 } } } } primary_key: "id" attributes { key: "team" value: "a b" }',
				),
			),
	},
	{
		title: 'column families and other settings of a table',
		path: 'm/settings',
		of: ['column_families', 'key_bloom_filter', 'read_replicas_settings', 'partitioning_settings'],
		statements: [
			`CREATE TABLE \`m/settings\` (id Uint64, n Utf8 FAMILY cold, PRIMARY KEY (id), FAMILY cold (COMPRESSION = "lz4"))
				WITH (KEY_BLOOM_FILTER = ENABLED, READ_REPLICAS_SETTINGS = "PER_AZ:1", AUTO_PARTITIONING_BY_LOAD = ENABLED, AUTO_PARTITIONING_MIN_PARTITIONS_COUNT = 2)`,
		],
	},
	{
		title: 'directory with grants',
		path: 'm/folder',
		of: 'rights',
		statements: [
			'CREATE TABLE `m/folder/inner` (id Uint64, PRIMARY KEY (id))',
			'GRANT "ydb.generic.list" ON `m/folder` TO `reader@builtin`',
		],
	},
	{
		title: 'changefeeds of a table, with consumers',
		path: 'm/fed',
		of: 'parts',
		statements: [
			'CREATE TABLE `m/fed` (id Uint64, PRIMARY KEY (id))',
			"ALTER TABLE `m/fed` ADD CHANGEFEED feed WITH (MODE = 'UPDATES', FORMAT = 'JSON')",
			"ALTER TABLE `m/fed` ADD CHANGEFEED keys WITH (MODE = 'KEYS_ONLY', FORMAT = 'JSON')",
			'ALTER TOPIC `m/fed/feed` ADD CONSUMER billing WITH (important = TRUE), ADD CONSUMER search',
		],
	},
	{
		title: 'column table',
		path: 'm/columns',
		statements: [
			'CREATE TABLE `m/columns` (id Uint64 NOT NULL, n Utf8, PRIMARY KEY (id)) WITH (STORE = COLUMN)',
			'UPSERT INTO `m/columns` (id, n) VALUES (1, "a"u)',
		],
	},
	{
		title: 'view',
		path: 'm/view',
		statements: ['CREATE VIEW `m/view` WITH (security_invoker = TRUE) AS SELECT id FROM `/local/m/rows`'],
	},
	{
		title: 'coordination node with rate limiters',
		path: 'm/node',
		statements: [],
		async make(sink) {
			const message = proto('config { self_check_period_millis: 2000 session_grace_period_millis: 9000 }')
			await sink.createObject('m/node', 'coordination-node', { form: 'message', message })
			for (const name of ['api', 'api/read']) {
				const definition = proto('resource { hierarchical_drr { max_units_per_second: 7.5 } }')
				await sink.createPart('m/node', { kind: 'rate-limiter', name, definition })
			}
		},
	},
	{
		title: 'topic',
		path: 'm/topic',
		statements: ['CREATE TOPIC `m/topic` (CONSUMER reader) WITH (min_active_partitions = 2)'],
	},
	{
		title: 'external data source',
		path: 'm/source',
		statements: [
			'CREATE EXTERNAL DATA SOURCE `m/source` WITH (SOURCE_TYPE = "ObjectStorage", LOCATION = "http://host/bucket/", AUTH_METHOD = "NONE")',
		],
	},
	{
		title: 'external table',
		path: 'm/external',
		statements: [
			'CREATE EXTERNAL TABLE `m/external` (a Utf8 NOT NULL) WITH (DATA_SOURCE = "m/source", LOCATION = "f.csv", FORMAT = "csv_with_names")',
		],
	},
	{
		title: 'async replication',
		path: 'm/replica',
		statements: [
			'CREATE ASYNC REPLICATION `m/replica` FOR `far/orders` AS `m/far_orders` WITH (CONNECTION_STRING = "grpcs://far.example.com:2135/?database=/far", TOKEN_SECRET_NAME = "far-token")',
		],
	},
	{
		title: 'transfer',
		path: 'm/transfer',
		statements: [
			'$move = ($m) -> { return [<| id: "x"u |>]; }; CREATE TRANSFER `m/transfer` FROM `m/topic` TO `m/empty` USING $move WITH (CONSUMER = "reader", FLUSH_INTERVAL = Interval("PT60S"))',
		],
	},
]

/** What each object of the list looks like below a directory; those that are not there are left out. */
export async function look(ydb: Ydb, root = ''): Promise<Map<string, string>> {
	const found = new Map<string, SourceObject>()
	for await (const object of ydb.source.list()) found.set(object.path, object)
	const seen = new Map<string, string>()
	for (const { title, path, of } of MATRIX_OBJECTS) {
		const at = root === '' ? path : `${root}/${path}`
		const object = found.get(at) ?? (await ydb.sink.find(at))
		if (object !== undefined) seen.set(title, await sight(ydb, at, object, of))
	}
	return seen
}

async function sight(ydb: Ydb, path: string, object: SourceObject, of: MatrixObject['of']): Promise<string> {
	const rights = printProtoText(object.permissions)
	if (of === 'rights') return rights
	if (object.kind !== 'row-table' && object.kind !== 'column-table')
		return `${rights}${sightOf(await ydb.source.describe({ path, kind: object.kind as DefinedKind }))}`
	if (of === 'parts') return sightOf(await ydb.source.describe({ path, kind: 'row-table' }))
	const { scheme, schema } = await ydb.sink.describeTable(path)
	let rows = ''
	for await (const chunk of ydb.sink.read(path, schema, {})) rows += Buffer.from(chunk.bytes).toString('base64')
	if (of === undefined) return JSON.stringify([object.kind, schema, rows])
	const parts = of.map((name) => shown(name, protoField(scheme, name), scheme))
	return JSON.stringify([parts, rows])
}

/** What makes an object, and its parts, as if it stood in the database that it is from. */
function sightOf({ path, definition, parts }: SchemeObject): string {
	// A view that went elsewhere says where its relative paths begin.
	const statements =
		definition?.form === 'statements' ? definition.text.replace(/^PRAGMA TablePathPrefix = .*;\n/u, '') : ''
	const made = definition?.form === 'message' ? printProtoText(definition.message) : statements
	const within = parts.map(({ name, definition: of, topic = [] }) => [name, printProtoText(of), consumersOf(topic)])
	const root = path.slice(0, path.indexOf('/m/') + 1)
	const text = JSON.stringify([made, within])
	return root === '' ? text : text.replaceAll(root, '')
}

/** The cluster tells other settings of a changefeed's topic in an export than to those who ask it. */
function consumersOf(topic: ProtoText): string {
	return printProtoText(topic.filter(({ name }) => name === 'consumers' || name === 'retention_period'))
}

function shown(name: string, value: ProtoValue | undefined, scheme: ProtoText): string | undefined {
	if (value === undefined) return undefined
	return printProtoText(scheme.filter((field) => field.name === name))
}
