import type { ProtoText } from '../model/proto-text.ts'
import type { RowChunk } from '../model/row-chunk.ts'
import type { KeyRange, TableSchema } from '../model/table-schema.ts'
import type { CallOptions } from '../storage/storage.ts'
import type { DefinedKind, ObjectDefinition, ObjectPart } from './scheme-object.ts'
import type { ReadRowsOptions, SnapshotTable, SourceObject } from './source.ts'

export interface WriteProgress {
	readonly rows: number
	readonly bytes: number
}

export interface OpenWriterOptions extends CallOptions {
	/** Called when rows are durable in the database, not when they were accepted. */
	readonly onWritten?: (progress: WriteProgress) => void
	/** Called when a request was refused and will be made again. */
	readonly onRetry?: (reason: unknown) => void
}

/**
 * Writes rows into one table. Writing the same row again changes nothing: a write is an upsert of whole rows.
 */
export interface TableWriter {
	/** Accepts a chunk, whose memory is the writer's from then on, and waits when enough is in flight. Throws the error of any earlier chunk. */
	write(chunk: RowChunk): Promise<void>
	/** Resolves when every accepted row is durable; throws the first error. After it the writer is closed. */
	finish(): Promise<void>
	/** Gives up what is not sent yet. */
	abort(reason: unknown): void
}

/** Who reads the changes of a table, and who writes to it. */
export interface TableTies {
	/** Names of its changefeeds, those of replications and backup collections too. */
	readonly changefeeds: readonly string[]
	/** Whether a replication writes to it; nobody else may. */
	readonly isReplica: boolean
	/** Names of its indexes that the server still fills. */
	readonly buildingIndexes: readonly string[]
}

/** A transfer, and the table that it writes to. */
export interface TransferTie {
	/** Relative to the database, as {@link target} is. */
	readonly path: string
	/** Undefined where the server or the user's rights do not tell it. */
	readonly target: string | undefined
}

/**
 * Where full snapshots go: one database. Paths are relative to the database.
 *
 * Demands: a caller drops only what it created itself in the same run.
 */
export interface SnapshotSink {
	readonly database: string

	/** What stands at a path; undefined when nothing does. */
	find(path: string, options?: CallOptions): Promise<SourceObject | undefined>
	/** Creates a directory and its parents; succeeds when it exists. */
	createDirectory(path: string, options?: CallOptions): Promise<void>
	/** Creates a row table from a `Ydb.Table.CreateTableRequest` without path. Errors: `PATH_EXISTS`, `DATABASE_REFUSED`. */
	createTable(path: string, scheme: ProtoText, options?: CallOptions): Promise<void>
	/** The table as it is now, as {@link SnapshotTable} has it. Errors: `PATH_NOT_FOUND`. */
	describeTable(path: string, options?: CallOptions): Promise<SnapshotTable>
	/**
	 * Changes a table by a `Ydb.Table.AlterTableRequest` without path, and follows a long change (an index being built) to its true end.
	 */
	alterTable(path: string, change: ProtoText, options?: CallOptions): Promise<void>
	/** Sets a sequence of a column to continue after `nextValue`; `nextUsed` as in `Ydb.Table.SequenceDescription.SetVal`. */
	setSequence?(path: string, column: string, nextValue: bigint, nextUsed: boolean, options?: CallOptions): Promise<void>
	/** The largest value of a column of whole numbers; undefined where there is none. */
	largestValue?(path: string, column: string, options?: CallOptions): Promise<bigint | undefined>
	/** Applies a `Ydb.Scheme.ModifyPermissionsRequest` without path. */
	setPermissions(path: string, permissions: ProtoText, options?: CallOptions): Promise<void>
	/** Opens a writer; the way of writing is chosen for the table as it is (bulk where the server allows it, statements otherwise). */
	openWriter(path: string, schema: TableSchema, options?: OpenWriterOptions): Promise<TableWriter>
	/** The number of rows as the server counts it. */
	countRows(path: string, options?: CallOptions): Promise<bigint>
	/** As {@link Snapshot.read}, of the live table: the caller sees to it that nobody writes. */
	read(path: string, schema: TableSchema, range: KeyRange, options?: ReadRowsOptions): AsyncIterable<RowChunk>
	/**
	 * What of a request that another tool wrote this sink can send, and the names of the fields and values that it does not know. Absent: it
	 * can send everything.
	 */
	knownPart?(
		request:
			| 'CreateTableRequest'
			| 'ModifyPermissionsRequest'
			| 'CreateTopicRequest'
			| 'CreateNodeRequest'
			| 'CreateResourceRequest'
			| 'ChangefeedDescription'
			| 'DescribeTopicResult',
		tree: ProtoText,
	): { readonly known: ProtoText; readonly unknown: readonly string[] }
	/** What lies directly in a directory, also what a backup passes over; empty when there is no such directory. */
	children(path: string, options?: CallOptions): Promise<readonly SourceObject[]>
	/** What hangs on a table. Errors: `PATH_NOT_FOUND`. */
	describeTies(path: string, options?: CallOptions): Promise<TableTies>
	/** Every transfer of the database that the user may see. */
	transfers(options?: CallOptions): Promise<readonly TransferTie[]>
	/**
	 * Renames tables: all at one moment, or none. A path that one of them leaves may be taken by a later one. Errors: `DATABASE_REFUSED`,
	 * `PATH_NOT_FOUND`, `PATH_EXISTS` when nothing was renamed; after `DATABASE_UNREACHABLE`, `DEADLINE_EXCEEDED` and `INTERRUPTED` nobody knows.
	 */
	renameTables(moves: readonly (readonly [from: string, to: string])[], options?: CallOptions): Promise<void>
	/**
	 * Creates an object. Statements name the object and what it uses by absolute paths, and are sent as they are: who calls has seen to it that they create
	 * that object and do nothing else. Errors: `PATH_EXISTS`, `PATH_NOT_FOUND` for something it needs, `DATABASE_REFUSED`.
	 */
	createObject(path: string, kind: DefinedKind, definition: ObjectDefinition, options?: CallOptions): Promise<void>
	/** Adds a changefeed with its consumers to a table, or a rate limiter to a coordination node. Errors: `PATH_EXISTS`, `DATABASE_REFUSED`. */
	createPart(path: string, part: ObjectPart, options?: CallOptions): Promise<void>
	/** Drops an object with its parts; succeeds when it is gone. */
	dropObject(path: string, kind: DefinedKind, options?: CallOptions): Promise<void>
	/** Drops a table; succeeds when it is gone. */
	dropTable(path: string, options?: CallOptions): Promise<void>
	/** Removes an empty directory; succeeds when it is gone, fails when it is not empty. */
	removeDirectory(path: string, options?: CallOptions): Promise<void>
}
