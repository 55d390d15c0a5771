import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { PrimitiveName, RowChunk, TableSchema, YdbType } from '@ydbackup/core'
import { chunkFromFrames, createKeyReader } from '@ydbackup/rows'
import { type Value, ValueSchema } from '@ydbjs/api/value'
import * as fc from 'fast-check'

export type ValueInit = MessageInitShape<typeof ValueSchema>

/** A value as the official schema holds it, and its text, made slowly and independently of what is tested. */
export interface Cell {
	readonly init: ValueInit
	readonly text: string
}

export const primitive = (name: PrimitiveName): YdbType => ({ kind: 'primitive', name })
export const optional = (item: YdbType): YdbType => ({ kind: 'optional', item })
export const decimal = (precision: number, scale: number): YdbType => ({ kind: 'decimal', precision, scale })
export const NULL: Cell = { init: { value: { case: 'nullFlagValue', value: 0 } }, text: 'null' }

type Field = 'int32Value' | 'uint32Value' | 'int64Value' | 'uint64Value'

export function integer(field: Field, value: bigint): ValueInit {
	const number = field.endsWith('32Value') ? Number(value) : value
	return { value: { case: field, value: number } as NonNullable<ValueInit['value']> }
}

export function wide(value: bigint): ValueInit {
	const low = BigInt.asUintN(64, value)
	return { value: { case: 'low128', value: low }, high128: BigInt.asUintN(64, value >> 64n) }
}

export function decimalText(value: bigint, scale: number): string {
	if (value === 10n ** 35n + 1n) return 'nan'
	if (value === 10n ** 35n) return 'inf'
	if (value === -(10n ** 35n)) return '-inf'
	const size = value < 0n ? -value : value
	const whole = size / 10n ** BigInt(scale)
	const rest = size % 10n ** BigInt(scale)
	let text = `${value < 0n ? '-' : ''}${whole}`
	if (rest !== 0n) text += `.${rest.toString().padStart(scale, '0').replace(/0+$/, '')}`
	return text
}

export function uuidText(sixteen: Uint8Array): string {
	const hex = (...places: number[]): string => places.map((at) => sixteen[at]!.toString(16).padStart(2, '0')).join('')
	return [hex(3, 2, 1, 0), hex(5, 4), hex(7, 6), hex(8, 9), hex(10, 11, 12, 13, 14, 15)].join('-')
}

/** Percent-escaping written from its description, not from a table. */
export function escapeText(bytes: Uint8Array): string {
	let text = ''
	for (const byte of bytes) {
		const char = String.fromCharCode(byte)
		if (char === ' ') text += '+'
		else if (/[A-Za-z0-9!$*\-./;@_~]/.test(char)) text += char
		else text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
	}
	return `"${text}"`
}

export function doubleText(value: number): string {
	if (Number.isNaN(value)) return 'nan'
	if (Math.abs(value) === Infinity) return value > 0 ? 'inf' : '-inf'
	return Object.is(value, -0) ? '-0' : String(value)
}

/** The shortest decimal between the two numbers that lie half-way to a float's neighbours: nobody can read another float from it. */
export function floatText(value: number): string {
	if (!Number.isFinite(value) || value === 0) return doubleText(value)
	const words = new Int32Array(new Float32Array([Math.abs(value)]).buffer)
	const [below, above] = [-1, 1].map((step) => new Float32Array(Int32Array.of(words[0]! + step).buffer)[0]!)
	const low = (Math.abs(value) + below!) / 2
	const high = above === Infinity ? 2 * Math.abs(value) - low : (Math.abs(value) + above!) / 2
	for (let precision = 1; ; precision++) {
		const text = Number(value.toPrecision(precision))
		if (Math.abs(text) > low && Math.abs(text) < high) return String(text)
	}
}

const DAYS = 49_673n
const instantText = (micros: bigint): string => {
	const milliseconds = new Date(Number(micros / 1000n)).toISOString().slice(0, -1)
	return `${milliseconds}${(micros % 1000n).toString().padStart(3, '0')}Z`
}

