import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createZstdDecompress, zstdDecompress } from 'node:zlib'

import { BackupError, isBackupError } from '@ydbackup/core'
import { releaseBytes } from '@ydbackup/rows'

import { ByteSource } from './byte-source.ts'
import { type Compression, zstdLevel } from './compression.ts'
import { BlockWalk, type FrameHeader, LONGEST_HEADER, readFrameHeader } from './frame-walk.ts'

export interface DecompressLimits {
	/** Frames up to this content size are decompressed whole, larger ones and those that do not say are streamed. Default 8 MiB. */
	readonly maxFrameBytes?: number
	/** All bytes together must not be more than this. Default: no limit. */
	readonly maxTotalBytes?: number
}

const MAX_FRAME = 8 << 20
/** The largest window that zstd takes unless told otherwise: 2^27. */
const MAX_WINDOW_LOG = 27
/** What a streamed frame may come out in at once. */
const STREAM_CHUNK = 256 << 10

/** Frames that are unpacked at once, as long as together they are no larger than one may be. */
const FRAMES_AHEAD = 2

const unpack = promisify(zstdDecompress)

/**
 * The plain bytes of a data file, of any number of zstd frames by any tool. Errors: `FORMAT_INVALID` for truncation (except between
 * frames: compare sizes), anything between or behind frames that is no frame, damage, and content that is larger than it says or than
 * the limit: it never asks for memory that the limits do not allow. Errors of `stream` come through as they are. A piece is the
 * reader's until it asks for the next one: then its memory is given back.
 */
export async function* decompress(
	stream: AsyncIterable<Uint8Array>,
	compression: Compression,
	limits: DecompressLimits = {},
): AsyncGenerator<Uint8Array, void, undefined> {
	const maxTotal = limits.maxTotalBytes ?? Number.POSITIVE_INFINITY
	let total = 0
	function count(bytes: Uint8Array): Uint8Array {
		total += bytes.length
		if (total > maxTotal) throw tooLarge(maxTotal)
		return bytes
	}

	if (zstdLevel(compression) === undefined) {
		for await (const bytes of stream) if (bytes.length > 0) yield count(bytes)
		return
	}
	for await (const bytes of unpackFrames(stream, limits.maxFrameBytes ?? MAX_FRAME, maxTotal)) {
		if (bytes.length > 0) yield count(bytes)
	}
}

/** A frame whose content is being made on the thread pool while the one before it is worked on. */
interface Ahead {
	readonly size: number
	readonly content: Promise<Uint8Array>
}

async function* unpackFrames(
	stream: AsyncIterable<Uint8Array>,
	maxFrame: number,
	maxTotal: number,
): AsyncGenerator<Uint8Array, void, undefined> {
	const source = new ByteSource(stream)
	const ahead: Ahead[] = []
	/** What all frames so far say that they hold. */
	let promised = 0
	let aheadBytes = 0
	async function* next(): AsyncGenerator<Uint8Array, void, undefined> {
		const { size, content } = ahead.shift()!
		aheadBytes -= size
		const bytes = await content
		yield bytes
		releaseBytes(bytes)
	}

	try {
		while ((await source.peek()).length > 0) {
			// One more like it would be too much: the next frame is not even taken.
			while (ahead.length > 0 && 2 * aheadBytes > maxFrame) yield* next()
			const frame = await openFrame(source)
			const { header, start } = frame
			if (header.kind === 'skippable') {
				await skip(source, header.bodySize, start)
				continue
			}
			const size = header.contentSize ?? Infinity
			if (header.windowSize > 2 ** MAX_WINDOW_LOG)
				throw damaged(start, `it needs a window of ${header.windowSize} bytes`)
			promised += header.contentSize ?? 0
			if (promised > maxTotal) throw tooLarge(maxTotal)

			const whole = size <= maxFrame ? await takeWhole(source, frame, maxFrame) : frame
			if (whole instanceof Uint8Array) {
				while (ahead.length >= FRAMES_AHEAD || (ahead.length > 0 && aheadBytes + size > maxFrame)) yield* next()
				const content = unpackWhole(whole, size, start)
				// It is awaited later, or never when something else fails first.
				content.catch(() => undefined)
				ahead.push({ size, content })
				aheadBytes += size
			} else {
				while (ahead.length > 0) yield* next()
				yield* unpackStream(source, whole)
			}
		}
		while (ahead.length > 0) yield* next()
	} finally {
		await source.close()
	}
}

interface Frame {
	readonly header: FrameHeader
	/** Offset in the file. */
	readonly start: number
	/** What was taken from the source already: header, and perhaps blocks. */
	readonly taken: readonly Uint8Array[]
	readonly walk: BlockWalk
}

