import type { Repository } from '@ydbackup/catalog'
import type { CollectionSource, ErrorCode } from '@ydbackup/core'

import type { BackupEncryption } from '../backup/backup-options.ts'
import type { EventHandler } from '../events/event.ts'
import type { Warning } from '../events/reporter.ts'

export interface ShipOptions {
	readonly source: CollectionSource
	/** See `BackupOptions`. */
	readonly repository: Repository
	readonly tool: { readonly name: string; readonly version: string }
	readonly labels?: Readonly<Record<string, string>> | undefined
	/** See `BackupOptions`: each link is encrypted; the other keys may be needed to read the link before. */
	readonly encryption?: BackupEncryption | undefined
	/** Default `zstd-1`. */
	readonly compression?: string | undefined
	readonly concurrency?: number | undefined
	readonly countRows?: boolean | undefined
	/** Say what would be shipped, and ship nothing. */
	readonly dryRun?: boolean | undefined
	/** How long a link that the server has not finished is waited for. Default 10 minutes. */
	readonly waitMs?: number | undefined
	readonly stallLimitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
	readonly clock?: (() => Date) | undefined
}

export interface ShippedLinkResult {
	/** The name of the link's directory. */
	readonly link: string
	readonly kind: 'full' | 'incremental'
	/**
	 * `present`: the newest link that was in the repository before this run; `earlier`: older than that one, so an earlier run has shipped
	 * or refused it, and this one did not look. `shipped`: by this run; `planned` instead in a dry run.
	 * `running`: the server has not finished it. `refused`: it cannot be a link of a chain; {@link reason} says why.
	 */
	readonly state: 'earlier' | 'present' | 'shipped' | 'planned' | 'running' | 'refused'
	/** The backup that it became; undefined where this run did not look. */
	readonly id?: string | undefined
	readonly tables: number
	readonly rows: number
	readonly plainBytes: number
	readonly storedBytes: number
	/** Tables whose changes contradict themselves: the link is kept, and these tables cannot be restored from here on. */
	readonly suspects: readonly { readonly path: string; readonly reason: string }[]
	readonly reason?:
		| { readonly code: ErrorCode; readonly message: string; readonly advice?: string | undefined }
		| undefined
}

export interface ShipResult {
	readonly collection: string
	readonly database: string
	readonly dryRun: boolean
	/** `partial` when a link is running, refused, or suspect. */
	readonly outcome: 'complete' | 'partial'
	/** Every link that stands in the cluster, oldest first. */
	readonly links: readonly ShippedLinkResult[]
	/** Ids of the keys that opened backups. */
	readonly keysUsed: readonly string[]
	readonly warnings: readonly Warning[]
	readonly elapsedMs: number
}
