import { BackupError, type RowChunk, type TableSchema } from '@ydbackup/core'
import { canonicalRow, readVarint, varintEnd } from '@ydbackup/rows'
import { type ColumnPlan, planColumns } from './column-plan.ts'
import { escapedLength } from './escape.ts'
import { encodeRow, LONGEST_FIXED, stoppedAt } from './encode-row.ts'

export interface CsvEncoder {
	/**
	 * The CSV of a chunk's rows, cut into frames at row ends: each frame that is returned has at least `frameBytes` bytes. Frames depend
	 * on the rows alone, not on how they are spread over chunks. Frames are the caller's to keep. Errors: `FORMAT_INVALID` naming
	 * row and column; the encoder cannot be used after one.
	 */
	push(chunk: RowChunk): Uint8Array[]
	/** What is left, or undefined when nothing is. */
	end(): Uint8Array | undefined
}

export interface CsvEncoderOptions {
	/** Default 1 MiB. */
	readonly frameBytes?: number
}

const DEFAULT_FRAME = 1 << 20
const SLACK = 64 << 10

/**
 * Row bytes → CSV as YDB's own exports write it: no header, columns in schema order, `\n` after each row, strings quoted and
 * percent-escaped. Floats and doubles are printed with as many digits as they need to come back the same, unlike YDB's own tools.
 * Throws `TYPE_UNKNOWN` naming the column for a type that cannot be written.
 */
export function createCsvEncoder(schema: TableSchema, options: CsvEncoderOptions = {}): CsvEncoder {
	return new Encoder(planColumns(schema), options.frameBytes ?? DEFAULT_FRAME)
}

class Encoder implements CsvEncoder {
	readonly #plan: ColumnPlan
	readonly #frameBytes: number
	readonly #fixed: number
	readonly #size: number
	#out: Uint8Array = new Uint8Array(0)
	#view: DataView = new DataView(this.#out.buffer)
	#used = 0
	#rows = 0

	constructor(plan: ColumnPlan, frameBytes: number) {
		this.#plan = plan
		this.#frameBytes = frameBytes
		this.#fixed = plan.columns * LONGEST_FIXED + 8
		this.#size = frameBytes + this.#fixed + SLACK
		this.#allocate(this.#size)
	}

	push(chunk: RowChunk): Uint8Array[] {
		const frames: Uint8Array[] = []
		const b = chunk.bytes
		const view = new DataView(b.buffer, b.byteOffset, b.byteLength)
		const end = b.length
		let q = this.#used
		let p = 0
		while (p < end) {
			if (b[p] !== 0x62) throw this.#refuse('something else than a row lies between rows')
			const length = readVarint(b, p + 1, end)
			const start = varintEnd
			p = start + length
			if (p > end) throw this.#refuse('the last row is cut off')
			if (q + 3 * length + this.#fixed > this.#out.length) this.#makeRoom(b, start, p, q)
			const next = encodeRow(this.#plan, b, view, start, p, this.#out, this.#view, q)
			q = next < 0 ? this.#encodeOdd(b, start, p, q) : next
			this.#rows++
			if (q >= this.#frameBytes) {
				frames.push(this.#take(q))
				q = 0
			}
		}
		this.#used = q
		return frames
	}

	end(): Uint8Array | undefined {
		const used = this.#used
		this.#used = 0
		return used === 0 ? undefined : this.#take(used)
	}

	/** Rows that are not spelt as usual are rare: they are rewritten to the usual spelling, and then they must fit. */
	#encodeOdd(b: Uint8Array, start: number, end: number, q: number): number {
		let row: Uint8Array
		try {
			row = canonicalRow(b, start, end, this.#plan.shapes)
		} catch (error) {
			throw this.#refuse(error instanceof Error ? error.message : String(error), error)
		}
		if (q + 3 * row.length + this.#fixed > this.#out.length) this.#makeRoom(row, 0, row.length, q)
		const next = encodeRow(this.#plan, row, new DataView(row.buffer), 0, row.length, this.#out, this.#view, q)
		if (next < 0) throw this.#refuse('the value is NULL in a column without NULLs, or is none that the type has')
		return next
	}

	/** Room for the row b[start, end), counted exactly: a long string need not grow threefold. */
	#makeRoom(b: Uint8Array, start: number, end: number, q: number): void {
		const needed = q + escapedLength(b, start, end) + this.#fixed
		if (needed <= this.#out.length) return
		const used = this.#out.subarray(0, q)
		this.#allocate(needed)
		this.#out.set(used)
	}

	#allocate(size: number): void {
		this.#out = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
		this.#view = new DataView(this.#out.buffer)
	}

	/** A copy, so that the same memory is written again and again; but what grew for a long row is given away. */
	#take(q: number): Uint8Array {
		if (this.#out.length === this.#size) return this.#out.slice(0, q)
		const frame = this.#out.subarray(0, q)
		this.#allocate(this.#size)
		return frame
	}

	#refuse(what: string, cause?: unknown): BackupError {
		const { names, types } = this.#plan
		const where =
			stoppedAt < names.length ? `column "${names[stoppedAt]}" (${types[stoppedAt]})` : 'after its last column'
		return new BackupError('FORMAT_INVALID', `row ${this.#rows + 1}, ${where}: ${what}`, { cause })
	}
}
