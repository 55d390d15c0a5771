import { typeNamed, decimalType } from '../wire/column-type.ts'
import type { BinaryOperator, Expression } from './ast.ts'
import { fitsInteger } from './datum.ts'
import { type Numeral, type Position, syntaxError, type Text } from './lexer.ts'
import { parseType } from './parse-type.ts'
import { parseText } from './text-value.ts'
import type { TokenCursor } from './token-cursor.ts'
import { BOOL, data, mayBeNull, NULL, type YqlType } from './types.ts'

type Side = (cursor: TokenCursor) => Expression

function leftToRight(operators: Readonly<Record<string, BinaryOperator>>, side: Side): Side {
	return (cursor) => {
		let left = side(cursor)
		for (;;) {
			const { token } = cursor
			const key = token.kind === 'sign' ? token.text : token.kind === 'word' ? token.upper : ''
			const operator = Object.hasOwn(operators, key) ? operators[key] : undefined
			if (!operator) return left
			cursor.next()
			left = { kind: 'binary', at: token.at, operator, left, right: side(cursor) }
		}
	}
}

const REFUSED = new Set(['/', '%', '|', '&', '^', '<<', '>>'])

const concat = leftToRight({ '||': '||' }, parseUnary)
const product = leftToRight({ '*': '*' }, concat)
const sum = leftToRight({ '+': '+', '-': '-' }, product)
const coalesce: Side = (cursor) => {
	const left = sum(cursor)
	const { token } = cursor
	if (token.kind === 'sign' && REFUSED.has(token.text)) throw cursor.unsupported(`operator ${token.text}`)
	if (!cursor.takeSign('??')) return left
	return { kind: 'binary', at: token.at, operator: '??', left, right: coalesce(cursor) }
}
const order = leftToRight({ '<': '<', '<=': '<=', '>': '>', '>=': '>=' }, coalesce)

function condition(cursor: TokenCursor): Expression {
	let left = order(cursor)
	for (;;) {
		const at = cursor.here
		if (cursor.takeSign('=') || cursor.takeSign('=='))
			left = { kind: 'binary', at, operator: '=', left, right: order(cursor) }
		else if (cursor.takeSign('<>') || cursor.takeSign('!='))
			left = { kind: 'binary', at, operator: '<>', left, right: order(cursor) }
		else if (cursor.isWord('IS')) {
			cursor.next()
			const negated = cursor.takeWord('NOT')
			if (cursor.isWord('DISTINCT')) throw cursor.unsupported('IS DISTINCT FROM')
			cursor.expectWord('NULL')
			left = { kind: 'isNull', at, item: left, negated }
		} else if (cursor.takeWord('ISNULL')) left = { kind: 'isNull', at, item: left, negated: false }
		else if (cursor.takeWord('NOTNULL')) left = { kind: 'isNull', at, item: left, negated: true }
		else if (cursor.isWord('NOT', 'IN') || cursor.isWord('IN')) {
			const negated = cursor.takeWord('NOT')
			cursor.next()
			if (cursor.isWord('COMPACT')) cursor.next()
			const among = order(cursor)
			left = { kind: 'in', at, item: left, among, negated }
		} else if (cursor.isWord('NOT', 'BETWEEN') || cursor.isWord('BETWEEN')) {
			const negated = cursor.takeWord('NOT')
			cursor.next()
			if (cursor.isWord('SYMMETRIC') || cursor.isWord('ASYMMETRIC')) throw cursor.unsupported('BETWEEN SYMMETRIC')
			const least = order(cursor)
			cursor.expectWord('AND')
			left = { kind: 'between', at, item: left, least, most: order(cursor), negated }
		} else return left
	}
}

function negation(cursor: TokenCursor): Expression {
	const at = cursor.here
	return cursor.takeWord('NOT') ? { kind: 'not', at, item: negation(cursor) } : condition(cursor)
}

const conjunction = leftToRight({ AND: 'AND' }, negation)

export const parseExpression: Side = leftToRight({ OR: 'OR' }, conjunction)

function parseUnary(cursor: TokenCursor): Expression {
	const at = cursor.here
	if (cursor.takeSign('-')) {
		const { token } = cursor
		if (token.kind === 'number') {
			cursor.next()
			return number(token, at, true)
		}
		return { kind: 'minus', at, item: parseUnary(cursor) }
	}
	if (cursor.takeSign('+')) return parseUnary(cursor)
	if (cursor.isSign('~')) throw cursor.unsupported('operator ~')
	const item = parseAtom(cursor)
	if (cursor.isSign('[') || (cursor.isSign('.') && item.kind !== 'column'))
		throw cursor.unsupported('access to a part of a value')
	return item
}

const INTEGERS: Readonly<Record<string, string>> = {
	u: 'Uint32',
	l: 'Int64',
	ul: 'Uint64',
	t: 'Int8',
	ut: 'Uint8',
	s: 'Int16',
	us: 'Uint16',
}

