import {
	assertNotDeleted,
	type Lease,
	readChain,
	type ReadBackup,
	readProof,
	Repository,
	takeLease,
	takeLeaseIfAllowed,
	thisOwner,
} from '@ydbackup/catalog'
import { BackupError, interruption, type Storage, throwIfInterrupted } from '@ydbackup/core'
import { layout, type Manifest, type ManifestFile } from '@ydbackup/format'

import type { EventHandler } from '../events/event.ts'
import { createMeter, type Meter } from '../events/meter.ts'
import { createReporter, type Reporter, type Warning } from '../events/reporter.ts'
import { STALL_LIMIT_MS, watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'
import { withProof } from '../part/with-proof.ts'
import { copyObject } from './copy-object.ts'

/** The kind of a run's record. */
export const COPY_RUN = 'copy'

export interface CopyBackupOptions {
	readonly repository: Repository
	/** An id, or `latest`. */
	readonly id: string
	/** An empty store, or one that backups of the same repository were copied to. */
	readonly to: Storage
	/** Objects that are copied at once. Default 4; never more than the stores can serve. */
	readonly concurrency?: number | undefined
	readonly stallLimitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
	readonly clock?: (() => Date) | undefined
}

export interface CopiedBackup {
	readonly id: string
	/** `present`: it had been copied before. */
	readonly state: 'copied' | 'present'
	/** Objects that were sent, without those that were there. */
	readonly objects: number
	/** Of all of its objects. */
	readonly bytes: number
}

export interface CopyBackupResult {
	readonly id: string
	readonly to: string
	/** The backup and all that it builds upon, oldest first. */
	readonly backups: readonly CopiedBackup[]
	/** That were sent. */
	readonly bytes: number
	readonly warnings: readonly Warning[]
	readonly elapsedMs: number
}

interface Copying {
	readonly options: CopyBackupOptions
	readonly target: Repository
	readonly concurrency: number
	readonly reporter: Reporter
	readonly meter: Meter
	readonly signal: AbortSignal
}

/**
 * Copies a backup, and before it all that it builds upon, to another store: byte for byte, so that hashes, chains and encryption stay as they are and no
 * key is needed. Every object is hashed as it is sent and read back whole before the manifest is written, last. Killed anywhere, the next call
 * goes on with the objects that are there. Errors: `BACKUP_NOT_FOUND`, `CHAIN_BROKEN`, `REPOSITORY_EXISTS`, `OBJECT_MISSING`, `OBJECT_DAMAGED`,
 * `BACKUP_ID_CONFLICT`, `BACKUP_DELETED`, `LEASED`, `CONFIG_INVALID`; what the stores say.
 */
export async function copyBackup(options: CopyBackupOptions): Promise<CopyBackupResult> {
	try {
		return await copyChain(options)
	} catch (error) {
		if (options.signal?.aborted !== true) throw error
		const { message } = interruption(options.signal, `copying ${options.id} to ${options.to.location}`)
		throw new BackupError('INTERRUPTED', message, {
			advice: 'run it again: it goes on with the objects that are there',
			cause: error,
		})
	}
}

async function copyChain(options: CopyBackupOptions): Promise<CopyBackupResult> {
	const startedAt = performance.now()
	const { repository, to, signal, clock } = options
	const reporter = createReporter(options.onEvent)
	throwIfInterrupted(signal, 'starting to copy')
	if (to.location === repository.storage.location) {
		throw new BackupError('CONFIG_INVALID', `the copy would go to ${to.location}, where the backup lies`, {
			advice: 'give another place',
		})
	}
	reporter.phase('check', 'looking at the backup and at the other place')
	const chain = await readChain(repository, options.id, { signal })
	const ids = chain.map(({ id }) => id)
	const target = await Repository.openCopy(to, repository, { signal })
	await using leases = new AsyncDisposableStack()
	const purpose = 'copy' as const
	leases.use(await takeLeaseIfAllowed(repository.storage, { purpose, backups: ids, clock, signal }, reporter.warn))
	await assertNotDeleted(repository.storage, ids, { signal })
	const lease = leases.use(await takeLease(to, { purpose, backups: ids, isExclusive: true, clock, signal }))
	const meter = createMeter(reporter.emit, chain.length)
	using stalls = watchStalls({ signal, meter, emit: reporter.emit, limitMs: options.stallLimitMs ?? STALL_LIMIT_MS })
	const limits = [repository.storage, to].map((storage) => chooseConcurrency(options.concurrency, storage))
	const copying = { options, target, concurrency: Math.min(...limits), reporter, meter, signal: stalls.signal }
	const there = new Set(await target.ids({ signal }))
	const waiting = chain.filter(({ id }) => !there.has(id))
	meter.expect({ bytes: waiting.reduce((sum, { counts }) => sum + counts.storedBytes, 0) })
	const backups: CopiedBackup[] = []
	for (const [index, { id }] of chain.entries()) {
		backups.push(await copyOne(copying, await repository.read(id, { signal }), ids.slice(0, index), lease))
		meter.tableDone()
	}
	meter.report()
	return {
		id: ids.at(-1)!,
		to: to.location,
		backups,
		bytes: meter.storedBytes,
		warnings: reporter.warnings,
		elapsedMs: Math.round(performance.now() - startedAt),
	}
}

async function copyOne(
	copying: Copying,
	{ manifest, bytes }: ReadBackup,
	ancestors: readonly string[],
	lease: Lease,
): Promise<CopiedBackup> {
	const { options, target, reporter, signal } = copying
	const { id, counts } = manifest
	const found = await readThere(target, id, signal)
	if (found !== undefined) {
		await assertNotDeleted(target.storage, [id], { signal })
		if (Buffer.compare(found.bytes, bytes) === 0) return { id, state: 'present', objects: 0, bytes: counts.storedBytes }
		throw new BackupError('BACKUP_ID_CONFLICT', `${target.storage.location} has another backup ${id}`, {
			advice: 'copy to another place',
		})
	}
	reporter.phase('data', `copying ${id}: ${manifest.files.length} objects`)
	await noteRun(copying, manifest)
	const objects = await copyFiles(copying, manifest)
	lease.assertHeld()
	reporter.phase('commit', `committing the copy of ${id}`)
	await target.adopt(id, bytes, { ancestors, signal: options.signal })
	await target.endRun(id, { signal: options.signal })
	return { id, state: 'copied', objects, bytes: counts.storedBytes }
}

async function readThere(target: Repository, id: string, signal: AbortSignal): Promise<ReadBackup | undefined> {
	if ((await target.storage.stat(layout.manifestKey(id), { signal })) === undefined) return undefined
	return target.read(id, { signal })
}

/** So that what a copy has left that nobody goes on with can be found and removed. */
async function noteRun({ options, target, signal }: Copying, { id, source }: Manifest): Promise<void> {
	const runs = await target.runs({ signal })
	if (runs.some((run) => run.id === id)) return
	const { clock = () => new Date() } = options
	const { host, pid, scope } = thisOwner()
	const startedAt = clock().toISOString()
	await target.startRun(
		id,
		{ kind: COPY_RUN, database: source.database, workDirectory: '', startedAt, host, pid, scope },
		{ signal },
	)
}

/** Data first, and what makes it importable last. Gives how many objects were sent. */
async function copyFiles(
	{ options, target, concurrency, reporter, meter, signal }: Copying,
	manifest: Manifest,
): Promise<number> {
	const from = options.repository.storage
	const proof = await readProof(from, manifest, { signal })
	const { files } = proof === undefined ? manifest : withProof(manifest, proof)
	const isRoot = ({ key }: ManifestFile): boolean => layout.isRootKey(manifest.id, key)
	let objects = 0
	for (const step of [files.filter((file) => !isRoot(file)), files.filter(isRoot)]) {
		await runAll(step, concurrency, signal, async (file, stop) => {
			const onRetry = (): void => reporter.retry(`copying ${file.key}`, 'the store asked for it once more')
			if (await copyObject({ from, to: target.storage, file, meter, signal: stop, onRetry })) objects++
		})
	}
	return objects
}
