import { fromBinary } from '@bufbuild/protobuf'
import { TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Table } from '../scheme/table.ts'
import type { Entry, RowStore } from '../store/row-store.ts'
import { checkContent, isNull, readCell } from '../wire/cell.ts'
import { columnType, isOptional, sameType } from '../wire/column-type.ts'
import { field, position, putVarint, seek, skip, varint, varintBytes } from '../wire/cursor.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'

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
	/** Columns that are not given take their default; where `kept` has the row, it stays. */
	readonly defaults?: boolean
}

/** Turns the list of structs of a TypedValue (bytes) into rows of a table, checked as YDB checks them; sorted, the last of a key wins. */
export function rowsOf(
	table: Table,
	bytes: Uint8Array,
	typed: { readonly start: number; readonly end: number },
	rules: WriteRules = {},
): Entry[] {
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
	const own = columns.map(({ otherwise }, at) => (rules.defaults && !memberColumn.includes(at) ? otherwise : undefined))
	for (const at of table.key)
		if (!own[at] && !memberColumn.includes(at))
			throw new YdbError('SCHEME_ERROR', `Missing key columns: ${columns[at]!.name}`)
	for (const [at, { notNull, name }] of columns.entries())
		if (notNull && !rules.partial && !own[at] && !memberColumn.includes(at))
			throw new YdbError('SCHEME_ERROR', `Missing not null columns: ${name}`)
	if (!valueSpan) return []

	const starts = new Int32Array(columns.length)
	const ends = new Int32Array(columns.length)
	const replaced: (Buffer | undefined)[] = Array.from({ length: columns.length })
	const checks = columns.map(({ cell }) => !FREE_TAGS.has(cell.tag) && (cell.tag !== 0x42 || cell.id !== 4097))
	const inOrder = memberColumn.length === columns.length && memberColumn.every((column, at) => column === at)
	const entries: Entry[] = []
	let rises = true
	let previous: Buffer | undefined
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
		starts.fill(-1)
		let anyReplaced = false
		let member = 0
		let at = rowStart
		while (at < rowEnd) {
			seek(at)
			if (varint(bytes) !== 0x62) throw new YdbError('BAD_REQUEST', 'a row holds something else than items')
			const length = varint(bytes)
			const start = position
			const end = start + length
			const target = memberColumn[member++]
			if (target === undefined || end > rowEnd)
				throw new YdbError('BAD_REQUEST', 'a row has more values than its struct has members')
			const column = columns[target]!
			readCell(bytes, start, end, column.cell, column.name)
			if (isNull) {
				if (column.notNull) throw new YdbError('BAD_REQUEST', `NULL is not allowed for column ${column.name}`)
			} else if (checks[target]) {
				const other = checkContent(bytes, start, end, column.cell, column.name)
				replaced[target] = other
				anyReplaced ||= other !== undefined
			}
			starts[target] = start
			ends[target] = end
			at = end
		}
		if (member !== members.length)
			throw new YdbError('BAD_REQUEST', 'a row has fewer values than its struct has members')
		for (const column of table.key) {
			if (!own[column]) continue
			replaced[column] = contentOf(own[column]())
			starts[column] = 0
			anyReplaced = true
		}
		startKey()
		for (const column of table.key) {
			const { cell, name } = columns[column]!
			const other = replaced[column]
			if (other) addKeyCell(other, 0, other.length, cell, name)
			else addKeyCell(bytes, starts[column]!, ends[column]!, cell, name)
		}
		const key = finishKey()
		let row: Buffer
		if (inOrder && !anyReplaced) row = Buffer.from(bytes.buffer, bytes.byteOffset + rowTag, rowEnd - rowTag)
		else row = assemble(rules.replace ? undefined : (rules.kept ?? table.rows), key, bytes, starts, ends, replaced, own)
		if (anyReplaced) replaced.fill(undefined)
		if (previous && previous.compare(key) >= 0) rises = false
		previous = key
		entries.push({ key, row })
		cursor = rowEnd
	}
	return rises || rules.asGiven ? entries : lastOfEachKey(entries)
}

/** A whole row from given cells; cells that are not given keep the value that the table has, or are NULL. */
function assemble(
	rows: RowStore | undefined,
	key: Buffer,
	bytes: Uint8Array,
	starts: Int32Array,
	ends: Int32Array,
	replaced: readonly (Buffer | undefined)[],
	own: readonly ((() => Uint8Array) | undefined)[],
): Buffer {
	const kept = starts.includes(-1) ? cellsOf(rows?.get(key)) : undefined
	const parts: Uint8Array[] = []
	for (let column = 0; column < starts.length; column++) {
		if (starts[column]! < 0) {
			parts.push(kept?.[column] ?? own[column]?.() ?? NULL_CELL)
			continue
		}
		const cell = replaced[column] ?? bytes.subarray(starts[column], ends[column])
		const head = Buffer.allocUnsafe(1 + varintBytes(cell.length))
		head[0] = 0x62
		putVarint(head, 1, cell.length)
		parts.push(head, cell)
	}
	return frameRow(parts)
}

/** A cell without its tag and length. */
function contentOf(framed: Uint8Array): Buffer {
	let start = 1
	while (framed[start]! > 127) start++
	return Buffer.from(framed.buffer, framed.byteOffset + start + 1, framed.length - start - 1)
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
