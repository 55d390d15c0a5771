import { BackupError, type RowChunk, type TableSchema } from '@ydbackup/core'
import { createKeyReader, type KeyReader, varintLength, writeVarint } from '@ydbackup/rows'
import { type ColumnPlan, planColumns } from './column-plan.ts'
import { behind, decodeRow, failedColumn, failedStart, failure, LONGEST_GROWTH } from './decode-row.ts'

export interface CsvParser {
	/**
	 * The rows of the lines that are complete by now. `csv` may be cut anywhere and is the caller's again after the call.
	 * Errors: `FORMAT_INVALID`, beginning with `file:line: column "x" (Type):`; the parser cannot be used after one.
	 */
	push(csv: Uint8Array): RowChunk[]
	/** The last rows. Throws `FORMAT_INVALID` when the text does not end with a line feed: a file that was cut must not look complete. */
	end(): RowChunk[]
}

export interface CsvParserOptions {
	/** The file's name, for errors. */
	readonly file: string
	/** A chunk is handed on once it has as many bytes; default 256 KiB. */
	readonly chunkBytes?: number
}

const DEFAULT_CHUNK = 256 << 10
/** Lines are read in steps, so that memory follows the longest line and not the size of what is pushed. */
const STEP = 128 << 10
/** Three times what YDB lets one row have. */
const LONGEST_LINE = 192 << 20

/**
 * CSV as YDB's own tools write it → row bytes in their one canonical spelling, ready for requests. Reads everything that YDB's
 * readers read: `^` bare or escaped, hex of any case, Uuids with or without quotes, Bool as word or number, ISO 8601 in its variants,
 * nan and inf in any case. Refuses the rest: empty lines and cells, missing and surplus cells, numbers that do not fit, digits that would
 * be lost, text that is not UTF-8. Throws `TYPE_UNKNOWN` naming the column for a type that cannot be read.
 */
export function createCsvParser(schema: TableSchema, options: CsvParserOptions): CsvParser {
	return new Parser(planColumns(schema), createKeyReader(schema), options.file, options.chunkBytes ?? DEFAULT_CHUNK)
}

class Parser implements CsvParser {
	readonly #plan: ColumnPlan
	readonly #key: KeyReader
	readonly #file: string
	readonly #chunkBytes: number
	readonly #size: number
	#out: Uint8Array = new Uint8Array(0)
	#view: DataView = new DataView(this.#out.buffer)
	#used = 0
	#rows = 0
	#linesBefore = 0
	/** Bytes that the length of the last row took; the next one's probably takes as many. */
	#lengthBytes = 1
	#firstStart = 0
	#firstEnd = 0
	#lastStart = 0
	#carry: Buffer = Buffer.alloc(0)
	#carried = 0

	constructor(plan: ColumnPlan, key: KeyReader, file: string, chunkBytes: number) {
		this.#plan = plan
		this.#key = key
		this.#file = file
		this.#chunkBytes = chunkBytes
		this.#size = chunkBytes + this.#roomFor(STEP)
		this.#allocate(this.#size)
	}

	push(csv: Uint8Array): RowChunk[] {
		const b = Buffer.from(csv.buffer, csv.byteOffset, csv.byteLength)
		const chunks: RowChunk[] = []
		let p = 0
		if (this.#carried > 0) {
			const lineEnd = b.indexOf(0x0a)
			p = lineEnd < 0 ? b.length : lineEnd + 1
			this.#keep(b, 0, p)
			if (lineEnd < 0) return chunks
			const line = this.#carry.subarray(0, this.#carried)
			this.#carried = 0
			if (line.length > STEP) this.#carry = Buffer.alloc(0)
			this.#readLines(line, 0, line.length, chunks)
		}
		const last = b.lastIndexOf(0x0a)
		while (p <= last) {
			let stop = Math.min(p + STEP - 1, last)
			if (stop < last) {
				stop = b.lastIndexOf(0x0a, stop)
				if (stop < p) stop = b.indexOf(0x0a, p)
			}
			this.#readLines(b, p, stop + 1, chunks)
			p = stop + 1
		}
		this.#keep(b, p, b.length)
		return chunks
	}

