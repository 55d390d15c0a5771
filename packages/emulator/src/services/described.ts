import { create, toBinary } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { type Operation, OperationSchema } from '@ydbjs/api/operation'
import { EntrySchema } from '@ydbjs/api/scheme'
import { ColumnMetaSchema } from '@ydbjs/api/table'
import { STATUS, YdbError } from '../error.ts'
import { connectionOf, type Contents, type Definition } from '../scheme/objects.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { field } from '../wire/cursor.ts'
import { parse } from '../yql/parser.ts'
import { toProto } from '../yql/types.ts'
import type { ControlMethods } from './control.ts'
import { entryOf } from './scheme.ts'

/** Calls that client packages leave out: their messages are written by hand. Source: protos/draft/ydb_view.proto, ydb_replication.proto, ydb_table.proto. */
export const DESCRIBED = {
	view: '/Ydb.View.V1.ViewService/DescribeView',
	replication: '/Ydb.Replication.V1.ReplicationService/DescribeReplication',
	transfer: '/Ydb.Replication.V1.ReplicationService/DescribeTransfer',
	externalDataSource: '/Ydb.Table.V1.TableService/DescribeExternalDataSource',
	externalTable: '/Ydb.Table.V1.TableService/DescribeExternalTable',
} as const

type Kind = keyof typeof DESCRIBED

const NAMES: Readonly<Record<Kind, string>> = {
	view: 'Ydb.View.DescribeViewResult',
	replication: 'Ydb.Replication.DescribeReplicationResult',
	transfer: 'Ydb.Replication.DescribeTransferResult',
	externalDataSource: 'Ydb.Table.DescribeExternalDataSourceResult',
	externalTable: 'Ydb.Table.DescribeExternalTableResult',
}

const PATH = 0x12
const MICROSECONDS = 1_000_000n

type Fields = (writer: BinaryWriter) => BinaryWriter

const text =
	(number: number, value: string): Fields =>
	(writer) =>
		writer.tag(number, 2).string(value)
const bytes =
	(number: number, value: Uint8Array): Fields =>
	(writer) =>
		writer.tag(number, 2).bytes(value)
const inner = (number: number, ...fields: readonly Fields[]): Fields => bytes(number, written(fields))
const flag =
	(number: number, value: boolean): Fields =>
	(writer) =>
		value ? writer.tag(number, 0).bool(value) : writer
const nothing: Fields = (writer) => writer

function written(fields: readonly Fields[]): Uint8Array {
	const writer = new BinaryWriter()
	for (const each of fields) each(writer)
	return writer.finish()
}

const map = (number: number, entries: readonly (readonly [string, string])[]): Fields[] =>
	entries.map(([key, value]) => inner(number, text(1, key), text(2, value)))

/** A `google.protobuf.Duration` of whole seconds. */
const duration = (number: number, microseconds: string): Fields =>
	inner(number, (writer) => writer.tag(1, 0).int64(BigInt(microseconds) / MICROSECONDS))

/** Source: `ConnectionParams` of ydb_replication.proto; what is not given is that of YDB's documentation. */
function connection({ settings }: Definition): Fields {
	const found = connectionOf(settings)
	const { USER, PASSWORD_SECRET_NAME, PASSWORD_SECRET_PATH, TOKEN_SECRET_NAME, TOKEN_SECRET_PATH } = settings
	const credentials =
		USER === undefined
			? inner(4, text(1, TOKEN_SECRET_NAME ?? TOKEN_SECRET_PATH ?? ''))
			: inner(3, text(1, USER), text(2, PASSWORD_SECRET_NAME ?? PASSWORD_SECRET_PATH ?? ''))
	if (!found) return inner(2, credentials)
	return inner(2, text(1, found.endpoint), text(2, found.database), credentials, flag(5, found.isSecure))
}

