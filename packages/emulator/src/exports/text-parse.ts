import { create, type DescField, type DescMessage, type MessageShape, ScalarType } from '@bufbuild/protobuf'
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect'

interface Token {
	readonly text: string
	/** Of a string. */
	readonly bytes?: Buffer
	readonly line: number
}

const TOKEN =
	/\s+|#[^\n]*|"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'|[A-Za-z_][\w.]*|[+-]?(?:\.\d|\d)[\w.+-]*|[-{}<>[\]:;,]/y
const ESCAPES: Readonly<Record<string, number>> = {
	a: 7,
	b: 8,
	f: 12,
	n: 10,
	r: 13,
	t: 9,
	v: 11,
	'\\': 92,
	"'": 39,
	'"': 34,
	'?': 63,
}

function unquoted(text: string): Buffer {
	const out: Buffer[] = []
	const inner = text.slice(1, -1)
	for (const [, escape, plain] of inner.matchAll(/\\(x[\da-fA-F]{1,2}|[0-7]{1,3}|[^])|([^\\]+)/g)) {
		if (plain !== undefined) out.push(Buffer.from(plain))
		else if (/^[0-7]/.test(escape!)) out.push(Buffer.from([Number.parseInt(escape!, 8) & 255]))
		else if (/^x./.test(escape!)) out.push(Buffer.from([Number.parseInt(escape!.slice(1), 16)]))
		else {
			const byte = ESCAPES[escape!]
			if (byte === undefined) throw new SyntaxError(`unknown escape \\${escape}`)
			out.push(Buffer.from([byte]))
		}
	}
	return Buffer.concat(out)
}

function tokensOf(text: string): Token[] {
	const tokens: Token[] = []
	let line = 1
	TOKEN.lastIndex = 0
	while (TOKEN.lastIndex < text.length) {
		const from = TOKEN.lastIndex
		const found = TOKEN.exec(text)?.[0]
		if (found === undefined) throw new SyntaxError(`line ${line}: unexpected ${text.slice(from, from + 10)}`)
		if (!/^[\s#]/.test(found))
			tokens.push(/^["']/.test(found) ? { text: found, bytes: unquoted(found), line } : { text: found, line })
		line += found.split('\n').length - 1
	}
	return tokens
}

class Parser {
	readonly #tokens: readonly Token[]
	#at = 0

	constructor(text: string) {
		this.#tokens = tokensOf(text)
	}

	take(text: string): boolean {
		if (this.#tokens[this.#at]?.text !== text) return false
		this.#at++
		return true
	}

	get isDone(): boolean {
		return this.#at === this.#tokens.length
	}

	next(): Token {
		const token = this.#tokens[this.#at++]
		if (!token) throw new SyntaxError('the text ends too early')
		return token
	}

	fail(token: Token, what: string): never {
		throw new SyntaxError(`line ${token.line}: ${what}`)
	}

	body(message: ReflectMessage, end: string | undefined): void {
		while (end === undefined ? !this.isDone : !this.take(end)) {
			const name = this.next()
			const field = message.fields.find((each) => each.name === name.text)
			if (!field) this.fail(name, `${message.desc.typeName} has no field ${name.text}`)
			const colon = this.take(':')
			if (this.take('[')) {
				if (!this.take(']')) {
					do this.#value(message, field, name)
					while (this.take(','))
					if (!this.take(']')) this.fail(name, 'a list does not end')
				}
			} else {
				if (!colon && !field.message && field.fieldKind !== 'map') this.fail(name, `${field.name} needs a colon`)
				this.#value(message, field, name)
			}
			if (!this.take(',')) this.take(';')
		}
	}

	#inner(target: ReflectMessage, name: Token): ReflectMessage {
		if (this.take('{')) this.body(target, '}')
		else if (this.take('<')) this.body(target, '>')
		else this.fail(name, `${name.text} needs braces`)
		return target
	}

	#value(message: ReflectMessage, field: DescField, name: Token): void {
		if (field.fieldKind === 'map') return this.#entry(message, field, name)
		const value = field.message
			? this.#inner(reflect(field.message, create(field.message)), name)
			: field.enum
				? this.#enum(field.enum.values, name)
				: this.#scalar(field.scalar!, name)
		if (field.fieldKind === 'list') message.get(field).add(value)
		else if (message.isSet(field)) this.fail(name, `${field.name} stands twice`)
		else message.set(field, value)
	}

	#entry(message: ReflectMessage, field: DescField & { fieldKind: 'map' }, name: Token): void {
		const end = this.take('{') ? '}' : this.take('<') ? '>' : this.fail(name, `${name.text} needs braces`)
		let key: unknown = field.mapKey === ScalarType.STRING ? '' : 0
		let value: unknown = field.mapKind === 'message' ? reflect(field.message) : field.mapKind === 'enum' ? 0 : ''
		while (!this.take(end)) {
			const part = this.next()
			this.take(':')
			if (part.text === 'key') key = this.#scalar(field.mapKey, part)
			else if (part.text !== 'value') this.fail(part, 'an entry has key and value only')
			else if (field.mapKind === 'message') value = this.#inner(reflect(field.message), part)
			else if (field.mapKind === 'enum') value = this.#enum(field.enum.values, part)
			else value = this.#scalar(field.scalar, part)
			if (!this.take(',')) this.take(';')
		}
		message.get(field).set(key as string, value)
	}

	#enum(values: readonly { readonly name: string; readonly number: number }[], name: Token): number {
		const token = this.next()
		const number = values.find((value) => value.name === token.text)?.number ?? Number(token.text)
		if (!Number.isInteger(number)) this.fail(name, `${name.text} has no value ${token.text}`)
		return number
	}

	#scalar(type: ScalarType, name: Token): unknown {
		const token = this.next()
		if (type === ScalarType.STRING || type === ScalarType.BYTES) {
			const parts: Buffer[] = []
			for (let each: Token | undefined = token; each?.bytes; each = this.#tokens[this.#at]) {
				parts.push(each.bytes)
				if (each !== token) this.#at++
				if (!this.#tokens[this.#at]?.bytes) break
			}
			if (parts.length === 0) this.fail(name, `${name.text} needs a string`)
			const bytes = Buffer.concat(parts)
			return type === ScalarType.STRING ? bytes.toString() : new Uint8Array(bytes)
		}
		const text = token.text === '-' ? `-${this.next().text}` : token.text
		if (type === ScalarType.BOOL) {
			if (/^(true|True|t|1)$/.test(text)) return true
			if (/^(false|False|f|0)$/.test(text)) return false
			this.fail(name, `${name.text} is true or false`)
		}
		if (type === ScalarType.DOUBLE || type === ScalarType.FLOAT) {
			const found = /^(-?)(?:inf|infinity)f?$/i.exec(text)
			const value = found
				? found[1]
					? -Infinity
					: Infinity
				: /^-?nanf?$/i.test(text)
					? NaN
					: Number(text.replace(/f$/, ''))
			if (Number.isNaN(value) && !/nan/i.test(text)) this.fail(name, `${name.text} needs a number`)
			return value
		}
		if (!/^-?(?:0x[\da-f]+|\d+)$/i.test(text)) this.fail(name, `${name.text} needs a whole number`)
		const value = text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text)
		const wide = [ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64]
		return wide.includes(type) ? value : Number(value)
	}
}

/** Reads protobuf's text format. A field that the message does not have is an error, as it is for TextFormat::ParseFromString: SyntaxError. */
export function parseText<D extends DescMessage>(schema: D, text: string): MessageShape<D> {
	const message = reflect(schema)
	new Parser(text).body(message, undefined)
	return message.message as MessageShape<D>
}
