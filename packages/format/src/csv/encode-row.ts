import { type ColumnPlan, FIRST_DAY_AFTER } from './column-plan.ts'
import { ESCAPED } from './escape.ts'
import { writeInstant, writeMicros, writeSeconds } from './write-date.ts'
import { writeDouble, writeFloat } from './write-float.ts'
import { writeHalves, writeInt32, writeInt64, writeUint32 } from './write-integer.ts'
import { writeDecimal, writeUuid } from './write-wide.ts'

const FIRST_SECOND_AFTER = FIRST_DAY_AFTER * 86_400
const FIRST_MICRO_AFTER = FIRST_SECOND_AFTER * 1_000_000

/** The longest text of a cell that is no string, with its separator and the overhang of {@link writeEscaped}. */
export const LONGEST_FIXED = 48

/** A Uuid whose upper half is zero, and so not on the wire. */
const sixteen = new Uint8Array(16)

/** After {@link encodeRow} returned -1: the column that stopped it. */
export let stoppedAt = 0

/**
 * Writes the row whose payload is b[p, end) as one CSV line at out[q] and returns the position behind it, or -1 for a row with a
 * cell that is not spelt the usual way; {@link stoppedAt} is its column, or the number of columns when cells are left over.
 * `out` must have room: three bytes for each byte of the row and LONGEST_FIXED for each column.
 */
export function encodeRow(
	plan: ColumnPlan,
	b: Uint8Array,
	view: DataView,
	p: number,
	end: number,
	out: Uint8Array,
	outView: DataView,
	q: number,
): number {
	const { columns, kinds, tags } = plan
	for (let column = 0; column < columns; column++) {
		stoppedAt = column
		if (p + 2 > end || b[p] !== 0x62) return -1
		let length = b[p + 1]!
		let s = p + 2
		if (length >= 0x80) {
			length &= 0x7f
			let scale = 128
			for (;;) {
				if (s >= end || scale > 2 ** 42) return -1
				const byte = b[s++]!
				length += (byte & 0x7f) * scale
				if (byte < 0x80) break
				scale *= 128
			}
		}
		p = s + length
		if (p > end || length < 2) return -1
		const tag = b[s]!
		if (tag !== tags[column]) {
			if (tag !== 0x50 || length !== 2 || plan.nullable[column] === 0) return -1
			outView.setInt32(q, 0x6c6c756e, true)
			out[q + 4] = 0x2c
			q += 5
			continue
		}
		s++
		switch (kinds[column]) {
			case 0 /* bool */:
				if (length !== 2) return -1
				out[q++] = b[s] === 0 ? 48 : 49
				break
			case 1 /* int32 */:
				if (length !== 5) return -1
				q = writeInt32(outView, q, view.getInt32(s, true))
				break
			case 2 /* uint32 */:
				if (length !== 5) return -1
				q = writeUint32(outView, q, view.getUint32(s, true))
				break
			case 3 /* int64 */:
				if (length !== 9) return -1
				q = writeInt64(outView, q, view.getInt32(s + 4, true), view.getUint32(s, true))
				break
			case 4 /* uint64 */:
				if (length !== 9) return -1
				q = writeHalves(outView, q, view.getUint32(s + 4, true), view.getUint32(s, true))
				break
			case 5 /* float */:
				if (length !== 5) return -1
				q = writeFloat(outView, q, view.getFloat32(s, true))
				break
			case 6 /* double */:
				if (length !== 9) return -1
				q = writeDouble(outView, q, view.getFloat64(s, true))
				break
			case 7 /* date */: {
				if (length !== 5) return -1
				const day = view.getUint32(s, true)
				if (day >= FIRST_DAY_AFTER) return -1
				q = writeInstant(outView, q, day, 0, 0)
				break
			}
			case 8 /* datetime */: {
				if (length !== 5) return -1
				const second = view.getUint32(s, true)
				if (second >= FIRST_SECOND_AFTER) return -1
				q = writeSeconds(outView, q, second)
				break
			}
			case 9 /* timestamp */: {
				if (length !== 9) return -1
				const micros = view.getUint32(s + 4, true) * 0x1_0000_0000 + view.getUint32(s, true)
				if (micros >= FIRST_MICRO_AFTER) return -1
				q = writeMicros(outView, q, micros)
				break
			}
			case 10 /* quoted */: {
				s = stringStart(b, s, p)
				if (s < 0) return -1
				out[q++] = 34
				q = writeEscaped(b, s, p, outView, q)
				out[q++] = 34
				break
			}
			case 11 /* bare */: {
				s = stringStart(b, s, p)
				if (s < 0 || s === p) return -1
				for (; s < p; s++) {
					const byte = b[s]!
					if (!isNumberByte(byte)) return -1
					out[q++] = byte
				}
				break
			}
			case 12 /* decimal */: {
				const wide = length === 19 && b[s + 8] === 0x81 && b[s + 9] === 1
				if (!wide && length !== 9) return -1
				const w0 = view.getUint32(s, true)
				const w1 = view.getUint32(s + 4, true)
				const w2 = wide ? view.getUint32(s + 10, true) : 0
				const w3 = wide ? view.getUint32(s + 14, true) : 0
				q = writeDecimal(outView, q, w0, w1, w2, w3, plan.scales[column]!)
				if (q < 0) return -1
				break
			}
			default: {
				if (length === 19 && b[s + 8] === 0x81 && b[s + 9] === 1) {
					q = writeUuid(out, q, b, s, s + 10)
				} else {
					if (length !== 9) return -1
					sixteen.set(b.subarray(s, s + 8))
					q = writeUuid(out, q, sixteen, 0, 8)
				}
			}
		}
		out[q++] = 0x2c
	}
	stoppedAt = columns
	if (p !== end) return -1
	out[q - 1] = 0x0a
	return q
}

/** The position of a string's first byte when its length says that it fills its value, else -1. */
function stringStart(b: Uint8Array, s: number, end: number): number {
	let length = b[s++]!
	if (length >= 0x80) {
		length &= 0x7f
		let scale = 128
		for (;;) {
			if (s >= end || scale > 2 ** 42) return -1
			const byte = b[s++]!
			length += (byte & 0x7f) * scale
			if (byte < 0x80) break
			scale *= 128
		}
	}
	return s + length === end ? s : -1
}

/** Without a branch per byte: four bytes are stored, one or three of them count. May write three bytes past the end. */
function writeEscaped(b: Uint8Array, s: number, end: number, outView: DataView, q: number): number {
	const escaped = ESCAPED
	for (; s < end; s++) {
		const text = escaped[b[s]!]!
		outView.setInt32(q, text, true)
		q += text >>> 24
	}
	return q
}

/** Digits, signs, point and exponent: a DyNumber, or inf and nan, cannot hold a separator. */
function isNumberByte(byte: number): boolean {
	return (byte >= 48 && byte <= 57) || byte === 46 || byte === 45 || byte === 43 || byte === 69 || byte === 101
}
