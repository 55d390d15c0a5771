import { printDecimal } from '@ydbackup/rows'
import { writeHalves, writeScaled } from './write-integer.ts'

const LARGEST = 10n ** 35n + 1n
const HEX = Uint8Array.from('0123456789abcdef', (char) => char.charCodeAt(0))

/** Room for the digits of a 64-bit number. */
const digits = new Uint8Array(24)

/**
 * A Decimal of four 32-bit words, lowest first. Returns -1 for a number that no Decimal holds.
 * Without BigInt as long as the unscaled number fits 64 bits: that is nearly every amount of money.
 */
export function writeDecimal(
	out: Uint8Array,
	q: number,
	w0: number,
	w1: number,
	w2: number,
	w3: number,
	scale: number,
): number {
	if (w3 === 0 && w2 === 0) return writeShort(out, q, w1, w0, scale)
	if (w3 === 0xffff_ffff && w2 === 0xffff_ffff && (w1 | w0) !== 0) {
		out[q] = 45
		const low = -w0 >>> 0
		return writeShort(out, q + 1, (low === 0 ? -w1 : ~w1) >>> 0, low, scale)
	}
	const value = (BigInt.asIntN(64, (BigInt(w3) << 32n) | BigInt(w2)) << 64n) | ((BigInt(w1) << 32n) | BigInt(w0))
	if (value > LARGEST || value < -LARGEST) return -1
	const text = value === -LARGEST ? 'nan' : printDecimal(value, scale)
	for (let i = 0; i < text.length; i++) out[q + i] = text.charCodeAt(i)
	return q + text.length
}

function writeShort(out: Uint8Array, q: number, high: number, low: number, scale: number): number {
	if (high < 0x200000 && scale < 16) return writeScaled(out, q, high * 0x1_0000_0000 + low, scale)
	const length = writeHalves(digits, 0, high, low)
	const whole = length - scale
	if (whole <= 0) out[q++] = 48
	for (let i = 0; i < whole; i++) out[q++] = digits[i]!
	if (scale === 0) return q
	const point = q
	out[q++] = 46
	for (let i = whole; i < 0; i++) out[q++] = 48
	for (let i = Math.max(whole, 0); i < length; i++) out[q++] = digits[i]!
	while (out[q - 1] === 48) q--
	return q - 1 === point ? point : q
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
