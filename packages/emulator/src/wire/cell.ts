import { isUtf8 } from 'node:buffer'
import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { ColumnType } from './column-type.ts'
import { position, seek, varint } from './cursor.ts'
import { normalDyNumber } from './dynumber.ts'
import { normalJsonDocument } from './json-document.ts'

const NULL_TAG = 0x50
const HIGH_128 = 0x81

/** Where the payload of the cell that {@link readCell} read last begins and ends. */
export let payloadStart = 0
export let payloadEnd = 0
export let isNull = false

const widths: Record<number, number> = { 0x15: 4, 0x1d: 4, 0x21: 8, 0x29: 8, 0x35: 4, 0x39: 8 }

function wrong(type: ColumnType, column: string): YdbError {
	return new YdbError('BAD_REQUEST', `Type mismatch for column ${column}: expected ${type.name}`)
}

/** Checks the wire form of one cell, a `Ydb.Value` in [start, end), and finds its payload. */
export function readCell(bytes: Uint8Array, start: number, end: number, type: ColumnType, column: string): void {
	isNull = false
	if (start === end) {
		// A message whose only field has its default value may come as nothing from encoders that leave defaults out.
		throw wrong(type, column)
	}
	const tag = bytes[start]!
	if (tag === NULL_TAG) {
		isNull = true
		payloadStart = payloadEnd = end
		return
	}
	if (tag !== type.tag) {
		// 128-bit values may come with the high half first, or without a half that is zero.
		if (type.tag === 0x79 && tag === HIGH_128) {
			payloadStart = start
			payloadEnd = end
			return
		}
		throw wrong(type, column)
	}
	const width = widths[tag]
	payloadStart = start + 1
	if (width !== undefined) payloadEnd = payloadStart + width
	else if (tag === 0x42 || tag === 0x4a) {
		seek(payloadStart)
		const length = varint(bytes)
		payloadStart = position
		payloadEnd = payloadStart + length
	} else payloadEnd = end
	if (payloadEnd !== end) throw wrong(type, column)
}

const DAYS_2106 = 49_673
const SECONDS_2106 = DAYS_2106 * 86_400
const MICROS_2106 = BigInt(SECONDS_2106) * 1_000_000n

/** Ranges by type; source: YDB's documentation of data types (limits of Date32 and the 64-bit types as in its sources, not verified here). */
export const RANGES: ReadonlyMap<Id, readonly [least: bigint, most: bigint]> = new Map<
	Id,
	readonly [least: bigint, most: bigint]
>([
	[Id.INT8, [-128n, 127n]],
	[Id.UINT8, [0n, 255n]],
	[Id.INT16, [-32_768n, 32_767n]],
	[Id.UINT16, [0n, 65_535n]],
	[Id.DATE, [0n, BigInt(DAYS_2106) - 1n]],
	[Id.DATETIME, [0n, BigInt(SECONDS_2106) - 1n]],
	[Id.TIMESTAMP, [0n, MICROS_2106 - 1n]],
	[Id.INTERVAL, [-MICROS_2106 + 1n, MICROS_2106 - 1n]],
	[Id.DATE32, [-53_375_809n, 53_375_807n]],
	[Id.DATETIME64, [-4_611_669_897_600n, 4_611_669_811_199n]],
	[Id.TIMESTAMP64, [-4_611_669_897_600_000_000n, 4_611_669_811_199_999_999n]],
	[Id.INTERVAL64, [-9_223_339_708_799_999_999n, 9_223_339_708_799_999_999n]],
])

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Ranges that numbers hold exactly, as those of the types that are written most. */
const NUMBERS = new Map<Id, readonly [least: number, most: number]>(
	[...RANGES]
		.filter(([, bounds]) => bounds.every((bound) => Number.isSafeInteger(Number(bound))))
		.map(([id, [least, most]]) => [id, [Number(least), Number(most)]]),
)

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
	for (let at = start; at < end; at++) if (bytes[at]! > 127) return false
	return true
}

function isText(bytes: Uint8Array, start: number, end: number): boolean {
	return end - start < 64 && isAscii(bytes, start, end) ? true : isUtf8(bytes.subarray(start, end))
}

function textOf(bytes: Uint8Array, column: string): string {
	try {
		return utf8.decode(bytes.subarray(payloadStart, payloadEnd))
	} catch {
		throw new YdbError('BAD_REQUEST', `Invalid Utf8 value in column ${column}`)
	}
}

/** The integer of a cell; not exact beyond 2^53, where it is out of every range of {@link NUMBERS} anyway. */
function number(bytes: Uint8Array, tag: number): number {
	const at = payloadStart
	const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
	if (tag === 0x15) return low
	if (tag === 0x1d) return low >>> 0
	const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24)
	return (tag === 0x21 ? high : high >>> 0) * 2 ** 32 + (low >>> 0)
}

