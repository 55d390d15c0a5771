import type { Value } from '@ydbjs/api/value'
import { cell, type CellType, decimal, optional, type Plain, STORABLE, uuid } from './cell.ts'
import type { SeedTable } from './tables.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const everyByte = Uint8Array.from({ length: 256 }, (_, at) => at)
const MIB = 1 << 20
const days = (text: string): number => Date.parse(text) / 86_400_000
const micros = (text: string): bigint => BigInt(Date.parse(text)) * 1000n
const LAST_DAY = days('2105-12-31')
const LAST_SECOND = Date.parse('2105-12-31T23:59:59Z') / 1000
const TEXTS = [
	'',
	'null',
	'"',
	'a,b\n%2C+c^',
	'Привет, 世界! مرحبا',
	'👩‍👩‍👧‍👦🇳🇿',
	'\u0000\u0001\u007f\u0085\u2028\ufeff',
	'é'.repeat(MIB / 2),
]

/** Values of each type, the edges first. Every row takes the next one of each list, so lists may have any length. */
const EDGES: readonly (readonly [name: string, type: CellType, values: readonly Plain[]])[] = [
	['bool', STORABLE.Bool, [false, true]],
	['int8', STORABLE.Int8, [-128, 127, 0, -1]],
	['uint8', STORABLE.Uint8, [0, 255, 128]],
	['int16', STORABLE.Int16, [-32_768, 32_767, 0]],
	['uint16', STORABLE.Uint16, [0, 65_535, 256]],
	['int32', STORABLE.Int32, [-2_147_483_648, 2_147_483_647, 0, -1]],
	['uint32', STORABLE.Uint32, [0, 4_294_967_295, 2_147_483_648]],
	['int64', STORABLE.Int64, [-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 2n ** 53n + 1n]],
	['uint64', STORABLE.Uint64, [0n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 53n + 1n]],
	[
		'float',
		STORABLE.Float,
		[
			0,
			-0,
			Number.NaN,
			Infinity,
			-Infinity,
			1.401298464324817e-45,
			3.4028234663852886e38,
			Math.fround(0.1),
			Math.fround(-6531.124),
		],
	],
	[
		'double',
		STORABLE.Double,
		[0, -0, Number.NaN, Infinity, -Infinity, 5e-324, Number.MAX_VALUE, 0.1, -5012.23123155, 2 ** 53],
	],
	['date', STORABLE.Date, [0, LAST_DAY, days('2024-02-29')]],
	['datetime', STORABLE.Datetime, [0, LAST_SECOND, Date.parse('2019-03-11T16:30:44Z') / 1000]],
	['timestamp', STORABLE.Timestamp, [0n, micros('2105-12-31T23:59:59Z') + 999_999n, 1_552_321_844_314_382n]],
	['interval', STORABLE.Interval, [0n, -1n, micros('2105-12-31T23:59:59Z'), -micros('2105-12-31T23:59:59Z')]],
	['date32', STORABLE.Date32, [-53_375_809, 53_375_807, 0, -1]],
	['datetime64', STORABLE.Datetime64, [-4_611_669_897_600n, 4_611_669_811_199n, 0n, -1n]],
	['timestamp64', STORABLE.Timestamp64, [-4_611_669_897_600_000_000n, 4_611_669_811_199_999_999n, 0n, -1n]],
	['interval64', STORABLE.Interval64, [-9_223_339_708_799_999_999n, 9_223_339_708_799_999_999n, 0n, -1n]],
	['string', STORABLE.String, [everyByte, ...TEXTS.map(utf8), new Uint8Array(MIB).fill(0xff)]],
	['utf8', STORABLE.Utf8, TEXTS],
	['yson', STORABLE.Yson, ['#', '{a=1;b="x, y"}', '[1;2;[]]'].map(utf8)],
	['json', STORABLE.Json, ['null', '{"a": [1, 2.5e-3, "ж, \\u0000\\n"],\n "A": {}}', '[]', '"😀"']],
	['json_document', STORABLE.JsonDocument, ['{"key":"value"}', '[1,2.5,"ж"]', 'null', '{"a":{"b":[true,false,null]}}']],
	[
		'dy_number',
		STORABLE.DyNumber,
		['0', '1', '-1', '123.456', '1E-130', '9.9999999999999999999999999999999999999E+125'],
	],
	[
		'uuid',
		STORABLE.Uuid,
		[
			uuid('00000000-0000-0000-0000-000000000000'),
			uuid('ffffffff-ffff-ffff-ffff-ffffffffffff'),
			uuid('5b99a330-04ef-4f1a-9b64-ba6d5f44ea00'),
		],
	],
	[
		'decimal_22_9',
		decimal(22, 9),
		[0n, 1n, -1n, 10n ** 22n - 1n, 1n - 10n ** 22n, 10n ** 35n, -(10n ** 35n), 10n ** 35n + 1n],
	],
	['decimal_35_10', decimal(35, 10), [0n, 10n ** 35n - 1n, 1n - 10n ** 35n, -(2n ** 64n), 2n ** 64n]],
	['decimal_35_0', decimal(35, 0), [0n, 10n ** 35n - 1n, -5n]],
	['decimal_1_1', decimal(1, 1), [0n, 9n, -9n]],
]

const ROWS = Math.max(...EDGES.map(([, , values]) => values.length)) + 1

/** Every type twice, NOT NULL and nullable. The last row is NULL wherever it may be. */
export const allTypes: SeedTable = {
	path: 'all_types',
	columns: [
		['id', STORABLE.Uint32],
		...EDGES.flatMap(([name, type]) => [[name, type] as const, [`${name}_or_null`, optional(type)] as const]),
	],
	primaryKey: ['id'],
	splitBefore: [],
	*rows() {
		for (let id = 0; id < ROWS; id++) {
			const row: Value[] = [cell(STORABLE.Uint32, id)]
			for (const [, type, values] of EDGES) {
				row.push(cell(type, values[id % values.length]!))
				row.push(cell(type, id === ROWS - 1 || id % 7 === 6 ? null : values[(id + 1) % values.length]!))
			}
			yield row
		}
	},
}
