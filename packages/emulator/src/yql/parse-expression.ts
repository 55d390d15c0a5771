import { isAggregate } from './aggregate.ts'
import type { BinaryOperator, Expression } from './ast.ts'
import { grammarError, type Position, syntaxError } from './lexer.ts'
import { number, text, typedLiteral } from './parse-literal.ts'
import { parseType } from './parse-type.ts'
import type { TokenCursor } from './token-cursor.ts'
import { BOOL, mayBeNull, NULL } from './types.ts'

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

const concat = leftToRight({ '||': '||' }, parseUnary)
const product = leftToRight({ '*': '*', '/': '/', '%': '%' }, concat)
const sum = leftToRight({ '+': '+', '-': '-' }, product)

/** `>>` is two signs, because it closes two types elsewhere. */
function isShiftRight(cursor: TokenCursor): boolean {
	const [one, two] = [cursor.token, cursor.after(1)]
	const adjacent = one.at.row === two.at.row && two.at.column === one.at.column + 1
	return one.kind === 'sign' && one.text === '>' && two.kind === 'sign' && two.text === '>' && adjacent
}

const BITS: readonly BinaryOperator[] = ['|', '&', '^', '<<']

function bits(cursor: TokenCursor): Expression {
	let left = sum(cursor)
	for (;;) {
		const at = cursor.here
		let operator = BITS.find((each) => cursor.isSign(each))
		if (isShiftRight(cursor)) {
			cursor.next()
			operator = '>>'
		}
		if (!operator) break
		cursor.next()
		left = { kind: 'binary', at, operator, left, right: sum(cursor) }
	}
	const at = cursor.here
	if (!cursor.takeSign('??')) return left
	return { kind: 'binary', at, operator: '??', left, right: bits(cursor) }
}

const order = leftToRight({ '<': '<', '<=': '<=', '>': '>', '>=': '>=' }, bits)

const MATCHES = ['REGEXP', 'RLIKE', 'MATCH', 'GLOB']

/** Source of the precedences: SQLv1Antlr4.g.in of YDB, `xor_subexpr` and `cond_expr`. */
function condition(cursor: TokenCursor): Expression {
	let item = order(cursor)
	const at = cursor.here
	const negated = cursor.isWord('NOT') && cursor.takeWord('NOT')
	if (cursor.isWord('LIKE') || cursor.isWord('ILIKE')) {
		const insensitive = cursor.isWord('ILIKE')
		cursor.next()
		const pattern = order(cursor)
		const escape = cursor.takeWord('ESCAPE') ? order(cursor) : undefined
		return { kind: 'like', at, item, pattern, escape, insensitive, negated }
	}
	const match = MATCHES.find((word) => cursor.isWord(word))
	if (match) throw cursor.unsupported(match)
	if (cursor.takeWord('IN')) {
		if (cursor.isWord('COMPACT')) cursor.next()
		return { kind: 'in', at, item, among: parseUnary(cursor), negated }
	}
	if (cursor.takeWord('BETWEEN')) {
		if (cursor.isWord('SYMMETRIC') || cursor.isWord('ASYMMETRIC')) throw cursor.unsupported('BETWEEN SYMMETRIC')
		const least = order(cursor)
		cursor.expectWord('AND')
		return { kind: 'between', at, item, least, most: order(cursor), negated }
	}
	if (negated) {
		cursor.expectWord('NULL')
		return { kind: 'isNull', at, item, negated }
	}
	if (cursor.takeWord('ISNULL')) return { kind: 'isNull', at, item, negated: false }
	if (cursor.takeWord('NOTNULL')) return { kind: 'isNull', at, item, negated: true }
	for (;;) {
		const here = cursor.here
		let operator: BinaryOperator
		if (cursor.takeSign('=') || cursor.takeSign('==')) operator = '='
		else if (cursor.takeSign('<>') || cursor.takeSign('!=')) operator = '<>'
		else if (cursor.takeWord('IS')) {
			const not = cursor.takeWord('NOT')
			if (!cursor.takeWord('DISTINCT')) {
				cursor.expectWord('NULL')
				return { kind: 'isNull', at, item, negated: not }
			}
			cursor.expectWord('FROM')
			operator = not ? 'IS NOT DISTINCT FROM' : 'IS DISTINCT FROM'
		} else return item
		item = { kind: 'binary', at: here, operator, left: item, right: order(cursor) }
	}
}

const exclusive = leftToRight({ XOR: 'XOR' }, condition)
const conjunction = leftToRight({ AND: 'AND' }, exclusive)

export const parseExpression: Side = leftToRight({ OR: 'OR' }, conjunction)

