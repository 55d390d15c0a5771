import { isUtf8 } from 'node:buffer'
import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import type { ColumnType } from '../wire/column-type.ts'
import { putVarint, varintBytes } from '../wire/cursor.ts'
import { DAY, INFINITE, MICRO, NULL, TEXTS, UUID_ORDER } from './csv-types.ts'

const [QUOTE, COMMA, PERCENT, PLUS, SPACE] = [34, 44, 37, 43, 32]
const HEX_VALUES = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
	HEX_VALUES['0123456789ABCDEF'.charCodeAt(value)] = value
	HEX_VALUES['0123456789abcdef'.charCodeAt(value)] = value
}

function unescaped(text: Buffer): Buffer {
	const out = Buffer.allocUnsafe(text.length)
	let length = 0
	for (let at = 0; at < text.length; at++) {
		const byte = text[at]!
		const [high, low] = byte === PERCENT ? [HEX_VALUES[text[at + 1] ?? 0]!, HEX_VALUES[text[at + 2] ?? 0]!] : [-1, -1]
		if (high >= 0 && low >= 0) {
			out[length++] = (high << 4) | low
			at += 2
		} else out[length++] = byte === PLUS ? SPACE : byte
	}
	return out.subarray(0, length)
}

function lengthed(tag: number, body: Buffer): Buffer {
	const out = Buffer.allocUnsafe(1 + varintBytes(body.length) + body.length)
	out[0] = tag
	body.copy(out, putVarint(out, 1, body.length))
	return out
}

function fixed(tag: number, bytes: number, write: (out: Buffer) => void): Buffer {
	const out = Buffer.allocUnsafe(1 + bytes)
	out[0] = tag
	write(out)
	return out
}

function wideCell(value: bigint): Buffer {
	const bits = BigInt.asUintN(128, value)
	const high = bits >> 64n
	const low = fixed(0x79, 8, (out) => out.writeBigUInt64LE(BigInt.asUintN(64, bits), 1))
	if (high === 0n) return low
	const rest = Buffer.alloc(10)
	rest[0] = 0x81
	rest[1] = 1
	rest.writeBigUInt64LE(high, 2)
	return Buffer.concat([low, rest])
}

function decimalValue(text: string, precision: number, scale: number): bigint | undefined {
	if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? -INFINITE : INFINITE
	if (/^[+-]?nan$/i.test(text)) return INFINITE + 1n
	const [, sign, whole = '', fraction = ''] = /^([+-]?)(\d*)\.?(\d*)$/.exec(text) ?? []
	if (whole + fraction === '' || fraction.length > scale) return undefined
	const digits = BigInt(whole + fraction.padEnd(scale, '0'))
	if (digits >= 10n ** BigInt(precision)) return undefined
	return sign === '-' ? -digits : digits
}

const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|([+-])(\d\d):?(\d\d))?)?$/

/** Microseconds since 1970 of a text of ISO 8601. */
function microsOf(text: string): bigint | undefined {
	const [, date, time = '00:00:00', fraction = '', sign, hours = '0', minutes = '0'] = MOMENT.exec(text) ?? []
	const milliseconds = date === undefined ? NaN : Date.parse(`${date}T${time}Z`)
	if (Number.isNaN(milliseconds)) return undefined
	const shift = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? 1 : -1)
	return BigInt(milliseconds + shift) * 1000n + BigInt(fraction.padEnd(6, '0'))
}

function integerOf(text: string): bigint | undefined {
	return /^[+-]?\d+$/.test(text) ? BigInt(text.replace('+', '')) : undefined
}

function numberCell(type: ColumnType, value: bigint | undefined): Buffer | undefined {
	if (value === undefined) return undefined
	const bits = type.tag === 0x15 || type.tag === 0x1d ? 32 : 64
	const isSigned = type.tag === 0x15 || type.tag === 0x21
	if ((isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) !== value) return undefined
	if (bits === 32)
		return fixed(type.tag, 4, (out) =>
			isSigned ? out.writeInt32LE(Number(value), 1) : out.writeUInt32LE(Number(value), 1),
		)
	return fixed(type.tag, 8, (out) => (isSigned ? out.writeBigInt64LE(value, 1) : out.writeBigUInt64LE(value, 1)))
}

/** `Ydb.Value` bytes of a token, or undefined when it spells no value of the type. Ranges are checked by who stores it. */
function cellOf(token: Buffer, type: ColumnType): Buffer | undefined {
	if (token.equals(NULL)) return Buffer.from([0x50, 0])
	if (TEXTS.has(type.id)) {
		if (token.length < 2 || token[0] !== QUOTE || token.at(-1) !== QUOTE) return undefined
		const body = unescaped(token.subarray(1, -1))
		if (type.tag === 0x4a && !isUtf8(body)) return undefined
		return lengthed(type.tag, body)
	}
	const text = token.toString('latin1')
	if (type.decimal) {
		const value = decimalValue(text, type.decimal.precision, type.decimal.scale)
		return value === undefined ? undefined : wideCell(value)
	}
	const micros = (per: bigint): bigint | undefined => {
		const value = microsOf(text)
		return value === undefined ? undefined : value / per
	}
	switch (type.id) {
		case Id.BOOL: {
			const isTrue = /^(1|true|yes|on|t|y|da)$/i.test(text)
			if (!isTrue && !/^(0|false|no|off|f|n|net)$/i.test(text)) return undefined
			return Buffer.from([0x08, isTrue ? 1 : 0])
		}
		case Id.FLOAT:
		case Id.DOUBLE: {
			const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text)
			const value = special
				? special[2]!.toLowerCase() === 'nan'
					? NaN
					: special[1] === '-'
						? -Infinity
						: Infinity
				: /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
					? Number(text)
					: undefined
			if (value === undefined) return undefined
			return type.id === Id.FLOAT
				? fixed(type.tag, 4, (out) => out.writeFloatLE(value, 1))
				: fixed(type.tag, 8, (out) => out.writeDoubleLE(value, 1))
		}
		case Id.DATE:
			return numberCell(type, micros(DAY * MICRO))
		case Id.DATETIME:
			return numberCell(type, micros(MICRO))
		case Id.TIMESTAMP:
			return numberCell(type, micros(1n))
		case Id.DYNUMBER:
			return lengthed(type.tag, token)
		case Id.UUID: {
			if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)) return undefined
			const given = Buffer.from(text.replaceAll('-', ''), 'hex')
			const bytes = Buffer.from(UUID_ORDER.map((from) => given[from]!))
			return wideCell((bytes.readBigUInt64LE(8) << 64n) | bytes.readBigUInt64LE())
		}
		default:
			return numberCell(type, integerOf(text))
	}
}

/** The values of a line without its end. Throws what is wrong with it; texts follow ydb/core/io_formats/ydb_dump. */
export function parseLine(line: Buffer, types: readonly ColumnType[]): Buffer[] {
	const cells: Buffer[] = []
	let start = 0
	for (const type of types) {
		if (start > line.length) throw new SyntaxError('Empty token')
		const comma = line.indexOf(COMMA, start)
		const end = comma < 0 ? line.length : comma
		const token = line.subarray(start, end)
		if (token.length === 0) throw new SyntaxError('Empty token')
		const cell = cellOf(token, type)
		if (!cell) throw new SyntaxError(`Value parse error: '${token.toString('latin1').slice(0, 60)}' is no ${type.name}`)
		cells.push(cell)
		start = end + 1
	}
	if (start <= line.length) throw new SyntaxError('Too many values')
	return cells
}
