import { YdbError } from '../error.ts'
import type { BinaryOperator, Expression } from './ast.ts'
import { casting, comparison, convert, typeError } from './convert.ts'
import { type Datum, integral, isFloating, type Typed } from './datum.ts'
import type { Position } from './lexer.ts'
import { bare, BOOL, data, mayBeNull, optional, sameTypes, typeName, UTF8, type YqlType } from './types.ts'

/** Gives the value of a column of the row at hand. */
export type Row = (column: number) => Datum

export interface Compiled {
	readonly type: YqlType
	/** Whether it stands in the text itself: literals convert more freely. */
	readonly literal: boolean
	readonly constant: boolean
	value(row: Row): Datum
}

/** What names mean where an expression stands. */
export interface Scope {
	/** Position and type of a column, where there are columns. */
	column(name: string): { readonly index: number; readonly type: YqlType } | undefined
	parameter(name: string, at: Position): Typed
	/** Microseconds since 1970: one moment for a whole query. */
	readonly now: bigint
	readonly version: string
}

const NO_ROW: Row = () => {
	throw new YdbError('INTERNAL_ERROR', 'a constant asked for a row')
}

function constant({ type, value }: Typed, literal = false): Compiled {
	return { type, literal, constant: true, value: () => value }
}

function folded(parts: readonly Compiled[], type: YqlType, run: Compiled['value']): Compiled {
	return parts.every((part) => part.constant)
		? constant({ type, value: run(NO_ROW) })
		: { type, literal: false, constant: false, value: run }
}

export function compile(expression: Expression, scope: Scope): Compiled {
	const { at } = expression
	switch (expression.kind) {
		case 'literal':
			return constant(expression.typed, true)
		case 'parameter':
			return constant(scope.parameter(expression.name, at))
		case 'nothing':
			return constant({ type: expression.type, value: null })
		case 'column': {
			const found = scope.column(expression.name)
			if (!found) throw typeError(at, `Member not found: ${expression.name}`)
			const { index, type } = found
			return { type, literal: false, constant: false, value: (row) => row(index) }
		}
		case 'cast': {
			const item = compile(expression.item, scope)
			const { type, run } = casting(item.type, expression.type, at)
			return folded([item], type, (row) => run(item.value(row)))
		}
		case 'not': {
			const item = compile(expression.item, scope)
			mustBeBool(item, at)
			return folded([item], item.type, (row) => {
				const value = item.value(row)
				return value === null ? null : !value
			})
		}
		case 'minus':
			return negate(compile(expression.item, scope), at)
		case 'binary':
			return binary(expression.operator, compile(expression.left, scope), compile(expression.right, scope), at)
		case 'between': {
			const item = compile(expression.item, scope)
			const least = compile(expression.least, scope)
			const most = compile(expression.most, scope)
			const inside = binary('AND', binary('>=', item, least, at), binary('<=', item, most, at), at)
			if (!expression.negated) return inside
			return binary('OR', binary('<', item, least, at), binary('>', item, most, at), at)
		}
		case 'in':
			return among(expression, scope)
		case 'isNull': {
			const item = compile(expression.item, scope)
			return folded([item], BOOL, (row) => (item.value(row) === null) !== expression.negated)
		}
		case 'tuple': {
			const parts = expression.items.map((item) => compile(item, scope))
			const type: YqlType = { kind: 'tuple', items: parts.map((part) => part.type) }
			return folded(parts, type, (row) => parts.map((part) => part.value(row)))
		}
		case 'list':
			return list(expression.items, scope, at)
		case 'struct': {
			const members = expression.members
				.map(({ name, value }) => ({ name, part: compile(value, scope) }))
				.sort((a, b) => (a.name < b.name ? -1 : 1))
			const type: YqlType = { kind: 'struct', members: members.map(({ name, part }) => ({ name, type: part.type })) }
			return folded(
				members.map(({ part }) => part),
				type,
				(row) => members.map(({ part }) => part.value(row)),
			)
		}
		case 'count':
			throw typeError(at, 'Aggregation is not allowed in this context')
		case 'call':
			return call(expression.name, expression.args, scope, at)
	}
}

/** A constant expression's type and value. */
export function constantOf(expression: Expression, scope: Scope): Typed & { readonly literal: boolean } {
	const compiled = compile(expression, scope)
	if (!compiled.constant) throw typeError(expression.at, 'Expected a constant expression')
	return { type: compiled.type, value: compiled.value(NO_ROW), literal: compiled.literal }
}

export function mustBeBool({ type }: Compiled, at: Position): void {
	const item = bare(type)
	if (item.kind !== 'null' && !sameTypes(item, BOOL))
		throw typeError(at, `Expected bool or optional bool, but got: ${typeName(type)}`)
}

