// Every field of the messages that describe what is backed up is taken, or left out by name: a newer protocol with a field more fails here.
import { readFileSync } from 'node:fs'
import { create, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import {
	AlterTableRequestSchema,
	ChangefeedDescriptionSchema,
	ColumnMetaSchema,
	CreateTableRequestSchema,
	DescribeTableResultSchema,
	TableIndexDescriptionSchema,
	TtlSettingsSchema,
} from '@ydbjs/api/table'
import type { ProtoField, ProtoText, ProtoValue } from '@ydbackup/core'
import { parseProtoText, printProtoText } from '@ydbackup/format'
import { expect, test } from 'vitest'
import { splitScheme } from '../../engine/src/restore/split-scheme.ts'
import { CHANGEFEED, COORDINATION_NODE, RATE_LIMITER, TABLE, TOPIC } from '../src/objects/carriages.ts'
import { type Carriage, carry } from '../src/proto/carry.ts'
import { ConnectionParamsSchema, DescribeReplicationResultSchema } from '../src/gen/ydb_objects_pb.ts'
import { toProtoText, unknownPlaces } from '../src/proto/message-text.ts'
import { inOrder, messageOf, newest, treeOf } from '../src/proto/newer.ts'
import { snapshotTableOf } from '../src/scheme/table-description.ts'

/** What of a request no description tells, and why. */
const UNTOLD: ReadonlyMap<Carriage, Readonly<Record<string, string>>> = new Map([
	[
		TABLE,
		{
			session_id: 'of one call',
			path: 'where it is restored',
			operation_params: 'of one call',
			profile: 'settings by the names of presets: servers tell them one by one',
			compaction_policy: 'reserved in the description: servers do not tell it',
			uniform_partitions: 'told as bounds',
			partition_at_keys: 'made of shard_key_bounds',
			temporary: 'left out',
		},
	],
	[
		CHANGEFEED,
		{
			retention_period: 'of its topic',
			topic_partitioning_settings: 'of its topic',
			initial_scan: 'what was restored is no change',
		},
	],
	[TOPIC, { operation_params: 'of one call', path: 'where it is restored' }],
	[COORDINATION_NODE, { operation_params: 'of one call', path: 'where it is restored' }],
	[RATE_LIMITER, { operation_params: 'of one call', coordination_node_path: 'where it is restored' }],
])

const NAMES = new Map([
	[TABLE, 'tables'],
	[CHANGEFEED, 'changefeeds'],
	[TOPIC, 'topics'],
	[COORDINATION_NODE, 'coordination nodes'],
	[RATE_LIMITER, 'rate limiters'],
])
const CARRIAGES = [...NAMES].map(([carriage, name]) => [name, carriage] as const)

const shapeOf = (field: DescField): string =>
	[
		field.fieldKind,
		field.fieldKind === 'message' ? '' : (field.enum?.typeName ?? field.scalar ?? ''),
		field.oneof?.name,
	].join(' ')

/** Places of fields that the second message lacks, or has otherwise; those below what is left out do not count. */
function missing(from: DescMessage, to: DescMessage, left: Readonly<Record<string, string>>, place = ''): string[] {
	return from.fields.flatMap((field) => {
		const at = place === '' ? field.name : `${place}.${field.name}`
		if (at in left) return []
		const other = to.fields.find(({ name }) => name === field.name)
		if (other === undefined || shapeOf(other) !== shapeOf(field)) return [at]
		if (!field.message || !other.message || field.message === other.message) return []
		return missing(field.message, other.message, left, at)
	})
}

function has(desc: DescMessage, place: string): boolean {
	const [name, ...rest] = place.split('.')
	const field = desc.fields.find((each) => each.name === name)
	return (
		field !== undefined && (rest.length === 0 || (field.message !== undefined && has(field.message, rest.join('.'))))
	)
}

test.for(CARRIAGES)('every field of %s goes over, or is left out by name', ([, { from, to, left }]) => {
	expect(missing(newest(from), newest(to), left)).toEqual([])
	expect(Object.keys(left).filter((place) => !has(newest(from), place))).toEqual([])
})

test.for(CARRIAGES)('every field of a request for %s is told by a description, or said not to be', ([, carriage]) => {
	const untold = UNTOLD.get(carriage)!
	expect(missing(newest(carriage.to), newest(carriage.from), untold)).toEqual([])
	expect(Object.keys(untold).filter((place) => !has(newest(carriage.to), place))).toEqual([])
})

const scalar = (text: string): ProtoValue => ({ kind: 'scalar', text })
const bytes = (text: string): ProtoValue => ({ kind: 'bytes', bytes: new TextEncoder().encode(text) })
const message = (fields: ProtoText): ProtoValue => ({ kind: 'message', fields })
const OPTIONAL_UTF8 = message([
	{
		name: 'optional_type',
		value: message([{ name: 'item', value: message([{ name: 'type_id', value: scalar('UTF8') }]) }]),
	},
])
/** Values whose messages hold themselves, and whose every kind is tried elsewhere. */
const GIVEN: Readonly<Record<string, ProtoValue>> = {
	'Ydb.Type': OPTIONAL_UTF8,
	'Ydb.TypedValue': message([
		{
			name: 'type',
			value: message([{ name: 'tuple_type', value: message([{ name: 'elements', value: OPTIONAL_UTF8 }]) }]),
		},
		{ name: 'value', value: message([{ name: 'items', value: message([{ name: 'text_value', value: bytes('m') }]) }]) },
	]),
}

function sampleOf(field: DescField, turn: number): ProtoValue {
	if (field.message) return GIVEN[field.message.typeName] ?? message(sample(field.message, turn))
	if (field.enum) return scalar((field.enum.values.find(({ number }) => number > 1) ?? field.enum.values.at(-1)!).name)
	if (field.scalar === ScalarType.STRING) return bytes(`${field.name}${turn}`)
	if (field.scalar === ScalarType.BYTES) return bytes('bytes')
	if (field.scalar === ScalarType.BOOL) return scalar('true')
	return scalar(field.scalar === ScalarType.DOUBLE ? '1.5' : String(7 + turn))
}

/** A message with every field set; of fields that shut each other out, another one at each turn. */
function sample(desc: DescMessage, turn: number): ProtoText {
	const chosen = new Map(desc.oneofs.map((oneof) => [oneof, oneof.fields[turn % oneof.fields.length]]))
	return desc.fields
		.filter((field) => !field.oneof || chosen.get(field.oneof) === field)
		.map((field): ProtoField => {
			if (field.fieldKind !== 'map') return { name: field.name, value: sampleOf(field, turn) }
			return {
				name: field.name,
				value: message([
					{ name: 'key', value: bytes('k') },
					{ name: 'value', value: bytes('v') },
				]),
			}
		})
}

function without(tree: ProtoText, left: Readonly<Record<string, string>>, place = ''): ProtoText {
	return tree.flatMap((field): ProtoField[] => {
		const at = place === '' ? field.name : `${place}.${field.name}`
		if (at in left) return []
		const { value } = field
		return [value.kind === 'message' ? { ...field, value: message(without(value.fields, left, at)) } : field]
	})
}

/** As many as the field has kinds that has most: of indexes. */
const TURNS = [0, 1, 2, 3, 4, 5, 6, 7]

test.for(CARRIAGES)('%s with every field set keep all that is not left out', ([, carriage]) => {
	for (const turn of TURNS) {
		const given = sample(newest(carriage.from), turn)
		const { request, lost } = carry(carriage, messageOf(carriage.from, given))
		expect(lost).toEqual([])
		expect(request).toEqual(inOrder(carriage.to, without(given, carriage.left)))
	}
})

/** A table with every field set, whose columns are such as tables have. */
function filledTable(turn: number): ProtoText {
	const given = sample(newest(DescribeTableResultSchema), turn)
	return given.map((field) => (field.name === 'store_type' ? { ...field, value: scalar('STORE_TYPE_COLUMN') } : field))
}

test('a table with every field set is the same in the requests of its restore, through the text on storage', () => {
	for (const turn of TURNS) {
		const given = filledTable(turn)
		const described = messageOf(DescribeTableResultSchema, given)
		const { scheme } = snapshotTableOf('t', described, described)
		const stored = parseProtoText(printProtoText(scheme, { unknownFields: 'keep' }), 'scheme.pb')
		const phases = splitScheme(stored)
		const changes = [...phases.indexes.map(({ change }) => change), phases.ttl ?? [], phases.partitioning ?? []]
		const sent = [
			...treeOf(CreateTableRequestSchema, messageOf(CreateTableRequestSchema, phases.create)),
			...changes.flatMap((change) => treeOf(AlterTableRequestSchema, messageOf(AlterTableRequestSchema, change))),
		].map(({ name, value }) => ({
			name: { add_indexes: 'indexes', set_ttl_settings: 'ttl_settings' }[name] ?? name,
			value,
		}))
		const bound = message([{ name: 'split_points', value: GIVEN['Ydb.TypedValue']! }])
		const wanted = [...without(given, TABLE.left), { name: 'partition_at_keys', value: bound }]
		expect(inOrder(CreateTableRequestSchema, sent)).toEqual(inOrder(CreateTableRequestSchema, wanted))
	}
})

test('fields of tomorrow go over in messages that both sides use, and are named where the numbers of both sides differ', () => {
	const tomorrow = [{ no: 901, wireType: 0, data: Uint8Array.of(7) }]
	const table = create(DescribeTableResultSchema, {
		primaryKey: ['k'],
		columns: [create(ColumnMetaSchema, { name: 'k' })],
		indexes: [create(TableIndexDescriptionSchema, { name: 'i', type: { case: 'globalIndex', value: {} } })],
		ttlSettings: create(TtlSettingsSchema, { runIntervalSeconds: 1 }),
	})
	table.columns[0]!.$unknown = tomorrow
	table.ttlSettings!.$unknown = tomorrow
	const { request, lost } = carry(TABLE, table)
	expect(lost).toEqual([])
	const made = messageOf(CreateTableRequestSchema, request)
	expect([made.columns[0]!.$unknown, made.ttlSettings!.$unknown]).toEqual([tomorrow, tomorrow])

	table.$unknown = tomorrow
	table.indexes[0]!.$unknown = tomorrow
	expect(carry(TABLE, table).lost.toSorted()).toEqual(['901', 'indexes.901'])
	const feed = create(ChangefeedDescriptionSchema, { name: 'f' })
	feed.$unknown = tomorrow
	expect(carry(CHANGEFEED, feed).lost).toEqual(['901'])
})

test('what an object has in fields of tomorrow is named', () => {
	const params = create(ConnectionParamsSchema, { endpoint: 'far:1', database: '/far' })
	params.$unknown = [{ no: 901, wireType: 2, data: Uint8Array.of(1, 65) }]
	const replication = create(DescribeReplicationResultSchema, { connectionParams: params })
	replication.$unknown = [{ no: 902, wireType: 0, data: Uint8Array.of(7) }]
	const tree = toProtoText(DescribeReplicationResultSchema, replication)
	expect(unknownPlaces(tree)).toEqual(['connection_params.901', '902'])
})

test('the documentation has all that is left out, with the reasons', () => {
	const page = readFileSync(new URL('../../../docs/not-taken.md', import.meta.url), 'utf8')
	const rows = [...page.matchAll(/^\| (.+?) +\| `(.+?)` +\| (.+?) +\|$/gm)].map(([, kind, field, reason]) => [
		kind,
		field,
		reason,
	])
	const wanted = CARRIAGES.flatMap(([kind, { left }]) =>
		Object.entries(left).map(([field, reason]) => [kind, field, reason]),
	)
	expect(rows).toEqual(wanted)
})

test('the newer fields are those of the file that says where they are from', () => {
	const text = readFileSync(new URL('../proto/ydb_table_newer.proto', import.meta.url), 'utf8')
	const messages = [...text.matchAll(/^message (\w+) \{\n(.*?)^\}/gms)]
	expect(messages.length).toBeGreaterThan(20)
	const known = new Map(newest(CreateTableRequestSchema).file.messages.map((desc) => [desc.name, desc]))
	for (const [, name, body] of messages) {
		const own = body!.replaceAll(/^ {4}(?:message|enum) \w+ \{.*?^ {4}\}/gms, '')
		const said = [...own.matchAll(/(\w+) = (\d+);/g)].map(([, field, number]) => [field, Number(number)])
		const has = new Map(known.get(name!)!.fields.map((field) => [field.name, field.number]))
		expect(said.map(([field]) => [field, has.get(String(field))])).toEqual(said)
	}
})

test('rights go over whole', () => {
	for (const turn of TURNS) {
		const given = sample(newest(ModifyPermissionsRequestSchema), turn)
		const back = treeOf(ModifyPermissionsRequestSchema, messageOf(ModifyPermissionsRequestSchema, given))
		expect(back).toEqual(inOrder(ModifyPermissionsRequestSchema, given))
	}
})
