/** How many requests may be in flight: halves when the server is overloaded, grows by one after each round that went well. */
export class Window {
	readonly #most: number
	#size: number
	#well = 0

	constructor(first: number, most: number) {
		this.#size = first
		this.#most = most
	}

	get size(): number {
		return Math.floor(this.#size)
	}

	succeeded(): void {
		if (++this.#well < this.#size) return
		this.#well = 0
		this.#size = Math.min(this.#most, this.#size + 1)
	}

	overloaded(): void {
		this.#well = 0
		this.#size = Math.max(1, this.#size / 2)
	}
}
