import type { SnapshotSink, Storage } from '@ydbackup/core'
import type { Compression } from '@ydbackup/format'

import type { Note } from '../backup/backup-plan.ts'
import type { ChainTable } from '../chain/open-chain.ts'
import type { Meter } from '../events/meter.ts'
import type { Reporter } from '../events/reporter.ts'
import type { StoredDirectory, StoredTable } from '../part/contents.ts'
import type { RowFacts } from '../part/read-part.ts'
import type { ExpectedRows } from './compare-rows.ts'
import type { Replacement } from './replacement.ts'
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
	isCompared: boolean
	/** By key: the files of a foreign table that were read to their ends. */
	readonly read: Map<string, RowFacts>
}

export interface DirectoryWork {
	readonly stored: StoredDirectory
	readonly target: string
	readonly existed: boolean
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
	readonly reporter: Reporter
	readonly meter: Meter
	readonly concurrency: number
	/** The largest first. */
	readonly tables: readonly TableWork[]
	/** Parents first. */
	readonly directories: readonly DirectoryWork[]
	/** Directories that were not there before, parents first: those of the backup and those that the mapping needs. */
	readonly newDirectories: readonly string[]
	/** Those of them that this run has created by now. */
	readonly createdDirectories: string[]
	readonly problems: Problem[]
}
