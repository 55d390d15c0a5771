import type { Datum } from './datum.ts'
import { data, type YqlType } from './types.ts'

/** A function of a module: what it makes of NULL is NULL. */
export interface ModuleFunction {
	readonly takes: readonly YqlType[]
	readonly gives: YqlType
	/** Whether it gives NULL for some values. */
	readonly fails?: boolean
	run(...args: Datum[]): Datum
}

const STRING = data('String')
const UTF8 = data('Utf8')
const BOOL = data('Bool')
const UINT32 = data('Uint32')
const UINT64 = data('Uint64')
const INT32 = data('Int32')
const INT64 = data('Int64')
const DOUBLE = data('Double')
const TIMESTAMP = data('Timestamp')
const INTERVAL = data('Interval')

const bytes = (value: Datum): Buffer => value as Buffer
const text = (value: Datum): string => bytes(value).toString()

function ascii(convert: (text: string) => string): ModuleFunction {
	return {
		takes: [STRING],
		gives: STRING,
		run: (value) => Buffer.from(convert(bytes(value!).toString('latin1')), 'latin1'),
	}
}

function test(run: (text: Buffer, part: Buffer) => boolean): ModuleFunction {
	return { takes: [STRING, STRING], gives: BOOL, run: (value, part) => run(bytes(value!), bytes(part!)) }
}

function unicode(convert: (text: string) => string): ModuleFunction {
	return { takes: [UTF8], gives: UTF8, run: (value) => Buffer.from(convert(text(value!))) }
}

function math(run: (value: number) => number): ModuleFunction {
	return { takes: [DOUBLE], gives: DOUBLE, run: (value) => run(value as number) }
}

function interval(takes: YqlType, unit: bigint): ModuleFunction {
	return { takes: [takes], gives: INTERVAL, fails: true, run: (value) => (value as bigint) * unit }
}

function moment(takes: YqlType, unit: bigint): ModuleFunction {
	return { takes: [takes], gives: TIMESTAMP, fails: true, run: (value) => (value as bigint) * unit }
}

function since(gives: YqlType, unit: bigint): ModuleFunction {
	return { takes: [TIMESTAMP], gives, run: (value) => (value as bigint) / unit }
}

function part(gives: string, run: (moment: Date) => number): ModuleFunction {
	return {
		takes: [TIMESTAMP],
		gives: data(gives),
		run: (value) => BigInt(run(new Date(Number((value as bigint) / 1000n)))),
	}
}

/** Source: YDB's documentation of the modules; what their functions make of text that is not ASCII is a guess. */
export const MODULES: ReadonlyMap<string, ModuleFunction> = new Map<string, ModuleFunction>([
	['String::AsciiToUpper', ascii((value) => value.replace(/[a-z]+/g, (word) => word.toUpperCase()))],
	['String::AsciiToLower', ascii((value) => value.replace(/[A-Z]+/g, (word) => word.toLowerCase()))],
	['String::Strip', ascii((value) => value.replace(/^[\s]+|[\s]+$/g, ''))],
	['String::Reverse', ascii((value) => [...value].reverse().join(''))],
	['String::Contains', test((value, inner) => value.includes(inner))],
	['String::StartsWith', test((value, inner) => value.subarray(0, inner.length).equals(inner))],
	[
		'String::EndsWith',
		test((value, inner) => value.length >= inner.length && value.subarray(value.length - inner.length).equals(inner)),
	],
	['String::HexText', ascii((value) => Buffer.from(value, 'latin1').toString('hex').toUpperCase())],
	['String::Base64Encode', ascii((value) => Buffer.from(value, 'latin1').toString('base64'))],
	['Unicode::ToUpper', unicode((value) => value.toUpperCase())],
	['Unicode::ToLower', unicode((value) => value.toLowerCase())],
	['Unicode::Strip', unicode((value) => value.trim())],
	['Unicode::Reverse', unicode((value) => [...value].reverse().join(''))],
	['Unicode::GetLength', { takes: [UTF8], gives: UINT64, run: (value) => BigInt([...text(value!)].length) }],
	['Unicode::IsUtf', { takes: [STRING], gives: BOOL, run: (value) => Buffer.from(text(value!)).equals(bytes(value!)) }],
	['Math::Abs', math(Math.abs)],
	['Math::Ceil', math(Math.ceil)],
	['Math::Floor', math(Math.floor)],
	['Math::Sqrt', math(Math.sqrt)],
	['Math::Trunc', math(Math.trunc)],
	['DateTime::FromSeconds', moment(UINT32, 1_000_000n)],
	['DateTime::FromMilliseconds', moment(UINT64, 1000n)],
	['DateTime::FromMicroseconds', moment(UINT64, 1n)],
	['DateTime::ToSeconds', since(UINT32, 1_000_000n)],
	['DateTime::ToMilliseconds', since(UINT64, 1000n)],
	['DateTime::ToMicroseconds', since(UINT64, 1n)],
	['DateTime::IntervalFromDays', interval(INT32, 86_400_000_000n)],
	['DateTime::IntervalFromHours', interval(INT32, 3_600_000_000n)],
	['DateTime::IntervalFromMinutes', interval(INT32, 60_000_000n)],
	['DateTime::IntervalFromSeconds', interval(INT64, 1_000_000n)],
	['DateTime::IntervalFromMilliseconds', interval(INT64, 1000n)],
	['DateTime::IntervalFromMicroseconds', interval(INT64, 1n)],
	['DateTime::GetYear', part('Uint16', (value) => value.getUTCFullYear())],
	['DateTime::GetMonth', part('Uint8', (value) => value.getUTCMonth() + 1)],
	['DateTime::GetDayOfMonth', part('Uint8', (value) => value.getUTCDate())],
	['DateTime::GetHour', part('Uint8', (value) => value.getUTCHours())],
	['DateTime::GetMinute', part('Uint8', (value) => value.getUTCMinutes())],
	['DateTime::GetSecond', part('Uint8', (value) => value.getUTCSeconds())],
])
