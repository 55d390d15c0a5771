import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { AuthServiceDefinition as Auth } from '@ydbjs/api/auth'
import { CoordinationServiceDefinition as Coordination } from '@ydbjs/api/coordination'
import { OperationServiceDefinition as Operations } from '@ydbjs/api/operation'
import { MakeDirectoryRequestSchema, SchemeServiceDefinition as Scheme } from '@ydbjs/api/scheme'
import {
	AlterTableRequestSchema,
	CreateTableRequestSchema,
	ReadTableRequestSchema,
	TableServiceDefinition as TableService,
} from '@ydbjs/api/table'
import { TopicServiceDefinition as Topic } from '@ydbjs/api/topic'
import { createRequire } from 'node:module'
import { setTimeout as setTimer } from 'node:timers'
import { setTimeout } from 'node:timers/promises'
import type { Operation } from '@ydbjs/api/operation'
import { type CollectionChange, Collections } from './collections/collections.ts'
import { answerOperations, type Running } from './collections/operations.ts'
import { answerStoreOperations } from './exports/answers.ts'
import { StoreOperations } from './exports/operations.ts'
import { GRPC, GrpcError, YdbError } from './error.ts'
import { type Faults, noFaults } from './faults.ts'
import { type Control, controlOf } from './control.ts'
import { listenForControl } from './control-server.ts'
import { type Limits, limitsOf } from './limits.ts'
import { Nodes } from './nodes.ts'
import { Partitioner, partitionBySize } from './services/partitions.ts'
import { Troubles } from './troubles.ts'
import { type Node, SchemeTree } from './scheme/tree.ts'
import { Accounts } from './scheme/accounts.ts'
import { AccessControl } from './services/access.ts'
import { Tokens } from './services/auth.ts'
import { asYdbError, failure, operationResponse } from './services/envelope.ts'
import type { Changes, Surroundings } from './services/execute.ts'
import { CONTROL, routesOf, type Unary } from './services/routes.ts'
import { type BulkContext, bulkUpsert } from './services/bulk-call.ts'
import { movedSequences, OBJECT } from './services/objects.ts'
import { queryMethods } from './services/query-service.ts'
import { readTable, sendReadError } from './services/read-table.ts'
import { Sessions } from './services/sessions.ts'
import { tableQueryMethods } from './services/table-queries.ts'
import { DataDirectory } from './store/data-directory.ts'
import type { RowStore } from './store/row-store.ts'
import { addSystemTables } from './services/system-tables.ts'
import { checkPools } from './scheme/storage-pools.ts'
import { applyEffects, encodeEffects } from './store/transaction.ts'
import type { Call, ServerOptions } from './transport/grpc-server.ts'

export interface EmulatorOptions {
	/** TCP port; 0 (the default) lets the system choose. */
	readonly port?: number
	/** Address to listen on; 127.0.0.1 by default. */
	readonly host?: string
	/** Name or address that clients are told to connect to; the one that is listened on by default. */
	readonly advertise?: string
	/** Nodes of the cluster, each with a port of its own; 1 by default. Those after the first have ports that the system chooses. */
	readonly nodes?: number
	/** PEM; clients connect with grpcs:// then. */
	readonly tls?: ServerOptions['tls']
	/** Port on 127.0.0.1 of the control endpoint for tests (HTTP and JSON; see the README); none by default, 0 lets the system choose. */
	readonly controlPort?: number
	/** Other limits than YDB's. */
	readonly limits?: Partial<Limits>
	/** Path of the one database; `/local` by default. */
	readonly database?: string
	/** Where an acknowledged write is kept; in memory only when absent. */
	readonly dataDir?: string
	/** Administrators and their passwords. When given, every call but Login needs a token, and users need rights. */
	readonly auth?: { readonly users: Readonly<Record<string, string>> }
	readonly faults?: Partial<Faults>
	/** PEM of authorities besides those of the system, for the stores of exports and imports. */
	readonly storeCa?: string
	/** Hears what whoever started the emulator should know: a torn write that was cut off, a directory that was converted. */
	readonly onNotice?: (text: string) => void
	/** Hears the text of every query that is to be run, and the name that its client goes by (`x-ydb-application-name`), if any. */
	readonly onQuery?: (text: string, application: string | undefined) => void
	/** A snapshot is written when the journal is larger, and larger than half of the snapshot before; 64 MiB by default. */
	readonly compactAfterBytes?: number
}

