import type { Aggregate, Expression } from './ast.ts'
import { bitNot, negate } from './arithmetic.ts'
import { commonType, inType } from './common-type.ts'
import { type Compiled, constant, folded, NO_ROW } from './compiled.ts'
import { casting, typeError } from './convert.ts'
import { type Datum, itemTypes, type Typed } from './datum.ts'
import { callFunction } from './functions.ts'
import { type Position, syntaxError } from './lexer.ts'
import { like } from './like.ts'
import { binary, conditional, mayHoldNull, mustBeBool } from './operators.ts'
import { bare, BOOL, mayBeNull, optional, typeName, type YqlType } from './types.ts'

export { type Compiled, type Row } from './compiled.ts'
export { mustBeBool } from './operators.ts'

export interface ScopedColumn {
	readonly index: number
	readonly type: YqlType
}

/** What names mean where an expression stands. */
export interface Scope {
	/** Position and type of a column; a name in front of it is that of its source. */
	column(name: string, at: Position, source?: string): ScopedColumn | undefined
	/** What an aggregation is here, where aggregations may stand. */
	aggregate?(expression: Aggregate): Compiled
	parameter(name: string, at: Position): Typed
	/** Microseconds since 1970: one moment for a whole query. */
	readonly now: bigint
	readonly version: string
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
			const found = scope.column(expression.name, at, expression.source)
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
		case 'bitNot':
			return bitNot(compile(expression.item, scope), at)
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
		case 'member':
			return member(compile(expression.item, scope), expression.name, at)
		case 'like': {
			const { item, pattern, escape, insensitive, negated } = expression
			const [text, wanted, sign] = [item, pattern, escape].map((part) => part && compile(part, scope))
			return like({ item: text!, pattern: wanted!, escape: sign, insensitive, negated, at })
		}
		case 'case': {
			const branches = expression.branches.map(({ when, then }) => ({
				when: compile(when, scope),
				then: compile(then, scope),
			}))
			return conditional(branches, expression.otherwise && compile(expression.otherwise, scope), at)
		}
		case 'aggregate':
			if (!scope.aggregate) throw syntaxError(at, 'Aggregation is not allowed in this context')
			return scope.aggregate(expression)
		case 'call': {
			const args = expression.args.map((arg) => compile(arg, scope))
			return callFunction({ name: expression.name, args, now: scope.now, version: scope.version, at })
		}
	}
}

/** A constant expression's type and value. */
export function constantOf(expression: Expression, scope: Scope): Typed & { readonly literal: boolean } {
	const compiled = compile(expression, scope)
	if (!compiled.constant) throw typeError(expression.at, 'Expected a constant expression')
	return { type: compiled.type, value: compiled.value(NO_ROW), literal: compiled.literal }
}

/** A member of a struct or tuple. */
function member(item: Compiled, name: string, at: Position): Compiled {
	const whole = bare(item.type)
	let index = -1
	if (whole.kind === 'struct') {
		index = whole.members.findIndex((each) => each.name === name)
		if (index < 0) throw typeError(at, `Member not found: ${name}`)
	} else if (whole.kind === 'tuple') {
		index = Number(name)
		if (!(index < whole.items.length))
			throw typeError(at, `Index out of range. Index: ${name}, size: ${whole.items.length}`)
	} else throw typeError(at, `Expected struct or tuple type, but got: ${typeName(item.type)}`)
	const type = itemTypes(whole)[index]!
	return folded([item], mayBeNull(item.type) ? optional(type) : type, (row) => {
		const value = item.value(row)
		return value === null ? null : (value as readonly Datum[])[index]!
	})
}

/** The elements of a list, all in the type of one of them. */
function list(items: readonly Expression[], scope: Scope, at: Position): Compiled {
	const parts = items.map((item) => compile(item, scope))
	if (parts.length === 0) return constant({ type: { kind: 'emptyList' }, value: [] })
	const type = commonType(parts)
	if (type)
		return folded(parts, { kind: 'list', item: type }, (row) =>
			parts.map((part) => inType(part, type, part.value(row))),
		)
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