async function openFrame(source: ByteSource): Promise<Frame> {
	const start = source.offset
	let bytes = new Uint8Array(0)
	for (;;) {
		const piece = await source.peek()
		if (piece.length === 0) throw cutOff(start)
		const taken = bytes.length
		bytes = new Uint8Array(Buffer.concat([bytes, piece.subarray(0, LONGEST_HEADER - taken)]))
		const header = readFrameHeader(bytes)
		if (typeof header === 'string') {
			throw damaged(start, start > 0 && header === 'it is no zstd frame' ? 'what follows is no zstd frame' : header)
		}
		if (header === undefined) {
			source.take(bytes.length - taken)
			continue
		}
		source.take(header.headerSize - taken)
		const hasChecksum = header.kind === 'zstd' && header.hasChecksum
		return { header, start, taken: [bytes.subarray(0, header.headerSize)], walk: new BlockWalk(hasChecksum) }
	}
}

async function skip(source: ByteSource, size: number, start: number): Promise<void> {
	let left = size
	while (left > 0) {
		const { length } = await source.peek()
		if (length === 0) throw cutOff(start)
		const count = Math.min(left, length)
		source.take(count)
		left -= count
	}
}

/** The next bytes of the frame, or undefined when all were taken. */
async function takeBlocks(source: ByteSource, frame: Frame): Promise<Uint8Array | undefined> {
	if (frame.walk.isDone) return undefined
	const piece = await source.peek()
	if (piece.length === 0) throw cutOff(frame.start)
	const count = frame.walk.take(piece, 0)
	if (typeof count === 'string') throw damaged(frame.start, count)
	source.take(count)
	return piece.subarray(0, count)
}

/** The bytes of the frame; or, when they are more than any sound frame needs, the frame so far, to be streamed. */
async function takeWhole(source: ByteSource, frame: Frame, maxBytes: number): Promise<Uint8Array | Frame> {
	const taken = [...frame.taken]
	let size = 0
	for (let piece = await takeBlocks(source, frame); piece !== undefined; piece = await takeBlocks(source, frame)) {
		taken.push(piece)
		size += piece.length
		if (size > maxBytes + (maxBytes >> 3) + 1024) return { ...frame, taken }
	}
	return Buffer.concat(taken)
}

async function unpackWhole(frame: Uint8Array, contentSize: number, start: number): Promise<Uint8Array> {
	let content: Uint8Array
	try {
		// One byte more than it says, so that what is larger is seen; and the output fits one buffer.
		content = await unpack(frame, { chunkSize: Math.max(contentSize + 1, 64), maxOutputLength: contentSize + 1 })
	} catch (error) {
		throw damaged(start, reasonOf(error), error)
	}
	releaseBytes(frame)
	if (content.length !== contentSize) {
		throw damaged(start, `it holds ${content.length} bytes or more and says ${contentSize}`)
	}
	return content
}

async function* unpackStream(source: ByteSource, frame: Frame): AsyncGenerator<Uint8Array, void, undefined> {
	const decoder = createZstdDecompress({
		chunkSize: STREAM_CHUNK,
		params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
	})
	async function* blocks(): AsyncGenerator<Uint8Array, void, undefined> {
		yield* frame.taken
		for (let piece = await takeBlocks(source, frame); piece !== undefined; piece = await takeBlocks(source, frame)) {
			if (piece.length > 0) yield piece
		}
	}
	const input = Readable.from(blocks(), { objectMode: true, highWaterMark: 1 })
	let sourceError: unknown
	input.once('error', (error) => {
		sourceError = error
		decoder.destroy(error)
	})
	let size = 0
	try {
		for await (const content of input.pipe(decoder)) {
			size += (content as Buffer).length
			yield content as Buffer
		}
	} catch (error) {
		if (sourceError !== undefined) throw sourceError
		throw isBackupError(error) ? error : damaged(frame.start, reasonOf(error), error)
	} finally {
		input.destroy()
		decoder.destroy()
	}
	const { contentSize } = frame.header as { contentSize?: number }
	if (contentSize !== undefined && size !== contentSize) {
		throw damaged(frame.start, `it holds ${size} bytes and says ${contentSize}`)
	}
}

function reasonOf(error: unknown): string {
	const code = (error as { code?: unknown }).code
	if (code === 'ERR_BUFFER_TOO_LARGE') return 'it holds more than it says'
	if (code === 'ZSTD_error_checksum_wrong') return 'its checksum is wrong'
	return error instanceof Error ? error.message : String(error)
}

const ADVICE = 'the file is damaged; take the backup from another copy'

function damaged(start: number, what: string, cause?: unknown): BackupError {
	return new BackupError('FORMAT_INVALID', `the zstd frame at byte ${start}: ${what}`, { advice: ADVICE, cause })
}

function cutOff(start: number): BackupError {
	return damaged(start, 'it is cut off')
}

function tooLarge(limit: number): BackupError {
	return new BackupError('FORMAT_INVALID', `it decompresses to more than the ${limit} bytes that it must have`, {
		advice: ADVICE,
	})
}
