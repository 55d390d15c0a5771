import { assertNotDeleted, KEPT_COPY, type Lease, type RunRecord, takeLease } from '@ydbackup/catalog'
import { BackupError, isBackupError, type Snapshot, throwIfInterrupted } from '@ydbackup/core'
import { layout, parseCompression } from '@ydbackup/format'

import { abandonRun } from '../backup/abandon-run.ts'
import { backup, incrementOf } from '../backup/backup.ts'
import type { BackupOptions, BackupResult } from '../backup/backup-options.ts'
import { createRun } from '../backup/backup-run.ts'
import { deleteObjects, keysOfRun } from '../backup/cleanup.ts'
import { readLiveObjects } from '../backup/live-objects.ts'
import { openParent } from '../backup/open-parent.ts'
import { dropsUselessCopy, settleCopies, settleDead } from '../backup/settle-copies.ts'
import { writeBackup } from '../backup/write-backup.ts'
import { rootKeys } from '../backup/write-root.ts'
import { createKeyring, type Keyring } from '../encryption/keyring.ts'
import { openSeals } from '../encryption/open-seal.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { chooseConcurrency } from '../flow/concurrency.ts'
import { type LeftJournal, readJournal } from './journal.ts'
import type { RunRequest, RunSnapshot } from './journal-files.ts'

/** What to take, from where, and how is known from the run. */
export interface ResumeBackupOptions extends Pick<
	BackupOptions,
	| 'source'
	| 'repository'
	| 'accounts'
	| 'concurrency'
	| 'discardOnInterrupt'
	| 'stallLimitMs'
	| 'signal'
	| 'onEvent'
	| 'clock'
	| 'tool'
> {
	/** The id of the run, which is that of the backup it was going to make. */
	readonly id: string
	/** As {@link BackupOptions.encryption}; needed where the run had a key. */
	readonly keys?: NonNullable<BackupOptions['encryption']>['keys'] | undefined
}

export interface ResumedBackupResult extends BackupResult {
	readonly resumed: {
		/** Of the run that was gone on with. */
		readonly run: string
		/**
		 * `parts`: the same backup, with the parts that were done. `copies`: another backup of the same moment, from the same copies. `nothing`: a
		 * new backup of now.
		 */
		readonly kept: 'parts' | 'copies' | 'nothing'
		/** Why not more was kept. */
		readonly reason?: string | undefined
		/** Data files that were there, and right. */
		readonly parts: number
	}
}

interface Resuming {
	readonly options: ResumeBackupOptions
	readonly record: RunRecord
	readonly lease: Lease
	readonly reporter: Reporter
	readonly keyring: Keyring
}

/**
 * Goes on with a backup whose process was stopped or killed. It goes on only with the very copies of that run: parts that are on storage
 * are read and kept when they are what they were, all others are made. When the copies are gone, what was left is removed and a new backup
 * is taken. An encrypted run is encrypted anew, from the same copies and under a new id: no nonce is used twice. It may be stopped, killed
 * and called again.
 *
 * Errors: those of {@link backup}; `RUN_NOT_FOUND`, `LEASED` while its process lives, or may live; `UNSUPPORTED` for a run of another kind.
 */
export async function resumeBackup(options: ResumeBackupOptions): Promise<ResumedBackupResult> {
	const { repository, id, signal, clock } = options
	const reporter = createReporter(options.onEvent)
	throwIfInterrupted(signal, 'starting to resume')
	const record = await repository.run(id, { signal })
	assertOurs(record, options)
	const lease = await takeLease(repository.storage, {
		purpose: 'backup',
		backups: [id],
		isExclusive: true,
		clock,
		signal,
	})
	try {
		const keyring = createKeyring(options.keys ?? [], signal)
		return await resume({ options, record, lease, reporter, keyring })
	} finally {
		await lease.release()
	}
}

