import type { KeyBytes, RowChunk, TableSchema } from '@ydbackup/core'
import { copyInto, createKeyReader, type KeyReader, readVarint, varintEnd } from '@ydbackup/rows'

const CHUNK_BYTES = 256 << 10

/** Puts rows one behind the other into chunks of about 256 KiB. */
export class RowOutput {
	readonly #keys: KeyReader
	#bytes: Uint8Array = new Uint8Array()
	#used = 0
	#rows = 0
	#lastRow = 0
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

	/** Copies the frames of rows, the last of which begins at `last`. Returns the chunk before them when that is full. */
	add(frames: Uint8Array, start: number, end: number, rows: number, last: number): RowChunk | undefined {
		const ready = this.#makeRoom(end - start, rows, last - start)
		copyInto(this.#bytes, this.at, frames, start, end)
		return ready
	}

	/** Room for the frame of one row: it must be written to {@link bytes}, from {@link at} on. Returns the chunk before it when that is full. */
	makeRoom(length: number): RowChunk | undefined {
		return this.#makeRoom(length, 1, 0)
	}

	#makeRoom(length: number, rows: number, last: number): RowChunk | undefined {
		const ready = this.#used + length > this.#bytes.length ? this.flush() : undefined
		if (this.#used === 0) this.#bytes = Buffer.allocUnsafeSlow(Math.max(length, CHUNK_BYTES))
		this.at = this.#used
		this.#used += length
		this.#rows += rows
		this.#lastRow = this.at + last
		return ready
	}

	flush(): RowChunk | undefined {
		if (this.#rows === 0) return undefined
		const bytes = this.#bytes.subarray(0, this.#used)
		const chunk = { bytes, rows: this.#rows, firstKey: this.#keyAt(0), lastKey: this.#keyAt(this.#lastRow) }
		this.#used = 0
		this.#rows = 0
		return chunk
	}

	#keyAt(frame: number): KeyBytes {
		const length = readVarint(this.#bytes, frame + 1, this.#used)
		return this.#keys.read(this.#bytes, varintEnd, varintEnd + length)
	}
}
