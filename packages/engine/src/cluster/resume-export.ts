import { readRunFiles, type Repository, takeLease } from '@ydbackup/catalog'
import {
	type AccountAdmin,
	BackupError,
	type ClusterTransfers,
	type KeyProvider,
	type SnapshotSource,
} from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import type { BackupResult } from '../backup/backup-options.ts'
import { createKeyring } from '../encryption/keyring.ts'
import type { Seal } from '../encryption/seal.ts'
import type { EventHandler } from '../events/event.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import { abandonExport, discardExport } from './abandon-export.ts'
import { BRIDGED_RUN } from './cluster-backup.ts'
import type { OpenClusterStore } from './cluster-store.ts'
import { completeExport, type ExportRun } from './complete-export.ts'
import {
	decodeOperation,
	decodePlan,
	decodeState,
	type ExportPlan,
	type ExportState,
	OPERATION_FILE,
	PLAN_FILE,
	STATE_FILE,
} from './export-plan.ts'
import { forget } from './follow.ts'
import { assertKeyMayGo, startExport } from './start-export.ts'

export interface ResumeExportOptions {
	readonly repository: Repository
	/** Of the run, which is the id of the backup to be. */
	readonly id: string
	readonly transfers: ClusterTransfers
	/** For what the cluster does not export. */
	readonly source: SnapshotSource
	/** Where the run was asked for users and groups. */
	readonly accounts?: AccountAdmin | undefined
	readonly openStore: OpenClusterStore
	readonly keys?: readonly KeyProvider[] | undefined
	readonly isSecure: boolean
	readonly sendKeyInClear?: boolean | undefined
	readonly discardOnInterrupt?: boolean | undefined
	readonly stallLimitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
	readonly clock?: (() => Date) | undefined
	readonly tool: { readonly name: string; readonly version: string }
}

/**
 * Goes on with an export by the cluster whose starter has died or was stopped. Errors: those of {@link clusterBackup}; `RUN_NOT_FOUND`;
 * `UNSUPPORTED` for one that went through a bridge, which ends with its process.
 */
export async function resumeExport(options: ResumeExportOptions): Promise<BackupResult> {
	const startedAt = performance.now()
	const { repository, id, transfers, signal } = options
	const reporter = createReporter(options.onEvent)
	const record = await repository.run(id, { signal })
	if (record.kind === BRIDGED_RUN) {
		throw new BackupError('UNSUPPORTED', `run ${id} wrote through a bridge, which died with it: it cannot go on`, {
			advice: 'begin a new backup',
		})
	}
	if (record.database !== transfers.database) {
		throw new BackupError(
			'CONFIG_INVALID',
			`run ${id} is of ${record.database}, and ${transfers.database} is connected`,
			{
				advice: 'give the database that it was begun with',
			},
		)
	}
	const { startedAt: at, workDirectory } = record
	const run = await openRun(options, reporter, { startedAt: new Date(at), workDirectory, isExclusive: true })
	const discarding = { run, transfers, isBridged: false, discardOnInterrupt: options.discardOnInterrupt === true }
	try {
		const { key, plan, known } = await readBegun(options)
		await assertUnfinished(run, transfers, known)
		if (plan === undefined) {
			const error = new BackupError('UNSUPPORTED', `run ${id} had not begun its export`, {
				advice: 'begin a new backup',
			})
			throw await abandonExport({ ...discarding, operation: known }, error)
		}
		await using store = await options.openStore({ prefixes: [`${layout.backupPrefix(id)}/`], isWritable: true })
		let began = known
		try {
			const operation =
				known === undefined
					? await startExport({ transfers, store, id, key, signal }, plan)
					: await transfers.operations.get(known, { signal })
			began = operation.id
			const { source, accounts } = options
			const result = await completeExport({ run, transfers, source, accounts, store, plan, operation, key })
			await run.end()
			return { ...result, warnings: reporter.warnings, elapsedMs: Math.round(performance.now() - startedAt) }
		} catch (error) {
			throw await abandonExport({ ...discarding, operation: began }, error)
		}
	} finally {
		await run.lease.release()
	}
}

