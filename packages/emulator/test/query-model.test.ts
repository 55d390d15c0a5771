// Random queries over random rows against a simple model: conditions, arithmetic, groups, orders, parts.
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client } from './clients.ts'

let emulator: Emulator
let client: Client

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
	await client.rows(
		'CREATE TABLE t (k Utf8, id Uint32 NOT NULL, v Int32, PRIMARY KEY (k, id)) WITH (PARTITION_AT_KEYS = ("b", "c"))',
	)
})

afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
})

interface Row {
	readonly k: string | null
	readonly id: number
	readonly v: number | null
}
/** An expression as text, and what it is for a row. */
interface Modelled<T> {
	readonly sql: string
	of(row: Row): T | null
}

const rows: fc.Arbitrary<Row[]> = fc.uniqueArray(
	fc.record({
		k: fc.constantFrom(null, 'a', 'b', 'bb', 'c'),
		id: fc.integer({ min: 0, max: 6 }),
		v: fc.option(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(2_147_483_647, -2_147_483_648))),
	}),
	{ maxLength: 12, selector: ({ k, id }) => `${k}/${id}` },
)

function wrapped(value: number): number {
	return Number(BigInt.asIntN(32, BigInt(value)))
}

/** Int32 arithmetic of YQL: it wraps around, and a division without a result is NULL. */
function computed(operator: string, x: number | null, y: number | null): number | null {
	if (x === null || y === null) return null
	const [a, b] = [BigInt(x), BigInt(y)]
	if (operator === '+') return wrapped(Number(BigInt.asIntN(32, a + b)))
	if (operator === '-') return Number(BigInt.asIntN(32, a - b))
	if (operator === '*') return Number(BigInt.asIntN(32, a * b))
	if (b === 0n) return null
	const out = operator === '/' ? a / b : a % b
	return BigInt.asIntN(32, out) === out ? Number(out) : null
}

const { number } = fc.letrec<{ number: Modelled<number> }>((tie) => ({
	number: fc.oneof(
		{ depthSize: 'small', withCrossShrink: true },
		fc.constant<Modelled<number>>({ sql: 'v', of: ({ v }) => v }),
		fc.integer({ min: -3, max: 3 }).map((value): Modelled<number> => ({ sql: `(${value})`, of: () => value })),
		fc
			.tuple(tie('number'), fc.constantFrom('+', '-', '*', '/', '%'), tie('number'))
			.map(([a, operator, b]): Modelled<number> => ({
				sql: `(${a.sql} ${operator} ${b.sql})`,
				of: (row) => computed(operator, a.of(row), b.of(row)),
			})),
		fc
			.tuple(tie('number'), tie('number'))
			.map(([a, b]): Modelled<number> => ({ sql: `(${a.sql} ?? ${b.sql})`, of: (row) => a.of(row) ?? b.of(row) })),
	),
}))

function compared<T extends number | string>(operator: string, a: T | null, b: T | null): boolean | null {
	if (a === null || b === null) return null
	return operator === '='
		? a === b
		: operator === '<>'
			? a !== b
			: operator === '<'
				? a < b
				: operator === '<='
					? a <= b
					: operator === '>'
						? a > b
						: a >= b
}

const sign = fc.constantFrom('=', '<>', '<', '<=', '>', '>=')
const ids = fc.integer({ min: 0, max: 6 })
const keys: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'bb', 'c')

const simple: fc.Arbitrary<Modelled<boolean>> = fc.oneof(
	fc
		.tuple(sign, ids)
		.map(([operator, id]) => ({ sql: `id ${operator} ${id}`, of: (row: Row) => compared(operator, row.id, id) })),
	fc
		.tuple(sign, keys)
		.map(([operator, k]) => ({ sql: `k ${operator} "${k}"`, of: (row: Row) => compared(operator, row.k, k) })),
	fc.tuple(sign, number, number).map(([operator, a, b]) => ({
		sql: `${a.sql} ${operator} ${b.sql}`,
		of: (row: Row) => compared(operator, a.of(row), b.of(row)),
	})),
	fc.array(keys, { minLength: 1, maxLength: 3 }).map((some) => ({
		sql: `k IN (${some.map((k) => `"${k}"`).join()})`,
		of: ({ k }: Row) => (k === null ? null : some.includes(k)),
	})),
	fc.tuple(ids, ids).map(([a, b]) => ({ sql: `id BETWEEN ${a} AND ${b}`, of: ({ id }: Row) => id >= a && id <= b })),
	fc.constant({ sql: 'k IS NULL', of: ({ k }: Row) => k === null }),
	fc.constant({ sql: 'k IS NOT NULL', of: ({ k }: Row) => k !== null }),
	fc.constant({ sql: 'k LIKE "b%"', of: ({ k }: Row) => (k === null ? null : k.startsWith('b')) }),
	fc.tuple(keys, ids).map(([key, least]) => ({
		sql: `(k, id) > ("${key}", ${least})`,
		of: ({ k, id }: Row) => (k === null ? null : k > key || (k === key && id > least)),
	})),
)

