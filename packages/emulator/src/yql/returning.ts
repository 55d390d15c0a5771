import type { Table } from '../scheme/table.ts'
import { cellsOf, frameRow } from '../services/bulk-upsert.ts'
import type { Entry } from '../store/row-store.ts'
import type { Returning } from './ast.ts'
import { typeError } from './convert.ts'
import { readDatum } from './datum.ts'
import type { Position } from './lexer.ts'
import { type QueryScope, tableColumns } from './query-scope.ts'
import type { Selected } from './select.ts'

/** Makes a result of the rows that a write touched; undefined when the statement wants none. The order of `*` is that of SELECT (a guess). */
export function returns(
	table: Table,
	returning: Returning,
	at: Position,
	scope: QueryScope,
): ((entries: readonly Entry[]) => Selected) | undefined {
	if (!returning) return undefined
	const all = tableColumns(table)
	const names = returning.length > 0 ? returning : all.map(({ name }) => name)
	if (returning.length === 0 && !scope.orderedColumns) (names as string[]).sort((a, b) => (a < b ? -1 : 1))
	const positions = names.map((name) => {
		const position = all.findIndex((column) => column.name === name)
		if (position < 0) throw typeError(at, `Column not found: ${name}`)
		return position
	})
	return (entries) => ({
		columns: positions.map((position) => all[position]!),
		*values() {
			for (const { row } of entries) {
				const cells = cellsOf(row!)!
				yield positions.map((position) => {
					const cell = cells[position]!
					let start = 1
					while (cell[start]! > 127) start++
					return readDatum(cell, start + 1, cell.length, table.columns[position]!.cell)
				})
			}
		},
		*chunks() {
			for (const { row } of entries) {
				const cells = cellsOf(row!)!
				yield { rows: frameRow(positions.map((position) => cells[position]!)), count: 1 }
			}
		},
	})
}
