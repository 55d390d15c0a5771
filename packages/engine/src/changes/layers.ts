import type { KeyBytes } from '@ydbackup/core'
import type { KeyComparator } from '@ydbackup/rows'
import type { ChangeCursor } from './change-cursor.ts'

/** The changes of all links side by side: those of the lowest key first, and of one key the oldest first. */
export class Layers {
	readonly #compare: KeyComparator
	/** By the key that each stands at, then by layer. */
	readonly #standing: ChangeCursor[] = []
	#waiting: ChangeCursor[]

	constructor(cursors: readonly ChangeCursor[], compare: KeyComparator) {
		this.#waiting = [...cursors]
		this.#compare = compare
	}

	/** Whether {@link load} must be awaited before {@link key} says anything. */
	get isWaiting(): boolean {
		return this.#waiting.length > 0
	}

	/** Reads on where a batch is used up. */
	async load(): Promise<void> {
		const waiting = this.#waiting
		this.#waiting = []
		const found = await Promise.all(waiting.map((cursor) => cursor.load()))
		for (const [index, cursor] of waiting.entries()) if (found[index]!) this.#insert(cursor)
	}

	/** The lowest key that has a change; undefined when there are no more. */
	get key(): KeyBytes | undefined {
		return this.#standing[0]?.key
	}

	/** Hands over the changes of the lowest key, and goes on. */
	take(lay: (cursor: ChangeCursor) => void): void {
		const key = this.key!
		do {
			const cursor = this.#standing.shift()!
			lay(cursor)
			if (cursor.next()) this.#insert(cursor)
			else this.#waiting.push(cursor)
		} while (this.#standing.length > 0 && this.#compare(this.key!, key) === 0)
	}

	#insert(cursor: ChangeCursor): void {
		const { key } = cursor
		let from = 0
		let to = this.#standing.length
		while (from < to) {
			const middle = (from + to) >> 1
			const other = this.#standing[middle]!
			const order = this.#compare(other.key, key) || other.layer - cursor.layer
			if (order < 0) from = middle + 1
			else to = middle
		}
		this.#standing.splice(from, 0, cursor)
	}
}