	end(): RowChunk[] {
		if (this.#carried > 0) {
			throw new BackupError('FORMAT_INVALID', `${this.#file}:${this.#line()}: the file ends inside of a line`, {
				advice: 'the file was cut: take it from its origin again, or use another backup',
			})
		}
		const chunks: RowChunk[] = []
		if (this.#rows > 0) this.#hand(chunks)
		return chunks
	}

	#line(): number {
		return this.#linesBefore + this.#rows + 1
	}

	#roomFor(bytes: number): number {
		return bytes + this.#plan.columns * LONGEST_GROWTH + 16
	}

	#keep(b: Buffer, start: number, end: number): void {
		const needed = this.#carried + end - start
		if (needed > LONGEST_LINE) {
			throw new BackupError(
				'FORMAT_INVALID',
				`${this.#file}:${this.#line()}: a line of more than ${LONGEST_LINE} bytes`,
				{
					advice: 'the file is no CSV of YDB',
				},
			)
		}
		if (needed > this.#carry.length) {
			const carry = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#carry.length, 4096))
			carry.set(this.#carry.subarray(0, this.#carried))
			this.#carry = carry
		}
		this.#carry.set(b.subarray(start, end), this.#carried)
		this.#carried = needed
	}

	/** Reads the whole lines b[p, end). */
	#readLines(b: Buffer, p: number, end: number, chunks: RowChunk[]): void {
		const input = new DataView(b.buffer, b.byteOffset, b.byteLength)
		const room = this.#chunkBytes + this.#roomFor(end - p)
		if (room > this.#out.length) this.#grow(room)
		while (p < end) {
			const frame = this.#used
			let start = frame + 1 + this.#lengthBytes
			let q = decodeRow(this.#plan, b, input, p, this.#out, this.#view, start)
			if (q < 0) throw this.#refuse(b, p)
			p = behind
			const length = q - start
			const lengthBytes = varintLength(length)
			if (lengthBytes !== this.#lengthBytes) {
				const shift = lengthBytes - this.#lengthBytes
				this.#out.copyWithin(start + shift, start, q)
				start += shift
				q += shift
				this.#lengthBytes = lengthBytes
			}
			this.#out[frame] = 0x62
			writeVarint(this.#out, frame + 1, length)
			if (this.#rows++ === 0) {
				this.#firstStart = start
				this.#firstEnd = q
			}
			this.#lastStart = start
			this.#used = q
			if (q >= this.#chunkBytes) this.#hand(chunks)
		}
	}

	#hand(chunks: RowChunk[]): void {
		const bytes = this.#out.slice(0, this.#used)
		chunks.push({
			bytes,
			rows: this.#rows,
			firstKey: this.#key.read(bytes, this.#firstStart, this.#firstEnd),
			lastKey: this.#key.read(bytes, this.#lastStart, this.#used),
		})
		this.#linesBefore += this.#rows
		this.#rows = 0
		this.#used = 0
		if (this.#out.length > this.#size) this.#allocate(this.#size)
	}

	#grow(size: number): void {
		const used = this.#out.subarray(0, this.#used)
		this.#allocate(size)
		this.#out.set(used)
	}

	#allocate(size: number): void {
		this.#out = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
		this.#view = new DataView(this.#out.buffer)
	}

	#refuse(b: Buffer, lineStart: number): BackupError {
		const { columns, names, types } = this.#plan
		const where = `${this.#file}:${this.#line()}: column "${names[failedColumn]}" (${types[failedColumn]})`
		const text = quote(b, failedStart)
		const advice = 'the file is damaged, or belongs to another table: compare it with its scheme file'
		const what = {
			value: `Failed to parse value ${text}`,
			null: 'null, but the column has no NULLs',
			empty: b[lineStart] === 0x0a ? 'Empty token: the line is empty' : 'Empty token',
			few: `Empty token: the line ends after ${failedColumn} of ${columns} values`,
			many: `the line has more than ${columns} values`,
		}[failure]
		return new BackupError('FORMAT_INVALID', `${where}: ${what}`, { advice })
	}
}

/** The cell at b[p] for a message: short, and without bytes that a terminal would obey. */
function quote(b: Buffer, p: number): string {
	let end = p
	while (end < b.length && end - p < 64 && b[end] !== 0x2c && b[end] !== 0x0a) end++
	const cut = end < b.length && b[end] !== 0x2c && b[end] !== 0x0a
	return `"${b.toString('latin1', p, end).replace(/[^\x20-\x7e]/g, '?')}"${cut ? '…' : ''}`
}
