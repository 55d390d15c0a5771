import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import type { ColumnType } from '../wire/column-type.ts'
import { RANGES } from '../wire/cell.ts'
import { normalDyNumber } from '../wire/dynumber.ts'
import { normalJsonDocument } from '../wire/json-document.ts'
import type { Datum } from './datum.ts'
import { fitsInteger, integral, isFloating } from './datum.ts'

const DAY = 86_400n
const MICRO = 1_000_000n
const INFINITE = 10n ** 35n

/** Days from 1970-01-01 of a date of the proleptic Gregorian calendar; after H. Hinnant's `days_from_civil`. */
function daysOf(year: bigint, month: bigint, day: bigint): bigint {
	const y = month <= 2n ? year - 1n : year
	const era = (y >= 0n ? y : y - 399n) / 400n
	const yearOfEra = y - era * 400n
	const dayOfYear = (153n * (month + (month > 2n ? -3n : 9n)) + 2n) / 5n + day - 1n
	const dayOfEra = yearOfEra * 365n + yearOfEra / 4n - yearOfEra / 100n + dayOfYear
	return era * 146_097n + dayOfEra - 719_468n
}

function civilOf(days: bigint): string {
	const z = days + 719_468n
	const era = (z >= 0n ? z : z - 146_096n) / 146_097n
	const dayOfEra = z - era * 146_097n
	const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n
	const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n)
	const mp = (5n * dayOfYear + 2n) / 153n
	const day = dayOfYear - (153n * mp + 2n) / 5n + 1n
	const month = mp < 10n ? mp + 3n : mp - 9n
	const year = yearOfEra + era * 400n + (month <= 2n ? 1n : 0n)
	const two = (value: bigint): string => String(value).padStart(2, '0')
	return `${year < 0n ? '-' : ''}${String(year < 0n ? -year : year).padStart(4, '0')}-${two(month)}-${two(day)}`
}

function floorDiv(a: bigint, b: bigint): bigint {
	return a / b - (a % b !== 0n && a < 0n !== b < 0n ? 1n : 0n)
}

const MOMENT = /^(-?\d{4,6})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:?\d\d))?$/

/** Microseconds since 1970 of an ISO 8601 text. */
function microsOf(text: string, wantsTime: boolean): bigint | undefined {
	const found = MOMENT.exec(text)
	if (!found || (found[4] !== undefined) !== wantsTime) return undefined
	const [year, month, day, hour = 0n, minute = 0n, second = 0n] = found.slice(1, 7).map((part) => BigInt(part ?? 0))
	const days = daysOf(year!, month!, day!)
	if (civilOf(days) !== found.slice(1, 4).join('-')) return undefined
	if (hour > 23n || minute > 59n || second > 59n) return undefined
	const zone = /([+-])(\d\d):?(\d\d)/.exec(found[8] ?? '')
	const shift = zone ? (BigInt(zone[2]!) * 60n + BigInt(zone[3]!)) * 60n * (zone[1] === '-' ? -1n : 1n) : 0n
	const seconds = days * DAY + hour * 3600n + minute * 60n + second - shift
	return seconds * MICRO + BigInt((found[7] ?? '').padEnd(6, '0'))
}

const SPAN = /^(-?)P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,6}))?S)?)?$/

function spanOf(text: string): bigint | undefined {
	const found = SPAN.exec(text)
	if (!found) return undefined
	const [weeks, days, hours, minutes, seconds] = found.slice(2, 7).map((part) => BigInt(part ?? 0))
	const whole = (weeks! * 7n + days!) * DAY + hours! * 3600n + minutes! * 60n + seconds!
	const micros = whole * MICRO + BigInt((found[7] ?? '').padEnd(6, '0'))
	return found[1] ? -micros : micros
}

function decimalOf(text: string, precision: number, scale: number): bigint | undefined {
	if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? -INFINITE : INFINITE
	if (/^nan$/i.test(text)) return INFINITE + 1n
	const found = /^([+-]?)(\d*)\.?(\d*)$/.exec(text)
	if (!found || (found[2] === '' && found[3] === '')) return undefined
	const fraction = found[3]!
	let digits = BigInt(`${found[2]}${fraction.slice(0, scale).padEnd(scale, '0')}`)
	const rest = fraction.slice(scale)
	// Half to even, as YDB's decimals round.
	if (rest !== '') {
		const half = `5${'0'.repeat(rest.length - 1)}`
		if (rest > half || (rest === half && digits % 2n === 1n)) digits++
	}
	if (digits >= 10n ** BigInt(precision)) return found[1] === '-' ? -INFINITE : INFINITE
	return found[1] === '-' ? -digits : digits
}

