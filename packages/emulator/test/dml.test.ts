import { afterAll, beforeAll, expect, test } from 'vitest'
import { create } from '@bufbuild/protobuf'
import { TableServiceDefinition } from '@ydbjs/api/table'
import { TypedValueSchema, Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client } from './clients.ts'

let emulator: Emulator
let client: Client

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
	await client.rows('CREATE TABLE r (id Uint64 NOT NULL, a Utf8, b Int32, PRIMARY KEY (id))')
})

afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
})

test('RETURNING gives the rows as they are after the write, or were before the deletion', async () => {
	expect(await client.rows('INSERT INTO r (id, a) VALUES (1, "x"), (2, "y") RETURNING id, a, b')).toEqual([
		[1, 'x', null],
		[2, 'y', null],
	])
	expect(await client.rows('UPSERT INTO r (id, b) VALUES (1, 5) RETURNING *')).toEqual([['x', 5, 1]])
	expect(await client.rows('UPDATE r SET b = (b ?? 0) + 1 WHERE id < 9 RETURNING b, id')).toEqual([
		[6, 1],
		[1, 2],
	])
	expect(await client.rows('REPLACE INTO r (id, b) VALUES (1, 7) RETURNING *')).toEqual([[null, 7, 1]])
	expect(await client.rows('UPDATE r ON SELECT 2ul AS id, "z"u AS a RETURNING a')).toEqual([['z']])
	expect(await client.rows('DELETE FROM r ON SELECT 2ul AS id RETURNING *')).toEqual([['z', 1, 2]])
	expect(await client.rows('DELETE FROM r WHERE id = 77 RETURNING id')).toEqual([])
	expect(await client.rows('DELETE FROM r WHERE id = 1 RETURNING id')).toEqual([[1]])
	expect((await client.query('DELETE FROM r WHERE id = 1 RETURNING none')).message).toContain('none')
})

test('every way to give rows: VALUES, SELECT, AS_TABLE, with and without names', async () => {
	for (const source of [
		'(id, a) VALUES (1, "x"u)',
		'SELECT 1ul AS id, "x"u AS a',
		'(a, id) SELECT "x"u, 1ul',
		'(SELECT 1ul AS id, "x"u AS a)',
		'SELECT * FROM AS_TABLE([<|id: 1ul, a: "x"u|>])',
		'SELECT id, a FROM AS_TABLE(AsList(AsStruct(1ul AS id, "x"u AS a)))',
		'SELECT id + 0ul AS id, MAX(a) AS a FROM AS_TABLE([<|id: 1ul, a: "x"u|>, <|id: 1ul, a: "w"u|>]) GROUP BY id',
	]) {
		for (const verb of ['UPSERT', 'REPLACE', 'INSERT']) {
			await client.rows('DELETE FROM r')
			const { message } = await client.query(`${verb} INTO r ${source}`)
			expect(message, source).toBe('')
			expect(await client.rows('SELECT id, a FROM r'), source).toEqual([[1, 'x']])
		}
	}
})

test('columns with a default: it fills new rows, and an UPSERT leaves those that exist', async () => {
	const tables = client.driver.createClient(TableServiceDefinition)
	const type = (value: Id): object => ({ type: { case: 'typeId', value } })
	const literal = create(TypedValueSchema, {
		type: { type: { case: 'typeId', value: Id.INT32 } },
		value: { value: { case: 'int32Value', value: 42 } },
	})
	const { operation } = await tables.createTable({
		path: '/local/d',
		columns: [
			{ name: 'id', type: type(Id.UINT64), notNull: true },
			{ name: 'a', type: { type: { case: 'optionalType', value: { item: type(Id.UTF8) } } } },
			{ name: 'n', type: type(Id.INT32), notNull: true, defaultValue: { case: 'fromLiteral', value: literal } },
		],
		primaryKey: ['id'],
	})
	expect(operation?.status).toBe(400000)
	await client.rows('UPSERT INTO d (id, a) VALUES (1, "x"); UPSERT INTO d (id, n) VALUES (2, 7)')
	await client.rows('UPSERT INTO d (id, a) VALUES (2, "y"), (3, "z")')
	await client.rows('INSERT INTO d (id) VALUES (4)')
	expect(await client.rows('SELECT id, a, n FROM d ORDER BY id')).toEqual([
		[1, 'x', 42],
		[2, 'y', 7],
		[3, 'z', 42],
		[4, null, 42],
	])
	await client.rows('REPLACE INTO d (id, a) VALUES (2, "r")')
	expect(await client.rows('SELECT n FROM d WHERE id = 2')).toEqual([[42]])
})
