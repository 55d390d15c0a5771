import { createHash } from 'node:crypto'

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let value = byte
	for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
	return value
})

/** CRC-32C, byte by byte: slow, and written apart from the driver's own on purpose. */
export function crc32c(pieces: Iterable<Uint8Array>): string {
	let value = 0xffffffff
	for (const bytes of pieces) for (const byte of bytes) value = (value >>> 8) ^ TABLE[(value ^ byte) & 255]!
	const out = Buffer.alloc(4)
	out.writeUInt32BE(~value >>> 0)
	return out.toString('base64')
}

export function md5(pieces: Iterable<Uint8Array>): string {
	const hash = createHash('md5')
	for (const bytes of pieces) hash.update(bytes)
	return hash.digest('base64')
}
