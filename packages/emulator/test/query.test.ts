import { afterAll, beforeAll, expect, test } from 'vitest'
import { create } from '@bufbuild/protobuf'
import { type TypedValue, TypedValueSchema, Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client } from './clients.ts'

let emulator: Emulator
let client: Client
const SUCCESS = 400000
const BAD_REQUEST = 400010
const ABORTED = 400040
const SCHEME_ERROR = 400070
const GENERIC_ERROR = 400080
const BAD_SESSION = 400100
const PRECONDITION_FAILED = 400120
const NOT_FOUND = 400140
const UNSUPPORTED = 400180

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
	await client.rows(
		'CREATE TABLE `q/t` (a Uint64, b Utf8, v Int32, PRIMARY KEY (a, b)) WITH (PARTITION_AT_KEYS = (3, 5))',
	)
	await client.rows(
		`UPSERT INTO \`q/t\` (a, b, v) VALUES (1, "x", 10), (1, "y", NULL), (2, "x", -5), (4, "z", 7), (6, "w"u, 1), (NULL, "n", 3)`,
	)
	await client.rows(
		'CREATE TABLE n (id Uint32 NOT NULL, s String NOT NULL, d Date, m Decimal(22, 9), PRIMARY KEY (id))',
	)
})

afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
})

function rowsOf(members: Record<string, Id>, values: readonly (readonly unknown[])[]): TypedValue {
	const cases: Partial<Record<Id, string>> = {
		[Id.UINT64]: 'uint64Value',
		[Id.UINT32]: 'uint32Value',
		[Id.UTF8]: 'textValue',
		[Id.INT32]: 'int32Value',
		[Id.STRING]: 'bytesValue',
	}
	return create(TypedValueSchema, {
		type: {
			type: {
				case: 'listType',
				value: {
					item: {
						type: {
							case: 'structType',
							value: {
								members: Object.entries(members).map(([name, value]) => ({
									name,
									type: { type: { case: 'typeId' as const, value } },
								})),
							},
						},
					},
				},
			},
		},
		value: {
			items: values.map((row) => ({
				items: row.map((value, at) => ({ value: { case: cases[Object.values(members)[at]!], value } as never })),
			})),
		},
	})
}

test('literals, names of columns and several results', async () => {
	const { sets, status } = await client.query('SELECT 1 AS id, "x"u AS t; SELECT 2 + 3, NULL, Just(1ul), -7;')
	expect(status).toBe(SUCCESS)
	expect(sets.map(({ columns }) => columns.map(({ name }) => name))).toEqual([
		['id', 't'],
		['column0', 'column1', 'column2', 'column3'],
	])
	expect(sets[1]!.rows[0]!.items.map(({ value }) => value.case)).toEqual([
		'int32Value',
		'nullFlagValue',
		'uint64Value',
		'int32Value',
	])
})

test.each([
	['a = 1', [['x'], ['y']]],
	['a = 1 AND b > "x"', [['y']]],
	['a > 1 AND a < 6', [['x'], ['z']]],
	['a >= 4', [['z'], ['w']]],
	['a < 2', [['x'], ['y']]],
	['5 < a', [['w']]],
	['a IN (2, 6, 9)', [['x'], ['w']]],
	['a BETWEEN 2 AND 4', [['x'], ['z']]],
	['a IS NULL', [['n']]],
	['a IS NOT NULL AND v IS NULL', [['y']]],
	['(a, b) > (1, "x")', [['y'], ['x'], ['z'], ['w']]],
	['(a, b) <= (1, "x")', [['x']]],
	['v > 5', [['x'], ['z']]],
	['v = 7 OR b = "w"', [['z'], ['w']]],
	['NOT (v > 5)', [['n'], ['x'], ['w']]],
	['a > -1 AND a = 4', [['z']]],
	['a = NULL', []],
])('WHERE %s', async (where, expected) => {
	expect(await client.rows(`SELECT b FROM \`q/t\` WHERE ${where} ORDER BY a, b`)).toEqual(expected)
	const [[count]] = (await client.rows(`SELECT COUNT(*) FROM \`q/t\` WHERE ${where}`)) as [[number]]
	expect(count).toBe(expected.length)
})

