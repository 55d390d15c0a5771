import type { ProtoText } from '../model/proto-text.ts'
import type { RowChunk } from '../model/row-chunk.ts'
import type { KeyRange, TableSchema } from '../model/table-schema.ts'
import type { CallOptions } from '../storage/storage.ts'
import type { DefinedKind, SchemeObject } from './scheme-object.ts'

/** What a path of a database is. `unknown` is a kind that this version does not know; it is named to the user, never skipped in silence. */
export type ObjectKind =
	| 'directory'
	| 'row-table'
	| 'column-table'
	| 'view'
	| 'topic'
	| 'sequence'
	| 'coordination-node'
	| 'replication'
	| 'transfer'
	| 'external-table'
	| 'external-data-source'
	| 'resource-pool'
	| 'backup-collection'
	| 'unknown'

/** An object as the scheme walk finds it. */
export interface SourceObject {
	/** Relative to the database, without a leading slash: `dir/table`. The database itself is the empty string. */
	readonly path: string
	readonly kind: ObjectKind
	/** The kind as the server spells or numbers it, for messages about kinds we cannot take. */
	readonly serverKind: string
	/** Owner and explicit grants, read live, as `Ydb.Scheme.ModifyPermissionsRequest` without path: first `change_owner`, then one `grant` per entry. */
	readonly permissions: ProtoText
	/** Tells an object from every other one that stood, or will stand, at its path: opaque. Undefined where the server does not say. */
	readonly identity?: string | undefined
}

/** A table as it stands in a snapshot: frozen when the snapshot was taken. */
export interface SnapshotTable {
	/** The path of the table that was copied, relative to the database. */
	readonly path: string
	/**
	 * `Ydb.Table.CreateTableRequest` without path, as YDB's own backups write it: settings of the original (TTL, automatic
	 * partitioning, indexes, attributes), partition bounds (`partition_at_keys`) and sequence values of the copy.
	 */
	readonly scheme: ProtoText
	readonly schema: TableSchema
	/** One per partition, in key order, without gaps: together every key. Each becomes one data file. */
	readonly ranges: readonly KeyRange[]
}

/** A copy that a snapshot made, so that another process can find it again. */
export interface SnapshotCopy {
	/** Of the table that was copied, relative to the database. */
	readonly path: string
	/** Of the copy, within the work directory. */
	readonly name: string
	/** As {@link SourceObject.identity}. */
	readonly identity: string
}

/** What is known of a snapshot that another process took and left. */
export interface LeftSnapshot extends Pick<Snapshot, 'workDirectory' | 'after' | 'before' | 'clock' | 'tables'> {
	readonly copies: readonly SnapshotCopy[]
}

export interface SnapshotRequest extends CallOptions {
	/** Paths of row tables, relative to the database. */
	readonly tables: readonly string[]
	/** Paths of column tables, which cannot be copied: they are read in one transaction. */
	readonly columnTables?: readonly string[] | undefined
	/** Where the source may keep what it must copy, relative to the database; it does not exist yet. */
	readonly workDirectory: string
}

export interface ReadRowsOptions extends CallOptions {
	/** Called when a broken stream was opened again after the last key that had been handed on. */
	readonly onRestart?: (reason: unknown) => void
	/** Reads that have it in common are read in turns by one reader: none of them waits for memory while another one holds some. */
	readonly inTurns?: object | undefined
	/** False where the reader checks itself that rows rise within a chunk; that chunks rise is checked all the same. */
	readonly isEachChecked?: boolean | undefined
}

/**
 * A consistent, frozen view of some tables: all row tables at one moment between `after` and `before`, and all column tables at another
 * one between them.
 *
 * Promises: what `tables` say does not change while the snapshot is open, whatever happens to the originals (dropped, altered,
 * split, TTL). Row tables survive the process: they end only with {@link drop}. Column tables last as long as their transaction, and reading
 * them fails with `DATABASE_UNREACHABLE` when it is gone.
 */