const between = (min: bigint, max: bigint): fc.Arbitrary<bigint> =>
	fc.oneof(
		fc.bigInt({ min, max }),
		fc.nat(1000).map((near) => min + (BigInt(near) % (max - min + 1n))),
		fc.nat(1000).map((near) => max - (BigInt(near) % (max - min + 1n))),
		fc.tuple(fc.bigInt({ min: 0n, max: 63n }), fc.bigInt({ min: -2n, max: 2n })).map(([bit, more]) => {
			const value = 2n ** bit + more
			return value < min || value > max ? min : value
		}),
		fc.tuple(fc.bigInt({ min: 0n, max: 19n }), fc.bigInt({ min: -2n, max: 2n })).map(([power, more]) => {
			const value = (min < 0n && more < 0n ? -1n : 1n) * 10n ** power + more
			return value < min || value > max ? max : value
		}),
	)

const numbers = (
	field: Field,
	min: bigint,
	max: bigint,
	text: (value: bigint) => string = String,
): fc.Arbitrary<Cell> => between(min, max).map((value) => ({ init: integer(field, value), text: text(value) }))

const utf8 = fc.oneof(
	fc.string({ maxLength: 30 }),
	fc.string({ unit: 'binary', maxLength: 10 }),
	fc.integer({ min: 120, max: 130 }).map((length) => 'й'.repeat(length / 2) + ' '.repeat(length % 2)),
	fc.constantFrom('', 'null', '"', ',\n', 'a"b', '%41', '+', 'я'.repeat(9000)),
)
const bytes = fc.oneof(
	fc.uint8Array({ maxLength: 40 }),
	fc.integer({ min: 120, max: 130 }).map((length) => new Uint8Array(length).fill(200)),
	fc.constantFrom(
		Buffer.from('null'),
		Buffer.alloc(16_500, 'x'),
		Uint8Array.from({ length: 256 }, (_, byte) => byte),
	),
)

const inText: fc.Arbitrary<Cell> = utf8.map((value) => ({
	init: { value: { case: 'textValue', value } },
	text: escapeText(Buffer.from(value)),
}))
const inBytes: fc.Arbitrary<Cell> = bytes.map((value) => ({
	init: { value: { case: 'bytesValue', value } },
	text: escapeText(value),
}))

const anyDouble = fc.oneof(
	fc.double(),
	fc
		.tuple(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), fc.nat(18))
		.map(([n, scale]) => Number(`${n}e-${scale}`)),
	fc.constantFrom(0, -0, 1e21, 1e-7, 5e-324, 2 ** 53, -(2 ** 53) - 2, Number.MAX_VALUE, 0.1, 1e15, 123_456.789),
)
const anyFloat = fc.oneof(
	fc.float(),
	fc
		.tuple(fc.integer({ min: -(10 ** 8), max: 10 ** 8 }), fc.nat(12))
		.map(([n, scale]) => Math.fround(Number(`${n}e-${scale}`))),
	fc.constantFrom(0, -0, Math.fround(0.1), Math.fround(3.402_823_5e38), 2 ** -149, 16_777_216, 33_554_430),
)

export const decimals = (precision: number, scale: number): fc.Arbitrary<Cell> => {
	const limit = 10n ** BigInt(precision) - 1n
	return fc
		.oneof(
			fc.bigInt({ min: -limit, max: limit }),
			fc.nat(precision - 1).chain((digits) => fc.bigInt({ min: -(10n ** BigInt(digits)), max: 10n ** BigInt(digits) })),
			fc.constantFrom(10n ** 35n, 10n ** 35n + 1n, -(10n ** 35n), limit, -limit, 0n),
			fc.constantFrom(
				...[53n, 63n, 64n, 96n].flatMap((bit) => [2n ** bit, -(2n ** bit), 2n ** bit - 1n, 1n - 2n ** bit]),
			),
		)
		.map((value) => {
			const special = value >= 10n ** 35n || value <= -(10n ** 35n)
			const fit = special || (value <= limit && value >= -limit) ? value : value % (limit + 1n)
			return { init: wide(fit), text: decimalText(fit, scale) }
		})
}

const uuids: fc.Arbitrary<Cell> = fc
	.oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.constantFrom(Buffer.alloc(16), Buffer.alloc(16, 255)))
	.map((sixteen) => {
		const buffer = Buffer.from(sixteen)
		const init: ValueInit = {
			value: { case: 'low128', value: buffer.readBigUInt64LE(0) },
			high128: buffer.readBigUInt64LE(8),
		}
		return { init, text: uuidText(buffer) }
	})

