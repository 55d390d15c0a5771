import {
	bareType,
	BackupError,
	type KeyBytes,
	type KeyRange,
	type PrimitiveName,
	spellType,
	type TableSchema,
	type YdbType,
} from '@ydbackup/core'
import { compareDyNumbers } from './dynumber.ts'
import { createKeyReader, keyColumns, keyTypes } from './key-reader.ts'
import { comparePgText } from './pg-order.ts'
import { after, malformed, readVarint, skipField, TAG_HIGH_128, TAG_ITEMS, TAG_NULL } from './wire.ts'

/** Negative when `a` stands before `b`, 0 when they are equal, positive when behind. */
export type KeyComparator = (a: KeyBytes, b: KeyBytes) => number

/** Compares two values that are not NULL. A place is the payload of the value's field: strings without their length. */
type ValueOrder = (a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number) => number

/**
 * Compares keys, or beginnings of keys, in YDB's own order: NULL first, numbers by value, strings and Uuids by their stored bytes,
 * Decimals as signed 128-bit numbers, DyNumbers by value. A beginning stands before every key that it begins.
 * Source: `CompareTypedCells` of `ydb/core/scheme/scheme_tablecell.h`. Throws `TYPE_UNKNOWN` for types that cannot be in a key.
 */
export function createKeyComparator(types: readonly YdbType[]): KeyComparator {
	const orders = types.map((type) => valueOrder(type))
	return (a, b) => {
		const order = compareCells(orders, a, 0, a.length, b, 0, b.length)
		if (order === 0 && aBehind < a.length && bBehind < b.length)
			throw malformed(`a key has more than ${orders.length} columns`)
		return order || Number(aBehind < a.length) - Number(bBehind < b.length)
	}
}

/** Compares the key of the row whose payload is b[start, end) with a whole key, as {@link KeyComparator} does. */
export type RowKeyComparator = (b: Uint8Array, start: number, end: number, key: KeyBytes) => number

/** In place where the cells of the key stand in front of the others, in its order; else by a copy of the row's key. */
export function createRowKeyComparator(schema: TableSchema): RowKeyComparator {
	const types = keyTypes(schema)
	if (keyColumns(schema).every((index, at) => index === at)) {
		const orders = types.map((type) => valueOrder(type))
		return (b, start, end, key) => compareCells(orders, b, start, end, key, 0, key.length)
	}
	const keys = createKeyReader(schema)
	const compare = createKeyComparator(types)
	return (b, start, end, key) => compare(keys.read(b, start, end), key)
}

/** Where {@link compareCells} stopped when all was equal. */
let aBehind = 0
let bBehind = 0

/** Compares as many cells as there are orders, or as one side has. */
function compareCells(
	orders: readonly ValueOrder[],
	a: Uint8Array,
	p: number,
	aEnd: number,
	b: Uint8Array,
	q: number,
	bEnd: number,
): number {
	for (let column = 0; column < orders.length && p < aEnd && q < bEnd; column++) {
		const aNext = openCell(a, p, aEnd)
		const aTag = cellTag
		const aStart = cellStart
		const bNext = openCell(b, q, bEnd)
		const bTag = cellTag
		const bStart = cellStart
		p = aNext
		q = bNext
		if (aTag === TAG_NULL || bTag === TAG_NULL) {
			if (aTag === bTag) continue
			return aTag === TAG_NULL ? -1 : 1
		}
		const order = orders[column]!(a, aStart, aNext, b, bStart, bNext)
		if (order !== 0) return order
	}
	aBehind = p
	bBehind = q
	return 0
}

/** True when a whole key lies in the range. A bound that is only the beginning of a key stands before every key that it begins. */
export function isInRange(key: KeyBytes, range: KeyRange, compare: KeyComparator): boolean {
	if (range.from !== undefined) {
		const order = compare(key, range.from.key)
		if (order < 0 || (order === 0 && !range.from.inclusive)) return false
	}
	if (range.to !== undefined) {
		const order = compare(key, range.to.key)
		if (order > 0 || (order === 0 && !range.to.inclusive)) return false
	}
	return true
}

let cellTag = 0
let cellStart = 0

/** Leaves the first tag of the cell at `p` and the start of that field's payload behind; returns the end of the cell. */
function openCell(b: Uint8Array, p: number, until: number): number {
	if (b[p] !== TAG_ITEMS) throw malformed('a key holds something else than cells')
	const length = readVarint(b, p + 1, until)
	const end = after + length
	if (end > until) throw malformed('a key is cut off')
	if (length === 0) {
		cellTag = 0
		cellStart = end
		return end
	}
	cellTag = readVarint(b, after, end)
	const payload = after
	if (cellTag !== TAG_NULL && skipField(b, payload, end, cellTag) > end) throw malformed('a key is cut off')
	if ((cellTag & 7) === 2) readVarint(b, payload, end)
	cellStart = after
	return end
}