export interface Snapshot {
	/** Empty when nothing had to be copied. */
	readonly workDirectory: string
	/** RFC 3339, UTC, microseconds. The exact moment of the snapshot is not known; it is not before `after` and not after `before`. */
	readonly after: string
	readonly before: string
	/** Whose clock `after` and `before` are. */
	readonly clock: 'server' | 'client'
	readonly tables: readonly SnapshotTable[]
	/** Absent when the snapshot cannot be opened again by {@link SnapshotSource.reopen}. */
	readonly copies?: readonly SnapshotCopy[] | undefined

	/**
	 * The rows of one key range, in key order, with back-pressure: nothing is read ahead beyond the connection's byte budget.
	 * Keys rise strictly and lie in the range, else `ROWS_OUT_OF_ORDER` naming table and key. A broken stream is opened again after
	 * the last row handed on, within a time budget; then `DATABASE_UNREACHABLE`. It may be called again, also at the same time:
	 * it yields the same rows, though perhaps in other chunks. Chunks are the reader's own.
	 */
	read(table: SnapshotTable, range: KeyRange, options?: ReadRowsOptions): AsyncIterable<RowChunk>
	/** The number of rows as the server counts it, by another way than `read`. */
	countRows(table: SnapshotTable, options?: CallOptions): Promise<bigint>
	/** Removes everything that taking the snapshot created, and nothing else. May be called twice. */
	drop(options?: CallOptions): Promise<void>
	/** Ends the snapshot and leaves its copies where they are. May be called twice. */
	leave(): Promise<void>
}

/**
 * Copies that a snapshot left, as tables that can be read. Nobody promises that they hold what was copied; of the order of their rows no more is
 * checked than that every chunk stands behind the one before.
 */
export type LeftCopies = Pick<Snapshot, 'tables' | 'read'>

export interface LeftCopiesRequest extends CallOptions {
	readonly workDirectory: string
	/** The row tables that were copied, all of them and in the order of {@link SnapshotRequest.tables}, with their columns at that time. */
	readonly tables: readonly Pick<SnapshotTable, 'path' | 'schema'>[]
}

/** Where full snapshots come from: one database. */
export interface SnapshotSource {
	/** The path of the database, for example `/local`. */
	readonly database: string
	/**
	 * Every object below the database, a parent before its children, siblings in order of their bytes. Left out without notice:
	 * what is never a user's (`.sys`, `.metadata`, `.tmp`, `.backups`, names starting with `~`, `export-*` at the root).
	 */
	list(options?: CallOptions): AsyncIterable<SourceObject>
	/** The database itself, which {@link list} leaves out: its path is empty. */
	root(options?: CallOptions): Promise<SourceObject>
	/**
	 * Reads an object's definition and parts, live. Errors: `PATH_NOT_FOUND` for one that is gone, `UNSUPPORTED` where the server does not
	 * tell definitions of that kind, `DATABASE_PERMISSION`.
	 */
	describe(
		object: { readonly path: string; readonly kind: DefinedKind | 'row-table' },
		options?: CallOptions,
	): Promise<SchemeObject>
	/**
	 * Takes one consistent snapshot of row tables. Errors: `PATH_NOT_FOUND` or `SCHEMA_CHANGED` naming the table that was dropped or
	 * altered meanwhile, `TYPE_UNKNOWN` naming table and column, `TOO_MANY_TABLES`. After an error nothing is left in the database.
	 */
	take(request: SnapshotRequest): Promise<Snapshot>
	/** Opens a snapshot again that another process took and left. Errors: `COPIES_GONE` when it is not there any more, or is not the very same. */
	reopen(left: LeftSnapshot, options?: CallOptions): Promise<Snapshot>
	/**
	 * Opens copies that a snapshot {@link Snapshot.leave left}, by what was copied alone. Errors: `COPIES_GONE` when one is not there, or has other
	 * columns or another key.
	 */
	openCopies(request: LeftCopiesRequest): Promise<LeftCopies>
	/** Work directories of snapshots, those whose names begin so, relative to the database. */
	workDirectories(prefix: string, options?: CallOptions): Promise<readonly string[]>
	/** Removes the work directory of a snapshot with all copies in it; succeeds when it is gone. */
	dropWorkDirectory(workDirectory: string, options?: CallOptions): Promise<void>
}
