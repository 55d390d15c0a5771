import { writeSafe, writeScaled, writeUint32 } from './write-integer.ts'

const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
const EPSILON_UP = 1 + 2 ** -52
const EPSILON_DOWN = 1 - 2 ** -53

function writeText(out: Uint8Array, q: number, text: string): number {
	for (let i = 0; i < text.length; i++) out[q + i] = text.charCodeAt(i)
	return q + text.length
}

function writeSpecial(out: Uint8Array, q: number, value: number): number {
	if (Number.isNaN(value)) return writeText(out, q, 'nan')
	if (value === Infinity) return writeText(out, q, 'inf')
	if (value === -Infinity) return writeText(out, q, '-inf')
	return writeText(out, q, '-0')
}

/**
 * The shortest text that reads back as the same double. Short decimals, which most doubles in tables are, are found by
 * arithmetic: digits / 10^scale is rounded once and correctly, so when it is the value, that text is. The rest is left to JavaScript.
 */
export function writeDouble(out: Uint8Array, q: number, value: number): number {
	const size = Math.abs(value)
	if (size < 1e15 && size >= 1e-3) {
		let p = q
		if (value < 0) out[p++] = 45
		const whole = Math.floor(size)
		if (whole === size) return writeSafe(out, p, whole)
		for (let scale = 3; scale <= 9; scale += 3) {
			const power = POWERS[scale]!
			const digits = Math.round(size * power)
			if (digits >= 1e15) break
			if (digits / power === size) return writeScaled(out, p, digits, scale)
		}
	} else if (size === 0 || size === Infinity || size !== size) {
		if (Object.is(value, 0)) {
			out[q] = 48
			return q + 1
		}
		return writeSpecial(out, q, value)
	}
	return writeText(out, q, String(value))
}

/** The shortest text that reads back as the same float, read straight or by way of a double. */
export function writeFloat(out: Uint8Array, q: number, value: number): number {
	const size = Math.abs(value)
	if (size < 16_777_216 && size >= 1e-4) {
		let p = q
		if (value < 0) out[p++] = 45
		if (Math.floor(size) === size) return writeUint32(out, p, size)
		for (let scale = 1; scale <= 13; scale++) {
			const digits = Math.round(size * POWERS[scale]!)
			if (isFloat(digits / POWERS[scale]!, size)) return writeScaled(out, p, digits, scale)
		}
	} else if (size === 0 || size === Infinity || size !== size) {
		if (Object.is(value, 0)) {
			out[q] = 48
			return q + 1
		}
		return writeSpecial(out, q, value)
	}
	for (let precision = 1; precision < 9; precision++) {
		const text = value.toPrecision(precision)
		if (isFloat(Number(text), value)) return writeText(out, q, String(Number(text)))
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
