import { YdbError } from '../error.ts'
import type { Expression, Returning, Statement, WriteMode, WriteSource } from './ast.ts'
import { grammarError, type Position, syntaxError } from './lexer.ts'
import { parseAccounts, parseGrant } from './parse-access.ts'
import { parseBackup, parseBackupCollection } from './parse-collection.ts'
import { parseExpression } from './parse-expression.ts'
import { parseObject } from './parse-object.ts'
import { parseSelect } from './parse-select.ts'
import { parseAlterTable, parseCreateTable } from './parse-table.ts'
import { parseType } from './parse-type.ts'
import { parseAlterSequence } from './sequence.ts'
import { TokenCursor } from './token-cursor.ts'

/** The statements of a query. */
export function parse(text: string): Statement[] {
	const mode = /^\s*--!(\w+)/.exec(text)?.[1]
	if (mode !== undefined && mode !== 'syntax_v1') throw new YdbError('UNSUPPORTED', `--!${mode} is not emulated`)
	const cursor = new TokenCursor(text)
	const statements: Statement[] = []
	for (;;) {
		while (cursor.takeSign(';'));
		if (cursor.atEnd) return statements
		statements.push(parseStatement(cursor))
		if (!cursor.atEnd && !cursor.isSign(';')) throw cursor.unexpected("';'")
	}
}

/** Beginnings of statements that YQL has and the emulator has not. */
const STATEMENTS = new Set(
	(
		'ALTER ANALYZE BATCH COMMIT CREATE DEFINE DISCARD DO DROP EVALUATE EXPLAIN EXPORT FROM GRANT IMPORT ' +
		'PROCESS REDUCE REVOKE ROLLBACK SHOW SUBQUERY TRUNCATE USE VALUES'
	).split(' '),
)

function parseStatement(cursor: TokenCursor): Statement {
	const { token } = cursor
	const { at } = token
	if (token.kind === 'parameter') {
		cursor.next()
		if (cursor.isSign(',')) throw cursor.unsupported('a statement with several names')
		cursor.expectSign('=')
		const begin = cursor.token
		if (isOpaque(cursor)) {
			cursor.skipUntil(() => false)
			return { kind: 'named', at, text: `${token.value} = ${cursor.tokensFrom(begin)};` }
		}
		const value = parseExpression(cursor)
		return { kind: 'assign', at, name: token.value, value, text: `${token.value} = ${cursor.tokensFrom(begin)};` }
	}
	if (token.kind !== 'word') {
		if (cursor.isSign('(')) throw cursor.unsupported('a statement in parentheses')
		throw cursor.unexpected('a statement')
	}
	cursor.next()
	switch (token.upper) {
		case 'PRAGMA':
			return parsePragma(cursor, at)
		case 'DECLARE': {
			const name = cursor.next()
			if (name.kind !== 'parameter')
				throw grammarError(name.at, `mismatched input '${name.text}' expecting a parameter`)
			cursor.expectWord('AS')
			return { kind: 'declare', at, name: name.value, type: parseType(cursor) }
		}
		case 'SELECT': {
			const select = parseSelect(cursor, at)
			return { kind: 'select', at, select }
		}
		case 'UPSERT':
		case 'REPLACE':
		case 'INSERT':
			return parseWrite(cursor, at, token.upper)
		case 'DELETE': {
			cursor.expectWord('FROM')
			const path = cursor.name('a table name')
			if (cursor.takeWord('ON')) return { kind: 'deleteOn', at, path, ...parseWriteSource(cursor, `${token.upper} ON`) }
			const where = cursor.takeWord('WHERE') ? parseExpression(cursor) : undefined
			return { kind: 'delete', at, path, where, returning: parseReturning(cursor) }
		}
		case 'UPDATE': {
			const path = cursor.name('a table name')
			if (cursor.takeWord('ON')) return { kind: 'updateOn', at, path, ...parseWriteSource(cursor, `${token.upper} ON`) }
			cursor.expectWord('SET')
			if (cursor.isSign('(')) throw cursor.unsupported('SET of several columns at once')
			const set: { name: string; value: Expression; at: Position }[] = []
			do {
				const here = cursor.here
				const name = cursor.name('a column name')
				cursor.expectSign('=')
				set.push({ at: here, name, value: parseExpression(cursor) })
			} while (cursor.takeSign(','))
			const where = cursor.takeWord('WHERE') ? parseExpression(cursor) : undefined
			return { kind: 'update', at, path, set, where, returning: parseReturning(cursor) }
		}
		case 'CREATE':
		case 'ALTER':
		case 'DROP': {
			const found = parseScheme(cursor, token.upper, at)
			if (found) return found
			break
		}
		case 'BACKUP':
		case 'RESTORE':
			return parseBackup(cursor, token.upper, at)
		case 'GRANT':
		case 'REVOKE':
			return parseGrant(cursor, token.upper, at)
		default:
	}
	if (!STATEMENTS.has(token.upper)) throw grammarError(at, `mismatched input '${token.text}' expecting a statement`)
	const what = cursor.token.kind === 'word' ? `${token.upper} ${cursor.token.upper}` : token.upper
	throw cursor.unsupported(`the statement ${what}`, at)
}

