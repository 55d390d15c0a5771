import { assertNotDeleted, type Lease, type RunRecord, takeLease, thisOwner, workDirectoryOf } from '@ydbackup/catalog'
import type { Accounts, Snapshot } from '@ydbackup/core'
import type { Compression, Manifest, ManifestFile, ShippedLink } from '@ydbackup/format'

import type { LinkSnapshot } from '../chain/link-snapshot.ts'
import type { Seal } from '../encryption/seal.ts'
import type { Reporter } from '../events/reporter.ts'
import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import type { BackupOptions } from './backup-options.ts'
import { createJournal, type Journal } from '../resume/journal.ts'
import { createLedger, type Ledger } from './ledger.ts'
import type { LiveObjects } from './live-objects.ts'

const END_MS = 60_000

/** What a run needs to know of a backup's options. */
export type RunOptions = Omit<BackupOptions, 'source' | 'parent'> & { readonly source: { readonly database: string } }

/** What an increment builds upon, and how the snapshot becomes changes. */
export interface Increment {
	readonly parent: Manifest
	/** Ids of all that it builds upon, the parent's among them: none of them may be deleted while the run is under way. */
	readonly ancestors: readonly string[]
	/** Ids of the keys that opened the parent and what it builds upon. */
	readonly keysUsed?: readonly string[] | undefined
	/** Removes the copy that the parent kept; undefined when it kept none. */
	readonly dropCopy?: ((signal: AbortSignal | undefined) => Promise<void>) | undefined
	/** `touch` is called while rows pass that are no change. */
	open(snapshot: Snapshot, touch: () => void): LinkSnapshot
}

export interface CreateRunOptions {
	readonly options: RunOptions
	readonly reporter: Reporter
	readonly compression: Compression
	readonly concurrency: number
	/** See `RunRecord.kind`. */
	readonly kind?: string | undefined
	/** Undefined for a backup that is not encrypted. */
	readonly seal?: Seal | undefined
	/** Users and groups, where they are to be kept. */
	readonly accounts?: Accounts | undefined
	/** Undefined for a full backup. */
	readonly increment?: Increment | undefined
	readonly collection?: ShippedLink | undefined
	/** Called before the manifest is written; what it throws fails the run. */
	readonly beforeCommit?: (() => Promise<void>) | undefined
	/** The run that is gone on with: its id, and the lease on it. */
	readonly resumed?: Pick<BackupRun, 'id' | 'createdAt' | 'workDirectory' | 'lease'> | undefined
	/** Of copies that another run made. */
	readonly workDirectory?: string | undefined
	/** Data files that may be on storage already, by key. */
	readonly kept?: ReadonlyMap<string, ManifestFile> | undefined
}

/** One run of a backup: its name, and how far it is, which says what must be undone when it fails. */
export interface BackupRun {
	readonly options: RunOptions
	readonly reporter: Reporter
	readonly compression: Compression
	readonly concurrency: number
	readonly id: string
	readonly createdAt: Date
	/** Where the copies are, relative to the database. */
	readonly workDirectory: string
	readonly ledger: Ledger
	/** Encrypts what the run writes; undefined for a backup that is not encrypted. */
	readonly seal: Seal | undefined
	/** `committing` from the first byte of the manifest on: from then it can only be asked whether the backup exists. */
	stage: 'working' | 'committing'
	snapshot: Snapshot | undefined
	readonly accounts: Accounts | undefined
	readonly increment: Increment | undefined
	/** What is taken beside the snapshot. */
	live: LiveObjects
	/** The snapshot as changes since the parent. */
	link: LinkSnapshot | undefined
	/** For a link of a backup collection. */
	readonly collection: ShippedLink | undefined
	readonly beforeCommit: (() => Promise<void>) | undefined
	/** Tells everybody that the backup, and what it builds upon, is in use. */
	readonly lease: Lease
	/** Whether another process began it. */
	readonly isResumed: boolean
	/** What lets another process go on; undefined for a run that is always begun anew. */
	readonly journal: Journal | undefined
	/** Data files that another process may have written, by key: each is read before it is believed. */
	readonly kept: ReadonlyMap<string, ManifestFile>
	/** Those of them that were there, and right. */
	readonly keptParts: Set<string>
	now(): Date
	/** Takes the run off the list of unfinished ones. */
	end(): Promise<void>
}

/** Gives the backup its id and writes down that a run has begun, before anything is created in the database. */
export async function createRun(given: CreateRunOptions): Promise<BackupRun> {
	const { options, reporter, compression, concurrency, seal, increment, collection, beforeCommit, resumed } = given
	const { repository } = options
	const now = options.clock ?? ((): Date => new Date())
	const { id, createdAt, workDirectory, lease } = resumed ?? (await beginRun(given, now))
	return {
		options,
		reporter,
		compression,
		concurrency,
		id,
		createdAt,
		workDirectory,
		ledger: createLedger(repository.storage, { seal, isResumed: resumed !== undefined }),
		seal,
		stage: 'working',
		snapshot: undefined,
		accounts: given.accounts,
		increment,
		link: undefined,
		live: { readAt: createdAt.toISOString(), objects: [], changefeeds: new Map(), notes: [] },
		collection,
		beforeCommit,
		lease,
		isResumed: resumed !== undefined,
		journal: collection === undefined && given.kind === undefined ? createJournal(repository, id, seal) : undefined,
		kept: given.kept ?? new Map(),
		keptParts: new Set(),
		now,
		async end() {
			try {
				await repository.endRun(id, { signal: cleanupSignal(END_MS, `removing runs/${id}`) })
			} catch (error) {
				reporter.warn(`runs/${id} could not be removed and will be shown as unfinished: ${reasonText(error)}`)
			}
		},
	}
}

async function beginRun(
	{ options, increment, collection, ...given }: CreateRunOptions,
	now: () => Date,
): Promise<NonNullable<CreateRunOptions['resumed']>> {
	const { repository, source, signal } = options
	const createdAt = now()
	const id = await repository.newBackupId(createdAt, { signal })
	const workDirectory = given.workDirectory ?? workDirectoryOf(repository.header, id)
	const ancestors = increment?.ancestors ?? []
	const backups = [id, ...ancestors]
	const lease = await takeLease(repository.storage, { purpose: 'backup', backups, clock: now, signal })
	try {
		await assertNotDeleted(repository.storage, ancestors, { signal })
		const record: RunRecord = {
			database: source.database,
			workDirectory,
			startedAt: createdAt.toISOString(),
			...thisOwner(),
			...(given.kind !== undefined && { kind: given.kind }),
			...(collection && { collection: collection.name }),
		}
		await repository.startRun(id, record)
		return { id, createdAt, workDirectory, lease }
	} catch (error) {
		await lease.release()
		throw error
	}
}
