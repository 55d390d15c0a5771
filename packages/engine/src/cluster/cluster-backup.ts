import { putRunFile } from '@ydbackup/catalog'
import { BackupError, type ClusterKey, throwIfInterrupted } from '@ydbackup/core'
import { layout, parseCompression, printProtoText } from '@ydbackup/format'

import { dryResult, makePlan } from '../backup/backup.ts'
import type { BackupResult } from '../backup/backup-options.ts'
import type { BackupPlan } from '../backup/backup-plan.ts'
import { createRun } from '../backup/backup-run.ts'
import { patternNotes } from '../backup/manifest.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { chooseKey } from '../encryption/open-seal.ts'
import type { Seal } from '../encryption/seal.ts'
import { createReporter } from '../events/reporter.ts'
import { abandonExport } from './abandon-export.ts'
import type { ClusterBackupOptions } from './cluster-options.ts'
import type { ClusterStore } from './cluster-store.ts'
import { completeExport, type ExportRun } from './complete-export.ts'
import {
	encodeOperation,
	encodePlan,
	encodeState,
	type ExportPlan,
	OPERATION_FILE,
	PLAN_FILE,
	STATE_FILE,
} from './export-plan.ts'
import { probeExport } from './probe.ts'

const RETRIES = 10
/** Kinds of runs in `runs/`: the second one ends with its process. */
export const EXPORT_RUN = 'export'
export const BRIDGED_RUN = 'bridged-export'
/** Kinds of runs in which the cluster writes. */
export const EXPORT_RUNS: ReadonlySet<string> = new Set([EXPORT_RUN, BRIDGED_RUN])

/**
 * Lets the cluster take a full backup: its own export into the repository, followed to its end, looked at, and committed. Data files are
 * the cluster's word (`server-claimed`) until a full verification has read them. First it is proven that the cluster reaches the store.
 *
 * When stopped, the cluster goes on, and {@link resumeExport} too, unless `discardOnInterrupt` or the store is bridged. After any other
 * failure nothing is left. Errors: `CLUSTER_CANNOT_REACH`, `DATABASE_REFUSED`, `UNSUPPORTED`, `OBJECT_MISSING`, `OBJECT_DAMAGED`, and those of {@link backup}.
 */
export async function clusterBackup(options: ClusterBackupOptions): Promise<BackupResult> {
	const startedAt = performance.now()
	const { repository, transfers, source, signal } = options
	if (options.accounts !== undefined) {
		throw new BackupError('UNSUPPORTED', 'an export by the cluster has no users and groups', {
			advice: 'take them with --engine client',
		})
	}
	const reporter = createReporter(options.onEvent)
	const keyring = createKeyring(options.encryption?.keys ?? [], signal)
	const key = await chooseKey(options.encryption, keyring, signal)
	assertKeyMayGo(options, key)
	const compression = parseCompression(options.compression ?? 'zstd-1')
	const listed = await makePlan(options, reporter)
	if (options.dryRun === true)
		return dryResult(options, listed, { seal: key, accounts: undefined, reporter, startedAt })
	const plan = planOf(listed, options, compression)
	assertExportable(listed)
	if (plan.tables.length === 0) {
		throw new BackupError('UNSUPPORTED', 'there is no table to export, and the cluster exports nothing else here', {
			advice: 'use --engine client',
		})
	}
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
		await putRunFile(storage, id, { name: PLAN_FILE, bytes: encodePlan(plan, key) })
		const state = key ? { keyId: key.key.id, algorithm: key.algorithm } : {}
		await putRunFile(storage, id, { name: STATE_FILE, bytes: encodeState(state) })
		const started = await startExport(options, store, run.id, plan, key)
		operation = started.id
		await putRunFile(storage, id, { name: OPERATION_FILE, bytes: encodeOperation(operation) })
		const result = await completeExport({ run, transfers, store, plan, operation: started, key })
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

/** Begins the export, or finds the one that was begun with the same id. */
export async function startExport(
	{ transfers, retries, signal }: Pick<ClusterBackupOptions, 'transfers' | 'retries' | 'signal'>,
	store: ClusterStore,
	id: string,
	plan: ExportPlan,
	key: Pick<Seal, 'key' | 'algorithm'> | undefined,
): ReturnType<ClusterBackupOptions['transfers']['startExport']> {
	const { compression } = plan
	return transfers.startExport({
		place: store.place,
		prefix: `${store.prefix}${layout.backupPrefix(id)}`,
		// Folders of an encrypted export are numbered by the cluster, because the numbers are part of what its files are encrypted with.
		items: plan.tables.map((path, at) => ({ path, ...(key === undefined && { prefix: layout.itemPrefix(at + 1) }) })),
		...(compression !== 'none' && { compression }),
		...(key && { key: clusterKey(key) }),
		retries: retries ?? RETRIES,
		uid: id,
		description: `ydbackup ${id}`,
		signal,
	})
}

export function clusterKey({ key, algorithm }: Pick<Seal, 'key' | 'algorithm'>): ClusterKey {
	return { algorithm, bytes: Uint8Array.from(key.secret.export()) }
}

/** Errors: `CONFIG_INVALID` when a key would go over an open connection. */
export function assertKeyMayGo(
	{ isSecure, sendKeyInClear }: Pick<ClusterBackupOptions, 'isSecure' | 'sendKeyInClear'>,
	key: object | undefined,
): void {
	if (key === undefined || isSecure || sendKeyInClear === true) return
	throw new BackupError(
		'CONFIG_INVALID',
		'the cluster needs the encryption key, and the connection to it is not encrypted',
		{
			advice: 'connect by grpcs:, or give --send-key-in-clear, or use --engine client, which keeps the key here',
		},
	)
}

/** What the cluster may leave out without a word must not be asked of it. Errors: `UNSUPPORTED` naming it. */
function assertExportable({ tables }: BackupPlan): void {
	const columns = tables.filter(({ kind }) => kind !== 'row-table').map(({ path }) => path)
	if (columns.length === 0) return
	const named = columns.slice(0, 10).join(', ')
	throw new BackupError('UNSUPPORTED', `the cluster exports row tables, and these are column tables: ${named}`, {
		advice: 'leave them out with --exclude and take them with --engine client, or take everything with it',
	})
}

const NO_TABLE = 'the cluster is asked for tables alone: take it with --engine client'

function planOf(
	{ tables, objects, directories, notes, paths }: BackupPlan,
	options: ClusterBackupOptions,
	compression: ExportPlan['compression'],
): ExportPlan {
	return {
		tables: tables.map(({ path }) => path),
		directories: directories.map(({ path, permissions }) => ({
			path,
			permissions: printProtoText(permissions, { unknownFields: 'keep' }),
		})),
		notes: [...notes, ...objects.map(({ path, kind }) => ({ path, kind, reason: NO_TABLE })), ...patternNotes(options)],
		paths,
		labels: { ...options.labels },
		compression,
	}
}