function number({ digits, suffix, text }: Numeral, at: Position, negative: boolean): Expression {
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

function text({ bytes, suffix, at }: Text): Expression {
	const name = TEXT_TYPES[suffix]
	if (!name) throw syntaxError(at, `strings with suffix ${suffix} are not emulated`)
	const type = data(name)
	const value = parseText(bytes, typeNamed(name)!)
	if (value === undefined) throw syntaxError(at, `Invalid value ${JSON.stringify(bytes.toString())} for type ${name}`)
	return { kind: 'literal', at, typed: { type, value } }
}

function parseAtom(cursor: TokenCursor): Expression {
	const { token } = cursor
	const { at } = token
	switch (token.kind) {
		case 'number':
			cursor.next()
			return number(token, at, false)
		case 'string':
			cursor.next()
			return text(token)
		case 'parameter':
			cursor.next()
			if (cursor.isSign('(')) throw cursor.unsupported('calling a lambda', at)
			return { kind: 'parameter', at, name: token.value }
		case 'name':
			return column(cursor)
		case 'sign':
			return bracketed(cursor)
		case 'word':
			break
		case 'end':
			throw cursor.unexpected('an expression')
	}
	switch (token.upper) {
		case 'NULL':
			cursor.next()
			return { kind: 'literal', at, typed: { type: NULL, value: null } }
		case 'TRUE':
		case 'FALSE':
			cursor.next()
			return { kind: 'literal', at, typed: { type: BOOL, value: token.upper === 'TRUE' } }
		case 'CAST': {
			cursor.next()
			cursor.expectSign('(')
			const item = parseExpression(cursor)
			cursor.expectWord('AS')
			const type = parseType(cursor)
			cursor.expectSign(')')
			return { kind: 'cast', at, item, type }
		}
		case 'BITCAST':
		case 'CASE':
		case 'IF':
		case 'EXISTS':
			throw cursor.unsupported(token.upper)
		default:
	}
	const following = cursor.after(1)
	if (following.kind === 'sign' && following.text === '(') return call(cursor, token.text)
	if (following.kind === 'sign' && following.text === '::') throw cursor.unsupported(`module ${token.text}`)
	return column(cursor)
}

function column(cursor: TokenCursor): Expression {
	const at = cursor.here
	const name = cursor.name('an expression')
	if (!cursor.takeSign('.')) return { kind: 'column', at, name }
	// `t.column`: there is one source only, so its name adds nothing.
	return { kind: 'column', at, name: cursor.name('a column name') }
}

function bracketed(cursor: TokenCursor): Expression {
	const at = cursor.here
	const items: Expression[] = []
	if (cursor.takeSign('(')) {
		if (cursor.isWord('SELECT')) throw cursor.unsupported('a subquery')
		let isTuple = false
		while (!cursor.isSign(')')) {
			items.push(parseExpression(cursor))
			if (!cursor.takeSign(',')) break
			isTuple = true
		}
		cursor.expectSign(')')
		return isTuple || items.length !== 1 ? { kind: 'tuple', at, items } : items[0]!
	}
	if (cursor.takeSign('[')) {
		while (!cursor.isSign(']')) {
			items.push(parseExpression(cursor))
			if (!cursor.takeSign(',')) break
		}
		cursor.expectSign(']')
		return { kind: 'list', at, items }
	}
	if (cursor.takeSign('<|')) {
		const members: { name: string; value: Expression }[] = []
		while (!cursor.isSign('|>')) {
			const name = cursor.name('a member name')
			cursor.expectSign(':')
			members.push({ name, value: parseExpression(cursor) })
			if (!cursor.takeSign(',')) break
		}
		cursor.expectSign('|>')
		return { kind: 'struct', at, members }
	}
	throw cursor.unexpected('an expression')
}

function call(cursor: TokenCursor, name: string): Expression {
	const at = cursor.here
	const upper = name.toUpperCase()
	cursor.next()
	cursor.expectSign('(')
	if (upper === 'COUNT') {
		if (cursor.isWord('DISTINCT')) throw cursor.unsupported('COUNT(DISTINCT)')
		const item = cursor.takeSign('*') ? undefined : parseExpression(cursor)
		cursor.expectSign(')')
		return { kind: 'count', at, item }
	}
	if (upper === 'NOTHING') {
		const type = parseType(cursor)
		cursor.expectSign(')')
		if (!mayBeNull(type)) throw syntaxError(at, 'Nothing takes an Optional type')
		return { kind: 'nothing', at, type }
	}
	if (upper === 'ASSTRUCT') {
		const members: { name: string; value: Expression }[] = []
		while (!cursor.isSign(')')) {
			const value = parseExpression(cursor)
			cursor.expectWord('AS')
			members.push({ name: cursor.name('a member name'), value })
			if (!cursor.takeSign(',')) break
		}
		cursor.expectSign(')')
		return { kind: 'struct', at, members }
	}
	const args: Expression[] = []
	while (!cursor.isSign(')')) {
		args.push(parseExpression(cursor))
		if (!cursor.takeSign(',')) break
	}
	cursor.expectSign(')')
	if (upper === 'ASLIST') return { kind: 'list', at, items: args }
	if (upper === 'ASTUPLE') return { kind: 'tuple', at, items: args }
	return typedLiteral(name, upper, args, at) ?? { kind: 'call', at, name, args }
}

/** `Uint64("1")`, `Date("2020-01-01")`, `Decimal("1.2", 22, 9)`, … */
function typedLiteral(name: string, upper: string, args: readonly Expression[], at: Position): Expression | undefined {
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
