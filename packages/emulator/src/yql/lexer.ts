import { YdbError } from '../error.ts'

export interface Position {
	/** Both count from 1, as YDB's messages do; columns count bytes of UTF-8 there and UTF-16 units here. */
	readonly row: number
	readonly column: number
}

interface Anywhere {
	readonly at: Position
	/** As it stands in the text. */
	readonly text: string
}

export interface Word extends Anywhere {
	readonly kind: 'word'
	/** In upper case: keywords are case-insensitive. */
	readonly upper: string
}
export interface Name extends Anywhere {
	/** Between backticks. */
	readonly kind: 'name'
	readonly value: string
}
export interface Text extends Anywhere {
	readonly kind: 'string'
	readonly bytes: Buffer
	/** `u` Utf8, `y` Yson, `j` Json, `s` String; empty: String. */
	readonly suffix: string
}
export interface Numeral extends Anywhere {
	readonly kind: 'number'
	readonly digits: string
	readonly suffix: string
}
export interface Parameter extends Anywhere {
	readonly kind: 'parameter'
	/** With its `$`. */
	readonly value: string
}
export interface Sign extends Anywhere {
	readonly kind: 'sign'
}
export interface End extends Anywhere {
	readonly kind: 'end'
}
export type Token = Word | Name | Text | Numeral | Parameter | Sign | End

/** A refusal of the text of a statement, with the place where it stands. */
export function syntaxError(at: Position, message: string): YdbError {
	return new YdbError('GENERIC_ERROR', message, 0, { at })
}

/**
 * A refusal of the grammar. Unlike all others, these count columns from 0: what YDB's tests of the translator expect where they are
 * built with ANTLR 4.
 */
