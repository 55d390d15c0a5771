import type { Repository } from '@ydbackup/catalog'
import type { AccountAdmin, KeyProvider, SnapshotSource } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import type { EventHandler } from '../events/event.ts'
import type { Warning } from '../events/reporter.ts'
import type { Note } from './backup-plan.ts'

export interface BackupOptions {
	readonly source: SnapshotSource
	/** Of an opened repository whose storage makes failed calls again by itself (`retrying` of `@ydbackup/storage`). */
	readonly repository: Repository
	/**
	 * Take what changed since this backup (an id, or `latest`) instead of everything: the difference of two snapshots. What is taken is
	 * what the parent took; paths and patterns cannot be given.
	 */
	readonly parent?: string | undefined
	/** Objects to take with everything below them, absolute or relative to the database. Each must exist. Default: all. */
	readonly paths?: readonly string[] | undefined
	/** Patterns over paths relative to the database (`*` within a name, `**` across names). Default: all. */
	readonly include?: readonly string[] | undefined
	readonly exclude?: readonly string[] | undefined
	/** Kinds of objects, of `KIND_NAMES`. Default: all. */
	readonly kinds?: readonly string[] | undefined
	readonly excludeKinds?: readonly string[] | undefined
	readonly labels?: Readonly<Record<string, string>> | undefined
	/** Default `zstd-1`. */
	readonly compression?: string | undefined
	/**
	 * Encrypt the backup as YDB encrypts its exports, with the first of the keys; the others may be needed to read the parent. Default: no
	 * encryption; an increment of an encrypted backup must be encrypted too.
	 */
	readonly encryption?: BackupEncryption | undefined
	/** Partitions that are read and stored at once. Default 4; never more than the store can serve. */
	readonly concurrency?: number | undefined
	/** Take users, groups, memberships and the rights on the database itself, too, read through this. Default: none. */
	readonly accounts?: AccountAdmin | undefined
	/** Let the server count each table too and compare. Default true; costs a full scan of each table on the server. */
	readonly countRows?: boolean | undefined
	/**
	 * Leave the copies of the row tables in the database, for the next increment to compare with. They take space as the tables change.
	 */
	readonly keepCopy?: boolean | undefined
	/** Say what would be done and do nothing: neither the database nor the storage is written. */
	readonly dryRun?: boolean | undefined
	/** When stopped: drop the copies and delete what was written, instead of keeping both. */
	readonly discardOnInterrupt?: boolean | undefined
	/** The run fails when nothing moves for this long. Default 30 minutes. */
	readonly stallLimitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
	readonly clock?: (() => Date) | undefined
	/** Who makes the backup; stands in the manifest. */
	readonly tool: { readonly name: string; readonly version: string }
}

export interface BackupEncryption {
	readonly keys: readonly KeyProvider[]
	/** `aes-128-gcm`, `aes-256-gcm` or `chacha20-poly1305`. Default: AES of the key's length. */
	readonly algorithm?: string | undefined
}

export interface BackedUpTable {
	/** Relative to the database. */
	readonly path: string
	/** Undefined when the cluster wrote it, and nobody has counted yet. */
	readonly rows: number | undefined
	readonly partitions: number
	/** Bytes as CSV; undefined where that is not known. */
	readonly plainBytes: number | undefined
	readonly storedBytes: number
}

/** An object that is neither table nor directory, or a table's changefeeds. */
export interface BackedUpObject {
	readonly path: string
	readonly kind: string
	/** Names of its changefeeds or rate limiters; in a dry run they are not known. */
	readonly parts: readonly string[]
}

export interface BackupResult {
	/** In a dry run the id that a run would have had; it is not kept free. */
	readonly id: string
	readonly dryRun: boolean
	readonly database: string
	/** In a dry run rows, partitions and bytes are 0: nothing was read. */
	readonly tables: readonly BackedUpTable[]
	/** Read live, not at the moment of the snapshot. Tables are among them that have changefeeds. */
	readonly objects: readonly BackedUpObject[]
	readonly directories: readonly string[]
	/** Undefined for a backup that is not encrypted. */
	readonly encryption: { readonly algorithm: string; readonly keyId: string } | undefined
	/** Where the copy is that it keeps, as an absolute path; undefined when it keeps none, and in a dry run. */
	readonly keptCopy?: string | undefined
	/** Of an increment by comparison: the tables whose former rows were read from the copy that its parent kept. */
	readonly fromCopy?: number | undefined
	/** Ids of the keys that opened what the increment builds upon. */
	readonly keysUsed: readonly string[]
	/** How many were taken; undefined when they were not asked for. In a dry run what there is now. */
	readonly accounts: { readonly users: number; readonly groups: number } | undefined
	/** What was left out, and why. */
	readonly notes: readonly Note[]
	readonly warnings: readonly Warning[]
	/** Undefined as in {@link BackedUpTable}. */
	readonly rows: number | undefined
	readonly plainBytes: number | undefined
	readonly storedBytes: number
	/** Objects on storage, without the manifest. */
	readonly files: number
	readonly elapsedMs: number
	/** As committed; undefined in a dry run. */
	readonly manifest: Manifest | undefined
}
