import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuthServiceDefinition } from '@ydbjs/api/auth'
import { DescribeTableResultSchema, TableIndexSchema, TableServiceDefinition } from '@ydbjs/api/table'
import { type Type, Type_PrimitiveTypeId as Id, TypeSchema, ValueSchema } from '@ydbjs/api/value'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Driver } from '@ydbjs/core'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client, sdk, withSdk } from './clients.ts'

type ValueInit = MessageInitShape<typeof ValueSchema>
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

const primitive = (value: Id): Type => create(TypeSchema, { type: { case: 'typeId', value } })
const decimal = create(TypeSchema, { type: { case: 'decimalType', value: { precision: 5, scale: 2 } } })

async function bulk(
	path: string,
	members: Record<string, Type>,
	rows: readonly (readonly ValueInit[])[],
): Promise<{ status: number; message: string }> {
	const table = client.driver.createClient(TableServiceDefinition)
	const struct = { members: Object.entries(members).map(([name, type]) => ({ name, type })) }
	const { operation } = await table.bulkUpsert({
		table: path,
		rows: {
			type: { type: { case: 'listType', value: { item: { type: { case: 'structType', value: struct } } } } },
			value: { items: rows.map((items) => ({ items: items.map((item) => create(ValueSchema, item)) })) },
		},
	})
	return { status: operation!.status, message: operation!.issues[0]?.message ?? '' }
}

const id: ValueInit = { value: { case: 'uint64Value', value: 1n } }
const int32 = (value: number): ValueInit => ({ value: { case: 'int32Value', value } })
const uint32 = (value: number): ValueInit => ({ value: { case: 'uint32Value', value } })
const int64 = (value: bigint): ValueInit => ({ value: { case: 'int64Value', value } })
const uint64 = (value: bigint): ValueInit => ({ value: { case: 'uint64Value', value } })
const text = (value: string): ValueInit => ({ value: { case: 'textValue', value } })

test.each<[string, Type, ValueInit, ValueInit]>([
	['Int8', primitive(Id.INT8), int32(127), int32(128)],
	['Uint8', primitive(Id.UINT8), uint32(255), uint32(256)],
	['Int16', primitive(Id.INT16), int32(-32_768), int32(-32_769)],
	['Uint16', primitive(Id.UINT16), uint32(65_535), uint32(65_536)],
	['Date', primitive(Id.DATE), uint32(49_672), uint32(49_673)],
	['Datetime', primitive(Id.DATETIME), uint32(4_291_747_199), uint32(4_291_747_200)],
	['Timestamp', primitive(Id.TIMESTAMP), uint64(4_291_747_199_999_999n), uint64(4_291_747_200_000_000n)],
	['Interval', primitive(Id.INTERVAL), int64(-1n), int64(4_291_747_200_000_000n)],
	['Json', primitive(Id.JSON), text('{"a":[1]}'), text('{a}')],
	['JsonDocument', primitive(Id.JSON_DOCUMENT), text('{}'), text('{')],
	['DyNumber', primitive(Id.DYNUMBER), text('1e5'), text('one')],
	[
		'Decimal(5,2)',
		decimal,
		{ value: { case: 'low128', value: 99_999n }, high128: 0n },
		{ value: { case: 'low128', value: 100_000n }, high128: 0n },
	],
	['Utf8', primitive(Id.UTF8), text('é'), int32(1)],
])('%s: bulk writes are checked', async (name, type, good, bad) => {
	const path = `/local/types/${name.replaceAll(/\W/g, '_')}`
	await client.rows(`CREATE TABLE \`${path}\` (id Uint64 NOT NULL, v ${name}, PRIMARY KEY (id))`)
	const members = { id: primitive(Id.UINT64), v: type }
	expect(await bulk(path, members, [[id, good]])).toEqual({ status: 400000, message: '' })
	expect((await bulk(path, members, [[id, bad]])).status).toBe(400010)
	expect(await client.rows(`SELECT COUNT(*) FROM \`${path}\``)).toEqual([[1]])
})

