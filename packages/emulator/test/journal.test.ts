import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AuthServiceDefinition } from '@ydbjs/api/auth'
import { TableServiceDefinition } from '@ydbjs/api/table'
import { Driver } from '@ydbjs/core'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client } from './clients.ts'

const BINARY = join(import.meta.dirname, '../bin/ydb-emulator.js')
let directory = ''
beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydb-emulator-test-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** The real program; the client sees what a connection to it needs. */
async function start(...more: readonly string[]): Promise<{ child: ChildProcess; emulator: Emulator }> {
	const args = ['--conditions=@ydbackup/source', BINARY, '--port', '0', '--data', directory, ...more]
	const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
	for await (const line of createInterface({ input: child.stdout! })) {
		const connectionString = /grpc:\S+/.exec(line)?.[0]
		if (!connectionString) throw new Error(line)
		return { child, emulator: { connectionString, database: '/local' } as Emulator }
	}
	throw new Error('the emulator did not start')
}

test('what was acknowledged survives kill -9, with the values that it had', async () => {
	const { child, emulator } = await start()
	const client = await Client.open(emulator)
	await client.rows('CREATE TABLE `d/t` (id Uint64, at Timestamp, v Utf8, PRIMARY KEY (id))')
	await client.rows(
		'UPSERT INTO `d/t` (id, at, v) VALUES (1, CurrentUtcTimestamp(), "one"), (2, NULL, "two"), (3, NULL, "x")',
	)
	const { txId } = await client.query('UPSERT INTO `d/t` (id, v) VALUES (4, "four")', {}, { begin: true })
	await client.service.commitTransaction({ sessionId: client.sessionId, txId })
	await client.query('UPSERT INTO `d/t` (id, v) VALUES (5, "never committed")', {}, { begin: true })
	await client.rows('ALTER TABLE `d/t` ADD COLUMN w Int32')
	const before = await client.rows('SELECT id, at, v FROM `d/t` WHERE id != 3 ORDER BY id')
	await client.rows('DELETE FROM `d/t` WHERE id = 3')
	child.kill('SIGKILL')
	await once(child, 'exit')
	await client[Symbol.asyncDispose]()
	const again = await start()
	const other = await Client.open(again.emulator)
	expect(await other.rows('SELECT id, at, v FROM `d/t` ORDER BY id')).toEqual(before)
	expect(before.map(([id]) => id)).toEqual([1, 2, 4])
	await other[Symbol.asyncDispose]()
	again.child.kill('SIGTERM')
	await once(again.child, 'exit')
})

test('a torn last record is cut off, and writing goes on', async () => {
	const count = async (work?: (client: Client) => Promise<unknown>): Promise<unknown> => {
		await using emulator = await startEmulator({ dataDir: directory })
		await using client = await Client.open(emulator)
		await work?.(client)
		return (await client.rows('SELECT COUNT(*) FROM t'))[0]![0]
	}
	await count(async (client) => {
		await client.rows('CREATE TABLE t (id Uint64, PRIMARY KEY (id))')
		await client.rows('UPSERT INTO t (id) VALUES (1), (2)')
	})
	const journal = join(directory, 'journal')
	const { size } = await stat(journal)
	await appendFile(journal, Buffer.from('50000000ff0000001234', 'hex'))
	expect(await count()).toBe(2)
	expect((await stat(journal)).size).toBe(size)
	await appendFile(journal, Buffer.from('0200000002000000123400007b7d5555', 'hex'))
	expect(await count((client) => client.rows('UPSERT INTO t (id) VALUES (3)'))).toBe(3)
	expect(await count()).toBe(3)
})

test('faults do not reach what is kept', async () => {
	{
		await using emulator = await startEmulator({ dataDir: directory })
		await using client = await Client.open(emulator)
		await client.rows('CREATE TABLE t (id Uint64, PRIMARY KEY (id))')
		const table = client.driver.createClient(TableServiceDefinition)
		const uint64 = { type: { case: 'typeId' as const, value: 4 } }
		const upsert = (id: bigint): Promise<unknown> =>
			table.bulkUpsert({
				table: '/local/t',
				rows: {
					type: {
						type: {
							case: 'listType',
							value: { item: { type: { case: 'structType', value: { members: [{ name: 'id', type: uint64 }] } } } },
						},
					},
					value: { items: [{ items: [{ value: { case: 'uint64Value', value: id } }] }] },
				},
			})
		await upsert(1n)
		emulator.faults.dropBulkUpsertSilently = true
		await upsert(2n)
	}
	await using emulator = await startEmulator({ dataDir: directory, faults: { overloadBulkUpsertTimes: 5 } })
	await using client = await Client.open(emulator)
	expect(await client.rows('SELECT id FROM t')).toEqual([[1]])
})

test('--auth without users: root logs in without a password, others do not', async () => {
	const { child, emulator } = await start('--auth')
	const driver = new Driver(emulator.connectionString, { 'ydb.sdk.enable_discovery': false })
	const auth = driver.createClient(AuthServiceDefinition)
	expect((await auth.login({ user: 'root', password: '' })).operation?.status).toBe(400000)
	expect((await auth.login({ user: 'other', password: '' })).operation?.status).toBe(400020)
	driver.close()
	child.kill('SIGTERM')
	await once(child, 'exit')
})

test('--version', async () => {
	const child = spawn(process.execPath, ['--conditions=@ydbackup/source', BINARY, '--version'])
	const [text] = (await once(child.stdout, 'data')) as [Buffer]
	expect(text.toString()).toMatch(/^ydb-emulator \d+\.\d+\.\d+/)
})
