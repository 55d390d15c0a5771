import type { TableSchema } from '@ydbackup/core'
import { RowHash } from '@ydbackup/rows'

/** How many rows there are, and their hash. */
export interface RowTotals {
	readonly rows: number
	readonly rowHash: string
}

/** Proves what was made of rows by what was done to them: all rows before and those that came are all rows after and those that went. */
export class Balance {
	readonly #schema: TableSchema
	readonly #went: RowHash
	readonly #came: RowHash

	/** Both sides must have the columns of `schema`. */
	constructor(schema: TableSchema) {
		this.#schema = schema
		this.#went = new RowHash(schema)
		this.#came = new RowHash(schema)
	}

	/** A row of before (its frame: tag, length, payload) that is not there after, or another one. */
	went(bytes: Uint8Array, frame: number, end: number): void {
		this.#went.addRows(bytes, frame, end)
	}

	/** A row of after that was not there before, or another one. */
	came(bytes: Uint8Array, frame: number, end: number): void {
		this.#came.addRows(bytes, frame, end)
	}

	isEven(before: RowTotals, after: RowTotals): boolean {
		const left = this.#sum(before, this.#came)
		const right = this.#sum(after, this.#went)
		return left.rows === right.rows && left.digest() === right.digest()
	}

	#sum({ rows, rowHash }: RowTotals, others: RowHash): RowHash {
		const sum = new RowHash(this.#schema)
		sum.addDigest(rowHash, rows)
		sum.merge(others)
		return sum
	}
}
