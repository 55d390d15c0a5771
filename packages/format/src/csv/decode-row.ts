import { isUtf8 } from 'node:buffer'
import { varintLength, writeVarint } from '@ydbackup/rows'
import { type ColumnPlan, FIRST_DAY_AFTER } from './column-plan.ts'
import { HEX_VALUE } from './escape.ts'
import { instant, readInstant } from './read-date.ts'
import { failed, readFloat } from './read-float.ts'
import { halves, readHalves, splitSafe } from './read-integer.ts'
import { isDyNumber, readDecimal, readUuid, words } from './read-wide.ts'

const FIRST_SECOND_AFTER = FIRST_DAY_AFTER * 86_400

/** Bytes that a cell can have more on the wire than its text has. */
export const LONGEST_GROWTH = 24

/** After {@link decodeRow}: the position behind the row's line. */
export let behind = 0
/** After {@link decodeRow} returned -1: the column, where its text begins, and what is wrong with it. */
export let failedColumn = 0
export let failedStart = 0
export let failure: 'value' | 'null' | 'empty' | 'few' | 'many' = 'value'

function fail(column: number, start: number, why: typeof failure): number {
	failedColumn = column
	failedStart = start
	failure = why
	return -1
}

/**
 * Reads the line at b[p], which ends with a line feed, and writes its cells as the payload of a row at out[q]. Returns the position
 * behind them, or -1. `input` is over the bytes of `b`, `view` over those of `out`. `out` must have room: the length of the line and LONGEST_GROWTH for each column.
 */
export function decodeRow(
	plan: ColumnPlan,
	b: Buffer,
	input: DataView,
	p: number,
	out: Uint8Array,
	view: DataView,
	q: number,
): number {
	const { columns, kinds, tags } = plan
	for (let column = 0; column < columns; column++) {
		const start = p
		const kind = kinds[column]!
		const tag = tags[column]!
		out[q] = 0x62
		if (b[p] === 110 && b[p + 1] === 117 && b[p + 2] === 108 && b[p + 3] === 108 && isSeparator(b[p + 4]!)) {
			if (plan.nullable[column] === 0) return fail(column, start, 'null')
			out[q + 1] = 2
			out[q + 2] = 0x50
			out[q + 3] = 0
			q += 4
			p += 4
		} else if (kind === 10 /* quoted */) {
			if (b[p] !== 34) return fail(column, start, isSeparator(b[p]!) ? 'empty' : 'value')
			const from = q + 4
			to = from
			p = readQuoted(b, input, p + 1, out, view)
			if (p - start < 2 || b[p - 1] !== 34) return fail(column, start, 'value')
			to--
			if (bits > 127 && plan.text[column] === 1 && !isText(out, from, to)) return fail(column, start, 'value')
			q = closeString(out, q, from, to, tag)
		} else {
			let end = p
			out[q + 2] = tag
			if (kind <= 4 /* uint64 */) {
				let number = 0
				const digits = b[p] === 45 ? ++end : end
				for (;;) {
					const digit = b[end]! - 48
					if (digit < 0 || digit > 9) break
					number = number * 10 + digit
					end++
				}
				const plain = end > digits && end - digits <= 15 && isSeparator(b[end]!)
				if (!plain) while (!isSeparator(b[end]!)) end++
				if (digits > p) number = -number
				if (kind === 0 /* bool */) {
					const bool = plain && number >= 0 ? (number === 0 ? 0 : 1) : readBool(b, p, end)
					if (bool < 0) return fail(column, start, end === p ? 'empty' : 'value')
					out[q + 1] = 2
					out[q + 3] = bool
					q += 4
				} else if (kind <= 2 /* uint32 */) {
					if (!plain) number = readNarrow(b, p, end)
					if (!(number >= plan.lows[column]! && number <= plan.highs[column]!)) {
						return fail(column, start, end === p ? 'empty' : 'value')
					}
					out[q + 1] = 5
					view.setInt32(q + 3, number, true)
					q += 7
				} else {
					if (plain && (number >= 0 || kind === 3) /* int64 */) splitSafe(number)
					else if (!readHalves(b, p, end, kind === 3 /* int64 */)) {
						return fail(column, start, end === p ? 'empty' : 'value')
					}
					out[q + 1] = 9
					view.setInt32(q + 3, halves[0]!, true)
					view.setInt32(q + 7, halves[1]!, true)
					q += 11
				}
			} else {
				while (!isSeparator(b[end]!)) end++
				const next = decodeOther(plan, column, b, input, p, end, out, view, q)
				if (next < 0) return fail(column, start, end === p ? 'empty' : 'value')
				q = next
			}
			p = end
		}
		if (b[p++] === 0x2c) {
			if (column === columns - 1) return fail(column, start, 'many')
		} else if (column < columns - 1) {
			return fail(column + 1, p - 1, 'few')
		}
	}
	behind = p
	return q
}

