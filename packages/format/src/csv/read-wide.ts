import { HEX_VALUE } from './escape.ts'
import { halves, joinBillions, negate } from './read-integer.ts'

const INFINITY = 10n ** 35n
const DECIMAL = /^([-+]?)(\d*)(?:\.(\d*))?$/
const DYNUMBER = /^[-+]?(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,4}))?$/

/** The Decimal that was read last as two's complement, lowest word first. */
export const words: Uint32Array = new Uint32Array(4)

/**
 * Reads a Decimal into {@link words}; false when it is none, has more digits than the type, or digits behind the type's last place
 * that are not zero: those would be lost.
 */
export function readDecimal(b: Buffer, start: number, end: number, precision: number, scale: number): boolean {
	let p = start
	const negative = b[p] === 45
	if (negative) p++
	// Digits of the unscaled number from its place 10^9 on, and below.
	let upper = 0
	let lower = 0
	let point = -1
	let wholes = 0
	for (let i = p; i < end && b[i] !== 46; i++) wholes++
	const length = wholes + scale
	if (length > 18 || length > precision) return readLong(b, start, end, precision, scale)
	let place = 0
	for (; p < end; p++) {
		const digit = b[p]! - 48
		if (digit < 0 || digit > 9) {
			if (digit !== -2 || point >= 0) return readLong(b, start, end, precision, scale)
			point = p
			continue
		}
		if (place === length) return readLong(b, start, end, precision, scale)
		if (place++ < length - 9) upper = upper * 10 + digit
		else lower = lower * 10 + digit
	}
	if (place === 0) return false
	for (; place < length; place++) {
		if (place < length - 9) upper *= 10
		else lower *= 10
	}
	joinBillions(upper, lower)
	const isZero = (halves[0]! | halves[1]!) === 0
	if (negative) negate()
	words[0] = halves[0]!
	words[1] = halves[1]!
	words[2] = words[3] = negative && !isZero ? 0xffff_ffff : 0
	return true
}

function readLong(b: Buffer, start: number, end: number, precision: number, scale: number): boolean {
	if (end - start > 200) return false
	const text = b.toString('latin1', start, end)
	const word = text.toLowerCase().replace(/^[-+]/, '')
	let value: bigint
	if (word === 'inf' || word === 'infinity') {
		value = text.startsWith('-') ? -INFINITY : INFINITY
	} else if (word === 'nan') {
		value = INFINITY + 1n
	} else {
		const match = DECIMAL.exec(text)
		if (match === null || `${match[2]}${match[3] ?? ''}` === '') return false
		const fraction = (match[3] ?? '').replace(/0+$/, '')
		if (fraction.length > scale) return false
		value = BigInt(match[2] + fraction.padEnd(scale, '0'))
		if (value >= 10n ** BigInt(precision)) return false
		if (match[1] === '-') value = -value
	}
	for (let i = 0; i < 4; i++) words[i] = Number((value >> BigInt(32 * i)) & 0xffff_ffffn)
	return true
}

/** Positions of the sixteen stored bytes in the canonical text: the first three groups are little-endian. */
const PLACES = Uint8Array.of(6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34)

/** Reads the 36 characters at `p` as a Uuid: the sixteen stored bytes go to out[q, q + 8) and out[r, r + 8). */
export function readUuid(b: Buffer, p: number, end: number, out: Uint8Array, q: number, r: number): boolean {
	if (end - p !== 36 || b[p + 8] !== 45 || b[p + 13] !== 45 || b[p + 18] !== 45 || b[p + 23] !== 45) return false
	for (let i = 0; i < 16; i++) {
		const at = p + PLACES[i]!
		const value = (HEX_VALUE[b[at]!]! << 4) | HEX_VALUE[b[at + 1]!]!
		if (value < 0) return false
		out[i < 8 ? q + i : r + i - 8] = value
	}
	return true
}

/** True for the text of a DyNumber: up to 38 significant digits, from 10^-130 to below 10^126. */
export function isDyNumber(b: Buffer, start: number, end: number): boolean {
	if (end - start > 300) return false
	const match = DYNUMBER.exec(b.toString('latin1', start, end))
	if (match === null) return false
	const whole = match[1]!
	const all = whole + (match[2] ?? '')
	if (all === '') return false
	const digits = all.replace(/^0+/, '')
	if (digits === '') return true
	const exponent = whole.length - (all.length - digits.length) + Number(match[3] ?? 0) - 1
	return digits.replace(/0+$/, '').length <= 38 && exponent >= -130 && exponent <= 125
}
