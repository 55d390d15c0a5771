import type { Table } from '../scheme/table.ts'
import type { StoreRange } from '../store/row-store.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import type { Step } from './access.ts'
import type { BinaryOperator, Expression } from './ast.ts'
import { convert } from './convert.ts'
import { type Datum, encode, type Typed } from './datum.ts'
import { choices, compile, constantOf, type Scope } from './evaluate.ts'
import { bare, optional, type YqlType } from './types.ts'

export interface KeyRanges {
	readonly ranges: readonly StoreRange[]
	/** Whether every row of the ranges meets the condition, so that it need not be evaluated. */
	readonly exact: boolean
	/** How many columns of the key the condition binds, and whether it names whole keys. */
	readonly bound: number
	readonly points: boolean
}

interface Bound {
	readonly key: Buffer
	readonly included: boolean
}
/** What a condition says about key columns: `=` any of some cells, or one or two bounds of the columns from one on. */
interface Clause {
	readonly column: number
	readonly cells?: readonly Buffer[]
	readonly from?: Bound
	readonly to?: Bound
	readonly exact: boolean
}

const MOST_POINTS = 10_000
const AFTER_NULL = Buffer.of(1)
const NULL_KEY = Buffer.of(0)
const BEHIND = Buffer.of(0xff)
const MIRRORED: Readonly<Record<string, BinaryOperator>> = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

function conjuncts(expression: Expression): Expression[] {
	return expression.kind === 'binary' && expression.operator === 'AND'
		? [...conjuncts(expression.left), ...conjuncts(expression.right)]
		: [expression]
}

/** The key ranges in which the rows that meet a condition lie. */
export function keyRanges(table: Table, where: Expression | undefined, scope: Scope): KeyRanges {
	if (!where) return { ranges: [{}], exact: true, bound: 0, points: false }
	const clauses: (Clause | undefined)[] = conjuncts(where).map((each) => clauseOf(table, each, scope))
	const used = new Set<Clause>()
	let points: Buffer[] = [Buffer.alloc(0)]
	let column = 0
	for (; column < table.key.length; column++) {
		const clause = clauses.find((each) => each?.cells && each.column === column)
		if (!clause?.cells || points.length * clause.cells.length > MOST_POINTS) break
		used.add(clause)
		points = points.flatMap((point) => clause.cells!.map((cell) => Buffer.concat([point, cell])))
	}
	let [from, to]: [Bound | undefined, Bound | undefined] = [undefined, undefined]
	let bounded = false
	for (const clause of clauses) {
		if (!clause || clause.cells || clause.column !== column) continue
		used.add(clause)
		bounded = true
		if (clause.from && (!from || place(clause.from, false).compare(place(from, false)) > 0)) from = clause.from
		if (clause.to && (!to || place(clause.to, true).compare(place(to, true)) < 0)) to = clause.to
	}
	const exact = clauses.every((clause) => clause && used.has(clause) && clause.exact)
	const distinct = [...new Map(points.map((point) => [point.toString('latin1'), point])).values()].sort(Buffer.compare)
	const ranges = distinct.map((point): StoreRange => {
		if (!bounded) return point.length === 0 ? {} : { from: point, to: Buffer.concat([point, BEHIND]) }
		return {
			from: Buffer.concat([point, from ? place(from, false) : AFTER_NULL]),
			to: to ? Buffer.concat([point, place(to, true)]) : point.length > 0 ? Buffer.concat([point, BEHIND]) : undefined,
		}
	})
	return {
		ranges: ranges.filter((range) => !range.from || !range.to || range.from.compare(range.to) < 0),
		exact,
		bound: bounded ? column + 1 : column,
		points: column === table.key.length,
	}
}

/** How a plan shows a read of such ranges. */
export function readStep(
	table: Table,
	path: string,
	{ ranges, bound, points }: KeyRanges,
	columns: readonly string[],
): Step {
	const by = table.key.slice(0, bound).map((column) => table.columns[column]!.name)
	const lookup = ranges.length > 1 ? 'MultiLookup' : 'Lookup'
	return { path, kind: 'reads', type: bound === 0 ? 'FullScan' : points ? lookup : 'Scan', columns, by }
}

