import { BackupError } from '@ydbackup/core'

/** A piece of a YQL text: nothing but pieces follows pieces, so that they can be put together again. */
export interface Token {
	readonly kind: 'blank' | 'word' | 'name' | 'string' | 'parameter' | 'sign'
	/** As it stands in the text. */
	readonly text: string
	/** A word in upper case; what stands between backticks or quotes; else the text. */
	readonly value: string
}

/** Larger than what YDB takes as one query. Source: YDB's limit of 10 KiB to 1 MiB by version, with room. */
const LONGEST = 4 << 20

const BLANK = /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)+/y
/** What servers may read otherwise than we do: another lexer asked for, a comment that ends with a bare carriage return. */
const AMBIGUOUS = /--!(?!syntax_v1\s)|--[^\n]*\r(?!\n)/u
const NAME = /`(?:[^`\\]|\\[\s\S])*`/y
const STRING = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|@@(?:[^@]|@(?!@)|@@@@)*@@(?!@)/y
const PARAMETER = /\$[A-Za-z_][A-Za-z0-9_]*/y
const WORD = /[A-Za-z0-9_]+/y

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', a: '\u0007', v: '\v' }

/** The text that a literal means; escapes by number stand for bytes and are left as they are. */
function unquoted(text: string): string {
	if (text.startsWith('@@')) return text.slice(2, -2).replaceAll('@@@@', '@@')
	return text
		.slice(1, -1)
		.replaceAll(/\\([\s\S])/gu, (all, char: string) => (/[0-9xuU]/u.test(char) ? all : (ESCAPES[char] ?? char)))
}

/** Errors: `FORMAT_INVALID` naming `file`, for a text that does not end where its quotes and comments end. */
export function tokenize(text: string, file: string): Token[] {
	if (text.length > LONGEST) throw invalid(file, `it has ${text.length} characters, and no statement is as long`)
	const tokens: Token[] = []
	let at = 0
	function take(pattern: RegExp, kind: Token['kind'], valueOf: (found: string) => string): boolean {
		pattern.lastIndex = at
		const found = pattern.exec(text)?.[0]
		if (found === undefined || found === '') return false
		tokens.push({ kind, text: found, value: valueOf(found) })
		at += found.length
		return true
	}
	while (at < text.length) {
		if (take(BLANK, 'blank', () => ' ')) {
			if (AMBIGUOUS.test(tokens.at(-1)!.text))
				throw invalid(file, 'it has a comment that servers read in different ways')
			continue
		}
		if (take(NAME, 'name', unquoted) || take(STRING, 'string', unquoted)) continue
		if (take(PARAMETER, 'parameter', (found) => found)) continue
		if (take(WORD, 'word', (found) => found.toUpperCase())) continue
		const sign = text[at]!
		if ('`\'"'.includes(sign) || text.startsWith('@@', at) || text.startsWith('/*', at))
			throw invalid(file, 'it ends within a text or a comment')
		tokens.push({ kind: 'sign', text: sign, value: sign })
		at += 1
	}
	return tokens
}

export function invalid(file: string, what: string): BackupError {
	return new BackupError('FORMAT_INVALID', `${file}: ${what}`, {
		advice: 'the file is damaged, or somebody changed it; leave the object out, or take it from another backup',
	})
}

/** A path between backticks, as YQL wants it. */
export function quoteName(path: string): string {
	return `\`${path.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}

/** A text between single quotes. */
export function quoteText(text: string): string {
	return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
}
