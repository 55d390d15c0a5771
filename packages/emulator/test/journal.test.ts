import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
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

/** Starts an emulator on the directory, does something, counts the rows of `t`. */
async function count(work?: (client: Client) => Promise<unknown>, notices: string[] = []): Promise<unknown> {
	await using emulator = await startEmulator({ dataDir: directory, onNotice: (text) => notices.push(text) })
	await using client = await Client.open(emulator)
	await work?.(client)
	return (await client.rows('SELECT COUNT(*) FROM t'))[0]![0]
}

const twoRows = async (client: Client): Promise<void> => {
	await client.rows('CREATE TABLE t (id Uint64, PRIMARY KEY (id))')
	await client.rows('UPSERT INTO t (id) VALUES (1), (2)')
}

test('a torn last record is cut off, which is said, and writing goes on', async () => {
	const notices: string[] = []
	await count(twoRows)
	const journal = join(directory, 'journal-1')
	const { size } = await stat(journal)
	const whole = await readFile(journal)
	await appendFile(journal, Buffer.from('50000000ff0000001234', 'hex'))
	expect(await count(undefined, notices)).toBe(2)
	expect(notices).toEqual([expect.stringMatching(/journal-1: 10 bytes of a write that was not finished.*cut off/)])
	expect((await stat(journal)).size).toBe(size)
	await truncate(journal, size - 3)
	expect(await count((client) => client.rows('UPSERT INTO t (id) VALUES (2), (3)'))).toBe(2)
	expect(await count()).toBe(2)
	await writeFile(journal, Buffer.concat([whole, Buffer.alloc(5000)]))
	expect(await count(undefined, notices)).toBe(2)
	expect(notices).toHaveLength(2)
})

test('a journal that is damaged before its end is refused, and left as it is', async () => {
	await count(twoRows)
	const journal = join(directory, 'journal-1')
	const whole = await readFile(journal)
	for (const at of [3, 17, 40, 60]) {
		const broken = Buffer.from(whole)
		broken[at]! ^= 0x40
		await writeFile(journal, broken)
		await expect(count()).rejects.toThrow(/journal-1 is damaged: .*Nothing was changed/)
		expect((await readFile(journal)).equals(broken)).toBe(true)
	}
})

test('a directory of a newer version is refused, one of the first version is converted', async () => {
	await count(twoRows)
	await writeFile(join(directory, 'format'), 'ydb-emulator data 3\n')
	await expect(count()).rejects.toThrow(/was written by a newer ydb-emulator \(format 3\); this one reads up to 2/)
	const older = Buffer.from(await readFile(join(directory, 'journal-1')))
	await rm(directory, { recursive: true })
	await mkdir(directory)
	await writeFile(join(directory, 'journal'), asVersion1(older))
	const notices: string[] = []
	expect(await count(undefined, notices)).toBe(2)
	expect(notices).toEqual([expect.stringMatching(/older ydb-emulator and is converted to format 2/)])
	expect((await readdir(directory)).toSorted()).toEqual(['format', 'journal-1', 'snapshot-1'])
	expect(await count((client) => client.rows('UPSERT INTO t (id) VALUES (3)'))).toBe(3)
	expect(await count()).toBe(3)
})

/** The same records as the first version framed them. */
function asVersion1(journal: Buffer): Buffer {
	const parts: Buffer[] = [Buffer.from('ydb-emulator 1\n')]
	for (let at = parts[0]!.length; at < journal.length;) {
		const size = journal.readUInt32LE(at) + journal.readUInt32LE(at + 4)
		parts.push(journal.subarray(at, at + 12), journal.subarray(at + 16, at + 16 + size))
		at += 16 + size
	}
	return Buffer.concat(parts)
}

test('two emulators on one directory are refused, in one process and in two; a lock of a dead process is taken over', async () => {
	const { child } = await start()
	await expect(startEmulator({ dataDir: directory })).rejects.toThrow(/is in use by process \d+/)
	child.kill('SIGKILL')
	await once(child, 'exit')
	await using taken = await startEmulator({ dataDir: directory })
	expect(taken.port).toBeGreaterThan(0)
	await expect(startEmulator({ dataDir: directory })).rejects.toThrow(/is in use by this process/)
})

