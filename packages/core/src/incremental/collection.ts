import type { ProtoText } from '../model/proto-text.ts'
import type { RowChunk } from '../model/row-chunk.ts'
import type { KeyRange } from '../model/table-schema.ts'
import type { ReadRowsOptions, SnapshotSource, SnapshotTable } from '../snapshot/source.ts'
import type { CallOptions } from '../storage/storage.ts'

/** One backup inside a backup collection: a directory that the server made. */
export interface CollectionLink {
	/** The name of its directory, `20250821141425Z_full` or `…_incremental`: names sort as the links follow each other. */
	readonly name: string
	readonly kind: 'full' | 'incremental'
	/** RFC 3339, UTC. The moment of the link is for certain not before `after` and not after `before`. */
	readonly after: string
	readonly before: string
	/** Whose clock `after` and `before` are. */
	readonly clock: 'server' | 'client'
}

/** What stands below a link's directory. */
export interface CollectionContents {
	/**
	 * The tables, in the order of their paths: of a full backup copies, of an increment change tables. `path` is that of the table that
	 * was backed up. The server never changes them once the link is complete.
	 */
	readonly tables: readonly SnapshotTable[]
	/** What the server keeps of an increment for indexes: `path` is the one below the directory, `__ydb_backup_meta/…`. Its RESTORE needs them. */
	readonly indexChanges: readonly SnapshotTable[]
}

/** An object of the database as it is now. */
export interface LiveObject {
	readonly permissions: ProtoText
	/** Undefined for a directory. */
	readonly table: SnapshotTable | undefined
}

/**
 * One backup collection of a database, to read from. All paths are relative to the database. `list` and `describe` speak of the database around
 * it, as it is now.
 */
export interface CollectionSource extends Pick<SnapshotSource, 'list' | 'describe'> {
	readonly name: string
	readonly database: string
	/** The time by the clock that links are named by: the server's, or ours where it does not tell. */
	now(options?: CallOptions): Promise<Date>
	/** All links, in the order of their names. Errors: `PATH_NOT_FOUND` when there is no such collection. */
	links(options?: CallOptions): Promise<readonly CollectionLink[]>
	/** Whether the server has written all of a link: it answers before that. `failed`: it never will. */
	progress(link: CollectionLink, options?: CallOptions): Promise<'complete' | 'running' | 'failed'>
	contents(link: CollectionLink, options?: CallOptions): Promise<CollectionContents>
	/** As {@link Snapshot.read}. */
	read(link: CollectionLink, table: SnapshotTable, range: KeyRange, options?: ReadRowsOptions): AsyncIterable<RowChunk>
	/** The rows of the link's own table as the server counts them. */
	countRows(link: CollectionLink, table: SnapshotTable, options?: CallOptions): Promise<bigint>
	/** What the link's own table takes in the cluster, in bytes, as the server estimates it. */
	storedBytes(link: CollectionLink, table: SnapshotTable, options?: CallOptions): Promise<bigint>
	/** What stands at a path outside of the collection now; undefined when nothing does. */
	live(path: string, options?: CallOptions): Promise<LiveObject | undefined>
	/** Removes a link's directory and everything in it. May be called twice. */
	drop(link: CollectionLink, options?: CallOptions): Promise<void>
}

export interface CollectionSpec {
	/** The bare name. */
	readonly name: string
	/** Paths of row tables, relative to the database. The server takes them as they are and looks for them only at a backup. */
	readonly tables: readonly string[]
	readonly isIncremental: boolean
	/** Leave the changes of indexes out of increments: the server's own RESTORE then builds indexes anew. */
	readonly omitIndexes?: boolean | undefined
}

/** A RESTORE that the server has begun. It cannot be stopped. */
export interface CollectionRestore {
	/** How far it is. `percent` is the server's own word, undefined where it says none; `reason` is there when it failed. */
	progress(options?: CallOptions): Promise<RestoreProgress>
}

export interface RestoreProgress {
	readonly state: 'running' | 'complete' | 'failed'
	readonly percent?: number | undefined
	readonly reason?: string | undefined
}

/**
 * The backup collections of a database, to be made and used. A backup and a restore are not idempotent, so neither is
 * repeated: after `DATABASE_UNREACHABLE` or `DEADLINE_EXCEEDED` it is not known whether one was carried out.
 */
export interface CollectionAdmin {
	readonly database: string
	/** Where the directory of each collection stands, relative to the database. Tables of changes may be made below it, and nowhere else. */
	readonly place: string
	/** Bare names, sorted. */
	names(options?: CallOptions): Promise<readonly string[]>
	/** Errors: `CONFIG_INVALID`. */
	open(name: string): CollectionSource
	/** A lost answer is looked up, as is that of `drop`. Errors: `DATABASE_REFUSED`, also when the name is taken. */
	create(spec: CollectionSpec, options?: CallOptions): Promise<void>
	/** Removes a collection with every link in it. Errors: `PATH_NOT_FOUND`, `DATABASE_REFUSED`. */
	drop(name: string, options?: CallOptions): Promise<void>
	/** Takes a backup inside the cluster. It resolves when the server has begun; see {@link CollectionSource.progress}. */
	backup(name: string, kind: CollectionLink['kind'], options?: CallOptions): Promise<void>
	/**
	 * Begins to bring the newest full backup of a collection and all increments behind it back to the paths of its tables, where nothing may
	 * stand. The server passes over a change table that is missing. A lost answer is looked up: the error is thrown only when nothing was begun,
	 * as far as can be seen. Errors: `DATABASE_REFUSED`, `PATH_NOT_FOUND`, `PATH_EXISTS`.
	 */
	restore(name: string, options?: CallOptions): Promise<CollectionRestore>
}
