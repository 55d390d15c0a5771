import { Broken, demand } from './problem.ts'
import { type CheckedTable, compareKeys, readCell } from './table-rules.ts'

const LF = 10
/** A line above this could not be read by the importer. */
const LONGEST_LINE = 256 << 20

/** Follows the lines of one data file. Give it bytes in order, then call `end`. Throws {@link Broken} naming the line. */
export class RowCheck {
	readonly #table: CheckedTable
	readonly #partition: number
	#line = 0
	#rest: Buffer = Buffer.alloc(0)

	constructor(table: CheckedTable, partition: number) {
		this.#table = table
		this.#partition = partition
	}

	take(bytes: Buffer): void {
		let from = 0
		for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, from)) {
			const line = bytes.subarray(from, at)
			this.#check(this.#rest.length === 0 ? line : Buffer.concat([this.#rest, line]))
			this.#rest = Buffer.alloc(0)
			from = at + 1
		}
		demand(this.#rest.length + bytes.length - from <= LONGEST_LINE, 'has a line of more than 256 MiB')
		if (from < bytes.length) this.#rest = Buffer.concat([this.#rest, bytes.subarray(from)])
	}

	/** Lines so far. */
	get lines(): number {
		return this.#line
	}

	/** Whether a row has just ended. */
	get isAtEnd(): boolean {
		return this.#rest.length === 0
	}

	#check(line: Buffer): void {
		this.#line += 1
		try {
			const { columns, key, splits } = this.#table
			demand(line.length > 0, 'is empty')
			const cells = line.toString('latin1').split(',')
			demand(cells.length === columns.length, `has ${cells.length} values for ${columns.length} columns`)
			const values = cells.map((cell, at) => readCell(cell, columns[at]!))
			if (splits === undefined) return
			const found = key.map((at) => values[at])
			const [first, next] = [splits[this.#partition - 1], splits[this.#partition]]
			demand(first === undefined || compareKeys(first, found) !== 1, 'has a key below its partition')
			const isBelow =
				next === undefined ||
				compareKeys(found, next) === -1 ||
				next.some((cell) => cell === undefined) ||
				found.includes(undefined)
			demand(isBelow, 'has a key above its partition')
		} catch (error) {
			throw error instanceof Broken ? new Broken(`line ${this.#line} ${error.message}`) : error
		}
	}
}
