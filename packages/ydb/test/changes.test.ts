import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ExecuteQueryRequestSchema } from '@ydbjs/api/query'
import { ValueSchema } from '@ydbjs/api/value'
import type { Change, ChangedColumn, TableSchema } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test as serially } from 'vitest'
import { adaptStatement } from '../src/changes/adapt.ts'
import { changeStatements } from '../src/changes/statements.ts'
import {
	chunkOf,
	keyOf,
	NULL,
	optional,
	primitive,
	rowFrame,
	schemeOf,
	text,
	uint64,
	type ValueInit,
} from './support/tables.ts'
import { errorOf } from './support/error-of.ts'
import { drained, startWorld, type World } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

/** A key of two columns, one of them NULL at times; a value that must be there; two that may be NULL. */
const SCHEME = schemeOf({
	columns: [
		{ name: 'a', type: optional(primitive('Utf8')) },
		{ name: 'id', type: primitive('Uint64'), notNull: true },
		{ name: 'b', type: optional(primitive('Uint64')) },
		{ name: 'must', type: primitive('Uint64'), notNull: true },
		{ name: 'key2', type: optional(primitive('Utf8')) },
	],
	primaryKey: ['id', 'key2'],
})

type Row = readonly [id: number, key2: string | null, a: string | null, b: number | null, must: number]
const cellText = (value: string | null): ValueInit => (value === null ? NULL : text(value))
const cellNumber = (value: number | null): ValueInit => (value === null ? NULL : uint64(value))
const bytes = (value: ValueInit): Uint8Array => toBinary(ValueSchema, create(ValueSchema, value))
const key = (id: number, key2: string | null): Uint8Array => keyOf(uint64(id), cellText(key2))
const column = (name: string, value: ValueInit): ChangedColumn => ({ name, value: bytes(value) })

async function makeTable(world: World, rows: readonly Row[]): Promise<TableSchema> {
	await world.direct.sink.createTable('t', SCHEME)
	const { schema } = await world.direct.sink.describeTable('t')
	const cells: Record<string, (row: Row) => ValueInit> = {
		id: ([id]) => uint64(id),
		key2: ([, key2]) => cellText(key2),
		a: ([, , a]) => cellText(a),
		b: ([, , , b]) => cellNumber(b),
		must: ([, , , , must]) => uint64(must),
	}
	if (rows.length === 0) return schema
	const writer = await world.direct.sink.openWriter('t', schema)
	await writer.write(
		chunkOf(
			rows.map((row) => rowFrame(schema.columns.map(({ name }) => cells[name]!(row)))),
			schema,
		),
	)
	await writer.finish()
	return schema
}

/** Rows as they stand, a line each. */
async function stored({ direct }: World): Promise<string[]> {
	const { schema } = await direct.sink.describeTable('t')
	const { bytes: all } = await drained(direct.sink.read('t', schema, {}))
	const show = (value: (typeof list.items)[number]): string =>
		value.value.case === 'nullFlagValue' ? 'NULL' : String(value.value.value)
	const list = fromBinary(ValueSchema, all)
	return list.items.map(({ items }) => schema.columns.map(({ name }, at) => `${name}=${show(items[at]!)}`).join(' '))
}

test('each operation does what it means, by key, and rows that are not named stay', async () => {
	await using world = await startWorld()
	const schema = await makeTable(world, [
		[1, 'x', 'one', 1, 1],
		[1, null, 'null key', 1, 1],
		[2, 'x', 'two', 2, 2],
		[3, 'x', 'three', 3, 3],
		[4, 'x', 'four', 4, 4],
	])
	const changes: Change[] = [
		{ op: 'upsert', key: key(1, null), columns: [column('a', NULL), column('must', uint64(10))] },
		{ op: 'erase', key: key(2, 'x') },
		{ op: 'erase', key: key(2, 'never was') },
		{ op: 'upsert', key: key(3, 'x'), columns: [column('b', uint64(30))] },
		{ op: 'replace', key: key(4, 'x'), columns: [column('must', uint64(40))] },
		{ op: 'replace', key: key(5, 'x'), columns: [column('must', uint64(50)), column('a', text('five'))] },
		{ op: 'upsert', key: key(6, null), columns: [column('must', uint64(60))] },
	]
	const wanted = [
		'a=NULL id=1 b=1 must=10 key2=NULL',
		'a=one id=1 b=1 must=1 key2=x',
		'a=three id=3 b=30 must=3 key2=x',
		'a=NULL id=4 b=NULL must=40 key2=x',
		'a=five id=5 b=NULL must=50 key2=x',
		'a=NULL id=6 b=NULL must=60 key2=NULL',
	]
	const order = schema.columns.map(({ name }) => name)
	const reordered = wanted.map((line) => {
		const cells = new Map(line.split(' ').map((cell) => cell.split('=') as [string, string]))
		return order.map((name) => `${name}=${cells.get(name)}`).join(' ')
	})
	for (const round of ['once', 'and again']) {
		await world.ydb.changeSink.apply('t', schema, changes)
		expect(await stored(world), round).toEqual(reordered)
	}
})

