import { trimZeros, writeHalves, writeNine, writeScaled, writeUint32 } from './write-integer.ts'

/** The upper words of 10^35, which stands for inf; its lowest word is 0, and 1 makes it nan. */
const INFINITY_1 = 0x2b87_8fe8
const INFINITY_2 = 0x72c7_4d82
const INFINITY_3 = 0x13_4261

const HEX = Uint8Array.from('0123456789abcdef', (char) => char.charCodeAt(0))

/** Room for the digits of a number before its point is set. */
const digits = new DataView(new ArrayBuffer(64))
/** Digits of 16 bits, lowest first, and what they give in digits of nine decimals. */
const limbs = new Float64Array(8)
const nines = new Float64Array(5)

/**
 * A Decimal of four 32-bit words, lowest first, as YDB prints it: without zeros at the end of the fraction. Returns -1 for a number
 * that no Decimal holds.
 */
export function writeDecimal(
	out: DataView,
	q: number,
	w0: number,
	w1: number,
	w2: number,
	w3: number,
	scale: number,
): number {
	if (w3 >= 0x8000_0000) {
		out.setUint8(q++, 45)
		const zero0 = w0 === 0
		const zero1 = zero0 && w1 === 0
		const zero2 = zero1 && w2 === 0
		w0 = -w0 >>> 0
		w1 = (zero0 ? -w1 : ~w1) >>> 0
		w2 = (zero1 ? -w2 : ~w2) >>> 0
		w3 = (zero2 ? -w3 : ~w3) >>> 0
	}
	if (w3 === 0 && w2 === 0) {
		if (w1 < 0x200000 && scale < 16) return writeScaled(out, q, w1 * 0x1_0000_0000 + w0, scale)
		return placePoint(out, q, writeHalves(digits, 0, w1, w0), scale)
	}
	if (w3 >= INFINITY_3) {
		const order = w3 - INFINITY_3 || w2 - INFINITY_2 || w1 - INFINITY_1
		if (order > 0 || (order === 0 && w0 > 1)) return -1
		if (order === 0) return writeSpecial(out, q, w0 === 1)
	}
	limbs[0] = w0 & 0xffff
	limbs[1] = w0 >>> 16
	limbs[2] = w1 & 0xffff
	limbs[3] = w1 >>> 16
	limbs[4] = w2 & 0xffff
	limbs[5] = w2 >>> 16
	limbs[6] = w3 & 0xffff
	limbs[7] = w3 >>> 16
	return placePoint(out, q, writeLimbs(), scale)
}

function writeSpecial(out: DataView, q: number, isNan: boolean): number {
	// Not a number has no sign.
	if (isNan && q > 0 && out.getUint8(q - 1) === 45) q--
	const text = isNan ? 'nan' : 'inf'
	for (let i = 0; i < 3; i++) out.setUint8(q + i, text.charCodeAt(i))
	return q + 3
}

/** Writes {@link limbs} to {@link digits} by dividing by 10^9 until nothing is left; returns how many digits there are. */
function writeLimbs(): number {
	let count = 0
	let top = 7
	while (top >= 0 && limbs[top] === 0) top--
	while (top >= 0) {
		let rest = 0
		for (let i = top; i >= 0; i--) {
			const step = rest * 65_536 + limbs[i]!
			const quotient = Math.floor(step / 1e9)
			limbs[i] = quotient
			rest = step - quotient * 1e9
		}
		nines[count++] = rest
		while (top >= 0 && limbs[top] === 0) top--
	}
	let q = writeUint32(digits, 0, nines[--count]!)
	while (count > 0) q = writeNine(digits, q, nines[--count]!)
	return q
}

/** The first `length` of {@link digits} with a point before the last `scale` of them. */
function placePoint(out: DataView, q: number, length: number, scale: number): number {
	const whole = length - scale
	if (whole <= 0) out.setUint8(q++, 48)
	for (let i = 0; i < whole; i++) out.setUint8(q++, digits.getUint8(i))
	if (scale === 0) return q
	const point = q
	out.setUint8(q++, 46)
	for (let i = whole; i < 0; i++) out.setUint8(q++, 48)
	for (let i = Math.max(whole, 0); i < length; i++) out.setUint8(q++, digits.getUint8(i))
	q = trimZeros(out, q)
	return q === point + 1 ? point : q
}

/** Sixteen stored bytes (eight at `low`, eight at `high`) as canonical text: 36 bytes. The first three groups are little-endian. */
export function writeUuid(out: Uint8Array, q: number, b: Uint8Array, low: number, high: number): number {
	q = writeByte(out, writeByte(out, writeByte(out, writeByte(out, q, b[low + 3]!), b[low + 2]!), b[low + 1]!), b[low]!)
	out[q++] = 45
	q = writeByte(out, writeByte(out, q, b[low + 5]!), b[low + 4]!)
	out[q++] = 45
	q = writeByte(out, writeByte(out, q, b[low + 7]!), b[low + 6]!)
	out[q++] = 45
	q = writeByte(out, writeByte(out, q, b[high]!), b[high + 1]!)
	out[q++] = 45
	for (let i = 2; i < 8; i++) q = writeByte(out, q, b[high + i]!)
	return q
}

function writeByte(out: Uint8Array, q: number, byte: number): number {
	out[q] = HEX[byte >>> 4]!
	out[q + 1] = HEX[byte & 15]!
	return q + 2
}
