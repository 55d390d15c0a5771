import { fromBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { DescribeTableResultSchema, TableServiceDefinition } from '@ydbjs/api/table'
import { Type_PrimitiveTypeId as Id, ValueSchema } from '@ydbjs/api/value'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Emulator, LIMITS, startEmulator } from '@ydbackup/emulator'
import { Client } from './clients.ts'

interface Opened extends AsyncDisposable {
	readonly emulator: Emulator
	readonly client: Client
}

async function opened(options: Parameters<typeof startEmulator>[0] = {}): Promise<Opened> {
	const emulator = await startEmulator(options)
	const client = await Client.open(emulator)
	return {
		emulator,
		client,
		async [Symbol.asyncDispose]() {
			await client[Symbol.asyncDispose]()
			await emulator.close()
		},
	}
}

/** A table of four partitions with that many rows. */
async function filled(client: Client, rows = 400, more = ''): Promise<void> {
	await client.rows(
		`CREATE TABLE t (id Uint64 NOT NULL, v Utf8, PRIMARY KEY (id)) WITH (PARTITION_AT_KEYS = (100, 200, 300)${more})`,
	)
	const values = Array.from({ length: rows }, (_, id) => `(${id}, "value ${id}")`)
	for (let at = 0; at < rows; at += 200)
		await client.rows(`UPSERT INTO t (id, v) VALUES ${values.slice(at, at + 200).join(',')}`)
}

async function read(client: Client, ordered = true): Promise<{ ids: number[]; messages: number[] }> {
	const table = client.driver.createClient(TableServiceDefinition)
	const ids: number[] = []
	const messages: number[] = []
	for await (const { result } of table.streamReadTable({ path: '/local/t', ordered, batchLimitBytes: 2000n })) {
		const rows = result?.resultSet?.rows ?? []
		messages.push(rows.length)
		for (const { items } of rows) ids.push(Number(items[0]!.value.value))
	}
	return { ids, messages }
}

async function bounds(client: Client): Promise<{ partitions: number; first: number[] }> {
	const { operation } = await client.driver
		.createClient(TableServiceDefinition)
		.describeTable({ path: '/local/t', includeShardKeyBounds: true, includeTableStats: true })
	const { tableStats, shardKeyBounds } = anyUnpack(operation!.result!, DescribeTableResultSchema)!
	return {
		partitions: Number(tableStats!.partitions),
		first: shardKeyBounds.map(({ value }) => Number(value!.items[0]!.value.value)),
	}
}

const all = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

test('a read breaks in the partition that was named, and elsewhere does not', async () => {
	await using at = await opened()
	await filled(at.client)
	Object.assign(at.emulator.faults, { breakReadInPartition: 2, breakReadAfterRows: 30, breakReadTimes: 1 })
	await expect(read(at.client)).rejects.toThrow(/UNAVAILABLE.*the stream broke/)
	expect((await read(at.client)).ids).toEqual(all(400))
	// Which partition breaks says nothing of where a read that lies ends.
	at.emulator.faults.endReadEarlyAfterRows = 50
	expect((await read(at.client)).ids.length).toBeLessThanOrEqual(50)
})

test('unordered reads take from all partitions in turn, as finely as is asked for', async () => {
	await using at = await opened()
	await filled(at.client)
	at.emulator.faults.interleaveRows = 3
	const { ids } = await read(at.client, false)
	expect(ids.slice(0, 12)).toEqual([300, 301, 302, 200, 201, 202, 100, 101, 102, 0, 1, 2])
	expect(ids.toSorted((a, b) => a - b)).toEqual(all(400))
	expect((await read(at.client)).ids).toEqual(all(400))
})

test('partitions split and merge while they are read, and no row is lost', async () => {
	await using at = await opened()
	await filled(at.client)
	const before = await bounds(at.client)
	expect(before).toEqual({ partitions: 4, first: [100, 200, 300] })
	at.emulator.faults.splitEveryRows = 45
	expect((await read(at.client)).ids).toEqual(all(400))
	at.emulator.faults.splitEveryRows = undefined
	expect(at.emulator.control.split('/local/t', 3)).toBe(true)
	expect(at.emulator.control.partitions('/local/t')).toBe((await bounds(at.client)).partitions)
	expect((await bounds(at.client)).first).toContain(350)
	while (at.emulator.control.merge('/local/t')) expect((await read(at.client, false)).ids).toHaveLength(400)
	expect(await bounds(at.client)).toEqual({ partitions: 1, first: [] })
})

