import { expect, test } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation } from '@ydbjs/api/operation'
import { exportMetadata, importMetadata, World } from './store.ts'

const SUCCESS = 400_000
const CANCELLED = 400_160
const PRECONDITION_FAILED = 400_120
const TABLE = 'CREATE TABLE t (id Uint64, name Utf8, PRIMARY KEY (id)) WITH (PARTITION_AT_KEYS = (10, 20, 30))'
const ROWS = "UPSERT INTO t (id, name) VALUES (1, 'a'), (10, 'b'), (20, 'c'), (30, 'd')"

const messages = ({ issues }: Operation): string => issues.map(({ message }) => message).join('; ')
const directories = async (world: World): Promise<unknown> =>
	(await world.children('/local')).filter((name) => name.startsWith('export-'))

/** Waits for something that is bound to come. */
async function until(is: () => boolean | Promise<boolean>): Promise<void> {
	for (const limit = Date.now() + 10_000; Date.now() < limit; await sleep(2)) if (await is()) return
	throw new Error('it did not come')
}

test('a repeated export with its uid is the same one; a repeated import is refused', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	const settings = { destinationPrefix: 'x' }
	const first = await world.startExport(settings, 'one')
	const again = await world.startExport(settings, 'one')
	const other = await world.startExport(settings, 'two')
	expect(again.id).toBe(first.id)
	expect(other.id).not.toBe(first.id)
	await Promise.all([world.ended(first), world.ended(other)])
	const source = { sourcePrefix: 'x', destinationPath: '/local/back' }
	const begun = await world.startImport(source, 'one')
	const refused = await world.startImport(source, 'one')
	expect([begun.status, refused.status, messages(refused)]).toEqual([
		SUCCESS,
		400_130,
		"Import with uid 'one' already exists",
	])
	await world.ended(begun)
	expect((await world.list('export/s3')).operations.map(({ id }) => id)).toEqual([first.id, other.id])
	const page = await world.list('export', 1n)
	expect([page.operations.length, page.nextPageToken]).toEqual([1, '1'])
	expect((await world.list('export', 1n, '1')).operations[0]!.id).toBe(other.id)
	expect((await world.list('import/s3')).operations.map(({ id }) => id)).toEqual([begun.id])
})

test.for([
	[{}, 'No destination prefix nor items specified'],
	[{ items: [{ sourcePath: 't', destinationPrefix: '' }] }, 'No destination prefix or common destination prefix'],
	[{ destinationPrefix: 'x', bucket: '' }, 'bucket is not set'],
	[{ destinationPrefix: 'x', compression: 'gzip' }, 'Unsupported compression codec: gzip'],
	[{ destinationPrefix: 'x', compression: 'zstd-99' }, 'Invalid compression level'],
	[{ destinationPrefix: 'x', sourcePath: '/local/empty' }, 'Nothing to export'],
	[{ destinationPrefix: 'x', items: [{ sourcePath: 'none', destinationPrefix: '' }] }, 'PathErrorUnknown'],
	[
		{
			destinationPrefix: 'x',
			items: [
				{ sourcePath: 't', destinationPrefix: '' },
				{ sourcePath: '/local/t', destinationPrefix: '' },
			],
		},
		'Duplicate export item source path: "/local/t"',
	],
	[
		{
			items: [{ sourcePath: 't', destinationPrefix: 'x' }],
			encryptionSettings: { encryptionAlgorithm: 'aes-128-gcm' },
		},
		'No destination prefix specified for encrypted export',
	],
	[
		{ destinationPrefix: 'x', encryptionSettings: { encryptionAlgorithm: 'rot13' } },
		'Unknown cipher algorithm: "rot13"',
	],
	[
		{ destinationPrefix: 'x', encryptionSettings: { encryptionAlgorithm: 'AES_256_GCM' } },
		'Invalid key length 0. Expected: 32',
	],
] as const)('the export %j is refused', async ([settings, message]) => {
	await using world = await World.start()
	await world.run(TABLE, 'CREATE TABLE `empty/t` (id Uint64, PRIMARY KEY (id))', 'DROP TABLE `empty/t`')
	const { status, issues, ready, id } = await world.startExport(settings as never)
	expect(status).not.toBe(SUCCESS)
	expect(issues[0]!.message).toContain(message)
	expect([ready, id]).toEqual([true, ''])
})

