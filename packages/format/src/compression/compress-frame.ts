import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'

import { type Compression, zstdLevel } from './compression.ts'

const compress = promisify(zstdCompress)

export interface FrameOptions {
	/** Default true. False for a frame that becomes an encrypted block: its MAC is the better checksum, and costs anyway. */
	readonly checksum?: boolean | undefined
}

/**
 * Makes one zstd frame, with content size and checksum, on the thread pool. The same bytes give the same frame. Nothing gives nothing:
 * an empty file has no frame. The bytes must not change before it resolves.
 */
export async function compressFrame(
	frame: Uint8Array,
	compression: Compression,
	{ checksum = true }: FrameOptions = {},
): Promise<Uint8Array> {
	const level = zstdLevel(compression)
	if (level === undefined || frame.length === 0) return frame
	return compress(frame, {
		params: {
			[constants.ZSTD_c_compressionLevel]: level,
			[constants.ZSTD_c_checksumFlag]: Number(checksum),
			[constants.ZSTD_c_contentSizeFlag]: 1,
		},
		// Without this the frame has no content size, and a reader cannot know what it is asked to unpack.
		pledgedSrcSize: frame.length,
		// Room for all of it: what came in pieces would be copied together, and the pieces left to the collector.
		chunkSize: frame.length + (frame.length >> 8) + 1024,
	})
}
