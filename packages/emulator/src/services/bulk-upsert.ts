import { fromBinary } from '@bufbuild/protobuf'
import { Type_PrimitiveTypeId as Id, TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Table } from '../scheme/table.ts'
import { type Batch, batchOf, entriesOf, type Entry, lastOfEachKeyIn } from '../store/batch.ts'
import type { RowStore } from '../store/row-store.ts'
import { LIMITS } from '../limits.ts'
import { checkContent, isNull, mayReplace, payloadEnd, payloadStart, readCell } from '../wire/cell.ts'
import { columnType, isOptional, sameType } from '../wire/column-type.ts'
import { field, position, putVarint, seek, skip, varint, varintBytes } from '../wire/cursor.ts'
import { addKeyCell, finishKey, keyBytes, keyPart, lastKeyRises, startKey } from '../wire/key.ts'

export const NULL_CELL: Uint8Array = Uint8Array.of(0x62, 2, 0x50, 0)

/** Types that need no look at their content: their bits are their values. */
const FREE_TAGS = new Set([0x35, 0x39])

export interface WriteRules {
	/** The rows whose cells stay where the written rows have none; those of the table when absent. */
	readonly kept?: RowStore | undefined
	/** Cells that are not given become NULL. */
	readonly replace?: boolean
	/** Not null columns may be left out, because the rows exist. */
	readonly partial?: boolean
	/** Rows come as they were given: not sorted, a key may stand twice. */
	readonly asGiven?: boolean
}

/** Turns the list of structs of a TypedValue (bytes) into rows of a table, checked as YDB checks them; sorted, the last of a key wins. */
export function rowsOf(
	table: Table,
	bytes: Uint8Array,
	typed: { readonly start: number; readonly end: number },
	rules: WriteRules = {},
): Entry[] {
	return entriesOf(writtenRows(table, bytes, typed, rules))
}

let starts = new Uint32Array(4096)
let ends = new Uint32Array(4096)
let keyEnds = new Uint32Array(4096)

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
	const bigger = new Uint32Array(array.length * 2)
	bigger.set(array)
	return bigger
}

const NOTHING: Batch = batchOf([])

