const BILLION = 1_000_000_000
const POWERS = Float64Array.from({ length: 16 }, (_, exponent) => Number(`1e${exponent}`))

/** Each function writes at `q` and returns the position behind. `out` must have room for the longest text. */
export function writeUint32(out: Uint8Array, q: number, value: number): number {
	if (value < 10) {
		out[q] = 48 + value
		return q + 1
	}
	let length: number
	if (value < 10_000) length = value < 100 ? 2 : value < 1000 ? 3 : 4
	else if (value < 10_000_000) length = value < 100_000 ? 5 : value < 1_000_000 ? 6 : 7
	else length = value < 100_000_000 ? 8 : value < BILLION ? 9 : 10
	let p = q + length
	const end = p
	if (value >= BILLION) {
		// Above 2^31 integer division is no machine instruction of small integers: take one digit off first.
		const rest = Math.floor(value / 10)
		out[--p] = 48 + (value - rest * 10)
		value = rest
	}
	value |= 0
	while (value > 9) {
		const rest = (value / 10) | 0
		out[--p] = 48 + (value - rest * 10)
		value = rest
	}
	out[--p] = 48 + value
	return end
}

export function writeInt32(out: Uint8Array, q: number, value: number): number {
	if (value >= 0) return writeUint32(out, q, value)
	out[q] = 45
	return writeUint32(out, q + 1, -value)
}

/** Exactly `width` digits, at most nine. */
function writePadded(out: Uint8Array, q: number, value: number, width: number): number {
	value |= 0
	for (let p = q + width - 1; p >= q; p--) {
		const rest = (value / 10) | 0
		out[p] = 48 + (value - rest * 10)
		value = rest
	}
	return q + width
}

/** An integer from 0 to 2^53 - 1. */
export function writeSafe(out: Uint8Array, q: number, value: number): number {
	if (value < BILLION) return writeUint32(out, q, value)
	let high = Math.floor(value / BILLION)
	let low = value - high * BILLION
	if (low < 0) {
		high--
		low += BILLION
	}
	return writePadded(out, writeUint32(out, q, high), low, 9)
}

/** The unsigned number high * 2^32 + low. */
export function writeHalves(out: Uint8Array, q: number, high: number, low: number): number {
	if (high === 0) return writeUint32(out, q, low)
	if (high < 0x200000) return writeSafe(out, q, high * 0x1_0000_0000 + low)
	// Long division by 10^9 in digits of 16 bits: each step stays below 2^53.
	const a = Math.floor(high / BILLION)
	let rest = high - a * BILLION
	let step = rest * 65_536 + (low >>> 16)
	const b = Math.floor(step / BILLION)
	rest = step - b * BILLION
	step = rest * 65_536 + (low & 0xffff)
	const c = Math.floor(step / BILLION)
	rest = step - c * BILLION
	// a < 5, b and c < 65536: the quotient is below 2^64 / 10^9 < 2^35.
	return writePadded(out, writeSafe(out, q, (a * 65_536 + b) * 65_536 + c), rest, 9)
}

export function writeInt64(out: Uint8Array, q: number, high: number, low: number): number {
	if (high >= 0) return writeHalves(out, q, high, low)
	out[q] = 45
	low = -low >>> 0
	high = (low === 0 ? -high : ~high) >>> 0
	return writeHalves(out, q + 1, high, low)
}

/** value / 10^scale, for a value from 0 to 2^53 - 1 and a scale up to 15, without zeros at the end of the fraction. */
export function writeScaled(out: Uint8Array, q: number, value: number, scale: number): number {
	if (scale === 0) return writeSafe(out, q, value)
	const power = POWERS[scale]!
	let whole = Math.floor(value / power)
	let fraction = value - whole * power
	if (fraction < 0) {
		whole--
		fraction += power
	}
	q = writeSafe(out, q, whole)
	if (fraction === 0) return q
	out[q++] = 46
	if (scale > 9) {
		const upper = Math.floor(fraction / BILLION)
		q = writePadded(out, q, upper, scale - 9)
		fraction -= upper * BILLION
		scale = 9
	}
	q = writePadded(out, q, fraction, scale)
	while (out[q - 1] === 48) q--
	return q
}
