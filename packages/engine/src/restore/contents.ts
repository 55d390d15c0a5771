import type { Accounts, Storage } from '@ydbackup/core'
import type { Compression } from '@ydbackup/format'

import type { Note } from '../backup/backup-plan.ts'
import type { ChainTable } from '../chain/open-chain.ts'
import type { PathMapping } from '../choose/path-mapping.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import type { StoredDirectory } from '../part/contents.ts'
import type { StoredObject } from '../part/stored-object.ts'
import type { Problem } from './restore-options.ts'
import type { RestoreChoice } from './restore-plan.ts'
import type { RestoreRun } from './restore-run.ts'

/** What is to be restored, checked as far as it can be without the target, from wherever it comes. */
export interface Contents {
	/** The backup, for messages. */
	readonly title: string
	readonly storage: Storage
	/** Of files that do not say their own. */
	readonly compression: Compression
	/** How many backups each row may be put together from. */
	readonly backups: number
	readonly choice: RestoreChoice
	/** All that `choice` has, at least. */
	readonly tables: readonly ChainTable[]
	readonly directories: readonly StoredDirectory[]
	/** All that `choice` has, at least. */
	readonly objects: readonly StoredObject[]
	/** What statements are rewritten by: the database that they are from, and where its paths go. */
	readonly source: { readonly database: string; readonly mapping: PathMapping }
	/** Undefined when it has none. */
	readonly accounts?: Accounts | undefined
	/** Ids of the keys that opened it. */
	readonly keysUsed: readonly string[]
	readonly notes: readonly Note[]
	/** RFC 3339: when the rows were as they are. Undefined when the files do not say it. */
	readonly takenAt?: string | undefined
	/** What is there and will not be restored. */
	readonly problems: readonly Problem[]
	/** Brings tables and rows back in another way than by writing them. */
	readonly fill?: ((run: RestoreRun, stalls: StallWatch) => Promise<void>) | undefined
	/** `fill` brings back also what comes after rows: indexes, sequences, settings, changefeeds, TTLs. */
	readonly fillsAll?: boolean | undefined
}
