import type { Repository } from '@ydbackup/catalog'
import type { AccountAdmin, CollectionAdmin, KeyProvider, SnapshotSink, Storage } from '@ydbackup/core'

import type { RestoredAccounts } from '../accounts/plan-accounts.ts'
import type { Note } from '../backup/backup-plan.ts'
import type { ClusterRestore } from '../cluster/fill-by-import.ts'
import type { EventHandler } from '../events/event.ts'
import type { Warning } from '../events/reporter.ts'

export interface RestoreOptions extends RestoreSettings {
	readonly repository: Repository
	/** An id, or `latest`. */
	readonly id: string
	/**
	 * Import the chain into a backup collection of this database and let its own RESTORE put it together, instead of doing it here. The rows
	 * are compared in any case. What RESTORE cannot do is refused: `CONFIG_INVALID`, `UNSUPPORTED`.
	 */
	readonly native?: CollectionAdmin | undefined
	/**
	 * Let the cluster import the tables from where they lie, instead of writing rows here. Counts are compared in any case. What an import
	 * cannot do is refused: `CONFIG_INVALID`, `UNSUPPORTED`, `CLUSTER_CANNOT_REACH`.
	 */
	readonly cluster?: ClusterRestore | undefined
}

export interface RestoreFromOptions extends RestoreSettings {
	/** Where the files lie. It is only read. */
	readonly storage: Storage
	/** What a single object at the place itself is called: the last name of the location. */
	readonly name: string
}

export interface RestoreSettings {
	readonly sink: SnapshotSink
	/** Keys of encrypted backups; each backup of a chain may have its own. They are asked for only when one is needed. */
	readonly keys?: readonly KeyProvider[] | undefined
	/** Everything goes below this path of the target. Default: to the paths it came from. */
	readonly to?: string | undefined
	/** Pairs of source and target path, stronger than `to`; the longest source wins. */
	readonly map?: readonly (readonly [from: string, to: string])[] | undefined
	/** Patterns over paths of the backup; see {@link BackupOptions.include}. */
	readonly include?: readonly string[] | undefined
	readonly exclude?: readonly string[] | undefined
	/** Kinds of objects, of `KIND_NAMES`. Default: all. */
	readonly kinds?: readonly string[] | undefined
	readonly excludeKinds?: readonly string[] | undefined
	/** Give the database itself the owner and the grants that the backup has of its own. Nothing is taken from anybody. */
	readonly rootAcl?: boolean | undefined
	/**
	 * What to do about tables that exist. `fail`: refuse before anything is written; with `dataOnly`, refuse tables that hold rows.
	 * `merge`: write the backup's rows over them; rows with other keys stay. Their scheme and rights are left alone. `replace`: a new table is
	 * made and proven beside each, takes its name, all at one moment, and the former tables are dropped last. With both every other object that exists is left as it is.
	 */
	readonly existing: 'fail' | 'merge' | 'replace'
	/** Write into tables that have changefeeds, which tell their readers of every row, or that transfers write to. */
	readonly allowDownstreamEvents?: boolean | undefined
	/** Directories and tables without rows. */
	readonly schemeOnly?: boolean | undefined
	/** Rows into tables that are there already. */
	readonly dataOnly?: boolean | undefined
	/**
	 * Leave out owners and grants. Without it a grant or owner that the database refuses makes the outcome `partial`, and a refusal to
	 * shut a table off from its directory's rights stops the run before the table has a row.
	 */
	readonly noAcl?: boolean | undefined
	/** Restore users, groups, memberships and the rights on the database itself, too, through this. Default: none. */
	readonly accounts?: AccountAdmin | undefined
	/** `keep` switches TTLs on at the end; `off` leaves them off. Default `keep`. */
	readonly ttl?: 'keep' | 'off' | undefined
	/**
	 * What to do about settings of storage (pools, families, compression, external blobs, read replicas). `adapt`: what the database refuses is
	 * left out and named in `problems`. `keep`: a refusal ends the run. `drop`: the database's own settings for all tables. Default `adapt`.
	 */
	readonly storageSettings?: 'adapt' | 'keep' | 'drop' | undefined
	/** Read every restored table back and compare all of its rows. */
	readonly verifyData?: boolean | undefined
	/** Go on although files are damaged that only YDB's own import needs. */
	readonly acceptNativeDamage?: boolean | undefined
	/**
	 * Say what would be done; everything is checked and nothing written. Fails where the restore would refuse. Rows of tables with a TTL are read, to
	 * count those that it would delete at once.
	 */
	readonly dryRun?: boolean | undefined
	/** Data files that are read and written at once. Default 4; never more than the store can serve. */
	readonly concurrency?: number | undefined
	/**
	 * What to do about a restore to the same places that did not end. `resume`: go on with it, when the same is asked for, and begin where there is
	 * none. `restart`: drop its tables that are not complete, and begin anew. Default `refuse`.
	 */
	readonly unfinished?: 'refuse' | 'resume' | 'restart' | undefined
	/** How many bytes of rows of a chain's table are written before it is noted how far they go. Default 64 MiB. */
	readonly noteEveryBytes?: number | undefined
	/** A process of which nothing is known is taken for dead when it gives no sign of life for this long. Default 35 seconds. */
	readonly silenceMs?: number | undefined
	/** The run fails when no row moves for this long while rows are written. Default 30 minutes. */
	readonly stallLimitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
}

