import type { ByteBudget } from './byte-budget.ts'

/**
 * What streams that are read in turns take of a budget together. When one of them needs more, all give back what they have before they wait:
 * two readers that wait for each other's memory would wait for ever. What is buffered meanwhile is not counted for so long.
 */
export class SharedTake implements Pick<ByteBudget, 'take'> {
	readonly #budget: Pick<ByteBudget, 'take'>
	#wanted = 0
	#giveBack: () => void = () => {}
	#last: Promise<unknown> = Promise.resolve()

	constructor(budget: Pick<ByteBudget, 'take'>) {
		this.#budget = budget
	}

	take(bytes: number, signal: AbortSignal | undefined): Promise<() => void> {
		const taken = this.#last.then(() => this.#takeMore(bytes, signal))
		this.#last = taken.catch(() => undefined)
		return taken
	}

	async #takeMore(bytes: number, signal: AbortSignal | undefined): Promise<() => void> {
		this.#giveBack()
		this.#giveBack = () => {}
		this.#giveBack = await this.#budget.take(this.#wanted + bytes, signal)
		this.#wanted += bytes
		let isHeld = true
		return () => {
			if (!isHeld) return
			isHeld = false
			this.#wanted -= bytes
			if (this.#wanted === 0) this.#giveBack()
		}
	}
}
