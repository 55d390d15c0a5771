import type {
	Alteration,
	ColumnDefinition,
	FamilyDefinition,
	FeedDefinition,
	IndexDefinition,
	SchemeStatement,
	Setting,
	SettingValue,
} from './ast.ts'
import { grammarError, type Position, syntaxError } from './lexer.ts'
import { parseExpression } from './parse-expression.ts'
import { parseSettings } from './parse-settings.ts'
import { parseSerial, parseType } from './parse-type.ts'
import type { TokenCursor } from './token-cursor.ts'

/** What stands after CREATE TABLE. */
export function parseCreateTable(cursor: TokenCursor, at: Position): SchemeStatement {
	const ifNotExists = cursor.takeWord('IF', 'NOT', 'EXISTS')
	const path = cursor.name('a table name')
	const columns: ColumnDefinition[] = []
	const indexes: IndexDefinition[] = []
	const families: FamilyDefinition[] = []
	let primaryKey: readonly string[] = []
	if (cursor.isWord('AS')) throw cursor.unsupported('CREATE TABLE AS')
	cursor.list(() => {
		if (cursor.isWord('PRIMARY', 'KEY')) {
			const here = cursor.here
			cursor.expectWord('PRIMARY', 'KEY')
			if (primaryKey.length > 0) throw syntaxError(here, 'PRIMARY KEY statement must be specified only once')
			primaryKey = cursor.nameList('a column name')
		} else if (cursor.isWord('INDEX') && cursor.after(2).kind === 'word') indexes.push(parseIndex(cursor))
		else if (cursor.isWord('FAMILY') && cursor.after(2).text === '(') families.push(parseFamily(cursor))
		else if (cursor.isWord('CHANGEFEED') && /^with$/i.test(cursor.after(2).text))
			throw cursor.unsupported('CHANGEFEED in CREATE TABLE')
		else columns.push(parseColumn(cursor))
	})
	const hash = cursor.takeWord('PARTITION', 'BY', 'HASH') ? cursor.nameList('a column name') : []
	const settings = cursor.takeWord('WITH') ? cursor.list(() => parseSetting(cursor)) : []
	if (cursor.isWord('AS')) throw cursor.unsupported('CREATE TABLE AS')
	return { kind: 'createTable', at, path, ifNotExists, columns, primaryKey, indexes, families, hash, settings }
}

function parseColumn(cursor: TokenCursor): ColumnDefinition {
	const at = cursor.here
	const name = cursor.name('a column name')
	const serial = parseSerial(cursor)
	const type = serial ?? parseType(cursor)
	let notNull = serial !== undefined
	let otherwise: ColumnDefinition['otherwise']
	let family: string | undefined
	for (;;) {
		if (cursor.takeWord('NOT', 'NULL')) notNull = true
		else if (cursor.takeWord('NULL')) notNull = serial !== undefined
		else if (cursor.takeWord('DEFAULT')) otherwise = parseExpression(cursor)
		else if (cursor.takeWord('FAMILY')) family = cursor.name('a family name')
		else if (cursor.isWord('COMPRESSION')) throw cursor.unsupported('COMPRESSION of a column')
		else break
	}
	if (serial && otherwise) throw syntaxError(at, `Column "${name}": serial types have no DEFAULT`)
	return { at, name, type, notNull, serial: serial !== undefined, otherwise, family }
}

function parseFamily(cursor: TokenCursor): FamilyDefinition {
	const at = cursor.here
	cursor.expectWord('FAMILY')
	return { at, name: cursor.name('a family name'), settings: parseSettings(cursor) }
}

function parseFeed(cursor: TokenCursor): FeedDefinition {
	const at = cursor.here
	cursor.expectWord('CHANGEFEED')
	const name = cursor.name('a changefeed name')
	cursor.expectWord('WITH')
	return { at, name, settings: parseSettings(cursor) }
}

function parseIndex(cursor: TokenCursor): IndexDefinition {
	cursor.expectWord('INDEX')
	const name = cursor.name('an index name')
	if (cursor.isWord('LOCAL')) throw cursor.unsupported('a LOCAL index')
	cursor.expectWord('GLOBAL')
	const unique = cursor.takeWord('UNIQUE')
	const asynchronous = cursor.takeWord('ASYNC')
	if (!asynchronous) cursor.takeWord('SYNC')
	if (unique && asynchronous) throw cursor.unsupported('an asynchronous unique index')
	if (cursor.isWord('USING')) throw cursor.unsupported('an index with USING')
	cursor.expectWord('ON')
	const columns = cursor.nameList('a column name')
	const cover = cursor.takeWord('COVER') ? cursor.nameList('a column name') : []
	if (cursor.isWord('WITH')) throw cursor.unsupported('settings of an index')
	return { name, kind: unique ? 'unique' : asynchronous ? 'async' : 'sync', columns, cover }
}

function parseSetting(cursor: TokenCursor): Setting {
	const at = cursor.here
	const name = cursor.name('a setting').toUpperCase()
	cursor.expectSign('=')
	return { at, name, value: parseSettingValue(cursor, name) }
}

