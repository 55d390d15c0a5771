/** Bytes of one block; what fits into one is written in one request. */
export const BLOCK_BYTES: number = 8 << 20
/** Most blocks that one blob can have. */
export const MAX_BLOCKS = 50_000

const FIRST_BYTES = 64 << 10

export interface Block {
	readonly bytes: Buffer
	readonly isLast: boolean
	/** Gives the memory back; the bytes may not be used then. */
	readonly release: () => void
}

/** Buffers of one size that are used again: as many as are in use at once, and no more. */
export class BufferPool {
	readonly #bytes: number
	readonly #free: Buffer[] = []

	constructor(bytes: number) {
		this.#bytes = bytes
	}

	take(): Buffer {
		return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes)
	}

	give(buffer: Buffer): void {
		this.#free.push(buffer)
	}
}

/**
 * Cuts pieces of any size into blocks of one size; only the last may be shorter, and only it may be empty. The pieces are
 * copied: whoever made them may use their memory again. A block is held back until it is known whether it is the last.
 */
export async function* blocksOf(
	pieces: AsyncIterable<Uint8Array>,
	blockBytes: number,
	expected: number | undefined,
): AsyncGenerator<Block> {
	const pool = new BufferPool(blockBytes)
	// A small object shall not cost a whole block of memory.
	let buffer: Buffer = Buffer.allocUnsafeSlow(Math.min(blockBytes, expected ?? FIRST_BYTES))
	let filled = 0
	for await (const piece of pieces) {
		for (let at = 0; at < piece.length;) {
			if (filled === blockBytes) {
				yield blockOf(buffer, filled, false, pool)
				buffer = pool.take()
				filled = 0
			}
			if (filled === buffer.length) buffer = grown(buffer, Math.min(blockBytes, Math.max(FIRST_BYTES, 2 * filled)))
			const taken = piece.subarray(at, at + buffer.length - filled)
			buffer.set(taken, filled)
			filled += taken.length
			at += taken.length
		}
	}
	yield blockOf(buffer, filled, true, pool)
}

function grown(buffer: Buffer, bytes: number): Buffer {
	const larger = Buffer.allocUnsafeSlow(bytes)
	buffer.copy(larger)
	return larger
}

function blockOf(buffer: Buffer, filled: number, isLast: boolean, pool: BufferPool): Block {
	return { bytes: buffer.subarray(0, filled), isLast, release: () => pool.give(buffer) }
}

/** A body of bytes as a stream, without a copy. */
export async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes.length; at += BLOCK_BYTES) yield bytes.subarray(at, at + BLOCK_BYTES)
}
