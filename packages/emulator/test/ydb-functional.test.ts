// Scenarios of YDB's own tests, by their names there. What the emulator adds of its own stands in collections.test.ts.
import { OperationServiceDefinition } from '@ydbjs/api/operation'
import { SchemeServiceDefinition } from '@ydbjs/api/scheme'
import { TableServiceDefinition } from '@ydbjs/api/table'
import { type Emulator, type Faults, startEmulator } from '@ydbackup/emulator'
import { expect, test } from 'vitest'
import { Client } from './clients.ts'

const ROOT = '/local/.backups/collections'
const META = '__ydb_incrBackupImpl_changeMetadata'
const [BAD_REQUEST, OVERLOADED, SCHEME_ERROR, PRECONDITION_FAILED] = [400_010, 400_060, 400_070, 400_120]

/** A table `t (key, value)`, a collection `c` of it, and a clock that each backup moves. */
class World implements AsyncDisposable {
	readonly emulator: Emulator
	readonly client: Client
	private constructor(emulator: Emulator, client: Client) {
		this.emulator = emulator
		this.client = client
	}

	static async start(faults: Partial<Faults> = {}): Promise<World> {
		const emulator = await startEmulator({ faults: { operationDelayMs: 1, ...faults } })
		const world = new World(emulator, await Client.open(emulator))
		await world.client.rows('CREATE TABLE t (key Uint32, value Uint32, PRIMARY KEY (key))')
		await world.client.rows('UPSERT INTO t (key, value) VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50)')
		return world
	}

	/** Each succeeds, a second after the one before, and what it started is over. */
	async run(...statements: readonly string[]): Promise<void> {
		for (const statement of statements) {
			this.emulator.faults.clockOffsetMs += 1000
			await this.client.rows(statement)
			await this.settled()
		}
	}

	async settled(): Promise<void> {
		if (this.emulator.faults.stuckOperations) return
		const service = this.client.driver.createClient(OperationServiceDefinition)
		for (const kind of ['incbackup', 'restore'])
			for (let tries = 0; ; tries++) {
				const { operations } = await service.listOperations({ kind, pageSize: 100n })
				if (operations.every(({ ready }) => ready)) break
				if (tries === 1000) throw new Error(`${kind} is not over`)
				await new Promise((resolve) => setTimeout(resolve, 2))
			}
	}

	async status(statement: string): Promise<number> {
		return (await this.client.query(statement)).status
	}

	async links(collection = 'c'): Promise<string[]> {
		const service = this.client.driver.createClient(SchemeServiceDefinition)
		const { operation } = await service.listDirectory({ path: `${ROOT}/${collection}` })
		// Names of entries, as they stand in the packed result.
		return [
			...new Set(
				Buffer.from(operation!.result!.value)
					.toString('latin1')
					.match(/[\w.]+_(?:full|incremental)/g),
			),
		]
	}

	async copy(...pairs: readonly (readonly [from: string, to: string])[]): Promise<void> {
		const { operation } = await this.client.driver.createClient(TableServiceDefinition).copyTables({
			tables: pairs.map(([sourcePath, destinationPath]) => ({ sourcePath, destinationPath })),
		})
		expect(operation!.issues[0]?.message).toBeUndefined()
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.client[Symbol.asyncDispose]()
		await this.emulator.close()
	}
}

const create = (name: string, settings = ", INCREMENTAL_BACKUP_ENABLED = 'true'", tables = 'TABLE t'): string =>
	`CREATE BACKUP COLLECTION ${name} (${tables}) WITH (STORAGE = 'cluster'${settings})`
const ROWS = 'SELECT key, value FROM t ORDER BY key'

test.each<[string, number, string, readonly string[]]>([
	['DisallowedPath', SCHEME_ERROR, create('`a/b`'), []],
	['DisallowedPath, absolute', SCHEME_ERROR, create('`/local/elsewhere`'), []],
	['CreateTwice', SCHEME_ERROR, create('c'), [create('c')]],
	['BackupAbsentCollection', SCHEME_ERROR, 'BACKUP c', []],
	['BackupDroppedCollection', SCHEME_ERROR, 'BACKUP c', [create('c'), 'DROP BACKUP COLLECTION c']],
	['BackupAbsentDirs', SCHEME_ERROR, 'BACKUP c', [create('c', undefined, 'TABLE `absent/t`')]],
	['BackupNonIncrementalCollection', BAD_REQUEST, 'BACKUP c INCREMENTAL', [create('c', ''), 'BACKUP c']],
	['DropNonExistentCollection', SCHEME_ERROR, 'DROP BACKUP COLLECTION c', []],
	['DropTwice', SCHEME_ERROR, 'DROP BACKUP COLLECTION c', [create('c'), 'DROP BACKUP COLLECTION c']],
	['ut_incremental_restore: an absent collection', SCHEME_ERROR, 'RESTORE c', []],
	['ut_incremental_restore: nothing to restore', BAD_REQUEST, 'RESTORE c', [create('c')]],
])('ut_backup_collection: %s', async (_, status, refused, before) => {
	await using world = await World.start()
	await world.run(...before)
	expect(await world.status(refused)).toBe(status)
})

test('ut_backup_collection: HiddenByFeatureFlag', async () => {
	await using world = await World.start({ collectionsDisabled: true })
	expect(await world.status(create('c'))).toBe(PRECONDITION_FAILED)
})

