import { YdbError } from '../error.ts'
import { isNewerIndex } from '../scheme/newer-index.ts'
import type { Table } from '../scheme/table.ts'
import { cellsOf } from '../services/bulk-upsert.ts'
import { pagesOf } from '../services/read-table.ts'
import type { Page, RowStore, StoreRange } from '../store/row-store.ts'
import type { Access } from './access.ts'
import type { Select, Source } from './ast.ts'
import { ordering, typeError } from './convert.ts'
import { type Datum, readDatum } from './datum.ts'
import { type Compiled, compile, constantOf, mustBeBool, type Row, type Scope } from './evaluate.ts'
import { keyRanges, readStep } from './key-range.ts'
import { syntaxError } from './lexer.ts'
import { type QueryScope, tableColumns } from './query-scope.ts'
import type { Member } from './types.ts'
import { findAggregate } from './walk.ts'

/** One row of a source. */
export interface Handle {
	readonly row: Row
	/** The framed cell of a column, where the source has bytes. */
	cell?(column: number): Buffer
}

/** The rows that a SELECT reads, before it makes something of them. */
export interface Rows {
	readonly columns: readonly Member[]
	/** What the names of the columns mean. */
	readonly within: Scope
	/** Rows that meet the condition, in the order of the key when it was asked for. */
	handles(): Iterable<Handle>
	/** How many, when that is known without looking at each. */
	readonly count?: () => number
	/** Whether the rows come in the order that was asked for. */
	readonly inOrder: boolean
	/** Whole pages, when the rows are those of a table as they are. */
	readonly pages?: () => Iterable<Page>
}

function tableHandle(table: Table, bytes: Buffer): Handle {
	const cells = cellsOf(bytes)!
	return {
		row: (column) => {
			const cell = cells[column]!
			// Tag, length and content of an item.
			let start = 1
			while (cell[start]! > 127) start++
			return readDatum(cell, start + 1, cell.length, table.columns[column]!.cell)
		},
		cell: (column) => cells[column]!,
	}
}

/** The rows of a page one by one, in the bytes of the page. */
export function* rowsOfPage({ rows, count, ends, first, base }: Page): Generator<Buffer> {
	let start = 0
	for (let at = first; at < first + count; at++) {
		const end = ends[at]! - base
		yield rows.subarray(start, end)
		start = end
	}
}

/** Whether the order that is asked for is that of the key, and means columns of the table. */
function orderIsKey(table: Table, { orderBy, items }: Select): boolean {
	const shadowed = (name: string): boolean =>
		items.some(({ value, alias }) => alias === name && !(value.kind === 'column' && value.name === name))
	return orderBy.every(
		({ value, descending }, at) =>
			!descending &&
			value.kind === 'column' &&
			!shadowed(value.name) &&
			table.columns[table.key[at] ?? -1]?.name === value.name,
	)
}

export interface TableRead {
	readonly table: Table
	readonly store: RowStore
	readonly ranges: readonly StoreRange[]
	readonly condition: Compiled | undefined
	readonly ordered: boolean
	/** Where to count what was read. */
	readonly access: Access
}

export interface TableRows {
	pages(): Generator<Page>
	handles(): Generator<Handle & { readonly bytes: Buffer }>
	readonly count?: () => number
}

/** The rows of a table in ranges; read within the transaction. */
export function tableRows({ table, store, ranges, condition, ordered, access }: TableRead): TableRows {
	function* pages(): Generator<Page> {
		for (const range of ranges)
			for (const page of pagesOf(table, range, ordered, store)) {
				access.readRows += page.count
				access.readBytes += page.rows.length
				yield page
			}
	}
	function* handles(): Generator<Handle & { readonly bytes: Buffer }> {
		for (const page of pages())
			for (const bytes of rowsOfPage(page)) {
				const handle = tableHandle(table, bytes)
				if (condition === undefined || condition.value(handle.row) === true) yield { ...handle, bytes }
			}
	}
	const count = (): number => {
		if (ranges.length === 1 && !ranges[0]!.from && !ranges[0]!.to) {
			access.readRows += store.count
			return store.count
		}
		let sum = 0
		for (const page of pages()) sum += page.count
		return sum
	}
	return condition ? { pages, handles } : { pages, handles, count }
}

