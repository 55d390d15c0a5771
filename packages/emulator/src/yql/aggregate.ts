import { YdbError } from '../error.ts'
import { decimalType } from '../wire/column-type.ts'
import { ordering, typeError } from './convert.ts'
import { type Datum, encode, integral, isFloating } from './datum.ts'
import type { Position } from './lexer.ts'
import { bare, BOOL, data, mayBeNull, optional, sameTypes, typeName, UINT64, type YqlType } from './types.ts'

const EMULATED = new Set(['COUNT', 'SUM', 'MIN', 'MAX', 'AVG', 'SOME', 'COUNT_IF', 'BOOL_AND', 'BOOL_OR', 'BOOL_XOR'])
/** Source: YDB's documentation of aggregate functions. */
const REFUSED = new Set(
	(
		'SUM_IF AVG_IF MIN_BY MAX_BY AGGREGATE_LIST AGG_LIST AGGREGATE_LIST_DISTINCT AGG_LIST_DISTINCT TOP BOTTOM TOP_BY BOTTOM_BY ' +
		'TOPFREQ MODE STDDEV VARIANCE CORRELATION COVARIANCE PERCENTILE MEDIAN HISTOGRAM LINEARHISTOGRAM COUNTDISTINCTESTIMATE ' +
		'HYPERLOGLOG HLL AGGREGATE_BY MULTI_AGGREGATE_BY UDAF BIT_AND BIT_OR BIT_XOR'
	).split(' '),
)

export function isAggregate(upper: string): boolean {
	return EMULATED.has(upper) || REFUSED.has(upper)
}

/** What one group has seen so far. */
export interface Accumulator {
	add(value: Datum): void
	result(): Datum
}

export interface Aggregation {
	readonly type: YqlType
	start(): Accumulator
}

export interface AggregationRequest {
	/** In upper case. */
	readonly name: string
	/** Undefined for `COUNT(*)`. */
	readonly item: YqlType | undefined
	readonly distinct: boolean
	/** Whether there is a GROUP BY: without it a group may be empty. */
	readonly grouped: boolean
	readonly at: Position
}

/** Ignores NULLs, as every aggregation does. */
function folding(step: (sum: Datum, value: Datum) => Datum, finish?: (sum: Datum) => Datum): () => Accumulator {
	return () => {
		let sum: Datum = null
		return {
			add: (value) => {
				if (value !== null) sum = sum === null ? value : step(sum, value)
			},
			result: () => (sum === null || !finish ? sum : finish(sum)),
		}
	}
}

function counting(counts: (value: Datum) => boolean): () => Accumulator {
	return () => {
		let count = 0n
		return { add: (value) => void (counts(value) && count++), result: () => count }
	}
}

/** Source: `GetSumResultType` in YDB's yql_expr_type_annotation.cpp. */
function sum(item: YqlType, at: Position): Aggregation {
	const type = bare(item)
	if (type.kind !== 'data')
		throw typeError(at, `Unsupported type: ${typeName(item)}. Expected Data or Optional of Data.`)
	const nullable = (result: YqlType): YqlType => (mayBeNull(item) ? optional(result) : result)
	const whole = integral(type.data)
	if (whole) {
		const add = (x: Datum, y: Datum): Datum => (x as bigint) + (y as bigint)
		const finish = (x: Datum): Datum =>
			whole.signed ? BigInt.asIntN(64, x as bigint) : BigInt.asUintN(64, x as bigint)
		return { type: nullable(data(whole.signed ? 'Int64' : 'Uint64')), start: folding(add, finish) }
	}
	if (type.data.decimal) {
		const { scale } = type.data.decimal
		const add = (x: Datum, y: Datum): Datum => (x as bigint) + (y as bigint)
		return { type: nullable({ kind: 'data', data: decimalType(35, scale) }), start: folding(add) }
	}
	if (isFloating(type.data)) {
		const single = type.data.name === 'Float'
		const add = (x: Datum, y: Datum): Datum => (x as number) + (y as number)
		return { type: item, start: folding(add, (x) => (single ? Math.fround(x as number) : x)) }
	}
	if (type.data.name.startsWith('Interval'))
		return { type: optional(type), start: folding((x, y) => (x as bigint) + (y as bigint)) }
	throw typeError(at, `Unsupported column type: ${type.data.name}`)
}

