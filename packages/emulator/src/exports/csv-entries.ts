import type { Table } from '../scheme/table.ts'
import { frameRow } from '../services/bulk-upsert.ts'
import type { Entry } from '../store/row-store.ts'
import { checkContent, isNull, readCell } from '../wire/cell.ts'
import { putVarint, varintBytes } from '../wire/cursor.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import { parseLine } from './csv-reader.ts'
import { exportedColumns } from './descriptions.ts'
import { ImportError } from './import-files.ts'

/** Makes rows of a table, as it stores them, of lines without their ends. They are checked as those of a write. */
export function entriesOfLines(table: Table): (line: Buffer) => Entry {
	const columns = exportedColumns(table)
	const types = columns.map(({ column }) => column.cell)
	return (line) => {
		try {
			const cells = parseLine(line, types)
			const row = Array.from<Buffer>({ length: columns.length })
			for (const [at, { position, column }] of columns.entries()) row[position] = framedCell(cells[at]!, column)
			startKey()
			for (const at of table.key) {
				const cell = row[at]!
				const { cell: type, name } = table.columns[at]!
				addKeyCell(cell, valueStart(cell), cell.length, type, name)
			}
			return { key: finishKey(), row: frameRow(row) }
		} catch (error) {
			throw new ImportError(`${error instanceof Error ? error.message : String(error)} on line: ${shown(line)}`)
		}
	}
}

export const shown = (line: Buffer): string => line.toString('latin1', 0, 100)

/** Where the value begins in a framed cell. */
function valueStart(cell: Buffer): number {
	let at = 1
	while (cell[at]! > 127) at++
	return at + 1
}

function framedCell(value: Buffer, { cell, name, notNull }: Table['columns'][number]): Buffer {
	readCell(value, 0, value.length, cell, name)
	if (isNull && notNull) throw new SyntaxError(`Value parse error: NULL in column ${name}`)
	const checked = (isNull ? undefined : checkContent(value, 0, value.length, cell, name)) ?? value
	const framed = Buffer.allocUnsafe(1 + varintBytes(checked.length) + checked.length)
	framed[0] = 0x62
	checked.copy(framed, putVarint(framed, 1, checked.length))
	return framed
}