function negate(item: Compiled, at: Position): Compiled {
	const type = bare(item.type)
	const whole = type.kind === 'data' ? integral(type.data) : undefined
	if (type.kind !== 'data' || !(whole || isFloating(type.data)))
		throw typeError(at, `Cannot negate a value of type ${typeName(item.type)}`)
	return folded([item], item.type, (row) => {
		const value = item.value(row)
		if (value === null) return null
		if (!whole) return -(value as number)
		return whole.signed ? BigInt.asIntN(whole.bits, -(value as bigint)) : BigInt.asUintN(whole.bits, -(value as bigint))
	})
}

const COMPARED: Readonly<Record<string, (order: number) => boolean>> = {
	'=': (order) => order === 0,
	'<>': (order) => order !== 0,
	'<': (order) => order < 0,
	'<=': (order) => order <= 0,
	'>': (order) => order > 0,
	'>=': (order) => order >= 0,
}

function holdsNull(value: Datum): boolean {
	return value === null || (Array.isArray(value) && value.some(holdsNull))
}

function mayHoldNull(type: YqlType): boolean {
	return mayBeNull(type) || (type.kind === 'tuple' && type.items.some(mayHoldNull))
}

function binary(operator: BinaryOperator, left: Compiled, right: Compiled, at: Position): Compiled {
	const parts = [left, right]
	const either = (type: YqlType): YqlType => (parts.some((part) => mayHoldNull(part.type)) ? optional(type) : type)
	const test = COMPARED[operator]
	if (test) {
		const compare = comparison(left.type, right.type)
		if (!compare) throw typeError(at, `Can't compare ${typeName(left.type)} and ${typeName(right.type)}`)
		return folded(parts, either(BOOL), (row) => {
			const [a, b] = [left.value(row), right.value(row)]
			if (a === null || b === null) return null
			const found = compare(a, b)
			// Neither less nor equal: NaN, or tuples that hold NULLs.
			return found === undefined ? (holdsNull(a) || holdsNull(b) ? null : operator === '<>') : test(found)
		})
	}
	if (operator === 'AND' || operator === 'OR') {
		for (const part of parts) mustBeBool(part, at)
		const decisive = operator === 'OR'
		return folded(parts, either(BOOL), (row) => {
			const a = left.value(row)
			if (a === decisive) return a
			const b = right.value(row)
			return b === decisive ? b : a === null || b === null ? null : !decisive
		})
	}
	if (operator === '??') return coalesce(parts, at)
	return arithmetic(operator, left, right, either, at)
}

function arithmetic(
	operator: string,
	left: Compiled,
	right: Compiled,
	either: (type: YqlType) => YqlType,
	at: Position,
): Compiled {
	const [a, b] = [bare(left.type), bare(right.type)]
	const refusal = (): YdbError =>
		typeError(at, `Cannot apply ${operator} to types ${typeName(left.type)} and ${typeName(right.type)}`)
	if (a.kind !== 'data' || b.kind !== 'data') throw refusal()
	const run = (type: YqlType, work: (x: Datum, y: Datum) => Datum): Compiled =>
		folded([left, right], either(type), (row) => {
			const [x, y] = [left.value(row), right.value(row)]
			return x === null || y === null ? null : work(x, y)
		})
	if (operator === '||') {
		const texts = ['String', 'Utf8']
		if (!texts.includes(a.data.name) || !texts.includes(b.data.name)) throw refusal()
		const type = a.data.name === 'Utf8' && b.data.name === 'Utf8' ? a : data('String')
		return run(type, (x, y) => Buffer.concat([x as Buffer, y as Buffer]))
	}
	const [p, q] = [integral(a.data), integral(b.data)]
	if (p && q) {
		// The wider of the two; of equal width, the unsigned one.
		const type = p.bits === q.bits ? (p.signed ? b : a) : p.bits > q.bits ? a : b
		const { signed, bits } = integral(type.data)!
		return run(type, (x, y) => {
			const [m, n] = [x as bigint, y as bigint]
			const out = operator === '+' ? m + n : operator === '-' ? m - n : m * n
			return signed ? BigInt.asIntN(bits, out) : BigInt.asUintN(bits, out)
		})
	}
	if ((p || isFloating(a.data)) && (q || isFloating(b.data))) {
		const single = a.data.name !== 'Double' && b.data.name !== 'Double'
		return run(data(single ? 'Float' : 'Double'), (x, y) => {
			const [m, n] = [Number(x), Number(y)]
			const out = operator === '+' ? m + n : operator === '-' ? m - n : m * n
			return single ? Math.fround(out) : out
		})
	}
	throw new YdbError(
		'UNSUPPORTED',
		`${operator} of ${typeName(left.type)} and ${typeName(right.type)} is not emulated`,
		0,
		{ at },
	)
}