export function grammarError({ row, column }: Position, message: string): YdbError {
	return syntaxError({ row, column: column - 1 }, message)
}

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y
const BLANK = /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)+/y
const REAL = /(?:\d+\.\d*(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/y
const INTEGER = /(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+)/y
const PARAMETER = /\$[A-Za-z_][A-Za-z0-9_]*/y
const SIGN = /(?:<>|<=|<<|>=|==|!=|<\||\|>|\|\||\?\?|::|->|[-+*/%(),.;:=<>?[\]{}|&^~!@])/y

const INTEGER_SUFFIXES = new Set(['', 'u', 'l', 'ul', 's', 'us', 't', 'ut'])
const REAL_SUFFIXES = new Set(['', 'f'])
const STRING_SUFFIXES = new Set(['', 's', 'u', 'y', 'j', 'p', 't', 'b'])

const ESCAPES: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 }

/** Splits a text into tokens; the last one is the end. */
export function tokenize(text: string): Token[] {
	const tokens: Token[] = []
	let at = 0
	let row = 1
	let rowStart = 0

	const match = (pattern: RegExp): string | undefined => {
		pattern.lastIndex = at
		return pattern.exec(text)?.[0]
	}
	const advance = (length: number): void => {
		for (let end = at + length; at < end; at++)
			if (text.charCodeAt(at) === 10) {
				row++
				rowStart = at + 1
			}
	}
	const suffixAfter = (end: number): string => {
		WORD.lastIndex = end
		return WORD.exec(text)?.[0] ?? ''
	}

	for (;;) {
		const blank = match(BLANK)
		if (blank) advance(blank.length)
		const here: Position = { row, column: at - rowStart + 1 }
		if (at >= text.length) {
			tokens.push({ kind: 'end', at: here, text: '' })
			return tokens
		}
		const char = text[at]!
		if (text.startsWith('/*', at)) throw unrecognized(text, at, here)
		if (text.startsWith('@@', at)) {
			const { bytes, end } = multiline(text, at, here)
			const suffix = suffixAfter(end).toLowerCase()
			if (!STRING_SUFFIXES.has(suffix)) throw syntaxError(here, `unknown suffix of a string: ${suffix}`)
			const length = end - at + suffix.length
			tokens.push({ kind: 'string', at: here, text: text.slice(at, at + length), bytes, suffix })
			advance(length)
			continue
		}
		if (char === "'" || char === '"' || char === '`') {
			const { bytes, end } = quoted(text, at, here)
			if (char === '`') {
				tokens.push({ kind: 'name', at: here, text: text.slice(at, end), value: bytes.toString() })
				advance(end - at)
				continue
			}
			const suffix = suffixAfter(end).toLowerCase()
			if (!STRING_SUFFIXES.has(suffix)) throw syntaxError(here, `unknown suffix of a string: ${suffix}`)
			const length = end - at + suffix.length
			tokens.push({ kind: 'string', at: here, text: text.slice(at, at + length), bytes, suffix })
			advance(length)
			continue
		}
		const word = match(WORD)
		if (word) {
			tokens.push({ kind: 'word', at: here, text: word, upper: word.toUpperCase() })
			advance(word.length)
			continue
		}
		const parameter = match(PARAMETER)
		if (parameter) {
			tokens.push({ kind: 'parameter', at: here, text: parameter, value: parameter })
			advance(parameter.length)
			continue
		}
		const real = match(REAL)
		const digits = real ?? match(INTEGER)
		if (digits) {
			const written = suffixAfter(at + digits.length)
			const suffix = written.toLowerCase()
			if (!(real ? REAL_SUFFIXES : INTEGER_SUFFIXES).has(suffix))
				throw syntaxError(here, `unknown suffix of a number: ${written}`)
			const length = digits.length + suffix.length
			tokens.push({ kind: 'number', at: here, text: text.slice(at, at + length), digits, suffix })
			advance(length)
			continue
		}
		const sign = match(SIGN)
		if (!sign) throw grammarError(here, `token recognition error at: '${char}'`)
		tokens.push({ kind: 'sign', at: here, text: sign })
		advance(sign.length)
	}
}

/** Text that is opened and never closed. */
function unrecognized(text: string, start: number, here: Position): YdbError {
	return grammarError(here, `token recognition error at: '${text.slice(start)}'`)
}

/** `@@text@@`; four signs stand for two. */
function multiline(text: string, start: number, here: Position): { bytes: Buffer; end: number } {
	let at = start + 2
	let out = ''
	for (;;) {
		const next = text.indexOf('@@', at)
		if (next < 0) throw unrecognized(text, start, here)
		out += text.slice(at, next)
		if (!text.startsWith('@@@@', next)) return { bytes: Buffer.from(out), end: next + 2 }
		out += '@@'
		at = next + 4
	}
}

/** Text between quotes or backticks, with the escapes of YQL. Source: YDB's documentation, lexical structure. */
function quoted(text: string, start: number, here: Position): { bytes: Buffer; end: number } {
	const quote = text[start]!
	const parts: Buffer[] = []
	let at = start + 1
	let plain = at
	const flush = (): void => {
		if (at > plain) parts.push(Buffer.from(text.slice(plain, at)))
	}
	for (;;) {
		if (at >= text.length) throw unrecognized(text, start, here)
		const char = text[at]!
		if (char === quote) {
			flush()
			if (quote !== '`' || text[at + 1] !== quote) return { bytes: Buffer.concat(parts), end: at + 1 }
			// A doubled backtick stands for itself.
			parts.push(Buffer.from(quote))
			at += 2
			plain = at
			continue
		}
		if (char !== '\\') {
			at++
			continue
		}
		flush()
		const { byteValues, length } = escape(text.slice(at, at + 10), here)
		parts.push(byteValues)
		at += length
		plain = at
	}
}

function escape(text: string, here: Position): { byteValues: Buffer; length: number } {
	const coded = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/.exec(text)
	if (coded) {
		const [all, hex, short, long, octal] = coded
		if (hex || octal)
			return { byteValues: Buffer.from([hex ? parseInt(hex, 16) : parseInt(octal!, 8)]), length: all.length }
		const point = parseInt(short ?? long!, 16)
		if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			throw syntaxError(here, `Failed to parse string literal: ${all} is no character`)
		return { byteValues: Buffer.from(String.fromCodePoint(point)), length: all.length }
	}
	const char = String.fromCodePoint(text.codePointAt(1) ?? 92)
	const byte = ESCAPES[char]
	if (byte !== undefined) return { byteValues: Buffer.from([byte]), length: 2 }
	if ('xuU0123'.includes(char)) throw syntaxError(here, `Failed to parse string literal: invalid escape \\${char}`)
	return { byteValues: Buffer.from(char), length: 1 + char.length }
}
