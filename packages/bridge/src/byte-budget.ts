interface Waiter {
	readonly bytes: number
	readonly enter: () => void
}

/** Bytes that may be held at once. Whoever wants some waits for his turn: first come, first served. */
export class ByteBudget {
	readonly limit: number
	#held = 0
	readonly #waiting: Waiter[] = []

	constructor(limit: number) {
		this.limit = limit
	}

	get held(): number {
		return this.#held
	}

	/** Resolves with true when the bytes may be held, with false when that takes longer than the time given or the signal aborts. */
	async take(bytes: number, waitMs: number, signal: AbortSignal): Promise<boolean> {
		if (this.#waiting.length === 0 && this.#held + bytes <= this.limit) {
			this.#held += bytes
			return true
		}
		const { promise, resolve } = Promise.withResolvers<boolean>()
		const waiter: Waiter = { bytes, enter: () => resolve(true) }
		const leave = (): void => {
			const at = this.#waiting.indexOf(waiter)
			if (at < 0) return
			this.#waiting.splice(at, 1)
			resolve(false)
			this.#admit()
		}
		this.#waiting.push(waiter)
		const timer = setTimeout(leave, waitMs)
		signal.addEventListener('abort', leave, { once: true })
		try {
			return await promise
		} finally {
			clearTimeout(timer)
			signal.removeEventListener('abort', leave)
		}
	}

	give(bytes: number): void {
		this.#held -= bytes
		this.#admit()
	}

	#admit(): void {
		for (let first = this.#waiting[0]; first && this.#held + first.bytes <= this.limit; first = this.#waiting[0]) {
			this.#waiting.shift()
			this.#held += first.bytes
			first.enter()
		}
	}
}