const { condition } = fc.letrec<{ condition: Modelled<boolean> }>((tie) => ({
	condition: fc.oneof(
		{ depthSize: 'small', withCrossShrink: true },
		simple,
		fc.tuple(tie('condition'), tie('condition')).map(([a, b]): Modelled<boolean> => ({
			sql: `(${a.sql}) AND (${b.sql})`,
			of: (row) => {
				const [x, y] = [a.of(row), b.of(row)]
				return x === false || y === false ? false : x === null || y === null ? null : true
			},
		})),
		fc.tuple(tie('condition'), tie('condition')).map(([a, b]): Modelled<boolean> => ({
			sql: `(${a.sql}) OR (${b.sql})`,
			of: (row) => {
				const [x, y] = [a.of(row), b.of(row)]
				return x === true || y === true ? true : x === null || y === null ? null : false
			},
		})),
		tie('condition').map((a): Modelled<boolean> => ({
			sql: `NOT (${a.sql})`,
			of: (row) => {
				const x = a.of(row)
				return x === null ? null : !x
			},
		})),
	),
}))

async function fill(given: readonly Row[]): Promise<void> {
	const text = (value: string | number | null): string =>
		typeof value === 'string' ? `"${value}"` : String(value ?? 'NULL')
	const values = given.map(({ k, id, v }) => `(${text(k)}, ${id}, ${text(v)})`).join()
	await client.rows(`DELETE FROM t;${given.length > 0 ? ` UPSERT INTO t (k, id, v) VALUES ${values}` : ''}`)
}

/** NULL is the least. */
function order(a: string | number | null, b: string | number | null): number {
	return a === b ? 0 : a === null ? -1 : b === null ? 1 : a < b ? -1 : 1
}

test('conditions, arithmetic, orders and parts give what the model gives', async () => {
	await fc.assert(
		fc.asyncProperty(
			rows,
			fc.array(fc.tuple(condition, number, fc.boolean(), fc.boolean(), fc.nat(4), fc.nat(6)), {
				minLength: 8,
				maxLength: 8,
			}),
			async (given, queries) => {
				await fill(given)
				for (const [where, value, byKey, descending, offset, limit] of queries) {
					const wanted = given
						.filter((row) => where.of(row) === true)
						.map((row) => [row.k, row.id, value.of(row)] as const)
						.sort((a, b) => {
							const first = byKey ? order(a[0], b[0]) : order(a[2], b[2])
							return (descending ? -first : first) || order(a[0], b[0]) || a[1] - b[1]
						})
						.slice(offset, offset + limit)
					const by = `${byKey ? 'k' : 'x'}${descending ? ' DESC' : ''}, k, id`
					const text = `SELECT k, id, ${value.sql} AS x FROM t WHERE ${where.sql} ORDER BY ${by} LIMIT ${limit} OFFSET ${offset}`
					expect(await client.rows(text), text).toEqual(wanted)
				}
			},
		),
		{ numRuns: 40, seed: 20_260 },
	)
})

test('groups and distinct rows are those of the model', async () => {
	await fc.assert(
		fc.asyncProperty(
			rows,
			fc.array(fc.tuple(condition, number), { minLength: 6, maxLength: 6 }),
			async (given, queries) => {
				await fill(given)
				for (const [where, value] of queries) {
					const met = given.filter((row) => where.of(row) === true)
					const groups = [...Map.groupBy(met, ({ k }) => k)].sort(([a], [b]) => order(a, b))
					const wanted = groups.map(([k, group]) => {
						const values = group.map((row) => value.of(row)).filter((each) => each !== null)
						const sum = values.reduce((total, each) => total + each, 0)
						const none = values.length === 0
						return [
							k,
							group.length,
							values.length,
							new Set(values).size,
							none ? null : sum,
							none ? null : Math.min(...values),
							none ? null : Math.max(...values),
							none ? null : sum / values.length,
						]
					})
					const text =
						`SELECT k, COUNT(*), COUNT(x), COUNT(DISTINCT x), SUM(x), MIN(x), MAX(x), AVG(x) FROM t WHERE ${where.sql} GROUP BY k ORDER BY k`.replaceAll(
							/\bx\b/g,
							value.sql,
						)
					expect(await client.rows(text), text).toEqual(wanted)
					const having = `SELECT k FROM t WHERE ${where.sql} GROUP BY k HAVING COUNT(${value.sql}) > 1 ORDER BY k DESC`
					const many = wanted.filter((row) => Number(row[2]) > 1).map(([k]) => [k])
					expect(await client.rows(having), having).toEqual(many.reverse())
					const distinct = `SELECT DISTINCT ${value.sql} AS x FROM t WHERE ${where.sql} ORDER BY x`
					const different = [...new Set(met.map((row) => value.of(row)))].sort(order).map((each) => [each])
					expect(await client.rows(distinct), distinct).toEqual(different)
				}
			},
		),
		{ numRuns: 40, seed: 20_261 },
	)
})

test('UPDATE and DELETE change the rows that the model changes', async () => {
	await fc.assert(
		fc.asyncProperty(rows, condition, condition, number, async (given, gone, changed, value) => {
			await fill(given)
			await client.rows(`DELETE FROM t WHERE ${gone.sql}; UPDATE t SET v = ${value.sql} WHERE ${changed.sql}`)
			const wanted = given
				.filter((row) => gone.of(row) !== true)
				.map((row) => [row.k, row.id, changed.of(row) === true ? value.of(row) : row.v] as const)
				.sort((a, b) => order(a[0], b[0]) || a[1] - b[1])
			expect(await client.rows('SELECT k, id, v FROM t ORDER BY k, id')).toEqual(wanted)
		}),
		{ numRuns: 100, seed: 20_262 },
	)
})
