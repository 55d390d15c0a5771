import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { AuthServiceDefinition as Auth } from '@ydbjs/api/auth'
import {
	DiscoveryServiceDefinition as Discovery,
	ListEndpointsResultSchema,
	WhoAmIResultSchema,
} from '@ydbjs/api/discovery'
import { ListOperationsResponseSchema, OperationServiceDefinition as Operations } from '@ydbjs/api/operation'
import {
	DescribePathRequestSchema,
	ListDirectoryRequestSchema,
	MakeDirectoryRequestSchema,
	ModifyPermissionsRequestSchema,
	RemoveDirectoryRequestSchema,
	SchemeServiceDefinition as Scheme,
} from '@ydbjs/api/scheme'
import {
	AlterTableRequestSchema,
	CopyTableRequestSchema,
	CopyTablesRequestSchema,
	CreateTableRequestSchema,
	DescribeTableRequestSchema,
	DropTableRequestSchema,
	ReadTableRequestSchema,
	RenameTablesRequestSchema,
	TableServiceDefinition as TableService,
} from '@ydbjs/api/table'
import { createRequire } from 'node:module'
import type { Operation } from '@ydbjs/api/operation'
import { GRPC, GrpcError, STATUS, YdbError } from './error.ts'
import { type Faults, noFaults } from './faults.ts'
import { SchemeTree } from './scheme/tree.ts'
import { Accounts } from './scheme/accounts.ts'
import { AccessControl } from './services/access.ts'
import { Tokens } from './services/auth.ts'
import { rowsOf } from './services/bulk-upsert.ts'
import { asYdbError, failure, operationResponse, success } from './services/envelope.ts'
import type { Changes, Surroundings } from './services/execute.ts'
import type { ControlMethods } from './services/control.ts'
import { coordinationMethods } from './services/coordination.ts'
import { rateLimiterMethods } from './services/rate-limiter.ts'
import { topicMethods } from './services/topic.ts'
import { viewMethods } from './services/view.ts'
import { alterSequence, createObject, dropObject, movedSequences, OBJECT, setSequences } from './services/objects.ts'
import { queryMethods } from './services/query-service.ts'
import { readTable, sendReadError } from './services/read-table.ts'
import { NODE_ID, Sessions } from './services/sessions.ts'
import { addSystemTables } from './services/system-tables.ts'
import { tableQueryMethods } from './services/table-queries.ts'
import { describePath, listDirectory, modifyPermissions } from './services/scheme.ts'
import { alterTable } from './services/alter-table.ts'
import { describeTable } from './services/describe-table.ts'
import { copyTables, createTable, renameTables } from './services/table.ts'
import { Journal } from './store/journal.ts'
import { applyEffects, encodeEffects } from './store/transaction.ts'
import { type Call, type GrpcServer, listen } from './transport/grpc-server.ts'
import { field } from './wire/cursor.ts'

export interface EmulatorOptions {
	/** TCP port; 0 (the default) lets the system choose. */
	readonly port?: number
	/** Address to listen on and to advertise; 127.0.0.1 by default. */
	readonly host?: string
	/** Path of the one database; `/local` by default. */
	readonly database?: string
	/** Where an acknowledged write is kept; in memory only when absent. */
	readonly dataDir?: string
	/** Administrators and their passwords. When given, every call but Login needs a token, and users need rights. */
	readonly auth?: { readonly users: Readonly<Record<string, string>> }
	readonly faults?: Partial<Faults>
}

export interface Emulator extends AsyncDisposable {
	readonly port: number
	/** For example `grpc://127.0.0.1:2136/local`. */
	readonly connectionString: string
	readonly database: string
	/** May be changed while the emulator runs. */
	readonly faults: Faults
	close(): Promise<void>
}

type Unary = (request: Buffer, user: string) => Operation | Promise<Operation>

/** Name of a journal record that holds rows as a commit changed them. */
const ROWS = 'rows'

