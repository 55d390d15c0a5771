import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'

import { Broken, demand } from './problem.ts'

const unpack = promisify(zstdDecompress)
/** `RestoreReadBufferSizeLimit` of YDB: neither a frame nor what is in it may be larger. */
const LARGEST = 256 << 20

/** What is in each zstd frame of a stream, frame by frame. Throws {@link Broken} for what is no frame, or cut off. */
export async function* zstdFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
	let held: Buffer = Buffer.alloc(1 << 16)
	let length = 0
	let walked = 0
	for await (const piece of stream) {
		if (length + piece.length > held.length) {
			demand(length + piece.length <= LARGEST, 'has a frame of more than 256 MiB')
			const larger = Buffer.alloc(Math.max(held.length * 2, length + piece.length))
			held.copy(larger, 0, 0, length)
			held = larger
		}
		held.set(piece, length)
		length += piece.length
		for (;;) {
			const frame = frameEnd(held.subarray(0, length), walked)
			walked = frame.at
			if (!frame.isWhole) break
			if (held.readUInt32LE(0) === 0xfd2fb528) {
				try {
					yield await unpack(Buffer.from(held.subarray(0, walked)), { maxOutputLength: LARGEST })
				} catch {
					throw new Broken('has a zstd frame that is damaged, or too large')
				}
			}
			held.copyWithin(0, walked, length)
			length -= walked
			walked = 0
		}
	}
	demand(length === 0, 'is cut off within a zstd frame')
}

/** Walks on over blocks from `from`, which is 0 or where a block header begins. */
function frameEnd(b: Buffer, from: number): { readonly at: number; readonly isWhole: boolean } {
	const more = (at: number) => ({ at, isWhole: false })
	if (b.length < 8) return more(0)
	const magic = b.readUInt32LE(0)
	if (magic >>> 4 === 0x184d2a5) {
		const end = 8 + b.readUInt32LE(4)
		return { at: end <= b.length ? end : 0, isWhole: end <= b.length }
	}
	demand(magic === 0xfd2fb528, 'holds something that is no zstd frame')
	const descriptor = b[4]!
	const isSingle = (descriptor & 0x20) !== 0
	const sizes = [isSingle ? 1 : 0, 2, 4, 8]
	const header = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]! + sizes[descriptor >> 6]!
	let at = Math.max(from, header)
	for (;;) {
		if (at + 3 > b.length) return more(at === header ? 0 : at)
		const block = b.readUIntLE(at, 3)
		const isRun = ((block >> 1) & 3) === 1
		const next = at + 3 + (isRun ? 1 : block >> 3)
		const isLast = (block & 1) === 1
		const end = next + (isLast && (descriptor & 4) !== 0 ? 4 : 0)
		if (end > b.length) return more(at === header ? 0 : at)
		if (isLast) return { at: end, isWhole: true }
		at = next
	}
}
