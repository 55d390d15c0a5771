const BILLION = 1_000_000_000
const POWERS = Float64Array.from({ length: 16 }, (_, exponent) => Number(`1e${exponent}`))

/** The two digits of each number below 100, as one little-endian word. */
export const PAIRS: Uint16Array = Uint16Array.from(
	{ length: 100 },
	(_, value) => (48 + Math.floor(value / 10)) | ((48 + (value % 10)) << 8),
)

/*
 * Each function writes at `q` of `out` and returns the position behind. `out` must have room for the longest text.
 */

/** An integer from 0 to 2^32 - 1. */
export function writeUint32(out: DataView, q: number, value: number): number {
	if (value < 10) {
		out.setUint8(q, 48 + value)
		return q + 1
	}
	if (value < 10_000) {
		if (value < 100) {
			out.setUint16(q, PAIRS[value]!, true)
			return q + 2
		}
		const upper = (value / 100) | 0
		if (value < 1000) {
			out.setUint8(q, 48 + upper)
			out.setUint16(q + 1, PAIRS[value - upper * 100]!, true)
			return q + 3
		}
		out.setUint16(q, PAIRS[upper]!, true)
		out.setUint16(q + 2, PAIRS[value - upper * 100]!, true)
		return q + 4
	}
	if (value < 100_000_000) {
		const upper = (value / 10_000) | 0
		return writeFour(out, writeUint32(out, q, upper), value - upper * 10_000)
	}
	const upper = Math.floor(value / 100_000_000)
	return writeEight(out, writeUint32(out, q, upper), value - upper * 100_000_000)
}

function writeFour(out: DataView, q: number, value: number): number {
	const upper = (value / 100) | 0
	out.setInt32(q, PAIRS[upper]! | (PAIRS[value - upper * 100]! << 16), true)
	return q + 4
}

/** Exactly eight digits. */
export function writeEight(out: DataView, q: number, value: number): number {
	const upper = (value / 10_000) | 0
	return writeFour(out, writeFour(out, q, upper), value - upper * 10_000)
}

/** Exactly nine digits. */
export function writeNine(out: DataView, q: number, value: number): number {
	const first = (value / 100_000_000) | 0
	out.setUint8(q, 48 + first)
	return writeEight(out, q + 1, value - first * 100_000_000)
}

export function writeInt32(out: DataView, q: number, value: number): number {
	if (value >= 0) return writeUint32(out, q, value)
	out.setUint8(q, 45)
	return writeUint32(out, q + 1, -value)
}

/** An integer from 0 to 2^53 - 1. */
export function writeSafe(out: DataView, q: number, value: number): number {
	if (value < BILLION) return writeUint32(out, q, value)
	let high = Math.floor(value / BILLION)
	let low = value - high * BILLION
	if (low < 0) {
		high--
		low += BILLION
	}
	return writeNine(out, writeUint32(out, q, high), low)
}

/** The unsigned number high * 2^32 + low. */
export function writeHalves(out: DataView, q: number, high: number, low: number): number {
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
	return writeNine(out, writeSafe(out, q, (a * 65_536 + b) * 65_536 + c), rest)
}

export function writeInt64(out: DataView, q: number, high: number, low: number): number {
	if (high >= 0) return writeHalves(out, q, high, low)
	out.setUint8(q, 45)
	low = -low >>> 0
	high = (low === 0 ? -high : ~high) >>> 0
	return writeHalves(out, q + 1, high, low)
}

/** value / 10^scale, for a value from 0 to 2^53 - 1 and a scale up to 15, without zeros at the end of the fraction. */
export function writeScaled(out: DataView, q: number, value: number, scale: number): number {
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
	out.setUint8(q++, 46)
	if (scale <= 8) return trimZeros(out, writeEight(out, q, fraction * POWERS[8 - scale]!))
	// As sixteen digits of which the last ones fall away: with the zeros, and as many that the scale does not have.
	fraction *= POWERS[15 - scale]!
	const upper = Math.floor(fraction / 10_000_000)
	const end = writeEight(out, writeEight(out, q, upper), (fraction - upper * 10_000_000) * 10)
	return trimZeros(out, end)
}

/** The end of the text without the zeros before it. */
export function trimZeros(out: DataView, q: number): number {
	while (out.getUint8(q - 1) === 48) q--
	return q
}