/** The version of this package. */
export const VERSION: string = (
	createRequire(import.meta.url)('@ydbackup/emulator/package.json') as { version: string }
).version
const DEFAULT_OWNER = 'root@builtin'
const BULK = TableService.bulkUpsert.path
const CONTROL: ControlMethods = { ...topicMethods, ...coordinationMethods, ...rateLimiterMethods, ...viewMethods }
/** Changes that are kept: replayed in order, they make the same database. */
const KEPT = new Set<string>([
	Scheme.makeDirectory.path,
	Scheme.removeDirectory.path,
	Scheme.modifyPermissions.path,
	TableService.createTable.path,
	TableService.alterTable.path,
	TableService.dropTable.path,
	TableService.copyTable.path,
	TableService.copyTables.path,
	TableService.renameTables.path,
	TableService.bulkUpsert.path,
	...Object.keys(CONTROL).filter((path) => CONTROL[path]!.changes),
])
const FALLIBLE = new Set<string>([
	...KEPT,
	TableService.describeTable.path,
	Scheme.listDirectory.path,
	Scheme.describePath.path,
])

class Server implements Emulator {
	readonly #options: EmulatorOptions
	readonly #tree: SchemeTree
	readonly #accounts: Accounts
	readonly #tokens: Tokens
	readonly #access: AccessControl | undefined
	readonly #around: Surroundings
	readonly #waiting = new Set<Promise<void>>()
	readonly #unary: ReadonlyMap<string, Unary>
	#journal: Journal | undefined
	#grpc: GrpcServer | undefined
	readonly faults: Faults
	readonly database: string