test('order, limit, offset, counts', async () => {
	expect(await client.rows('SELECT b, v FROM `q/t` ORDER BY v DESC LIMIT 2')).toEqual([
		['x', 10],
		['z', 7],
	])
	expect(await client.rows('SELECT a FROM `q/t` ORDER BY a, b LIMIT 2 OFFSET 1')).toEqual([[1], [1]])
	expect(await client.rows('SELECT COUNT(*) AS n, COUNT(v) FROM `q/t`')).toEqual([[6, 5]])
	expect((await client.rows('SELECT a FROM `q/t`')).length).toBe(6)
	expect(await client.rows('SELECT * FROM `/local/q/t` WHERE a = 4')).toEqual([[4, 'z', 7]])
	expect(await client.rows('PRAGMA TablePathPrefix = "/local/q"; SELECT v FROM t WHERE a = 4')).toEqual([[7]])
})

test('an empty result has columns', async () => {
	const { sets, parts } = await client.query('SELECT a, b FROM `q/t` WHERE a = 77')
	expect([parts, sets[0]!.columns.length, sets[0]!.rows.length]).toEqual([1, 2, 0])
})

test('large results come in parts', async () => {
	await client.rows('CREATE TABLE big (id Uint64, PRIMARY KEY (id))')
	const rows = rowsOf(
		{ id: Id.UINT64 },
		Array.from({ length: 5000 }, (_, at) => [BigInt(at)]),
	)
	await client.rows('UPSERT INTO big SELECT * FROM AS_TABLE($rows)', { $rows: rows })
	const { sets, parts } = await client.query('SELECT id + 0ul AS id FROM big')
	expect(sets[0]!.rows.length).toBe(5000)
	expect(parts).toBe(5)
	expect(await client.rows('SELECT COUNT(*) FROM big WHERE id >= 100 AND id < 200')).toEqual([[100]])
})

test('AS_TABLE: upsert keeps other cells, replace does not, types widen', async () => {
	await client.rows('CREATE TABLE w (id Uint64, x Utf8, y Int64, PRIMARY KEY (id))')
	await client.rows('UPSERT INTO w (id, x, y) VALUES (1, "one", 1), (2, "two", 2)')
	const rows = rowsOf({ id: Id.UINT32, y: Id.INT32 }, [[1, 11]])
	await client.rows('DECLARE $r AS List<Struct<id:Uint32,y:Int32>>; UPSERT INTO w SELECT * FROM AS_TABLE($r)', {
		$r: rows,
	})
	await client.rows('REPLACE INTO w SELECT id, y FROM AS_TABLE($r)', {
		$r: rowsOf({ id: Id.UINT64, y: Id.INT32 }, [[2n, 22]]),
	})
	await client.rows('UPDATE w ON SELECT * FROM AS_TABLE($r)', {
		$r: rowsOf({ id: Id.UINT64, x: Id.UTF8 }, [
			[2n, 'zwei'],
			[9n, 'no'],
		]),
	})
	expect(await client.rows('SELECT id, x, y FROM w ORDER BY id')).toEqual([
		[1, 'one', 11],
		[2, 'zwei', 22],
	])
	await client.rows('UPDATE w SET y = y + 1 WHERE id = 1; DELETE FROM w ON SELECT id FROM AS_TABLE($r)', {
		$r: rowsOf({ id: Id.UINT64 }, [[2n]]),
	})
	expect(await client.rows('SELECT * FROM w')).toEqual([[1, 'one', 12]])
	await client.rows('DELETE FROM w WHERE id > 0')
	expect(await client.rows('SELECT COUNT(*) FROM w')).toEqual([[0]])
})

