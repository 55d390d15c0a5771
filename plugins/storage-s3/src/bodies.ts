const SMALL_BYTES = 1 << 20
const MAX_FREE = 8

/** A part of a body. `isLast` is known with it: a body of one part needs no multipart upload. */
export interface Part {
	readonly bytes: Buffer
	readonly isLast: boolean
}

/** Buffers of one size, used again and again: the garbage collector is slow to see memory outside of its heap. */
export class Buffers {
	readonly size: number
	readonly #free: Buffer[] = []
	readonly #taken = new WeakMap<ArrayBufferLike, Buffer>()

	constructor(size: number) {
		this.size = size
	}

	take(): Buffer {
		const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size)
		this.#taken.set(buffer.buffer, buffer)
		return buffer
	}

	/** Gives a buffer of `take`, or a piece of one, back when nobody reads it any more. The memory of others is not touched. */
	release(bytes: Buffer): void {
		const buffer = this.#taken.get(bytes.buffer)
		if (buffer && this.#free.length < MAX_FREE) this.#free.push(buffer)
		this.#taken.delete(bytes.buffer)
	}
}

/** Cuts a body into parts of one size; the last may be shorter, and is empty for an empty body. */
export async function* cut(pieces: AsyncIterable<Uint8Array>, buffers: Buffers): AsyncGenerator<Part> {
	let small: Uint8Array[] = []
	let buffer: Buffer | undefined
	let length = 0
	for await (const piece of pieces) {
		for (let from = 0; from < piece.length;) {
			if (length === buffers.size) {
				yield { bytes: buffer!, isLast: false }
				buffer = undefined
				length = 0
			}
			const bytes = piece.subarray(from, from + buffers.size - length)
			// Most objects of a repository are small, and need no buffer of a whole part. A caller may use its own again.
			if (!buffer && length + bytes.length <= SMALL_BYTES) small.push(Uint8Array.from(bytes))
			else {
				if (!buffer) {
					buffer = buffers.take()
					Buffer.concat(small).copy(buffer)
					small = []
				}
				buffer.set(bytes, length)
			}
			length += bytes.length
			from += bytes.length
		}
	}
	yield { bytes: buffer ? buffer.subarray(0, length) : Buffer.concat(small), isLast: true }
}

/** So many holders at a time; others wait in line. */
export class Slots {
	#free: number
	readonly #waiting: (() => void)[] = []

	constructor(count: number) {
		this.#free = count
	}

	/** Waits for a slot, at most until the signal aborts; then it rejects with the signal's reason. */
	async acquire(signal: AbortSignal): Promise<void> {
		signal.throwIfAborted()
		if (this.#free > 0) {
			this.#free--
			return
		}
		await new Promise<void>((resolve, reject) => {
			const leave = (): void => {
				this.#waiting.splice(this.#waiting.indexOf(enter), 1)
				reject(signal.reason as Error)
			}
			const enter = (): void => {
				signal.removeEventListener('abort', leave)
				resolve()
			}
			signal.addEventListener('abort', leave, { once: true })
			this.#waiting.push(enter)
		})
	}

	release(): void {
		const next = this.#waiting.shift()
		if (next) next()
		else this.#free++
	}
}