function parseUnary(cursor: TokenCursor): Expression {
	const at = cursor.here
	if (cursor.takeSign('-')) {
		const { token } = cursor
		if (token.kind === 'number') {
			cursor.next()
			return number(token, at, true)
		}
		return { kind: 'minus', at, item: parseParts(cursor) }
	}
	if (cursor.takeSign('+')) return parseParts(cursor)
	if (cursor.takeSign('~')) return { kind: 'bitNot', at, item: parseParts(cursor) }
	// NOT binds as closely as a minus: `NOT a = b` is `(NOT a) = b`.
	if (cursor.takeWord('NOT')) return { kind: 'not', at, item: parseParts(cursor) }
	return parseParts(cursor)
}

/** A value and parts of it: `$row.name`, `$pair.0`. */
function parseParts(cursor: TokenCursor): Expression {
	let item = parseAtom(cursor)
	for (;;) {
		const at = cursor.here
		if (cursor.isSign('[')) throw cursor.unsupported('access by a key ([])')
		// The lexer reads the point and the position as one number.
		const { token } = cursor
		if (token.kind === 'number' && /^\.\d+$/.test(token.digits) && token.suffix === '') {
			cursor.next()
			item = { kind: 'member', at, item, name: token.digits.slice(1) }
		} else if (cursor.takeSign('.')) item = { kind: 'member', at, item, name: cursor.name('a member name') }
		else return item
	}
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
			if (cursor.isSign('(')) throw cursor.unsupported('a lambda', at)
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
		case 'CASE':
			return caseOf(cursor)
		case 'BITCAST':
		case 'EXISTS':
			throw cursor.unsupported(token.upper)
		default:
	}
	const following = cursor.after(1)
	if (following.kind === 'sign' && following.text === '(') return call(cursor, token.text, at)
	if (following.kind === 'sign' && following.text === '::') {
		cursor.next()
		cursor.next()
		const name = `${token.text}::${cursor.token.text}`
		if (cursor.after(1).text !== '(') throw cursor.unsupported(`${name} as a value`)
		return call(cursor, name, at)
	}
	return column(cursor)
}

function caseOf(cursor: TokenCursor): Expression {
	const at = cursor.here
	cursor.next()
	const operand = cursor.isWord('WHEN') ? undefined : parseExpression(cursor)
	const branches: { when: Expression; then: Expression }[] = []
	while (cursor.isWord('WHEN')) {
		cursor.next()
		const here = cursor.here
		const value = parseExpression(cursor)
		const when: Expression = operand ? { kind: 'binary', at: here, operator: '=', left: operand, right: value } : value
		if (!cursor.takeWord('THEN')) throw grammarError(cursor.here, `missing THEN at '${cursor.token.text}'`)
		branches.push({ when, then: parseExpression(cursor) })
	}
	if (branches.length === 0) throw cursor.unexpected('WHEN')
	const otherwise = cursor.takeWord('ELSE') ? parseExpression(cursor) : undefined
	cursor.expectWord('END')
	if (!otherwise) throw syntaxError(at, 'ELSE is required')
	return { kind: 'case', at, branches, otherwise }
}

function column(cursor: TokenCursor): Expression {
	const at = cursor.here
	const name = cursor.name('an expression')
	if (!cursor.takeSign('.')) return { kind: 'column', at, name }
	return { kind: 'column', at, name: cursor.name('a column name'), source: name }
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
		if (cursor.isSign('->')) throw cursor.unsupported('a lambda')
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

function call(cursor: TokenCursor, name: string, at: Position): Expression {
	const upper = name.toUpperCase()
	cursor.next()
	cursor.expectSign('(')
	if (isAggregate(upper)) {
		const distinct = cursor.takeWord('DISTINCT')
		const item = upper === 'COUNT' && !distinct && cursor.takeSign('*') ? undefined : parseExpression(cursor)
		if (cursor.isSign(',')) throw cursor.unsupported(`${name} of several arguments`)
		cursor.expectSign(')')
		return { kind: 'aggregate', at, name: upper, distinct, item }
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
	if (upper === 'IF') {
		const [when, then, otherwise, ...more] = args
		if (!when || !then || more.length > 0) throw syntaxError(at, 'IF() requires from 2 to 3 arguments')
		return { kind: 'case', at, branches: [{ when, then }], otherwise }
	}
	if (upper === 'ASLIST') return { kind: 'list', at, items: args }
	if (upper === 'ASTUPLE') return { kind: 'tuple', at, items: args }
	return typedLiteral(name, upper, args, at) ?? { kind: 'call', at, name, args }
}
