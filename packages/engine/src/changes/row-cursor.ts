import { BackupError, type RowChunk } from '@ydbackup/core'
import { readVarint, releaseBytes, TAG_ITEMS, varintEnd } from '@ydbackup/rows'

/** The rows of a stream of chunks, one at a time, as places in bytes: nothing is copied, and nothing waits but for the next chunk. */
export class RowCursor implements AsyncDisposable {
	readonly #chunks: AsyncIterator<RowChunk>
	readonly #isGivenUp: boolean
	bytes: Buffer = Buffer.alloc(0)
	/** Where the row's tag lies, its payload, and where that ends. */
	frame = 0
	/** Where the tag of the row before it lies; -1 for the first row of a chunk. */
	before = -1
	start = 0
	end = 0

	/** `isGivenUp`: as of `OrderedRows`. */
	constructor(chunks: AsyncIterable<RowChunk>, isGivenUp = false) {
		this.#isGivenUp = isGivenUp
		this.#chunks = chunks[Symbol.asyncIterator]()
	}

	/** Goes to the next row of the chunk at hand; false when there is none. */
	next(): boolean {
		if (this.end === this.bytes.length) return false
		this.before = this.frame
		this.#open(this.end)
		return true
	}

	/** Goes to the first row of the next chunk; false at the end. */
	async load(): Promise<boolean> {
		for (;;) {
			const { done, value } = await this.#chunks.next()
			if (done === true) return false
			if (value.bytes.length === 0) continue
			if (this.#isGivenUp) releaseBytes(this.bytes)
			const { buffer, byteOffset, byteLength } = value.bytes
			this.bytes = Buffer.from(buffer, byteOffset, byteLength)
			this.before = -1
			this.#open(0)
			return true
		}
	}

	/** How many bytes from here on the last row begins of those that end within `limit` bytes; undefined when there is none. */
	lastWithin(limit: number): number | undefined {
		const until = this.frame + limit
		if (this.end > until) return undefined
		const { bytes } = this
		let frame = this.frame
		for (let next = this.end; next < until;) {
			const length = readVarint(bytes, next + 1, bytes.length)
			if (varintEnd + length > until) break
			frame = next
			next = varintEnd + length
		}
		return frame - this.frame
	}

	/** Goes to the row that begins so many bytes from here on. */
	skip(bytes: number): void {
		this.#open(this.frame + bytes)
	}

	#open(p: number): void {
		const { bytes } = this
		if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'something else than a row lies between rows')
		const length = readVarint(bytes, p + 1, bytes.length)
		this.frame = p
		this.start = varintEnd
		this.end = varintEnd + length
		if (this.end > bytes.length) throw new BackupError('FORMAT_INVALID', 'the last row of a chunk is cut off')
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#chunks.return?.()
	}
}