/** Positions of the columns by which an index orders the rows: its own, then those of the key. */
function indexOrder(table: Table, source: Extract<Source, { kind: 'table' }>): number[] {
	const index = table.spec.indexes.find(({ name }) => name === source.view)
	if (!index)
		throw new YdbError('SCHEME_ERROR', `Required global index not found, index name: ${source.view}`, 2003, {
			at: source.at,
			within: [['Type annotation', 1030]],
		})
	if (isNewerIndex(index)) throw new YdbError('UNSUPPORTED', `lookups by index ${index.name} are not emulated`)
	const own = index.indexColumns.map((name) => table.columns.findIndex((column) => column.name === name))
	return [...own, ...table.key.filter((column) => !own.includes(column))]
}

function* byColumns(
	handles: Iterable<Handle>,
	order: readonly number[],
	columns: readonly Member[],
): Generator<Handle> {
	const compare = order.map((column) => ordering(columns[column]!.type)!)
	const sorted = [...handles].map((handle) => ({ handle, key: order.map((column) => handle.row(column)) }))
	sorted.sort((a, b) => {
		for (const [at, each] of compare.entries()) {
			const found = each(a.key[at]!, b.key[at]!)
			if (found !== 0) return found
		}
		return 0
	})
	for (const { handle } of sorted) yield handle
}

function fromTable(from: Extract<Source, { kind: 'table' }>, select: Select, scope: QueryScope): Rows {
	const { where, orderBy } = select
	const { path, table } = scope.table(from.path, from.at)
	const columns = tableColumns(table)
	const within = scope.withColumns(columns, from.alias ? [from.alias] : [from.path, from.path.split('/').at(-1)!])
	const condition = where && compile(where, within)
	if (condition) mustBeBool(condition, where.at)
	const order = from.view === undefined ? undefined : indexOrder(table, from)
	const found = keyRanges(table, where, within)
	const { ranges, exact } = found
	scope.accesses.steps.push(
		readStep(
			table,
			path,
			found,
			columns.map(({ name }) => name),
		),
	)
	const inOrder = !order && orderIsKey(table, select)
	const store = scope.transaction.read(path, ranges).snapshot()
	const residue = exact ? undefined : condition
	const ordered = orderBy.length > 0 && inOrder
	const rows = tableRows({ table, store, ranges, condition: residue, ordered, access: scope.accesses.of(path) })
	return {
		columns,
		within,
		inOrder: inOrder || orderBy.length === 0,
		handles: order ? () => byColumns(rows.handles(), order, columns) : rows.handles,
		...(rows.count && { count: rows.count }),
		...(!residue && !order && { pages: rows.pages }),
	}
}

function fromList(from: Extract<Source, { kind: 'rows' }>, select: Select, scope: QueryScope): Rows {
	const { where, orderBy } = select
	const { type, value } = constantOf(from.rows, scope)
	if (type.kind !== 'list' || type.item.kind !== 'struct')
		throw typeError(from.at, 'Expected list of structs as argument of AS_TABLE')
	const columns = type.item.members
	const within = scope.withColumns(columns, from.alias ? [from.alias] : [])
	const condition = where && compile(where, within)
	if (condition) mustBeBool(condition, where.at)
	return {
		columns,
		within,
		inOrder: orderBy.length === 0,
		*handles() {
			for (const item of value as readonly (readonly Datum[])[]) {
				const row: Row = (column) => item[column]!
				if (condition === undefined || condition.value(row) === true) yield { row }
			}
		},
	}
}

/** What a SELECT reads. Nothing is read before it is asked for. */
export function sourceRows(select: Select, scope: QueryScope): Rows {
	const { from, where } = select
	const aggregate = findAggregate(where)
	if (aggregate) throw syntaxError(aggregate.at, 'Can not use aggregated values in filtering')
	if (!from) return { columns: [], within: scope, handles: () => [{ row: () => null }], inOrder: true }
	return from.kind === 'table' ? fromTable(from, select, scope) : fromList(from, select, scope)
}