/** Where {@link readQuoted} writes next, and all bits of the bytes that were escaped or not ASCII. */
let to = 0
let bits = 0

const HIGH_BITS = 0x8080_8080 | 0

/**
 * Unescapes b[p…] to out[to…] up to the next separator and returns its position. Quotes within are bytes like others. Four bytes at a
 * time, as long as they are plain: `+`, and all ASCII from `-` on. May write three bytes past the end.
 */
function readQuoted(b: Buffer, input: DataView, p: number, out: Uint8Array, view: DataView): number {
	const hex = HEX_VALUE
	const lastWord = b.length - 4
	let q = to
	let seen = 0
	for (;;) {
		while (p <= lastWord) {
			const word = input.getInt32(p, true)
			// The high bit of each byte: whether it is a plus sign, and whether it is none of those that are plain.
			const plus = ~((word ^ 0x2b2b_2b2b) + 0x7f7f_7f7f) & HIGH_BITS
			const other = ~(((word + 0x5353_5353) | plus) & ~word) & HIGH_BITS
			view.setInt32(q, word ^ Math.imul(plus >>> 7, 0x2b ^ 0x20), true)
			if (other !== 0) {
				const plain = (31 - Math.clz32(other & -other)) >> 3
				p += plain
				q += plain
				break
			}
			p += 4
			q += 4
		}
		let byte = b[p]!
		if (byte === 0x25) {
			do {
				const value = (hex[b[p + 1]!]! << 4) | hex[b[p + 2]!]!
				if (value >= 0) {
					out[q++] = value
					seen |= value
					p += 3
				} else {
					out[q++] = byte
					p++
				}
				byte = b[p]!
			} while (byte === 0x25)
		} else if (byte === 0x2c || byte === 0x0a) {
			break
		} else {
			out[q++] = byte === 0x2b ? 0x20 : byte
			seen |= byte
			p++
		}
	}
	to = q
	bits = seen
	return p
}

/** True when out[p, end) is UTF-8. For short text a loop is faster than a call. */
function isText(out: Uint8Array, p: number, end: number): boolean {
	if (end - p > 200) return isUtf8(out.subarray(p, end))
	while (p < end) {
		const lead = out[p++]!
		if (lead < 0x80) continue
		if (lead < 0xc2 || lead > 0xf4) return false
		const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3
		if (p + more > end) return false
		const second = out[p]!
		if ((second & 0xc0) !== 0x80) return false
		// Overlong forms, surrogates, and what is above U+10FFFF.
		if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f)) return false
		if ((lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f)) return false
		for (let i = 1; i < more; i++) if ((out[p + i]! & 0xc0) !== 0x80) return false
		p += more
	}
	return true
}

