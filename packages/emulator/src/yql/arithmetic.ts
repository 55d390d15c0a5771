import { YdbError } from '../error.ts'
import { RANGES } from '../wire/cell.ts'
import type { ColumnType } from '../wire/column-type.ts'
import { type Compiled, folded, NO_ROW } from './compiled.ts'
import { typeError } from './convert.ts'
import { type Datum, integral, isFloating } from './datum.ts'
import { addDecimals, divideDecimals, moduloDecimals, multiplyDecimals, scaled } from './decimal.ts'
import type { Position } from './lexer.ts'
import { bare, data, mayBeNull, NULL, optional, typeName, type YqlType } from './types.ts'

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%'

const VERBS: Readonly<Record<ArithmeticOperator, string>> = {
	'+': 'add',
	'-': 'substract',
	'*': 'multiply',
	'/': 'divide',
	'%': 'mod',
}

/** Microseconds per unit of the types that are moments. */
const UNITS: Readonly<Record<string, bigint>> = {
	Date: 86_400_000_000n,
	Date32: 86_400_000_000n,
	Datetime: 1_000_000n,
	Datetime64: 1_000_000n,
	Timestamp: 1n,
	Timestamp64: 1n,
}

type Work = (x: Datum, y: Datum) => Datum

interface Rule {
	readonly type: YqlType
	/** Whether the result is Optional even for operands that are not. */
	readonly fails: boolean
	readonly work: Work
}

function wrap(value: bigint, { signed, bits }: { signed: boolean; bits: number }): bigint {
	return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}

/** The wider of the two; of equal width, the unsigned one. Integers wrap around; a division that has no result is NULL. */
function wholeRule(operator: ArithmeticOperator, a: ColumnType, b: ColumnType): Rule {
	const [p, q] = [integral(a)!, integral(b)!]
	const wins = p.bits === q.bits ? (p.signed ? b : a) : p.bits > q.bits ? a : b
	const shape = integral(wins)!
	const type: YqlType = { kind: 'data', data: wins }
	if (operator === '/' || operator === '%')
		return {
			type,
			fails: true,
			work: (x, y) => {
				const [m, n] = [wrap(x as bigint, shape), wrap(y as bigint, shape)]
				if (n === 0n) return null
				const out = operator === '/' ? m / n : m % n
				return wrap(out, shape) === out ? out : null
			},
		}
	return {
		type,
		fails: false,
		work: (x, y) => {
			const [m, n] = [x as bigint, y as bigint]
			return wrap(operator === '+' ? m + n : operator === '-' ? m - n : m * n, shape)
		},
	}
}

function floatRule(operator: ArithmeticOperator, a: ColumnType, b: ColumnType): Rule {
	const single = a.name !== 'Double' && b.name !== 'Double'
	const run = (m: number, n: number): number => {
		switch (operator) {
			case '+':
				return m + n
			case '-':
				return m - n
			case '*':
				return m * n
			case '/':
				return m / n
			case '%':
				return m % n
		}
	}
	return {
		type: data(single ? 'Float' : 'Double'),
		fails: false,
		work: (x, y) => {
			const [m, n] = [Number(x), Number(y)]
			return single ? Math.fround(run(Math.fround(m), Math.fround(n))) : run(m, n)
		},
	}
}

