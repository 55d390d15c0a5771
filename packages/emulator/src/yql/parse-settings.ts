import type { Setting } from './ast.ts'
import { parseExpression } from './parse-expression.ts'
import type { TokenCursor } from './token-cursor.ts'

/** `(name = value, …)`: words such as ENABLED stay words, everything else is an expression. Names are in upper case. */
export function parseSettings(cursor: TokenCursor): Setting[] {
	return cursor.list(() => parseNamedSetting(cursor))
}

export function parseNamedSetting(cursor: TokenCursor): Setting {
	const at = cursor.here
	const name = cursor.name('a setting').toUpperCase()
	cursor.expectSign('=')
	const { token } = cursor
	if (token.kind === 'word' && cursor.after(1).text !== '(') {
		cursor.next()
		return { at, name, value: { kind: 'word', word: token.upper } }
	}
	return { at, name, value: { kind: 'expression', expression: parseExpression(cursor) } }
}