interface Begun {
	readonly key: Pick<Seal, 'key' | 'algorithm'> | undefined
	/** Undefined in a run that had not come so far. */
	readonly plan: ExportPlan | undefined
	/** The operation, when it was written down. */
	readonly known: string | undefined
}

/** What the run has written down. A key that is missing, or the wrong one, leaves everything as it is. */
async function readBegun(options: ResumeExportOptions): Promise<Begun> {
	const { repository, id, signal } = options
	const files = new Map(
		(await readRunFiles(repository.storage, id, '', { signal })).map(({ name, bytes }) => [name, bytes]),
	)
	const where = (name: string): string => layout.runFileKey(id, name)
	const [state, operation, plan] = [files.get(STATE_FILE), files.get(OPERATION_FILE), files.get(PLAN_FILE)]
	const key = await keyOf(options, state && decodeState(state, where(STATE_FILE)))
	assertKeyMayGo(options, key)
	return {
		key,
		plan: plan && (await decodePlan(plan, where(PLAN_FILE), key)),
		known: operation && decodeOperation(operation, where(OPERATION_FILE)),
	}
}

/** A process may die between the manifest and the end of its run: what is listed is not written to again. Errors: `RUN_NOT_FOUND`. */
async function assertUnfinished(
	run: ExportRun,
	{ operations }: ClusterTransfers,
	operation: string | undefined,
): Promise<void> {
	const { id, options, reporter } = run
	const { storage } = options.repository
	if ((await storage.stat(layout.manifestKey(id), { signal: options.signal })) === undefined) return
	if (operation !== undefined) await forget(operations, operation, reporter)
	await run.end()
	throw new BackupError('RUN_NOT_FOUND', `backup ${id} was complete already; what its run had left is removed`, {
		advice: `nothing is left to do: see ydbackup backup show ${id}`,
	})
}

/** Ends an export that nobody goes on with, in the cluster and on storage. False, with a warning, when something is left. */
export async function giveUpExport(
	options: Pick<ResumeExportOptions, 'repository' | 'id' | 'transfers' | 'signal' | 'onEvent' | 'clock' | 'tool'>,
): Promise<boolean> {
	const { repository, id, transfers, signal } = options
	const reporter = createReporter(options.onEvent)
	const run = await openRun(options, reporter, { startedAt: new Date(), workDirectory: '', isExclusive: false })
	try {
		const [saved] = await readRunFiles(repository.storage, id, OPERATION_FILE, { signal })
		const operation = saved && decodeOperation(saved.bytes, layout.runFileKey(id, OPERATION_FILE))
		const isGone = await discardExport({ run, transfers, operation, isBridged: false, discardOnInterrupt: true })
		if (isGone) await run.end()
		return isGone
	} finally {
		await run.lease.release()
	}
}

async function openRun(
	options: Pick<ResumeExportOptions, 'repository' | 'id' | 'transfers' | 'signal' | 'clock' | 'tool'> & {
		readonly stallLimitMs?: number | undefined
	},
	reporter: Reporter,
	begun: { readonly startedAt: Date; readonly workDirectory: string; readonly isExclusive: boolean },
): Promise<ExportRun> {
	const { repository, id, transfers, signal, tool, stallLimitMs } = options
	const now = options.clock ?? ((): Date => new Date())
	const { startedAt, workDirectory, isExclusive } = begun
	const purpose = 'backup'
	const lease = await takeLease(repository.storage, { purpose, backups: [id], isExclusive, clock: now, signal })
	return {
		id,
		createdAt: startedAt,
		isResumed: true,
		reporter,
		workDirectory,
		database: transfers.database,
		stage: 'working',
		options: { repository, signal, tool, stallLimitMs },
		lease,
		now,
		end: () => repository.endRun(id, { signal: cleanupSignal(60_000, `removing runs/${id}`) }),
	}
}

/** The key that the run was begun with; also of one that did not come to write down what it had begun. */
async function keyOf(
	{ id, keys = [], signal }: ResumeExportOptions,
	state: ExportState | undefined,
): Promise<Pick<Seal, 'key' | 'algorithm'> | undefined> {
	if (state?.keyId === undefined || state.algorithm === undefined) return undefined
	return { key: await createKeyring(keys, signal).find(state.keyId, `run ${id}`), algorithm: state.algorithm }
}
