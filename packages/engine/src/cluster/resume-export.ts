import { readRunFiles, type Repository, takeLease } from '@ydbackup/catalog'
import { BackupError, type ClusterTransfers, type KeyProvider } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import type { BackupResult } from '../backup/backup-options.ts'
import { createKeyring } from '../encryption/keyring.ts'
import type { Seal } from '../encryption/seal.ts'
import type { EventHandler } from '../events/event.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import { abandonExport, discardExport } from './abandon-export.ts'
import { assertKeyMayGo, BRIDGED_RUN, startExport } from './cluster-backup.ts'
import type { OpenClusterStore } from './cluster-store.ts'
import { completeExport, type ExportRun } from './complete-export.ts'
import {
	decodeOperation,
	decodePlan,
	decodeState,
	type ExportState,
	OPERATION_FILE,
	PLAN_FILE,
	STATE_FILE,
} from './export-plan.ts'

export interface ResumeExportOptions {
	readonly repository: Repository
	/** Of the run, which is the id of the backup to be. */
	readonly id: string
	readonly transfers: ClusterTransfers
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
	const run = await openRun(options, reporter, new Date(record.startedAt))
	let known: string | undefined
	try {
		const files = new Map(
			(await readRunFiles(repository.storage, id, '', { signal })).map(({ name, bytes }) => [name, bytes]),
		)
		const saved = files.get(STATE_FILE)
		const state = saved && decodeState(saved, layout.runFileKey(id, STATE_FILE))
		const began = files.get(OPERATION_FILE)
		known = began && decodeOperation(began, layout.runFileKey(id, OPERATION_FILE))
		const key = await keyOf(options, state)
		assertKeyMayGo(options, key)
		const stored = files.get(PLAN_FILE)
		if (stored === undefined) {
			throw new BackupError('UNSUPPORTED', `run ${id} had not begun its export`, { advice: 'begin a new backup' })
		}
		const plan = await decodePlan(stored, layout.runFileKey(id, PLAN_FILE), key)
		await using store = await options.openStore({ prefixes: [`${layout.backupPrefix(id)}/`], isWritable: true })
		const operation =
			known === undefined
				? await startExport(options, store, id, plan, key)
				: await transfers.operations.get(known, { signal })
		known = operation.id
		const result = await completeExport({ run, transfers, store, plan, operation, key })
		await run.end()
		return { ...result, warnings: reporter.warnings, elapsedMs: Math.round(performance.now() - startedAt) }
	} catch (error) {
		const { discardOnInterrupt = false } = options
		throw await abandonExport({ run, transfers, operation: known, isBridged: false, discardOnInterrupt }, error)
	} finally {
		await run.lease.release()
	}
}

/** Ends an export that nobody goes on with, in the cluster and on storage. False, with a warning, when something is left. */
export async function giveUpExport(
	options: Pick<ResumeExportOptions, 'repository' | 'id' | 'transfers' | 'signal' | 'onEvent' | 'clock' | 'tool'>,
): Promise<boolean> {
	const { repository, id, transfers, signal } = options
	const reporter = createReporter(options.onEvent)
	const run = await openRun(options, reporter, new Date())
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
	createdAt: Date,
): Promise<ExportRun> {
	const { repository, id, transfers, signal, tool, stallLimitMs } = options
	const now = options.clock ?? ((): Date => new Date())
	const lease = await takeLease(repository.storage, { purpose: 'backup', backups: [id], clock: now, signal })
	return {
		id,
		createdAt,
		reporter,
		workDirectory: '',
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
