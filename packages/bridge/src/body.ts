import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { crc32 } from 'node:zlib'
import { decodeChunked } from './aws-chunked.ts'
import { S3Error } from './s3-error.ts'

/** A body that was read to its end, and is what its sender says. */
export interface Body {
	readonly chunks: readonly Buffer[]
	readonly size: number
	/** Lower-case hex. */
	readonly sha256: string
}

const CHUNKED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
const UNSIGNED = 'UNSIGNED-PAYLOAD'

/** How many bytes a body will have. Errors: `MissingContentLength`, `NotImplemented` for framings that sign each chunk. */
export function sizeOf({ headers }: IncomingMessage, payload: string): number {
	if (payload.startsWith('STREAMING-') && payload !== CHUNKED) {
		throw new S3Error('NotImplemented', 'bodies whose chunks are signed one by one are not taken')
	}
	const said = payload === CHUNKED ? headers['x-amz-decoded-content-length'] : headers['content-length']
	const size = typeof said === 'string' && /^\d{1,15}$/u.test(said) ? Number(said) : undefined
	if (size === undefined) throw new S3Error('MissingContentLength', 'the length of the body must be said before it')
	return size
}

/**
 * Reads a body whole and compares it with all that its sender says of it: length, SHA-256 under the signature, MD5, CRC-32. Errors:
 * {@link S3Error}; nothing of a body with an error may be used.
 */
export async function readBody(request: IncomingMessage, payload: string, size: number): Promise<Body> {
	const { headers } = request
	const trailers = new Map<string, string>()
	const isChunked = payload === CHUNKED
	const sentMd5 = headers['content-md5']
	const sha256 = createHash('sha256')
	const md5 = typeof sentMd5 === 'string' ? createHash('md5') : undefined
	const wantsCrc = isChunked || headers['x-amz-checksum-crc32'] !== undefined
	const chunks: Buffer[] = []
	let length = 0
	let crc = 0
	const bytes = isChunked ? decodeChunked(request, trailers) : (request as AsyncIterable<Buffer>)
	try {
		for await (const chunk of bytes) {
			length += chunk.length
			if (length > size) throw new S3Error('InvalidRequest', 'the body is longer than it says')
			chunks.push(chunk)
			sha256.update(chunk)
			md5?.update(chunk)
			if (wantsCrc) crc = crc32(chunk, crc)
		}
	} catch (error) {
		if (error instanceof S3Error) throw error
		throw new S3Error('IncompleteBody', 'the connection broke within the body', { cause: error })
	}
	if (length < size) throw new S3Error('IncompleteBody', 'the body is shorter than it says')
	const hex = sha256.digest('hex')
	if (!isChunked && payload !== UNSIGNED && payload !== hex) {
		throw new S3Error('XAmzContentSHA256Mismatch', 'the body is not the one that was signed')
	}
	if (md5 !== undefined && md5.digest('base64') !== sentMd5) throw new S3Error('BadDigest', 'the MD5 is another one')
	const sentCrc = trailers.get('x-amz-checksum-crc32') ?? headers['x-amz-checksum-crc32']
	if (sentCrc !== undefined) {
		const found = Buffer.alloc(4)
		found.writeUInt32BE(crc)
		if (found.toString('base64') !== sentCrc) throw new S3Error('BadDigest', 'the CRC-32 is another one')
	}
	return { chunks, size, sha256: hex }
}
