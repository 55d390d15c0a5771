import { putRunFile } from '@ydbackup/catalog'
import { throwIfInterrupted } from '@ydbackup/core'
import { layout, parseCompression } from '@ydbackup/format'

import { dryResult, makePlan } from '../backup/backup.ts'
import type { BackupResult } from '../backup/backup-options.ts'
import { createRun } from '../backup/backup-run.ts'
import { readLiveObjects } from '../backup/live-objects.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { chooseKey } from '../encryption/open-seal.ts'
import { createReporter } from '../events/reporter.ts'
import { abandonExport } from './abandon-export.ts'
import type { ClusterBackupOptions } from './cluster-options.ts'
import type { ClusterStore } from './cluster-store.ts'
import { completeExport, type ExportRun } from './complete-export.ts'
import { encodeOperation, encodePlan, encodeState, OPERATION_FILE, PLAN_FILE, STATE_FILE } from './export-plan.ts'
import { planExport } from './plan-export.ts'
import { probeExport } from './probe.ts'
import { assertKeyMayGo, startWhatItExports } from './start-export.ts'

/** Kinds of runs in `runs/`: the second one ends with its process. */
export const EXPORT_RUN = 'export'
export const BRIDGED_RUN = 'bridged-export'
/** Kinds of runs in which the cluster writes. */
export const EXPORT_RUNS: ReadonlySet<string> = new Set([EXPORT_RUN, BRIDGED_RUN])

/**
 * Lets the cluster take a full backup: its own export into the repository, followed to its end, looked at, and committed. Data files are
 * the cluster's word (`server-claimed`) until a full verification has read them. First it is proven that the cluster reaches the store.
 * What the cluster does not export is written beside its export by us, so that the backup holds all that one of {@link backup} does.
 *
 * When stopped, the cluster goes on, and {@link resumeExport} too, unless `discardOnInterrupt` or the store is bridged. After any other
 * failure nothing is left. Errors: `CLUSTER_CANNOT_REACH`, `DATABASE_REFUSED`, `UNSUPPORTED`, `OBJECT_MISSING`, `OBJECT_DAMAGED`, and those of {@link backup}.
 */
export async function clusterBackup(options: ClusterBackupOptions): Promise<BackupResult> {
	const startedAt = performance.now()
	const { repository, transfers, source, signal } = options
	const reporter = createReporter(options.onEvent)
	const keyring = createKeyring(options.encryption?.keys ?? [], signal)
	const key = await chooseKey(options.encryption, keyring, signal)
	assertKeyMayGo(options, key)
	const compression = parseCompression(options.compression ?? 'zstd-1')
	const listed = await makePlan(options, reporter)
	// They are read when the export is over: who may not read them must know it now.
	const found = await options.accounts?.read({ signal })
	if (found && key === undefined) reporter.warn('it will hold hashes of passwords, and it is not encrypted')
	if (options.dryRun === true) return dryResult(options, listed, { seal: key, accounts: found, reporter, startedAt })
	const { isBridged } = options
	const run: ExportRun = Object.assign(
		await createRun({ options, reporter, compression, concurrency: 1, kind: isBridged ? BRIDGED_RUN : EXPORT_RUN }),
		{ database: source.database },
	)
	const { id, workDirectory } = run
	let store: ClusterStore | undefined
	let operation: string | undefined
	try {
		const prefixes = [`${layout.backupPrefix(id)}/`, `${layout.runsRoot}${id}/probe/`]
		store = await options.openStore({ prefixes, isWritable: true })
		const { storage } = repository
		const limitMs = options.probeLimitMs
		await probeExport({ transfers, sink: options.sink, store, storage, workDirectory, id, reporter, limitMs, signal })
		throwIfInterrupted(signal, 'starting the export')
		const state = key ? { keyId: key.key.id, algorithm: key.algorithm } : {}
		await putRunFile(storage, id, { name: STATE_FILE, bytes: encodeState(state) })
		const live = await readLiveObjects({ source, plan: listed, reporter, now: run.now, signal })
		const started = await startWhatItExports(
			{ transfers, store, id, key, retries: options.retries, signal, reporter },
			(kinds) => planExport(listed, live, kinds, options, compression),
			(plan) => putRunFile(storage, id, { name: PLAN_FILE, bytes: encodePlan(plan, key) }),
		)
		operation = started.operation.id
		await putRunFile(storage, id, { name: OPERATION_FILE, bytes: encodeOperation(operation) })
		const { accounts } = options
		const result = await completeExport({ run, transfers, source, accounts, store, live, key, ...started })
		await run.end()
		return { ...result, warnings: reporter.warnings, elapsedMs: Math.round(performance.now() - startedAt) }
	} catch (error) {
		const abandoned = { run, transfers, operation, isBridged }
		throw await abandonExport({ ...abandoned, discardOnInterrupt: options.discardOnInterrupt === true }, error)
	} finally {
		await store?.[Symbol.asyncDispose]()
		await run.lease.release()
	}
}
