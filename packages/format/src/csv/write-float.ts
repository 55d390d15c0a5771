import { productRest, TENS } from './exact.ts'
import { trimZeros, writeEight, writeSafe, writeScaled, writeUint32 } from './write-integer.ts'

const EPSILON_UP = 1 + 2 ** -52
const EPSILON_DOWN = 1 - 2 ** -53
/** Far more than the arithmetic's error, far less than what decides. */
const NEAR = 1e-3
const view = new DataView(new ArrayBuffer(8))

function writeText(out: DataView, q: number, text: string): number {
	for (let i = 0; i < text.length; i++) out.setUint8(q + i, text.charCodeAt(i))
	return q + text.length
}

function writeSpecial(out: DataView, q: number, value: number): number {
	if (value !== value) return writeText(out, q, 'nan')
	if (value === Infinity) return writeText(out, q, 'inf')
	if (value === -Infinity) return writeText(out, q, '-inf')
	return writeText(out, q, Object.is(value, 0) ? '0' : '-0')
}

/**
 * The shortest text that reads back as the same double; of several such texts the nearest, as JavaScript has it. Short decimals,
 * which most doubles in tables are, are found by arithmetic: digits / 10^scale is rounded once and correctly, so when it is the
 * value, that text is. What needs 16 or 17 digits is found by {@link writeLong}; the rest is left to JavaScript.
 */
export function writeDouble(out: DataView, q: number, value: number): number {
	const size = Math.abs(value)
	if (size < 1e15 && size >= 1e-3) {
		let p = q
		if (value < 0) out.setUint8(p++, 45)
		const whole = Math.floor(size)
		if (whole === size) return writeSafe(out, p, whole)
		for (let scale = 3; scale <= 9; scale += 3) {
			const power = TENS[scale]!
			const digits = Math.round(size * power)
			if (digits >= 1e15) break
			if (digits / power === size) return writeScaled(out, p, digits, scale)
		}
		const end = writeLong(out, p, size, whole)
		if (end > 0) return end
	} else if (size === 0 || size === Infinity || size !== size) {
		return writeSpecial(out, q, value)
	}
	return writeText(out, q, String(value))
}

/**
 * A double that no decimal of 15 digits gives, from 10^-3 to below 10^15: sixteen digits when they suffice, else seventeen.
 * Returns -1 when it is short after all or when two candidates are too close to call.
 */
function writeLong(out: DataView, q: number, size: number, whole: number): number {
	// Scale to 17 digits before the point; the product and its rest are exact together.
	let wholeDigits = 0
	if (whole !== 0) {
		wholeDigits = 1
		while (size >= TENS[wholeDigits]!) wholeDigits++
	} else if (size < 0.01) {
		wholeDigits = -2
	} else if (size < 0.1) {
		wholeDigits = -1
	}
	const power = TENS[17 - wholeDigits]!
	const product = size * power
	const rest = productRest(size, power, product)
	if (product < 1e16 || product >= 1e17 - 100) return -1
	let upper = Math.floor(product / 1e8)
	const remainder = product - upper * 1e8 + rest
	let lower = Math.round(remainder)
	// Half of the distance to the next double, in units of the last of 17 digits. Below a power of two it would be another one.
	view.setFloat64(0, size)
	const top = view.getInt32(0)
	if ((top & 0xf_ffff) === 0 && view.getInt32(4) === 0) return -1
	view.setInt32(0, (top & 0x7ff0_0000) - (53 << 20))
	view.setInt32(4, 0)
	const half = view.getFloat64(0) * power
	if (Math.abs(Math.round(remainder / 100) * 100 - remainder) < half + NEAR) return -1
	const sixteen = Math.round(remainder / 10) * 10
	const off = Math.abs(sixteen - remainder)
	if (Math.abs(off - half) < NEAR || Math.abs(off - 5) < NEAR) return -1
	if (off < half) lower = sixteen
	if (Math.abs(remainder - Math.floor(remainder) - 0.5) < NEAR) return -1
	if (lower >= 1e8) {
		lower -= 1e8
		upper++
	}
	if (lower < 0) return -1
	// 17 digits, and the point after `wholeDigits` of them.
	if (wholeDigits <= 0) {
		q = writeText(out, q, wholeDigits === 0 ? '0.' : wholeDigits === -1 ? '0.0' : '0.00')
		return trimZeros(out, writeEight(out, writeUint32(out, q, upper), lower))
	}
	const end = writeEight(out, writeUint32(out, q + 1, upper), lower)
	for (let i = 0; i < wholeDigits; i++) out.setUint8(q + i, out.getUint8(q + i + 1))
	out.setUint8(q + wholeDigits, 46)
	return trimZeros(out, end)
}

/** The shortest text that reads back as the same float, read straight or by way of a double. */
export function writeFloat(out: DataView, q: number, value: number): number {
	const size = Math.abs(value)
	if (size < 16_777_216 && size >= 1e-4) {
		let p = q
		if (value < 0) out.setUint8(p++, 45)
		if (Math.floor(size) === size) return writeUint32(out, p, size)
		for (let scale = 1; scale <= 13; scale++) {
			const digits = Math.round(size * TENS[scale]!)
			if (isFloat(digits / TENS[scale]!, size)) return writeScaled(out, p, digits, scale)
		}
	} else if (size === 0 || size === Infinity || size !== size) {
		return writeSpecial(out, q, value)
	}
	for (let precision = 1; precision < 9; precision++) {
		const number = Number(value.toPrecision(precision))
		if (isFloat(number, value)) return writeText(out, q, String(number))
	}
	return writeText(out, q, String(Number(value.toPrecision(9))))
}

/** True when a decimal whose nearest double is `decimal` reads as `value`, and no rounding on the way can make it a neighbour. */
function isFloat(decimal: number, value: number): boolean {
	return (
		Math.fround(decimal) === value &&
		Math.fround(decimal * EPSILON_UP) === value &&
		Math.fround(decimal * EPSILON_DOWN) === value
	)
}
