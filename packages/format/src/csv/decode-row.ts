import { isUtf8 } from 'node:buffer'
import { varintLength, writeVarint } from '@ydbackup/rows'
import { type ColumnPlan, FIRST_DAY_AFTER, KIND } from './column-plan.ts'
import { HEX_VALUE, HIGH, PERCENT, PLAIN, PLUS, READ_CLASS } from './escape.ts'
import { micros, readInstant, seconds } from './read-date.ts'
import { failed, readFloat } from './read-float.ts'
import { high, low, readHalves, splitSafe } from './read-integer.ts'
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
 * behind them, or -1. `out` must have room: the length of the line and LONGEST_GROWTH for each column.
 */
export function decodeRow(plan: ColumnPlan, b: Buffer, p: number, out: Uint8Array, view: DataView, q: number): number {
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
		} else if (kind === KIND.quoted) {
			if (b[p] !== 34) return fail(column, start, isSeparator(b[p]!) ? 'empty' : 'value')
			const from = q + 4
			let to = from
			let bits = 0
			p++
			for (;;) {
				const byte = b[p]!
				const what = READ_CLASS[byte]!
				if (what === PLAIN) {
					out[to++] = byte
					p++
				} else if (what === PERCENT) {
					const value = (HEX_VALUE[b[p + 1]!]! << 4) | HEX_VALUE[b[p + 2]!]!
					if (value >= 0) {
						out[to++] = value
						bits |= value
						p += 3
					} else {
						out[to++] = byte
						p++
					}
				} else if (what === PLUS) {
					out[to++] = 32
					p++
				} else if (what === HIGH) {
					out[to++] = byte
					bits |= byte
					p++
				} else {
					break
				}
			}
			if (p - start < 2 || b[p - 1] !== 34) return fail(column, start, 'value')
			to--
			if (bits > 127 && plan.text[column] === 1 && !isUtf8(out.subarray(from, to))) return fail(column, start, 'value')
			q = closeString(out, q, from, to, tag)
		} else {
			let end = p
			out[q + 2] = tag
			if (kind <= KIND.uint64) {
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
				if (kind === KIND.bool) {
					const bool = plain && number >= 0 ? (number === 0 ? 0 : 1) : readBool(b, p, end)
					if (bool < 0) return fail(column, start, end === p ? 'empty' : 'value')
					out[q + 1] = 2
					out[q + 3] = bool
					q += 4
				} else if (kind <= KIND.uint32) {
					if (!plain) number = readNarrow(b, p, end)
					if (!(number >= plan.lows[column]! && number <= plan.highs[column]!)) {
						return fail(column, start, end === p ? 'empty' : 'value')
					}
					out[q + 1] = 5
					view.setInt32(q + 3, number, true)
					q += 7
				} else {
					if (plain && (number >= 0 || kind === KIND.int64)) splitSafe(number)
					else if (!readHalves(b, p, end, kind === KIND.int64)) {
						return fail(column, start, end === p ? 'empty' : 'value')
					}
					out[q + 1] = 9
					view.setInt32(q + 3, low, true)
					view.setInt32(q + 7, high, true)
					q += 11
				}
			} else {
				while (!isSeparator(b[end]!)) end++
				const next = decodeOther(plan, column, b, p, end, out, view, q)
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

/** Floats, dates, Decimals, Uuids and DyNumbers: b[p, end) is the text, out[q] the cell. */
function decodeOther(
	plan: ColumnPlan,
	column: number,
	b: Buffer,
	p: number,
	end: number,
	out: Uint8Array,
	view: DataView,
	q: number,
): number {
	switch (plan.kinds[column]) {
		case KIND.float: {
			const value = readFloat(b, p, end)
			if (failed) return -1
			out[q + 1] = 5
			view.setFloat32(q + 3, value, true)
			return q + 7
		}
		case KIND.double: {
			const value = readFloat(b, p, end)
			if (failed) return -1
			out[q + 1] = 9
			view.setFloat64(q + 3, value, true)
			return q + 11
		}
		case KIND.date:
		case KIND.datetime:
			if (!readInstant(b, p, end) || seconds >= FIRST_SECOND_AFTER) return -1
			out[q + 1] = 5
			view.setUint32(q + 3, plan.kinds[column] === KIND.date ? Math.floor(seconds / 86_400) : seconds, true)
			return q + 7
		case KIND.timestamp:
			if (!readInstant(b, p, end) || seconds >= FIRST_SECOND_AFTER) return -1
			splitSafe(seconds * 1_000_000 + micros)
			out[q + 1] = 9
			view.setInt32(q + 3, low, true)
			view.setInt32(q + 7, high, true)
			return q + 11
		case KIND.decimal: {
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
		case KIND.uuid: {
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
	return (high | 0) * 0x1_0000_0000 + low
}

const TRUE = new Set(['true', 't', 'yes', 'y', 'on'])
const FALSE = new Set(['false', 'f', 'no', 'n', 'off'])

function readBool(b: Buffer, p: number, end: number): number {
	const word = end - p > 5 ? '' : b.toString('latin1', p, end).toLowerCase()
	if (TRUE.has(word)) return 1
	return FALSE.has(word) ? 0 : -1
}
