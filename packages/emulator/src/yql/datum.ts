import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import { checkContent, isNull, payloadEnd, payloadStart, readCell, wide } from '../wire/cell.ts'
import type { ColumnType } from '../wire/column-type.ts'
import { type Span, fields, putVarint, varintBytes } from '../wire/cursor.ts'
import { typeName, type YqlType } from './types.ts'

/**
 * A value without its type: integers, times and Decimals (their digits) as bigint, Float and Double as number, texts and bytes as
 * Buffer, Uuid as its 16 bytes, lists, tuples and structs as arrays, NULL as null.
 */
export type Datum = null | boolean | bigint | number | Buffer | readonly Datum[]

export interface Typed {
	readonly type: YqlType
	readonly value: Datum
}

/** The types of the values of a tuple or struct. */
export function itemTypes(type: YqlType): readonly YqlType[] {
	return type.kind === 'tuple' ? type.items : type.kind === 'struct' ? type.members.map((member) => member.type) : []
}

/** Some value of a type, for checks of types. */
export function emptyValue(type: YqlType): Datum {
	switch (type.kind) {
		case 'list':
		case 'emptyList':
			return []
		case 'tuple':
		case 'struct':
			return itemTypes(type).map(emptyValue)
		case 'data': {
			const { tag } = type.data
			if (tag === 0x08) return false
			if (tag === 0x35 || tag === 0x39) return 0
			if (tag === 0x42 || tag === 0x4a) return Buffer.alloc(0)
			return type.data.name === 'Uuid' ? Buffer.alloc(16) : 0n
		}
		default:
			return null
	}
}

const ITEM = 0x62
const NULL_CELL = Buffer.of(0x50, 0)

/** The same cell content that is stored; reads the cell that {@link readCell} found. */
function payload(bytes: Uint8Array, start: number, end: number, type: ColumnType): Datum {
	const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
	switch (type.tag) {
		case 0x08:
			return view[payloadStart] === 1
		case 0x15:
			return BigInt(view.readInt32LE(payloadStart))
		case 0x1d:
			return BigInt(view.readUInt32LE(payloadStart))
		case 0x21:
			return view.readBigInt64LE(payloadStart)
		case 0x29:
			return view.readBigUInt64LE(payloadStart)
		case 0x35:
			return view.readFloatLE(payloadStart)
		case 0x39:
			return view.readDoubleLE(payloadStart)
		case 0x79: {
			const [low, high] = wide(bytes, start, end)
			if (type.decimal) return BigInt.asIntN(128, (high << 64n) | low)
			const uuid = Buffer.allocUnsafe(16)
			uuid.writeBigUInt64LE(low, 0)
			uuid.writeBigUInt64LE(high, 8)
			return uuid
		}
		default:
			return view.subarray(payloadStart, payloadEnd)
	}
}

/** The value of one stored cell, a `Ydb.Value` in [start, end). */
export function readDatum(bytes: Uint8Array, start: number, end: number, type: ColumnType): Datum {
	readCell(bytes, start, end, type, '')
	return isNull ? null : payload(bytes, start, end, type)
}

/** The value of a parameter, checked against its type. */
export function decode(bytes: Uint8Array, span: Span, type: YqlType, name: string): Datum {
	const { start, end } = span
	const optional = type.kind === 'optional'
	const item = optional ? type.item : type
	switch (item.kind) {
		case 'data': {
			readCell(bytes, start, end, item.data, name)
			if (isNull) {
				if (!optional)
					throw new YdbError('BAD_REQUEST', `Invalid value of parameter ${name}: NULL for ${typeName(type)}`)
				return null
			}
			const other = checkContent(bytes, start, end, item.data, name)
			return other ? readDatum(other, 0, other.length, item.data) : payload(bytes, start, end, item.data)
		}
		case 'null':
		case 'emptyList':
			return item.kind === 'null' ? null : []
		default: {
			if (optional && bytes[start] === 0x50) return null
			const items = [...fields(bytes, span, ITEM)]
			if (item.kind === 'list') return items.map((each) => decode(bytes, each, item.item, name))
			const types = itemTypes(item)
			if (types.length !== items.length)
				throw new YdbError(
					'BAD_REQUEST',
					`Invalid value of parameter ${name}: ${items.length} values for ${typeName(type)}`,
				)
			return items.map((each, at) => decode(bytes, each, types[at]!, name))
		}
	}
}

