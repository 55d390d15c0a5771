import { decimalType, typeNamed } from '../wire/column-type.ts'
import type { Expression } from './ast.ts'
import { fitsInteger } from './datum.ts'
import { type Numeral, type Position, syntaxError, type Text } from './lexer.ts'
import { parseText } from './text-value.ts'
import { data, type YqlType } from './types.ts'

const INTEGERS: Readonly<Record<string, string>> = {
	u: 'Uint32',
	l: 'Int64',
	ul: 'Uint64',
	t: 'Int8',
	ut: 'Uint8',
	s: 'Int16',
	us: 'Uint16',
}

/** The value of a number as it is written. */
export function number({ digits, suffix, text }: Numeral, at: Position, negative: boolean): Expression {
	if (/^(\d*\.|\d+[eE])/.test(digits)) {
		const value = Number(digits) * (negative ? -1 : 1)
		const type = data(suffix === 'f' ? 'Float' : 'Double')
		return { kind: 'literal', at, typed: { type, value: suffix === 'f' ? Math.fround(value) : value } }
	}
	const magnitude = BigInt(digits.toLowerCase())
	const value = negative ? -magnitude : magnitude
	const name = INTEGERS[suffix] ?? (magnitude < 1n << 31n ? 'Int32' : magnitude < 1n << 63n ? 'Int64' : 'Uint64')
	const bits = Number(/\d+/.exec(name)![0])
	if (!fitsInteger(value, { signed: name.startsWith('I'), bits }))
		throw syntaxError(at, `Failed to parse number from string: ${negative ? '-' : ''}${text}, number limit overflow`)
	return { kind: 'literal', at, typed: { type: data(name), value } }
}

const TEXT_TYPES: Readonly<Record<string, string>> = { '': 'String', s: 'String', u: 'Utf8', y: 'Yson', j: 'Json' }

/** The value of a text between quotes. */
export function text({ bytes, suffix, at }: Text): Expression {
	const name = TEXT_TYPES[suffix]
	if (!name) throw syntaxError(at, `strings with suffix ${suffix} are not emulated`)
	const type = data(name)
	const value = parseText(bytes, typeNamed(name)!)
	if (value === undefined) throw syntaxError(at, `Invalid value ${JSON.stringify(bytes.toString())} for type ${name}`)
	return { kind: 'literal', at, typed: { type, value } }
}

/** `Uint64("1")`, `Date("2020-01-01")`, `Decimal("1.2", 22, 9)`, … */
export function typedLiteral(
	name: string,
	upper: string,
	args: readonly Expression[],
	at: Position,
): Expression | undefined {
	const [first, ...more] = args
	let type: YqlType
	if (upper === 'DECIMAL') {
		const [precision, scale] = more.map((arg) =>
			arg.kind === 'literal' && typeof arg.typed.value === 'bigint' ? Number(arg.typed.value) : undefined,
		)
		if (precision === undefined || scale === undefined || more.length !== 2 || precision > 35 || scale > precision)
			throw syntaxError(at, 'Decimal takes a text, a precision and a scale')
		type = { kind: 'data', data: decimalType(precision, scale) }
	} else {
		const found = typeNamed(name)
		if (!found) return undefined
		if (more.length > 0) throw syntaxError(at, `${name} takes one text`)
		type = { kind: 'data', data: found }
	}
	if (first?.kind !== 'literal' || !Buffer.isBuffer(first.typed.value))
		throw syntaxError(at, `Expected a literal text as argument of ${name}`)
	const value = parseText(first.typed.value, type.data)
	if (value === undefined)
		throw syntaxError(at, `Invalid value ${JSON.stringify(first.typed.value.toString())} for type ${type.data.name}`)
	return { kind: 'literal', at, typed: { type, value } }
}