/** Floats, dates, Decimals, Uuids and DyNumbers: b[p, end) is the text, out[q] the cell. */
function decodeOther(
	plan: ColumnPlan,
	column: number,
	b: Buffer,
	input: DataView,
	p: number,
	end: number,
	out: Uint8Array,
	view: DataView,
	q: number,
): number {
	switch (plan.kinds[column]) {
		case 5 /* float */: {
			const value = readFloat(b, p, end)
			if (failed) return -1
			out[q + 1] = 5
			view.setFloat32(q + 3, value, true)
			return q + 7
		}
		case 6 /* double */: {
			const value = readFloat(b, p, end)
			if (failed) return -1
			out[q + 1] = 9
			view.setFloat64(q + 3, value, true)
			return q + 11
		}
		case 7 /* date */:
		case 8 /* datetime */:
			if (!readInstant(b, input, p, end) || instant[0]! >= FIRST_SECOND_AFTER) return -1
			out[q + 1] = 5
			view.setUint32(q + 3, plan.kinds[column] === 7 /* date */ ? Math.floor(instant[0]! / 86_400) : instant[0]!, true)
			return q + 7
		case 9 /* timestamp */:
			if (!readInstant(b, input, p, end) || instant[0]! >= FIRST_SECOND_AFTER) return -1
			splitSafe(instant[0]! * 1_000_000 + instant[1]!)
			out[q + 1] = 9
			view.setInt32(q + 3, halves[0]!, true)
			view.setInt32(q + 7, halves[1]!, true)
			return q + 11
		case 12 /* decimal */: {
			if (!readDecimal(b, p, end, plan.precisions[column]!, plan.scales[column]!)) return -1
			view.setInt32(q + 3, words[0]!, true)
			view.setInt32(q + 7, words[1]!, true)
			if ((words[2]! | words[3]!) === 0) {
				out[q + 1] = 9
				return q + 11
			}
			out[q + 1] = 19
			out[q + 11] = 0x81
			out[q + 12] = 1
			view.setInt32(q + 13, words[2]!, true)
			view.setInt32(q + 17, words[3]!, true)
			return q + 21
		}
		case 13 /* uuid */: {
			const quoted = b[p] === 34 && end - p === 38 && b[end - 1] === 34 ? 1 : 0
			if (!readUuid(b, p + quoted, end - quoted, out, q + 3, q + 13)) return -1
			if (view.getInt32(q + 13, true) === 0 && view.getInt32(q + 17, true) === 0) {
				out[q + 1] = 9
				return q + 11
			}
			out[q + 1] = 19
			out[q + 11] = 0x81
			out[q + 12] = 1
			return q + 21
		}
		default: {
			if (!isDyNumber(b, p, end)) return -1
			out.set(b.subarray(p, end), q + 4)
			return closeString(out, q, q + 4, q + 4 + end - p, plan.tags[column]!)
		}
	}
}

/** Writes the lengths of a string cell whose bytes stand at out[from, to); bytes of long strings move, because their lengths do not fit. */
function closeString(out: Uint8Array, q: number, from: number, to: number, tag: number): number {
	const length = to - from
	if (length <= 125) {
		out[q + 1] = length + 2
		out[q + 2] = tag
		out[q + 3] = length
		return to
	}
	const value = 1 + varintLength(length) + length
	const shift = varintLength(value) + varintLength(length) - 2
	out.copyWithin(from + shift, from, to)
	q = writeVarint(out, q + 1, value)
	out[q] = tag
	writeVarint(out, q + 1, length)
	return to + shift
}

function isSeparator(byte: number): boolean {
	return byte === 0x2c || byte === 0x0a
}

/** A number of at most 32 bits with a plus sign or with many leading zeros; NaN when it is none. */
function readNarrow(b: Buffer, p: number, end: number): number {
	if (!readHalves(b, p, end, true)) return Number.NaN
	return (halves[1]! | 0) * 0x1_0000_0000 + halves[0]!
}

const TRUE = new Set(['true', 't', 'yes', 'y', 'on'])
const FALSE = new Set(['false', 'f', 'no', 'n', 'off'])

function readBool(b: Buffer, p: number, end: number): number {
	const word = end - p > 5 ? '' : b.toString('latin1', p, end).toLowerCase()
	if (TRUE.has(word)) return 1
	return FALSE.has(word) ? 0 : -1
}
