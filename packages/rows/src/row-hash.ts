import { BackupError, type TableSchema } from '@ydbackup/core'
import { canonicalRow, cellMisfit, isOddNaN32, isOddNaN64 } from './canonical.ts'
import { mixRow } from './mix.ts'
import { cellShape, type CellShape, SHAPE } from './shape.ts'
import { after, malformed, readVarint, TAG_HIGH_128, TAG_ITEMS, TAG_NULL, varintLength } from './wire.ts'

const DIGEST = /^rh1:[0-9a-f]{32}$/
const ROWS_PER_CARRY = 1 << 20

/**
 * A hash over the rows of a table that does not depend on their order or on how they are spread over chunks, files and partitions:
 * the sum modulo 2^128 of a 128-bit hash of each row. One changed, lost or doubled row gives another digest; it is no defence
 * against somebody who forges rows. A cell's value counts, not its spelling: every NaN of a Float or Double is the same NaN, and
 * the spellings that servers differ in (defaults left out, Uuid as bytes, text as bytes) are the same cell.
 *
 * Digests of parts of a table can be added: see {@link addDigest}. Throws `TYPE_UNKNOWN` for a type that cannot be carried, and
 * `FORMAT_INVALID` for rows that do not fit the schema.
 */
export class RowHash {
	readonly #shapes: readonly CellShape[]
	readonly #kinds: Uint8Array
	readonly #tags: Uint8Array
	readonly #sum: Float64Array = new Float64Array(4)
	#rows = 0
	#uncarried = 0
	/** Of the chunk that rows came of one at a time. */
	#bytes: Uint8Array = new Uint8Array()
	#view: DataView = viewOf(this.#bytes)

	constructor(schema: TableSchema) {
		this.#shapes = schema.columns.map((column) => cellShape(column.type, `column "${column.name}"`))
		this.#kinds = Uint8Array.from(this.#shapes, (shape) => shape.shape)
		this.#tags = Uint8Array.from(this.#shapes, (shape) => shape.tag)
	}

	get rows(): number {
		return this.#rows
	}

	/** Adds every row of a chunk. */
	add({ bytes }: { readonly bytes: Uint8Array }): void {
		this.#add(bytes, viewOf(bytes), 0, bytes.length)
	}

	/** Adds those that lie in b[start, end): for few rows of a chunk at a time. */
	addRows(b: Uint8Array, start: number, end: number): void {
		if (b !== this.#bytes) {
			this.#bytes = b
			this.#view = viewOf(b)
		}
		this.#add(b, this.#view, start, end)
	}

	#add(b: Uint8Array, view: DataView, start: number, end: number): void {
		let p = start
		while (p < end) {
			if (b[p] !== TAG_ITEMS) throw malformed('something else than a row lies between rows')
			const length = readVarint(b, p + 1, end)
			const payload = after
			p = payload + length
			if (p > end) throw malformed('the last row is cut off')
			if (this.#isCanonical(b, payload, p)) {
				mixRow(view, payload, p, this.#sum)
			} else {
				const row = canonicalRow(b, payload, p, this.#shapes)
				mixRow(new DataView(row.buffer), 0, row.length, this.#sum)
			}
			this.#rows++
			if (++this.#uncarried === ROWS_PER_CARRY) this.#carry()
		}
	}

	/** Adds the rows of another hash of the same table. */
	merge(other: RowHash): void {
		this.addDigest(other.digest(), other.rows)
	}

	/** Adds rows of the same table that were hashed elsewhere. */
	addDigest(digest: string, rows: number): void {
		if (!DIGEST.test(digest)) {
			throw new BackupError('FORMAT_INVALID', `"${digest}" is no row hash`, {
				advice: 'expected rh1: and 32 hexadecimal digits',
			})
		}
		this.#carry()
		for (let i = 0; i < 4; i++) this.#sum[i]! += Number.parseInt(digest.slice(4 + 8 * i, 12 + 8 * i), 16)
		this.#carry()
		this.#rows += rows
	}

	/** `rh1:` and 32 hexadecimal digits. It does not say how many rows there are: keep {@link rows} beside it. */
	digest(): string {
		this.#carry()
		return `rh1:${Array.from(this.#sum, (word) => word.toString(16).padStart(8, '0')).join('')}`
	}

	/** The first word is the highest. Between carries each word may grow up to 2^53. */
	#carry(): void {
		let carry = 0
		for (let i = 3; i >= 0; i--) {
			const word = this.#sum[i]! + carry
			carry = Math.floor(word / 2 ** 32)
			this.#sum[i] = word - carry * 2 ** 32
		}
		this.#uncarried = 0
	}

	#isCanonical(b: Uint8Array, start: number, end: number): boolean {
		const kinds = this.#kinds
		const tags = this.#tags
		const columns = kinds.length
		let column = 0
		let p = start
		while (p < end) {
			if (b[p] !== TAG_ITEMS || column === columns) throw cellMisfit(column, columns)
			let length = b[p + 1]!
			let s = p + 2
			if (length >= 0x80) {
				length = readVarint(b, p + 1, end)
				s = after
				if (s - p - 1 !== varintLength(length)) return false
			}
			p = s + length
			if (p > end || s > end) throw malformed('a cell is longer than its row')
			const tag = tags[column]!
			const kind = kinds[column++]!
			if (b[s] === tag) {
				switch (kind) {
					case SHAPE.bool:
						if (length !== 2 || b[s + 1]! > 1) return false
						continue
					case SHAPE.fixed32:
						if (length !== 5) return false
						continue
					case SHAPE.fixed64:
						if (length !== 9) return false
						continue
					case SHAPE.float:
						if (length !== 5 || isOddNaN32(b, s + 1)) return false
						continue
					case SHAPE.double:
						if (length !== 9 || isOddNaN64(b, s + 1)) return false
						continue
					case SHAPE.string:
					case SHAPE.pg:
						if (length < 0x80 ? b[s + 1] !== length - 2 : !isOneString(b, s, p)) return false
						continue
					default:
						if (length === 9) continue
						if (length !== 19 || b[s + 9] !== TAG_HIGH_128 || b[s + 10] !== 1 || isZero(b, s + 11)) return false
						continue
				}
			}
			if (length !== 2 || b[s] !== TAG_NULL || b[s + 1] !== 0) return false
		}
		if (column !== columns) throw cellMisfit(column, columns)
		return true
	}
}

const viewOf = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength)

function isOneString(b: Uint8Array, s: number, end: number): boolean {
	const length = readVarint(b, s + 1, end)
	return after + length === end && after - s - 1 === varintLength(length)
}

function isZero(b: Uint8Array, p: number): boolean {
	return (b[p]! | b[p + 1]! | b[p + 2]! | b[p + 3]! | b[p + 4]! | b[p + 5]! | b[p + 6]! | b[p + 7]!) === 0
}