test.each([
	['INSERT INTO `q/t` (a, b) VALUES (1, "x")', PRECONDITION_FAILED, 2012, 'Conflict with existing key.'],
	['UPSERT INTO n (id) VALUES (1)', BAD_REQUEST, 2032, 'Missing not null column in input: s'],
	['UPSERT INTO n (id, s) VALUES (1, NULL)', BAD_REQUEST, 2031, 'not null column: s'],
	['UPSERT INTO n (s) VALUES ("x")', PRECONDITION_FAILED, 2029, 'Missing key column in input: id'],
	['UPSERT INTO n (id, s) VALUES (-1, "x")', GENERIC_ERROR, 0, "Failed to convert 'id'"],
	['UPSERT INTO n (id, s, d) VALUES (1, "x", "2020-01-01")', GENERIC_ERROR, 0, "Failed to convert 'd': String"],
	['UPSERT INTO nowhere (id) VALUES (1)', SCHEME_ERROR, 2003, "Cannot find table 'db.[/local/nowhere]'"],
	['SELECT x FROM n', GENERIC_ERROR, 0, 'Member not found: x'],
	['SELECT $x', GENERIC_ERROR, 0, 'Unknown name: $x'],
	['SELECT Uint8("256")', GENERIC_ERROR, 0, 'Invalid value "256" for type Uint8'],
	['SELECT 1 = "1"', GENERIC_ERROR, 0, "Uncompatible types in compare: Int32 '==' String"],
	['SELECT * FROM a JOIN b ON a.x = b.x', UNSUPPORTED, 0, 'JOIN is not emulated'],
	['CREATE VIEW v AS SELECT 1', GENERIC_ERROR, 0, 'security_invoker option must be explicitly enabled'],
	['SELECT SUM(id) OVER w FROM n WINDOW w AS ()', UNSUPPORTED, 0, 'OVER'],
	['SELECT id FROM n UNION ALL SELECT id FROM n', UNSUPPORTED, 0, 'UNION is not emulated'],
	['SELECT id FROM (SELECT id FROM n)', UNSUPPORTED, 0, 'a subquery is not emulated'],
	['SELECT ListMap([1], ($x) -> { RETURN $x })', UNSUPPORTED, 0, 'a lambda is not emulated'],
	['SELECT Digest::Crc32c("x")', UNSUPPORTED, 0, 'function Digest::Crc32c is not emulated'],
	['SELECT MEDIAN(id) FROM n', UNSUPPORTED, 0, 'aggregation MEDIAN is not emulated'],
	['DROP TABLE n; SELECT * FROM n', GENERIC_ERROR, 2009, 'mixed data and scheme'],
	['ALTER TABLE n ADD COLUMN z Int32 NOT NULL', SCHEME_ERROR, 0, 'Cannot add not null column without default value'],
])('refused: %s', async (text, status, code, message) => {
	const answer = await client.query(text)
	expect(answer.message).toContain(message)
	expect([answer.status, answer.issue.code]).toEqual([status, code])
})

test('a query changes everything or nothing', async () => {
	const { status } = await client.query(
		'UPSERT INTO `q/t` (a, b) VALUES (100, "q"); INSERT INTO `q/t` (a, b) VALUES (1, "x")',
	)
	expect(status).toBe(PRECONDITION_FAILED)
	expect(await client.rows('SELECT COUNT(*) FROM `q/t` WHERE a = 100')).toEqual([[0]])
})

test('an interactive transaction sees its writes, others see them at commit', async () => {
	await using other = await Client.open(emulator)
	await client.rows('CREATE TABLE tx (id Uint64, v Uint64, PRIMARY KEY (id))')
	const first = await client.query('UPSERT INTO tx (id, v) VALUES (1, 1)', {}, { begin: true })
	expect(first.txId).not.toBe('')
	const seen = await client.query('SELECT COUNT(*) FROM tx', {}, { id: first.txId })
	expect(seen.sets[0]!.rows[0]!.items[0]!.value.value).toBe(1n)
	expect(await other.rows('SELECT COUNT(*) FROM tx')).toEqual([[0]])
	expect((await client.service.commitTransaction({ sessionId: client.sessionId, txId: first.txId })).status).toBe(
		SUCCESS,
	)
	expect(await other.rows('SELECT COUNT(*) FROM tx')).toEqual([[1]])
	expect((await client.query('SELECT 1', {}, { id: first.txId })).status).toBe(NOT_FOUND)
	const begun = await client.service.beginTransaction({ sessionId: client.sessionId })
	const id = begun.txMeta!.id
	await client.query('SELECT v FROM tx WHERE id = 1', {}, { id })
	await other.rows('UPSERT INTO tx (id, v) VALUES (5, 5)')
	await client.query('UPSERT INTO tx (id, v) VALUES (2, 2)', {}, { id })
	expect((await client.query('SELECT 1', {}, { id, commit: true })).status).toBe(SUCCESS)
	const second = await client.query('SELECT v FROM tx WHERE id = 1', {}, { begin: true })
	await other.rows('UPSERT INTO tx (id, v) VALUES (1, 7)')
	const lost = await client.query('UPSERT INTO tx (id, v) VALUES (1, 8)', {}, { id: second.txId, commit: true })
	expect([lost.status, lost.issue.code]).toEqual([ABORTED, 2001])
	const third = await client.query('UPSERT INTO tx (id, v) VALUES (9, 9)', {}, { begin: true })
	expect((await client.service.rollbackTransaction({ sessionId: client.sessionId, txId: third.txId })).status).toBe(
		SUCCESS,
	)
	expect(await client.rows('SELECT COUNT(*) FROM tx')).toEqual([[3]])
	expect(
		(await client.query('CREATE TABLE no (id Uint64, PRIMARY KEY (id))', {}, { begin: true, commit: true })).status,
	).toBe(PRECONDITION_FAILED)
})

