import { Repository } from '@ydbackup/catalog'
import type { Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'

import {
	backup,
	type BackupOptions,
	type BackupResult,
	type EngineEvent,
	restore,
	type RestoreOptions,
	type RestoreResult,
	verify,
	type VerifyReport,
} from '../src/index.ts'
import { FakeDatabase } from './fake-database.ts'
import { permissionsOf, rowsUpTo, schemeOf } from './row-bytes.ts'

export const TOOL = { name: 'engine-test', version: '0.0.0' }

export const SETTINGS = `
	indexes { name: "by_name" index_columns: "name" global_index {} }
	ttl_settings { date_type_column { column_name: "weight" expire_after_seconds: 3600 } }
	partitioning_settings {
		partitioning_by_size: ENABLED partition_size_mb: 2048 partitioning_by_load: DISABLED min_partitions_count: 3
	}`

/** A database with one of everything, a repository in memory, and short ways to call the engine on them. */
export class World {
	readonly database: FakeDatabase
	readonly storage: Storage
	readonly repository: Repository
	readonly events: EngineEvent[] = []

	constructor(database: FakeDatabase, storage: Storage, repository: Repository) {
		this.database = database
		this.storage = storage
		this.repository = repository
	}

	backup(options: Partial<BackupOptions> = {}): Promise<BackupResult> {
		const { database: source, repository } = this
		return backup({ source, repository, tool: TOOL, onEvent: (event) => this.events.push(event), ...options })
	}

	restore(sink: FakeDatabase, options: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
		const { repository } = this
		return restore({ sink, repository, id: 'latest', existing: 'fail', ...options })
	}

	verify(level: 'quick' | 'full', id = 'latest'): Promise<VerifyReport> {
		return verify({ repository: this.repository, id, level })
	}

	async keys(prefix = ''): Promise<string[]> {
		const keys: string[] = []
		for await (const { key } of this.storage.list(prefix)) keys.push(key)
		return keys.toSorted()
	}

	async bytes(key: string): Promise<Uint8Array> {
		const body = await this.storage.get(key)
		const chunks: Uint8Array[] = []
		for await (const chunk of body.bytes) chunks.push(chunk)
		return Buffer.concat(chunks)
	}
}

export async function createWorld(storage: Storage = openMemory()): Promise<World> {
	const repository = await Repository.init(storage)
	return new World(seeded(), storage, repository)
}

/** Tables with several partitions, indexes and a TTL, an empty one, directories full and empty, rights, and a resource pool. */
export function seeded(): FakeDatabase {
	const database = new FakeDatabase('/local')
	database.addDirectory('dir', permissionsOf('alice', 'bob'))
	database.addDirectory('dir/empty', permissionsOf('alice'))
	database.addDirectory('dir/sub', permissionsOf('root'))
	database.addTable(
		'dir/sub/split',
		schemeOf({ splits: [100, 200, 250], settings: SETTINGS }),
		rowsUpTo(300),
		permissionsOf('carol', 'bob', 'dave'),
	)
	database.addTable('none', schemeOf(), [], permissionsOf('root'))
	database.addTable('plain', schemeOf(), rowsUpTo(120, 1000), permissionsOf('root'))
	database.addOther('dir/pool', 'resource-pool', 'RESOURCE_POOL')
	return database
}
