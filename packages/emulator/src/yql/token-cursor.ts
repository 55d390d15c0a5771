import { YdbError } from '../error.ts'
import { grammarError, type Position, type Token, tokenize } from './lexer.ts'

/** What YQL knows at places where the emulator does not: refused by name instead of as an error of syntax. */
const KNOWN_ELSEWHERE = new Set(
	(
		'JOIN LEFT RIGHT INNER CROSS FULL UNION INTERSECT EXCEPT WINDOW OVER FLATTEN SAMPLE TABLESAMPLE ' +
		'REGEXP RLIKE MATCH GLOB EXISTS WITHOUT ASSUME PARTITION FAMILY CHANGEFEED ' +
		'SEQUENCE DEFAULT SERIAL BIGSERIAL SMALLSERIAL VALUES FROM PROCESS REDUCE DISCARD INTO GLOBAL LOCAL COMPRESSION'
	).split(' '),
)

/** Words that never are names. */
const RESERVED = new Set(
	(
		'SELECT FROM WHERE ORDER BY LIMIT OFFSET AND OR NOT AS IN IS BETWEEN NULL ASC DESC ON SET WITH UNION ALL GROUP ' +
		'HAVING XOR JOIN LEFT RIGHT INNER CROSS FULL INTO VALUES CREATE DROP ALTER TABLE UPSERT REPLACE INSERT DELETE UPDATE ' +
		'DECLARE PRAGMA DISTINCT CASE WHEN THEN ELSE END LIKE WINDOW FLATTEN INTERSECT EXCEPT RETURNING'
	).split(' '),
)

/** Tokens read one by one. */
export class TokenCursor {
	readonly #tokens: readonly Token[]
	readonly #text: string
	#at = 0

	constructor(text: string) {
		this.#text = text
		this.#tokens = tokenize(text)
	}

	get token(): Token {
		return this.#tokens[this.#at]!
	}

	get atEnd(): boolean {
		return this.token.kind === 'end'
	}

	get here(): Position {
		return this.token.at
	}

	after(count: number): Token {
		return this.#tokens[Math.min(this.#at + count, this.#tokens.length - 1)]!
	}

	next(): Token {
		const { token } = this
		if (token.kind !== 'end') this.#at++
		return token
	}

	isWord(...words: readonly string[]): boolean {
		return words.every((word, at) => {
			const token = this.after(at)
			return token.kind === 'word' && token.upper === word
		})
	}

	/** Takes these words when they come next. */
	takeWord(...words: readonly string[]): boolean {
		if (!this.isWord(...words)) return false
		this.#at += words.length
		return true
	}

	expectWord(...words: readonly string[]): void {
		for (const word of words) if (!this.takeWord(word)) throw this.unexpected(word)
	}

	isSign(text: string): boolean {
		return this.token.kind === 'sign' && this.token.text === text
	}

	takeSign(text: string): boolean {
		if (!this.isSign(text)) return false
		this.#at++
		return true
	}

	expectSign(text: string): void {
		if (!this.takeSign(text)) throw this.unexpected(`'${text}'`)
	}

	/** The text from a token to the last one that was taken, as it was written. */
	textFrom(first: Token): string {
		const offset = ({ row, column }: Position): number => {
			let at = 0
			for (let line = 1; line < row; line++) at = this.#text.indexOf('\n', at) + 1
			return at + column - 1
		}
		const last = this.#tokens[this.#at - 1]!
		return this.#text.slice(offset(first.at), offset(last.at) + last.text.length)
	}

	/** The same, with the tokens joined by single spaces and without comments. */
	tokensFrom(first: Token): string {
		return this.#tokens
			.slice(this.#tokens.indexOf(first), this.#at)
			.map(({ text }) => text)
			.join(' ')
	}

	/** Goes over what is not looked at, to the end of the statement or until that is so outside of brackets. */
	skipUntil(over: () => boolean): void {
		let depth = 0
		for (; !this.atEnd; this.#at++) {
			if (depth === 0 && (this.isSign(';') || over())) return
			if (this.token.kind !== 'sign') continue
			if ('([{'.includes(this.token.text)) depth++
			else if (')]}'.includes(this.token.text)) depth--
		}
	}

	/** Whether a name comes next: between backticks, or a word that is not reserved. */
	isName(): boolean {
		const { token } = this
		return token.kind === 'name' || (token.kind === 'word' && !RESERVED.has(token.upper))
	}

	name(what: string): string {
		const { token } = this
		if (token.kind === 'name') {
			this.#at++
			return token.value
		}
		if (token.kind !== 'word' || RESERVED.has(token.upper)) throw this.unexpected(what)
		this.#at++
		return token.text
	}

	/** `(name, …)` */
	nameList(what: string): string[] {
		return this.list(() => this.name(what))
	}

	/** `(item, …)`, with at least one item and perhaps a comma behind the last. */
	list<T>(item: () => T): T[] {
		this.expectSign('(')
		const items: T[] = []
		do {
			if (items.length > 0 && this.isSign(')')) break
			items.push(item())
		} while (this.takeSign(','))
		this.expectSign(')')
		return items
	}

	unexpected(wanted: string): YdbError {
		const { token } = this
		if (token.kind === 'word' && KNOWN_ELSEWHERE.has(token.upper)) return this.unsupported(token.upper)
		const found = token.kind === 'end' ? '<EOF>' : token.text
		return grammarError(token.at, `mismatched input '${found}' expecting ${wanted}`)
	}

	unsupported(what: string, at: Position = this.here): YdbError {
		return new YdbError('UNSUPPORTED', `${what} is not emulated`, 0, { at })
	}
}
