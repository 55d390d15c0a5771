import type { YdbError } from '../error.ts'
import { arithmetic, type ArithmeticOperator, bitwise, shift } from './arithmetic.ts'
import type { BinaryOperator } from './ast.ts'
import { commonType, inType } from './common-type.ts'
import { type Compiled, folded } from './compiled.ts'
import { comparison, typeError } from './convert.ts'
import type { Datum } from './datum.ts'
import type { Position } from './lexer.ts'
import { bare, BOOL, mayBeNull, NULL, optional, sameTypes, STRING, typeName, UTF8, type YqlType } from './types.ts'

export function mustBeBool({ type }: Compiled, at: Position): void {
	const item = bare(type)
	if (item.kind !== 'null' && !sameTypes(item, BOOL))
		throw typeError(at, `Expected bool or optional bool, but got: ${typeName(type)}`)
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

export function mayHoldNull(type: YqlType): boolean {
	return mayBeNull(type) || (type.kind === 'tuple' && type.items.some(mayHoldNull))
}

export function binary(operator: BinaryOperator, left: Compiled, right: Compiled, at: Position): Compiled {
	const parts = [left, right]
	const either = (type: YqlType): YqlType => (parts.some((part) => mayHoldNull(part.type)) ? optional(type) : type)
	const test = COMPARED[operator]
	if (test) {
		const compare = comparison(left.type, right.type)
		if (!compare) throw incomparable(operator, parts, at)
		return folded(parts, either(BOOL), (row) => {
			const [a, b] = [left.value(row), right.value(row)]
			if (a === null || b === null) return null
			const found = compare(a, b)
			// Neither less nor equal: NaN, or tuples that hold NULLs.
			return found === undefined ? (holdsNull(a) || holdsNull(b) ? null : operator === '<>') : test(found)
		})
	}
	if (operator === 'XOR') {
		for (const part of parts) mustBeBool(part, at)
		return folded(parts, either(BOOL), (row) => {
			const [a, b] = [left.value(row), right.value(row)]
			return a === null || b === null ? null : a !== b
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
	switch (operator) {
		case '??':
			return coalesce(parts, at)
		case '||':
			return concat(left, right, either, at)
		case '|':
		case '&':
		case '^':
			return bitwise(operator, left, right, at)
		case '<<':
		case '>>':
			return shift(operator, left, right, at)
		case 'IS DISTINCT FROM':
		case 'IS NOT DISTINCT FROM':
			return distinct(operator, left, right, at)
		default:
			return arithmetic(operator as ArithmeticOperator, left, right, at)
	}
}

function incomparable(operator: string, [left, right]: readonly Compiled[], at: Position): YdbError {
	const sign = operator === '=' ? '==' : operator === '<>' ? '!=' : operator
	return typeError(at, `Uncompatible types in compare: ${typeName(left!.type)} '${sign}' ${typeName(right!.type)}`)
}

/** Equality that knows NULL. */
function distinct(operator: BinaryOperator, left: Compiled, right: Compiled, at: Position): Compiled {
	const parts = [left, right]
	const compare = comparison(left.type, right.type)
	if (!compare) throw incomparable(operator, parts, at)
	const negated = operator === 'IS NOT DISTINCT FROM'
	return folded(parts, BOOL, (row) => {
		const [a, b] = [left.value(row), right.value(row)]
		const differ = a === null || b === null ? a !== b : compare(a, b) !== 0
		return differ !== negated
	})
}

/** Source: `ConcatWrapper` in YDB's type_ann_core.cpp. */
function concat(left: Compiled, right: Compiled, either: (type: YqlType) => YqlType, at: Position): Compiled {
	const parts = [left, right]
	if (parts.some((part) => part.type.kind === 'null')) return folded(parts, NULL, () => null)
	const names = parts.map((part) => {
		const type = bare(part.type)
		if (type.kind !== 'data' || !['String', 'Utf8'].includes(type.data.name))
			throw typeError(at, `Expected (optional) String or Utf8, but got: ${typeName(part.type)}`)
		return type.data.name
	})
	return folded(parts, either(names.includes('String') ? STRING : UTF8), (row) => {
		const [x, y] = [left.value(row), right.value(row)]
		return x === null || y === null ? null : Buffer.concat([x as Buffer, y as Buffer])
	})
}

/** The first value that is not NULL. */
export function coalesce(parts: readonly Compiled[], at: Position): Compiled {
	const last = parts.at(-1)!
	const common = commonType(parts)
	if (!common)
		throw typeError(at, `Uncompatible coalesce types: ${parts.map((part) => typeName(part.type)).join(' and ')}`)
	const type = mayBeNull(last.type) ? common : bare(common)
	return folded(parts, type, (row) => {
		for (const part of parts) {
			const value = part.value(row)
			if (value !== null) return inType(part, type, value)
		}
		return null
	})
}

export interface Branch {
	readonly when: Compiled
	readonly then: Compiled
}

/** CASE and IF: a condition that is NULL is not met. */
export function conditional(branches: readonly Branch[], otherwise: Compiled | undefined, at: Position): Compiled {
	for (const { when } of branches) mustBeBool(when, at)
	const outcomes = [...branches.map(({ then }) => then), ...(otherwise ? [otherwise] : [])]
	const type = commonType(outcomes, !otherwise)
	if (!type) throw typeError(at, `Mismatch types: ${outcomes.map((part) => typeName(part.type)).join(' and ')}`)
	return folded([...branches.map(({ when }) => when), ...outcomes], type, (row) => {
		const chosen = branches.find(({ when }) => when.value(row) === true)?.then ?? otherwise
		return chosen ? inType(chosen, type, chosen.value(row)) : null
	})
}
