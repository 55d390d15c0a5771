import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { isNull, payloadEnd, payloadStart, readCell, wide } from '../wire/cell.ts'
import type { ColumnType } from '../wire/column-type.ts'
import { position, seek, varint } from '../wire/cursor.ts'
import { DAY, INFINITE, MICRO, NULL, TEXTS, UUID_ORDER } from './csv-types.ts'

/** Bytes that stay as they are. Source: CGIEscape of library/cpp/string_utils/quote, the table that escapes `^`. */
const PLAIN = new Uint8Array(256)
for (const sign of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$*-./;@_~')
	PLAIN[sign.charCodeAt(0)] = 1
const HEX = Buffer.from('0123456789ABCDEF')
const [QUOTE, COMMA, LF, PERCENT, PLUS, SPACE] = [34, 44, 10, 37, 43, 32]

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