export interface RestoredTable {
	/** In the backup, relative to its database. */
	readonly path: string
	/** Relative to the target database. */
	readonly target: string
	readonly action: 'create' | 'merge' | 'fill' | 'replace'
	/** Undefined in a dry run of files that another tool wrote: nobody has counted them. */
	readonly rows: number | undefined
	readonly plainBytes: number | undefined
	readonly partitions: number
	readonly indexes: readonly string[]
	/** Names of changefeeds that are (or in a dry run: would be) added. */
	readonly changefeeds: readonly string[]
	/** Whether a TTL is (or in a dry run: would be) switched on. */
	readonly ttl: boolean
	/** In a dry run: rows that the TTL, the backup's or that of a table that exists, would delete at once. Undefined where there is none. */
	readonly expired: number | undefined
	/** What it asks of the cluster's storage; empty when that was dropped, and for tables that existed. */
	readonly storage: readonly string[]
	/** Whether all rows were read back and compared. */
	readonly isCompared: boolean
}

export interface RestoredDirectory {
	readonly path: string
	readonly target: string
	readonly action: 'create' | 'exists'
}

/** An object that is neither table nor directory. */
export interface RestoredObject {
	readonly path: string
	readonly target: string
	readonly kind: string
	/** `refused`: see the problem of that path. */
	readonly action: 'create' | 'exists' | 'refused'
	/** Names of its rate limiters. */
	readonly parts: readonly string[]
	/** Names of secrets that it needs, which are in no backup. */
	readonly secrets: readonly string[]
}

/** Something that was not restored although it should have been. */
export interface Problem {
	/** Relative to the target database. */
	readonly path: string
	readonly message: string
}

export interface RestoreResult extends RestoreOutcome {
	readonly id: string
	/** Who put the rows together: we, or the cluster's own RESTORE. */
	readonly method: 'apply' | 'native'
	/** Who wrote the rows. */
	readonly engine: 'client' | 'cluster'
}

export interface RestoreFromResult extends RestoreOutcome {
	readonly from: {
		/** What was found: files of `ydb tools dump`, or of an export by the cluster. */
		readonly layout: 'dump' | 'export'
		readonly location: string
	}
}

export interface RestoreOutcome {
	readonly dryRun: boolean
	readonly database: string
	/** `partial` when the rows that were found are there and something else is not: see `problems`. */
	readonly outcome: 'complete' | 'partial'
	readonly problems: readonly Problem[]
	readonly tables: readonly RestoredTable[]
	readonly directories: readonly RestoredDirectory[]
	/** In the order in which they were created. */
	readonly objects: readonly RestoredObject[]
	/** Undefined when they were not asked for. */
	readonly accounts: RestoredAccounts | undefined
	/** The restore that was gone on with, and the data files that it had brought back; undefined for one that began anew. */
	readonly resumed?: { readonly startedAt: string; readonly parts: number } | undefined
	/** Ids of the keys that opened it; empty when it is not encrypted. */
	readonly keysUsed: readonly string[]
	/** What the backup itself left out. */
	readonly notes: readonly Note[]
	readonly warnings: readonly Warning[]
	readonly rows: number
	readonly plainBytes: number
	readonly storedBytes: number
	readonly elapsedMs: number
}
