import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { ColumnType } from '../wire/column-type.ts'
import { type Datum, fitsInteger, integral, isFloating, itemTypes } from './datum.ts'
import { type Position } from './lexer.ts'
import { parseText, spell } from './text-value.ts'
import { bare, mayBeNull, optional, sameTypes, typeName, type YqlType } from './types.ts'

const TYPE_ANNOTATION = [['Type annotation', 1030]] as const

/** A refusal of the types of a query. */
export function typeError(at: Position | undefined, message: string): YdbError {
	return new YdbError('GENERIC_ERROR', message, 0, { at, within: TYPE_ANNOTATION })
}

/** Microseconds per unit of the types that are moments. */
const UNITS = new Map<Id, bigint>([
	[Id.DATE, 86_400_000_000n],
	[Id.DATE32, 86_400_000_000n],
	[Id.DATETIME, 1_000_000n],
	[Id.DATETIME64, 1_000_000n],
	[Id.TIMESTAMP, 1n],
	[Id.TIMESTAMP64, 1n],
])
const NARROW = new Set([Id.DATE, Id.DATETIME, Id.TIMESTAMP])
const TEXTS = new Set([Id.STRING, Id.UTF8])
const STRINGS = new Set([Id.STRING, Id.UTF8, Id.JSON, Id.JSON_DOCUMENT, Id.YSON, Id.DYNUMBER])

/** Converts a value of one data type to another where YQL does so by itself; undefined where it does not. */
function silent(value: Datum, from: ColumnType, to: ColumnType, literal: boolean): Datum | undefined {
	const a = integral(from)
	const b = integral(to)
	if (a && b) {
		if (literal) return value === null || fitsInteger(value as bigint, b) ? value : undefined
		const widens = a.signed === b.signed ? b.bits >= a.bits : b.signed && b.bits > a.bits
		return widens ? value : undefined
	}
	if (a && isFloating(to)) {
		if (!literal && a.bits > (to.id === Id.FLOAT ? 16 : 32)) return undefined
		return value === null ? null : Number(value)
	}
	if (from.id === Id.FLOAT && to.id === Id.DOUBLE) return value
	if (from.id === Id.DOUBLE && to.id === Id.FLOAT && literal)
		return value === null ? null : Math.fround(value as number)
	if (from.id === Id.UTF8 && to.id === Id.STRING) return value
	if (from.id === Id.STRING && to.id === Id.UTF8 && literal)
		return value === null ? null : parseText(value as Buffer, to)
	const [unitA, unitB] = [UNITS.get(from.id), UNITS.get(to.id)]
	if (unitA && unitB && unitA >= unitB && (NARROW.has(from.id) || !NARROW.has(to.id)))
		return value === null ? null : ((value as bigint) * unitA) / unitB
	return undefined
}

/** The value in another type as far as YQL converts silently, or undefined. */
export function convert(
	value: Datum,
	from: YqlType,
	to: YqlType,
	literal: boolean,
): { readonly value: Datum } | undefined {
	if (sameTypes(from, to)) return { value }
	if (from.kind === 'null') return to.kind === 'optional' ? { value: null } : undefined
	if (mayBeNull(from) && to.kind !== 'optional') return undefined
	const [a, b] = [bare(from), bare(to)]
	if (a.kind === 'data' && b.kind === 'data') {
		if (a.data.name === b.data.name) return { value }
		const converted = silent(value, a.data, b.data, literal)
		return converted === undefined ? undefined : { value: converted }
	}
	if (sameTypes(a, b)) return { value }
	if (value === null) return undefined
	const items = value as readonly Datum[]
	if (a.kind === 'emptyList' && b.kind === 'list') return { value: [] }
	if (a.kind === 'list' && b.kind === 'list') {
		const out = items.map((item) => convert(item, a.item, b.item, false))
		return out.includes(undefined) ? undefined : { value: out.map((each) => each!.value) }
	}
	if (a.kind === 'tuple' && b.kind === 'tuple' && a.items.length === b.items.length) {
		const out = items.map((item, at) => convert(item, a.items[at]!, b.items[at]!, false))
		return out.includes(undefined) ? undefined : { value: out.map((each) => each!.value) }
	}
	if (a.kind === 'struct' && b.kind === 'struct') {
		const out = b.members.map(({ name, type }) => {
			const at = a.members.findIndex((member) => member.name === name)
			if (at < 0) return type.kind === 'optional' ? { value: null } : undefined
			return convert(items[at]!, a.members[at]!.type, type, false)
		})
		if (a.members.some(({ name }) => !b.members.some((member) => member.name === name))) return undefined
		return out.includes(undefined) ? undefined : { value: out.map((each) => each!.value) }
	}
	return undefined
}