test.for([
	[{}, "No source prefix specified. Don't know where to import from"],
	[{ encryptionSettings: {} }, 'No encryption key specified'],
	[{ items: [{ Source: { case: 'sourcePath', value: 'a' } }] }, 'Common source prefix must be specified'],
	[{ items: [{ Source: { case: undefined } }] }, 'Empty import item was specified'],
	[{ items: [{ Source: { case: 'sourcePrefix', value: 'a' }, destinationPath: '/local/t' }] }, 'path exist'],
] as const)('the import %j is refused', async ([settings, message]) => {
	await using world = await World.start()
	await world.run(TABLE)
	const { status, issues } = await world.startImport(settings as never)
	expect([status, issues[0]!.message.includes(message)]).toEqual([400_010, true])
})

test('a store that does not answer is asked again and again; one that refuses is not', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	const settings = { destinationPrefix: 'x', numberOfRetries: 4 }
	world.emulator.faults.storeRetryMinuteMs = 60_000
	const patient = await world.startExport({ ...settings, endpoint: '127.0.0.1:1' })
	await sleep(50)
	expect(exportMetadata(await world.get(patient.id)).progress).toBe(1)
	expect(await world.cancel(patient.id)).toBe(SUCCESS)
	const ended = await world.ended(patient)
	expect([ended.status, messages(ended)]).toEqual([CANCELLED, 'Cancelled manually'])
	expect(exportMetadata(ended).progress).toBe(5)

	world.emulator.faults.storeRetryMinuteMs = 1
	const lost = await world.ended(await world.startExport({ ...settings, endpoint: '127.0.0.1:1' }))
	expect([lost.status, messages(lost)]).toEqual([CANCELLED, expect.stringContaining('NetworkError')])
	world.store.fault({ kind: 'error', code: 'SlowDown', operation: 'PutObject', times: 4 })
	await world.export(settings)
	world.store.fault({ kind: 'error', code: 'SlowDown', operation: 'PutObject', times: 100 })
	const busy = await world.ended(await world.startExport({ ...settings, numberOfRetries: 0 }))
	expect([busy.status, world.store.requests.at(-1)!.status]).toEqual([CANCELLED, 503])
	world.store.clearFaults()
	const before = world.store.requests.length
	const wrong = await world.ended(await world.startExport({ ...settings, bucket: 'other' }))
	expect([wrong.status, messages(wrong)]).toEqual([CANCELLED, expect.stringContaining('NoSuchBucket')])
	expect(world.store.requests.length).toBe(before + 1)
	const forbidden = await world.ended(await world.startExport({ ...settings, secretKey: 'wrong' }))
	expect(messages(forbidden)).toContain('SignatureDoesNotMatch')
})

test('one item that fails cancels all; the copies stay until it is forgotten', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS, 'CREATE TABLE u (id Uint64, PRIMARY KEY (id))')
	world.store.fault({ kind: 'error', code: 'AccessDenied', key: 't/data_02' })
	const ended = await world.ended(await world.startExport({ destinationPrefix: 'x' }))
	expect([ended.status, messages(ended)]).toEqual([
		CANCELLED,
		expect.stringMatching(/^shard: \d+, error: Access Denied/),
	])
	expect(await directories(world)).toHaveLength(1)
	expect(await world.forget(ended.id)).toEqual({ status: SUCCESS, message: '' })
	expect(await directories(world)).toEqual([])
	expect((await world.get(ended.id)).status).toBe(400_140)
	expect((await world.forget(ended.id)).status).toBe(400_140)
})

test('what runs is not forgotten, also right after DONE; the copies go by themselves', async () => {
	await using world = await World.start({ faults: { operationDelayMs: 40 } })
	await world.run(TABLE, ROWS)
	const started = await world.startExport({ destinationPrefix: 'x' })
	expect((await world.forget(started.id)).status).toBe(PRECONDITION_FAILED)
	await world.ended(started)
	const early = await world.forget(started.id)
	expect(early).toEqual({ status: PRECONDITION_FAILED, message: 'Export operation is in progress' })
	expect(await directories(world)).toHaveLength(1)
	await until(async () => (await world.forget(started.id)).status === SUCCESS)
	expect(await directories(world)).toEqual([])
	world.emulator.faults.keepExportCopies = true
	const older = await world.export({ destinationPrefix: 'y' })
	expect(await directories(world)).toHaveLength(1)
	await world.forget(older.id)
	expect(await directories(world)).toEqual([])
})

