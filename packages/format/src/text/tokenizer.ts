import type { BackupError } from '@ydbackup/core'
import { textError } from './text-error.ts'
import { unescapeBytes } from './unescape.ts'

/** What stands at a place: a sign such as `{`, a word (name or number), a string, or the end. */
export type TokenKind = 'sign' | 'word' | 'string' | 'end'

const SIGNS = new Set(Array.from('{}<>[]:,;/-', (sign) => sign.charCodeAt(0)))

/** Cuts protobuf text into tokens; white space and comments are passed over. It stands at one token at a time. */
export class Tokenizer {
	readonly file: string
	readonly #text: Uint8Array
	#start = 0
	#end = 0
	#kind: TokenKind = 'end'

	constructor(text: Uint8Array, file: string) {
		this.#text = text
		this.file = file
		this.advance()
	}

	get kind(): TokenKind {
		return this.#kind
	}

	/** The token as it is written; a string with its quotes. */
	get spelling(): string {
		return Buffer.from(this.#text.buffer, this.#text.byteOffset + this.#start, this.#end - this.#start).toString(
			'latin1',
		)
	}

	isSign(sign: string): boolean {
		return this.#kind === 'sign' && this.#text[this.#start] === sign.charCodeAt(0)
	}

	/** Takes the sign when it stands here. */
	takeSign(sign: string): boolean {
		if (!this.isSign(sign)) return false
		this.advance()
		return true
	}

	takeWord(what: string): string {
		if (this.#kind !== 'word') throw this.unexpected(what)
		const word = this.spelling
		this.advance()
		return word
	}

	/** One or more strings side by side, which are one. */
	takeBytes(): Uint8Array {
		const pieces: Uint8Array[] = []
		while (this.#kind === 'string') {
			const bytes = unescapeBytes(this.#text, this.#start + 1, this.#end - 1)
			if (!(bytes instanceof Uint8Array)) throw textError(this.file, this.#text, bytes.at, bytes.what)
			pieces.push(bytes)
			this.advance()
		}
		return pieces.length === 1 ? pieces[0]! : new Uint8Array(Buffer.concat(pieces))
	}

	advance(): void {
		const text = this.#text
		const start = this.#skipBlank(this.#end)
		this.#start = start
		const byte = text[start]
		if (byte === undefined) {
			this.#kind = 'end'
			this.#end = start
		} else if (isWordByte(byte)) {
			this.#kind = 'word'
			this.#end = this.#wordEnd(start)
		} else if (byte === 0x22 || byte === 0x27) {
			this.#kind = 'string'
			this.#end = this.#stringEnd(start, byte)
		} else if (SIGNS.has(byte)) {
			this.#kind = 'sign'
			this.#end = start + 1
		} else {
			throw textError(this.file, text, start, `a byte ${byte} cannot stand here`)
		}
	}

	unexpected(what: string): BackupError {
		const found = this.#kind === 'end' ? 'the text ends' : `${JSON.stringify(this.spelling.slice(0, 40))} stands`
		return this.error(`${found} where ${what} is expected`)
	}

	/** An error at the token. */
	error(what: string): BackupError {
		return textError(this.file, this.#text, this.#start, what)
	}

	#skipBlank(from: number): number {
		const text = this.#text
		let p = from
		for (;;) {
			const byte = text[p]
			if (byte === 0x23) {
				const lineEnd = text.indexOf(0x0a, p)
				p = lineEnd === -1 ? text.length : lineEnd + 1
			} else if (byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)) {
				p++
			} else {
				return p
			}
		}
	}

	#wordEnd(start: number): number {
		const text = this.#text
		const isNumber = isDigit(text[start]!) || text[start] === 0x2e
		let p = start + 1
		for (; p < text.length; p++) {
			const byte = text[p]!
			if (isWordByte(byte)) continue
			const before = text[p - 1]
			// The sign of an exponent belongs to its number.
			if (isNumber && (byte === 0x2b || byte === 0x2d) && (before === 0x65 || before === 0x45)) continue
			break
		}
		return p
	}

	#stringEnd(start: number, quote: number): number {
		const text = this.#text
		for (let p = start + 1; p < text.length; p++) {
			const byte = text[p]!
			if (byte === quote) return p + 1
			if (byte === 0x0a) break
			if (byte === 0x5c) p++
		}
		throw textError(this.file, text, start, 'this string has no end on its line')
	}
}

function isDigit(byte: number): boolean {
	return byte >= 0x30 && byte <= 0x39
}

/** Letters, digits, `_` and `.`: names with dots stand in brackets only, which is looked at later. */
function isWordByte(byte: number): boolean {
	return (
		isDigit(byte) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || byte === 0x2e
	)
}
