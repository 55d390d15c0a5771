import { Repository } from '@ydbackup/catalog'
import { type RowChunk, type Snapshot, type SnapshotTable, spellType, type TableSchema } from '@ydbackup/core'
import {
	restore,
	type RestoreOptions,
	type RestoreResult,
	shipCollection,
	type ShipResult,
	takeLink,
	type TakeLinkOptions,
	type TakeLinkResult,
} from '@ydbackup/engine'
import { type Emulator, type Faults, startEmulator } from '@ydbackup/emulator'
import { openMemory } from '@ydbackup/storage'
import { connect, type Ydb } from '@ydbackup/ydb'
import { Statements } from '../../../packages/ydb/test/support/statements.ts'
import { openQueries, type Queries } from './queries.ts'
import { asked, under } from './troubles.ts'

const TOOL = { name: 'ydbackup', version: '0.0.0-test' }

/** A collection in an emulator whose clock the test moves, and a repository in memory: no process is started. */
export class CollectionWorld implements AsyncDisposable {
	readonly emulator: Emulator
	readonly ydb: Ydb
	readonly queries: Queries
	readonly repository: Repository
	readonly #statements: Statements

	private constructor(emulator: Emulator, ydb: Ydb, queries: Queries, repository: Repository, statements: Statements) {
		this.#statements = statements
		this.emulator = emulator
		this.ydb = ydb
		this.queries = queries
		this.repository = repository
	}

	static async start(faults: Partial<Faults> = {}): Promise<CollectionWorld> {
		const statements = new Statements()
		const emulator = await startEmulator({
			onQuery: statements.onQuery,
			faults: { operationDelayMs: 0, ...asked.lasting, ...faults },
		})
		const endpoint = `grpc://127.0.0.1:${emulator.port}`
		const { database } = emulator
		const ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
		const queries = await openQueries(endpoint, database)
		return new CollectionWorld(emulator, ydb, queries, await CollectionWorld.emptyRepository(), statements)
	}

	static emptyRepository(): Promise<Repository> {
		return Repository.init(openMemory())
	}

	/** Moves the clock of the server and that of the tool. */
	pass(seconds: number): void {
		this.emulator.faults.clockOffsetMs += seconds * 1000
	}

	readonly clock = (): Date => new Date(Date.now() + this.emulator.faults.clockOffsetMs)

	/** Two minutes later, so that nothing has to be waited for. */
	take(kind: TakeLinkOptions['kind'], more: Partial<TakeLinkOptions> = {}): Promise<TakeLinkResult> {
		this.pass(120)
		return this.#troubled(() => takeLink({ admin: this.ydb.collections, name: 'c', kind, waitMs: 20_000, ...more }))
	}

	ship(): Promise<ShipResult> {
		const { repository, clock } = this
		return this.#troubled(() =>
			shipCollection({ source: this.ydb.collection('c'), repository, clock, waitMs: 20_000, tool: TOOL }),
		)
	}

	#troubled<T>(work: () => Promise<T>): Promise<T> {
		return under(this.emulator.faults, asked, work)
	}

	/** Lets the cluster's own RESTORE bring a backup back, to where it was taken from. */
	restoreNatively(id: string, more: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
		const { repository, ydb } = this
		return restore({ sink: ydb.sink, native: ydb.collections, repository, id, existing: 'fail', ...more })
	}

	/** Restores a backup below a path. */
	async restore(id: string, to: string, repository: Repository = this.repository): Promise<void> {
		const { outcome, problems } = await this.#troubled(() =>
			restore({
				sink: this.ydb.sink,
				repository,
				id,
				to: `${this.emulator.database}/${to}`,
				existing: 'fail',
				verifyData: true,
			}),
		)
		if (outcome !== 'complete') throw new Error(JSON.stringify(problems))
	}

	/** The columns and the rows of a table, as bytes. */
	async table(path: string): Promise<string> {
		const { schema } = await this.ydb.sink.describeTable(path)
		return spelled(schema, this.ydb.sink.read(path, schema, {}))
	}

	/** The same of a table in a snapshot. */
	rowsOf(snapshot: Snapshot, table: SnapshotTable): Promise<string> {
		return spelled(table.schema, snapshot.read(table, {}))
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.queries[Symbol.asyncDispose]()
		await this.ydb.close()
		await this.emulator.close()
		this.#statements.check()
	}
}

async function spelled({ columns }: TableSchema, chunks: AsyncIterable<RowChunk>): Promise<string> {
	const rows: string[] = []
	for await (const { bytes } of chunks) rows.push(Buffer.from(bytes).toString('hex'))
	return `${columns.map(({ name, type }) => `${name} ${spellType(type)}`).join(', ')}: ${rows.join('')}`
}
