// Sources: YDB's sql_ut_common.h (texts and places of errors), yql_expr_type_annotation.cpp (types of aggregations), its documentation.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client, withSdk } from './clients.ts'

let emulator: Emulator
let client: Client

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
	await client.rows(
		`CREATE TABLE t (id Uint64 NOT NULL, city Utf8, sum Int32 NOT NULL, price Decimal(22, 9), score Double, PRIMARY KEY (id), INDEX by_city GLOBAL ON (city))`,
	)
	await client.rows(
		`UPSERT INTO t (id, city, sum, price, score) VALUES
		(1, "Rome", 10, Decimal("1.5", 22, 9), 1.0), (2, "Oslo", 5, Decimal("2.5", 22, 9), 2.0), (3, "Rome", 7, NULL, NULL),
		(4, NULL, 1, Decimal("4", 22, 9), 4.0), (5, "Oslo", 5, Decimal("2.5", 22, 9), 3.0)`,
	)
	await client.rows('CREATE TABLE empty (id Uint64 NOT NULL, v Int32, PRIMARY KEY (id))')
})

afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
})

test.each<[string, unknown[][]]>([
	[
		'SELECT city, COUNT(*) AS n, SUM(sum) AS s, MIN(sum), MAX(sum), AVG(sum), COUNT(DISTINCT sum) FROM t GROUP BY city ORDER BY city',
		[
			[null, 1, 1, 1, 1, 1, 1],
			['Oslo', 2, 10, 5, 5, 5, 1],
			['Rome', 2, 17, 7, 10, 8.5, 2],
		],
	],
	[
		'SELECT city, SUM(sum) AS s FROM t GROUP BY city HAVING COUNT(*) > 1 ORDER BY s DESC',
		[
			['Rome', 17],
			['Oslo', 10],
		],
	],
	[
		'SELECT even, COUNT(*) FROM t GROUP BY id % 2 = 0 AS even ORDER BY even',
		[
			[false, 3],
			[true, 2],
		],
	],
	['SELECT SUM(sum) + COUNT(*) AS x, SOME(city) IS NULL FROM t WHERE city = "Oslo"', [[12, false]]],
	['SELECT COUNT_IF(sum > 5), BOOL_OR(sum > 9), BOOL_AND(sum > 9) FROM t', [[2, true, false]]],
	[
		'SELECT CAST(SUM(price) AS String), CAST(AVG(price) AS String), SUM(score), AVG(score) FROM t',
		[['10.5', '2.625', 10, 2.5]],
	],
	['SELECT COUNT(*), COUNT(v), SUM(v), MIN(v), AVG(v) FROM empty', [[0, 0, null, null, null]]],
	['SELECT v, COUNT(*) FROM empty GROUP BY v', []],
	['SELECT COUNT(*) FROM t HAVING COUNT(*) > 100', []],
	['SELECT DISTINCT city FROM t ORDER BY city', [[null], ['Oslo'], ['Rome']]],
	[
		'SELECT DISTINCT city, sum FROM t WHERE city IS NOT NULL ORDER BY sum, city LIMIT 2',
		[
			['Oslo', 5],
			['Rome', 7],
		],
	],
	['SELECT id FROM t ORDER BY sum DESC, id LIMIT 3 OFFSET 1', [[3], [2], [5]]],
	['SELECT id FROM t ORDER BY sum * -1, id DESC LIMIT 3', [[1], [3], [5]]],
	[
		'SELECT sum AS id, id AS other FROM t ORDER BY id LIMIT 2',
		[
			[1, 4],
			[5, 2],
		],
	],
	[
		'SELECT id, -sum AS m FROM t ORDER BY m LIMIT 2',
		[
			[1, -10],
			[3, -7],
		],
	],
	['SELECT x.id, x.sum AS s FROM t AS x WHERE x.sum = 7', [[3, 7]]],
	['SELECT id FROM t WHERE city LIKE "R%" ORDER BY id', [[1], [3]]],
	['SELECT id FROM t WHERE (CASE city WHEN "Rome" THEN 1 ELSE 0 END) = 1 ORDER BY id', [[1], [3]]],
	['SELECT id FROM t VIEW by_city WHERE city = "Oslo" ORDER BY id', [[2], [5]]],
	[
		'SELECT city, id FROM t VIEW by_city',
		[
			[null, 4],
			['Oslo', 2],
			['Oslo', 5],
			['Rome', 1],
			['Rome', 3],
		],
	],
	['SELECT id FROM t VIEW PRIMARY KEY WHERE id < 3 ORDER BY id', [[1], [2]]],
	[
		'SELECT k, SUM(v) FROM AS_TABLE([<|k: "a", v: 1|>, <|k: "b", v: 2|>, <|k: "a", v: 3|>]) GROUP BY k ORDER BY k',
		[
			['a', 4],
			['b', 2],
		],
	],
	['$limit = 3; SELECT COUNT(*) FROM t WHERE id <= $limit', [[3]]],
	['SELECT id AS column1, sum + 1 FROM t WHERE id = 1', [[1, 11]]],
	['SELECT t.* FROM t WHERE id = 4', [[null, 4, expect.anything(), 4, 1]]],
])('%s', async (text, rows) => {
	const found = await client.rows(text)
	expect(found).toEqual(rows)
})