const SIGNED_32 = new Set<PrimitiveName>(['Int8', 'Int16', 'Int32', 'Date32'])
const UNSIGNED_32 = new Set<PrimitiveName>(['Uint8', 'Uint16', 'Uint32', 'Date', 'Datetime'])
const SIGNED_64 = new Set<PrimitiveName>(['Int64', 'Interval', 'Datetime64', 'Timestamp64', 'Interval64'])
const UNSIGNED_64 = new Set<PrimitiveName>(['Uint64', 'Timestamp'])

function valueOrder(type: YdbType): ValueOrder {
	const bare = bareType(type)
	if (bare.kind === 'decimal') return compareWide
	if (bare.kind === 'pg') {
		const order = comparePgText(bare.name)
		if (order !== undefined) {
			return (a, aStart, aEnd, b, bStart, bEnd) => order(a.subarray(aStart, aEnd), b.subarray(bStart, bEnd))
		}
	}
	if (bare.kind === 'primitive') {
		const { name } = bare
		if (name === 'Bool') return compareBool
		if (SIGNED_32.has(name)) return compareInt32
		if (UNSIGNED_32.has(name)) return compareUint32
		if (SIGNED_64.has(name)) return compareInt64
		if (UNSIGNED_64.has(name)) return compareUint64
		if (name === 'Float') return (a, p, aEnd, b, q, bEnd) => compareNumbers(float(a, p, aEnd), float(b, q, bEnd))
		if (name === 'Double') return (a, p, aEnd, b, q, bEnd) => compareNumbers(double(a, p, aEnd), double(b, q, bEnd))
		if (name === 'DyNumber') {
			return (a, p, aEnd, b, q, bEnd) => compareDyNumbers(a.subarray(p, aEnd), b.subarray(q, bEnd))
		}
		return name === 'Uuid' ? compareUuid : compareBytes
	}
	throw new BackupError('TYPE_UNKNOWN', `the order of keys of type ${spellType(type)} is not known to this version`, {
		advice: 'exclude the table, or use a newer version of ydbackup',
	})
}

function compareNumbers(a: number, b: number): number {
	// YDB compares floats with < alone; NaN keys have no order there either, so they stand last here.
	if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
	return a < b ? -1 : a > b ? 1 : 0
}

function compareBool(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	return (p < aEnd ? a[p]! : 0) - (q < bEnd ? b[q]! : 0)
}

function word(b: Uint8Array, p: number, end: number): number {
	return p + 4 > end ? 0 : b[p]! | (b[p + 1]! << 8) | (b[p + 2]! << 16) | (b[p + 3]! << 24)
}

function compareInt32(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	return compareNumbers(word(a, p, aEnd), word(b, q, bEnd))
}

function compareUint32(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	return compareNumbers(word(a, p, aEnd) >>> 0, word(b, q, bEnd) >>> 0)
}

function compareInt64(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	return compareInt32(a, p + 4, aEnd, b, q + 4, bEnd) || compareUint32(a, p, aEnd, b, q, bEnd)
}

function compareUint64(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	return compareUint32(a, p + 4, aEnd, b, q + 4, bEnd) || compareUint32(a, p, aEnd, b, q, bEnd)
}

function float(b: Uint8Array, p: number, end: number): number {
	return p + 4 > end ? 0 : new DataView(b.buffer, b.byteOffset).getFloat32(p, true)
}

function double(b: Uint8Array, p: number, end: number): number {
	return p + 8 > end ? 0 : new DataView(b.buffer, b.byteOffset).getFloat64(p, true)
}

function compareBytes(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	const shared = Math.min(aEnd - p, bEnd - q)
	for (let i = 0; i < shared; i++) {
		const order = a[p + i]! - b[q + i]!
		if (order !== 0) return order
	}
	return aEnd - p - (bEnd - q)
}

/** A Uuid's stored bytes: both halves, or sixteen bytes as ReadTable spells them (16 bytes of payload and nothing behind). */
function uuidByte(b: Uint8Array, p: number, end: number, i: number): number {
	if (i < 8) return b[p + i] ?? 0
	if (end - p === 16) return b[p + i]!
	return end - p === 18 && b[p + 8] === TAG_HIGH_128 ? b[p + 2 + i]! : 0
}

function compareUuid(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	for (let i = 0; i < 16; i++) {
		const order = uuidByte(a, p, aEnd, i) - uuidByte(b, q, bEnd, i)
		if (order !== 0) return order
	}
	return 0
}

function compareWide(a: Uint8Array, p: number, aEnd: number, b: Uint8Array, q: number, bEnd: number): number {
	// Behind the lower half: two bytes of tag, then the upper half; both missing when it is zero.
	const order = compareInt64(a, p + 10, aEnd, b, q + 10, bEnd)
	return order !== 0 ? order : compareUint64(a, p, aEnd, b, q, bEnd)
}
