import { create } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OperationServiceDefinition } from '@ydbjs/api/operation'
import { ListDirectoryResultSchema, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import { CreateTableRequestSchema, DescribeTableResultSchema, TableServiceDefinition } from '@ydbjs/api/table'
import { type EmulatorOptions, startEmulator } from '@ydbackup/emulator'
import { Client } from './clients.ts'

const ROOT = '/local/.backups/collections'
const META = '__ydb_incrBackupImpl_changeMetadata'

/** An emulator whose clock the test moves: names of backups are seconds. */
class World implements AsyncDisposable {
	static async start(options: EmulatorOptions = {}): Promise<World> {
		const world = new World()
		world.#options = options
		await world.#open()
		return world
	}

	#options!: EmulatorOptions
	emulator!: Awaited<ReturnType<typeof startEmulator>>
	client!: Client

	async #open(): Promise<void> {
		this.emulator = await startEmulator({ ...this.#options, faults: { operationDelayMs: 1, ...this.#options.faults } })
		this.client = await Client.open(this.emulator)
	}

	async restart(): Promise<void> {
		await this[Symbol.asyncDispose]()
		await this.#open()
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.client[Symbol.asyncDispose]()
		await this.emulator.close()
	}

	async run(...statements: string[]): Promise<void> {
		for (const statement of statements) await this.client.rows(statement)
	}

	/** A backup at a second of its own, followed to its end. */
	async backup(what = ''): Promise<void> {
		this.emulator.faults.clockOffsetMs += 1000
		await this.run(`BACKUP nightly ${what}`)
		await this.done('incbackup')
	}

	async operations(kind: string): Promise<{ id: string; ready: boolean; status: number; progress: number[] }[]> {
		const { operations } = await this.client.driver
			.createClient(OperationServiceDefinition)
			.listOperations({ kind, pageSize: 100n, pageToken: '' })
		return operations.map(({ id, ready, status, metadata }) => ({
			id,
			ready,
			status,
			progress: [...metadata!.value].filter((_, at) => at % 2 === 1),
		}))
	}

	async done(kind: string): Promise<void> {
		for (let tries = 0; tries < 2000; tries++) {
			if ((await this.operations(kind)).every(({ ready }) => ready)) return
			await new Promise((resolve) => setTimeout(resolve, 2))
		}
		throw new Error(`${kind} is not done`)
	}

	async names(path: string): Promise<string[]> {
		const { operation } = await this.client.driver.createClient(SchemeServiceDefinition).listDirectory({ path })
		if (operation?.status !== 400000) throw new Error(operation?.issues[0]?.message)
		return anyUnpack(operation.result!, ListDirectoryResultSchema)!.children.map(({ name }) => name)
	}

	async links(): Promise<string[]> {
		return this.names(`${ROOT}/nightly`)
	}

	/** Rows of a table, columns by name. */
	async rows(path: string, columns: string): Promise<unknown[][]> {
		return this.client.rows(`SELECT ${columns} FROM \`${path}\``)
	}

	/** What a change table says of each key. */
	async changes(link: string, table: string, key = 'id'): Promise<Record<string, string>> {
		const { sets, message } = await this.client.query(
			`SELECT ${key}, ${META} FROM \`${ROOT}/nightly/${link}/${table}\``,
		)
		if (sets[0] === undefined) throw new Error(message)
		const rows = sets[0].rows.map(({ items }) => items.map(({ value }) => value.value))
		return Object.fromEntries(rows.map(([id, metadata]) => [String(id), spell(metadata as Uint8Array)]))
	}
}

/** `-` for a deletion; `2=` `3n` `4.`: column 2 has a value, 3 is NULL, 4 did not change. Read with the protobuf library, not with our own reader. */
function spell(bytes: Uint8Array): string {
	const reader = new BinaryReader(bytes)
	const states: [number, string][] = []
	let isDeleted = false
	while (reader.pos < reader.len) {
		const [field] = reader.tag()
		if (field === 2) {
			isDeleted = reader.bool()
			continue
		}
		const end = reader.uint32() + reader.pos
		let tag = 0
		let isNull = false
		let isChanged = false
		while (reader.pos < end) {
			const [inner] = reader.tag()
			if (inner === 1) tag = reader.uint32()
			else if (inner === 2) isNull = reader.bool()
			else isChanged = reader.bool()
		}
		states.push([tag, `${tag}${isChanged ? (isNull ? 'n' : '=') : '.'}`])
	}
	const all = states.toSorted(([a], [b]) => a - b).map(([, text]) => text)
	return `${isDeleted ? '-' : ''}${all.join(' ')}`
}

const TABLE = 'CREATE TABLE `dir/t` (id Uint64 NOT NULL, a Utf8, b Int64, PRIMARY KEY (id))'
const CREATE =
	"CREATE BACKUP COLLECTION nightly (TABLE `dir/t`) WITH (STORAGE = 'cluster', INCREMENTAL_BACKUP_ENABLED = 'true')"

test('a full backup is a copy, an increment the changes since, and RESTORE brings both back', async () => {
	await using world = await World.start()
	await world.run(TABLE, CREATE, "UPSERT INTO `dir/t` (id, a, b) VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)")
	await world.backup()
	await world.run(
		"UPSERT INTO `dir/t` (id, a) VALUES (1, 'ONE')",
		'REPLACE INTO `dir/t` (id, b) VALUES (2, 22)',
		'DELETE FROM `dir/t` WHERE id = 3',
		'DELETE FROM `dir/t` ON (id) VALUES (77)',
		"INSERT INTO `dir/t` (id, a, b) VALUES (4, 'four', NULL)",
	)
	await world.backup('INCREMENTAL')
	await world.run('UPDATE `dir/t` SET b = 44 WHERE id = 4')
	const truth = await world.rows('dir/t', 'id, a, b')
	await world.backup('INCREMENTAL')
	const [full, first, second] = await world.links()
	expect([full, first, second]).toEqual([
		expect.stringMatching(/^\d{14}Z_full$/),
		expect.stringMatching(/^\d{14}Z_incremental$/),
		expect.stringMatching(/^\d{14}Z_incremental$/),
	])
	expect(await world.rows(`${ROOT}/nightly/${full}/dir/t`, 'id, a, b')).toHaveLength(3)
	expect(await world.changes(first!, 'dir/t')).toEqual({
		1: '2= 3.',
		2: '2n 3=',
		3: '-2n 3n',
		4: '2= 3n',
		// A deletion of what never was is recorded too.
		77: '-2n 3n',
	})
	expect(await world.changes(second!, 'dir/t')).toEqual({ 4: '2. 3=' })
	const [latest] = await world.operations('incbackup')
	expect(latest).toEqual({
		id: expect.stringMatching(/^ydb:\/\/incbackup\/11\?id=\d+$/),
		ready: true,
		status: 400000,
		progress: [3, 100],
	})
	expect((await world.client.query('RESTORE nightly')).message).toContain('path exist')
	await world.run('DROP TABLE `dir/t`', 'RESTORE nightly')
	await world.done('restore')
	expect(await world.operations('restore')).toMatchObject([{ ready: true, status: 400000, progress: [3, 100] }])
	expect(await world.rows('dir/t', 'id, a, b')).toEqual(truth)
	// What was restored has no stream.
	world.emulator.faults.clockOffsetMs += 1000
	expect((await world.client.query('BACKUP nightly INCREMENTAL')).message).toContain(
		'Last continuous backup stream is not found',
	)
})

test('several changes of a row: the last metadata stands alone, or all of it with mergeChanges', async () => {
	const dml = [
		"UPSERT INTO `dir/t` (id, a) VALUES (1, 'x')",
		'UPSERT INTO `dir/t` (id, b) VALUES (1, 5)',
		'DELETE FROM `dir/t` WHERE id = 2',
		'UPSERT INTO `dir/t` (id, b) VALUES (2, 6)',
	]
	const said: Record<string, string>[] = []
	for (const mergeChanges of [false, true]) {
		await using world = await World.start({ faults: { mergeChanges } })
		await world.run(TABLE, CREATE, "UPSERT INTO `dir/t` (id, a, b) VALUES (1, 'one', 1), (2, 'two', 2)")
		await world.backup()
		await world.run(...dml)
		await world.backup('INCREMENTAL')
		said.push(await world.changes((await world.links())[1]!, 'dir/t'))
	}
	expect(said).toEqual([
		{ 1: '2. 3=', 2: '2. 3=' },
		{ 1: '2= 3=', 2: '2n 3=' },
	])
})

test('two backups in one second collide, and nothing of the second is left', async () => {
	await using world = await World.start()
	// A clock that stands at the middle of a second.
	const begin = Date.now()
	await world.run(TABLE, CREATE)
	world.emulator.faults.clockOffsetMs = 500 - (begin % 1000)
	await world.run('BACKUP nightly')
	const answer = await world.client.query('BACKUP nightly')
	expect(answer).toMatchObject({ status: 400070 })
	expect(answer.message).toContain('path exist')
	expect(await world.links()).toHaveLength(1)
})

test('a dropped column leaves a gap in the numbers; an import makes them anew', async () => {
	await using world = await World.start({ faults: { alterMembers: true } })
	await world.run(TABLE, 'ALTER TABLE `dir/t` DROP COLUMN a', 'ALTER TABLE `dir/t` ADD COLUMN a Utf8', CREATE)
	await world.run("UPSERT INTO `dir/t` (id, a, b) VALUES (1, 'old', 5)")
	await world.backup()
	await world.run("UPSERT INTO `dir/t` (id, a) VALUES (1, 'new')")
	await world.backup('INCREMENTAL')
	const [full, first] = await world.links()
	expect(await world.changes(first!, 'dir/t')).toEqual({ 1: '3. 4=' })
	const tables = world.client.driver.createClient(TableServiceDefinition)
	const described = await tables.describeTable({ path: `${ROOT}/nightly/${first}/dir/t` })
	const { columns, attributes, primaryKey } = anyUnpack(described.operation!.result!, DescribeTableResultSchema)!
	expect(columns.map(({ name, notNull }) => [name, notNull ?? false])).toEqual([
		['id', false],
		['b', false],
		['a', false],
		[META, false],
	])
	expect(attributes).toEqual({ __incremental_backup: '{}' })
	// Change tables may be made below collections only.
	const spec = { primaryKey, columns: columns.map(({ name, type }) => ({ name, type: type! })) }
	const made = async (path: string): Promise<number> =>
		(await tables.createTable(create(CreateTableRequestSchema, { ...spec, path }))).operation!.status
	expect(await made('/local/elsewhere')).toBe(400070)
	await world.run("CREATE BACKUP COLLECTION other (TABLE `dir/t`) WITH (STORAGE = 'cluster')")
	expect(await made(`${ROOT}/other/${first}/dir/t`)).toBe(400000)
	const copied = await tables.copyTables({
		tables: [{ sourcePath: `${ROOT}/nightly/${full}/dir/t`, destinationPath: `${ROOT}/other/${full}/dir/t` }],
	})
	expect(copied.operation!.status).toBe(400000)
	// The imported one numbers b 2 and a 3, and its rows speak of 3 and 4: what did not change is overwritten, what did is not.
	const from = `${ROOT}/nightly/${first}/dir/t`
	await world.run(
		`UPSERT INTO \`${ROOT}/other/${first}/dir/t\` (id, a, b, ${META}) SELECT id, a, b, ${META} FROM \`${from}\``,
		'DROP TABLE `dir/t`',
		'RESTORE other',
	)
	await world.done('restore')
	expect(await world.rows('dir/t', 'a, b')).toEqual([['old', null]])
})

test('changes of synchronous indexes stand beside those of their tables', async () => {
	await using world = await World.start()
	await world.run(
		'CREATE TABLE t (id Uint64 NOT NULL, a Utf8, b Int64, PRIMARY KEY (id), INDEX by_a GLOBAL SYNC ON (a) COVER (b))',
		"CREATE BACKUP COLLECTION nightly (TABLE t) WITH (STORAGE = 'cluster', INCREMENTAL_BACKUP_ENABLED = 'true')",
		"UPSERT INTO t (id, a, b) VALUES (1, 'one', 1), (2, 'two', 2)",
	)
	await world.backup()
	await world.run("UPDATE t SET a = 'uno' WHERE id = 1", 'UPDATE t SET b = 22 WHERE id = 2')
	await world.backup('INCREMENTAL')
	const link = (await world.links())[1]!
	expect(await world.changes(link, '__ydb_backup_meta/indexes/t/by_a/indexImplTable', 'a || CAST(id AS Utf8)')).toEqual(
		{
			one1: '-3n',
			uno1: '3=',
			two2: '3=',
		},
	)
	expect(await world.names('/local')).not.toContain('__ydb_backup_meta')
})

test.each([
	["CREATE BACKUP COLLECTION `a/b` (TABLE t) WITH (STORAGE = 'cluster')", 400070, 'must be placed directly in'],
	["CREATE BACKUP COLLECTION `/local/b` (TABLE t) WITH (STORAGE = 'cluster')", 400070, 'must be placed in'],
	["CREATE BACKUP COLLECTION nightly (TABLE t) WITH (STORAGE = 'cluster')", 400070, 'path exist'],
	["CREATE BACKUP COLLECTION n DATABASE WITH (STORAGE = 'cluster')", 400080, 'Unimplemented'],
	["CREATE BACKUP COLLECTION n (TABLE t) WITH (STORAGE = 'cluster', STORAGE = 'cluster')", 400080, 'duplicate keys'],
	['CREATE BACKUP COLLECTION n (TABLE t) WITH (INCREMENTAL_BACKUP_ENABLED = true)', undefined, 'string literal'],
	['BACKUP nope', 400070, 'Path does not exist'],
	['BACKUP nightly', 400070, 'Path does not exist'],
	['BACKUP once INCREMENTAL', 400010, 'Incremental backup is disabled on this collection'],
	['BACKUP good INCREMENTAL', 400010, 'Last continuous backup stream is not found'],
	['RESTORE good', 400010, 'Nothing to restore'],
	['RESTORE nope', 400070, 'Path does not exist'],
	['RESTORE `/local/dir`', 400010, 'not a backup collection'],
	['DROP BACKUP COLLECTION nope', 400070, 'Path does not exist'],
	['DROP BACKUP COLLECTION `/local/.backups/collections/good`', 400070, 'Path does not exist'],
	['ALTER TABLE `dir/t` ADD COLUMN c Int64', 400120, 'backup collection'],
	['BACKUP lazy', 400120, 'async index'],
])('refused: %s', async (statement, status, text) => {
	await using world = await World.start()
	await world.run(
		TABLE,
		// Nobody looks whether a table is there.
		"CREATE BACKUP COLLECTION nightly (TABLE t) WITH (STORAGE = 'cluster')",
		"CREATE BACKUP COLLECTION once (TABLE `dir/t`) WITH (STORAGE = 'cluster')",
		CREATE.replace('nightly', 'good'),
		'CREATE TABLE s (id Uint64 NOT NULL, a Utf8, PRIMARY KEY (id), INDEX i GLOBAL ASYNC ON (a))',
		"CREATE BACKUP COLLECTION lazy (TABLE s) WITH (STORAGE = 'cluster', INCREMENTAL_BACKUP_ENABLED = 'true')",
	)
	const answer = await world.client.query(statement)
	if (status !== undefined) expect(answer.status).toBe(status)
	else expect(answer.status).not.toBe(400000)
	expect(answer.message).toContain(text)
})

test('switched off, a collection cannot be made', async () => {
	await using world = await World.start({ faults: { collectionsDisabled: true } })
	await world.run(TABLE)
	expect(await world.client.query(CREATE)).toMatchObject({
		status: 400120,
		message: expect.stringContaining('Backup collections are disabled'),
	})
})

test('operations run, fail, cannot be cancelled, and are forgotten when they are over', async () => {
	await using world = await World.start({ faults: { stuckOperations: true } })
	await world.run(TABLE, CREATE)
	world.emulator.faults.clockOffsetMs += 1000
	await world.run('BACKUP nightly')
	world.emulator.faults.clockOffsetMs += 1000
	await world.run('UPSERT INTO `dir/t` (id, b) VALUES (1, 1)', 'BACKUP nightly INCREMENTAL')
	const [running] = await world.operations('incbackup')
	expect(running).toMatchObject({ ready: false, status: 400000, progress: [2, 0] })
	const link = (await world.links())[1]!
	expect(await world.changes(link, 'dir/t')).toEqual({})
	const service = world.client.driver.createClient(OperationServiceDefinition)
	const { id } = running!
	expect(await service.cancelOperation({ id })).toMatchObject({
		status: 400180,
		issues: [{ message: "Cancel isn't supported for incremental backup yet" }],
	})
	expect(await service.forgetOperation({ id })).toMatchObject({ status: 400120 })
	expect(await service.getOperation({ id: 'ydb://incbackup/11?id=1' })).toMatchObject({ operation: { status: 400140 } })
	expect((await world.client.query('DROP BACKUP COLLECTION nightly')).status).toBe(400120)
	Object.assign(world.emulator.faults, { stuckOperations: false, failOperations: 1 })
	await world.done('incbackup')
	// Done and ready, and failed all the same.
	expect(await world.operations('incbackup')).toMatchObject([{ ready: true, status: 400080, progress: [3, 100] }])
	expect(await service.forgetOperation({ id })).toMatchObject({ status: 400000 })
	expect(await world.operations('incbackup')).toEqual([])
	await world.run('DROP BACKUP COLLECTION nightly')
	expect(await world.names(ROOT)).toEqual([])
})

test('a missing change table is passed over by RESTORE, which succeeds', async () => {
	await using world = await World.start()
	await world.run(TABLE, CREATE, 'UPSERT INTO `dir/t` (id, b) VALUES (1, 1)')
	await world.backup()
	await world.run('UPSERT INTO `dir/t` (id, b) VALUES (1, 2)')
	await world.backup('INCREMENTAL')
	await world.run(`DROP TABLE \`${ROOT}/nightly/${(await world.links())[1]}/dir/t\``, 'DROP TABLE `dir/t`')
	await world.run('RESTORE nightly')
	await world.done('restore')
	expect(await world.operations('restore')).toMatchObject([{ status: 400000 }])
	expect(String(await world.rows('dir/t', 'b'))).toBe('1')
})

test('two collections of one table take each other the changes', async () => {
	await using world = await World.start()
	await world.run(TABLE, CREATE, CREATE.replace('nightly', 'other'))
	await world.backup()
	world.emulator.faults.clockOffsetMs += 1000
	await world.run('BACKUP other', 'UPSERT INTO `dir/t` (id, b) VALUES (1, 1)')
	world.emulator.faults.clockOffsetMs += 1000
	await world.run('BACKUP other INCREMENTAL')
	await world.done('incbackup')
	await world.backup('INCREMENTAL')
	expect(await world.changes((await world.links())[1]!, 'dir/t')).toEqual({})
})

test('streams forget what is older than their retention', async () => {
	await using world = await World.start({ faults: { streamRetentionMs: 60_000 } })
	await world.run(TABLE, CREATE)
	await world.backup()
	await world.run('UPSERT INTO `dir/t` (id, b) VALUES (1, 1)')
	world.emulator.faults.clockOffsetMs += 61_000
	await world.run('UPSERT INTO `dir/t` (id, b) VALUES (2, 2)')
	await world.backup('INCREMENTAL')
	expect(await world.changes((await world.links())[1]!, 'dir/t')).toEqual({ 2: '2. 3=' })
})

test('names are of the local time of the server', async () => {
	await using world = await World.start({ faults: { stampOffsetMinutes: 180 } })
	await world.run(TABLE, CREATE)
	const before = Date.now()
	await world.backup()
	const [name] = await world.links()
	const hour = new Date(before + 181 * 60_000).toISOString().slice(0, 13).replaceAll(/[-T]/g, '')
	expect(Math.abs(Number(name!.slice(0, 10)) - Number(hour))).toBeLessThanOrEqual(1)
})

test('older forms of change tables are made on demand', async () => {
	for (const [olderChangeTables, columns] of [
		[1, ['__ydb_incrBackupImpl_deleted', '__ydb_incrBackupImpl_columnStates']],
		[2, ['__ydb_incrBackupImpl_deleted']],
	] as const) {
		await using world = await World.start({ faults: { olderChangeTables } })
		await world.run(TABLE, CREATE)
		await world.backup()
		await world.run('UPSERT INTO `dir/t` (id, b) VALUES (1, 1)')
		await world.backup('INCREMENTAL')
		const tables = world.client.driver.createClient(TableServiceDefinition)
		const path = `${ROOT}/nightly/${(await world.links())[1]}/dir/t`
		const { operation } = await tables.describeTable({ path })
		const found = anyUnpack(operation!.result!, DescribeTableResultSchema)!.columns.map(({ name }) => name)
		expect(found).toEqual(['id', 'a', 'b', ...columns])
		expect(await world.rows(path, 'id')).toHaveLength(1)
	}
})

test('collections, streams and operations survive a restart, also one within an offload and a restore', async () => {
	const dataDir = await mkdtemp(join(tmpdir(), 'ydb-emulator-collections-'))
	try {
		for (const compactAfterBytes of [undefined, 1]) {
			const directory = join(dataDir, String(compactAfterBytes))
			await using world = await World.start({
				dataDir: directory,
				faults: { stuckOperations: true },
				...(compactAfterBytes !== undefined && { compactAfterBytes }),
			})
			await world.run(TABLE, CREATE, 'UPSERT INTO `dir/t` (id, b) VALUES (1, 1), (2, 2)')
			world.emulator.faults.clockOffsetMs += 1000
			await world.run('BACKUP nightly', 'UPSERT INTO `dir/t` (id, b) VALUES (1, 10)')
			await world.restart()
			world.emulator.faults.clockOffsetMs += 10_000
			await world.run('DELETE FROM `dir/t` WHERE id = 2', 'BACKUP nightly INCREMENTAL')
			await world.restart()
			expect(await world.operations('incbackup')).toMatchObject([{ ready: false }])
			world.emulator.faults.stuckOperations = false
			await world.done('incbackup')
			expect(await world.changes((await world.links())[1]!, 'dir/t')).toEqual({ 1: '2. 3=', 2: '-2n 3n' })
			world.emulator.faults.clockOffsetMs += 20_000
			await world.run('UPSERT INTO `dir/t` (id, b) VALUES (3, 3)', 'BACKUP nightly INCREMENTAL')
			await world.done('incbackup')
			const truth = await world.rows('dir/t', 'id, a, b')
			world.emulator.faults.stuckOperations = true
			await world.run('DROP TABLE `dir/t`', 'RESTORE nightly')
			await world.restart()
			expect(await world.operations('restore')).toMatchObject([{ ready: false }])
			expect((await world.client.query('RESTORE nightly')).status).toBe(400060)
			world.emulator.faults.stuckOperations = false
			await world.done('restore')
			expect(await world.rows('dir/t', 'id, a, b')).toEqual(truth)
		}
	} finally {
		await rm(dataDir, { recursive: true, force: true })
	}
})
