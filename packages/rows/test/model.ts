import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { ResultSetSchema, TypeSchema, ValueSchema } from '@ydbjs/api/value'
import type { PrimitiveName, TableSchema, YdbType } from '@ydbackup/core'
import * as fc from 'fast-check'

export type ValueInit = MessageInitShape<typeof ValueSchema>

/** A value as the official schema sees it, and what it means: NULL, or something that can be compared. */
export interface Cell {
	readonly init: ValueInit
	readonly meaning: null | bigint | number | Buffer
}

export const primitive = (name: PrimitiveName): YdbType => ({ kind: 'primitive', name })
export const optional = (item: YdbType): YdbType => ({ kind: 'optional', item })
export const NULL: Cell = { init: { value: { case: 'nullFlagValue', value: 0 } }, meaning: null }

const integers = (
	field: 'int32Value' | 'uint32Value' | 'int64Value' | 'uint64Value',
	min: bigint,
	max: bigint,
): fc.Arbitrary<Cell> =>
	fc
		.oneof(
			fc.bigInt({ min, max }),
			fc.constantFrom(min, max, 0n < min ? min : 0n, max - 1n),
			fc.bigInt({ min: 0n, max: 3n }),
		)
		.map((meaning): Cell => {
			const value = field.endsWith('32Value') ? Number(meaning) : meaning
			return { init: { value: { case: field, value } as NonNullable<ValueInit['value']> }, meaning }
		})

const text = (): fc.Arbitrary<Cell> =>
	fc.string({ unit: 'binary', maxLength: 5 }).map((value) => ({
		init: { value: { case: 'textValue', value } },
		meaning: Buffer.from(value),
	}))

const halves = (sixteen: Buffer): ValueInit => ({
	value: { case: 'low128', value: sixteen.readBigUInt64LE(0) },
	high128: sixteen.readBigUInt64LE(8),
})

export const dyNumber = fc
	.record({
		sign: fc.constantFrom('', '-'),
		digits: fc.bigInt({ min: 0n, max: 10n ** 12n }),
		exponent: fc.integer({ min: -6, max: 6 }),
		style: fc.constantFrom('plain', 'e', 'dot'),
	})
	.map(({ sign, digits, exponent, style }): Cell => {
		const scaled = digits * 10n ** BigInt(exponent + 6)
		const padded = digits.toString().padStart(8, '0')
		const plain =
			exponent >= 0 ? `${digits * 10n ** BigInt(exponent)}` : `${padded.slice(0, exponent)}.${padded.slice(exponent)}`
		const value = sign + { plain, e: `${digits}e${exponent}`, dot: `.${padded}E+${exponent + padded.length}` }[style]
		return { init: { value: { case: 'textValue', value } }, meaning: sign === '-' ? -scaled : scaled }
	})

/** Every type that can stand in a key, with values that often collide. */
export const KEY_TYPES: readonly { type: YdbType; cell: fc.Arbitrary<Cell> }[] = [
	{
		type: primitive('Bool'),
		cell: fc.boolean().map((value) => ({ init: { value: { case: 'boolValue', value } }, meaning: value ? 1n : 0n })),
	},
	...(['Int8', 'Int16', 'Int32', 'Date32'] as const).map((name) => {
		const bits = name === 'Int8' ? 7n : name === 'Int16' ? 15n : 31n
		return { type: primitive(name), cell: integers('int32Value', -(2n ** bits), 2n ** bits - 1n) }
	}),
	...(['Uint8', 'Uint16', 'Uint32', 'Date', 'Datetime'] as const).map((name) => ({
		type: primitive(name),
		cell: integers('uint32Value', 0n, name === 'Uint8' ? 255n : name === 'Uint16' ? 65_535n : 2n ** 32n - 1n),
	})),
	...(['Int64', 'Interval', 'Datetime64', 'Timestamp64', 'Interval64'] as const).map((name) => ({
		type: primitive(name),
		cell: integers('int64Value', -(2n ** 63n), 2n ** 63n - 1n),
	})),
	...(['Uint64', 'Timestamp'] as const).map((name) => ({
		type: primitive(name),
		cell: integers('uint64Value', 0n, 2n ** 64n - 1n),
	})),
	{
		type: primitive('String'),
		cell: fc.uint8Array({ maxLength: 4 }).map((value) => ({
			init: { value: { case: 'bytesValue', value } },
			meaning: Buffer.from(value),
		})),
	},
	{ type: primitive('Utf8'), cell: text() },
	{
		type: primitive('Uuid'),
		cell: fc.uint8Array({ minLength: 16, maxLength: 16, max: 3 }).map((bytes): Cell => {
			const meaning = Buffer.from(bytes)
			return { init: halves(meaning), meaning }
		}),
	},
	{ type: primitive('DyNumber'), cell: dyNumber },
	{
		type: { kind: 'decimal', precision: 22, scale: 9 },
		cell: fc
			.oneof(
				fc.bigInt({ min: -(10n ** 35n), max: 10n ** 35n + 1n }),
				fc.constantFrom(
					0n,
					-1n,
					1n,
					10n ** 35n,
					-(10n ** 35n),
					10n ** 35n + 1n,
					2n ** 64n,
					-(2n ** 64n),
					-(2n ** 64n) - 1n,
				),
			)
			.map((meaning): Cell => {
				const sixteen = Buffer.alloc(16)
				sixteen.writeBigUInt64LE(BigInt.asUintN(64, meaning))
				sixteen.writeBigInt64LE(meaning >> 64n, 8)
				return { init: halves(sixteen), meaning }
			}),
	},
	{
		type: { kind: 'pg', name: 'pgint8', oid: 20, modifier: '' },
		cell: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((meaning) => ({
			init: { value: { case: 'textValue', value: String(meaning) } },
			meaning,
		})),
	},
]