const RESULT: { readonly [K in Kind]: (contents: Contents[K], tree: SchemeTree) => Fields[] } = {
	view: ({ query }) => [inner(2, text(1, query))],
	replication: (definition) => {
		const { settings, targets = [] } = definition
		const { CONSISTENCY_LEVEL: level = 'Row', COMMIT_INTERVAL: interval = String(10n * MICROSECONDS) } = settings
		return [
			connection(definition),
			...targets.map(([from, to], at) =>
				inner(3, text(1, from), text(2, to), (writer) => writer.tag(4, 0).uint64(BigInt(at + 1))),
			),
			inner(4),
			level.toUpperCase() === 'GLOBAL' ? inner(8, duration(1, interval)) : inner(7),
		]
	},
	transfer: (definition) => {
		const { settings, targets = [], lambda = '' } = definition
		const [from = '', to = ''] = targets[0] ?? []
		const { CONSUMER = '', BATCH_SIZE_BYTES: size, FLUSH_INTERVAL: interval } = settings
		return [
			connection(definition),
			inner(3),
			text(7, from),
			text(8, to),
			text(9, lambda),
			text(10, CONSUMER),
			inner(
				11,
				size === undefined ? nothing : (writer) => writer.tag(1, 0).uint64(BigInt(size)),
				interval === undefined ? nothing : duration(2, interval),
			),
		]
	},
	externalDataSource: ({ settings: { SOURCE_TYPE = '', LOCATION, ...others } }) => [
		text(2, SOURCE_TYPE),
		...(LOCATION === undefined ? [] : [text(3, LOCATION)]),
		...map(4, Object.entries(others)),
	],
	externalTable: ({ settings: { DATA_SOURCE = '', LOCATION = '', ...others } }, tree) => {
		const source = tree.find(DATA_SOURCE)?.contents.externalDataSource?.settings['SOURCE_TYPE'] ?? ''
		const columns = Object.entries(others).filter(([key]) => key.startsWith(COLUMN))
		const rest = Object.entries(others).filter(([key]) => !key.startsWith(COLUMN))
		return [
			text(2, source),
			text(3, DATA_SOURCE),
			text(4, LOCATION),
			...columns.map(([key, type]) => bytes(5, columnOf(key.slice(COLUMN.length), type))),
			...map(
				6,
				rest.map(([key, value]) => [key, JSON.stringify(listOf(value))]),
			),
		]
	},
}

const COLUMN = 'column '

function columnOf(name: string, given: string): Uint8Array {
	const notNull = given.endsWith(' NOT NULL')
	const type = notNull ? given.slice(0, -' NOT NULL'.length) : `Optional<${given}>`
	const [declared] = parse(`DECLARE $x AS ${type};`)
	if (declared?.kind !== 'declare') throw new YdbError('INTERNAL_ERROR', `no type: ${given}`)
	return toBinary(ColumnMetaSchema, create(ColumnMetaSchema, { name, type: toProto(declared.type) }))
}

/** `[a, b]` is a list, everything else a list of one. */
function listOf(value: string): string[] {
	if (!value.startsWith('[')) return [value]
	return value
		.slice(1, -1)
		.split(',')
		.map((each) => each.trim())
}

function describe<K extends Kind>(kind: K, tree: SchemeTree, request: Buffer): Operation {
	const span = field(request, { start: 0, end: request.length }, PATH)
	if (!span) throw new YdbError('BAD_REQUEST', 'the request names no path')
	const path = request.toString('utf8', span.start, span.end)
	const contents = tree.contents(path, kind)
	const self = toBinary(EntrySchema, entryOf(tree, path, tree.get(path)))
	const value = written([bytes(1, self), ...RESULT[kind](contents, tree)])
	const result = create(AnySchema, { typeUrl: `type.googleapis.com/${NAMES[kind]}`, value })
	return create(OperationSchema, { ready: true, status: STATUS.SUCCESS, result })
}

export const describedMethods: ControlMethods = Object.fromEntries(
	(Object.keys(DESCRIBED) as Kind[]).map((kind) => [
		DESCRIBED[kind],
		{ changes: false, run: (tree, request) => describe(kind, tree, request) },
	]),
)