function decimalRule(operator: ArithmeticOperator, a: ColumnType, b: ColumnType, at: Position): Rule | undefined {
	const main = a.decimal ? a : b
	const other = a.decimal ? b : a
	const { precision, scale } = main.decimal!
	if (other.decimal && other.name !== main.name) {
		const words: Readonly<Record<string, string>> = { '+': 'add', '-': 'substract' }
		throw typeError(at, `Cannot ${words[operator] ?? 'calculate with'} different decimals.`)
	}
	const whole = integral(other) !== undefined
	if (!other.decimal && (!whole || operator === '+' || operator === '-')) return undefined
	// An integer may stand on the left of a product only.
	if (!a.decimal && operator !== '*') return undefined
	const operand = (value: Datum): bigint => (whole ? scaled(value as bigint, precision, scale) : (value as bigint))
	const work = {
		'+': (m: bigint, n: bigint) => addDecimals(m, n, precision),
		'-': (m: bigint, n: bigint) => addDecimals(m, -n, precision),
		'*': (m: bigint, n: bigint) => multiplyDecimals(m, n, precision, scale),
		'/': (m: bigint, n: bigint) => divideDecimals(m, n, precision, scale),
		'%': (m: bigint, n: bigint) => moduloDecimals(m, n),
	}[operator]
	return {
		type: { kind: 'data', data: main },
		fails: false,
		work: (x, y) => (a.decimal ? work(x as bigint, operand(y)) : work(y as bigint, operand(x))),
	}
}

function isSpan({ name }: ColumnType): boolean {
	return name === 'Interval' || name === 'Interval64'
}

function within(type: ColumnType, value: bigint): bigint | null {
	const range = RANGES.get(type.id)
	return range && (value < range[0] || value > range[1]) ? null : value
}

/** Source: `AddWrapper` and its neighbours in YDB's type_ann_core.cpp. */
function timeRule(operator: ArithmeticOperator, a: ColumnType, b: ColumnType): Rule | undefined {
	const [unitA, unitB] = [UNITS[a.name], UNITS[b.name]]
	const spans = [isSpan(a), isSpan(b)]
	const rule = (type: ColumnType, fails: boolean, run: (m: bigint, n: bigint) => bigint): Rule => ({
		type: { kind: 'data', data: type },
		fails,
		work: (x, y) => within(type, run(x as bigint, y as bigint)),
	})
	if (operator === '-' && unitA && unitB) {
		const wide = a.name.endsWith('32') || a.name.endsWith('64') || b.name.endsWith('32') || b.name.endsWith('64')
		const span = data(wide ? 'Interval64' : 'Interval') as Extract<YqlType, { kind: 'data' }>
		return rule(span.data, false, (m, n) => m * unitA - n * unitB)
	}
	if (operator === '+' || operator === '-') {
		const sign = operator === '+' ? 1n : -1n
		if (spans[0] && spans[1]) return rule(a.name === 'Interval64' ? a : b, true, (m, n) => m + sign * n)
		if (unitA && spans[1]) return rule(a, true, (m, n) => floorDiv(m * unitA + sign * n, unitA))
		if (operator === '+' && spans[0] && unitB) return rule(b, true, (m, n) => floorDiv(n * unitB + m, unitB))
		return undefined
	}
	if (operator === '*' && spans[0] && integral(b)) return rule(a, true, (m, n) => m * n)
	if (operator === '*' && integral(a) && spans[1]) return rule(b, true, (m, n) => m * n)
	if (operator === '/' && spans[0] && integral(b))
		return {
			type: { kind: 'data', data: a },
			fails: true,
			work: (x, y) => (y === 0n ? null : (x as bigint) / (y as bigint)),
		}
	return undefined
}

function floorDiv(a: bigint, b: bigint): bigint {
	return a / b - (a % b !== 0n && a < 0n !== b < 0n ? 1n : 0n)
}

/** `+ - * / %` of two expressions. */
export function arithmetic(operator: ArithmeticOperator, left: Compiled, right: Compiled, at: Position): Compiled {
	const [a, b] = [bare(left.type), bare(right.type)]
	if (a.kind === 'null' || b.kind === 'null') return folded([left, right], NULL, () => null)
	const refusal = (): YdbError =>
		typeError(at, `Cannot ${VERBS[operator]} type ${typeName(left.type)} and ${typeName(right.type)}`)
	if (a.kind !== 'data' || b.kind !== 'data') throw refusal()
	const [p, q] = [integral(a.data), integral(b.data)]
	let rule: Rule | undefined
	if (p && q) rule = wholeRule(operator, a.data, b.data)
	else if ((p || isFloating(a.data)) && (q || isFloating(b.data))) rule = floatRule(operator, a.data, b.data)
	else if (a.data.decimal || b.data.decimal) rule = decimalRule(operator, a.data, b.data, at)
	else rule = timeRule(operator, a.data, b.data)
	if (!rule) throw refusal()
	const { type, fails, work } = rule
	const result = fails || mayBeNull(left.type) || mayBeNull(right.type) ? optional(type) : type
	return folded([left, right], result, (row) => {
		const [x, y] = [left.value(row), right.value(row)]
		return x === null || y === null ? null : work(x, y)
	})
}