test('bulk writes: nulls, keys, columns, indexes, broken texts', async () => {
	await client.rows('CREATE TABLE b (id Uint64 NOT NULL, v Utf8, PRIMARY KEY (id))')
	await client.rows('CREATE TABLE bi (id Uint64, v Utf8, PRIMARY KEY (id), INDEX i GLOBAL SYNC ON (v))')
	const [u, t] = [primitive(Id.UINT64), primitive(Id.UTF8)]
	const optional = create(TypeSchema, { type: { case: 'optionalType', value: { item: u } } })
	expect(
		(await bulk('/local/b', { id: optional, v: t }, [[{ value: { case: 'nullFlagValue', value: 0 } }, text('x')]]))
			.status,
	).toBe(400010)
	expect(await bulk('/local/b', { v: t }, [[text('x')]])).toMatchObject({
		status: 400070,
		message: 'Missing key columns: id',
	})
	expect((await bulk('/local/b', { id: u, z: t }, [[id, text('x')]])).status).toBe(400070)
	expect((await bulk('/local/b', { id: t }, [[text('x')]])).status).toBe(400070)
	expect((await bulk('/local/bi', { id: u, v: t }, [[id, text('x')]])).message).toContain('Only async-indexed tables')
	expect((await client.query('UPSERT INTO bi (id, v) VALUES (1, "\\xff")')).status).toBe(400080)
	expect((await client.query('UPSERT INTO bi (id, v) VALUES (1, "ok")')).status).toBe(400000)
})

test('ydb-sdk: scheme, data, transactions, keep alive', () =>
	withSdk(emulator, (driver) =>
		driver.tableClient.withSession(async (session) => {
			await session
				.executeQuery('CREATE TABLE `s/t` (id Uint64, name Utf8, PRIMARY KEY (id));')
				.catch((error: Error) => {
					expect(error.message).toContain('Scheme operations cannot be executed inside transaction')
				})
			const { TableDescription, Column, Types, TypedValues } = sdk
			await session.createTable(
				's/t',
				new TableDescription()
					.withColumns(new Column('id', Types.optional(Types.UINT64)), new Column('name', Types.optional(Types.UTF8)))
					.withPrimaryKey('id'),
			)
			const rows = TypedValues.list(Types.struct({ id: Types.UINT64, name: Types.UTF8 }), [
				{ id: 1, name: 'one' },
				{ id: 2, name: 'two' },
			])
			const write =
				'DECLARE $rows AS List<Struct<id:Uint64,name:Utf8>>; REPLACE INTO `s/t` SELECT * FROM AS_TABLE($rows);'
			await session.executeQuery(write, { $rows: rows })
			await session.executeQuery(await session.prepareQuery(write), { $rows: rows })
			const { resultSets } = await session.executeQuery(
				'SELECT id, name FROM `s/t` ORDER BY id DESC; SELECT COUNT(*) AS n FROM `s/t`',
			)
			expect(resultSets.map((set) => sdk.TypedData.createNativeObjects(set).map((row) => ({ ...row })))).toMatchObject([
				[{ name: 'two' }, { name: 'one' }],
				[{}],
			])
			const { id: txId } = await session.beginTransaction({ serializableReadWrite: {} })
			await session.executeQuery('DELETE FROM `s/t` WHERE id = 1', {}, { txId: txId! })
			await session.rollbackTransaction({ txId: txId! })
			await session.keepAlive()
			expect(
				Number(
					(await session.executeQuery('SELECT COUNT(*) FROM `s/t`')).resultSets[0]!.rows![0]!.items![0]!.uint64Value,
				),
			).toBe(2)
			await expect(session.executeQuery('SELECT nothing FROM `s/t`')).rejects.toThrow('Member not found: nothing')
			await session.delete()
			await expect(session.keepAlive()).rejects.toThrow(/Session not found/)
		}),
	))

