import { isUtf8 } from 'node:buffer'
import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { isNull, payloadEnd, payloadStart, readCell, wide } from '../wire/cell.ts'
import type { ColumnType } from '../wire/column-type.ts'
import { position, putVarint, seek, varint, varintBytes } from '../wire/cursor.ts'

/** Bytes that stay as they are. Source: CGIEscape of library/cpp/string_utils/quote, the table that escapes `^`. */
const PLAIN = new Uint8Array(256)
for (const sign of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$*-./;@_~')
	PLAIN[sign.charCodeAt(0)] = 1
const HEX = Buffer.from('0123456789ABCDEF')
const HEX_VALUES = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
	HEX_VALUES[HEX[value]!] = value
	HEX_VALUES['0123456789abcdef'.charCodeAt(value)] = value
}
const [QUOTE, COMMA, LF, PERCENT, PLUS, SPACE] = [34, 44, 10, 37, 43, 32]
const NULL = Buffer.from('null')
const TEXTS = new Set([Id.STRING, Id.UTF8, Id.JSON, Id.JSON_DOCUMENT, Id.YSON])
const INFINITE = 10n ** 35n
const MICRO = 1_000_000n
const DAY = 86_400n
const UUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]

/** As YDB's own conversion to text prints it: 10 digits of a Double, 6 of a Float. Source: util/string/cast.cpp, ToStringConverterNoPad. */
function shortNumber(value: number, digits: number): string {
	const exponent = Number(value.toExponential(digits - 1).split('e')[1])
	const isPlain = value === 0 || (exponent >= -5 && exponent < digits)
	const [mantissa = '', power] = (
		isPlain ? value.toFixed(Math.max(0, digits - 1 - exponent)) : value.toExponential(digits - 1)
	).split('e')
	const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa
	if (power === undefined) return trimmed
	return `${trimmed}e${power[0]}${power.slice(1).padStart(2, '0')}`
}

function floating(value: number, digits: number, exact: boolean): string {
	if (Number.isNaN(value)) return 'nan'
	if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
	if (Object.is(value, -0)) return '-0'
	if (!exact) return shortNumber(value, digits)
	if (digits > 6) return String(value)
	// The shortest text that the float has, which is not that of the double.
	for (let precision = 6; precision < 9; precision++) {
		const text = String(Number(value.toPrecision(precision)))
		if (Math.fround(Number(text)) === value) return text
	}
	return String(Number(value.toPrecision(9)))
}

function decimal(value: bigint, scale: number): string {
	if (value >= INFINITE || value <= -INFINITE) return value > INFINITE ? 'nan' : value < 0n ? '-inf' : 'inf'
	const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
	const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
	const whole = digits.slice(0, digits.length - scale)
	return `${value < 0n ? '-' : ''}${whole}${scale > 0 && fraction !== '' ? `.${fraction}` : ''}`
}

const instant = (micros: bigint): string => {
	const text = new Date(Number(micros / 1000n)).toISOString().slice(0, -1)
	return `${text}${String(micros % 1000n).padStart(3, '0')}Z`
}

/** Lines of CSV in one growing buffer. */
export class CsvWriter {
	readonly #types: readonly ColumnType[]
	readonly #positions: readonly number[]
	readonly #exact: boolean
	#out: Buffer = Buffer.allocUnsafe(1 << 16)
	#length = 0

	/** `positions` are those of the columns in stored rows, in the order of the file. */
	constructor(types: readonly ColumnType[], positions: readonly number[], exactFloats: boolean) {
		this.#types = types
		this.#positions = positions
		this.#exact = exactFloats
	}

	get length(): number {
		return this.#length
	}

	/** What was written since the last call; valid until the next line. */
	take(): Buffer {
		const taken = this.#out.subarray(0, this.#length)
		this.#length = 0
		return taken
	}

	#room(more: number): void {
		if (this.#length + more <= this.#out.length) return
		const bigger = Buffer.allocUnsafe(Math.max(this.#out.length * 2, this.#length + more))
		this.#out.copy(bigger, 0, 0, this.#length)
		this.#out = bigger
	}

	/** Adds a stored row: a tag byte, its length, framed cells. */
	line(row: Buffer): void {
		const starts: number[] = []
		const ends: number[] = []
		seek(1)
		varint(row)
		while (position < row.length) {
			seek(position + 1)
			const length = varint(row)
			starts.push(position)
			ends.push(position + length)
			seek(position + length)
		}
		for (const [at, from] of this.#positions.entries()) {
			if (at > 0) {
				this.#room(1)
				this.#out[this.#length++] = COMMA
			}
			this.#cell(row, starts[from]!, ends[from]!, this.#types[at]!)
		}
		this.#room(1)
		this.#out[this.#length++] = LF
	}

	#cell(row: Buffer, start: number, end: number, type: ColumnType): void {
		readCell(row, start, end, type, '')
		if (isNull) {
			this.#room(NULL.length)
			this.#length += NULL.copy(this.#out, this.#length)
		} else if (TEXTS.has(type.id)) this.#quoted(row, payloadStart, payloadEnd)
		else {
			const text = Buffer.from(this.#text(row, start, end, type))
			this.#room(text.length)
			this.#length += text.copy(this.#out, this.#length)
		}
	}

	#text(row: Buffer, start: number, end: number, type: ColumnType): string {
		const at = payloadStart
		if (type.decimal) {
			const [low, high] = wide(row, start, end)
			return decimal(BigInt.asIntN(128, (high << 64n) | low), type.decimal.scale)
		}
		switch (type.id) {
			case Id.BOOL:
				return row[at] === 0 ? '0' : '1'
			case Id.FLOAT:
				return floating(row.readFloatLE(at), 6, this.#exact)
			case Id.DOUBLE:
				return floating(row.readDoubleLE(at), 10, this.#exact)
			case Id.DATE:
				return instant(BigInt(row.readUInt32LE(at)) * DAY * MICRO)
			case Id.DATETIME:
				return instant(BigInt(row.readUInt32LE(at)) * MICRO)
			case Id.TIMESTAMP:
				return instant(row.readBigUInt64LE(at))
			case Id.DYNUMBER:
				return row.toString('latin1', payloadStart, payloadEnd)
			case Id.UUID: {
				const [low, high] = wide(row, start, end)
				const bytes = Buffer.alloc(16)
				bytes.writeBigUInt64LE(low)
				bytes.writeBigUInt64LE(high, 8)
				const hex = Buffer.from(UUID_ORDER.map((from) => bytes[from]!)).toString('hex')
				return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
			}
			default:
		}
		if (type.tag === 0x15) return String(row.readInt32LE(at))
		if (type.tag === 0x1d) return String(row.readUInt32LE(at))
		return String(type.tag === 0x21 ? row.readBigInt64LE(at) : row.readBigUInt64LE(at))
	}

	#quoted(row: Buffer, start: number, end: number): void {
		this.#room((end - start) * 3 + 2)
		const out = this.#out
		let at = this.#length
		out[at++] = QUOTE
		for (let from = start; from < end; from++) {
			const byte = row[from]!
			if (PLAIN[byte] === 1) out[at++] = byte
			else if (byte === SPACE) out[at++] = PLUS
			else {
				out[at++] = PERCENT
				out[at++] = HEX[byte >> 4]!
				out[at++] = HEX[byte & 15]!
			}
		}
		out[at++] = QUOTE
		this.#length = at
	}
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