/** The first three groups are numbers with their low byte first, as Uuids lie in memory on the server. */
const UUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]

function shuffled(bytes: Buffer): Buffer {
	return Buffer.from(UUID_ORDER.map((at) => bytes[at]!))
}

/** The value that a text spells in a type, or undefined when it spells none. */
export function parseText(bytes: Buffer, type: ColumnType): Datum | undefined {
	const text = bytes.toString()
	const within = (value: bigint | undefined): bigint | undefined => {
		const range = RANGES.get(type.id)
		return value === undefined || (range && (value < range[0] || value > range[1])) ? undefined : value
	}
	const whole = integral(type)
	if (whole) {
		if (!/^[+-]?\d+$/.test(text)) return undefined
		const value = BigInt(text.replace('+', ''))
		return fitsInteger(value, whole) ? value : undefined
	}
	if (isFloating(type)) {
		if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
		if (/^nan$/i.test(text)) return NaN
		return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined
	}
	if (type.decimal) return decimalOf(text, type.decimal.precision, type.decimal.scale)
	const seconds = (micros: bigint | undefined): bigint | undefined => micros && floorDiv(micros, MICRO)
	switch (type.id) {
		case Id.BOOL:
			return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined
		case Id.DATE:
		case Id.DATE32: {
			const micros = microsOf(text, false)
			return within(micros === undefined ? undefined : floorDiv(micros, MICRO * DAY))
		}
		case Id.DATETIME:
		case Id.DATETIME64:
			return within(seconds(microsOf(text, true)))
		case Id.TIMESTAMP:
		case Id.TIMESTAMP64:
			return within(microsOf(text, true))
		case Id.INTERVAL:
		case Id.INTERVAL64:
			return within(spanOf(text))
		case Id.UUID:
			return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
				? shuffled(Buffer.from(text.replaceAll('-', ''), 'hex'))
				: undefined
		case Id.UTF8:
			return Buffer.from(text).equals(bytes) ? bytes : undefined
		case Id.JSON:
			try {
				JSON.parse(text)
				return Buffer.from(text).equals(bytes) ? bytes : undefined
			} catch {
				return undefined
			}
		case Id.JSON_DOCUMENT:
			try {
				return Buffer.from(normalJsonDocument(text, ''))
			} catch {
				return undefined
			}
		case Id.DYNUMBER:
			try {
				return Buffer.from(normalDyNumber(text, ''))
			} catch {
				return undefined
			}
		default:
			return bytes
	}
}

function momentText(micros: bigint, digits: boolean): string {
	const days = floorDiv(micros, MICRO * DAY)
	const rest = micros - days * MICRO * DAY
	const seconds = rest / MICRO
	const two = (value: bigint): string => String(value).padStart(2, '0')
	const fraction =
		digits && rest % MICRO !== 0n
			? `.${String(rest % MICRO)
					.padStart(6, '0')
					.replace(/0+$/, '')}`
			: ''
	return `${civilOf(days)}T${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction}Z`
}

/** How CAST spells a value, or undefined where that is not emulated. */
export function spell(value: Datum, type: ColumnType): string | undefined {
	if (integral(type) || type.id === Id.BOOL) return String(value)
	if (type.decimal) {
		const digits = value as bigint
		const { scale } = type.decimal
		if (digits >= INFINITE || digits <= -INFINITE) return digits > INFINITE ? 'nan' : digits < 0n ? '-inf' : 'inf'
		const plain = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
		const fraction = plain.slice(plain.length - scale).replace(/0+$/, '')
		return `${digits < 0n ? '-' : ''}${plain.slice(0, plain.length - scale)}${scale > 0 && fraction ? `.${fraction}` : ''}`
	}
	switch (type.id) {
		case Id.DATE:
		case Id.DATE32:
			return civilOf(value as bigint)
		case Id.DATETIME:
		case Id.DATETIME64:
			return momentText((value as bigint) * MICRO, false)
		case Id.TIMESTAMP:
		case Id.TIMESTAMP64:
			return momentText(value as bigint, true)
		case Id.UUID: {
			const hex = shuffled(value as Buffer).toString('hex')
			return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
		}
		default:
			return Buffer.isBuffer(value) ? value.toString() : undefined
	}
}
