import type { ColumnDefinition, SchemeStatement } from './ast.ts'
import type { Position } from './lexer.ts'
import type { ConsumerDefinition, DroppedKind, ObjectAction, TopicAction } from './object-ast.ts'
import { parseNamedSetting, parseSettings } from './parse-settings.ts'
import { parseType } from './parse-type.ts'
import type { TokenCursor } from './token-cursor.ts'

type ObjectStatement = Extract<SchemeStatement, { kind: 'object' }>

const DEFINED: readonly (readonly [words: readonly string[], what: DroppedKind])[] = [
	[['VIEW'], 'view'],
	[['TOPIC'], 'topic'],
	[['EXTERNAL', 'DATA', 'SOURCE'], 'externalDataSource'],
	[['EXTERNAL', 'TABLE'], 'externalTable'],
	[['ASYNC', 'REPLICATION'], 'replication'],
	[['TRANSFER'], 'transfer'],
]

function takeKind(cursor: TokenCursor): DroppedKind | undefined {
	return DEFINED.find(([words]) => cursor.takeWord(...words))?.[1]
}

/** What stands after CREATE, ALTER or DROP, when it is about an object that is not a table. */
export function parseObject(
	cursor: TokenCursor,
	verb: 'CREATE' | 'ALTER' | 'DROP',
	at: Position,
): ObjectStatement | undefined {
	const replace = verb === 'CREATE' && cursor.takeWord('OR', 'REPLACE')
	const what = takeKind(cursor)
	if (!what) {
		if (replace) throw cursor.unsupported('OR REPLACE of this')
		return undefined
	}
	const action =
		verb === 'CREATE' ? create(cursor, what, replace) : verb === 'ALTER' ? alter(cursor, what) : drop(cursor, what)
	return { kind: 'object', at, action }
}

function drop(cursor: TokenCursor, what: DroppedKind): ObjectAction {
	const ifExists = cursor.takeWord('IF', 'EXISTS')
	const path = cursor.name('a path')
	if (what === 'replication' || what === 'transfer') cursor.takeWord('CASCADE')
	return { kind: 'drop', what, path, ifExists }
}

function create(cursor: TokenCursor, what: DroppedKind, replace: boolean): ObjectAction {
	const ifNotExists = cursor.takeWord('IF', 'NOT', 'EXISTS')
	if (replace && (ifNotExists || !what.startsWith('external'))) throw cursor.unsupported('OR REPLACE of this')
	const path = cursor.name('a path')
	if (what === 'view') return createView(cursor, path, ifNotExists)
	if (what === 'topic') {
		const consumers = cursor.isSign('(')
			? cursor.list(() => (cursor.expectWord('CONSUMER'), parseConsumer(cursor)))
			: []
		const settings = cursor.takeWord('WITH') ? parseSettings(cursor) : []
		return { kind: 'createTopic', path, ifNotExists, consumers, settings }
	}
	const begin = cursor.token
	let columns: ColumnDefinition[] = []
	const targets: (readonly [from: string, to: string])[] = []
	let lambda = ''
	if (what === 'externalTable') columns = cursor.list(() => parseColumn(cursor))
	else if (what === 'replication') {
		cursor.expectWord('FOR')
		do {
			const from = cursor.name('a path')
			cursor.expectWord('AS')
			targets.push([from, cursor.name('a path')])
		} while (cursor.takeSign(','))
	} else if (what === 'transfer') {
		cursor.expectWord('FROM')
		const from = cursor.name('a path')
		cursor.expectWord('TO')
		targets.push([from, cursor.name('a path')])
		cursor.expectWord('USING')
		const first = cursor.token
		cursor.skipUntil(() => cursor.isWord('WITH'))
		lambda = cursor.tokensFrom(first)
	}
	cursor.expectWord('WITH')
	const settings = parseSettings(cursor)
	const text = cursor.textFrom(begin)
	return { kind: 'createDefinition', what, path, ifNotExists, replace, columns, settings, text, targets, lambda }
}

function parseColumn(cursor: TokenCursor): ColumnDefinition {
	const at = cursor.here
	const name = cursor.name('a column name')
	const type = parseType(cursor)
	const notNull = cursor.takeWord('NOT', 'NULL')
	if (!notNull) cursor.takeWord('NULL')
	return { at, name, type, notNull, serial: false, otherwise: undefined, family: undefined }
}

function createView(cursor: TokenCursor, path: string, ifNotExists: boolean): ObjectAction {
	const settings = !cursor.takeWord('WITH')
		? []
		: cursor.isSign('(')
			? parseSettings(cursor)
			: [parseNamedSetting(cursor)]
	cursor.expectWord('AS')
	const begin = cursor.token
	if (cursor.takeWord('DO')) throw cursor.unsupported('a view by DO')
	cursor.skipUntil(() => false)
	// How servers 25.1 and 26.2 keep it.
	return { kind: 'createView', path, ifNotExists, settings, query: cursor.tokensFrom(begin) }
}

function parseConsumer(cursor: TokenCursor): ConsumerDefinition {
	const at = cursor.here
	const name = cursor.name('a consumer name')
	return { at, name, settings: cursor.takeWord('WITH') ? parseSettings(cursor) : [] }
}

function alter(cursor: TokenCursor, what: DroppedKind): ObjectAction {
	if (what !== 'topic') throw cursor.unsupported(`ALTER of ${what}`)
	const path = cursor.name('a path')
	const actions: TopicAction[] = []
	do actions.push(topicAction(cursor))
	while (cursor.takeSign(','))
	return { kind: 'alterTopic', path, actions }
}

function topicAction(cursor: TokenCursor): TopicAction {
	if (cursor.takeWord('ADD', 'CONSUMER')) return { kind: 'addConsumer', consumer: parseConsumer(cursor) }
	if (cursor.takeWord('DROP', 'CONSUMER')) return { kind: 'dropConsumer', name: cursor.name('a consumer name') }
	if (cursor.takeWord('ALTER', 'CONSUMER')) {
		const at = cursor.here
		const name = cursor.name('a consumer name')
		cursor.expectWord('SET')
		return { kind: 'alterConsumer', consumer: { at, name, settings: parseSettings(cursor) } }
	}
	if (cursor.takeWord('SET')) return { kind: 'set', settings: parseSettings(cursor) }
	throw cursor.unsupported(`ALTER TOPIC … ${cursor.token.text}`)
}
