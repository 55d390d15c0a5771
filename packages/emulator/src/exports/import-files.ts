import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createZstdDecompress } from 'node:zlib'
import { combinedIv, decryptFile, FILE, FileDecryptor } from './encryption.ts'
import {
	digestOf,
	type MappedObject,
	MAPPING_FILE,
	MAPPING_KIND,
	MAPPING_METADATA,
	normalExportPrefix,
	parseMapping,
	ROOT_FILE,
	ROOT_KIND,
	type RootMetadata,
	sha256,
	SHA256_SUFFIX,
} from './layout.ts'
import { parseText } from './text-parse.ts'
import { persistently, type Persistence } from './retries.ts'
import { type S3Client, StoreError, type StoredObject } from './s3-client.ts'

/** Bytes of one read. Source: ReadBatchSize of datashard_config.proto. */
const READ_BYTES = 8_388_608
/** Longest line, and longest frame. Source: RestoreReadBufferSizeLimit. */
const BUFFER_BYTES = 268_435_456
const LF = 10

/** How files of an export are read. */
export interface Reading {
	readonly client: S3Client
	readonly persistence: Persistence
	readonly key: Uint8Array | undefined
	/** Before each part. */
	readonly onPart: () => Promise<void>
}

export class ImportError extends Error {
	override readonly name = 'ImportError'
}

const suffixOf = ({ key }: Reading): string => (key ? '.enc' : '')

/** Whether a file is there, in the form of the import. */
export function findFile(reading: Reading, key: string): Promise<StoredObject | undefined> {
	const { client, persistence } = reading
	return persistently(() => client.head(key + suffixOf(reading), persistence.signal), persistence)
}

async function readAll(reading: Reading, key: string): Promise<Buffer | undefined> {
	const { client, persistence } = reading
	const { signal } = persistence
	return persistently(async () => {
		const found = await client.head(key, signal)
		if (!found) return undefined
		// The server asks for a range that an empty file does not have.
		return (await client.get(key, 0, found.size - 1, signal)).bytes
	}, persistence)
}

/** A small file, checked against its checksum when that is wanted. Undefined when it is not there. */
export async function readText(
	reading: Reading,
	key: string,
	wanted: { readonly iv?: Buffer | undefined; readonly isChecked: boolean; readonly inClear?: boolean },
): Promise<{ readonly text: string; readonly iv: Buffer | undefined } | undefined> {
	const isClear = wanted.inClear || !reading.key
	const stored = await readAll(reading, isClear ? key : `${key}.enc`)
	if (!stored) return undefined
	const { text, iv } = isClear ? { text: stored, iv: undefined } : decryptFile(stored, reading.key!, wanted.iv)
	if (wanted.isChecked) await check(reading, key, sha256(text))
	return { text: text.toString(), iv }
}

async function check(reading: Reading, key: string, got: string): Promise<void> {
	const sums = await readAll(reading, key + SHA256_SUFFIX)
	if (!sums) throw new ImportError(`S3 error: cannot find checksum ${key}${SHA256_SUFFIX}`)
	const expected = digestOf(sums.toString())
	if (expected !== got) throw new ImportError(`Checksum mismatch for ${key} expected# ${expected}, got# ${got}`)
}

/** The plain bytes of a file piece by piece: stored bytes, decrypted blocks, or decompressed frames. */
async function* storedPieces(reading: Reading, key: string, { size, etag }: StoredObject): AsyncGenerator<Buffer> {
	const { client, persistence } = reading
	for (let at = 0; at < size; at += READ_BYTES) {
		await reading.onPart()
		const to = Math.min(at + READ_BYTES, size) - 1
		const part = await persistently(() => client.get(key, at, to, persistence.signal), {
			...persistence,
			isSpread: true,
		})
		if (part.etag !== etag) throw new ImportError(`S3 error: ${key} was changed meanwhile`)
		yield part.bytes
	}
}

async function* opened(pieces: AsyncIterable<Buffer>, key: Uint8Array, iv: Buffer | undefined): AsyncGenerator<Buffer> {
	const decryptor = new FileDecryptor(key, iv)
	for await (const piece of pieces) yield* decryptor.add(piece)
	decryptor.end()
}

const MAGIC = 0xfd2fb528

/**
 * Frames of zstd, each decompressed and checked to end at the end of a line. Where a frame ends is seen in its bytes: the headers of its
 * blocks tell their lengths. Source: RFC 8878.
 */
export function frameEnd(bytes: Buffer): number | undefined {
	if (bytes.length < 6) return undefined
	if (bytes.readUInt32LE() !== MAGIC) throw new ImportError('zstd: Unknown frame descriptor')
	const descriptor = bytes[4]!
	const isSingle = (descriptor & 0x20) !== 0
	const dictionary = [0, 1, 2, 4][descriptor & 3]!
	const content = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!
	let at = 5 + (isSingle ? 0 : 1) + dictionary + content
	for (;;) {
		if (at + 3 > bytes.length) return undefined
		const header = bytes.readUIntLE(at, 3)
		const kind = (header >> 1) & 3
		if (kind === 3) throw new ImportError('zstd: Corrupted block detected')
		at += 3 + (kind === 1 ? 1 : header >> 3)
		if ((header & 1) === 0) continue
		at += (descriptor & 4) === 0 ? 0 : 4
		return at <= bytes.length ? at : undefined
	}
}