/** YDB's order: NULL, then by value. */
export function compareCells(a: Cell, b: Cell): number {
	if (a.meaning === null || b.meaning === null) return Number(a.meaning !== null) - Number(b.meaning !== null)
	if (Buffer.isBuffer(a.meaning) && Buffer.isBuffer(b.meaning)) return Buffer.compare(a.meaning, b.meaning)
	return a.meaning < b.meaning ? -1 : a.meaning > b.meaning ? 1 : 0
}

/** `items` entries side by side: a key, or the cells of a row. */
export function cellsToBytes(cells: readonly ValueInit[]): Uint8Array {
	return toBinary(ValueSchema, create(ValueSchema, { items: [...cells] }))
}

export interface Table {
	readonly schema: TableSchema
	readonly rows: readonly (readonly ValueInit[])[]
}

export const SCHEMA: TableSchema = {
	columns: [
		{ name: 'id', type: primitive('Uint64') },
		{ name: 'note', type: optional(primitive('Utf8')) },
		{ name: 'ratio', type: optional(primitive('Double')) },
		{ name: 'weight', type: optional(primitive('Float')) },
		{ name: 'done', type: primitive('Bool') },
		{ name: 'tag', type: primitive('Uuid') },
	],
	primaryKey: ['tag', 'id'],
}

const nullable = (cell: fc.Arbitrary<ValueInit>): fc.Arbitrary<ValueInit> => fc.oneof(cell, fc.constant(NULL.init))

export const row: fc.Arbitrary<ValueInit[]> = fc.tuple(
	fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): ValueInit => ({ value: { case: 'uint64Value', value } })),
	nullable(fc.string({ maxLength: 200 }).map((value): ValueInit => ({ value: { case: 'textValue', value } }))),
	nullable(fc.double().map((value): ValueInit => ({ value: { case: 'doubleValue', value } }))),
	nullable(fc.float().map((value): ValueInit => ({ value: { case: 'floatValue', value } }))),
	fc.boolean().map((value): ValueInit => ({ value: { case: 'boolValue', value } })),
	fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => halves(Buffer.from(bytes))),
)

/** A ResultSet as a ReadTable stream sends it: columns, `truncated: true`, then rows. */
export function resultSet(rows: readonly (readonly ValueInit[])[]): Buffer {
	const head = toBinary(
		ResultSetSchema,
		create(ResultSetSchema, { columns: [{ name: 'id', type: create(TypeSchema) }], truncated: true }),
	)
	const body = toBinary(
		ResultSetSchema,
		create(ResultSetSchema, { rows: rows.map((items) => ({ items: [...items] })) }),
	)
	return Buffer.concat([head, body])
}

/** The bytes of a RowChunk. */
export function frames(rows: readonly (readonly ValueInit[])[]): Uint8Array {
	return toBinary(ValueSchema, create(ValueSchema, { items: rows.map((items) => ({ items: [...items] })) }))
}
