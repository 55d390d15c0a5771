import type { RowChunk, TableSchema } from '@ydbackup/core'
import { type Compression, compressFrame, createCsvEncoder, createSha256, type FileEncryptor } from '@ydbackup/format'
import { releaseBytes, RowHash } from '@ydbackup/rows'

import type { PartMeter } from '../events/meter.ts'
import { ahead } from '../flow/ahead.ts'

/** What is known of a data file when all of it has been made. */
export interface PartFacts {
	readonly rows: number
	readonly rowHash: string
	/** Of the CSV before compression. */
	readonly plainSize: number
	readonly plainSha256: string
	/** Of the bytes on storage. */
	readonly size: number
	readonly sha256: string
}

export interface EncodePartOptions {
	readonly schema: TableSchema
	readonly compression: Compression
	readonly encryptor?: FileEncryptor | undefined
	readonly meter: PartMeter
	/** Called once, when the last byte was taken. */
	readonly onComplete: (facts: PartFacts) => void
}

/** Frames that may be compressed at once for one part: about as many MiB of memory, twice. */
const FRAMES_AHEAD = 3

/** Makes a data file of rows: CSV frames, hashed, each compressed and encrypted by itself, hashed again. The same rows give the same bytes. */
export async function* encodePart(
	rows: AsyncIterable<RowChunk>,
	options: EncodePartOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
	const { schema, compression, encryptor, meter } = options
	const hash = new RowHash(schema)
	const plain = createSha256()
	// Without compression and encryption what is stored is what was hashed before.
	const stored = compression === 'none' && encryptor === undefined ? undefined : createSha256()
	let plainSize = 0
	let size = 0

	function pass(frame: Uint8Array): Uint8Array {
		plain.update(frame)
		plainSize += frame.length
		meter.add(0, frame.length, 0)
		return frame
	}

	async function* frames(): AsyncGenerator<Uint8Array, void, undefined> {
		const encoder = createCsvEncoder(schema)
		for await (const chunk of rows) {
			hash.add(chunk)
			for (const frame of encoder.push(chunk)) yield pass(frame)
			meter.add(chunk.rows, 0, 0)
			releaseBytes(chunk.bytes)
		}
		const rest = encoder.end()
		if (rest !== undefined && rest.length > 0) yield pass(rest)
	}

	async function compressed(frame: Uint8Array): Promise<Uint8Array> {
		const bytes = await compressFrame(frame, compression, { checksum: encryptor === undefined })
		if (bytes !== frame) releaseBytes(frame)
		return bytes
	}

	function passStored(piece: Uint8Array): Uint8Array {
		stored?.update(piece)
		size += piece.length
		meter.add(0, 0, piece.length)
		return piece
	}

	const sealed = encryptor?.begin()
	for await (const block of ahead(frames(), FRAMES_AHEAD, compressed)) {
		const pieces = sealed?.block(block) ?? [block]
		if (sealed !== undefined) releaseBytes(block)
		for (const piece of pieces) {
			yield passStored(piece)
			// Whoever takes a piece has written or copied it when the next one is asked for.
			releaseBytes(piece)
		}
	}
	if (sealed !== undefined) yield passStored(sealed.end())
	const plainSha256 = plain.hex()
	options.onComplete({
		rows: hash.rows,
		rowHash: hash.digest(),
		plainSize,
		plainSha256,
		size,
		sha256: stored?.hex() ?? plainSha256,
	})
}
