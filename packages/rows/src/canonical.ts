import type { BackupError } from '@ydbackup/core'
import { type CellShape, SHAPE } from './shape.ts'
import {
	after,
	concatBytes,
	lengthDelimited,
	malformed,
	readVarint,
	skipField,
	TAG_BYTES,
	TAG_HIGH_128,
	TAG_ITEMS,
	TAG_LOW_128,
	TAG_NULL,
	TAG_TEXT,
	varintLength,
	writeVarint,
} from './wire.ts'

const UUID: CellShape = { shape: SHAPE.uuid, tag: TAG_LOW_128 }
const NULL_VALUE: Uint8Array = Uint8Array.of(TAG_NULL, 0)

/** One `items` entry with a Uuid in whatever spelling → the same in the spelling of requests (low_128, high_128). */
export function canonicalUuid(frame: Uint8Array): Uint8Array {
	const length = readVarint(frame, 1, frame.length)
	const value = canonicalValue(frame, after, after + length, UUID)
	const out = new Uint8Array(1 + varintLength(value.length) + value.length)
	out[0] = TAG_ITEMS
	out.set(value, writeVarint(out, 1, value.length))
	return out
}

/**
 * The one spelling of a cell, however a server spelt it: canonical NaN, defaults written out, strings under the field of their type,
 * Uuid as two halves (ReadTable sends bytes). [start, end) is the `Ydb.Value`. For the rare cells that are not canonical already.
 */
export function canonicalValue(b: Uint8Array, start: number, end: number, { shape, tag }: CellShape): Uint8Array {
	let found = 0
	let from = 0
	let to = 0
	let high = -1
	let p = start
	while (p < end) {
		const field = readVarint(b, p, end)
		if (field < 8) throw malformed('a cell holds a field without a number')
		const payload = after
		p = skipField(b, payload, end, field)
		if (field === TAG_HIGH_128) {
			high = payload
			continue
		}
		found = field
		from = payload
		to = p
		if ((field & 7) === 2) {
			readVarint(b, payload, end)
			from = after
		}
	}
	if (found === TAG_NULL) return NULL_VALUE
	switch (shape) {
		case SHAPE.bool: {
			expectTag(found, tag)
			let value = 0
			for (let i = from; i < to; i++) value |= b[i]! & 0x7f
			return Uint8Array.of(tag, value === 0 ? 0 : 1)
		}
		case SHAPE.fixed32:
		case SHAPE.fixed64:
		case SHAPE.float:
		case SHAPE.double: {
			expectTag(found, tag)
			const out = new Uint8Array(shape === SHAPE.fixed32 || shape === SHAPE.float ? 5 : 9)
			out[0] = tag
			out.set(b.subarray(from, to), 1)
			if (shape === SHAPE.float && isNaN32(out, 1)) out.set([0, 0, 0xc0, 0x7f], 1)
			if (shape === SHAPE.double && isNaN64(out, 1)) out.set([0, 0, 0, 0, 0, 0, 0xf8, 0x7f], 1)
			return out
		}
		case SHAPE.string:
		case SHAPE.pg: {
			if (found !== TAG_BYTES && found !== TAG_TEXT) expectTag(found, tag)
			const kept = shape === SHAPE.pg && found !== 0 ? found : tag
			const out = new Uint8Array(1 + varintLength(to - from) + to - from)
			out[0] = kept
			out.set(b.subarray(from, to), writeVarint(out, 1, to - from))
			return out
		}
		default: {
			const sixteen = new Uint8Array(16)
			if (found === TAG_BYTES && shape === SHAPE.uuid) {
				if (to - from !== 16) throw malformed(`a Uuid of ${to - from} bytes`)
				sixteen.set(b.subarray(from, to))
			} else {
				expectTag(found, tag)
				sixteen.set(b.subarray(from, to))
				if (high >= 0) sixteen.set(b.subarray(high, high + 8), 8)
			}
			return halvesValue(sixteen)
		}
	}
}

/** The cells of a row, each in its one spelling. [start, end) is the row's payload. For the rare rows that are not canonical already. */
export function canonicalRow(b: Uint8Array, start: number, end: number, shapes: readonly CellShape[]): Uint8Array {
	const cells: Uint8Array[] = []
	let p = start
	while (p < end) {
		const shape = shapes[cells.length]
		if (b[p] !== TAG_ITEMS || shape === undefined) throw cellMisfit(cells.length, shapes.length)
		const length = readVarint(b, p + 1, end)
		const from = after
		p = from + length
		if (p > end) throw malformed('a cell is longer than its row')
		cells.push(lengthDelimited(TAG_ITEMS, canonicalValue(b, from, p, shape)))
	}
	if (cells.length !== shapes.length) throw cellMisfit(cells.length, shapes.length)
	return concatBytes(cells)
}

export function cellMisfit(cells: number, columns: number): BackupError {
	return malformed(
		cells < columns ? `a row ends after ${cells} of ${columns} cells` : `a row has more than ${columns} cells`,
	)
}

/** The `Ydb.Value` of a 128-bit value: like YDB's own writer, without its upper half when that is zero. */
export function halvesValue(sixteen: Uint8Array): Uint8Array {
	const short = sixteen.subarray(8, 16).every((byte) => byte === 0)
	const out = new Uint8Array(short ? 9 : 19)
	out[0] = TAG_LOW_128
	out.set(sixteen.subarray(0, 8), 1)
	if (!short) {
		out[9] = TAG_HIGH_128
		out[10] = 1
		out.set(sixteen.subarray(8, 16), 11)
	}
	return out
}

function expectTag(found: number, tag: number): void {
	// 0: no field at all, which is how a default may be spelt.
	if (found !== tag && found !== 0) throw malformed(`a cell holds field ${found >>> 3} where ${tag >>> 3} was expected`)
}

export function isNaN32(b: Uint8Array, p: number): boolean {
	return (b[p + 3]! & 0x7f) === 0x7f && (b[p + 2]! & 0x80) !== 0 && ((b[p + 2]! & 0x7f) | b[p + 1]! | b[p]!) !== 0
}

export function isNaN64(b: Uint8Array, p: number): boolean {
	if ((b[p + 7]! & 0x7f) !== 0x7f || (b[p + 6]! & 0xf0) !== 0xf0) return false
	return ((b[p + 6]! & 0x0f) | b[p + 5]! | b[p + 4]! | b[p + 3]! | b[p + 2]! | b[p + 1]! | b[p]!) !== 0
}

/** A NaN that is not spelt as {@link canonicalValue} spells it. */
export function isOddNaN32(b: Uint8Array, p: number): boolean {
	return isNaN32(b, p) && !(b[p + 3] === 0x7f && b[p + 2] === 0xc0 && (b[p + 1]! | b[p]!) === 0)
}

/** A NaN that is not spelt as {@link canonicalValue} spells it. */
export function isOddNaN64(b: Uint8Array, p: number): boolean {
	if (!isNaN64(b, p)) return false
	return (
		b[p + 7] !== 0x7f || b[p + 6] !== 0xf8 || (b[p + 5]! | b[p + 4]! | b[p + 3]! | b[p + 2]! | b[p + 1]! | b[p]!) !== 0
	)
}