/** Source: `GetAvgResultType` in YDB's yql_expr_type_annotation.cpp. */
function average(item: YqlType, at: Position): Aggregation {
	const type = bare(item)
	if (type.kind !== 'data')
		throw typeError(at, `Unsupported type: ${typeName(item)}. Expected Data or Optional of Data.`)
	const exact = type.data.decimal !== undefined || type.data.name.startsWith('Interval')
	const numeric = integral(type.data) !== undefined || isFloating(type.data) || sameTypes(type, BOOL)
	if (!exact && !numeric) throw typeError(at, `Unsupported column type: ${type.data.name}`)
	const start = (): Accumulator => {
		let count = 0
		let total = 0
		let digits = 0n
		return {
			add: (value) => {
				if (value === null) return
				count++
				if (exact) digits += value as bigint
				else total += Number(value)
			},
			result: () => (count === 0 ? null : exact ? digits / BigInt(count) : total / count),
		}
	}
	const double = data('Double')
	return { type: exact ? item : mayBeNull(item) ? optional(double) : double, start }
}

function extreme(item: YqlType, sign: number, at: Position): Aggregation {
	const order = ordering(item)
	if (!order) throw typeError(at, `Expected comparable type, but got: ${typeName(item)}`)
	return { type: item, start: folding((best, value) => (order(value, best) * sign > 0 ? value : best)) }
}

function logical(item: YqlType, step: (x: boolean, y: boolean) => boolean, at: Position): Aggregation {
	if (!sameTypes(bare(item), BOOL)) throw typeError(at, `Expected bool or optional bool, but got: ${typeName(item)}`)
	return { type: item, start: folding((x, y) => step(x as boolean, y as boolean)) }
}

function plain({ name, item, at }: AggregationRequest): Aggregation {
	if (!item) return { type: UINT64, start: counting(() => true) }
	switch (name) {
		case 'COUNT':
			return { type: UINT64, start: counting((value) => value !== null) }
		case 'COUNT_IF':
			logical(item, () => true, at)
			return { type: UINT64, start: counting((value) => value === true) }
		case 'BOOL_AND':
			return logical(item, (x, y) => x && y, at)
		case 'BOOL_OR':
			return logical(item, (x, y) => x || y, at)
		case 'BOOL_XOR':
			return logical(item, (x, y) => x !== y, at)
		case 'SOME':
			return { type: item, start: folding((first) => first) }
		default:
	}
	if (item.kind === 'null') return { type: item, start: folding((first) => first) }
	switch (name) {
		case 'SUM':
			return sum(item, at)
		case 'AVG':
			return average(item, at)
		case 'MIN':
			return extreme(item, -1, at)
		case 'MAX':
			return extreme(item, 1, at)
		default:
			throw new YdbError('UNSUPPORTED', `aggregation ${name} is not emulated`, 0, { at })
	}
}

/** Type and start of an aggregation of values of a type. */
export function aggregation(request: AggregationRequest): Aggregation {
	const { type, start } = plain(request)
	const counts = sameTypes(type, UINT64) && request.name.startsWith('COUNT')
	// Without keys the group may be empty, and everything but a count is NULL then.
	const result = request.grouped || counts ? type : optional(type)
	const { item, distinct } = request
	if (!distinct || !item) return { type: result, start }
	return {
		type: result,
		start: () => {
			const seen = new Set<string>()
			const inner = start()
			return {
				add: (value) => {
					const mark = encode(value, item).toString('latin1')
					if (value === null || seen.has(mark)) return
					seen.add(mark)
					inner.add(value)
				},
				result: inner.result,
			}
		},
	}
}
