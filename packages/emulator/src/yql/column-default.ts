import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type StructMember, StructMemberSchema, TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Table } from '../scheme/table.ts'
import { cellsOf, frameRow } from '../services/bulk-upsert.ts'
import { field, fields } from '../wire/cursor.ts'
import { framed } from './datum.ts'
import type { TypedRows } from './write-source.ts'

/** Whether a row may leave a column out because the table knows a value for it. */
export function hasDefault(table: Table, column: number): boolean {
	return table.columns[column]!.otherwise !== undefined
}

/** The framed cell that a new row has in a column which it does not name. Each call is for one row. */
function defaultCell(table: Table, column: number): Buffer {
	return Buffer.from(table.columns[column]!.otherwise!())
}

/** Rows with cells of more columns behind those that they have. */
function withColumns(table: Table, rows: TypedRows, columns: readonly number[]): TypedRows {
	const typeSpan = field(rows.bytes, rows, 0x0a)!
	const valueSpan = field(rows.bytes, rows, 0x12)
	const type = fromBinary(TypeSchema, rows.bytes.subarray(typeSpan.start, typeSpan.end))
	const item = type.type.case === 'listType' ? type.type.value.item : undefined
	if (item?.type.case !== 'structType') throw new YdbError('BAD_REQUEST', 'rows must be a list of structs')
	const more = columns.map((column): StructMember =>
		create(StructMemberSchema, { name: table.columns[column]!.name, type: table.columns[column]!.type }),
	)
	item.type.value.members.push(...more)
	const items: Buffer[] = []
	if (valueSpan)
		for (const { start, end } of fields(rows.bytes, valueSpan, 0x62))
			items.push(
				framed(0x62, [rows.bytes.subarray(start, end), ...columns.map((column) => defaultCell(table, column))]),
			)
	const bytes = Buffer.concat([framed(0x0a, [toBinary(TypeSchema, type)]), framed(0x12, [Buffer.concat(items)])])
	const names = [...rows.names, ...more.map(({ name }) => name)]
	return { bytes, start: 0, end: bytes.length, width: names.length, names }
}

/**
 * Rows with what the table knows for columns that they do not name. An UPSERT keeps the cells of rows that exist, so there only key
 * columns are filled at once; `fresh` fills the others of a row that is new.
 */
export function withDefaults(
	table: Table,
	given: TypedRows,
	whole: boolean,
): { readonly rows: TypedRows; readonly fresh?: (row: Buffer) => Buffer } {
	const missing = [...table.columns.keys()].filter(
		(column) => hasDefault(table, column) && !given.names.includes(table.columns[column]!.name),
	)
	if (missing.length === 0) return { rows: given }
	const now = missing.filter((column) => whole || table.key.includes(column))
	const later = missing.filter((column) => !now.includes(column))
	const rows = now.length > 0 ? withColumns(table, given, now) : given
	if (later.length === 0) return { rows }
	return {
		rows,
		fresh: (row) => {
			const cells = cellsOf(row)!
			for (const column of later) cells[column] = defaultCell(table, column)
			return frameRow(cells)
		},
	}
}
