import type { Repository } from '@ydbackup/catalog'
import type { CallOptions, KeyProvider } from '@ydbackup/core'

import type { Note } from '../backup/backup-plan.ts'
import type { EventHandler } from '../events/event.ts'
import type { Warning } from '../events/reporter.ts'

/**
 * An empty directory to be filled. Paths are relative, divided by slashes; names are those of the database's objects.
 *
 * Promises: nothing that exists is overwritten or followed: a second file or directory of a name is an error. A file is durable when
 * `writeFile` resolves, and everything in a directory when a file in it was removed.
 */
export interface DumpTarget {
	readonly location: string
	/** Creates the directory itself. Errors: `STORAGE_ALREADY_EXISTS` for one that holds anything. */
	prepare(): Promise<void>
	makeDirectory(path: string): Promise<void>
	/** Takes pieces one by one, with back-pressure. */
	writeFile(
		path: string,
		pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
		options?: CallOptions,
	): Promise<void>
	removeFile(path: string): Promise<void>
}

export interface ExportDumpOptions {
	readonly repository: Repository
	/** An id, or `latest`. */
	readonly id: string
	readonly target: DumpTarget
	/** See `RestoreOptions`. */
	readonly keys?: readonly KeyProvider[] | undefined
	/** Patterns over paths of the backup; see {@link BackupOptions.include}. */
	readonly include?: readonly string[] | undefined
	readonly exclude?: readonly string[] | undefined
	/** Kinds of objects, of `KIND_NAMES`. Default: all. */
	readonly kinds?: readonly string[] | undefined
	readonly excludeKinds?: readonly string[] | undefined
	/** Keep the names of storage pools in schemes, which another cluster may not have. */
	readonly preservePoolKinds?: boolean | undefined
	/** Write a dump of the whole database: users, groups and the rights on it, too. The backup must have them. */
	readonly database?: boolean | undefined
	/** Tables that are written at once. Default 4; never more than the store can serve. */
	readonly concurrency?: number | undefined
	/** A data file that has become longer is closed, and the next one begins. Default 128 MiB, as `ydb tools dump`. */
	readonly fileBytes?: number | undefined
	/** The run fails when no row moves for this long. Default 30 minutes. */
	readonly stallLimitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
}

export interface ExportedTable {
	/** Of the object, and of its folder in the directory. */
	readonly path: string
	readonly rows: number
	readonly bytes: number
	readonly files: number
}

export interface ExportDumpResult {
	readonly id: string
	readonly layout: 'dump'
	readonly location: string
	readonly tables: readonly ExportedTable[]
	readonly objects: readonly { readonly path: string; readonly kind: string }[]
	readonly directories: readonly string[]
	/** Ids of the keys that opened it; empty when it is not encrypted. */
	readonly keysUsed: readonly string[]
	/** What the backup left out, and what of it a dump cannot hold. */
	readonly notes: readonly Note[]
	readonly warnings: readonly Warning[]
	readonly rows: number
	/** Of data files. */
	readonly bytes: number
	readonly elapsedMs: number
}
