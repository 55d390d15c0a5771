/**
 * The outside of zstd: where a frame ends and how large its content says it is, without decompressing (RFC 8878). node:zlib stops at
 * the end of the first frame and drops the rest without a word, so files of many frames must be cut by us.
 */
const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a50
const LARGEST_BLOCK = 128 << 10

export type FrameHeader =
	| { readonly kind: 'skippable'; readonly headerSize: 8; readonly bodySize: number }
	| {
			readonly kind: 'zstd'
			readonly headerSize: number
			readonly hasChecksum: boolean
			/** Memory that decompressing needs, in bytes. */
			readonly windowSize: number
			/** Undefined when the frame does not say. */
			readonly contentSize: number | undefined
	  }

/** Bytes that a header has at most. */
export const LONGEST_HEADER = 18

/** The header at the start of `b`; undefined when more bytes are needed; a text when it is none. */
export function readFrameHeader(b: Uint8Array): FrameHeader | string | undefined {
	const view = new DataView(b.buffer, b.byteOffset, b.byteLength)
	if (b.length < 4) return undefined
	const magic = view.getUint32(0, true)
	if (magic >= SKIPPABLE && magic < SKIPPABLE + 16) {
		return b.length < 8 ? undefined : { kind: 'skippable', headerSize: 8, bodySize: view.getUint32(4, true) }
	}
	if (magic !== MAGIC) return 'it is no zstd frame'
	if (b.length < 5) return undefined
	const descriptor = b[4]!
	const isSingle = (descriptor & 0x20) !== 0
	if ((descriptor & 0x08) !== 0) return 'its header has a reserved bit'
	const windowBytes = isSingle ? 0 : 1
	const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
	const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!
	const headerSize = 5 + windowBytes + dictionaryBytes + sizeBytes
	if (b.length < headerSize) return undefined

	for (let p = 5 + windowBytes; p < 5 + windowBytes + dictionaryBytes; p++) {
		if (b[p] !== 0) return 'it needs a dictionary'
	}
	const p = headerSize - sizeBytes
	let contentSize: number | undefined
	if (sizeBytes === 1) contentSize = b[p]!
	else if (sizeBytes === 2) contentSize = view.getUint16(p, true) + 256
	else if (sizeBytes === 4) contentSize = view.getUint32(p, true)
	else if (sizeBytes === 8) contentSize = Number(view.getBigUint64(p, true))

	let windowSize = contentSize ?? 0
	if (!isSingle) {
		const base = 2 ** (10 + (b[5]! >> 3))
		windowSize = base + (base / 8) * (b[5]! & 7)
	}
	return { kind: 'zstd', headerSize, hasChecksum: (descriptor & 0x04) !== 0, windowSize, contentSize }
}

/** Follows a frame's blocks. It is told of the bytes in order and says how many of them belong to the frame. */
export class BlockWalk {
	readonly #hasChecksum: boolean
	/** Bytes still to pass over before the next block header. */
	#left = 0
	#header = 0
	#headerBytes = 0
	#isLast = false
	#isDone = false

	constructor(hasChecksum: boolean) {
		this.#hasChecksum = hasChecksum
	}

	get isDone(): boolean {
		return this.#isDone
	}

	/** Bytes of `b` from `from` on that belong to the frame; fewer than there are only when it is done. A text when a block is none. */
	take(b: Uint8Array, from: number): number | string {
		let p = from
		while (!this.#isDone) {
			const passed = Math.min(this.#left, b.length - p)
			p += passed
			this.#left -= passed
			if (this.#left > 0) break
			if (this.#isLast) {
				this.#isDone = true
				break
			}
			if (p === b.length) break
			this.#header |= b[p++]! << (8 * this.#headerBytes++)
			if (this.#headerBytes === 3) {
				const trouble = this.#openBlock(this.#header)
				if (trouble !== undefined) return trouble
				this.#header = 0
				this.#headerBytes = 0
			}
		}
		return p - from
	}

	#openBlock(header: number): string | undefined {
		const type = (header >> 1) & 3
		const size = header >> 3
		if (type === 3) return 'it has a block of an unknown kind'
		if (type !== 1 && size > LARGEST_BLOCK) return `it has a block of ${size} bytes`
		this.#left = type === 1 ? 1 : size
		if ((header & 1) !== 0) {
			this.#isLast = true
			this.#left += this.#hasChecksum ? 4 : 0
		}
		return undefined
	}
}