async function* inflated(frame: Buffer): AsyncGenerator<Buffer> {
	const stream = createZstdDecompress()
	stream.end(frame)
	let size = 0
	try {
		for await (const piece of stream as AsyncIterable<Buffer>) {
			size += piece.length
			yield piece
		}
	} catch (error) {
		throw new ImportError(`zstd: ${error instanceof Error ? error.message : String(error)}`)
	}
	if (size === 0) await once(stream, 'close').catch(() => {})
}

async function* decompressed(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let rest: Buffer = Buffer.alloc(0)
	for await (const piece of pieces) {
		rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
		for (let end = frameEnd(rest); end !== undefined; end = frameEnd(rest)) {
			let last = LF
			for await (const plain of inflated(rest.subarray(0, end))) {
				last = plain.at(-1)!
				yield plain
			}
			if (last !== LF) throw new ImportError('cannot find new line symbol')
			rest = rest.subarray(end)
		}
		if (rest.length > BUFFER_BYTES) throw new ImportError('reached read buffer size limit')
	}
	if (rest.length > 0) throw new ImportError('reached end of file')
}

/** The lines of a data file without their ends, batch by batch; then its checksum is compared. Throws {@link ImportError}. */
export async function* readLines(
	reading: Reading,
	prefix: string,
	iv: Buffer | undefined,
	isChecked: boolean,
): AsyncGenerator<Buffer[]> {
	const suffix = suffixOf(reading)
	let found: StoredObject | undefined
	let name = ''
	for (const form of ['.csv', '.csv.zst']) {
		name = prefix + form
		found = await findFile(reading, name)
		if (found) break
	}
	if (!found) throw new ImportError(`Cannot find any supported data file: prefix# ${prefix}`)
	const stored = storedPieces(reading, name + suffix, found)
	const plain = reading.key ? opened(stored, reading.key, iv) : stored
	const hash = createHash('sha256')
	let rest: Buffer = Buffer.alloc(0)
	for await (const piece of name.endsWith('.zst') ? decompressed(plain) : plain) {
		hash.update(piece)
		const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
		const lines: Buffer[] = []
		let start = 0
		for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
			if (end > start) lines.push(bytes.subarray(start, end))
			start = end + 1
		}
		rest = bytes.subarray(start)
		if (rest.length > BUFFER_BYTES) throw new ImportError('reached read buffer size limit')
		if (lines.length > 0) yield lines
	}
	if (rest.length > 0) throw new ImportError('reached end of file')
	if (isChecked) await check(reading, `${prefix}.csv`, hash.digest('hex'))
}

/** A message of an export's file. Throws {@link ImportError}. */
export function parse<D extends DescMessage>(schema: D, text: string, what: string): MessageShape<D> {
	try {
		return parseText(schema, text)
	} catch (error) {
		throw new ImportError(`cannot parse ${what}: ${error instanceof Error ? error.message : String(error)}`)
	}
}

export function storeFailure(error: unknown): string {
	if (error instanceof StoreError) return `S3 error: ${error.code}: ${error.message}`
	return error instanceof Error ? error.message : String(error)
}

/** The mapping of an export with a common prefix, checked. Throws {@link ImportError} with the server's texts. */
export async function readMapping(reading: Reading, sourcePrefix: string): Promise<MappedObject[] | undefined> {
	const prefix = normalExportPrefix(sourcePrefix)
	const root = await readText(reading, `${prefix}/${ROOT_FILE}`, { isChecked: false, inClear: true })
	if (!root) return undefined
	let metadata: RootMetadata
	try {
		metadata = JSON.parse(root.text) as RootMetadata
	} catch {
		throw new ImportError('cannot parse metadata')
	}
	if (metadata.kind !== ROOT_KIND) throw new ImportError(`Unknown kind of metadata json: ${metadata.kind}`)
	const { checksum } = metadata
	if (checksum !== undefined && checksum !== 'sha256') throw new ImportError(`Unknown checksum: ${checksum}`)
	const isChecked = checksum !== undefined
	if (isChecked) await readText(reading, `${prefix}/${ROOT_FILE}`, { isChecked, inClear: true })
	const kind = await readText(reading, `${prefix}/${MAPPING_METADATA}`, { isChecked })
	if (!kind) throw new ImportError(`cannot get schema mapping: ${prefix}/${MAPPING_METADATA} is not there`)
	if ((JSON.parse(kind.text) as { kind?: string }).kind !== MAPPING_KIND)
		throw new ImportError('cannot get schema mapping: unknown kind of metadata json')
	const iv = kind.iv && combinedIv(kind.iv, FILE.mapping)
	const mapping = await readText(reading, `${prefix}/${MAPPING_FILE}`, { isChecked, iv })
	if (!mapping) throw new ImportError(`cannot get schema mapping: ${prefix}/${MAPPING_FILE} is not there`)
	const objects = parseMapping(mapping.text)
	if (objects[0] && (objects[0].iv !== undefined) !== (reading.key !== undefined))
		throw new ImportError('incorrect schema mapping')
	return objects
}
