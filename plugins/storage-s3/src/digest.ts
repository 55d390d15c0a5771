import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * How the store finds damage in the bodies that it is sent: by a CRC-32, which it keeps and gives back; by the hash in the
 * signature alone, where it checks that; by their MD5, which nearly all do.
 */
export type Guard = 'crc32' | 'signature' | 'md5'

/** Base64 of the CRC-32 of bytes, as S3 writes it. */
export function crc32Of(bytes: Uint8Array): string {
	return crc32Text(crc32(bytes))
}

/** Base64 of a CRC-32, as S3 writes it. */
export function crc32Text(value: number): string {
	const out = Buffer.alloc(4)
	out.writeUInt32BE(value)
	return out.toString('base64')
}

/** The parameters of a request that let the store check its body. */
export function guarding(guard: Guard, bytes: Uint8Array): { ChecksumCRC32?: string; ContentMD5?: string } {
	if (guard === 'crc32') return { ChecksumCRC32: crc32Of(bytes) }
	return guard === 'md5' ? { ContentMD5: hash('md5', bytes, 'base64') } : {}
}