test('types of aggregations: Optional without GROUP BY, as YDB widens them', async () => {
	const types = async (text: string): Promise<string[]> =>
		(await client.query(text)).sets[0]!.columns.map(({ type }) => {
			const inside = type?.type
			const optional = inside?.case === 'optionalType'
			const item = inside?.case === 'optionalType' ? inside.value.item : type
			const name = item?.type.case === 'typeId' ? String(item.type.value) : (item?.type.case ?? '')
			return optional ? `${name}?` : name
		})
	const [int32, int64, uint64, double] = ['1', '3', '4', '32']
	expect(await types('SELECT SUM(sum), MIN(sum), AVG(sum), COUNT(sum), SOME(id) FROM t')).toEqual([
		`${int64}?`,
		`${int32}?`,
		`${double}?`,
		uint64,
		`${uint64}?`,
	])
	expect(await types('SELECT SUM(sum), MIN(sum), AVG(sum), SUM(id), SUM(price) FROM t GROUP BY city')).toEqual([
		int64,
		int32,
		double,
		uint64,
		'decimalType?',
	])
})

const KEY = 'must either be a key column in GROUP BY or it should be used in aggregation function'
test.each<[string, string, number]>([
	['select count(*), 1 + sum from t', `Column \`sum\` ${KEY}`, 22],
	['select city, 2 * sum from t group by city', `Column \`sum\` ${KEY}`, 18],
	['select id * 2 from t group by id * 2', `Column \`id\` ${KEY}`, 8],
	['select city, 1 + a.sum from t as a group by a.city', `Column \`a.sum\` ${KEY}`, 18],
	['select city from t group by city, city', 'Duplicate grouping column: city', 8],
	['select id from t order by 1', 'Unable to ORDER BY constant expression', 27],
	['select id from t order by min(id)', 'Unable to ORDER BY aggregated values', 27],
	['select distinct id, sum from t order by city', 'Column city is not in source column set', 41],
	['select count(*) as a from t order by city', 'Column city is not in source column set', 38],
	['select id from t where count(id) > 1', 'Can not use aggregated values in filtering', 24],
	['select id, id from t', 'Unable to use duplicate column names. Collision in name: id', 12],
	['select id as foo, sum as foo from t', 'Unable to use duplicate column names. Collision in name: foo', 19],
	['select *, LENGTH(city) from t', "Unable to use plain '*' with other projection items", 8],
	['select LENGTH(city), * from t', "Unable to use plain '*' with other projection items", 22],
	['select id from t order by x.id', 'Unknown correlation name: x', 27],
	['select SUM(city) from t', 'Unsupported column type: Utf8', 8],
	['select id from t view none', 'Required global index not found, index name: none', 16],
	['insert into t values (1)', 'INSERT INTO ... VALUES requires specification of table columns', 13],
	['replace into t values (1)', 'REPLACE INTO ... VALUES requires specification of table columns', 14],
	['insert into t (id) values (1, 2)', 'VALUES have 2 columns, INSERT INTO expects: 1', 16],
])('%s is refused: %s', async (text, message, column) => {
	const { issue } = await client.query(text)
	expect(issue.message).toContain(message)
	expect([issue.row, issue.column]).toEqual([1, column])
})

test('ydb-sdk, query service: groups, rows in order, statistics', async () => {
	await withSdk(emulator, async (driver) => {
		const rows = await driver.queryClient.do({
			timeout: 5000,
			fn: async (session) => {
				const { resultSets } = await session.execute({
					text: 'SELECT city, SUM(sum) AS total FROM t WHERE city IS NOT NULL GROUP BY city ORDER BY total',
					statsMode: 30,
				})
				const found: unknown[] = []
				for await (const { rows: each } of resultSets) for await (const row of each) found.push(row)
				return found
			},
		})
		expect(rows).toMatchObject([{ city: 'Oslo' }, { city: 'Rome' }])
	})
})
