import { BackupError, type ProtoField, type ProtoText, type ProtoValue } from '@ydbackup/core'
import { Tokenizer } from './tokenizer.ts'

/** As deep as protobuf's own parsers go. */
const DEEPEST = 100
const LARGEST = 64 << 20
/** About two hundred thousand partitions with a key of several columns. */
const MOST_FIELDS = 4_000_000

const NAME = /^[A-Za-z_]\w*$/u
const NAME_OR_NUMBER = /^(?:[A-Za-z_]\w*|\d{1,10})$/u
const TYPE_NAME = /^[\w.]+$/u
const INTEGER = /^(?:0|[1-9]\d*)$/u
const HEX = /^0[xX][0-9a-fA-F]+$/u
const OCTAL = /^0[0-7]+$/u
const FLOAT = /^(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[fF]?$/u

/**
 * Reads protobuf text as C++ reads it, without a schema, in all the spellings that people and tools use: `:` before `{` or not, `<>`
 * for `{}`, `,` and `;` between fields, comments, strings in pieces and in either quotes, lists, numbers in hex and octal. Numbers of
 * known fields come out as the C++ printer spells them. Errors: `FORMAT_INVALID` with `file:line:column`.
 */
export function parseProtoText(text: string | Uint8Array, file: string): ProtoText {
	const bytes = typeof text === 'string' ? Buffer.from(text) : text
	if (bytes.length > LARGEST) {
		throw new BackupError(
			'FORMAT_INVALID',
			`${file} has ${bytes.length} bytes, and more than ${LARGEST} are not read`,
			{
				advice: 'no table has a scheme of this size: the file is damaged',
			},
		)
	}
	const parser = new Parser(new Tokenizer(bytes, file))
	return parser.parse()
}

class Parser {
	readonly #tokens: Tokenizer
	#fields = 0

	constructor(tokens: Tokenizer) {
		this.#tokens = tokens
	}

	parse(): ProtoText {
		const fields: ProtoField[] = []
		while (this.#tokens.kind !== 'end') this.#readField(fields, 0)
		return fields
	}

	#readField(into: ProtoField[], depth: number): void {
		const tokens = this.#tokens
		const name = this.#readName()
		const hasColon = tokens.takeSign(':')
		if (tokens.isSign('{') || tokens.isSign('<')) {
			this.#add(into, name, this.#readMessage(depth))
		} else if (!hasColon) {
			// Only messages, and lists of messages, may do without the colon.
			if (!tokens.takeSign('[')) throw tokens.unexpected('":" or "{"')
			this.#readList(into, name, depth, true)
		} else if (tokens.takeSign('[')) {
			this.#readList(into, name, depth, false)
		} else {
			this.#add(into, name, this.#readScalar(name))
		}
		if (!tokens.takeSign(',')) tokens.takeSign(';')
	}

	#readName(): string {
		const tokens = this.#tokens
		if (!tokens.takeSign('[')) {
			const name = tokens.kind === 'word' ? tokens.spelling : ''
			if (!NAME_OR_NUMBER.test(name)) throw tokens.unexpected('the name of a field')
			tokens.advance()
			return name
		}
		let name = ''
		for (;;) {
			const piece = tokens.kind === 'word' || tokens.isSign('/') || tokens.isSign('-') ? tokens.spelling : ''
			if (piece === '' || !(TYPE_NAME.test(piece) || piece === '/' || piece === '-')) {
				throw tokens.unexpected('the name of an extension')
			}
			name += piece
			tokens.advance()
			if (tokens.takeSign(']')) return `[${name}]`
		}
	}

	#readList(into: ProtoField[], name: string, depth: number, onlyMessages: boolean): void {
		const tokens = this.#tokens
		if (tokens.takeSign(']')) return
		do {
			const isMessage = tokens.isSign('{') || tokens.isSign('<')
			if (onlyMessages && !isMessage) throw tokens.unexpected('"{"')
			this.#add(into, name, isMessage ? this.#readMessage(depth) : this.#readScalar(name))
		} while (tokens.takeSign(','))
		if (!tokens.takeSign(']')) throw tokens.unexpected('"]"')
	}

	#readMessage(depth: number): ProtoValue {
		const tokens = this.#tokens
		const close = tokens.isSign('{') ? '}' : '>'
		if (depth >= DEEPEST) throw tokens.error(`more than ${DEEPEST} messages lie inside each other`)
		tokens.advance()
		const fields: ProtoField[] = []
		while (!tokens.takeSign(close)) {
			if (tokens.kind === 'end') throw tokens.unexpected(`"${close}"`)
			this.#readField(fields, depth + 1)
		}
		return { kind: 'message', fields }
	}

	#readScalar(name: string): ProtoValue {
		const tokens = this.#tokens
		if (tokens.kind === 'string') return { kind: 'bytes', bytes: tokens.takeBytes() }
		const isNegative = tokens.takeSign('-')
		const word = tokens.kind === 'word' ? spellScalar(tokens.spelling, isNegative, NAME.test(name)) : undefined
		if (word === undefined) throw tokens.unexpected('a value')
		tokens.advance()
		return { kind: 'scalar', text: isNegative ? `-${word}` : word }
	}

	#add(into: ProtoField[], name: string, value: ProtoValue): void {
		if (++this.#fields > MOST_FIELDS) throw this.#tokens.error(`more than ${MOST_FIELDS} fields`)
		into.push({ name, value })
	}
}

/** A number or word as the C++ printer spells it; undefined for what is neither. Unknown fields keep the hex that tells their kind. */
function spellScalar(word: string, isNegative: boolean, isKnown: boolean): string | undefined {
	if (INTEGER.test(word)) return word
	if (HEX.test(word)) return isKnown ? String(BigInt(word)) : word
	if (OCTAL.test(word)) return String(BigInt(`0o${word.slice(1)}`))
	if (FLOAT.test(word)) return word.replace(/[fF]$/u, '')
	if (!NAME.test(word)) return undefined
	const lower = word.toLowerCase()
	if (lower === 'inf' || lower === 'infinity') return 'inf'
	if (lower === 'nan') return 'nan'
	return isNegative ? undefined : word
}