test('an answer that is lost is asked for again, and the rows are the same', async () => {
	await using world = await startWorld()
	const schema = await makeTable(world, [[1, 'x', 'one', 1, 1]])
	let lost = 0
	const texts: string[] = []
	world.proxy.rules.set('ExecuteQuery', async ({ request, forward, reply, cut }) => {
		const { query } = fromBinary(ExecuteQueryRequestSchema, request)
		if (query.case === 'queryContent') texts.push(query.value.text.split(' ')[0]!)
		const { messages } = await forward()
		if (lost++ < 2) cut()
		else reply(messages)
	})
	await world.ydb.changeSink.apply('t', schema, [
		{ op: 'erase', key: key(1, 'x') },
		{ op: 'replace', key: key(2, 'x'), columns: [column('must', uint64(2))] },
	])
	expect(texts).toEqual(['DELETE', 'DELETE', 'DELETE', 'REPLACE'])
	expect(await stored(world)).toHaveLength(1)
})

test('columns are added and dropped so that they are those of the link', async () => {
	await using world = await startWorld()
	const schema = await makeTable(world, [[1, 'x', 'one', 1, 1]])
	const without = schema.columns.filter(({ name }) => name !== 'a')
	const link: TableSchema = {
		...schema,
		columns: [...without, { name: 'new-one', type: { kind: 'optional', item: { kind: 'primitive', name: 'Utf8' } } }],
	}
	await world.ydb.changeSink.adaptTable('t', link)
	await world.ydb.changeSink.adaptTable('t', link)
	await world.ydb.changeSink.apply('t', link, [
		{ op: 'upsert', key: key(1, 'x'), columns: [column('new-one', text('yes'))] },
	])
	const [line] = await stored(world)
	expect(line).toContain('new-one=yes')
	expect(line).not.toContain('a=one')
	expect(line).toContain('b=1')
})

test('what cannot be done with the rows in place is a broken chain that says what changed', async () => {
	const table: TableSchema = {
		columns: [
			{ name: 'id', type: { kind: 'primitive', name: 'Uint64' } },
			{ name: 'a', type: { kind: 'optional', item: { kind: 'primitive', name: 'Utf8' } } },
		],
		primaryKey: ['id'],
	}
	const thrown = async (link: TableSchema): Promise<unknown> =>
		errorOf((async () => adaptStatement('/local/t', table, link))())
	const retyped = {
		...table,
		columns: table.columns.with(1, { name: 'a', type: { kind: 'primitive', name: 'Int64' } }),
	}
	expect(await thrown(retyped)).toMatchObject({
		code: 'CHAIN_BROKEN',
		reason: 'schema-changed',
		message: expect.stringContaining('the column a is Utf8'),
	})
	const must: TableSchema = {
		...table,
		columns: [...table.columns, { name: 'm', type: { kind: 'primitive', name: 'Int64' } }],
	}
	expect(await thrown(must)).toMatchObject({ code: 'CHAIN_BROKEN', message: expect.stringContaining('m was added') })
	expect(await thrown({ ...table, primaryKey: ['a'] })).toMatchObject({ code: 'CHAIN_BROKEN' })
	const nullable = {
		...table,
		columns: table.columns.map(({ name, type }) => ({
			name,
			type: type.kind === 'optional' ? type : ({ kind: 'optional', item: type } as const),
		})),
	}
	expect(adaptStatement('/local/t', table, nullable)).toBeUndefined()
	expect(() =>
		changeStatements('/local/t', table, [{ op: 'upsert', key: keyOf(uint64(1)), columns: [column('gone', NULL)] }]),
	).toThrow('names the column gone')
})

test('statements are cut by bytes and rows, and no change is lost', () => {
	const table: TableSchema = {
		columns: [
			{ name: 'id', type: { kind: 'primitive', name: 'Uint64' } },
			{ name: 'a', type: { kind: 'optional', item: { kind: 'primitive', name: 'Utf8' } } },
		],
		primaryKey: ['id'],
	}
	fc.assert(
		fc.property(
			fc.array(fc.constantFrom(1, 1000, 600_000, 5_000_000), { maxLength: 30 }),
			fc.nat(2500),
			(sizes, more) => {
				const changes: Change[] = [...sizes, ...Array.from({ length: more }, () => 1)].map((size, at) => ({
					op: 'upsert',
					key: keyOf(uint64(at)),
					columns: [column('a', text('x'.repeat(size)))],
				}))
				const statements = changeStatements('/local/t', table, changes)
				expect(statements.reduce((sum, { rows }) => sum + rows, 0)).toBe(changes.length)
				for (const { rows, rowFrames } of statements) {
					expect(rows).toBeLessThanOrEqual(1000)
					if (rows > 1) expect(rowFrames.length).toBeLessThanOrEqual(4 << 20)
					expect(fromBinary(ValueSchema, rowFrames).items).toHaveLength(rows)
				}
			},
		),
		{ numRuns: 20 },
	)
})
