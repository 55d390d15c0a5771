import {
	isBackupError,
	type KeyRange,
	type RowChunk,
	type Storage,
	type TableSchema,
	throwIfInterrupted,
} from '@ydbackup/core'
import { type Compression, createCsvParser, createSha256, decompress } from '@ydbackup/format'
import { createKeyComparator, isInRange, keyTypes, releaseBytes, RowHash, showKey } from '@ydbackup/rows'

import type { Unseal } from '../encryption/unseal.ts'
import type { PartMeter } from '../events/meter.ts'
import type { PartFile } from './contents.ts'
import { objectDamaged } from './damage.ts'
import { readObject } from './read-object.ts'

/** What is parsed at once. */
const SLICE = 256 << 10
/** Of one of many files. */
const SMALL_SLICE = 32 << 10
/** Room for one frame of ours, and for no second one. */
const SMALL_FRAME = 2 << 20

export interface ReadPartOptions {
	readonly storage: Storage
	/** A data file, as the manifest has it. Of other tools' files only what is known is compared. */
	readonly file: PartFile
	readonly schema: TableSchema
	/** The partition's keys: YDB's own import refuses rows outside of it. Undefined: rows of any key, in any order. */
	readonly range: KeyRange | undefined
	/** Of files that do not say their own. */
	readonly compression: Compression
	/** Called when all of it has been read and found right; not with {@link onlyStored}. */
	readonly onRead?: ((found: RowFacts) => void) | undefined
	/** Undefined for a file that is not encrypted. */
	readonly unseal: Unseal | undefined
	readonly meter: PartMeter
	/** For one of many files that are read side by side: it takes less memory, and nothing is made ahead. */
	readonly isOneOfMany?: boolean | undefined
	/** Compares what is stored with the manifest and leaves it at that: whoever reads compares the rows with it. Where it tells nothing of what is stored, all is compared. */
	readonly onlyStored?: boolean | undefined
	readonly signal: AbortSignal | undefined
}

export interface RowFacts {
	/** Of the bytes on storage. */
	readonly sha256: string
	/** Before compression. */
	readonly plainSha256: string
	readonly rows: number
	readonly rowHash: string
	/** Before compression. */
	readonly plainBytes: number
}

/**
 * The one way by which data files are read, for verify and restore alike: stored bytes counted and hashed, decrypted, decompressed, plain
 * bytes counted and hashed, parsed, rows counted and hashed. It ends without an error only when all of it is as the manifest
 * says; rows handed on before an error must not be trusted. Errors: `OBJECT_MISSING`, `OBJECT_DAMAGED` naming the key.
 */
export async function* readPart(options: ReadPartOptions): AsyncGenerator<RowChunk, void, undefined> {
	const { file, schema, meter } = options
	const stored = createSha256()
	const onlyStored = options.onlyStored === true && file.sha256 !== undefined
	const plain = onlyStored ? undefined : createSha256()
	const hash = onlyStored ? undefined : new RowHash(schema)
	const checkKeys = createKeyCheck(options)
	const compression = file.compression ?? options.compression
	const slice = options.isOneOfMany === true ? SMALL_SLICE : SLICE
	const limits = {
		...(file.plainSize !== undefined && { maxTotalBytes: file.plainSize }),
		...(options.isOneOfMany === true && { maxFrameBytes: SMALL_FRAME }),
	}
	let plainSize = 0
	let rows = 0

	async function* storedBytes(): AsyncGenerator<Uint8Array, void, undefined> {
		const { storage, signal } = options
		for await (const bytes of readObject({ storage, key: file.key, size: file.size, signal })) {
			stored.update(bytes)
			meter.add(0, 0, bytes.length)
			yield bytes
		}
	}

	const plainOf = (bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
		options.unseal?.decrypt({ ...file, role: 'data' }, bytes) ?? bytes

	function accept(chunks: readonly RowChunk[]): readonly RowChunk[] {
		for (const chunk of chunks) {
			checkKeys(chunk)
			hash?.add(chunk)
			rows += chunk.rows
			meter.add(chunk.rows, 0, 0)
		}
		return chunks
	}

	try {
		const parser = createCsvParser(schema, { file: file.key, chunkBytes: slice })
		for await (const csv of decompress(plainOf(storedBytes()), compression, limits)) {
			plain?.update(csv)
			plainSize += csv.length
			meter.add(0, csv.length, 0)
			for (let at = 0; at < csv.length; at += slice) yield* accept(parser.push(csv.subarray(at, at + slice)))
		}
		yield* accept(parser.end())
	} catch (error) {
		if (isBackupError(error, 'FORMAT_INVALID')) throw objectDamaged(file.key, error.message, error)
		throw error
	}

	const rowHash = hash?.digest()
	const sha256 = stored.hex()
	const plainSha256 = plain?.hex()
	const facts: (readonly [string, unknown, unknown])[] = [
		['SHA-256', sha256, file.sha256],
		['size before compression', plainSize, file.plainSize],
		['SHA-256 before compression', plainSha256, plainSha256 && file.plainSha256],
		['number of rows', rows, file.rows],
		['hash of rows', rowHash, rowHash && file.rowHash],
	]
	for (const [what, found, expected] of facts) {
		if (expected !== undefined && found !== expected)
			throw objectDamaged(file.key, `its ${what} is ${found}, and ${expected} was written`)
	}
	if (plainSha256 === undefined || rowHash === undefined) return
	options.onRead?.({ sha256, plainSha256, rows, rowHash, plainBytes: plainSize })
}

/** Reads a data file for its errors alone. */
export async function checkPart(options: ReadPartOptions): Promise<void> {
	for await (const { bytes } of readPart(options)) {
		throwIfInterrupted(options.signal, `reading ${options.file.key}`)
		releaseBytes(bytes)
	}
}

/** For a data file whose table's scheme cannot be read: whether at least its bytes are those that were written. */
export async function checkStoredBytes(
	options: Pick<ReadPartOptions, 'storage' | 'file' | 'meter' | 'signal'>,
): Promise<void> {
	const { storage, file, meter, signal } = options
	const stored = createSha256()
	for await (const bytes of readObject({ storage, key: file.key, size: file.size, signal })) {
		stored.update(bytes)
		meter.add(0, 0, bytes.length)
	}
	const found = stored.hex()
	if (file.sha256 !== undefined && found !== file.sha256)
		throw objectDamaged(file.key, `its SHA-256 is ${found}, and ${file.sha256} was written`)
}

function createKeyCheck({ file, schema, range }: ReadPartOptions): (chunk: RowChunk) => void {
	if (range === undefined) return () => undefined
	const types = keyTypes(schema)
	const compare = createKeyComparator(types)
	let last: Uint8Array | undefined
	return (chunk) => {
		for (const key of [chunk.firstKey, chunk.lastKey]) {
			if (isInRange(key, range, compare)) continue
			throw objectDamaged(file.key, `key ${showKey(key, types)} lies outside of its partition`)
		}
		if (last !== undefined && compare(last, chunk.firstKey) >= 0) {
			throw objectDamaged(file.key, `key ${showKey(chunk.firstKey, types)} follows ${showKey(last, types)}`)
		}
		last = chunk.lastKey
	}
}
