// Types and values of expressions. Sources: YDB's documentation (syntax/expressions, types/cast, builtins), its type_ann_core.cpp.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Type, Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client } from './clients.ts'

let emulator: Emulator
let client: Client

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
})

afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
})

function nameOf(type: Type | undefined): string {
	switch (type?.type.case) {
		case 'optionalType':
			return `${nameOf(type.type.value.item)}?`
		case 'typeId':
			return Id[type.type.value].toLowerCase()
		case 'decimalType':
			return `decimal(${type.type.value.precision},${type.type.value.scale})`
		default:
			return type?.type.case ?? ''
	}
}

test.each<[string, string, unknown]>([
	// Integers: the wider type, of equal width the unsigned one; they wrap around.
	['1 + 2', 'int32', 3],
	['1 + 2l', 'int64', 3],
	['1 + 2u', 'uint32', 3],
	['255ut + 1ut', 'uint8', 0],
	['2147483647 + 1', 'int32', -2147483648],
	['0u - 1u', 'uint32', 4294967295],
	['-(1u)', 'uint32', 4294967295],
	['2 * 3.5', 'double', 7],
	['2 * 0.5f', 'float', 1],
	['7 / 2', 'int32?', 3],
	['-7 / 2', 'int32?', -3],
	['-7 % 3', 'int32?', -1],
	['1 / 0', 'int32?', null],
	['1 % 0', 'int32?', null],
	['-128t / -1t', 'int8?', null],
	['7 / 2.0', 'double', 3.5],
	['1.0 / 0', 'double', Infinity],
	['7.5 % 2.0', 'double', 1.5],
	['1 + NULL', 'nullType', null],
	['1 + Just(2)', 'int32?', 3],
	['Abs(-5)', 'uint32', 5],
	// Bits
	['6u & 3u', 'uint32', 2],
	['6u | 1ul', 'uint64', 7],
	['6u ^ 3u', 'uint32', 5],
	['~0ut', 'uint8', 255],
	['1 << 4', 'uint32', 16],
	['256u >> 4', 'uint32', 16],
	// Texts
	['"a" || "b"', 'string', 'ab'],
	['"a"u || "b"u', 'utf8', 'ab'],
	['"a"u || "b"', 'string', 'ab'],
	['"a" || NULL', 'nullType', null],
	['LENGTH("жук")', 'uint32', 6],
	['Unicode::GetLength("жук")', 'uint64', 3],
	['Unicode::ToUpper("жук"u)', 'utf8', 'ЖУК'],
	['String::AsciiToLower("ABC")', 'string', 'abc'],
	['SUBSTRING("abcdef", 2, 3)', 'string', 'cde'],
	['FIND("abc", "c")', 'uint32?', 2],
	['FIND("abc", "x")', 'uint32?', null],
	['StartsWith("abc", "ab")', 'bool', true],
	// LIKE
	['"abc" LIKE "a%"', 'bool', true],
	['"abc" LIKE "a_"', 'bool', false],
	['"a.c" LIKE "a.c" AND "abc" NOT LIKE "a.c"', 'bool', true],
	['"ABC" ILIKE "a%"', 'bool', true],
	['"50%" LIKE "50!%" ESCAPE "!"', 'bool', true],
	['"жук" LIKE "_ук"', 'bool', true],
	['Nothing(String?) LIKE "x"', 'bool?', null],
	// Conditions
	['CASE 2 WHEN 1 THEN "a" WHEN 2 THEN "b" ELSE "c" END', 'string', 'b'],
	['CASE WHEN NULL THEN 1 ELSE 2l END', 'int64', 2],
	['IF(1 > 2, "a")', 'string?', null],
	['IF(TRUE, 1, NULL)', 'int32?', 1],
	['NULL ?? 5', 'int32', 5],
	['Just(1) ?? 5', 'int32', 1],
	['Nothing(Int64?) ?? 5', 'int64', 5],
	['COALESCE(Nothing(Int32?), Nothing(Int32?))', 'int32?', null],
	['TRUE XOR FALSE', 'bool', true],
	['NULL AND FALSE', 'bool?', false],
	['NULL IS NOT DISTINCT FROM NULL', 'bool', true],
	['1 IS DISTINCT FROM NULL', 'bool', true],
	['2 BETWEEN 1 AND 3', 'bool', true],
	['4 NOT BETWEEN 1 AND 3', 'bool', true],
	['1 IN (1, 2)', 'bool', true],
	['3 NOT IN (1, 2)', 'bool', true],
	['1 IN (2, NULL)', 'bool?', null],
	['-1 < 4294967295u', 'bool', true],
	['NOT TRUE = FALSE', 'bool', true],
	// Time
	['Date("2020-02-28") + Interval("P1D")', 'date?', 18_321],
	['Timestamp("2020-01-01T00:00:00Z") - Timestamp("2019-12-31T00:00:00Z")', 'interval', 86_400_000_000],
	['Date("1970-01-01") - Interval("P1D")', 'date?', null],
	['Interval("PT1H") * 2', 'interval?', 7_200_000_000],
	['Interval("PT1H") / 0', 'interval?', null],
	['DateTime::ToSeconds(Datetime("1970-01-02T00:00:00Z"))', 'uint32', 86_400],
	['DateTime::GetYear(Date("2021-03-04"))', 'uint16', 2021],
	['DateTime::IntervalFromDays(1)', 'interval?', 86_400_000_000],
	// Decimals
	['CAST(Decimal("1.5", 22, 9) + Decimal("2.25", 22, 9) AS String)', 'string', '3.75'],
	['CAST(Decimal("1.5", 22, 9) * 3 AS String)', 'string', '4.5'],
	['CAST(Decimal("1", 22, 9) / Decimal("3", 22, 9) AS String)', 'string', '0.333333333'],
	['CAST(Decimal("1", 22, 9) / 0 AS String)', 'string', 'inf'],
	['Decimal("1", 5, 2) + Decimal("1", 5, 2)', 'decimal(5,2)', expect.anything()],
	// Parts
	['<|a: 1, b: "x"|>.b', 'string', 'x'],
	['(1, "y").1', 'string', 'y'],
	['ListLength([1, 2, 3])', 'uint64', 3],
	['MAX_OF(1, 3, 2)', 'int32', 3],
	// Casts
	['CAST("12" AS Int32)', 'int32?', 12],
	['CAST(300 AS Uint8)', 'uint8?', null],
	['CAST(1u AS String)', 'string', '1'],
])('%s is %s %s', async (expression, type, value) => {
	const { sets, message } = await client.query(`SELECT ${expression} AS x`)
	expect(message).toBe('')
	expect(nameOf(sets[0]!.columns[0]!.type)).toBe(type)
	expect((await client.rows(`SELECT ${expression} AS x`))[0]![0]).toEqual(value)
})