test('an export is cancelled wherever it is', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	for (const parts of [0, 1, 3]) {
		const begun = world.store.requests.filter(({ key }) => key.includes('/data_')).length
		world.emulator.faults.slowPartMs = 30
		const started = await world.startExport({ destinationPrefix: `x${parts}` })
		await until(() => world.store.requests.filter(({ key }) => key.includes('/data_')).length >= begun + parts)
		expect(await world.cancel(started.id)).toBe(SUCCESS)
		expect(await world.cancel(started.id)).toBe(SUCCESS)
		const ended = await world.ended(started)
		expect([ended.status, messages(ended)]).toEqual([CANCELLED, 'Cancelled manually'])
		expect((await world.forget(started.id)).status).toBe(SUCCESS)
	}
	expect(await world.cancel('ydb://export/6?id=1&kind=s3')).toBe(400_140)
})

test('all tables are those of one moment, and progress is told by partitions', async () => {
	await using world = await World.start({ faults: { slowPartMs: 10 } })
	await world.run(TABLE, ROWS, 'CREATE TABLE u (id Uint64, PRIMARY KEY (id))', 'UPSERT INTO u (id) VALUES (1)')
	const started = await world.startExport({ destinationPrefix: 'x' })
	await until(async () => exportMetadata(await world.get(started.id)).progress === 2)
	await world.run('DELETE FROM t', 'UPSERT INTO u (id) VALUES (2)')
	const seen = new Set<number>()
	await until(async () => {
		const { itemsProgress } = exportMetadata(await world.get(started.id))
		seen.add(itemsProgress[0]!.partsCompleted)
		return itemsProgress.every(({ endTime }) => endTime !== undefined)
	})
	expect(seen.size).toBeGreaterThan(1)
	await world.ended(started)
	expect([world.text('x/t/data_03.csv'), world.text('x/u/data_00.csv')]).toEqual(['30,"d"\n', '1\n'])
	const { full_backups: backups } = JSON.parse(world.text('x/t/metadata.json')) as {
		full_backups: { snapshot_vts: number[] }[]
	}
	expect(JSON.parse(world.text('x/u/metadata.json'))).toMatchObject({ full_backups: backups })
	expect(Math.abs(backups[0]!.snapshot_vts[0]! - Date.now())).toBeLessThan(60_000)
})

test('an operation goes on after a restart, and is known after another', async () => {
	const dataDir = await mkdtemp(join(tmpdir(), 'ydb-emulator-'))
	try {
		await using world = await World.start({ dataDir, faults: { slowPartMs: 20 } })
		await world.run(TABLE, ROWS)
		const started = await world.startExport({ destinationPrefix: 'x' })
		await until(() => world.keys('x/t/data_').length > 0)
		await world.closeDatabase()
		await world.open()
		const ended = await world.ended(started)
		expect([ended.status, exportMetadata(ended).itemsProgress[0]!.partsCompleted]).toEqual([SUCCESS, 4])
		const back = await world.startImport({ sourcePrefix: 'x', destinationPath: '/local/back' })
		await until(async () => importMetadata(await world.get(back.id)).progress === 2)
		await world.closeDatabase()
		await world.open()
		expect((await world.ended(back)).status).toBe(SUCCESS)
		await world.closeDatabase()
		await world.open()
		expect(importMetadata(await world.get(back.id)).progress).toBe(4)
		expect(await world.client.rows('SELECT id, name FROM `back/t` ORDER BY id')).toEqual(
			await world.client.rows('SELECT id, name FROM t ORDER BY id'),
		)
		await world.emulator.control.restartNode(1, 1)
	} finally {
		await rm(dataDir, { recursive: true, force: true })
	}
})

test('a node that restarts leaves an export alone', async () => {
	await using world = await World.start({ nodes: 2, faults: { slowPartMs: 10 } })
	await world.run(TABLE, ROWS)
	const started = await world.startExport({ destinationPrefix: 'x' })
	await world.emulator.control.restartNode(2, 5)
	expect((await world.ended(started)).status).toBe(SUCCESS)
})

test('an import that fails leaves what it made, and merges with nothing', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS, 'CREATE TABLE u (id Uint64, PRIMARY KEY (id))', 'UPSERT INTO u (id) VALUES (1)')
	await world.export({ destinationPrefix: 'x' })
	const settings = { sourcePrefix: 'x', destinationPath: '/local/back' }
	world.store.seed('bucket', 'x/u/data_00.csv', Buffer.from('1\n2\n'))
	const ended = await world.ended(await world.startImport(settings))
	expect([ended.status, messages(ended)]).toEqual([
		CANCELLED,
		expect.stringMatching(/^Checksum mismatch for x\/u\/data_00.csv expected# [\da-f]{64}, got# [\da-f]{64}$/),
	])
	// The checksum is compared at the end of the file: its rows are there.
	expect(await world.client.rows('SELECT id FROM `back/u` ORDER BY id')).toEqual([[1], [2]])
	expect(importMetadata(ended).progress).toBe(6)
	const again = await world.ended(await world.startImport(settings))
	expect([again.status, messages(again)]).toEqual([CANCELLED, expect.stringContaining('path exist')])
	const unchecked = { ...settings, destinationPath: '/local/other', skipChecksumValidation: true }
	expect((await world.import(unchecked)).status).toBe(SUCCESS)
	expect((await world.forget(ended.id)).status).toBe(SUCCESS)
})

