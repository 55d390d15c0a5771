import { createHash, hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { IncomingHttpHeaders } from 'node:http'
import { S3Error } from './errors.ts'

function tableOf64(polynomial: bigint): BigUint64Array {
	return BigUint64Array.from({ length: 256 }, (_, index) => {
		let value = BigInt(index)
		for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n
		return value
	})
}

const CRC64NVME = tableOf64(0x9a6c9329ac4bc9b5n)
const CRC32C = Uint32Array.from({ length: 256 }, (_, index) => {
	let value = index
	for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
	return value
})

function crc64nvme(bytes: Uint8Array): Buffer {
	let value = 0xffffffffffffffffn
	for (const byte of bytes) value = CRC64NVME[Number((value ^ BigInt(byte)) & 0xffn)]! ^ (value >> 8n)
	const out = Buffer.alloc(8)
	out.writeBigUInt64BE(value ^ 0xffffffffffffffffn)
	return out
}

function crc32c(bytes: Uint8Array): Buffer {
	let value = 0xffffffff
	for (const byte of bytes) value = CRC32C[(value ^ byte) & 0xff]! ^ (value >>> 8)
	return uint32((value ^ 0xffffffff) >>> 0)
}

function uint32(value: number): Buffer {
	const out = Buffer.alloc(4)
	out.writeUInt32BE(value)
	return out
}

/** The flexible checksums, by the name of their header behind `x-amz-checksum-`. */
const ALGORITHMS: Record<string, (bytes: Uint8Array) => Buffer> = {
	crc32: (bytes) => uint32(crc32(bytes)),
	crc32c,
	crc64nvme,
	sha1: (bytes) => createHash('sha1').update(bytes).digest(),
	sha256: (bytes) => createHash('sha256').update(bytes).digest(),
}

export interface Checksum {
	/** Lower case, for example `crc32`. */
	readonly algorithm: string
	/** Base64. */
	readonly value: string
}

/** Base64 of a checksum. */
export function checksumOf(algorithm: string, bytes: Uint8Array): string {
	const compute = ALGORITHMS[algorithm]
	if (!compute)
		throw new S3Error('InvalidRequest', `The algorithm type you specified in x-amz-checksum- header is invalid.`)
	return compute(bytes).toString('base64')
}

/** The checksum of a multipart object out of those of its parts. */
export function checksumOfChecksums(algorithm: string, parts: readonly string[]): string {
	const all = Buffer.concat(parts.map((part) => Buffer.from(part, 'base64')))
	return `${checksumOf(algorithm, all)}-${parts.length}`
}

/** Base64 of the MD5. */
export function md5Of(bytes: Uint8Array): string {
	return hash('md5', bytes, 'base64')
}

/** The flexible checksum that headers (and trailers) give. Several at once are refused, as S3 does. */
export function givenChecksum(headers: Readonly<Record<string, unknown>>): Checksum | undefined {
	const given = Object.entries(headers).filter(
		([name]) => name.startsWith('x-amz-checksum-') && name.slice(15) in ALGORITHMS,
	)
	if (given.length > 1)
		throw new S3Error(
			'InvalidRequest',
			'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
		)
	const [[name, value] = []] = given
	return name === undefined ? undefined : { algorithm: name.slice(15), value: String(value) }
}

/** Throws when the bytes are not those of `Content-MD5` or of the flexible checksum, which it returns. */
export function verifyChecksums(
	bytes: Uint8Array,
	headers: IncomingHttpHeaders,
	trailers: Readonly<Record<string, string>>,
	isOld: boolean,
): Checksum | undefined {
	const md5 = headers['content-md5']
	if (md5 !== undefined) {
		if (Buffer.from(String(md5), 'base64').length !== 16) throw new S3Error('InvalidDigest')
		if (md5 !== md5Of(bytes))
			throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.')
	}
	if (isOld) return undefined
	const given = givenChecksum({ ...headers, ...trailers })
	if (!given) return undefined
	if (given.value !== checksumOf(given.algorithm, bytes))
		throw new S3Error(
			'BadDigest',
			`The ${given.algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
		)
	return given
}
