import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** How the store finds damage in the bodies that it is sent, besides the signature. */
export type Guard = 'crc32' | 'md5'

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
export function guarding(guard: Guard, bytes: Uint8Array): Readonly<Record<string, string>> {
	return guard === 'crc32' ? { ChecksumCRC32: crc32Of(bytes) } : { ContentMD5: hash('md5', bytes, 'base64') }
}