test('tables partitioned by size split as they grow and merge as they shrink', async () => {
	await using at = await opened()
	await filled(at.client, 0, ', AUTO_PARTITIONING_BY_SIZE = ENABLED, AUTO_PARTITIONING_PARTITION_SIZE_MB = 1')
	const text = 'x'.repeat(10_000)
	const values = all(400).map((id) => `(${id}, "${text}")`)
	for (let from = 0; from < 400; from += 20)
		await at.client.rows(`UPSERT INTO t (id, v) VALUES ${values.slice(from, from + 20).join(',')}`)
	const grown = await bounds(at.client)
	expect(grown.partitions).toBeGreaterThan(3)
	expect(grown.first).toEqual(grown.first.toSorted((a, b) => a - b))
	expect((await read(at.client)).ids).toEqual(all(400))
	for (let from = 0; from < 400; from += 20)
		await at.client.rows(
			`UPSERT INTO t (id, v) VALUES ${all(20)
				.map((id) => `(${from + id}, "${'y'.repeat(1000)}")`)
				.join(',')}`,
		)
	for (let from = 0; from < 400; from += 20)
		await at.client.rows(
			`UPSERT INTO t (id, v) VALUES ${all(20)
				.map((id) => `(${from + id}, "${'z'.repeat(1000)}")`)
				.join(',')}`,
		)
	expect((await bounds(at.client)).partitions).toBeLessThan(grown.partitions)
	expect((await read(at.client)).ids).toEqual(all(400))
})

test('responses cut anywhere are the same responses', async () => {
	await using at = await opened()
	await filled(at.client)
	at.emulator.faults.wireChunkBytes = 7
	expect((await read(at.client)).ids).toEqual(all(400))
	expect(await at.client.rows('SELECT COUNT(*) FROM t')).toEqual([[400]])
})

test('every so many calls fail, and only those', async () => {
	await using at = await opened()
	const { faults } = at.emulator
	const statuses = async (count: number): Promise<number[]> => {
		const out: number[] = []
		for (let call = 0; call < count; call++) out.push((await at.client.query('SELECT 1')).status)
		return out
	}
	faults.overloadedEvery = 3
	expect((await statuses(6)).filter((status) => status === 400_060)).toHaveLength(2)
	Object.assign(faults, { overloadedEvery: undefined, unavailableEvery: 2 })
	expect((await statuses(6)).filter((status) => status === 400_050)).toHaveLength(3)
	Object.assign(faults, { unavailableEvery: undefined, loseAnswerEvery: 1 })
	await expect(at.client.rows('CREATE TABLE lost (id Uint64, PRIMARY KEY (id))')).rejects.toThrow(/the answer was lost/)
	faults.loseAnswerEvery = undefined
	expect(await at.client.rows('SELECT COUNT(*) FROM lost')).toEqual([[0]])
	faults.closeSessionsEvery = 1
	expect((await at.client.query('SELECT 1')).status).toBe(400_100)
})

test('the clock of the server jumps', async () => {
	await using at = await opened()
	at.emulator.faults.clockOffsetMs = 86_400_000
	const [[text]] = (await at.client.rows('SELECT CAST(CurrentUtcTimestamp() AS Utf8)')) as [[string]]
	expect(Date.parse(text) - Date.now()).toBeGreaterThan(86_000_000)
})

test('the control endpoint sets faults, makes things happen, and refuses what it does not know', async () => {
	await using at = await opened({ controlPort: 0 })
	await filled(at.client)
	const url = at.emulator.controlUrl!
	const ask = async (method: string, path: string, body?: object): Promise<[number, Record<string, never>]> => {
		const response = await fetch(`${url}${path}`, { method, ...(body && { body: JSON.stringify(body) }) })
		return [response.status, (await response.json()) as Record<string, never>]
	}
	expect(await ask('PATCH', '/faults', { readChunkRows: 9, emptyMessages: false })).toMatchObject([
		200,
		{ faults: { readChunkRows: 9 } },
	])
	expect(Math.max(...(await read(at.client)).messages)).toBe(9)
	expect(await ask('PATCH', '/faults', { readChunkRows: null })).toMatchObject([200, {}])
	expect(at.emulator.faults.readChunkRows).toBeUndefined()
	expect(await ask('POST', '/split', { path: '/local/t', partition: 1 })).toEqual([200, { done: true }])
	expect((await bounds(at.client)).first).toEqual([100, 150, 200, 300])
	expect(await ask('PATCH', '/faults', { nonsense: 1 })).toMatchObject([
		400,
		{ error: expect.stringMatching(/unknown fault nonsense/) },
	])
	expect(await ask('PATCH', '/faults', { readChunkRows: 'many' })).toMatchObject([400, {}])
	expect(await ask('POST', '/split', { path: '/local/none' })).toMatchObject([
		400,
		{ error: expect.stringMatching(/Path not found/) },
	])
	expect(await ask('POST', '/nothing')).toMatchObject([404, {}])
	expect(await ask('POST', '/close-sessions')).toEqual([200, { done: true }])
	expect((await at.client.query('SELECT 1')).status).toBe(400_100)
})

