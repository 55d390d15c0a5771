import type { KeyBytes, ProtoText, SnapshotSink, Storage } from '@ydbackup/core'
import type { Compression } from '@ydbackup/format'

import type { AccountWork } from '../accounts/restore-accounts.ts'
import type { Note } from '../backup/backup-plan.ts'
import type { ChainTable } from '../chain/open-chain.ts'
import type { Progress } from '../checkpoint/progress.ts'
import type { Meter } from '../events/meter.ts'
import type { Reporter } from '../events/reporter.ts'
import type { StoredDirectory, StoredTable } from '../part/contents.ts'
import type { RowFacts } from '../part/read-part.ts'
import type { ExpectedRows } from './compare-rows.ts'
import type { Replacement } from './replacement.ts'
import type { StoredObject } from '../part/stored-object.ts'
import type { PlannedObject } from './order-objects.ts'
import type { Problem, RestoreSettings } from './restore-options.ts'

/**
 * How far a table is: what is dropped after a failure depends on it. `creating`: the server was asked and has not answered.
 * `created`: by this run, rows incomplete. `filled`: every row is there and was counted. `finished`: all else too.
 */
export type TableStage = 'waiting' | 'creating' | 'created' | 'filled' | 'finished'

export interface TableWork {
	readonly stored: StoredTable
	/** Where its rows come from. */
	readonly chain: ChainTable
	readonly target: string
	/** Where the table of this run is now: at its target, or beside it until it takes the place of the former one. */
	place: string
	/** What stood there before the run and is written to, which this run never drops. */
	readonly existed: boolean
	/** Undefined when there is nothing that it replaces. */
	readonly replaces: Replacement | undefined
	/** The rows that it must have, and their hash: those of {@link stored}, or what a chain gave that knows changes alone. */
	expected: ExpectedRows
	stage: TableStage
	/** It was made by this run, as far as anybody can tell, and nothing else was done to it. */
	isThere: boolean
	/** See `SourceObject.identity`; undefined until it is known. */
	identity: string | undefined
	/** Names of its changefeeds that are there. */
	readonly createdParts: string[]
	isCompared: boolean
	/** Rows that its TTL would delete at once, where that was counted. */
	expired?: number | undefined
	/** Of a table that a chain gives, in key order: all rows up to this key are written. */
	reached: KeyBytes | undefined
	/** By key: the files of a foreign table that were read to their ends. */
	readonly read: Map<string, RowFacts>
}

export interface DirectoryWork {
	readonly stored: StoredDirectory
	readonly target: string
	readonly existed: boolean
}

/** An object that is neither table nor directory. `refused`: the database did not want it, and the run went on. */
export interface ObjectWork {
	readonly stored: StoredObject
	readonly planned: PlannedObject
	readonly target: string
	readonly existed: boolean
	stage: 'waiting' | 'creating' | 'created' | 'finished' | 'refused'
	/** A process that was cut off has made it: its rights and parts may be missing. */
	isThere: boolean
	/** Names of its rate limiters that are there. */
	readonly createdParts: string[]
}

/** One run of a restore. */
export interface RestoreRun {
	readonly options: RestoreSettings
	/** The backup, for messages: its id, or where it lies. */
	readonly title: string
	readonly sink: SnapshotSink
	readonly storage: Storage
	/** Of files that do not say their own. */
	readonly compression: Compression
	/** Ids of the keys that opened it. */
	readonly keysUsed: readonly string[]
	readonly notes: readonly Note[]
	/** Undefined when they were not asked for. */
	readonly accounts: AccountWork | undefined
	readonly reporter: Reporter
	readonly meter: Meter
	readonly concurrency: number
	/** The largest first. */
	readonly tables: readonly TableWork[]
	/** Parents first. */
	readonly directories: readonly DirectoryWork[]
	/** In the order in which they are created. */
	readonly objects: readonly ObjectWork[]
	/** Whether tables get their changefeeds. */
	readonly withChangefeeds: boolean
	/** Owner and grants for the database itself, where they are asked for. */
	readonly root: ProtoText | undefined
	/** Directories that were not there before, parents first: those of the backup and those that the mapping needs. */
	readonly newDirectories: readonly string[]
	/** Those of them that this run has created by now. */
	readonly createdDirectories: string[]
	readonly problems: Problem[]
	progress: Progress
}