/** How a CAST between data types behaves: its converter and whether it can fail. */
function caster(from: ColumnType, to: ColumnType): { readonly fails: boolean; run(value: Datum): Datum } | undefined {
	if (from.name === to.name) return { fails: false, run: (value) => value }
	const orNull = (value: Datum | undefined): Datum => value ?? null
	if (TEXTS.has(from.id)) {
		const fails = to.id !== Id.STRING
		return { fails, run: (value) => orNull(parseText(value as Buffer, to)) }
	}
	if (TEXTS.has(to.id)) {
		if (isFloating(from) || from.id === Id.INTERVAL || from.id === Id.INTERVAL64) return undefined
		return { fails: false, run: (value) => Buffer.from(spell(value, from)!) }
	}
	const [a, b] = [integral(from), integral(to)]
	if (a && b) {
		const fails = a.signed === b.signed ? b.bits < a.bits : !b.signed || b.bits <= a.bits
		return { fails, run: (value) => (fitsInteger(value as bigint, b) ? value : null) }
	}
	if (a && isFloating(to)) return { fails: false, run: (value) => Number(value) }
	if (isFloating(from) && isFloating(to))
		return { fails: false, run: (value) => (to.id === Id.FLOAT ? Math.fround(value as number) : value) }
	if (isFloating(from) && b)
		return {
			fails: true,
			run(value) {
				if (!Number.isFinite(value as number)) return null
				const whole = BigInt(Math.trunc(value as number))
				return fitsInteger(whole, b) ? whole : null
			},
		}
	if (to.decimal && (a || isFloating(from)))
		return { fails: true, run: (value) => orNull(parseText(Buffer.from(String(value)), to)) }
	if (from.decimal && to.decimal)
		return { fails: true, run: (value) => orNull(parseText(Buffer.from(spell(value, from)!), to)) }
	const [unitA, unitB] = [UNITS.get(from.id), UNITS.get(to.id)]
	if (unitA && unitB) {
		const fails = NARROW.has(to.id) && !NARROW.has(from.id)
		const run = (value: Datum): Datum => {
			const micros = (value as bigint) * unitA
			const out = micros / unitB - (micros % unitB < 0n ? 1n : 0n)
			return fails && out < 0n ? null : out
		}
		return { fails, run }
	}
	if (unitA && b) {
		const fails = b.bits < 64 || (!b.signed && !NARROW.has(from.id))
		return { fails, run: (value) => (fitsInteger(value as bigint, b) ? value : null) }
	}
	if (a && unitB) return { fails: true, run: (value) => orNull(parseMoment(value as bigint, to)) }
	if ((from.id === Id.JSON || from.id === Id.JSON_DOCUMENT) && STRINGS.has(to.id))
		return { fails: true, run: (value) => orNull(parseText(value as Buffer, to)) }
	return undefined
}

function parseMoment(value: bigint, to: ColumnType): Datum | undefined {
	const text = spell(value, to)
	// Spelling and parsing checks the range.
	return text === undefined ? undefined : parseText(Buffer.from(text), to)
}

/** Type and converter of CAST(value of type `from` AS `to`). */
export function casting(
	from: YqlType,
	to: YqlType,
	at: Position,
): { readonly type: YqlType; run(value: Datum): Datum } {
	if (sameTypes(from, to)) return { type: to, run: (value) => value }
	if (from.kind === 'null') return { type: optional(to), run: () => null }
	const [a, b] = [bare(from), bare(to)]
	if (a.kind !== 'data' || b.kind !== 'data')
		throw new YdbError('UNSUPPORTED', `CAST of ${typeName(from)} to ${typeName(to)} is not emulated`, 0, { at })
	const found = caster(a.data, b.data)
	if (!found) {
		if (!STRINGS.has(b.data.id) && !STRINGS.has(a.data.id))
			throw typeError(at, `Cannot cast type ${typeName(from)} into ${typeName(to)}`)
		throw new YdbError('UNSUPPORTED', `CAST of ${typeName(from)} to ${typeName(to)} is not emulated`, 0, { at })
	}
	return {
		type: found.fails || mayBeNull(from) || to.kind === 'optional' ? optional(b) : b,
		run: (value) => (value === null ? null : found.run(value)),
	}
}

/** Compares two values that are not NULL; undefined when they are NaN or hold NULLs. Null: their types cannot be compared. */
export function comparison(a: YqlType, b: YqlType): ((x: Datum, y: Datum) => number | undefined) | null {
	const [left, right] = [bare(a), bare(b)]
	if (left.kind === 'null' || right.kind === 'null') return () => undefined
	if (left.kind === 'tuple' && right.kind === 'tuple') {
		const [types, others] = [itemTypes(left), itemTypes(right)]
		if (types.length !== others.length) return null
		const parts = types.map((type, at) => comparison(type, others[at]!))
		if (parts.includes(null)) return null
		return (x, y) => {
			for (const [at, part] of parts.entries()) {
				const [p, q] = [(x as Datum[])[at]!, (y as Datum[])[at]!]
				const order = p === null || q === null ? undefined : part!(p, q)
				if (order !== 0) return order
			}
			return 0
		}
	}
	if (left.kind !== 'data' || right.kind !== 'data') return null
	const [p, q] = [left.data, right.data]
	const numbers = (type: ColumnType): boolean => integral(type) !== undefined || isFloating(type)
	if (numbers(p) && numbers(q)) return byNumber
	if (TEXTS.has(p.id) && TEXTS.has(q.id)) return byBytes
	const [unitA, unitB] = [UNITS.get(p.id), UNITS.get(q.id)]
	if (unitA && unitB) return (x, y) => byNumber((x as bigint) * unitA, (y as bigint) * unitB)
	if (p.name !== q.name) {
		const span = new Set([Id.INTERVAL, Id.INTERVAL64])
		return span.has(p.id) && span.has(q.id) ? byNumber : null
	}
	if (p.id === Id.JSON || p.id === Id.JSON_DOCUMENT || p.id === Id.YSON) return null
	if (p.id === Id.DYNUMBER) return (x, y) => byNumber(Number(String(x)), Number(String(y)))
	if (p.id === Id.UUID) return byBytes
	return byNumber
}

function byBytes(x: Datum, y: Datum): number {
	return Buffer.compare(x as Buffer, y as Buffer)
}

function byNumber(x: Datum, y: Datum): number | undefined {
	if (Number.isNaN(x) || Number.isNaN(y)) return undefined
	return x! < y! ? -1 : x! > y! ? 1 : 0
}

/** For ORDER BY: NULL is the least. */
export function ordering(type: YqlType): ((x: Datum, y: Datum) => number) | null {
	const order = comparison(type, type)
	return order && ((x, y) => (x === null ? (y === null ? 0 : -1) : y === null ? 1 : (order(x, y) ?? 0)))
}
