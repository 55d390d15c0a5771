import { throwIfInterrupted } from '@ydbackup/core'

/** A number of bytes that everything in flight shares. Those who wait are served in order. */
export class ByteBudget {
	readonly #total: number
	#free: number
	readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = []

	constructor(total: number) {
		this.#total = total
		this.#free = total
	}

	/** Takes bytes, and waits until they are there. More than the whole budget is taken as the whole. Returns how to give them back. */
	async take(bytes: number, signal: AbortSignal | undefined): Promise<() => void> {
		const wanted = Math.min(bytes, this.#total)
		if (this.#waiting.length > 0 || wanted > this.#free) await this.#wait(wanted, signal)
		else this.#free -= wanted
		let held = true
		return () => {
			if (!held) return
			held = false
			this.#free += wanted
			this.#serve()
		}
	}

	async #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
		throwIfInterrupted(signal, 'waiting for memory')
		const { promise, resolve, reject } = Promise.withResolvers<void>()
		const place = { bytes, go: resolve }
		const leave = (): void => {
			const at = this.#waiting.indexOf(place)
			if (at < 0) return
			this.#waiting.splice(at, 1)
			reject(signal?.reason)
			// Those behind may need less than this one did.
			this.#serve()
		}
		signal?.addEventListener('abort', leave, { once: true })
		this.#waiting.push(place)
		try {
			await promise
		} catch (error) {
			throwIfInterrupted(signal, 'waiting for memory')
			throw error
		} finally {
			signal?.removeEventListener('abort', leave)
		}
	}

	#serve(): void {
		while (this.#waiting[0] && this.#waiting[0].bytes <= this.#free) {
			const next = this.#waiting.shift()!
			this.#free -= next.bytes
			next.go()
		}
	}
}
