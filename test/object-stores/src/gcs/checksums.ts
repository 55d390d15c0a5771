import { createHash } from 'node:crypto'

/** The polynomial division of sixteen bits at once. */
const TABLE = Int32Array.from({ length: 65_536 }, (_, word) => {
	let value = word
	for (let bit = 0; bit < 16; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
	return value
})

function continued(before: number, bytes: Uint8Array): number {
	let value = before
	const even = bytes.length & ~1
	for (let at = 0; at < even; at += 2)
		value = (value >>> 16) ^ TABLE[(value ^ (bytes[at]! | (bytes[at + 1]! << 8))) & 0xffff]!
	if (even === bytes.length) return value
	value ^= bytes[even]!
	for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
	return value
}

/** CRC-32C as the service writes it; made apart from the driver's own on purpose. */
export function crc32c(pieces: Iterable<Uint8Array>): string {
	let value = -1
	for (const bytes of pieces) value = continued(value, bytes)
	const out = Buffer.alloc(4)
	out.writeUInt32BE(~value >>> 0)
	return out.toString('base64')
}

export function md5(pieces: Iterable<Uint8Array>): string {
	const hash = createHash('md5')
	for (const bytes of pieces) hash.update(bytes)
	return hash.digest('base64')
}