test.for([
	['data_01.csv', '1,"a"\n', 'Key is out of range on line: 1,"a"'],
	['data_00.csv', '1,"a"', 'reached end of file'],
	['data_00.csv', '1\n', 'Empty token'],
	['data_00.csv', '1,"a","b"\n', 'Too many values'],
	['data_00.csv', 'one,"a"\n', "'one' is no Uint64"],
	['data_00.csv', '1,a\n', "'a' is no Utf8"],
	['data_00.csv', '1,"%FF"\n', 'is no Utf8'],
	['scheme.pb', 'columns {', 'cannot parse scheme'],
	['scheme.pb', 'nonsense: 1', 'has no field nonsense'],
	['metadata.json', '{', 'cannot parse metadata'],
	['permissions.pb', 'actions { fly: "away" }', 'cannot parse permissions'],
] as const)('an import of %s with %j fails', async ([file, text, message]) => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	await world.export({ destinationPrefix: 'x' })
	world.store.seed('bucket', `x/t/${file}`, Buffer.from(text))
	const settings = { sourcePrefix: 'x', destinationPath: '/local/back', skipChecksumValidation: true }
	const ended = await world.ended(await world.startImport(settings))
	expect([ended.status, messages(ended)]).toEqual([CANCELLED, expect.stringContaining(message)])
})

test.for([
	['x/metadata.json', '{"kind":"SimpleExportV9"}', 'Unknown kind of metadata json: SimpleExportV9'],
	['x/SchemaMapping/mapping.json', '{"exportedObjects":{}}', 'no items to import'],
	['x/SchemaMapping/metadata.json', '{"kind":"other"}', 'cannot get schema mapping'],
] as const)('an import by a mapping with %s of %s fails', async ([file, text, message]) => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	await world.export({ destinationPrefix: 'x' })
	const root = JSON.parse(world.text('x/metadata.json')) as object
	// Without this word nothing of the mapping is checked.
	world.store.seed('bucket', 'x/metadata.json', Buffer.from(JSON.stringify({ ...root, checksum: undefined })))
	world.store.seed('bucket', file, Buffer.from(text))
	const ended = await world.ended(await world.startImport({ sourcePrefix: 'x', destinationPath: '/local/back' }))
	expect([ended.status, messages(ended)]).toEqual([CANCELLED, expect.stringContaining(message)])
})

test('with a wrong key an import is cancelled; the mapping of a checked export is checked whatever is asked', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	const encryption = (key: string): object => ({
		encryptionAlgorithm: 'AES-128-GCM',
		Key: { case: 'symmetricKey', value: { key: Buffer.from(key) } },
	})
	const encryptionSettings = encryption('Cool random key!') as never
	await world.export({ destinationPrefix: 'x', encryptionSettings })
	const settings = { sourcePrefix: 'x', destinationPath: '/local/back' }
	const wrong = await world.ended(
		await world.startImport({ ...settings, encryptionSettings: encryption('cool random key!') as never }),
	)
	expect([wrong.status, messages(wrong)]).toEqual([CANCELLED, 'File is corrupted'])
	await world.export({ destinationPrefix: 'y' })
	world.store.seed('bucket', 'y/SchemaMapping/mapping.json.sha256', Buffer.from('0'.repeat(64)))
	const unchecked = { sourcePrefix: 'y', destinationPath: '/local/other', skipChecksumValidation: true }
	expect(messages(await world.ended(await world.startImport(unchecked)))).toContain('Checksum mismatch')
	const open = await world.ended(await world.startImport(settings))
	expect([open.status, messages(open)]).toEqual([CANCELLED, expect.stringContaining('cannot get schema mapping')])
})

test('a newer server may tell a progress that no client knows', async () => {
	await using world = await World.start({ faults: { unknownProgress: true } })
	await world.run(TABLE, ROWS)
	const started = await world.startExport({ destinationPrefix: 'x' })
	expect(exportMetadata(started).progress).toBe(99)
	expect(exportMetadata(await world.ended(started)).progress).not.toBe(99)
})