/** A unary minus. */
export function negate(item: Compiled, at: Position): Compiled {
	const type = bare(item.type)
	if (type.kind === 'null') return item
	const whole = type.kind === 'data' ? integral(type.data) : undefined
	if (type.kind !== 'data' || !(whole || isFloating(type.data) || type.data.decimal || isSpan(type.data)))
		throw typeError(at, `Expected numeric, decimal or interval data type, but got: ${typeName(item.type)}`)
	return folded([item], item.type, (row) => {
		const value = item.value(row)
		if (value === null) return null
		if (typeof value === 'number') return -value
		return whole ? wrap(-(value as bigint), whole) : -(value as bigint)
	})
}

function unsigned(item: Compiled, at: Position): { readonly type: YqlType; readonly bits: number } {
	const type = bare(item.type)
	const shape = type.kind === 'data' ? integral(type.data) : undefined
	if (!shape || shape.signed) throw typeError(at, `Expected unsigned data type, but got: ${typeName(item.type)}`)
	return { type, bits: shape.bits }
}

/** `| & ^` of two expressions. Source: `BitOpsWrapper` in YDB's type_ann_core.cpp. */
export function bitwise(operator: '|' | '&' | '^', left: Compiled, right: Compiled, at: Position): Compiled {
	if (left.type.kind === 'null' || right.type.kind === 'null') return folded([left, right], NULL, () => null)
	const [a, b] = [unsigned(left, at), unsigned(right, at)]
	const type = a.bits >= b.bits ? a.type : b.type
	const result = mayBeNull(left.type) || mayBeNull(right.type) ? optional(type) : type
	return folded([left, right], result, (row) => {
		const [x, y] = [left.value(row), right.value(row)]
		if (x === null || y === null) return null
		const [m, n] = [x as bigint, y as bigint]
		return operator === '|' ? m | n : operator === '&' ? m & n : m ^ n
	})
}

export function bitNot(item: Compiled, at: Position): Compiled {
	if (item.type.kind === 'null') return item
	const { bits } = unsigned(item, at)
	return folded([item], item.type, (row) => {
		const value = item.value(row)
		return value === null ? null : BigInt.asUintN(bits, ~(value as bigint))
	})
}

/** `<< >>`: a signed number is taken as an unsigned one. Source: `ShiftWrapper` in YDB's type_ann_core.cpp. */
export function shift(operator: '<<' | '>>', left: Compiled, right: Compiled, at: Position): Compiled {
	if (left.type.kind === 'null') return left
	const type = bare(left.type)
	const shape = type.kind === 'data' ? integral(type.data) : undefined
	if (!shape) throw typeError(at, `Unsupported type: ${typeName(left.type)}`)
	const count = right.type.kind === 'data' ? integral(right.type.data) : undefined
	const written = right.literal ? (right.value(NO_ROW) as bigint) : undefined
	const fits = count && (written === undefined ? !count.signed && count.bits === 8 : written >= 0n && written < 256n)
	if (!fits) throw typeError(at, 'Shift count must be Uint8')
	const result = data(`Uint${shape.bits}`)
	return folded([left, right], mayBeNull(left.type) ? optional(result) : result, (row) => {
		const value = left.value(row)
		if (value === null) return null
		const bits = BigInt.asUintN(shape.bits, value as bigint)
		const by = right.value(row) as bigint
		return operator === '<<' ? BigInt.asUintN(shape.bits, bits << by) : bits >> by
	})
}
