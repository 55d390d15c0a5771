import { hostname } from 'node:os'

import type { Snapshot } from '@ydbackup/core'
import type { Compression } from '@ydbackup/format'

import type { LinkSnapshot } from '../chain/link-snapshot.ts'
import type { OpenedChain } from '../chain/open-chain.ts'
import type { Seal } from '../encryption/seal.ts'
import type { Reporter } from '../events/reporter.ts'
import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import type { BackupOptions } from './backup-options.ts'
import { createLedger, type Ledger } from './ledger.ts'

const END_MS = 60_000

/** One run of a backup: its name, and how far it is, which says what must be undone when it fails. */
export interface BackupRun {
	readonly options: BackupOptions
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
	/** What an increment builds upon; undefined for a full backup. */
	readonly parent: OpenedChain | undefined
	/** The snapshot as changes since the parent. */
	link: LinkSnapshot | undefined
	now(): Date
	/** Takes the run off the list of unfinished ones. */
	end(): Promise<void>
}

/** Gives the backup its id and writes down that a run has begun, before anything is created in the database. */
export async function createRun(
	options: BackupOptions,
	reporter: Reporter,
	compression: Compression,
	concurrency: number,
	parent: OpenedChain | undefined,
	seal: Seal | undefined,
): Promise<BackupRun> {
	const { repository, source } = options
	const now = options.clock ?? ((): Date => new Date())
	const createdAt = now()
	const id = await repository.newBackupId(createdAt, { signal: options.signal })
	const workDirectory = `~ydbackup-${repository.header.id}-${id}`
	const record = {
		database: source.database,
		workDirectory,
		startedAt: createdAt.toISOString(),
		host: hostname(),
		pid: process.pid,
	}
	await repository.startRun(id, record)
	return {
		options,
		reporter,
		compression,
		concurrency,
		id,
		createdAt,
		workDirectory,
		ledger: createLedger(repository.storage, seal),
		seal,
		stage: 'working',
		snapshot: undefined,
		parent,
		link: undefined,
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
