import { frameRow } from '../services/bulk-upsert.ts'
import type { Expression, OrderItem, Select } from './ast.ts'
import { ordering, typeError } from './convert.ts'
import { type Datum, encode, framed } from './datum.ts'
import { type Compiled, compile, constantOf, type Row, type Scope } from './evaluate.ts'
import { groups, isGrouped, marked } from './group.ts'
import { syntaxError } from './lexer.ts'
import type { QueryScope } from './query-scope.ts'
import { type Handle, type Rows, sourceRows } from './source.ts'
import type { Member } from './types.ts'
import { findAggregate } from './walk.ts'

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
	/** Position of the column of the source that it is, if it is one. */
	readonly column: number | undefined
}

/** Names for the items: theirs, or `columnN`. */
function namesOf(select: Select): string[] {
	const given = select.items.map(({ value, alias }) => alias ?? (value.kind === 'column' ? value.name : undefined))
	const taken = new Set<string>()
	for (const [at, name] of given.entries()) {
		if (name === undefined) continue
		if (taken.has(name))
			throw syntaxError(select.items[at]!.value.at, `Unable to use duplicate column names. Collision in name: ${name}`)
		taken.add(name)
	}
	return given.map((name, at) => {
		if (name !== undefined) return name
		let number = at
		while (taken.has(`column${number}`)) number++
		return `column${number}`
	})
}

function outputs(select: Select, rows: Rows, within: Scope, grouped: boolean, ordered: boolean): Output[] {
	if (select.items.length > 0) {
		const names = namesOf(select)
		return select.items.map(({ value }, at) => {
			const compiled = compile(value, within)
			const column =
				value.kind === 'column' && !grouped ? within.column(value.name, value.at, value.source)!.index : undefined
			return { name: names[at]!, compiled, column }
		})
	}
	const all = rows.columns.map(({ name }, column): Output => {
		const compiled = compile({ kind: 'column', at: select.at, name }, within)
		return { name, compiled, column }
	})
	// The members of a struct stand in the order of their names, unless a pragma asks for that of the table.
	return ordered ? all : all.sort((a, b) => (a.name < b.name ? -1 : 1))
}

interface OrderKey {
	readonly compiled: Compiled
	readonly order: (x: Datum, y: Datum) => number
	readonly descending: boolean
}

/** ORDER BY means the columns of the result first, then those of the source where rows of it are behind the result. */
function orderKey(item: OrderItem, all: readonly Output[], source: Scope | undefined, scope: QueryScope): OrderKey {
	const { value, descending } = item
	const aggregate = findAggregate(value)
	if (aggregate) throw syntaxError(aggregate.at, 'Unable to ORDER BY aggregated values')
	const compiled = compile(value, {
		now: scope.now,
		version: scope.version,
		parameter: (name, at) => scope.parameter(name, at),
		column(name, at, qualifier) {
			const index = all.findIndex((each) => each.name === name)
			if (index >= 0 && qualifier === undefined) return { index, type: all[index]!.compiled.type }
			if (!source && index < 0) throw syntaxError(at, `Column ${name} is not in source column set`)
			if (!source) return { index, type: all[index]!.compiled.type }
			const found = source.column(name, at, qualifier)
			return found && { index: all.length + found.index, type: found.type }
		},
	})
	if (compiled.constant) throw syntaxError(value.at, 'Unable to ORDER BY constant expression')
	const order = ordering(compiled.type)
	if (!order) throw typeError(value.at, 'Expected comparable type in ORDER BY')
	return { compiled, order, descending }
}

/** The first rows in an order; those that cannot be among them are let go on the way. */
function* sorted(
	source: Iterable<Handle>,
	keys: readonly OrderKey[],
	all: readonly Output[],
	first: number,
): Generator<Handle> {
	interface Decorated {
		readonly handle: Handle
		readonly keys: readonly Datum[]
	}
	const compare = (a: Decorated, b: Decorated): number => {
		for (const [at, { order, descending }] of keys.entries()) {
			const found = order(a.keys[at]!, b.keys[at]!)
			if (found !== 0) return descending ? -found : found
		}
		return 0
	}
	let kept: Decorated[] = []
	for (const handle of source) {
		const row: Row = (column) =>
			column < all.length ? all[column]!.compiled.value(handle.row) : handle.row(column - all.length)
		kept.push({ handle, keys: keys.map(({ compiled }) => compiled.value(row)) })
		if (kept.length >= 2 * first + 1000) kept = kept.sort(compare).slice(0, first)
	}
	for (const { handle } of kept.sort(compare)) yield handle
}

function* distinct(source: Iterable<Handle>, all: readonly Output[]): Generator<Handle> {
	const seen = new Set<string>()
	for (const handle of source) {
		const mark = all.map(({ compiled }) => marked(compiled.value(handle.row), compiled)).join('')
		if (seen.has(mark)) continue
		seen.add(mark)
		yield handle
	}
}

function* part(source: Iterable<Handle>, offset: number, limit: number): Generator<Handle> {
	let at = 0
	if (limit === 0) return
	for (const handle of source) {
		if (at++ < offset) continue
		yield handle
		if (at - offset >= limit) return
	}
}

/** Prepares a SELECT. Its rows are made when they are asked for, from the state of now. */
export function runSelect(select: Select, scope: QueryScope): Selected {
	const rows = sourceRows(select, scope)
	const grouped = isGrouped(select) ? groups(select, rows) : undefined
	const limit = bound(select.limit, scope, Number.POSITIVE_INFINITY)
	const offset = bound(select.offset, scope, 0)
	if (grouped && select.items.length === 0) throw syntaxError(select.at, 'Unable to use asterisk with GROUP BY')
	const all = outputs(select, rows, grouped?.within ?? rows.within, grouped !== undefined, scope.orderedColumns)
	const columns = all.map(({ name, compiled }) => ({ name, type: compiled.type }))
	const behind = grouped || select.distinct || !select.from ? undefined : rows.within
	const keys = select.orderBy.map((item) => orderKey(item, all, behind, scope))
	const inOrder = keys.length === 0 || (rows.inOrder && !grouped)

	const handles = (): Iterable<Handle> => {
		let source: Iterable<Handle> = grouped ? grouped.handles() : rows.handles()
		if (select.distinct) source = distinct(source, all)
		if (!inOrder) source = sorted(source, keys, all, offset + limit)
		return offset === 0 && limit === Number.POSITIVE_INFINITY ? source : part(source, offset, limit)
	}
	const asStored =
		!grouped &&
		!select.distinct &&
		all.length === rows.columns.length &&
		all.every(({ column }, at) => column === at) &&
		inOrder &&
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