test('ut_backup_collection: DropCollectionDuringActiveBackup', async () => {
	await using world = await World.start({ stuckOperations: true })
	await world.run(create('c'), 'BACKUP c', 'BACKUP c INCREMENTAL')
	expect(await world.status('DROP BACKUP COLLECTION c')).toBe(PRECONDITION_FAILED)
	world.emulator.faults.stuckOperations = false
	await world.settled()
	await world.run('DROP BACKUP COLLECTION c')
})

test('ut_backup_collection: TableWithSystemColumns, and names that are reserved outside of collections', async () => {
	await using world = await World.start()
	await world.run(create('c'))
	const column = 'CREATE TABLE `%` (key Uint32, __ydb_system Uint32, PRIMARY KEY (key))'
	expect(await world.status(column.replace('%', 'system'))).toBe(SCHEME_ERROR)
	expect(await world.status(column.replace('%', `${ROOT}/c/x_full/system`))).toBe(400_000)
	const scheme = world.client.driver.createClient(SchemeServiceDefinition)
	const made = async (path: string): Promise<number> => (await scheme.makeDirectory({ path })).operation!.status
	expect(await made('/local/__ydb_backup_meta')).toBe(SCHEME_ERROR)
	expect(await made(`${ROOT}/c/x_full/__ydb_backup_meta`)).toBe(400_000)
})

test('datashard_ut_incremental_backup, MultiBackup: the last change of a key stands, and a key that never was is erased', async () => {
	await using world = await World.start()
	await world.run(create('c'), 'BACKUP c')
	await world.run('UPSERT INTO t (key, value) VALUES (1, 100), (2, 200)', 'DELETE FROM t ON (key) VALUES (8)')
	await world.run('BACKUP c INCREMENTAL', 'UPSERT INTO t (key, value) VALUES (2, 2000)', 'DELETE FROM t WHERE key = 1')
	await world.run('BACKUP c INCREMENTAL')
	const changed: unknown[] = []
	for (const link of (await world.links()).slice(1))
		changed.push(await world.client.rows(`SELECT key, value FROM \`${ROOT}/c/${link}/t\` ORDER BY key`))
	expect(changed).toEqual([
		[
			[1, 100],
			[2, 200],
			[8, null],
		],
		[
			[1, null],
			[2, 2000],
		],
	])
})

test('ut_incremental_restore: chains of plain tables under any names that sort, with metadata that says nothing', async () => {
	await using world = await World.start()
	await world.run(create('c', ''))
	await world.copy(['/local/t', `${ROOT}/c/backup_001_full/t`])
	const link = `${ROOT}/c/backup_002_incremental/t`
	await world.run(
		`CREATE TABLE \`${link}\` (key Uint32, value Uint32, ${META} String, PRIMARY KEY (key))`,
		`UPSERT INTO \`${link}\` (key, value, ${META}) VALUES (2, NULL, ""), (3, 300, ""), (6, 60, NULL)`,
		'DROP TABLE t',
		'RESTORE c',
	)
	expect(await world.client.rows(ROWS)).toEqual([
		[1, 10],
		[2, null],
		[3, 300],
		[4, 40],
		[5, 50],
		[6, 60],
	])
})

test('ut_incremental_restore: a plain directory, a target that exists, and a second RESTORE while the first runs', async () => {
	await using world = await World.start()
	await world.run(create('c'), 'BACKUP c', 'UPSERT INTO t (key, value) VALUES (1, 11)', 'BACKUP c INCREMENTAL')
	await world.client.driver.createClient(SchemeServiceDefinition).makeDirectory({ path: '/local/plain' })
	expect(await world.status('RESTORE `/local/plain`')).toBe(BAD_REQUEST)
	expect(await world.status('RESTORE c')).toBe(SCHEME_ERROR)
	world.emulator.faults.stuckOperations = true
	await world.run('DROP TABLE t', 'RESTORE c')
	expect(await world.status('RESTORE c')).toBe(OVERLOADED)
	world.emulator.faults.stuckOperations = false
	await world.settled()
	expect((await world.client.rows(ROWS))[0]).toEqual([1, 11])
})

test('basic_user_scenarios, test_incremental_chain_restore_when_tables_deleted: each prefix of a chain, through a second collection', async () => {
	await using world = await World.start()
	await world.run(create('c'), 'BACKUP c')
	const states = [await world.client.rows(ROWS)]
	for (const change of [
		'UPSERT INTO t (key, value) VALUES (1, 111), (7, 70)',
		'DELETE FROM t WHERE key = 2',
		'UPSERT INTO t (key, value) VALUES (2, 222)',
	]) {
		await world.run(change, 'BACKUP c INCREMENTAL')
		states.push(await world.client.rows(ROWS))
	}
	const links = await world.links()
	expect(links).toHaveLength(4)
	for (const [last, state] of states.entries()) {
		const prefix = links.slice(0, last + 1)
		await world.run(create(`only${last}`, ''))
		await world.copy(...prefix.map((link) => [`${ROOT}/c/${link}/t`, `${ROOT}/only${last}/${link}/t`] as const))
		await world.run('DROP TABLE t', `RESTORE only${last}`)
		expect(await world.client.rows(ROWS)).toEqual(state)
	}
})
