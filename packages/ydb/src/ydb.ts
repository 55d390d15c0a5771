import type { Driver } from '@ydbjs/core'
import type {
	AccountAdmin,
	CallOptions,
	ChangeSink,
	CollectionAdmin,
	ClusterTransfers,
	CollectionSource,
	SnapshotSink,
	SnapshotSource,
} from '@ydbackup/core'
import { createAccountAdmin } from './accounts/account-admin.ts'
import { unlessAborted } from './call/bounded.ts'
import { patiently } from './call/patience.ts'
import { query } from './call/query.ts'
import { Channels } from './connect/channel.ts'
import type { Credentials } from './connect/credentials.ts'
import { normalDatabase, normalEndpoint, type Target } from './connect/target.ts'
import { ByteBudget } from './rows/byte-budget.ts'
import { describeObject } from './objects/describe.ts'
import { findRoot } from './scheme/find-object.ts'
import { walk } from './scheme/walk.ts'
import { createChangeSink } from './changes/change-sink.ts'
import { createCollectionAdmin } from './collections/collection-admin.ts'
import { openCollection } from './collections/collection-source.ts'
import { createTransfers } from './operations/transfers.ts'
import { createSink } from './sink.ts'
import { listDirectory } from './snapshot/copies.ts'
import { openLeftCopies } from './snapshot/left-copies.ts'
import { dropWorkDirectory, reopenSnapshot } from './snapshot/reopen.ts'
import { takeSnapshot } from './snapshot/take.ts'

export interface ConnectOptions extends Target, CallOptions {
	readonly credentials: Credentials
	/** PEM file with the certificates to trust, for `grpcs:`. */
	readonly caFile?: string | undefined
	/** Longest wait for a connection and for the first answer, in milliseconds; 10 s by default. */
	readonly readyTimeoutMs?: number
	/** Bytes that all row streams together may hold; 96 MiB by default. */
	readonly byteBudget?: number
}

/** A connection to one database. */
export interface Ydb extends AsyncDisposable {
	readonly endpoint: string
	readonly database: string
	readonly source: SnapshotSource
	readonly sink: SnapshotSink
	readonly changeSink: ChangeSink
	readonly accounts: AccountAdmin
	/** A backup collection by its bare name; whether it is there is asked later. Errors: `CONFIG_INVALID`. */
	collection(name: string): CollectionSource
	readonly collections: CollectionAdmin
	readonly transfers: ClusterTransfers
	/** What the server says of its version; undefined where it does not say. */
	serverVersion(options?: CallOptions): Promise<string | undefined>
	close(): Promise<void>
}

/** Connects to a database. Errors: `DATABASE_UNREACHABLE`, `DATABASE_UNAUTHENTICATED`, `DATABASE_NOT_FOUND`, `CONFIG_INVALID`; never later than the time-out. */
export async function connect(options: ConnectOptions): Promise<Ydb> {
	const { credentials, caFile, readyTimeoutMs = 10_000, byteBudget = 96 << 20, signal } = options
	const endpoint = normalEndpoint(options.endpoint)
	const database = normalDatabase(options.database)
	const channels = new Channels({ endpoint, database, credentials, caFile, readyTimeoutMs })
	const budget = new ByteBudget(byteBudget)
	let control: Driver
	try {
		control = await channels.connect(signal)
		await channels.probe(control, signal)
	} catch (error) {
		channels[Symbol.dispose]()
		throw error
	}
	let bulk: Promise<Driver> | undefined
	// Rows move on a connection of their own: a long stream must not hold up control calls.
	const openBulk = (): Promise<Driver> =>
		(bulk ??= channels.connect(undefined).catch((error: unknown) => {
			bulk = undefined
			throw error
		}))
	const data = async (by: AbortSignal | undefined): Promise<{ driver: Driver; budget: ByteBudget }> => {
		const doing = `connect to ${endpoint}`
		return { driver: await patiently({ doing, signal: by }, () => unlessAborted(by, openBulk())), budget }
	}
	const close = async (): Promise<void> => channels[Symbol.dispose]()
	const sink = createSink({ control, database, data })
	const collection = (name: string): CollectionSource => openCollection({ control, database, sink, data }, name)
	return {
		endpoint,
		database,
		source: {
			database,
			list: (more) => walk(control, database, more?.signal),
			root: (more) => findRoot(control, database, more),
			describe: (object, more) => describeObject({ control, database }, object, more),
			take: (request) => takeSnapshot({ control, database, data }, request),
			reopen: (left, more) => reopenSnapshot({ control, database, data }, left, more?.signal),
			openCopies: (request) => openLeftCopies({ control, database, data }, request),
			workDirectories: async (prefix, more) =>
				((await listDirectory(control, database, more)) ?? [])
					.map(({ name }) => name)
					.filter((name) => name.startsWith(prefix)),
			dropWorkDirectory: (name, more) => dropWorkDirectory(control, `${database}/${name}`, more?.signal),
		},
		sink,
		accounts: createAccountAdmin({ control, database, sink }),
		collection,
		transfers: createTransfers(control, database),
		collections: createCollectionAdmin(control, database, collection),
		changeSink: createChangeSink({ control, database, data }),
		async serverVersion(more) {
			try {
				const [row] = await query(control, 'SELECT Version() AS version;', {
					doing: 'ask for the version',
					signal: more?.signal,
					budgetMs: 5_000,
					limitMs: 5_000,
				})
				const value = row?.items[0]?.value
				if (value?.case === 'textValue') return value.value
				return value?.case === 'bytesValue' ? Buffer.from(value.value).toString() : undefined
			} catch {
				return undefined
			}
		},
		close,
		[Symbol.asyncDispose]: close,
	}
}
