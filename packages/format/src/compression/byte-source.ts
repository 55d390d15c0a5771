/** Bytes that come in pieces, taken in other pieces. Holds one piece at a time. */
export class ByteSource {
	readonly #pieces: AsyncIterator<Uint8Array>
	#piece: Uint8Array = new Uint8Array(0)
	#at = 0
	#offset = 0
	#isEnded = false

	constructor(pieces: AsyncIterable<Uint8Array>) {
		this.#pieces = pieces[Symbol.asyncIterator]()
	}

	/** Bytes taken so far. */
	get offset(): number {
		return this.#offset
	}

	/** What is at hand and not yet taken; empty only at the end. */
	async peek(): Promise<Uint8Array> {
		while (this.#at === this.#piece.length && !this.#isEnded) {
			const next = await this.#pieces.next()
			this.#isEnded = next.done === true
			this.#piece = next.done === true ? new Uint8Array(0) : next.value
			this.#at = 0
		}
		return this.#piece.subarray(this.#at)
	}

	/** Takes bytes that were at hand. */
	take(count: number): void {
		this.#at += count
		this.#offset += count
	}

	async close(): Promise<void> {
		this.#isEnded = true
		this.#piece = new Uint8Array(0)
		this.#at = 0
		await this.#pieces.return?.()
	}
}
