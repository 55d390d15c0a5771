import type { SchemeStatement } from './ast.ts'
import { type Position, syntaxError } from './lexer.ts'
import type { AccessAction, Secret } from './object-ast.ts'
import type { TokenCursor } from './token-cursor.ts'

type AccessStatement = Extract<SchemeStatement, { kind: 'access' }>

/** What stands after CREATE, ALTER or DROP, when it is about users or groups. */
export function parseAccounts(
	cursor: TokenCursor,
	verb: 'CREATE' | 'ALTER' | 'DROP',
	at: Position,
): AccessStatement | undefined {
	const what = cursor.takeWord('USER') ? 'user' : cursor.takeWord('GROUP') ? 'group' : undefined
	if (!what) return undefined
	return { kind: 'access', at, action: verb === 'DROP' ? drop(cursor, what) : change(cursor, verb, what) }
}

function drop(cursor: TokenCursor, what: 'user' | 'group'): AccessAction {
	const ifExists = cursor.takeWord('IF', 'EXISTS')
	return { kind: 'dropAccounts', what, ifExists, names: names(cursor) }
}

function change(cursor: TokenCursor, verb: 'CREATE' | 'ALTER', what: 'user' | 'group'): AccessAction {
	const name = cursor.name('a name')
	if (verb === 'ALTER' && cursor.takeWord('RENAME', 'TO'))
		return { kind: 'rename', what, name, to: cursor.name('a name') }
	if (what === 'user') return { kind: verb === 'CREATE' ? 'createUser' : 'alterUser', name, ...options(cursor) }
	if (verb === 'CREATE') {
		cursor.takeWord('WITH')
		return { kind: 'createGroup', name, users: cursor.takeWord('USER') ? names(cursor) : [] }
	}
	if (cursor.takeWord('ADD', 'USER')) return { kind: 'addUsers', name, users: names(cursor) }
	cursor.expectWord('DROP', 'USER')
	return { kind: 'dropUsers', name, users: names(cursor) }
}

function names(cursor: TokenCursor): string[] {
	const found: string[] = []
	do found.push(cursor.name('a name'))
	while (cursor.takeSign(','))
	return found
}

function options(cursor: TokenCursor): { secret: Secret | undefined; login: boolean | undefined } {
	let secret: Secret | undefined
	let login: boolean | undefined
	cursor.takeWord('WITH')
	for (;;) {
		cursor.takeWord('ENCRYPTED')
		if (cursor.takeWord('PASSWORD'))
			secret = { kind: 'password', text: cursor.takeWord('NULL') ? '' : text(cursor, 'a password') }
		else if (cursor.takeWord('HASH')) secret = { kind: 'hash', text: text(cursor, 'a hash') }
		else if (cursor.takeWord('LOGIN')) login = true
		else if (cursor.takeWord('NOLOGIN')) login = false
		else return { secret, login }
	}
}

function text(cursor: TokenCursor, what: string): string {
	const token = cursor.next()
	if (token.kind !== 'string') throw syntaxError(token.at, `mismatched input expecting ${what}`)
	return token.bytes.toString()
}

/** What stands after GRANT or REVOKE. Source: YDB's documentation of GRANT and REVOKE. */
export function parseGrant(cursor: TokenCursor, verb: 'GRANT' | 'REVOKE', at: Position): AccessStatement {
	const rights: string[] = []
	if (verb === 'REVOKE' && cursor.takeWord('GRANT', 'OPTION', 'FOR')) rights.push('GRANT')
	do {
		const { token } = cursor
		if (token.kind === 'string') {
			cursor.next()
			rights.push(token.bytes.toString())
			continue
		}
		const words: string[] = []
		while (cursor.token.kind === 'word' && !cursor.isWord('ON')) words.push(cursor.next().text.toUpperCase())
		if (words.length === 0) throw cursor.unexpected('a permission')
		rights.push(words.join(' '))
	} while (cursor.takeSign(','))
	cursor.expectWord('ON')
	const paths = names(cursor)
	cursor.expectWord(verb === 'GRANT' ? 'TO' : 'FROM')
	const subjects = names(cursor)
	if (verb === 'GRANT' && cursor.takeWord('WITH', 'GRANT', 'OPTION')) rights.push('GRANT')
	return { kind: 'access', at, action: { kind: verb === 'GRANT' ? 'grant' : 'revoke', rights, paths, subjects } }
}