function integer(bytes: Uint8Array, tag: number): bigint {
	const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
	if (tag === 0x15) return BigInt(view.readInt32LE(payloadStart))
	if (tag === 0x1d) return BigInt(view.readUInt32LE(payloadStart))
	return tag === 0x21 ? view.readBigInt64LE(payloadStart) : view.readBigUInt64LE(payloadStart)
}

/** The two halves of a 128-bit cell. */
export function wide(bytes: Uint8Array, start: number, end: number): readonly [low: bigint, high: bigint] {
	const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
	let low = 0n
	let high = 0n
	for (let at = start; at < end;) {
		if (bytes[at] === 0x79) {
			low = view.readBigUInt64LE(at + 1)
			at += 9
		} else if (bytes[at] === HIGH_128 && bytes[at + 1] === 1) {
			high = view.readBigUInt64LE(at + 2)
			at += 10
		} else throw new YdbError('BAD_REQUEST', 'a 128-bit value has unknown fields')
	}
	return [low, high]
}

const DECIMAL_INF = 10n ** 35n

/** Whether cells of a type may be stored otherwise than they came. */
export function mayReplace({ id, decimal }: ColumnType): boolean {
	return decimal !== undefined || id === Id.UUID || id === Id.JSON_DOCUMENT || id === Id.DYNUMBER
}

/**
 * Checks the content of the cell read last, as YDB does on write. Returns the bytes to store instead, or undefined when the cell
 * is stored as it came.
 */
export function checkContent(
	bytes: Uint8Array,
	start: number,
	end: number,
	type: ColumnType,
	column: string,
): Buffer | undefined {
	const bounds = NUMBERS.get(type.id)
	if (bounds) {
		const value = number(bytes, type.tag)
		if (value >= bounds[0] && value <= bounds[1]) return undefined
	}
	const range = RANGES.get(type.id)
	if (range) {
		const value = integer(bytes, type.tag)
		if (value < range[0] || value > range[1])
			throw new YdbError('BAD_REQUEST', `Invalid ${type.name} value ${value} in column ${column}`)
		return undefined
	}
	switch (type.id) {
		case Id.UTF8:
			if (!isText(bytes, payloadStart, payloadEnd)) textOf(bytes, column)
			return undefined
		case Id.JSON: {
			const text = textOf(bytes, column)
			try {
				JSON.parse(text)
			} catch {
				throw new YdbError('BAD_REQUEST', `Invalid Json value in column ${column}`)
			}
			return undefined
		}
		case Id.JSON_DOCUMENT:
			return textCell(normalJsonDocument(textOf(bytes, column), column))
		case Id.DYNUMBER:
			return textCell(normalDyNumber(textOf(bytes, column), column))
		default:
	}
	if (type.decimal) {
		const [low, high] = wide(bytes, start, end)
		const value = BigInt.asIntN(128, (high << 64n) | low)
		const limit = 10n ** BigInt(type.decimal.precision)
		const special = value === DECIMAL_INF || value === -DECIMAL_INF || value === DECIMAL_INF + 1n
		if (!special && (value >= limit || value <= -limit))
			throw new YdbError('BAD_REQUEST', `Invalid ${type.name} value in column ${column}`)
		return isCanonicalWide(bytes, start, end) ? undefined : canonicalWide(low, high)
	}
	if (type.id !== Id.UUID || isCanonicalWide(bytes, start, end)) return undefined
	return canonicalWide(...wide(bytes, start, end))
}

function isCanonicalWide(bytes: Uint8Array, start: number, end: number): boolean {
	if (bytes[start] !== 0x79) return false
	if (end - start === 9) return true
	if (end - start !== 19 || bytes[start + 9] !== HIGH_128) return false
	for (let at = start + 11; at < end; at++) if (bytes[at] !== 0) return bytes[start + 10] === 1
	return false
}

/** A high half of zero is left out: proto3 does not write fields of their default value. */
function canonicalWide(low: bigint, high: bigint): Buffer {
	const out = Buffer.allocUnsafe(high === 0n ? 9 : 19)
	out[0] = 0x79
	out.writeBigUInt64LE(low, 1)
	if (high === 0n) return out
	out[9] = HIGH_128
	out[10] = 1
	out.writeBigUInt64LE(high, 11)
	return out
}

function textCell(text: string): Buffer {
	const body = Buffer.from(text)
	const head: number[] = [0x4a]
	for (let rest = body.length; ; rest >>>= 7) {
		head.push(rest > 127 ? (rest & 127) | 128 : rest)
		if (rest <= 127) break
	}
	return Buffer.concat([Buffer.from(head), body])
}
