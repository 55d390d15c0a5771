import type { RowChunk, TableSchema } from '@ydbackup/core'
import { chunkFromFrames, createKeyReader, type KeyReader } from '@ydbackup/rows'

const CHUNK_BYTES = 256 << 10

/** Puts rows one behind the other into chunks of about 256 KiB. */
export class RowOutput {
	readonly #keys: KeyReader
	#bytes: Uint8Array = new Uint8Array()
	#used = 0
	#rows = 0
	/** Where the rows begin that {@link makeRoom} made room for last. */
	at = 0

	constructor(schema: TableSchema) {
		this.#keys = createKeyReader(schema)
	}

	get bytes(): Uint8Array {
		return this.#bytes
	}

	/** Where those rows end. */
	get end(): number {
		return this.#used
	}

	/** Copies the frames of rows. Returns the chunk before them when that is full. */
	add(frames: Uint8Array, start: number, end: number, rows: number): RowChunk | undefined {
		const ready = this.makeRoom(end - start, rows)
		this.#bytes.set(start === 0 && end === frames.length ? frames : frames.subarray(start, end), this.at)
		return ready
	}

	/** Room for rows of `length` bytes: they must be written to {@link bytes}, from {@link at} on. Returns the chunk before them when that is full. */
	makeRoom(length: number, rows: number): RowChunk | undefined {
		const ready = this.#used + length > this.#bytes.length ? this.flush() : undefined
		if (this.#used === 0) this.#bytes = Buffer.allocUnsafeSlow(Math.max(length, CHUNK_BYTES))
		this.at = this.#used
		this.#used += length
		this.#rows += rows
		return ready
	}

	flush(): RowChunk | undefined {
		if (this.#rows === 0) return undefined
		const chunk = chunkFromFrames(this.#bytes.subarray(0, this.#used), this.#rows, this.#keys)
		this.#used = 0
		this.#rows = 0
		return chunk
	}
}
