import { protoField, type ProtoText, type ProtoValue, type SourceObject } from '@ydbackup/core'
import { printProtoText } from '@ydbackup/format'
import type { Ydb } from '@ydbackup/ydb'

/** A kind of object, or a part of one, that a backup may carry. */
export interface MatrixObject {
	/** For the table in the docs. */
	readonly title: string
	/** Where it stands in the source, relative to the database. */
	readonly path: string
	/** In the order in which they are run. */
	readonly statements: readonly string[]
	/** What must be the same after a restore; the whole object by default. */
	readonly of?: 'rights' | readonly string[]
}

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
		title: 'changefeed',
		path: 'm/fed/feed',
		statements: [
			'CREATE TABLE `m/fed` (id Uint64, PRIMARY KEY (id))',
			"ALTER TABLE `m/fed` ADD CHANGEFEED feed WITH (MODE = 'UPDATES', FORMAT = 'JSON')",
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
		statements: ['CREATE VIEW `m/view` WITH (security_invoker = TRUE) AS SELECT 1 AS one'],
	},
	{ title: 'topic', path: 'm/topic', statements: ['CREATE TOPIC `m/topic` (CONSUMER reader)'] },
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
	if (object.kind !== 'row-table' && object.kind !== 'column-table') return object.kind
	const { scheme, schema } = await ydb.sink.describeTable(path)
	let rows = ''
	for await (const chunk of ydb.sink.read(path, schema, {})) rows += Buffer.from(chunk.bytes).toString('base64')
	if (of === undefined) return JSON.stringify([object.kind, schema, rows])
	const parts = of.map((name) => shown(name, protoField(scheme, name), scheme))
	return JSON.stringify([parts, rows])
}

function shown(name: string, value: ProtoValue | undefined, scheme: ProtoText): string | undefined {
	if (value === undefined) return undefined
	return printProtoText(scheme.filter((field) => field.name === name))
}
