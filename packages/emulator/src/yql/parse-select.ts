import type { Expression, OrderItem, Select, SelectItem, Source } from './ast.ts'
import { type Position, syntaxError } from './lexer.ts'
import { parseExpression } from './parse-expression.ts'
import type { TokenCursor } from './token-cursor.ts'

const PLAIN_ASTERISK =
	"Unable to use plain '*' with other projection items. Please use qualified asterisk instead: '<table>.*' (<table> can be either table name or table alias)."

/** Words that may follow an item or a source and are no names for it. */
const NO_ALIAS = /^(VIEW|SAMPLE|TABLESAMPLE|ASSUME|MATCH_RECOGNIZE|WITHOUT|OVER|REGEXP|RLIKE|MATCH|GLOB)$/i

function refuseWindow(cursor: TokenCursor): void {
	if (cursor.isWord('OVER')) throw cursor.unsupported('a window function (OVER)')
}

function parseAlias(cursor: TokenCursor, what: string): string | undefined {
	if (cursor.takeWord('AS')) return cursor.name(what)
	return cursor.isName() && !NO_ALIAS.test(cursor.token.text) ? cursor.name(what) : undefined
}

/** `*`, `source.*` (nothing), or the items. */
function parseItems(cursor: TokenCursor): SelectItem[] {
	const items: SelectItem[] = []
	const star = cursor.here
	if (cursor.takeSign('*')) {
		if (cursor.isSign(',')) throw syntaxError(star, PLAIN_ASTERISK)
		if (cursor.isWord('WITHOUT')) throw cursor.unsupported('SELECT * WITHOUT')
		return items
	}
	if (cursor.isName() && cursor.after(1).text === '.' && cursor.after(2).text === '*') {
		cursor.next()
		cursor.next()
		cursor.next()
		if (cursor.isSign(',')) throw cursor.unsupported('a qualified asterisk next to other items')
		return items
	}
	do {
		if (items.length > 0 && (cursor.isWord('FROM') || cursor.isSign(';') || cursor.atEnd)) break
		if (cursor.isSign('*')) throw syntaxError(cursor.here, PLAIN_ASTERISK)
		const value = parseExpression(cursor)
		refuseWindow(cursor)
		items.push({ value, alias: parseAlias(cursor, 'a name of a column') })
	} while (cursor.takeSign(','))
	return items
}

function parseSource(cursor: TokenCursor): Source {
	const at = cursor.here
	let source: Omit<Extract<Source, { kind: 'rows' }>, 'alias'> | Omit<Extract<Source, { kind: 'table' }>, 'alias'>
	if (cursor.isWord('AS_TABLE') && cursor.after(1).text === '(') {
		cursor.next()
		cursor.expectSign('(')
		source = { kind: 'rows', at, rows: parseExpression(cursor) }
		cursor.expectSign(')')
	} else if (cursor.isSign('(')) throw cursor.unsupported('a subquery')
	else if (cursor.token.kind === 'parameter') throw cursor.unsupported('a named source')
	else {
		const path = cursor.name('a table name')
		if (cursor.isSign('(')) throw cursor.unsupported('a function of tables', at)
		const viewed = cursor.takeWord('VIEW')
		// The primary key is an index too.
		const primary = viewed && cursor.takeWord('PRIMARY', 'KEY')
		source = { kind: 'table', at, path, view: viewed && !primary ? cursor.name('a name of an index') : undefined }
	}
	const alias = parseAlias(cursor, 'a name of the source')
	if (cursor.isSign(',')) throw cursor.unsupported('several sources')
	if (cursor.isSign('(')) throw cursor.unsupported('names for the columns of a source')
	return { ...source, alias }
}

function parseGroupBy(cursor: TokenCursor): SelectItem[] {
	if (cursor.isWord('GROUP', 'COMPACT')) throw cursor.unsupported('GROUP COMPACT BY')
	if (!cursor.takeWord('GROUP', 'BY')) return []
	const keys: SelectItem[] = []
	do {
		if (
			cursor.isWord('GROUPING') ||
			((cursor.isWord('ROLLUP') || cursor.isWord('CUBE')) && cursor.after(1).text === '(')
		)
			throw cursor.unsupported(`GROUP BY ${cursor.token.text.toUpperCase()}`)
		const value = parseExpression(cursor)
		keys.push({ value, alias: cursor.takeWord('AS') ? cursor.name('a name of a key') : undefined })
	} while (cursor.takeSign(','))
	return keys
}

function parseOrderBy(cursor: TokenCursor): OrderItem[] {
	const items: OrderItem[] = []
	if (!cursor.takeWord('ORDER', 'BY')) return items
	do {
		const value = parseExpression(cursor)
		const descending = cursor.takeWord('DESC')
		if (!descending) cursor.takeWord('ASC')
		items.push({ value, descending })
	} while (cursor.takeSign(','))
	return items
}

/** What stands behind SELECT. */
export function parseSelect(cursor: TokenCursor, at: Position): Select {
	if (cursor.isWord('STREAM')) throw cursor.unsupported('SELECT STREAM')
	const distinct = cursor.takeWord('DISTINCT')
	if (!distinct) cursor.takeWord('ALL')
	const first = cursor.here
	const items = parseItems(cursor)
	const from = cursor.takeWord('FROM') ? parseSource(cursor) : undefined
	const clause = (word: string): Expression | undefined => (cursor.takeWord(word) ? parseExpression(cursor) : undefined)
	const where = clause('WHERE')
	const groupBy = parseGroupBy(cursor)
	const having = clause('HAVING')
	const orderBy = parseOrderBy(cursor)
	const limit = clause('LIMIT')
	if (limit && cursor.isSign(',')) throw cursor.unsupported('LIMIT with a comma')
	const offset = clause('OFFSET')
	if (!from) {
		if (items.length === 0) throw syntaxError(first, 'Asterisk is not allowed without FROM')
		if (where) throw syntaxError(where.at, 'Filtering is not allowed without FROM')
		if (groupBy.length > 0) throw syntaxError(at, 'Column references are not allowed without FROM')
	}
	return { at, distinct, items, from, where, groupBy, having, orderBy, limit, offset }
}
