import { create, equals, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import { AlterTableRequestSchema, CreateTableRequestSchema } from '@ydbjs/api/table'
import { TypedValueSchema, ValueSchema } from '@ydbjs/api/value'
import { protoField, protoFields, protoString, type ProtoText, type ProtoValue } from '@ydbackup/core'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromProtoText, toProtoText } from '../src/proto/message-text.ts'
import { errorOf } from './support/error-of.ts'
import { optional, PLAIN, primitive, splitAt, text, uint64 } from './support/tables.ts'

const scalar = (value: string): ProtoValue => ({ kind: 'scalar', text: value })
const bytes = (value: string): ProtoValue => ({ kind: 'bytes', bytes: new TextEncoder().encode(value) })
const message = (fields: ProtoText): ProtoValue => ({ kind: 'message', fields })
const parse = (desc: Parameters<typeof fromProtoText>[0], tree: ProtoText): Promise<unknown> =>
	(async () => fromProtoText(desc, tree))()

test('a table goes there and back', () => {
	const request = create(CreateTableRequestSchema, {
		...PLAIN,
		columns: [
			...PLAIN.columns!,
			{ name: 'd', type: { type: { case: 'decimalType', value: { precision: 22, scale: 9 } } } },
		],
		partitions: splitAt(5, 10),
		attributes: { b: '2', a: '1', '': '', ключ: '"\\\n' },
		ttlSettings: { mode: { case: 'dateTypeColumn', value: { columnName: 'at', expireAfterSeconds: 7 } } },
		indexes: [{ name: 'i', indexColumns: ['value'], type: { case: 'globalAsyncIndex', value: {} } }],
	})
	const tree = toProtoText(CreateTableRequestSchema, request)
	expect(equals(CreateTableRequestSchema, fromProtoText(CreateTableRequestSchema, tree) as never, request)).toBe(true)
	// By field number, as C++ prints: columns (3), primary_key (4), …; keys of a map in order.
	const names = [...new Set(tree.map(({ name }) => name))]
	expect(names.slice(0, 2)).toEqual(['columns', 'primary_key'])
	expect(
		protoFields(tree, 'attributes').map((entry) => entry.kind === 'message' && protoString(entry.fields, 'key')),
	).toEqual(['', 'a', 'b', 'ключ'])
})

test('values go there and back', () => {
	fc.assert(
		fc.property(
			fc.oneof(
				fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => uint64(value)),
				fc
					.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
					.map((value) => ({ value: { case: 'int64Value' as const, value } })),
				fc.string({ unit: 'binary' }).map(text),
				fc.uint8Array().map((value) => ({ value: { case: 'bytesValue' as const, value } })),
				fc.double().map((value) => ({ value: { case: 'doubleValue' as const, value } })),
				fc.boolean().map((value) => ({ value: { case: 'boolValue' as const, value } })),
			),
			(init) => {
				const value = create(ValueSchema, init)
				const back = fromProtoText(ValueSchema, toProtoText(ValueSchema, value))
				expect(Buffer.from(toBinary(ValueSchema, back as never))).toEqual(Buffer.from(toBinary(ValueSchema, value)))
			},
		),
	)
})

test('fields that this version does not know survive under their numbers', () => {
	const unknown = Uint8Array.of(0xfa, 0x3e, 3, 1, 2, 3, 0x80, 0x3f, 5)
	const request = fromBinary(CreateTableRequestSchema, unknown)
	const tree = toProtoText(CreateTableRequestSchema, request)
	expect(tree.map(({ name }) => name)).toEqual(['1007', '1008'])
	const back = fromProtoText(CreateTableRequestSchema, tree) as never
	expect(Buffer.from(toBinary(CreateTableRequestSchema, back))).toEqual(Buffer.from(unknown))
})

test('names that mean something to objects are only names', () => {
	for (const name of ['__proto__', 'constructor', 'toString']) {
		const tree: ProtoText = [
			{
				name: 'alter_attributes',
				value: message([
					{ name: 'key', value: bytes(name) },
					{ name: 'value', value: bytes('v') },
				]),
			},
		]
		const request = fromProtoText(AlterTableRequestSchema, tree)
		expect(Object.entries((request as unknown as { alterAttributes: object }).alterAttributes)).toEqual([[name, 'v']])
		expect(toProtoText(AlterTableRequestSchema, request)).toEqual(tree)
	}
	expect(({} as Record<string, unknown>)['v']).toBeUndefined()
})

describe('what is no such message is refused, naming field and message', () => {
	test.each<[string, ProtoText]>([
		['field nope of Ydb.Table.CreateTableRequest is not known', [{ name: 'nope', value: scalar('1') }]],
		['field 17 of Ydb.Table.CreateTableRequest is not known', [{ name: '17', value: scalar('1') }]],
		['field columns of Ydb.Table.CreateTableRequest must be a message', [{ name: 'columns', value: scalar('1') }]],
		['field path of Ydb.Table.CreateTableRequest must be a string', [{ name: 'path', value: scalar('1') }]],
		[
			'field store_type of Ydb.Table.CreateTableRequest cannot be STORE_TYPE_MOON',
			[{ name: 'store_type', value: scalar('STORE_TYPE_MOON') }],
		],
		[
			'field uniform_partitions of Ydb.Table.CreateTableRequest cannot be 1e5',
			[{ name: 'uniform_partitions', value: scalar('1e5') }],
		],
		[
			'field uniform_partitions of Ydb.Table.CreateTableRequest cannot be -1: it is out of range',
			[{ name: 'uniform_partitions', value: scalar('-1') }],
		],
		[
			'field uniform_partitions of Ydb.Table.CreateTableRequest cannot be 18446744073709551616: it is out of range',
			[{ name: 'uniform_partitions', value: scalar(String(2n ** 64n)) }],
		],
		[
			'field attributes of Ydb.Table.CreateTableRequest must be a map entry',
			[{ name: 'attributes', value: scalar('1') }],
		],
	])('%s', async (words, tree) => {
		expect(await errorOf(parse(CreateTableRequestSchema, tree))).toMatchObject({
			code: 'FORMAT_INVALID',
			message: expect.stringContaining(words),
		})
	})
})

test('numbers are spelled as C++ spells them', () => {
	const spelled = (value: number): unknown =>
		protoField(toProtoText(ValueSchema, create(ValueSchema, { value: { case: 'doubleValue', value } })), 'double_value')
	expect([Infinity, -Infinity, NaN, -0, 0.1, 1e300].map(spelled)).toEqual(
		['inf', '-inf', 'nan', '-0', '0.1', '1e+300'].map(scalar),
	)
	const read = (value: string): unknown =>
		(
			fromProtoText(ValueSchema, [{ name: 'double_value', value: scalar(value) }]) as never as {
				value: { value: number }
			}
		).value.value
	expect(['inf', '-inf', 'infinity', '-nan', '1.5f', '-0'].map(read)).toEqual([
		Infinity,
		-Infinity,
		Infinity,
		NaN,
		1.5,
		-0,
	])
})

test('an empty message in a oneof stays', () => {
	const tree: ProtoText = [{ name: 'drop_ttl_settings', value: message([]) }]
	expect(toProtoText(AlterTableRequestSchema, fromProtoText(AlterTableRequestSchema, tree))).toEqual(tree)
	expect(toProtoText(TypedValueSchema, create(TypedValueSchema, { type: optional(primitive('Bool')) }))).toHaveLength(1)
	expect(toProtoText(ModifyPermissionsRequestSchema, create(ModifyPermissionsRequestSchema, {}))).toEqual([])
})
