import { BackupError, type KeyBytes, type RowChunk } from '@ydbackup/core'
import { readVarint, type RowKeyComparator, TAG_ITEMS, varintEnd } from '@ydbackup/rows'

/** Where the rows of a chunk lie, and which of them have the keys that are looked for. */
export class ChunkRows {
	readonly #compare: RowKeyComparator
	#bytes: Uint8Array = new Uint8Array()
	#frames = new Int32Array(1024)
	#count = 0

	constructor(compare: RowKeyComparator) {
		this.#compare = compare
	}

	open({ bytes, rows }: RowChunk): void {
		if (rows >= this.#frames.length) this.#frames = new Int32Array(rows + 1)
		this.#bytes = bytes
		this.#count = rows
		let p = 0
		for (let at = 0; at < rows; at++) {
			if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'something else than a row lies between rows')
			this.#frames[at] = p
			const length = readVarint(bytes, p + 1, bytes.length)
			p = varintEnd + length
		}
		if (p !== bytes.length) throw new BackupError('FORMAT_INVALID', 'a chunk does not end with its last row')
		this.#frames[rows] = p
	}

	get count(): number {
		return this.#count
	}

	/** The position of a row's tag; of the row behind the last one, the end. */
	frameOf(at: number): number {
		return this.#frames[at]!
	}

	payloadOf(at: number): number {
		readVarint(this.#bytes, this.#frames[at]! + 1, this.#bytes.length)
		return varintEnd
	}

	/** Negative when the key of the row at `at` is below `key`, 0 when it is the same, positive when it is above. */
	compare(at: number, key: KeyBytes): number {
		return this.#compare(this.#bytes, this.payloadOf(at), this.#frames[at + 1]!, key)
	}

	/** The first row from `from` on whose key is not below `key`; the number of rows when there is none. Looks at few rows near by, and fewer far away. */
	seek(from: number, key: KeyBytes): number {
		let low = from
		let step = 1
		while (low + step <= this.#count && this.compare(low + step - 1, key) < 0) {
			low += step
			step *= 2
		}
		let high = Math.min(low + step - 1, this.#count)
		while (low < high) {
			const middle = (low + high) >> 1
			if (this.compare(middle, key) < 0) low = middle + 1
			else high = middle
		}
		return low
	}
}
