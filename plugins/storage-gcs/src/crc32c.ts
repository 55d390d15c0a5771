import { endianness } from 'node:os'

/** Eight tables for eight bytes at a time ("slicing by 8"), of the reversed Castagnoli polynomial. */
const TABLES = new Int32Array(8 * 256)
for (let byte = 0; byte < 256; byte++) {
	let value = byte
	for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
	TABLES[byte] = value
}
for (let slice = 1; slice < 8; slice++)
	for (let byte = 0; byte < 256; byte++) {
		const before = TABLES[(slice - 1) * 256 + byte]!
		TABLES[slice * 256 + byte] = (before >>> 8) ^ TABLES[before & 255]!
	}

const READS_WORDS = endianness() === 'LE'

/** Continues a CRC-32C (RFC 3720, B.4) over more bytes; the first call takes 0. */
export function crc32c(before: number, bytes: Uint8Array): number {
	const { length, buffer, byteOffset } = bytes
	const T = TABLES
	let value = ~before
	let at = 0
	if (READS_WORDS && length >= 16) {
		for (; ((byteOffset + at) & 3) !== 0 && at < length; at++) value = T[(value ^ bytes[at]!) & 255]! ^ (value >>> 8)
		const words = new Int32Array(buffer, byteOffset + at, ((length - at) >>> 3) * 2)
		for (let word = 0; word < words.length; word += 2) {
			const a = value ^ words[word]!
			const b = words[word + 1]!
			value =
				T[1792 + (a & 255)]! ^
				T[1536 + ((a >>> 8) & 255)]! ^
				T[1280 + ((a >>> 16) & 255)]! ^
				T[1024 + (a >>> 24)]! ^
				T[768 + (b & 255)]! ^
				T[512 + ((b >>> 8) & 255)]! ^
				T[256 + ((b >>> 16) & 255)]! ^
				T[b >>> 24]!
		}
		at += words.length * 4
	}
	for (; at < length; at++) value = T[(value ^ bytes[at]!) & 255]! ^ (value >>> 8)
	return ~value >>> 0
}

/** As the service writes it: big-endian, base64. */
export function crc32cText(value: number): string {
	const bytes = Buffer.alloc(4)
	bytes.writeUInt32BE(value)
	return bytes.toString('base64')
}