const dyNumbers = fc
	.oneof(
		fc
			.tuple(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.integer({ min: -120, max: 80 }))
			.map(([n, e]) => `${n}e${e}`),
		fc.constantFrom('0', '.0', '0.93', '1', '-1', '1E-130', '9.9999999999999999999999999999999999999E+125'),
	)
	.map((value): Cell => ({ init: { value: { case: 'textValue', value } }, text: value }))

const INT64: [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n]

/** Every primitive type with values of it. */
export const PRIMITIVES: Record<PrimitiveName, fc.Arbitrary<Cell>> = {
	Bool: fc.boolean().map((value) => ({ init: { value: { case: 'boolValue', value } }, text: value ? '1' : '0' })),
	Int8: numbers('int32Value', -128n, 127n),
	Uint8: numbers('uint32Value', 0n, 255n),
	Int16: numbers('int32Value', -32_768n, 32_767n),
	Uint16: numbers('uint32Value', 0n, 65_535n),
	Int32: numbers('int32Value', -(2n ** 31n), 2n ** 31n - 1n),
	Uint32: numbers('uint32Value', 0n, 2n ** 32n - 1n),
	Int64: numbers('int64Value', ...INT64),
	Uint64: numbers('uint64Value', 0n, 2n ** 64n - 1n),
	Float: anyFloat.map((value) => ({ init: { value: { case: 'floatValue', value } }, text: floatText(value) })),
	Double: anyDouble.map((value) => ({ init: { value: { case: 'doubleValue', value } }, text: doubleText(value) })),
	Date: numbers('uint32Value', 0n, DAYS - 1n, (value) => instantText(value * 86_400_000_000n)),
	Datetime: numbers('uint32Value', 0n, DAYS * 86_400n - 1n, (value) => instantText(value * 1_000_000n)),
	Timestamp: numbers('uint64Value', 0n, DAYS * 86_400_000_000n - 1n, instantText),
	Interval: numbers('int64Value', ...INT64),
	TzDate: inText,
	TzDatetime: inText,
	TzTimestamp: inText,
	Date32: numbers('int32Value', -53_375_809n, 53_375_807n),
	Datetime64: numbers('int64Value', ...INT64),
	Timestamp64: numbers('int64Value', ...INT64),
	Interval64: numbers('int64Value', ...INT64),
	String: inBytes,
	Utf8: inText,
	Yson: inBytes,
	Json: inText,
	Uuid: uuids,
	JsonDocument: inText,
	DyNumber: dyNumbers,
}

export interface Kind {
	readonly type: YdbType
	readonly cell: fc.Arbitrary<Cell>
}

export const KINDS: readonly Kind[] = [
	...Object.entries(PRIMITIVES).map(([name, cell]) => ({ type: primitive(name as PrimitiveName), cell })),
	...[
		[1, 0],
		[22, 9],
		[35, 0],
		[35, 35],
		[18, 18],
		[20, 3],
		[15, 2],
		[35, 10],
	].map(([precision, scale]) => ({ type: decimal(precision!, scale!), cell: decimals(precision!, scale!) })),
	{ type: { kind: 'pg', name: 'pgtext', oid: 25, modifier: '' }, cell: fc.oneof(inText, fc.constant(NULL)) },
]

export const nullable = ({ type, cell }: Kind): Kind => ({
	type: optional(type),
	cell: fc.oneof({ weight: 5, arbitrary: cell }, { weight: 1, arbitrary: fc.constant(NULL) }),
})

export const schemaOf = (...types: YdbType[]): TableSchema => ({
	columns: types.map((type, at) => ({ name: `c${at}`, type })),
	primaryKey: ['c0'],
})

/** Rows as bytes, as the official schema writes them. */
export function frames(rows: readonly (readonly ValueInit[])[]): Uint8Array {
	return toBinary(ValueSchema, create(ValueSchema, { items: rows.map((items) => ({ items: [...items] })) }))
}

export function chunk(schema: TableSchema, rows: readonly (readonly ValueInit[])[]): RowChunk {
	return chunkFromFrames(frames(rows), rows.length, createKeyReader(schema))
}

/** The rows of chunks as the official schema reads them. */
export function rowsOf(chunks: readonly RowChunk[]): Value[][] {
	return chunks.flatMap((one) => fromBinary(ValueSchema, one.bytes).items.map((row) => row.items))
}
