import { YdbError } from '../error.ts'
import type { Table } from '../scheme/table.ts'
import type { Page, RowStore, StoreRange } from '../store/row-store.ts'
import { cellsOf, frameRow } from '../services/bulk-upsert.ts'
import { pagesOf } from '../services/read-table.ts'
import type { Expression, Select } from './ast.ts'
import { ordering, typeError } from './convert.ts'
import { type Datum, encode, framed, readDatum } from './datum.ts'
import { type Compiled, compile, constantOf, mustBeBool, type Row, type Scope } from './evaluate.ts'
import { keyRanges } from './key-range.ts'
import { type QueryScope, tableColumns } from './query-scope.ts'
import { type Member, UINT64 } from './types.ts'

/** Rows framed as rows of a result set, side by side. */
export interface Chunk {
	readonly rows: Buffer
	readonly count: number
}

export interface Selected {
	readonly columns: readonly Member[]
	/** The rows as values. */
	values(): Iterable<readonly Datum[]>
	/** The rows as they are sent. */
	chunks(): Iterable<Chunk>
}

/** One row of a source. */
interface Handle {
	readonly row: Row
	/** The framed cell of a column, where the source has bytes. */
	cell?(column: number): Buffer
}

interface Rows {
	readonly columns: readonly Member[]
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

function orderIsKey(table: Table, select: Select): boolean {
	return select.orderBy.every(
		({ value, descending }, at) =>
			!descending && value.kind === 'column' && table.columns[table.key[at] ?? -1]?.name === value.name,
	)
}

/** The rows of a table in ranges; read within the transaction. */
export function tableRows(
	table: Table,
	store: RowStore,
	ranges: readonly StoreRange[],
	condition: Compiled | undefined,
	ordered: boolean,
): { pages(): Generator<Page>; handles(): Generator<Handle & { readonly bytes: Buffer }>; count?: () => number } {
	function* pages(): Generator<Page> {
		for (const range of ranges) yield* pagesOf(table, range, ordered, store)
	}
	function* handles(): Generator<Handle & { readonly bytes: Buffer }> {
		for (const page of pages())
			for (const bytes of rowsOfPage(page)) {
				const handle = tableHandle(table, bytes)
				if (condition === undefined || condition.value(handle.row) === true) yield { ...handle, bytes }
			}
	}
	const count = (): number => {
		if (ranges.length === 1 && !ranges[0]!.from && !ranges[0]!.to) return store.count
		let sum = 0
		for (const page of pages()) sum += page.count
		return sum
	}
	return condition ? { pages, handles } : { pages, handles, count }
}

function sourceRows(select: Select, scope: QueryScope): Rows {
	const { from, where } = select
	const conditionOf = (within: Scope): Compiled | undefined => {
		if (!where) return undefined
		const condition = compile(where, within)
		mustBeBool(condition, where.at)
		return condition
	}
	if (!from) return { columns: [], handles: () => [{ row: () => null }], inOrder: true }
	if (from.kind === 'table') {
		const { path, table } = scope.table(from.path, from.at)
		const columns = tableColumns(table)
		const within = scope.withColumns(columns)
		const condition = conditionOf(within)
		const { ranges, exact } = keyRanges(table, where, within)
		const inOrder = orderIsKey(table, select)
		const store = scope.transaction.read(path, ranges).snapshot()
		const residue = exact ? undefined : condition
		const rows = tableRows(table, store, ranges, residue, select.orderBy.length > 0 && inOrder)
		return {
			columns,
			inOrder,
			handles: rows.handles,
			...(rows.count && { count: rows.count }),
			...(!residue && { pages: rows.pages }),
		}
	}
	const { type, value } = constantOf(from.rows, scope)
	if (type.kind === 'emptyList' || (type.kind === 'list' && type.item.kind !== 'struct') || type.kind !== 'list')
		throw typeError(from.at, 'Expected list of structs as argument of AS_TABLE')
	const columns = type.item.kind === 'struct' ? type.item.members : []
	const condition = conditionOf(scope.withColumns(columns))
	return {
		columns,
		inOrder: select.orderBy.length === 0,
		*handles() {
			for (const item of value as readonly (readonly Datum[])[]) {
				const row: Row = (column) => item[column]!
				if (condition === undefined || condition.value(row) === true) yield { row }
			}
		},
	}
}

function bound(expression: Expression | undefined, scope: QueryScope, otherwise: number): number {
	if (!expression) return otherwise
	const { value } = constantOf(expression, scope)
	if (value === null) return otherwise
	if (typeof value !== 'bigint' || value < 0n) throw typeError(expression.at, 'LIMIT and OFFSET take Uint64')
	return Number(value)
}

interface Output {
	readonly name: string
	readonly compiled: Compiled
	/** Position of the column that it is, if it is one. */
	readonly column: number | undefined
}

function outputs(select: Select, rows: Rows, within: Scope, ordered: boolean): Output[] {
	if (select.items.length > 0)
		return select.items.map(({ value, alias }, at) => {
			const compiled = compile(value, within)
			const column = value.kind === 'column' ? within.column(value.name)!.index : undefined
			return { name: alias ?? (value.kind === 'column' ? value.name : `column${at}`), compiled, column }
		})
	const all = rows.columns.map(({ name }, column): Output => {
		const compiled = compile({ kind: 'column', at: select.at, name }, within)
		return { name, compiled, column }
	})
	// The members of a struct stand in the order of their names, unless a pragma asks for that of the table.
	return ordered ? all : all.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Prepares a SELECT. Its rows are made when they are asked for, from the state of now. */
export function runSelect(select: Select, scope: QueryScope): Selected {
	const rows = sourceRows(select, scope)
	const within = scope.withColumns(rows.columns)
	const limit = bound(select.limit, scope, Number.POSITIVE_INFINITY)
	const offset = bound(select.offset, scope, 0)
	if (select.items.some(({ value }) => value.kind === 'count')) return counted(select, rows, within, offset, limit)
	const all = outputs(select, rows, within, scope.orderedColumns)
	const names = new Set(all.map(({ name }) => name))
	if (names.size !== all.length) throw typeError(select.at, 'Duplicate names of columns in SELECT')
	const columns = all.map(({ name, compiled }) => ({ name, type: compiled.type }))
	const keys = select.orderBy.map(({ value, descending }) => {
		const aliased = value.kind === 'column' ? all.find(({ name }) => name === value.name)?.compiled : undefined
		const key = aliased ?? compile(value, within)
		const order = ordering(key.type)
		if (!order) throw typeError(value.at, 'Expected a comparable type in ORDER BY')
		return { key, order, descending }
	})
	function* handles(): Generator<Handle> {
		let source = rows.handles()
		if (!rows.inOrder) {
			const sorted = [...source].map((handle) => ({ handle, keys: keys.map(({ key }) => key.value(handle.row)) }))
			sorted.sort((a, b) => {
				for (const [at, { order, descending }] of keys.entries()) {
					const found = order(a.keys[at]!, b.keys[at]!)
					if (found !== 0) return descending ? -found : found
				}
				return 0
			})
			source = sorted.map(({ handle }) => handle)
		}
		let at = 0
		if (limit === 0) return
		for (const handle of source) {
			if (at++ < offset) continue
			yield handle
			if (at - offset >= limit) return
		}
	}
	const asStored =
		all.length === rows.columns.length &&
		all.every(({ column }, at) => column === at) &&
		rows.inOrder &&
		offset === 0 &&
		limit === Number.POSITIVE_INFINITY
	return {
		columns,
		*values() {
			for (const { row } of handles()) yield all.map(({ compiled }) => compiled.value(row))
		},
		*chunks() {
			if (asStored && rows.pages) {
				yield* rows.pages()
				return
			}
			for (const { row, cell } of handles()) {
				const cells = all.map(({ compiled, column }) =>
					cell && column !== undefined ? cell(column) : framed(0x62, [encode(compiled.value(row), compiled.type)]),
				)
				yield { rows: frameRow(cells), count: 1 }
			}
		},
	}
}

/** SELECT of COUNTs: one row. */
function counted(select: Select, rows: Rows, within: Scope, offset: number, limit: number): Selected {
	if (select.orderBy.length > 0) throw new YdbError('UNSUPPORTED', 'ORDER BY of an aggregation is not emulated')
	const columns = select.items.map(({ alias }, at) => ({ name: alias ?? `column${at}`, type: UINT64 }))
	const parts = select.items.map(({ value }) => {
		if (value.kind !== 'count')
			throw new YdbError('UNSUPPORTED', 'aggregation next to other expressions is not emulated', 0, { at: value.at })
		return value.item && compile(value.item, within)
	})
	const totals = (): bigint[] => {
		if (rows.count && parts.every((part) => part === undefined)) {
			const count = BigInt(rows.count())
			return parts.map(() => count)
		}
		const sums = parts.map(() => 0n)
		for (const { row } of rows.handles())
			for (const [at, part] of parts.entries()) if (!part || part.value(row) !== null) sums[at]!++
		return sums
	}
	const given = offset === 0 && limit > 0
	return {
		columns,
		*values() {
			if (given) yield totals()
		},
		*chunks() {
			if (given) yield { rows: frameRow(totals().map((sum) => framed(0x62, [encode(sum, UINT64)]))), count: 1 }
		},
	}
}