test('a snapshot that lost its end is refused', async () => {
	const options = { dataDir: directory, compactAfterBytes: 2000 }
	{
		await using emulator = await startEmulator(options)
		await using client = await Client.open(emulator)
		await twoRows(client)
		for (let at = 0; at < 100; at++) await client.rows(`UPSERT INTO t (id) VALUES (${at})`)
		await expect.poll(() => readdir(directory)).toContainEqual(expect.stringMatching(/^snapshot-\d+$/))
	}
	expect(await count()).toBe(100)
	const name = (await readdir(directory)).find((each) => /^snapshot-\d+$/.test(each))!
	await truncate(join(directory, name), (await stat(join(directory, name))).size - 20)
	await expect(startEmulator(options)).rejects.toThrow(/snapshot-\d+ is damaged: its end is missing/)
})

test('every stage at which a snapshot can be interrupted is opened, and cleared up', async () => {
	const names = async (): Promise<string[]> => (await readdir(directory)).filter((name) => name !== 'lock').toSorted()
	const file = (name: string): string => join(directory, name)
	await count(twoRows)
	const first = await readFile(file('journal-1'))
	const magic = first.subarray(0, first.indexOf('\n') + 1)
	// The journal was switched, and a part of the snapshot is written.
	await writeFile(file('journal-2'), magic)
	await writeFile(file('snapshot-2.part'), first.subarray(0, 50))
	expect(await count((client) => client.rows('UPSERT INTO t (id) VALUES (3)'))).toBe(3)
	expect(await names()).toEqual(['format', 'journal-1', 'journal-2'])
	// The new journal was begun, and not even its first line is there.
	await writeFile(file('journal-3'), magic.subarray(0, 5))
	expect(await count()).toBe(3)
	// The snapshot is whole, and what it replaces is still there.
	const second = await readFile(file('journal-2'))
	{
		await using emulator = await startEmulator({ dataDir: directory, compactAfterBytes: 1 })
		await using client = await Client.open(emulator)
		await client.rows('DELETE FROM t WHERE id = 3')
		await expect.poll(names).toEqual(['format', 'journal-4', 'snapshot-4'])
	}
	await writeFile(file('journal-1'), first)
	await writeFile(file('journal-2'), second)
	expect(await count()).toBe(2)
	expect(await names()).toEqual(['format', 'journal-4', 'snapshot-4'])
	await rm(file('journal-4'))
	await expect(count()).rejects.toThrow(/is damaged: the file journal-4 is missing/)
})

const DELAYS_MS = [15, 40, 70, 110, 160, 230, 320]

test('what was acknowledged survives kill -9 at any moment, also while a snapshot is written', async () => {
	const options = JSON.stringify({ dataDir: directory, compactAfterBytes: 20_000 })
	const filler = 'x'.repeat(3000)
	/** The number of the last acknowledged write of each row. */
	const acknowledged = new Map<number, number>()
	let sent = 0
	let highest = 0
	for (const [round, delay] of [...DELAYS_MS, 0].entries()) {
		const script = join(import.meta.dirname, 'child.ts')
		const child = spawn(process.execPath, ['--conditions=@ydbackup/source', script, options], {
			stdio: ['ignore', 'pipe', 'inherit'],
		})
		const exited = once(child, 'exit')
		const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
		await using client = await Client.open({ connectionString: line, database: '/local' } as Emulator)
		if (round === 0) await client.rows('CREATE TABLE t (id Uint64, v Utf8, PRIMARY KEY (id))')
		const present = new Map(
			(await client.rows('SELECT id, v FROM t')).map(([id, v]) => [Number(id), Number.parseInt(String(v), 10)]),
		)
		// A write that was under way may be there too.
		expect([...acknowledged].filter(([id, number]) => !(present.get(id)! >= number))).toEqual([])
		for (const name of await readdir(directory))
			highest = Math.max(highest, Number(/^snapshot-(\d+)$/.exec(name)?.[1] ?? 0))
		setTimeout(() => child.kill('SIGKILL'), delay)
		try {
			// Rows are written over again and again, so that snapshots stay small and many.
			for (;;) {
				if (delay === 0) break
				const number = sent++
				const id = number % 50
				await Promise.race([
					client.rows(`UPSERT INTO t (id, v) VALUES (${id}, "${number}${filler}")`),
					exited.then(() => Promise.reject(new Error('killed'))),
				])
				acknowledged.set(id, number)
			}
		} catch {
			// The process is gone, as it should be.
		}
		await exited
	}
	expect(highest).toBeGreaterThan(3)
}, 60_000)

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