export interface Emulator extends AsyncDisposable {
	readonly port: number
	/** For example `grpc://127.0.0.1:2136/local`; the first node. */
	readonly connectionString: string
	readonly database: string
	/** May be changed while the emulator runs. */
	readonly faults: Faults
	/** What happens at once and once. */
	readonly control: Control
	/** Of the control endpoint, if there is one. */
	readonly controlUrl: string | undefined
	close(): Promise<void>
}

/** Name of a journal record that holds rows as a commit changed them. */
const ROWS = 'rows'

/** The version of this package. */
export const VERSION: string = (
	createRequire(import.meta.url)('@ydbackup/emulator/package.json') as { version: string }
).version
const OPERATIONS = Operations.listOperations.path.replace(/[^/]+$/, '')
const json = (value: object): Buffer => Buffer.from(JSON.stringify(value))
const DEFAULT_OWNER = 'root@builtin'
const BULK = TableService.bulkUpsert.path
const CONVERSATIONS = new Set<string>([Topic.streamRead.path, Topic.streamWrite.path, Coordination.session.path])
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
	#journal: DataDirectory | undefined
	readonly #nodes: Nodes
	readonly #troubles: Troubles
	readonly #partitioner = new Partitioner()
	readonly #collections: Collections
	readonly #operations: StoreOperations
	#background: NodeJS.Timeout | undefined
	#closed = false
	#controlServer: Awaited<ReturnType<typeof listenForControl>> | undefined
	readonly control: Control
	readonly faults: Faults
	readonly database: string

	constructor(options: EmulatorOptions) {
		this.#options = options
		this.database = options.database ?? '/local'
		this.faults = { ...noFaults(), ...options.faults }
		this.#tree = new SchemeTree(this.database, DEFAULT_OWNER, limitsOf(options.limits))
		const now = (): number => Date.now() + this.faults.clockOffsetMs
		this.#tree.now = now
		this.#collections = new Collections(this.#tree, this.faults)
		this.#operations = this.#storeOperations(now)
		this.#accounts = new Accounts(options.auth?.users ?? {})
		addSystemTables(this.#tree, this.#accounts)
		this.#tokens = new Tokens(this.database, this.#accounts, now)
		this.#access = options.auth && new AccessControl(this.#tree, this.#accounts)
		const sessions = new Sessions(this.#tree)
		this.#around = {
			tree: this.#tree,
			faults: this.faults,
			sessions,
			changes: this.#changes(),
			version: `ydb-emulator ${VERSION}`,
			nodeId: 1,
			now,
			access: this.#access,
		}
		this.#nodes = new Nodes({
			host: this.#host,
			count: options.nodes ?? 1,
			onCall: (call, nodeId) => this.#handle(call, nodeId),
			onGone: (nodeId) => sessions.endAll(nodeId),
			server: {
				tls: options.tls,
				conversations: CONVERSATIONS,
				chunkBytes: () => this.faults.wireChunkBytes || undefined,
				headers: () => (this.faults.sessionCloseHint ? { 'x-ydb-server-hints': 'session-close' } : {}),
			},
		})
		this.#unary = routesOf({
			...this.#bulk,
			nodes: this.#nodes,
			advertised: this.#advertised,
			isTls: options.tls !== undefined,
			storeCa: options.storeCa,
			tokens: this.#tokens,
			accounts: this.#accounts,
			collections: this.#collections,
			operations: this.#operations,
		})
		this.control = controlOf(this.#tree, this.#nodes, sessions)
		this.#troubles = new Troubles(this.faults, this.control)
	}

	/** Carries out what a query changes, and keeps it in the order in which it happened. */
	#changes(): Changes {
		return {
			scheme: (method, given, user) => {
				this.#check(method, Buffer.from(given), user)
				const request =
					method === OBJECT.collection ? json(this.#collections.prepare(JSON.parse(given.toString()))) : given
				void this.#unary.get(method)!(Buffer.from(request), user)
				this.#keep(method, user, request).catch(() => {})
				if (method === OBJECT.collection) this.#goOn()
			},
			rows: (effects) => {
				if (effects.length === 0) return
				const moved = movedSequences(this.#tree, new Set(effects.map(({ path }) => path)))
				if (moved.length > 0) this.#keep(OBJECT.sequences, '', Buffer.from(JSON.stringify(moved))).catch(() => {})
				this.#keep(ROWS, '', encodeEffects(effects)).catch(() => {})
				for (const { path, writes } of effects) {
					const bytes = writes.flat().reduce((sum, { row }) => sum + (row?.length ?? 0), 0)
					this.#partitioner.wrote(this.#tree.table(path), bytes)
				}
			},
			kept: async () => void (await Promise.all(this.#waiting)),
		}
	}

	#storeOperations(now: () => number): StoreOperations {
		const keep = (method: string, user: string, request: Uint8Array): void => {
			this.#keep(method, user, request).catch(() => {})
		}
		const carryOut = (method: string, given: Uint8Array, user: string): void => {
			const request = Buffer.from(given)
			this.#check(method, request, user)
			void this.#unary.get(method)!(request, user)
			keep(method, user, request)
		}
		return new StoreOperations({
			tree: this.#tree,
			faults: this.faults,
			ca: this.#options.storeCa,
			mayRead: (user, path) => this.#access?.mayRead(user, path) ?? true,
			now,
			change: (change) => carryOut(OBJECT.operation, json(change), DEFAULT_OWNER),
			scheme: carryOut,
			directory: (path, user) =>
				carryOut(
					Scheme.makeDirectory.path,
					toBinary(MakeDirectoryRequestSchema, create(MakeDirectoryRequestSchema, { path })),
					user,
				),
			removeAll: (path) => carryOut(OBJECT.removeAll, json({ path }), DEFAULT_OWNER),
			rows: (effects) => keep(ROWS, '', encodeEffects(effects)),
		})
	}

	#check(method: string, request: Buffer, user: string): void {
		this.#access?.check(method, request, user)
		if (method === TableService.createTable.path)
			checkPools(fromBinary(CreateTableRequestSchema, request), this.faults.storagePools)
		if (method !== TableService.alterTable.path) return
		const alteration = fromBinary(AlterTableRequestSchema, request)
		const { alterStorageSettings, addColumnFamilies, alterColumnFamilies } = alteration
		const columnFamilies = [...addColumnFamilies, ...alterColumnFamilies]
		checkPools({ storageSettings: alterStorageSettings, columnFamilies }, this.faults.storagePools)
		const { path, addColumns, dropColumns, alterColumns, addIndexes, dropIndexes, renameIndexes } = alteration
		const ofScheme = [addColumns, dropColumns, alterColumns, addIndexes, dropIndexes, renameIndexes]
		if (ofScheme.some(({ length }) => length > 0)) this.#collections.checkAlter(path)
	}

	/** Work that goes on after its statement was answered: one step of each operation at a time. */
	#goOn(): void {
		if (this.#background || this.#closed || this.#collections.operations.running().length === 0) return
		this.#background = setTimer(() => {
			this.#background = undefined
			if (!this.faults.stuckOperations)
				for (const operation of this.#collections.operations.running()) this.#step(operation)
			this.#goOn()
		}, this.faults.operationDelayMs)
	}

	#step(operation: Running): void {
		const { txId } = operation
		const change = (what: CollectionChange): void => {
			this.#collections.apply(what, DEFAULT_OWNER)
			this.#keep(OBJECT.collection, DEFAULT_OWNER, json(what)).catch(() => {})
		}
		if (this.faults.failOperations > 0) {
			this.faults.failOperations--
			return change({
				kind: 'end',
				txId,
				failure: `Non-retriable failure of the operation (a fault that was asked for)`,
			})
		}
		if (operation.done === operation.total) return change({ kind: 'end', txId })
		const worked = this.#collections.work(operation)
		if ('failure' in worked) return change({ kind: 'end', txId, failure: worked.failure })
		if (worked.effects.length > 0) this.#keep(ROWS, '', encodeEffects(worked.effects)).catch(() => {})
		change({ kind: 'step', txId })
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
		else if (method === TableService.bulkUpsert.path) bulkUpsert(this.#bulk, request, true)
		else await this.#unary.get(method)?.(request, user)
	}

	#tables(): Map<string, RowStore> {
		const found = new Map<string, RowStore>()
		const walk = (path: string, { table, children }: Node): void => {
			if (table) found.set(path, table.rows.snapshot())
			for (const [name, child] of children) walk(`${path}/${name}`, child)
		}
		walk(this.database, this.#tree.root)
		return found
	}

	get #bulk(): BulkContext {
		return { tree: this.#tree, faults: this.faults, partitioner: this.#partitioner }
	}

	get port(): number {
		return this.#nodes.portOf(1)
	}

	get #host(): string {
		return this.#options.host ?? '127.0.0.1'
	}

	get connectionString(): string {
		return `${this.#options.tls ? 'grpcs' : 'grpc'}://${this.#advertised}:${this.port}${this.database}`
	}

	get #advertised(): string {
		return this.#options.advertise ?? this.#host
	}

	get controlUrl(): string | undefined {
		return this.#controlServer?.url
	}

	async start(): Promise<this> {
		const { dataDir, port = 0 } = this.#options
		if (dataDir !== undefined)
			this.#journal = await DataDirectory.open(
				dataDir,
				{
					changesRows: (method) => method === ROWS || method === BULK,
					replay: (method, user, request) => this.#replay(method, user, request),
					addLeaves: (path, leaves) => this.#tree.table(path).rows.addLeaves(leaves),
					tables: () => this.#tables(),
					say: this.#options.onNotice ?? (() => {}),
				},
				this.#options.compactAfterBytes,
			)
		try {
			this.#goOn()
			this.#operations.resume()
			for (const path of this.#tables().keys()) partitionBySize(this.#tree.table(path))
			await this.#nodes.startAll(port)
			const { controlPort } = this.#options
			if (controlPort !== undefined) this.#controlServer = await listenForControl(controlPort, this)
		} catch (error) {
			await this.close()
			throw error
		}
		return this
	}

	async close(): Promise<void> {
		this.#closed = true
		clearTimeout(this.#background)
		await this.#operations.close()
		await this.#controlServer?.close()
		await this.#nodes.close()
		await this.#journal?.close()
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.close()
	}

	async #handle(given: Call, nodeId: number): Promise<void> {
		const user = this.#userOf(given)
		const call = await this.#troubles.meet(given, nodeId)
		if (!call) return
		if (KEPT.has(call.method) && this.faults.delayOperationsMs > 0 && call.method !== BULK)
			await setTimeout(this.faults.delayOperationsMs)
		const application = call.headers['x-ydb-application-name']
		const heard = (text: string): void => this.#options.onQuery?.(text, application?.toString())
		await this.#answer(call, { ...this.#around, nodeId, heard }, user)
		this.#troubles.answered(call)
	}

	async #answer(call: Call, around: Surroundings, user: string): Promise<void> {
		if (call.method === TableService.streamReadTable.path) return this.#streamRead(call, user)
		const query = queryMethods.get(call.method)
		if (query) return query(around, call, user)
		if (call.method.startsWith(OPERATIONS)) {
			const answer =
				answerStoreOperations(this.#operations, call.method, call.request, this.faults) ??
				answerOperations(this.#collections.operations, call.method, call.request, (txId) => {
					const change: CollectionChange = { kind: 'forget', txId }
					this.#collections.apply(change, user)
					this.#keep(OBJECT.collection, user, json(change)).catch(() => {})
				})
			if (answer) return call.reply.send(answer)
		}
		const ofTables = tableQueryMethods.get(call.method)
		const handler: Unary | undefined = ofTables
			? (bytes, who) => ofTables(around, bytes, who)
			: call.method.startsWith('/')
				? this.#unary.get(call.method)
				: undefined
		if (!handler) throw new GrpcError(GRPC.UNIMPLEMENTED, `${call.method} is not emulated`)
		let operation: Operation
		try {
			if (this.faults.unavailableTimes > 0 && FALLIBLE.has(call.method)) {
				this.faults.unavailableTimes--
				throw new YdbError('UNAVAILABLE', 'unavailable (a fault that was asked for)')
			}
			this.#check(call.method, call.request, user)
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
}

export function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
	return new Server(options).start()
}