test('ydb-sdk: read table by ranges, ordered and not, limited, while rows change', async () => {
	await client.rows('CREATE TABLE r (id Uint64, v Utf8, PRIMARY KEY (id)) WITH (PARTITION_AT_KEYS = (100, 200, 300))')
	const values = Array.from({ length: 400 }, (_, at) => `(${at}, "v${at}")`).join(', ')
	await client.rows(`UPSERT INTO r (id, v) VALUES ${values}`)
	await withSdk(emulator, (driver) =>
		driver.tableClient.withSession(async (session) => {
			const read = async (settings: InstanceType<typeof sdk.ReadTableSettings>): Promise<number[]> => {
				const ids: number[] = []
				await session.streamReadTable(
					'r',
					({ resultSet }) => {
						for (const row of resultSet?.rows ?? []) ids.push(Number(row.items![0]!.uint64Value))
					},
					settings,
				)
				return ids
			}
			const all = Array.from({ length: 400 }, (_, at) => at)
			expect(await read(new sdk.ReadTableSettings().withOrdered(true))).toEqual(all)
			const unordered = await read(new sdk.ReadTableSettings().withOrdered(false))
			expect(unordered).not.toEqual(all)
			expect(unordered.toSorted((a, b) => a - b)).toEqual(all)
			expect((await read(new sdk.ReadTableSettings().withOrdered(true).withRowLimit(7))).length).toBe(7)
			const key = (
				value: number,
			): Parameters<InstanceType<typeof sdk.ReadTableSettings>['withKeyRange']>[0]['greater'] =>
				sdk.TypedValues.tuple(sdk.TypedValues.optional(sdk.TypedValues.uint64(value)))
			const range = { greater: key(150), lessOrEqual: key(250) }
			expect(await read(new sdk.ReadTableSettings().withOrdered(true).withKeyRange(range as never))).toEqual(
				all.slice(151, 251),
			)
		}),
	)
	emulator.faults.delayReadMs = 5
	emulator.faults.readChunkRows = 50
	const table = client.driver.createClient(TableServiceDefinition)
	let rows = 0
	for await (const part of table.streamReadTable({ path: '/local/r', ordered: true })) {
		if (rows === 0) await client.rows('DELETE FROM r WHERE id >= 10')
		rows += part.result?.resultSet?.rows.length ?? 0
	}
	Object.assign(emulator.faults, { delayReadMs: 0, readChunkRows: undefined })
	expect(rows).toBe(400)
	expect(await client.rows('SELECT COUNT(*) FROM r')).toEqual([[10]])
})

test('a copy of tables is one moment, and stays as it was', async () => {
	await client.rows('CREATE TABLE c1 (id Uint64, PRIMARY KEY (id)); CREATE TABLE c2 (id Uint64, PRIMARY KEY (id))')
	await client.rows('UPSERT INTO c1 (id) VALUES (1); UPSERT INTO c2 (id) VALUES (1)')
	const table = client.driver.createClient(TableServiceDefinition)
	const tables = ['c1', 'c2'].map((name) => ({ sourcePath: `/local/${name}`, destinationPath: `/local/copy/${name}` }))
	expect((await table.copyTables({ tables })).operation!.status).toBe(400000)
	await client.rows(
		'UPSERT INTO c1 (id) VALUES (2); DELETE FROM c2 WHERE id = 1; UPSERT INTO `copy/c2` (id) VALUES (8)',
	)
	expect(await client.rows('SELECT id FROM `copy/c1`')).toEqual([[1]])
	expect(await client.rows('SELECT id FROM `copy/c2` ORDER BY id')).toEqual([[1], [8]])
	expect(await client.rows('SELECT COUNT(*) FROM c2')).toEqual([[0]])
})

test('with users, calls need a token and a login the right password', async () => {
	await using guarded = await startEmulator({ auth: { users: { root: '1234' } } })
	const credentials = new sdk.StaticCredentialsAuthService('root', '1234', `127.0.0.1:${guarded.port}`)
	await withSdk(guarded, (driver) => driver.schemeClient.makeDirectory('mine'), credentials)
	const driver = new Driver(guarded.connectionString, { 'ydb.sdk.enable_discovery': false })
	const auth = driver.createClient(AuthServiceDefinition)
	const status = async (user: string, password: string): Promise<number> =>
		(await auth.login({ user, password })).operation!.status
	expect([await status('root', '1234'), await status('root', 'no'), await status('toString', '1234')]).toEqual([
		400000, 400020, 400020,
	])
	const tables = driver.createClient(TableServiceDefinition)
	await expect(tables.createSession({}, { signal: AbortSignal.timeout(5000) })).rejects.toMatchObject({ code: 16 })
	driver.close()
})