const NEXT: Readonly<Record<string, (id: string) => string>> = {
	restore: (id) => `run ydbackup restore --resume ${id}`,
	[KEPT_COPY]: () => 'its backup is deleted: ydbackup backup gc drops the copy that it kept',
}

function assertOurs({ kind = 'backup', collection, database }: RunRecord, { id, source }: ResumeBackupOptions): void {
	if (collection !== undefined) {
		throw new BackupError('UNSUPPORTED', `run ${id} ships the backup collection ${collection}`, {
			advice: `run ydbackup collection ship ${collection} again: it goes on where it was`,
		})
	}
	if (kind !== 'backup') {
		throw new BackupError('UNSUPPORTED', `run ${id} is no backup, but a ${kind}`, {
			advice: NEXT[kind]?.(id) ?? 'use the version of ydbackup that began it',
		})
	}
	if (database === source.database) return
	throw new BackupError('CONFIG_INVALID', `run ${id} is of ${database}, not of ${source.database}`, {
		advice: 'connect to the database that the run was begun on',
	})
}

async function resume(resuming: Resuming): Promise<ResumedBackupResult> {
	const { options, reporter, keyring, record } = resuming
	const { repository, source, id, signal } = options
	const { storage } = repository
	if ((await storage.stat(layout.manifestKey(id), { signal })) !== undefined) {
		await settleDead(source, repository, { id, record }, { signal })
		await repository.endRun(id, { signal })
		throw new BackupError('RUN_NOT_FOUND', `backup ${id} was complete already; what its run had left is removed`, {
			advice: `nothing is left to do: see ydbackup backup show ${id}`,
		})
	}
	reporter.phase('check', `looking at what run ${id} has left`)
	const left = await readJournal(repository, id, keyring, { signal })
	for (const damage of left.damage) reporter.warn(damage)
	if (left.request === undefined) {
		await discard(resuming)
		throw new BackupError(
			'RUN_NOT_FOUND',
			`run ${id} did not note what it was asked for; what it had left is removed`,
			{
				advice: 'run ydbackup backup create again',
			},
		)
	}
	const { request } = left
	const snapshot = await reopen(resuming, left)
	if (typeof snapshot === 'string') return anew(resuming, request, snapshot)
	return (
		(await goOn(resuming, request, left, snapshot)) ?? anew(resuming, request, 'the copy of its parent was of no use')
	)
}

/** The copies of the run, opened again, or why they cannot be. */
async function reopen(
	{ options }: Resuming,
	{ snapshot }: LeftJournal,
): Promise<{ readonly snapshot: Snapshot | undefined; readonly plan: RunSnapshot['plan'] } | string> {
	if (snapshot === undefined) return 'it had not noted its copies'
	const { plan, left } = snapshot
	if (left.tables.length === 0) return { snapshot: undefined, plan }
	try {
		return { snapshot: await options.source.reopen(left, { signal: options.signal }), plan }
	} catch (error) {
		if (isBackupError(error, 'COPIES_GONE')) return error.message
		throw error
	}
}

