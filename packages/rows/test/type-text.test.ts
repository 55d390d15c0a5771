import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { PRIMITIVE_TYPES, type PrimitiveName, type YdbType } from '@ydbackup/core'
import {
	keyBoundTypedValue,
	listOfStructType,
	typeFromText,
	typeToBytes,
	typeToText,
	valueFromText,
	valueToText,
} from '@ydbackup/rows'
import { TypedValueSchema, TypeSchema, ValueSchema } from '@ydbjs/api/value'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { cellsToBytes, KEY_TYPES, optional, primitive, row, SCHEMA } from './model.ts'

const TYPES: YdbType[] = [
	...(Object.keys(PRIMITIVE_TYPES) as PrimitiveName[]).map(primitive),
	{ kind: 'decimal', precision: 35, scale: 0 },
	{ kind: 'decimal', precision: 22, scale: 9 },
	{ kind: 'pg', name: 'pgnumeric', oid: 1700, modifier: '4' },
]

test('every type survives text and back, bare and optional', () => {
	for (const type of [...TYPES, ...TYPES.map(optional), optional(optional(primitive('Int8')))]) {
		expect(typeFromText(typeToText(type))).toEqual(type)
	}
})

test('the bytes of every type are those that the official schema reads back', () => {
	for (const type of TYPES) {
		const read = fromBinary(TypeSchema, typeToBytes(optional(type))).type
		const item = read.case === 'optionalType' ? read.value.item!.type : undefined
		const value =
			type.kind === 'primitive'
				? PRIMITIVE_TYPES[type.name].id
				: type.kind === 'decimal'
					? { precision: type.precision, scale: type.scale }
					: { typeName: 'pgnumeric', oid: 1700, typeModifier: '4' }
		expect({ value: item?.value }).toMatchObject({ value })
	}
})

test('types that this version does not know are named, not dropped', () => {
	const list = [{ name: 'list_type', value: { kind: 'message', fields: [] } }] as const
	expect(typeFromText(list)).toEqual({ kind: 'unknown', spelling: 'list_type' })
	expect(typeFromText([{ name: 'type_id', value: { kind: 'scalar', text: 'FLOAT16' } }])).toEqual({
		kind: 'unknown',
		spelling: 'FLOAT16',
	})
	expect(() => typeToBytes(typeFromText(list))).toThrow(/list_type/)
})

test('the type of BulkUpsert rows is a list of structs with the columns in order', () => {
	const read = fromBinary(TypeSchema, listOfStructType(SCHEMA)).type
	const struct = read.case === 'listType' ? read.value.item!.type : undefined
	const members = struct?.case === 'structType' ? struct.value.members : []
	expect(members.map((member) => member.name)).toEqual(SCHEMA.columns.map((column) => column.name))
	expect(members[1]!.type!.type.case).toBe('optionalType')
	expect(members[0]!.type!.type).toEqual({ case: 'typeId', value: 4 })
})

test('a bound is a tuple as long as the key or beginning that it was made of', () => {
	const types = KEY_TYPES.slice(0, 3).map((one) => optional(one.type))
	const cells = KEY_TYPES.slice(0, 3).map((one) => fc.sample(one.cell, { numRuns: 1, seed: 1 })[0]!.init)
	for (const length of [1, 2, 3]) {
		const typed = fromBinary(TypedValueSchema, keyBoundTypedValue(types, cellsToBytes(cells.slice(0, length))))
		expect(typed.type!.type.case === 'tupleType' && typed.type!.type.value.elements.length).toBe(length)
		expect(typed.value).toEqual(create(ValueSchema, { items: cells.slice(0, length) }))
	}
	expect(() => keyBoundTypedValue(types.slice(0, 1), cellsToBytes(cells))).toThrow(/3 cells/)
})

test('values survive text and back', () => {
	fc.assert(
		fc.property(row, (items) => {
			const bytes = toBinary(ValueSchema, create(ValueSchema, { items, variantIndex: 3 }))
			expect(Buffer.from(valueFromText(valueToText(bytes)))).toEqual(Buffer.from(bytes))
		}),
	)
})

test('values in text are refused when they do not fit their fields', () => {
	const scalar = (name: string, text: string) => [{ name, value: { kind: 'scalar', text } }] as const
	expect(valueFromText(scalar('uint64_value', '0x10'))).toEqual(valueFromText(scalar('uint64_value', '16')))
	expect(valueFromText(scalar('int32_value', '-017'))).toEqual(valueFromText(scalar('int32_value', '-15')))
	expect(() => valueFromText(scalar('uint32_value', '4294967296'))).toThrow(/out of range/)
	expect(() => valueFromText(scalar('int64_value', '1.5'))).toThrow(/no integer/)
	expect(() => valueFromText(scalar('nobody', '1'))).toThrow(/"nobody"/)
	expect(() => valueFromText(scalar('text_value', '1'))).toThrow(/string/)
})