function parseSettingValue(cursor: TokenCursor, name: string): SettingValue {
	if (name === 'PARTITION_AT_KEYS')
		return {
			kind: 'keys',
			keys: cursor.list(() =>
				cursor.isSign('(') ? cursor.list(() => parseExpression(cursor)) : [parseExpression(cursor)],
			),
		}
	if (name === 'TTL') {
		const interval = parseExpression(cursor)
		if (cursor.isWord('TO') || cursor.isWord('DELETE')) throw cursor.unsupported('TTL with tiers')
		cursor.expectWord('ON')
		const column = cursor.name('a column name')
		const unit = cursor.takeWord('AS') ? cursor.name('a unit').toUpperCase() : undefined
		return { kind: 'ttl', interval, column, unit }
	}
	const token = cursor.next()
	if (token.kind === 'number' && /^\d+$/.test(token.digits)) return { kind: 'number', value: BigInt(token.digits) }
	if (token.kind === 'string') return { kind: 'text', text: token.bytes.toString() }
	if (token.kind === 'word') return { kind: 'word', word: token.upper }
	throw grammarError(token.at, `mismatched input '${token.text}' expecting a value of ${name}`)
}

/** What stands after ALTER TABLE. */
export function parseAlterTable(cursor: TokenCursor, at: Position): SchemeStatement {
	const path = cursor.name('a table name')
	const actions: Alteration[] = []
	do actions.push(parseAction(cursor))
	while (cursor.takeSign(','))
	return { kind: 'alterTable', at, path, actions }
}

function parseAction(cursor: TokenCursor): Alteration {
	const at = cursor.here
	if (cursor.takeWord('ADD')) {
		if (cursor.isWord('INDEX')) return { kind: 'addIndex', at, index: parseIndex(cursor) }
		if (cursor.isWord('CHANGEFEED')) return { kind: 'addFeed', at, feed: parseFeed(cursor) }
		if (cursor.isWord('FAMILY') && cursor.after(2).text === '(')
			return { kind: 'addFamily', at, family: parseFamily(cursor) }
		cursor.takeWord('COLUMN')
		return { kind: 'addColumn', at, column: parseColumn(cursor) }
	}
	if (cursor.takeWord('DROP')) {
		if (cursor.takeWord('INDEX')) return { kind: 'dropIndex', at, name: cursor.name('an index name') }
		if (cursor.takeWord('CHANGEFEED')) return { kind: 'dropFeed', at, name: cursor.name('a changefeed name') }
		cursor.takeWord('COLUMN')
		return { kind: 'dropColumn', at, name: cursor.name('a column name') }
	}
	if (cursor.takeWord('RENAME')) {
		if (cursor.takeWord('INDEX')) {
			const from = cursor.name('an index name')
			cursor.expectWord('TO')
			return { kind: 'renameIndex', at, from, to: cursor.name('an index name') }
		}
		cursor.expectWord('TO')
		return { kind: 'renameTo', at, path: cursor.name('a table name') }
	}
	if (cursor.takeWord('SET')) {
		if (cursor.isSign('(')) return { kind: 'set', at, settings: cursor.list(() => parseSetting(cursor)) }
		const name = cursor.name('a setting').toUpperCase()
		return { kind: 'set', at, settings: [{ at, name, value: parseSettingValue(cursor, name) }] }
	}
	if (cursor.takeWord('RESET'))
		return { kind: 'reset', at, names: cursor.list(() => cursor.name('a setting').toUpperCase()) }
	if (cursor.takeWord('ALTER')) return parseInnerAlter(cursor, at)
	throw cursor.unexpected('an alteration of a table')
}

/** `ALTER FAMILY f SET …`, `ALTER INDEX i SET …`, `ALTER COLUMN c …` */
function parseInnerAlter(cursor: TokenCursor, at: Position): Alteration {
	if (cursor.takeWord('FAMILY')) {
		const name = cursor.name('a family name')
		cursor.expectWord('SET')
		const here = cursor.here
		const setting = cursor.name('a setting').toUpperCase()
		const value = parseSettingValue(cursor, setting)
		return { kind: 'alterFamily', at, family: { at, name, settings: [{ at: here, name: setting, value }] } }
	}
	if (cursor.takeWord('INDEX')) {
		const name = cursor.name('an index name')
		cursor.expectWord('SET')
		if (cursor.isSign('(')) return { kind: 'setIndex', at, name, settings: cursor.list(() => parseSetting(cursor)) }
		const here = cursor.here
		const setting = cursor.name('a setting').toUpperCase()
		return {
			kind: 'setIndex',
			at,
			name,
			settings: [{ at: here, name: setting, value: parseSettingValue(cursor, setting) }],
		}
	}
	cursor.expectWord('COLUMN')
	const column = cursor.name('a column name')
	if (cursor.takeWord('DROP', 'NOT', 'NULL')) return { kind: 'dropNotNull', at, column }
	if (cursor.takeWord('SET', 'FAMILY')) return { kind: 'setFamily', at, column, family: cursor.name('a family name') }
	throw cursor.unsupported(`ALTER COLUMN ${cursor.token.text}`)
}