/** Where a range with that bound begins, or ends. */
function place({ key, included }: Bound, isEnd: boolean): Buffer {
	return included === isEnd ? Buffer.concat([key, BEHIND]) : key
}

function keyCell(table: Table, column: number, { type, value }: Pick<Typed, 'type' | 'value'>): Buffer | undefined {
	const { cell, name } = table.columns[table.key[column]!]!
	const target: YqlType = optional({ kind: 'data', data: cell })
	// A value that the column's type cannot hold is left to the evaluation of the condition.
	const converted = value === null ? undefined : convert(value, bare(type), target, true)
	if (!converted || converted.value === null) return undefined
	const bytes = encode(converted.value, target)
	startKey()
	addKeyCell(bytes, 0, bytes.length, cell, name)
	return finishKey()
}

function clauseOf(table: Table, expression: Expression, scope: Scope): Clause | undefined {
	const columnOf = (side: Expression): number =>
		side.kind === 'column' ? table.key.findIndex((at) => table.columns[at]!.name === side.name) : -1
	const isConstant = (side: Expression): boolean => compile(side, scope).constant
	const bound = (column: number, operator: BinaryOperator, key: Buffer, exact: boolean): Clause | undefined => {
		if (operator === '<' || operator === '<=') return { column, to: { key, included: operator === '<=' }, exact }
		if (operator === '>' || operator === '>=') return { column, from: { key, included: operator === '>=' }, exact }
		return undefined
	}
	switch (expression.kind) {
		case 'binary': {
			const { left, right } = expression
			if (!(expression.operator in MIRRORED)) return undefined
			for (const [one, other, operator] of [
				[left, right, expression.operator],
				[right, left, MIRRORED[expression.operator]!],
			] as const) {
				const column = columnOf(one)
				if (column >= 0 && isConstant(other)) {
					const cell = keyCell(table, column, constantOf(other, scope))
					if (!cell) return undefined
					return operator === '=' ? { column, cells: [cell], exact: true } : bound(column, operator, cell, true)
				}
				if (one.kind !== 'tuple' || !isConstant(other)) continue
				const first = columnOf(one.items[0]!)
				if (first < 0 || one.items.some((item, at) => columnOf(item) !== first + at)) continue
				const { type, value } = constantOf(other, scope)
				if (type.kind !== 'tuple' || !Array.isArray(value) || value.length !== one.items.length) continue
				const cells = value.map((each: Datum, at) => keyCell(table, first + at, { type: type.items[at]!, value: each }))
				if (cells.includes(undefined)) return undefined
				// Below a bound lie NULLs too, which compare as neither.
				return bound(first, operator, Buffer.concat(cells as Buffer[]), operator === '>' || operator === '>=')
			}
			return undefined
		}
		case 'in': {
			const column = columnOf(expression.item)
			if (column < 0 || expression.negated) return undefined
			const parts = choices(expression, scope)
			if (parts.some((part) => !part.constant)) return undefined
			const cells = parts.map((part) => keyCell(table, column, { type: part.type, value: part.value(() => null) }))
			return cells.includes(undefined) ? undefined : { column, cells: cells as Buffer[], exact: true }
		}
		case 'between': {
			const column = columnOf(expression.item)
			if (column < 0 || expression.negated || !isConstant(expression.least) || !isConstant(expression.most))
				return undefined
			const [least, most] = [expression.least, expression.most].map((side) =>
				keyCell(table, column, constantOf(side, scope)),
			)
			if (!least || !most) return undefined
			return { column, from: { key: least, included: true }, to: { key: most, included: true }, exact: true }
		}
		case 'isNull': {
			const column = columnOf(expression.item)
			if (column < 0) return undefined
			return expression.negated
				? { column, from: { key: AFTER_NULL, included: true }, exact: true }
				: { column, cells: [NULL_KEY], exact: true }
		}
		default:
			return undefined
	}
}