test('limits: depth, names, paths, columns, keys', async () => {
	await using at = await opened({ limits: { paths: 8 } })
	const { client } = at
	const refused = async (text: string): Promise<string> => (await client.query(text)).message
	const create = (path: string, columns = 'id Uint64', key = 'id'): string =>
		`CREATE TABLE \`${path}\` (${columns}, PRIMARY KEY (${key}))`
	expect(await refused(create(`${'d/'.repeat(31)}t`))).toMatch(/paths depth limit exceeded, limit: 32/)
	expect(await refused(create('n'.repeat(256)))).toMatch(/longer than 255/)
	const many = all(201).map((at) => `c${at} Int32`)
	expect(await refused(create('t', many.join(', '), 'c0'))).toMatch(/Too many columns: 201/)
	expect(
		await refused(
			create(
				't',
				many.slice(0, 30).join(', '),
				all(21)
					.map((at) => `c${at}`)
					.join(', '),
			),
		),
	).toMatch(/Too many key columns: 21/)
	expect(await refused(create('k', 'id Uint8'))).toBe('')
	expect(await refused('UPSERT INTO k (id) VALUES (127ut), (128ut)')).toMatch(/Uint8 column values >127/)
	const before = (await refused(create('a/b/c/d/e/f/g/h/i/t'))).match(/paths count limit exceeded, limit: 8/)
	expect(before).not.toBeNull()
})

test('limits of keys and cells', async () => {
	await using at = await opened()
	await at.client.rows('CREATE TABLE t (id String, v String, PRIMARY KEY (id))')
	const type = { type: { case: 'typeId' as const, value: Id.STRING } }
	const members = [
		{ name: 'id', type },
		{ name: 'v', type },
	]
	const write = async (key: number, cell: number): Promise<[number, string]> => {
		const items = [key, cell].map((size) => ({ value: { case: 'bytesValue' as const, value: Buffer.alloc(size) } }))
		const { operation } = await at.client.driver.createClient(TableServiceDefinition).bulkUpsert({
			table: '/local/t',
			rows: {
				type: { type: { case: 'listType', value: { item: { type: { case: 'structType', value: { members } } } } } },
				value: { items: [{ items }] },
			},
		})
		return [operation!.status, operation!.issues[0]?.message ?? '']
	}
	expect(await write(1_049_600, 1)).toEqual([400_000, ''])
	expect(await write(1_049_601, 1)).toEqual([
		400_010,
		'Row key size of 1049601 bytes is larger than the allowed threshold 1049600',
	])
	expect(await write(1, 16 << 20)).toEqual([400_000, ''])
	expect(await write(1, (16 << 20) + 1)).toEqual([
		400_010,
		'Row cell size of 16777217 bytes is larger than the allowed threshold 16777216',
	])
	expect(fromBinary(ValueSchema, Buffer.alloc(0)).items).toEqual([])
})

test('every limit says where it is known from', () => {
	for (const [name, { source }] of Object.entries(LIMITS)) expect(source, name).toMatch(/^(verified: \S+|guess$)/)
})

function emulator(...words: string[]): ReturnType<typeof spawn> {
	const binary = join(import.meta.dirname, '../bin/ydb-emulator.js')
	return spawn(process.execPath, ['--conditions=@ydbackup/source', binary, '--port', '0', ...words], {
		stdio: ['ignore', 'pipe', 'pipe'],
	})
}

test('the command takes faults, nodes and the port of the control endpoint', async () => {
	const child = emulator('--nodes', '2', '--control', '0', '--fault', 'clockOffsetMs=-5', '--fault', 'unknownTypeOf=id')
	let text = ''
	for await (const chunk of child.stdout!) if (/control endpoint: http\S+\n/.test((text += String(chunk)))) break
	const state: unknown = await (await fetch(/http\S+/.exec(text)![0])).json()
	expect(state).toMatchObject({ nodes: [{ id: 1 }, { id: 2 }], faults: { clockOffsetMs: -5, unknownTypeOf: 'id' } })
	child.kill('SIGTERM')
	expect(await once(child, 'exit')).toEqual([0, null])
})

test.each([
	['nonsense=1', /unknown fault nonsense/],
	['readChunkRows=-1', /readChunkRows takes a whole number/],
	['emptyMessages=1', /emptyMessages takes true or false/],
])('the command refuses the fault %s', async (word, message) => {
	const child = emulator('--fault', word)
	let text = ''
	child.stderr!.on('data', (chunk) => (text += String(chunk)))
	expect(await once(child, 'close')).toEqual([2, null])
	expect(text).toMatch(message)
})