	constructor(options: EmulatorOptions) {
		this.#options = options
		this.database = options.database ?? '/local'
		this.faults = { ...noFaults(), ...options.faults }
		this.#tree = new SchemeTree(this.database, DEFAULT_OWNER)
		this.#accounts = new Accounts(options.auth?.users ?? {})
		addSystemTables(this.#tree, this.#accounts)
		this.#tokens = new Tokens(this.database, this.#accounts)
		this.#access = options.auth && new AccessControl(this.#tree, this.#accounts)
		this.#unary = this.#routes()
		const sessions = new Sessions(this.#tree)
		this.#around = {
			tree: this.#tree,
			sessions,
			changes: this.#changes(),
			version: `ydb-emulator ${VERSION}`,
			access: this.#access,
		}
	}

	/** Carries out what a query changes, and keeps it in the order in which it happened. */
	#changes(): Changes {
		return {
			scheme: (method, request, user) => {
				this.#access?.check(method, Buffer.from(request), user)
				void this.#unary.get(method)!(Buffer.from(request), user)
				this.#keep(method, user, request)
			},
			rows: (effects) => {
				if (effects.length === 0) return
				const moved = movedSequences(this.#tree, new Set(effects.map(({ path }) => path)))
				if (moved.length > 0) this.#keep(OBJECT.sequences, '', Buffer.from(JSON.stringify(moved)))
				this.#keep(ROWS, '', encodeEffects(effects))
			},
			kept: async () => void (await Promise.all(this.#waiting)),
		}
	}

	/** Hands a change that has just happened to the journal: in the same turn, so that the journal has the order of the changes. */
	#keep(method: string, user: string, request: Uint8Array): Promise<void> {
		if (!this.#journal) return Promise.resolve()
		const kept = this.#journal.append(method, user, request)
		this.#waiting.add(kept)
		// Who waits for it sees its failure.
		kept.finally(() => this.#waiting.delete(kept)).catch(() => {})
		return kept
	}

	async #replay(method: string, user: string, request: Buffer): Promise<void> {
		if (method === ROWS) applyEffects(this.#tree, request)
		else if (method === TableService.bulkUpsert.path) this.#bulkUpsert(request, true)
		else await this.#unary.get(method)?.(request, user)
	}

	get port(): number {
		return this.#grpc?.port ?? 0
	}

	get #host(): string {
		return this.#options.host ?? '127.0.0.1'
	}

	get connectionString(): string {
		return `grpc://${this.#host}:${this.port}${this.database}`
	}

	async start(): Promise<this> {
		const { dataDir, port = 0 } = this.#options
		if (dataDir !== undefined)
			this.#journal = await Journal.open(dataDir, (method, user, request) => this.#replay(method, user, request))
		this.#grpc = await listen(this.#host, port, (call) => this.#handle(call))
		return this
	}

	async close(): Promise<void> {
		await this.#grpc?.close()
		await this.#journal?.close()
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.close()
	}

	async #handle(call: Call): Promise<void> {
		const user = this.#userOf(call)
		if (call.method === TableService.streamReadTable.path) return this.#streamRead(call, user)
		const query = queryMethods.get(call.method)
		if (query) return query(this.#around, call, user)
		if (call.method === Operations.listOperations.path)
			return call.reply.send(
				toBinary(ListOperationsResponseSchema, create(ListOperationsResponseSchema, { status: STATUS.SUCCESS })),
			)
		const handler = call.method.startsWith('/') ? this.#unary.get(call.method) : undefined
		if (!handler) throw new GrpcError(GRPC.UNIMPLEMENTED, `${call.method} is not emulated`)
		let operation: Operation
		try {
			if (this.faults.unavailableTimes > 0 && FALLIBLE.has(call.method)) {
				this.faults.unavailableTimes--
				throw new YdbError('UNAVAILABLE', 'unavailable (a fault that was asked for)')
			}
			this.#access?.check(call.method, call.request, user)
			if (call.method === TableService.copyTables.path) await this.faults.onCopyTables?.()
			const answer = handler(call.request, user)
			// Changes happen at once and are kept in the same turn.
			const changed = KEPT.has(call.method) && !(call.method === BULK && this.faults.dropBulkUpsertSilently)
			if (changed) await this.#keep(call.method, user, call.request)
			operation = await answer
		} catch (error) {
			operation = failure(asYdbError(error))
		}
		await call.reply.send(operationResponse(operation))
	}

	#userOf(call: Call): string {
		const database = call.headers['x-ydb-database']
		if (typeof database === 'string' && database !== '' && database.replace(/\/+$/, '') !== this.database)
			throw new GrpcError(GRPC.UNAUTHENTICATED, `Unknown database: ${database}`)
		const { auth } = this.#options
		if (!auth || call.method === Auth.login.path) return DEFAULT_OWNER
		const ticket = call.headers['x-ydb-auth-ticket']
		const user = typeof ticket === 'string' ? this.#tokens.userOf(ticket) : undefined
		if (user === undefined)
			throw new GrpcError(
				GRPC.UNAUTHENTICATED,
				typeof ticket === 'string'
					? 'Could not find correct token validator'
					: 'Access without user token is not allowed',
			)
		return user
	}

	async #streamRead({ request, reply }: Call, user: string): Promise<void> {
		try {
			const read = fromBinary(ReadTableRequestSchema, request)
			this.#access?.checkRead(read.path, user)
			await this.faults.onReadTable?.(read.path)
			await readTable(this.#tree.table(read.path), read, this.faults, reply)
		} catch (error) {
			if (error instanceof GrpcError || reply.closed.aborted) throw error
			await sendReadError(asYdbError(error), reply)
		}
	}

	#routes(): Map<string, Unary> {
		const tree = this.#tree
		const done = (work: () => void): Operation => {
			work()
			return success()
		}
		return new Map<string, Unary>([
			[Auth.login.path, (bytes) => this.#tokens.login(bytes)],
			[
				Discovery.listEndpoints.path,
				() => {
					const endpoints = [{ address: this.#host, port: this.port, nodeId: NODE_ID, location: 'local' }]
					return success(
						ListEndpointsResultSchema,
						create(ListEndpointsResultSchema, { endpoints, selfLocation: 'local' }),
					)
				},
			],
			[Discovery.whoAmI.path, (_, user) => success(WhoAmIResultSchema, create(WhoAmIResultSchema, { user }))],
			...[Operations.getOperation.path, Operations.forgetOperation.path, Operations.cancelOperation.path].map(
				(path): [string, Unary] => [
					path,
					() => {
						throw new YdbError('NOT_FOUND', 'Operation not found')
					},
				],
			),

			[
				Scheme.makeDirectory.path,
				(bytes, user) => done(() => tree.makeDirectory(fromBinary(MakeDirectoryRequestSchema, bytes).path, user)),
			],
			[
				Scheme.removeDirectory.path,
				(bytes) => done(() => tree.remove(fromBinary(RemoveDirectoryRequestSchema, bytes).path, 'directory')),
			],
			[Scheme.listDirectory.path, (bytes) => listDirectory(tree, fromBinary(ListDirectoryRequestSchema, bytes).path)],
			[Scheme.describePath.path, (bytes) => describePath(tree, fromBinary(DescribePathRequestSchema, bytes).path)],
			[
				Scheme.modifyPermissions.path,
				(bytes) => done(() => modifyPermissions(tree, fromBinary(ModifyPermissionsRequestSchema, bytes))),
			],

			...[...tableQueryMethods].map(([path, method]): [string, Unary] => [
				path,
				(bytes, user) => method(this.#around, bytes, user),
			]),
			[
				TableService.createTable.path,
				(bytes, user) => done(() => createTable(tree, fromBinary(CreateTableRequestSchema, bytes), user)),
			],
			[
				TableService.alterTable.path,
				(bytes) => done(() => alterTable(tree, fromBinary(AlterTableRequestSchema, bytes))),
			],
			[
				TableService.dropTable.path,
				(bytes) => done(() => tree.remove(fromBinary(DropTableRequestSchema, bytes).path, 'table')),
			],
			[
				TableService.describeTable.path,
				(bytes) => {
					const request = fromBinary(DescribeTableRequestSchema, bytes)
					return describeTable(tree, request, this.faults)
				},
			],
			[
				TableService.copyTable.path,
				(bytes, user) => {
					const { sourcePath, destinationPath } = fromBinary(CopyTableRequestSchema, bytes)
					copyTables(
						tree,
						{ tables: [{ sourcePath, destinationPath, omitIndexes: false } as never] },
						this.faults,
						user,
					)
					return success()
				},
			],
			[
				TableService.copyTables.path,
				(bytes, user) => {
					copyTables(tree, fromBinary(CopyTablesRequestSchema, bytes), this.faults, user)
					return success()
				},
			],
			[
				TableService.renameTables.path,
				(bytes) => {
					renameTables(tree, fromBinary(RenameTablesRequestSchema, bytes))
					return success()
				},
			],
			[TableService.bulkUpsert.path, (bytes) => this.#bulkUpsert(bytes)],
			...Object.entries(CONTROL).map(([path, { run }]): [string, Unary] => [
				path,
				(bytes, user) => run(tree, bytes, user),
			]),
			[OBJECT.create, (bytes, user) => done(() => createObject(tree, JSON.parse(bytes.toString()), user))],
			[OBJECT.alterSequence, (bytes) => done(() => alterSequence(tree, JSON.parse(bytes.toString())))],
			[OBJECT.accounts, (bytes) => done(() => this.#accounts.apply(JSON.parse(bytes.toString())))],
			[OBJECT.drop, (bytes) => done(() => dropObject(tree, JSON.parse(bytes.toString())))],
			[OBJECT.sequences, (bytes) => done(() => setSequences(tree, JSON.parse(bytes.toString())))],
		])
	}

	#bulkUpsert(bytes: Buffer, replayed = false): Operation {
		const all = { start: 0, end: bytes.length }
		const path = field(bytes, all, 0x0a)
		const rows = field(bytes, all, 0x12)
		if (!path) throw new YdbError('BAD_REQUEST', 'the request names no table')
		const table = this.#tree.table(bytes.toString('utf8', path.start, path.end))
		if (!replayed && this.faults.overloadBulkUpsertTimes > 0) {
			this.faults.overloadBulkUpsertTimes--
			throw new YdbError('OVERLOADED', 'overloaded (a fault that was asked for)')
		}
		const refusal = table.bulkRefusal
		if (refusal) throw new YdbError('SCHEME_ERROR', refusal)
		const entries = rows ? rowsOf(table, bytes, rows) : []
		if (replayed || !this.faults.dropBulkUpsertSilently) table.rows.apply(entries)
		return success()
	}
}

export function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
	return new Server(options).start()
}
