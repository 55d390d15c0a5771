import { create } from '@bufbuild/protobuf'
import { CreateTableRequestSchema, type TableIndex } from '@ydbjs/api/table'
import { cellsOf, frameRow } from '../services/bulk-upsert.ts'
import { type Entry, RowStore } from '../store/row-store.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import { MadeTable } from './made-table.ts'
import type { Table } from './table.ts'

/** Names of the columns of an index, the key first. Source: FillIndexImplTableColumns in schemeshard. */
function columnsOf(of: Table, index: TableIndex): { readonly key: string[]; readonly all: string[] } {
	const key = [...new Set([...index.indexColumns, ...of.spec.primaryKey])]
	const data = of.spec.columns.map(({ name }) => name).filter((name) => index.dataColumns.includes(name))
	return { key, all: [...key, ...data.filter((name) => !key.includes(name))] }
}

/**
 * The table that holds a secondary index. It is made from the rows of its table whenever those changed since the last look: always
 * consistent, and as slow as a sort of all rows.
 */
export class IndexTable extends MadeTable {
	readonly #of: Table
	/** Where its columns stand in a table of these columns: they move when one is dropped. */
	#positions: { readonly among: Table['columns']; readonly at: readonly number[] } = { among: [], at: [] }
	#made: { readonly from: RowStore; readonly version: number; readonly rows: RowStore } | undefined

	constructor(of: Table, index: TableIndex) {
		const { key, all } = columnsOf(of, index)
		const columns = all.map((name) => {
			const { type, notNull } = of.columns.find((column) => column.name === name)!
			return { name, type, notNull }
		})
		super(create(CreateTableRequestSchema, { columns, primaryKey: key }), of.createdAt)
		this.#of = of
	}

	#positionsNow(): readonly number[] {
		const among = this.#of.columns
		if (this.#positions.among !== among) {
			const at = this.columns.map(({ name }) => among.findIndex((column) => column.name === name))
			this.#positions = { among, at }
		}
		return this.#positions.at
	}

	override get refusesWrites(): string {
		return 'Writing to index implementation tables is not allowed.'
	}

	protected override made(): RowStore {
		const { rows } = this.#of
		if (this.#made?.from !== rows || this.#made.version !== rows.version)
			this.#made = { from: rows, version: rows.version, rows: this.#make(rows) }
		return this.#made.rows
	}

	/** Its row for a row of its table. */
	entryOf(row: Buffer): { readonly key: Buffer; readonly row: Buffer } {
		const given = cellsOf(row)!
		const cells = this.#positionsNow().map((position) => given[position]!)
		startKey()
		for (const at of this.key) {
			const bytes = cells[at]!
			let start = 1
			while (bytes[start]! > 127) start++
			addKeyCell(bytes, start + 1, bytes.length, this.columns[at]!.cell, this.columns[at]!.name)
		}
		return { key: finishKey(), row: frameRow(cells) }
	}

	#make(rows: RowStore): RowStore {
		const entries: Entry[] = []
		for (const { row } of rows.entries()) entries.push(this.entryOf(row))
		entries.sort((a, b) => a.key.compare(b.key))
		return RowStore.of(entries, rows.version)
	}
}
