import { divideExactly, productRest, TENS } from './exact.ts'

const LONGEST = 1100

/** True when the last {@link readFloat} was no number at all, rather than NaN. */
export let failed = false

/** A floating point number: decimal, or hexadecimal, inf and nan in any case. */
export function readFloat(b: Buffer, start: number, end: number): number {
	failed = false
	let p = start
	const negative = b[p] === 45
	if (negative) p++
	// Up to fifteen significant digits, and up to eight more.
	let upper = 0
	let lower = 0
	let count = 0
	let significant = 0
	let point = -1
	for (; p < end; p++) {
		const digit = b[p]! - 48
		if (digit >= 0 && digit <= 9) {
			count++
			if (significant < 15) {
				upper = upper * 10 + digit
				if (upper !== 0) significant++
			} else {
				lower = lower * 10 + digit
				significant++
			}
		} else if (digit === -2 && point < 0) {
			point = p
		} else {
			return readOdd(b, start, end)
		}
	}
	const scale = point < 0 ? 0 : end - point - 1
	if (count === 0 || significant > 19 || scale > 22) return readOdd(b, start, end)
	let value: number
	if (significant <= 15) {
		// One division by a power that is exact: rounded once, and correctly.
		value = upper / TENS[scale]!
	} else {
		// upper * 10^n below 10^19: n is at most 4, so the product is exact in two doubles.
		const shifted = upper * TENS[significant - 15]!
		const high = shifted + lower
		const rest = shifted - high + lower + productRest(upper, TENS[significant - 15]!, shifted)
		value = divideExactly(high, rest, scale)
		if (value !== value) return readOdd(b, start, end)
	}
	return negative ? -value : value
}

function readOdd(b: Buffer, start: number, end: number): number {
	if (end > start && end - start <= LONGEST) {
		const text = b.toString('latin1', start, end)
		const value = hasOnlyNumberBytes(b, start, end) ? Number(text) : Number.NaN
		if (value === value) return value
		const word = text.toLowerCase().replace(/^[-+]/, '')
		const sign = text.startsWith('-') ? -1 : 1
		if (word === 'nan') return Number.NaN
		if (word === 'inf' || word === 'infinity') return sign * Infinity
		if (/^0x[0-9a-f]+$/.test(word)) return sign * Number(word)
	}
	failed = true
	return Number.NaN
}

/** What is made of these bytes alone is read by JavaScript just as it is meant here. */
function hasOnlyNumberBytes(b: Buffer, p: number, end: number): boolean {
	for (; p < end; p++) {
		const byte = b[p]!
		if (byte >= 48 && byte <= 57) continue
		if (byte !== 46 && byte !== 45 && byte !== 43 && byte !== 101 && byte !== 69) return false
	}
	return true
}