test('sessions: unknown ones are refused, leaving the attach stream ends them', async () => {
	expect((await client.query('SELECT 1', {}, undefined, 'ydb://session/3?node_id=1&id=no')).status).toBe(BAD_SESSION)
	const { service } = client
	expect((await service.deleteSession({ sessionId: 'no' })).status).toBe(SUCCESS)
	const { sessionId } = await service.createSession({})
	const leave = new AbortController()
	const states = service.attachSession({ sessionId }, { signal: leave.signal })[Symbol.asyncIterator]()
	expect((await states.next()).value!.status).toBe(SUCCESS)
	leave.abort()
	await states.next().catch(() => {})
	await expect.poll(async () => (await client.query('SELECT 1', {}, undefined, sessionId)).status).toBe(BAD_SESSION)
	const { sessionId: gone } = await service.createSession({})
	const stream = service.attachSession({ sessionId: gone })[Symbol.asyncIterator]()
	await stream.next()
	await service.deleteSession({ sessionId: gone })
	expect((await stream.next()).done).toBe(true)
})

test('columns come and go in a table with rows', async () => {
	await client.rows(
		'CREATE TABLE alt (id Uint64, x Utf8, y Utf8, PRIMARY KEY (id), INDEX byx GLOBAL ASYNC ON (x) COVER (y))',
	)
	await client.rows('UPSERT INTO alt (id, x, y) VALUES (1, "x", "y")')
	expect((await client.query('ALTER TABLE alt ADD COLUMN z Int32, DROP INDEX byx')).message).toContain(
		'Unqualified alter',
	)
	await client.rows('ALTER TABLE alt DROP INDEX byx')
	await client.rows('ALTER TABLE alt ADD COLUMN z Int32')
	expect(await client.rows('SELECT id, x, y, z FROM alt')).toEqual([[1, 'x', 'y', null]])
	await client.rows('ALTER TABLE alt DROP COLUMN x')
	await client.rows('UPSERT INTO alt (id, z) VALUES (1, 5)')
	expect(await client.rows('SELECT * FROM alt')).toEqual([[1, 'y', 5]])
	await client.rows('ALTER TABLE alt RENAME TO `moved/alt`; DROP TABLE IF EXISTS alt')
	expect(await client.rows('SELECT COUNT(*) FROM `moved/alt`')).toEqual([[1]])
})

test('unique indexes are kept', async () => {
	await client.rows('CREATE TABLE u (id Uint64, k Utf8, PRIMARY KEY (id), INDEX byk GLOBAL UNIQUE ON (k))')
	await client.rows('UPSERT INTO u (id, k) VALUES (1, "a"), (2, NULL), (3, NULL)')
	expect((await client.query('UPSERT INTO u (id, k) VALUES (4, "a")')).status).toBe(PRECONDITION_FAILED)
	await client.rows('UPSERT INTO u (id, k) VALUES (1, "b"), (4, "a")')
})

test('casts and values of every kind go through', async () => {
	expect(
		await client.rows(
			`SELECT CAST("12" AS Uint64), CAST("x" AS Uint64), CAST(Date("2020-02-29") AS Timestamp), CAST(1.5 AS Int32), CAST(Uuid("00112233-4455-6677-8899-aabbccddeeff") AS Utf8), CAST(Decimal("1.250", 22, 9) AS String), CAST(Timestamp("1969-12-31T23:59:59Z") AS String) ?? "no"`.replace(
				'Timestamp("1969-12-31T23:59:59Z")',
				'Timestamp64("1969-12-31T23:59:59.5Z")',
			),
		),
	).toEqual([
		[12, null, 1_582_934_400_000_000, 1, '00112233-4455-6677-8899-aabbccddeeff', '1.25', '1969-12-31T23:59:59.5Z'],
	])
})

test('an alteration that fails leaves the table as it was', async () => {
	await client.rows(
		'CREATE TABLE whole (id Uint64, x Utf8, PRIMARY KEY (id)); CREATE TABLE other (id Uint64, PRIMARY KEY (id))',
	)
	await client.rows('UPSERT INTO whole (id, x) VALUES (1, "x")')
	for (const action of [
		'SET (TTL = Interval("P1D") ON x)',
		'SET (TTL = Interval("P1D") ON none)',
		'ADD COLUMN y Int32, DROP COLUMN none',
		'ADD INDEX i GLOBAL ON (none)',
		'DROP COLUMN id',
		'RENAME TO other',
	])
		expect((await client.query(`ALTER TABLE whole ${action}`)).status).toBe(SCHEME_ERROR)
	const { sets } = await client.query('SELECT * FROM whole')
	expect(sets[0]!.columns.map(({ name }) => name)).toEqual(['id', 'x'])
	expect(sets[0]!.rows.length).toBe(1)
})