test.each<[string, string]>([
	['Bool("true")', 'bool'],
	['1t', 'int8'],
	['1ut', 'uint8'],
	['1s', 'int16'],
	['1us', 'uint16'],
	['1', 'int32'],
	['2147483648', 'int64'],
	['1u', 'uint32'],
	['1l', 'int64'],
	['1ul', 'uint64'],
	['0xFFul', 'uint64'],
	['9223372036854775808', 'uint64'],
	['1.5f', 'float'],
	['1.5', 'double'],
	['Double("1e3")', 'double'],
	['Decimal("1.5", 22, 9)', 'decimal(22,9)'],
	['DyNumber("12.5")', 'dynumber'],
	['Date("2020-01-01")', 'date'],
	['Datetime("2020-01-01T00:00:00Z")', 'datetime'],
	['Timestamp("2020-01-01T00:00:00.123456Z")', 'timestamp'],
	['Interval("P1DT2H3M4.5S")', 'interval'],
	['Date32("-0044-03-15")', 'date32'],
	['Datetime64("1000-01-01T00:00:00Z")', 'datetime64'],
	['Timestamp64("1000-01-01T00:00:00Z")', 'timestamp64'],
	['Interval64("-P1000D")', 'interval64'],
	['Uuid("00112233-4455-6677-8899-aabbccddeeff")', 'uuid'],
	[`'{"a": 1}'j`, 'json'],
	[`Json('{"a": 1}')`, 'json'],
	[`JsonDocument('{"a": 1}')`, 'json_document'],
	["'[1;2]'y", 'yson'],
	["Yson('[1;2]')", 'yson'],
	['"text"', 'string'],
	['"text"u', 'utf8'],
	['Utf8("text")', 'utf8'],
	['@@multi\nline@@', 'string'],
	['NULL', 'nullType'],
	['Nothing(Uuid?)', 'uuid?'],
	['TRUE', 'bool'],
])('the literal %s is a %s', async (literal, type) => {
	const { sets, message } = await client.query(`SELECT ${literal}`)
	expect(message).toBe('')
	expect(nameOf(sets[0]!.columns[0]!.type)).toBe(type)
})

// The texts of the first are those of YDB's sql_ut_common.h and type_ann_core.cpp.
test.each<[string, string, number, number]>([
	['SELECT 1 + "a"', 'Cannot add type Int32 and String', 1, 10],
	['SELECT\n 1 - "a"', 'Cannot substract type Int32 and String', 2, 4],
	['SELECT 1 * "a"', 'Cannot multiply type Int32 and String', 1, 10],
	['SELECT "a" / 1', 'Cannot divide type String and Int32', 1, 12],
	['SELECT 1 % "a"', 'Cannot mod type Int32 and String', 1, 10],
	['SELECT 1 | 2', 'Expected unsigned data type, but got: Int32', 1, 10],
	['SELECT 1 || "a"', 'Expected (optional) String or Utf8, but got: Int32', 1, 10],
	['SELECT 1 << -1', 'Shift count must be Uint8', 1, 10],
	['SELECT -"a"', 'Expected numeric, decimal or interval data type, but got: String', 1, 8],
	['SELECT 1 < "a"', "Uncompatible types in compare: Int32 '<' String", 1, 10],
	['SELECT NOT 1', 'Expected bool or optional bool, but got: Int32', 1, 8],
	['SELECT Decimal("1", 5, 2) + Decimal("1", 6, 2)', 'Cannot add different decimals.', 1, 27],
	['SELECT case a when b then c end FROM t', 'ELSE is required', 1, 8],
	['SELECT case when true 1', "missing THEN at '1'", 1, 22],
	['SELECT a', 'Column references are not allowed without FROM', 1, 8],
	['SELECT 1; SELECT COUNT(1) + $x', 'Unknown name: $x', 1, 29],
])('%s is refused: %s', async (text, message, row, column) => {
	const { issue } = await client.query(text)
	expect(issue.message).toContain(message)
	expect([issue.row, issue.column]).toEqual([row, column])
})

test('an error of types stands inside an issue of type annotation', async () => {
	const parts = client.service.executeQuery({
		sessionId: client.sessionId,
		execMode: 50,
		query: { case: 'queryContent', value: { syntax: 1, text: 'SELECT 1 + "a"' } },
	})
	for await (const { status, issues } of parts) {
		expect(status).toBe(400080)
		expect(issues[0]).toMatchObject({ message: 'Type annotation', issueCode: 1030 })
		expect(issues[0]!.issues[0]).toMatchObject({ position: { row: 1, column: 10 } })
	}
})
