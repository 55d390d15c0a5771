import { decimalType, typeNamed } from '../wire/column-type.ts'
import { grammarError, syntaxError } from './lexer.ts'
import type { TokenCursor } from './token-cursor.ts'
import { data, mayBeNull, type YqlType } from './types.ts'

const UNKNOWN_HERE = new Set(
	'DICT SET VARIANT ENUM TAGGED RESOURCE CALLABLE STREAM FLOW VOID TZDATE TZDATETIME TZTIMESTAMP TZDATE32 TZDATETIME64 TZTIMESTAMP64 EMPTYLIST PGINT4 PGTEXT'.split(
		' ',
	),
)

/** Types of columns whose numbers come from a sequence. Source: YDB's documentation of Serial types. */
const SERIAL: Readonly<Record<string, string>> = {
	SMALLSERIAL: 'Int16',
	SERIAL2: 'Int16',
	SERIAL: 'Int32',
	SERIAL4: 'Int32',
	BIGSERIAL: 'Int64',
	SERIAL8: 'Int64',
}

/** The type of the numbers of a serial column, if a serial type comes next. */
export function parseSerial(cursor: TokenCursor): YqlType | undefined {
	const { token } = cursor
	const name = token.kind === 'word' ? SERIAL[token.upper] : undefined
	if (name === undefined) return undefined
	cursor.next()
	return data(name)
}

/** `Type`, `Type?`, `Optional<…>`, `List<…>`, `Tuple<…>`, `Struct<a:…,…>`, `Decimal(p,s)`. */
export function parseType(cursor: TokenCursor): YqlType {
	let type = parseBare(cursor)
	while (cursor.takeSign('?')) {
		if (mayBeNull(type)) throw cursor.unsupported('an Optional of an Optional')
		type = { kind: 'optional', item: type }
	}
	return type
}

function parseBare(cursor: TokenCursor): YqlType {
	const { token } = cursor
	if (token.kind !== 'word') throw cursor.unexpected('a type')
	cursor.next()
	switch (token.upper) {
		case 'OPTIONAL': {
			cursor.expectSign('<')
			const item = parseType(cursor)
			cursor.expectSign('>')
			if (mayBeNull(item)) throw cursor.unsupported('an Optional of an Optional', token.at)
			return { kind: 'optional', item }
		}
		case 'LIST': {
			cursor.expectSign('<')
			const item = parseType(cursor)
			cursor.expectSign('>')
			return { kind: 'list', item }
		}
		case 'TUPLE': {
			cursor.expectSign('<')
			const items: YqlType[] = []
			if (!cursor.isSign('>'))
				do items.push(parseType(cursor))
				while (cursor.takeSign(','))
			cursor.expectSign('>')
			return { kind: 'tuple', items }
		}
		case 'STRUCT': {
			if (cursor.takeSign('<>')) return { kind: 'struct', members: [] }
			cursor.expectSign('<')
			const members: { name: string; type: YqlType }[] = []
			do {
				const { token: label } = cursor
				const name = label.kind === 'string' ? (cursor.next(), label.bytes.toString()) : cursor.name('a member name')
				cursor.expectSign(':')
				members.push({ name, type: parseType(cursor) })
			} while (cursor.takeSign(','))
			cursor.expectSign('>')
			return { kind: 'struct', members }
		}
		case 'DECIMAL': {
			const [precision, scale, ...more] = cursor.list(() => {
				const number = cursor.next()
				if (number.kind !== 'number' || number.suffix !== '' || !/^\d+$/.test(number.digits))
					throw grammarError(number.at, `mismatched input '${number.text}' expecting a number`)
				return Number(number.digits)
			})
			if (scale === undefined || more.length > 0) throw syntaxError(token.at, 'Decimal takes a precision and a scale')
			if (precision! < 1 || precision! > 35 || scale > precision!)
				throw syntaxError(token.at, `Invalid decimal parameters: (${precision},${scale}).`)
			return { kind: 'data', data: decimalType(precision!, scale) }
		}
		default: {
			const data = typeNamed(token.text)
			if (data) return { kind: 'data', data }
			if (UNKNOWN_HERE.has(token.upper)) throw cursor.unsupported(`type ${token.text}`, token.at)
			throw syntaxError(token.at, `Unknown simple type '${token.text}'`)
		}
	}
}