/** Undefined when it came to nothing because of the copy that its parent kept, which is gone now. */
async function goOn(
	{ options, record, lease, reporter, keyring }: Resuming,
	request: RunRequest,
	left: LeftJournal,
	{ snapshot, plan }: { readonly snapshot: Snapshot | undefined; readonly plan: RunSnapshot['plan'] },
): Promise<ResumedBackupResult | undefined> {
	const startedAt = performance.now()
	const { repository, id, signal } = options
	const asked: BackupOptions = {
		...options,
		...requested(request, options),
		discardOnInterrupt: options.discardOnInterrupt,
	}
	const seal = (await openSeals(asked.encryption, keyring, signal))?.()
	const { parent, options: chosen } = await openParent(asked, keyring, reporter)
	const increment = parent && (await incrementOf(parent, chosen, reporter))
	const accounts = await chosen.accounts?.read({ signal })
	const concurrency = chooseConcurrency(options.concurrency, repository.storage)
	const isSame = seal === undefined
	await using guard = new AsyncDisposableStack()
	if (increment !== undefined && isSame) {
		const backups = [id, ...increment.ancestors]
		guard.use(await takeLease(repository.storage, { purpose: 'backup', backups, clock: options.clock, signal }))
		await assertNotDeleted(repository.storage, increment.ancestors, { signal })
	}
	// The states that an increment remembers are known only when all of its rows have passed.
	const kept = isSame && increment === undefined ? left.parts : new Map<string, never>()
	const run = await createRun({
		options: chosen,
		reporter,
		compression: parseCompression(request.compression),
		concurrency,
		seal,
		accounts,
		increment,
		kept,
		...(isSame
			? { resumed: { id, createdAt: new Date(record.startedAt), workDirectory: record.workDirectory, lease } }
			: { workDirectory: record.workDirectory }),
	})
	try {
		run.snapshot = snapshot
		// These are read live, in a run that was never stopped too.
		run.live = await readLiveObjects({
			source: options.source,
			plan,
			reporter,
			now: run.now,
			signal,
		})
		if (!isSame) {
			reporter.warn(
				`run ${id} was encrypted: its copies are read again, and the backup of that moment becomes ${run.id}`,
			)
			await run.journal?.request(request)
			if (snapshot !== undefined) await run.journal?.snapshot({ ...plan, warnings: [] }, snapshot)
			// From here on the copies belong to the new run.
			await forget(repository, id, reporter)
		}
		const result = await writeBackup(run, { ...plan, warnings: [] })
		await settleCopies(run, result.keptCopy !== undefined)
		return {
			...result,
			warnings: reporter.warnings,
			elapsedMs: Math.round(performance.now() - startedAt),
			resumed: {
				run: id,
				kept: isSame ? 'parts' : 'copies',
				...(isSame ? {} : { reason: 'what is encrypted is never encrypted again under the same id' }),
				parts: run.keptParts.size,
			},
		}
	} catch (error) {
		const failure = await abandonRun(run, error)
		if (!(await dropsUselessCopy(run, failure))) throw failure
		return undefined
	} finally {
		await run.lease.release()
	}
}

/** Removes what the run has left and takes another backup. */
async function anew(resuming: Resuming, request: RunRequest, reason: string): Promise<ResumedBackupResult> {
	const { options, reporter } = resuming
	reporter.warn(`run ${options.id} cannot be gone on with: ${reason}; it is discarded, and a new backup is taken`)
	await discard(resuming)
	const { warnings, ...result } = await backup({ ...options, ...requested(request, options) })
	return {
		...result,
		warnings: [...reporter.warnings, ...warnings],
		resumed: { run: options.id, kept: 'nothing', reason, parts: 0 },
	}
}

function requested(request: RunRequest, { keys, accounts }: ResumeBackupOptions): Partial<BackupOptions> {
	const { parent, paths, include, exclude, labels, compression, countRows, keepCopy, ...rest } = request
	const { algorithm, kinds, excludeKinds } = rest
	const selection = parent === undefined ? { paths, include, exclude } : { parent }
	const encryption = algorithm === undefined ? {} : { encryption: { keys: keys ?? [], algorithm } }
	const taken = { kinds, excludeKinds, accounts: request.accounts ? accounts : undefined }
	return { ...selection, ...taken, labels, compression, countRows, keepCopy, ...encryption }
}

async function discard({ options, record, reporter }: Resuming): Promise<void> {
	const { source, repository, id, signal } = options
	if (record.workDirectory !== '') await source.dropWorkDirectory(record.workDirectory, { signal })
	await forget(repository, id, reporter)
}

/** Removes the objects and the record of a run that no backup came of. */
async function forget(repository: ResumeBackupOptions['repository'], id: string, reporter: Reporter): Promise<void> {
	const keys = await keysOfRun(repository.storage, id)
	await deleteObjects(repository.storage, rootKeys(id), keys, reporter)
	await repository.endRun(id)
}