function prefixed(tag: number, body: Uint8Array): Buffer {
	const out = Buffer.allocUnsafe(1 + varintBytes(body.length) + body.length)
	out[0] = tag
	out.set(body, putVarint(out, 1, body.length))
	return out
}

/** A message field with that tag byte. */
export function framed(tag: number, parts: readonly Uint8Array[]): Buffer {
	return prefixed(tag, parts.length === 1 ? parts[0]! : Buffer.concat(parts))
}

function halves(value: bigint | Buffer, isDecimal: boolean): readonly [low: bigint, high: bigint] {
	if (!isDecimal) return [(value as Buffer).readBigUInt64LE(0), (value as Buffer).readBigUInt64LE(8)]
	const digits = BigInt.asUintN(128, value as bigint)
	return [digits & 0xffff_ffff_ffff_ffffn, digits >> 64n]
}

/** The bytes of the `Ydb.Value` of a value. */
export function encode(value: Datum, type: YqlType): Buffer {
	if (value === null) return NULL_CELL
	const item = type.kind === 'optional' ? type.item : type
	if (Array.isArray(value)) {
		const types = itemTypes(item)
		return Buffer.concat(
			value.map((each: Datum, at) => prefixed(ITEM, encode(each, item.kind === 'list' ? item.item : types[at]!))),
		)
	}
	if (item.kind !== 'data') throw new YdbError('INTERNAL_ERROR', `a value of ${typeName(type)} cannot be encoded`)
	const { tag, decimal } = item.data
	if (tag === 0x08) return Buffer.of(tag, value ? 1 : 0)
	if (tag === 0x42 || tag === 0x4a) return prefixed(tag, value as Buffer)
	const out = Buffer.allocUnsafe(tag === 0x79 ? 19 : tag === 0x15 || tag === 0x1d || tag === 0x35 ? 5 : 9)
	out[0] = tag
	switch (tag) {
		case 0x15:
			out.writeInt32LE(Number(value), 1)
			break
		case 0x1d:
			out.writeUInt32LE(Number(value), 1)
			break
		case 0x21:
			out.writeBigInt64LE(value as bigint, 1)
			break
		case 0x29:
			out.writeBigUInt64LE(value as bigint, 1)
			break
		case 0x35:
			out.writeFloatLE(value as number, 1)
			break
		case 0x39:
			out.writeDoubleLE(value as number, 1)
			break
		default: {
			const [low, high] = halves(value as bigint | Buffer, decimal !== undefined)
			out.writeBigUInt64LE(low, 1)
			// proto3 does not write fields of their default value.
			if (high === 0n) return out.subarray(0, 9)
			out[9] = 0x81
			out[10] = 1
			out.writeBigUInt64LE(high, 11)
		}
	}
	return out
}

const FLOATING = new Set([Id.FLOAT, Id.DOUBLE])

export function isFloating({ id }: ColumnType): boolean {
	return FLOATING.has(id)
}

const SIGNED = new Set([Id.INT8, Id.INT16, Id.INT32, Id.INT64])
const UNSIGNED = new Set([Id.UINT8, Id.UINT16, Id.UINT32, Id.UINT64])
const BITS = new Map([
	[Id.INT8, 8],
	[Id.UINT8, 8],
	[Id.INT16, 16],
	[Id.UINT16, 16],
	[Id.INT32, 32],
	[Id.UINT32, 32],
	[Id.INT64, 64],
	[Id.UINT64, 64],
])

/** Sign and width of an integer type, or undefined for others. */
export function integral({ id }: ColumnType): { readonly signed: boolean; readonly bits: number } | undefined {
	const bits = BITS.get(id)
	return bits === undefined ? undefined : { signed: SIGNED.has(id) && !UNSIGNED.has(id), bits }
}

export function fitsInteger(value: bigint, { signed, bits }: { signed: boolean; bits: number }): boolean {
	const width = BigInt(bits)
	return signed ? value >= -(1n << (width - 1n)) && value < 1n << (width - 1n) : value >= 0n && value < 1n << width
}