/** Whether a SELECT or a lambda comes next: it is kept for statements that keep their context, and not evaluated. */
function isOpaque(cursor: TokenCursor): boolean {
	if (cursor.isWord('SELECT') || cursor.isWord('PROCESS')) return true
	if (!cursor.isSign('(')) return false
	const inside = cursor.after(1)
	if (inside.kind === 'word' && inside.upper === 'SELECT') return true
	let depth = 0
	for (let at = 0; ; at++) {
		const token = cursor.after(at)
		if (token.kind === 'end') return false
		if (token.text === '(' && token.kind === 'sign') depth++
		if (token.text === ')' && token.kind === 'sign' && --depth === 0) {
			const next = cursor.after(at + 1)
			return next.kind === 'sign' && next.text === '->'
		}
	}
}

function parseScheme(cursor: TokenCursor, verb: 'CREATE' | 'ALTER' | 'DROP', at: Position): Statement | undefined {
	if (cursor.takeWord('TABLE')) {
		if (verb === 'CREATE') return parseCreateTable(cursor, at)
		if (verb === 'ALTER') return parseAlterTable(cursor, at)
		const ifExists = cursor.takeWord('IF', 'EXISTS')
		return { kind: 'dropTable', at, path: cursor.name('a table name'), ifExists }
	}
	if (cursor.takeWord('BACKUP', 'COLLECTION')) return parseBackupCollection(cursor, verb, at)
	if (verb === 'ALTER' && cursor.takeWord('SEQUENCE')) return parseAlterSequence(cursor, at)
	return parseAccounts(cursor, verb, at) ?? parseObject(cursor, verb, at)
}

function parsePragma(cursor: TokenCursor, at: Position): Statement {
	let name = cursor.name('the name of a pragma')
	while (cursor.takeSign('.')) name += `.${cursor.name('the name of a pragma')}`
	const text = (): string => {
		const token = cursor.next()
		if (token.kind === 'string') return token.bytes.toString()
		if (token.kind === 'number' || token.kind === 'word') return token.text
		throw grammarError(token.at, `mismatched input '${token.text}' expecting a value of pragma ${name}`)
	}
	let value: string | undefined
	if (cursor.takeSign('=')) value = text()
	else if (cursor.isSign('(')) {
		const values = cursor.list(text)
		if (values.length > 1) throw cursor.unsupported(`pragma ${name} with several values`, at)
		;[value] = values
	}
	return { kind: 'pragma', at, name, value }
}

function parseWrite(cursor: TokenCursor, at: Position, mode: WriteMode): Statement {
	if (cursor.isWord('OR')) throw cursor.unsupported(`${mode} OR`)
	cursor.expectWord('INTO')
	if (cursor.isWord('OBJECT')) throw cursor.unsupported(`${mode} OBJECT`)
	const here = cursor.here
	const path = cursor.name('a table name')
	if (cursor.isWord('VALUES'))
		throw syntaxError(here, `${mode} INTO ... VALUES requires specification of table columns`)
	return { kind: 'write', at, mode, path, ...parseWriteSource(cursor, `${mode} INTO`) }
}

interface ParsedWriteSource {
	readonly columns: readonly string[] | undefined
	readonly source: WriteSource
	readonly returning: Returning
}

function parseWriteSource(cursor: TokenCursor, what: string): ParsedWriteSource {
	const after = cursor.after(1)
	const inBrackets = after.kind === 'word' && after.upper === 'SELECT'
	const columns = cursor.isSign('(') && !inBrackets ? cursor.nameList('a column name') : undefined
	const at = cursor.here
	let source: WriteSource
	if (cursor.takeWord('VALUES')) {
		const rows: Expression[][] = []
		do {
			const row = cursor.list(() => parseExpression(cursor))
			if (columns && row.length !== columns.length)
				throw syntaxError(after.at, `VALUES have ${row.length} columns, ${what} expects: ${columns.length}`)
			rows.push(row)
		} while (cursor.takeSign(','))
		source = { kind: 'values', rows }
	} else if (cursor.takeWord('SELECT')) source = { kind: 'select', select: parseSelect(cursor, at) }
	else if (cursor.takeSign('(')) {
		cursor.expectWord('SELECT')
		source = { kind: 'select', select: parseSelect(cursor, at) }
		cursor.expectSign(')')
	} else throw cursor.unexpected('VALUES or SELECT')
	return { columns, source, returning: parseReturning(cursor) }
}

/** `RETURNING *` or the names of columns. */
function parseReturning(cursor: TokenCursor): Returning {
	if (!cursor.takeWord('RETURNING')) return undefined
	const names: string[] = []
	if (cursor.takeSign('*')) return names
	do names.push(cursor.name('a column name'))
	while (cursor.takeSign(','))
	return names
}