/** {@link rowsOf} side by side. Where rows can be stored as they came, they stay where they are. */
export function writtenRows(
	table: Table,
	given: Uint8Array,
	typed: { readonly start: number; readonly end: number },
	rules: WriteRules = {},
): Batch {
	const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
	const typeSpan = field(bytes, typed, 0x0a)
	const valueSpan = field(bytes, typed, 0x12)
	if (!typeSpan) throw new YdbError('BAD_REQUEST', 'rows have no type')
	const type = fromBinary(TypeSchema, bytes.subarray(typeSpan.start, typeSpan.end)).type
	const item = type.case === 'listType' ? type.value.item?.type : undefined
	if (item?.case !== 'structType') throw new YdbError('BAD_REQUEST', 'rows must be a list of structs')
	const { members } = item.value
	const columns = table.columns
	/** members[i] goes to column memberColumn[i] */
	const memberColumn = members.map(({ name, type: given }) => {
		const at = columns.findIndex((column) => column.name === name)
		if (at < 0) throw new YdbError('SCHEME_ERROR', `Unknown column: ${name}`)
		const bare = given && columnType(given).bare
		if (!bare || !sameType(bare, columns[at]!.cell.bare))
			throw new YdbError(
				'SCHEME_ERROR',
				`Type mismatch for column ${name}: expected ${columns[at]!.cell.name}, got ${given ? columnType(given).name : 'nothing'}`,
			)
		if (given.type.case === 'optionalType' && isOptional(given.type.value.item!))
			throw new YdbError('SCHEME_ERROR', `Type mismatch for column ${name}: Optional of Optional`)
		return at
	})
	if (new Set(memberColumn).size !== members.length)
		throw new YdbError('BAD_REQUEST', 'a column stands twice in the rows')
	for (const at of table.key)
		if (!memberColumn.includes(at)) throw new YdbError('SCHEME_ERROR', `Missing key columns: ${columns[at]!.name}`)
	for (const [at, { notNull, name }] of columns.entries())
		if (notNull && !rules.partial && !memberColumn.includes(at))
			throw new YdbError('SCHEME_ERROR', `Missing not null columns: ${name}`)
	if (!valueSpan) return NOTHING

	const width = columns.length
	const cellStarts = new Int32Array(width)
	const cellEnds = new Int32Array(width)
	const replaced: (Buffer | undefined)[] = Array.from({ length: width })
	const checks = columns.map(({ cell }) => !FREE_TAGS.has(cell.tag) && (cell.tag !== 0x42 || cell.id !== 4097))
	const inOrder = memberColumn.length === width && memberColumn.every((column, at) => column === at)
	/** Whether rows are stored as they came: else they are put together in a place of their own. */
	const direct = inOrder && !columns.some(({ cell }) => mayReplace(cell))
	const rows = direct ? undefined : new RowBuilder(valueSpan.end - valueSpan.start)
	let count = 0
	let rises = true
	startKey()
	let cursor = valueSpan.start
	while (cursor < valueSpan.end) {
		seek(cursor)
		const rowTag = cursor
		if (varint(bytes) !== 0x62) {
			skip(bytes, bytes[rowTag]!)
			cursor = position
			continue
		}
		const rowLength = varint(bytes)
		const rowStart = position
		const rowEnd = rowStart + rowLength
		if (rowEnd > valueSpan.end) throw new YdbError('BAD_REQUEST', 'truncated message')
		if (!direct) cellStarts.fill(-1)
		let anyReplaced = false
		let member = 0
		let at = rowStart
		while (at < rowEnd) {
			if (bytes[at] !== 0x62) throw new YdbError('BAD_REQUEST', 'a row holds something else than items')
			let length = bytes[at + 1]!
			let start = at + 2
			if (length > 127) {
				seek(at + 1)
				length = varint(bytes)
				start = position
			}
			const end = start + length
			const target = memberColumn[member++]
			if (target === undefined || !(end <= rowEnd))
				throw new YdbError('BAD_REQUEST', 'a row has more values than its struct has members')
			const column = columns[target]!
			readCell(bytes, start, end, column.cell, column.name)
			if (isNull) {
				if (column.notNull) throw new YdbError('BAD_REQUEST', `NULL is not allowed for column ${column.name}`)
			} else if (checks[target]) {
				const other = checkContent(bytes, start, end, column.cell, column.name)
				if (other) {
					replaced[target] = other
					anyReplaced = true
				}
			}
			if (length > LIMITS.cellBytes.value) checkSize(payloadEnd - payloadStart)
			cellStarts[target] = start
			cellEnds[target] = end
			at = end
		}
		if (member !== members.length)
			throw new YdbError('BAD_REQUEST', 'a row has fewer values than its struct has members')
		const keyStart = keyBytes
		let keySize = 0
		for (const column of table.key) {
			const { cell, name } = columns[column]!
			const other = replaced[column]
			if (other) addKeyCell(other, 0, other.length, cell, name)
			else addKeyCell(bytes, cellStarts[column]!, cellEnds[column]!, cell, name)
			keySize += payloadEnd - payloadStart
			if (cell.id === Id.UINT8 && !isNull && bytes[cellStarts[column]! + 1]! > LIMITS.keyUint8.value)
				throw new YdbError('BAD_REQUEST', 'Keys with Uint8 column values >127 are currently prohibited')
		}
		if (keySize > LIMITS.keyBytes.value)
			throw new YdbError(
				'BAD_REQUEST',
				`Row key size of ${keySize} bytes is larger than the allowed threshold ${LIMITS.keyBytes.value}`,
			)
		if (count === starts.length) {
			starts = grown(starts)
			ends = grown(ends)
			keyEnds = grown(keyEnds)
		}
		if (rises && count > 0) rises = lastKeyRises(count === 1 ? 0 : keyEnds[count - 2]!, keyStart)
		starts[count] = rowTag
		ends[count] = rowEnd
		keyEnds[count] = keyBytes
		if (rows) {
			starts[count] = rows.length
			if (inOrder && !anyReplaced) rows.whole(bytes, rowTag, rowEnd)
			else {
				const kept = rules.replace || member === width ? undefined : (rules.kept ?? table.rows).get(keyPart(keyStart))
				rows.put(bytes, cellStarts, cellEnds, replaced, cellsOf(kept))
			}
			ends[count] = rows.length
		}
		if (anyReplaced) replaced.fill(undefined)
		count++
		cursor = rowEnd
	}
	const batch: Batch = {
		count,
		bytes: rows ? rows.bytes() : bytes,
		starts: starts.slice(0, count),
		ends: ends.slice(0, count),
		keys: finishKey(),
		keyEnds: keyEnds.slice(0, count),
	}
	return rises || rules.asGiven ? batch : lastOfEachKeyIn(batch)
}