test('an index without a type is global when a table is made, and refused when one is altered', async () => {
	const table = client.driver.createClient(TableServiceDefinition)
	const index = { name: 'by_a', indexColumns: ['a'] }
	const made = await table.createTable({
		path: '/local/untyped',
		columns: ['id', 'a'].map((name) => ({
			name,
			type: { type: { case: 'optionalType', value: { item: primitive(Id.UTF8) } } },
		})),
		primaryKey: ['id'],
		indexes: [index],
	})
	expect(made.operation!.status).toBe(400_000)
	const described = await table.describeTable({ path: '/local/untyped' })
	const { indexes } = anyUnpack(described.operation!.result!, DescribeTableResultSchema)!
	expect(indexes.map(({ name, type }) => [name, type.case])).toEqual([['by_a', 'globalIndex']])
	const altered = await table.alterTable({ path: '/local/untyped', addIndexes: [{ ...index, name: 'again' }] })
	expect([altered.operation!.status, altered.operation!.issues[0]!.message]).toEqual([
		400_010,
		'Invalid or unset index type',
	])
})

test('a prepared query tells the types of its parameters', () =>
	withSdk(emulator, (driver) =>
		driver.tableClient.withSession(async (session) => {
			const prepared = await session.prepareQuery('DECLARE $a AS Utf8; DECLARE $b AS List<Uint64>; SELECT $a, $b')
			expect(Object.keys(prepared.parametersTypes)).toEqual(['$a', '$b'])
			expect(prepared.parametersTypes['$a']).toMatchObject({ typeId: Id.UTF8 })
		}),
	))

test('indexes that the client package does not know are kept as they are, told under the numbers of a description, and shut bulk writes out', async () => {
	const table = client.driver.createClient(TableServiceDefinition)
	// Field 7 of TableIndex is `global_vector_kmeans_tree_index`, 9 is `global_fulltext_relevance_index`. Source: ydb_table.proto.
	const kind = (no: number) => ({ no, wireType: 2, data: Uint8Array.of(2, 0x1a, 0) })
	const withKind = (name: string, no: number) => {
		const index = create(TableIndexSchema, { name, indexColumns: ['a'], dataColumns: ['b'] })
		index.$unknown = [kind(no)]
		return index
	}
	const made = await table.createTable({
		path: '/local/newer',
		columns: ['id', 'a', 'b'].map((name) => ({
			name,
			type: { type: { case: 'optionalType', value: { item: primitive(Id.STRING) } } },
		})),
		primaryKey: ['id'],
		indexes: [withKind('vector', 7)],
	})
	expect(made.operation!.status).toBe(400_000)
	const altered = await table.alterTable({ path: '/local/newer', addIndexes: [withKind('text', 9)] })
	expect(altered.operation!.issues).toEqual([])
	const unknown = create(TableIndexSchema, { name: 'other', indexColumns: ['a'] })
	unknown.$unknown = [kind(99)]
	const refused = await table.alterTable({ path: '/local/newer', addIndexes: [unknown] })
	expect(refused.operation!.issues[0]!.message).toBe('Invalid or unset index type')

	const described = await table.describeTable({ path: '/local/newer' })
	const { indexes } = anyUnpack(described.operation!.result!, DescribeTableResultSchema)!
	const told = indexes.map(({ name, type, $unknown }) => {
		return [name, type.case, $unknown!.map(({ no, data }) => [no, [...data]])]
	})
	expect(told).toEqual([
		['vector', undefined, [[9, [2, 0x1a, 0]]]],
		['text', undefined, [[11, [2, 0x1a, 0]]]],
	])
	const inside = await table.describeTable({ path: '/local/newer/vector' })
	expect(inside.operation!.status).toBe(400_180)
	await withSdk(emulator, (driver) =>
		driver.tableClient.withSession(async (session) => {
			await session.executeQuery('UPSERT INTO newer (id, a, b) VALUES ("1", "x", "y")')
			await expect(session.executeQuery('SELECT a FROM newer VIEW vector')).rejects.toThrow('not emulated')
		}),
	)
	const { message } = await bulk('/local/newer', { id: primitive(Id.STRING) }, [])
	expect(message).toBe('Only async-indexed tables are supported by BulkUpsert: index vector')
})
