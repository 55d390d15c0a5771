import { BackupError, type ClusterTransfers, isBackupError, type SnapshotSink, type Storage } from '@ydbackup/core'
import { layout, parseProtoText } from '@ydbackup/format'

import type { Reporter } from '../events/reporter.ts'
import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import type { ClusterStore } from './cluster-store.ts'
import { cancel, follow, forget } from './follow.ts'

export interface ProbeOptions {
	readonly transfers: ClusterTransfers
	readonly sink: SnapshotSink
	readonly store: ClusterStore
	readonly storage: Storage
	/** The run's own directory in the database, which is not there yet. */
	readonly workDirectory: string
	readonly id: string
	readonly reporter: Reporter
	readonly limitMs?: number | undefined
	readonly signal: AbortSignal | undefined
}

const LIMIT_MS = 60_000
const CLEANUP_MS = 60_000
const SCHEME = 'columns { name: "id" type { optional_type { item { type_id: UINT32 } } } } primary_key: "id"'

/**
 * Lets the cluster export one empty table to where the backup would go, and looks whether it came there. The cluster's own export would
 * try a wrong address for more than an hour. Everything it makes is removed. Errors: `CLUSTER_CANNOT_REACH`, within a minute.
 */
export async function probeExport(options: ProbeOptions): Promise<void> {
	const { transfers, sink, store, storage, id, workDirectory, reporter, limitMs = LIMIT_MS, signal } = options
	const { operations } = transfers
	const table = `${workDirectory}/probe`
	const folder = `${layout.runsRoot}${id}/probe`
	reporter.phase('check', `letting the cluster write to ${store.place.endpoint}`)
	let operation: string | undefined
	let isEnded = false
	try {
		await sink.createDirectory(workDirectory, { signal })
		await sink.createTable(table, parseProtoText(SCHEME, 'the probe'), { signal })
		const bound = new AbortController()
		const timer = setTimeout(() => bound.abort(tooLong(limitMs)), limitMs)
		const stop = signal === undefined ? bound.signal : AbortSignal.any([signal, bound.signal])
		try {
			const started = await transfers.startExport({
				place: store.place,
				items: [{ path: table, prefix: `${store.prefix}${folder}` }],
				retries: 0,
				uid: `${id}-probe`,
				description: `ydbackup probe of ${id}`,
				signal: stop,
			})
			operation = started.id
			const silent = { ...reporter, emit: () => undefined }
			await follow({ operations, operation: started, what: 'the probe', reporter: silent, limitMs, signal: stop })
			isEnded = true
		} catch (error) {
			if (signal?.aborted === true) throw error
			if (operation === undefined && !bound.signal.aborted) throw error
			throw cannotReach(store, bound.signal.aborted ? bound.signal.reason : error)
		} finally {
			clearTimeout(timer)
		}
		if ((await storage.stat(`${folder}/scheme.pb`, { signal })) === undefined) {
			throw cannotReach(
				store,
				new Error(`the cluster says that it has written, and ${storage.location} does not have it`),
			)
		}
	} finally {
		if (operation !== undefined) {
			if (isEnded) await forget(operations, operation, reporter)
			else await cancel(operations, operation, reporter)
		}
		await clean(options, table, `${folder}/`)
	}
}

async function clean(
	{ sink, storage, workDirectory, reporter }: ProbeOptions,
	table: string,
	folder: string,
): Promise<void> {
	const signal = cleanupSignal(CLEANUP_MS, 'removing the probe')
	try {
		for await (const { key } of storage.list(folder, { signal })) await storage.delete(key, { signal })
	} catch (error) {
		reporter.warn(`objects of the probe stay below ${folder}: ${reasonText(error)}`)
	}
	try {
		await sink.dropTable(table, { signal })
		await sink.removeDirectory(workDirectory, { signal })
	} catch (error) {
		reporter.warn(`the probe's table could not be dropped: ${reasonText(error)}; drop it by hand`, table)
	}
}

/**
 * Lets the cluster list the backup where it lies. `UNSUPPORTED` servers are not asked twice: the import itself is bounded, too. Errors:
 * `CLUSTER_CANNOT_REACH`.
 */
export async function probeImport(
	{ transfers, store, reporter, signal }: Pick<ProbeOptions, 'transfers' | 'store' | 'reporter' | 'signal'>,
	request: Omit<Parameters<ClusterTransfers['listExport']>[0], 'place' | 'signal'>,
): Promise<void> {
	reporter.phase('check', `letting the cluster read from ${store.place.endpoint}`)
	try {
		await transfers.listExport({ ...request, place: store.place, signal })
	} catch (error) {
		if (signal?.aborted === true) throw error
		if (isBackupError(error, 'UNSUPPORTED'))
			reporter.warn('this server cannot list exports: it was not tried whether it reaches the store')
		else throw cannotReach(store, error)
	}
}

function tooLong(limitMs: number): BackupError {
	return new BackupError('DEADLINE_EXCEEDED', `it did not within ${limitMs / 1000} s`)
}

function cannotReach({ place, isBridged, explain }: ClusterStore, why: unknown): BackupError {
	const told = explain?.()
	const where = `${place.scheme.toLowerCase()}://${place.endpoint}/${place.bucket}`
	const advice = isBridged
		? 'give an address with --bridge-listen, or --bridge-advertise, that every node of the cluster can reach; see the firewall'
		: 'the address, the bucket and the credentials must be right as seen from the nodes of the cluster; else give --bridge-listen, or use --engine client'
	return new BackupError(
		'CLUSTER_CANNOT_REACH',
		`the cluster cannot use ${where}: ${reasonText(why)}${told === undefined ? '' : `; ${told}`}`,
		{ advice, cause: why },
	)
}