/** Positions of the columns that rows give. */
export function writtenColumns(
	table: Table,
	bytes: Buffer,
	typed: { readonly start: number; readonly end: number },
): number[] {
	const span = field(bytes, typed, 0x0a)!
	const { type } = fromBinary(TypeSchema, bytes.subarray(span.start, span.end))
	const item = type.case === 'listType' ? type.value.item?.type : undefined
	const members = item?.case === 'structType' ? item.value.members : []
	return members.map(({ name }) => table.columns.findIndex((column) => column.name === name))
}

function checkSize(size: number): void {
	const most = LIMITS.cellBytes.value
	if (size > most)
		throw new YdbError('BAD_REQUEST', `Row cell size of ${size} bytes is larger than the allowed threshold ${most}`)
}

/** Rows put together one behind the other. */
class RowBuilder {
	#out: Buffer
	length = 0

	constructor(size: number) {
		this.#out = Buffer.allocUnsafe(size + 1024)
	}

	bytes(): Buffer {
		return this.#out.subarray(0, this.length)
	}

	#room(more: number): void {
		if (this.length + more <= this.#out.length) return
		const bigger = Buffer.allocUnsafe(Math.max(this.#out.length * 2, this.length + more))
		this.#out.copy(bigger, 0, 0, this.length)
		this.#out = bigger
	}

	whole(bytes: Buffer, start: number, end: number): void {
		this.#room(end - start)
		this.length += bytes.copy(this.#out, this.length, start, end)
	}

	/** A whole row from given cells; cells that are not given are those of the kept row, or NULL. */
	put(
		bytes: Buffer,
		from: Int32Array,
		to: Int32Array,
		replaced: readonly (Buffer | undefined)[],
		kept: readonly Buffer[] | undefined,
	): void {
		let size = 0
		for (let column = 0; column < from.length; column++) {
			const given = replaced[column]?.length ?? to[column]! - from[column]!
			size += from[column]! < 0 ? (kept?.[column] ?? NULL_CELL).length : 1 + varintBytes(given) + given
		}
		this.#room(size + 6)
		const out = this.#out
		out[this.length] = 0x12
		let at = putVarint(out, this.length + 1, size)
		for (let column = 0; column < from.length; column++) {
			const other = replaced[column]
			if (from[column]! < 0) {
				const cell = kept?.[column] ?? NULL_CELL
				out.set(cell, at)
				at += cell.length
				continue
			}
			out[at] = 0x62
			at = putVarint(out, at + 1, other?.length ?? to[column]! - from[column]!)
			at += other ? other.copy(out, at) : bytes.copy(out, at, from[column], to[column])
		}
		this.length = at
	}
}

export function frameRow(cells: readonly Uint8Array[]): Buffer {
	const size = cells.reduce((sum, part) => sum + part.length, 0)
	const out = Buffer.allocUnsafe(1 + varintBytes(size) + size)
	out[0] = 0x12
	let at = putVarint(out, 1, size)
	for (const part of cells) {
		out.set(part, at)
		at += part.length
	}
	return out
}

/** The framed cells of a stored row. */
export function cellsOf(row: Buffer | undefined): Buffer[] | undefined {
	if (!row) return undefined
	seek(1)
	varint(row)
	const cells: Buffer[] = []
	while (position < row.length) {
		const start = position
		varint(row)
		const length = varint(row)
		seek(position + length)
		cells.push(row.subarray(start, position))
	}
	return cells
}

export function lastOfEachKey(entries: Entry[]): Entry[] {
	const sorted = entries
		.map((entry, at) => ({ entry, at }))
		.sort((a, b) => a.entry.key.compare(b.entry.key) || a.at - b.at)
	const out: Entry[] = []
	for (const { entry } of sorted) {
		if (out.at(-1)?.key.equals(entry.key)) out.pop()
		out.push(entry)
	}
	return out
}