function coalesce(parts: readonly Compiled[], at: Position): Compiled {
	const last = parts.at(-1)!
	const target = parts.find((part) => part.type.kind !== 'null')?.type ?? last.type
	const type = mayBeNull(last.type) ? optional(bare(target)) : bare(target)
	return folded(parts, type, (row) => {
		for (const part of parts) {
			const value = part.value(row)
			if (value === null) continue
			const converted = convert(value, bare(part.type), type, part.literal)
			if (!converted) throw typeError(at, `Uncompatible types of COALESCE: ${typeName(part.type)}, ${typeName(type)}`)
			return converted.value
		}
		return null
	})
}

/** The elements of a list, all in the type of one of them. */
function list(items: readonly Expression[], scope: Scope, at: Position): Compiled {
	const parts = items.map((item) => compile(item, scope))
	if (parts.length === 0) return constant({ type: { kind: 'emptyList' }, value: [] })
	for (const { type } of parts) {
		const target = parts.some((part) => mayBeNull(part.type)) ? optional(bare(type)) : type
		const attempt = parts.map((part) => {
			if (!part.constant) throw new YdbError('UNSUPPORTED', 'a list of values of columns is not emulated', 0, { at })
			return convert(part.value(NO_ROW), part.type, target, part.literal)
		})
		if (!attempt.includes(undefined))
			return constant({ type: { kind: 'list', item: target }, value: attempt.map((each) => each!.value) })
	}
	throw typeError(at, `Uncompatible types of list items: ${parts.map(({ type }) => typeName(type)).join(', ')}`)
}

/** What stands behind IN: a list, or expressions in parentheses. */
export function choices(expression: Extract<Expression, { kind: 'in' }>, scope: Scope): Compiled[] {
	const { among: set } = expression
	if (set.kind === 'tuple') return set.items.map((item) => compile(item, scope))
	const whole = compile(set, scope)
	if (whole.type.kind === 'emptyList') return []
	const { type } = whole
	if (type.kind === 'list' && whole.constant)
		return (whole.value(NO_ROW) as readonly Datum[]).map((value) => constant({ type: type.item, value }))
	if (type.kind === 'tuple' && whole.constant && set.kind === 'parameter')
		return (whole.value(NO_ROW) as readonly Datum[]).map((value, at) => constant({ type: type.items[at]!, value }))
	return [whole]
}

function among(expression: Extract<Expression, { kind: 'in' }>, scope: Scope): Compiled {
	const { at, negated } = expression
	const item = compile(expression.item, scope)
	const parts = choices(expression, scope)
	const tests = parts.map((part) => binary('=', item, part, at))
	const type = [item, ...parts].some((part) => mayHoldNull(part.type)) ? optional(BOOL) : BOOL
	return folded([item, ...parts], type, (row) => {
		let unknown = false
		for (const test of tests) {
			const value = test.value(row)
			if (value === true) return !negated
			unknown ||= value === null
		}
		return unknown ? null : negated
	})
}

const DAY = 86_400_000_000n

function call(name: string, args: readonly Expression[], scope: Scope, at: Position): Compiled {
	const parts = args.map((arg) => compile(arg, scope))
	const expectArgs = (count: number): void => {
		if (parts.length !== count) throw typeError(at, `Expected ${count} arguments of ${name}, but got: ${parts.length}`)
	}
	switch (name.toUpperCase()) {
		case 'CURRENTUTCTIMESTAMP':
			return constant({ type: data('Timestamp'), value: scope.now })
		case 'CURRENTUTCDATETIME':
			return constant({ type: data('Datetime'), value: scope.now / 1_000_000n })
		case 'CURRENTUTCDATE':
			return constant({ type: data('Date'), value: scope.now / DAY })
		case 'VERSION':
			return constant({ type: UTF8, value: Buffer.from(scope.version) })
		case 'JUST': {
			expectArgs(1)
			const [item] = parts
			if (mayBeNull(item!.type))
				throw new YdbError('UNSUPPORTED', 'an Optional of an Optional is not emulated', 0, { at })
			return { ...item!, type: optional(item!.type) }
		}
		case 'UNWRAP': {
			expectArgs(1)
			const [item] = parts
			if (!mayBeNull(item!.type)) throw typeError(at, `Expected optional type, but got: ${typeName(item!.type)}`)
			return folded(parts, bare(item!.type), (row) => {
				const value = item!.value(row)
				if (value === null) throw new YdbError('PRECONDITION_FAILED', 'Failed to unwrap empty optional', 0, { at })
				return value
			})
		}
		case 'COALESCE':
		case 'NVL':
			if (parts.length === 0) throw typeError(at, `${name} needs arguments`)
			return coalesce(parts, at)
		default:
			throw new YdbError('UNSUPPORTED', `function ${name} is not emulated`, 0, { at })
	}
}
