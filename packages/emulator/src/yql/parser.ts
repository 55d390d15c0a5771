import { YdbError } from '../error.ts'
import type { Expression, Select, SelectItem, Source, Statement, WriteMode, WriteSource } from './ast.ts'
import { type Position, syntaxError } from './lexer.ts'
import { parseAccounts, parseGrant } from './parse-access.ts'
import { parseExpression } from './parse-expression.ts'
import { parseObject } from './parse-object.ts'
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
		'ALTER ANALYZE BACKUP BATCH COMMIT CREATE DEFINE DISCARD DO DROP EVALUATE EXPLAIN EXPORT FROM GRANT IMPORT ' +
		'PROCESS REDUCE RESTORE REVOKE ROLLBACK SHOW SUBQUERY TRUNCATE USE VALUES'
	).split(' '),
)

function parseStatement(cursor: TokenCursor): Statement {
	const { token } = cursor
	const { at } = token
	if (token.kind === 'parameter') {
		cursor.next()
		if (cursor.isSign(',')) throw cursor.unsupported('a statement with several names')
		cursor.expectSign('=')
		if (cursor.isWord('SELECT') || cursor.isWord('PROCESS')) throw cursor.unsupported('a named SELECT')
		return { kind: 'assign', at, name: token.value, value: parseExpression(cursor) }
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
			if (name.kind !== 'parameter') throw syntaxError(name.at, `mismatched input '${name.text}' expecting a parameter`)
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
			if (cursor.takeWord('ON')) return { kind: 'deleteOn', at, path, ...parseWriteSource(cursor) }
			const where = cursor.takeWord('WHERE') ? parseExpression(cursor) : undefined
			return { kind: 'delete', at, path, where }
		}
		case 'UPDATE': {
			const path = cursor.name('a table name')
			if (cursor.takeWord('ON')) return { kind: 'updateOn', at, path, ...parseWriteSource(cursor) }
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
			return { kind: 'update', at, path, set, where }
		}
		case 'CREATE':
		case 'ALTER':
		case 'DROP': {
			const found = parseScheme(cursor, token.upper, at)
			if (found) return found
			break
		}
		case 'GRANT':
		case 'REVOKE':
			return parseGrant(cursor, token.upper, at)
		default:
	}
	if (!STATEMENTS.has(token.upper)) throw syntaxError(at, `mismatched input '${token.text}' expecting a statement`)
	const what = cursor.token.kind === 'word' ? `${token.upper} ${cursor.token.upper}` : token.upper
	throw cursor.unsupported(`the statement ${what}`, at)
}

function parseScheme(cursor: TokenCursor, verb: 'CREATE' | 'ALTER' | 'DROP', at: Position): Statement | undefined {
	if (cursor.takeWord('TABLE')) {
		if (verb === 'CREATE') return parseCreateTable(cursor, at)
		if (verb === 'ALTER') return parseAlterTable(cursor, at)
		const ifExists = cursor.takeWord('IF', 'EXISTS')
		return { kind: 'dropTable', at, path: cursor.name('a table name'), ifExists }
	}
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
		throw syntaxError(token.at, `mismatched input '${token.text}' expecting a value of pragma ${name}`)
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

function parseSelect(cursor: TokenCursor, at: Position): Select {
	if (cursor.isWord('STREAM') || cursor.isWord('DISTINCT')) throw cursor.unsupported(`SELECT ${cursor.token.text}`)
	const items: SelectItem[] = []
	if (!cursor.takeSign('*'))
		do {
			if (items.length > 0 && cursor.isWord('FROM')) break
			const value = parseExpression(cursor)
			const named = cursor.takeWord('AS') || cursor.isName()
			const known = named && !cursor.isWord('WITHOUT') && !cursor.isWord('ASSUME')
			items.push({ value, alias: known ? cursor.name('a name of a column') : undefined })
		} while (cursor.takeSign(','))
	else if (cursor.isSign(',')) throw cursor.unsupported('SELECT of * and something else')
	const from = cursor.takeWord('FROM') ? parseSource(cursor) : undefined
	const where = cursor.takeWord('WHERE') ? parseExpression(cursor) : undefined
	const orderBy: { value: Expression; descending: boolean }[] = []
	if (cursor.takeWord('ORDER', 'BY'))
		do {
			const value = parseExpression(cursor)
			const descending = cursor.takeWord('DESC')
			if (!descending) cursor.takeWord('ASC')
			orderBy.push({ value, descending })
		} while (cursor.takeSign(','))
	const limit = cursor.takeWord('LIMIT') ? parseExpression(cursor) : undefined
	if (limit && cursor.isSign(',')) throw cursor.unsupported('LIMIT with a comma')
	const offset = cursor.takeWord('OFFSET') ? parseExpression(cursor) : undefined
	if (from === undefined && (items.length === 0 || where || orderBy.length > 0))
		throw syntaxError(
			at,
			items.length === 0 ? 'Wildcard is not allowed without FROM' : 'Filtering is not allowed without FROM',
		)
	return { at, items, from, where, orderBy, limit, offset }
}

function parseSource(cursor: TokenCursor): Source {
	const at = cursor.here
	let source: Source
	if (cursor.isWord('AS_TABLE') && cursor.after(1).text === '(') {
		cursor.next()
		cursor.expectSign('(')
		source = { kind: 'rows', at, rows: parseExpression(cursor) }
		cursor.expectSign(')')
	} else if (cursor.isSign('(')) throw cursor.unsupported('a subquery')
	else if (cursor.token.kind === 'parameter') throw cursor.unsupported('a named source')
	else source = { kind: 'table', at, path: cursor.name('a table name') }
	if (cursor.isSign('(')) throw cursor.unsupported('a function of tables', at)
	if (cursor.isWord('VIEW')) throw cursor.unsupported('reading through an index (VIEW)')
	// A name for the only source adds nothing.
	if (cursor.takeWord('AS')) cursor.name('a name of the source')
	else if (cursor.isName() && !/^(VIEW|SAMPLE|TABLESAMPLE|ASSUME|MATCH_RECOGNIZE)$/i.test(cursor.token.text))
		cursor.name('a name of the source')
	if (cursor.isSign(',')) throw cursor.unsupported('several sources')
	return source
}

function parseWrite(cursor: TokenCursor, at: Position, mode: WriteMode): Statement {
	if (cursor.isWord('OR')) throw cursor.unsupported(`${mode} OR`)
	cursor.expectWord('INTO')
	if (cursor.isWord('OBJECT')) throw cursor.unsupported(`${mode} OBJECT`)
	const path = cursor.name('a table name')
	return { kind: 'write', at, mode, path, ...parseWriteSource(cursor) }
}

function parseWriteSource(cursor: TokenCursor): { columns: readonly string[] | undefined; source: WriteSource } {
	const columns = cursor.isSign('(') ? cursor.nameList('a column name') : undefined
	const at = cursor.here
	let source: WriteSource
	if (cursor.takeWord('VALUES')) {
		const rows: Expression[][] = []
		do rows.push(cursor.list(() => parseExpression(cursor)))
		while (cursor.takeSign(','))
		source = { kind: 'values', rows }
	} else if (cursor.takeWord('SELECT')) source = { kind: 'select', select: parseSelect(cursor, at) }
	else throw cursor.unexpected('VALUES or SELECT')
	if (cursor.isWord('RETURNING')) throw cursor.unsupported('RETURNING')
	return { columns, source }
}
