import {
	type AccountAdmin,
	type ClusterOperation,
	type ClusterTransfers,
	type SnapshotSource,
	throwIfInterrupted,
} from '@ydbackup/core'
import { encryption, layout, parseProtoText } from '@ydbackup/format'

import { STALL_LIMIT_MS } from '../events/stall-watch.ts'
import type { Note } from '../backup/backup-plan.ts'
import type { BackupResult } from '../backup/backup-options.ts'
import type { BackupRun } from '../backup/backup-run.ts'
import { createLedger } from '../backup/ledger.ts'
import { type LiveObjects, readLiveObjects } from '../backup/live-objects.ts'
import { readBack } from '../backup/read-back.ts'
import { countsOf } from '../backup/write-backup.ts'
import { writeObjects } from '../backup/write-root.ts'
import { createSeal, type Seal } from '../encryption/seal.ts'
import { sealedNames, sealManifest } from '../encryption/seal-manifest.ts'
import { createUnseal } from '../encryption/unseal.ts'
import { requestConcurrency } from '../flow/concurrency.ts'
import { addLacking } from './add-lacking.ts'
import type { ClusterStore } from './cluster-store.ts'
import { readExportIv } from './export-iv.ts'
import { manifestOf, resultOf } from './export-manifest.ts'
import type { ExportedPath, ExportPlan } from './export-plan.ts'
import { follow, forget } from './follow.ts'
import { type Beside, writeBeside } from './write-beside.ts'
import { readWritten, type Written } from './written-files.ts'

/** A run whose data the cluster writes. */
export interface ExportRun extends Pick<
	BackupRun,
	'id' | 'createdAt' | 'reporter' | 'workDirectory' | 'lease' | 'isResumed' | 'now' | 'end'
> {
	readonly options: Pick<BackupRun['options'], 'repository' | 'signal' | 'tool' | 'stallLimitMs'>
	readonly database: string
	stage: BackupRun['stage']
}

export interface CompleteOptions {
	readonly run: ExportRun
	readonly transfers: ClusterTransfers
	/** For what the cluster does not export. */
	readonly source: SnapshotSource
	/** Where users and groups are asked for. */
	readonly accounts?: AccountAdmin | undefined
	readonly store: ClusterStore
	readonly plan: ExportPlan
	/** As it was read when the export began; read anew where another process began it. */
	readonly live?: LiveObjects | undefined
	readonly operation: ClusterOperation
	readonly key: Pick<Seal, 'key' | 'algorithm'> | undefined
}

/** Each listing of what has arrived reads all of its names. */
const LISTED_EVERY_MS = 60_000

/** Follows an export to its end, writes what it leaves out, looks at all of it, and makes it a backup. */
export async function completeExport(options: CompleteOptions): Promise<Omit<BackupResult, 'warnings' | 'elapsedMs'>> {
	const { run, transfers, source, plan, operation, key } = options
	const { id, reporter } = run
	const { repository, signal } = run.options
	const { storage } = repository
	let copiedBy = await followExport(options)
	const exportedBy = run.now()

	// Drawn anew by whoever goes on: what is read now is not what was read before.
	const seal = key && createSeal(key.key, key.algorithm)
	const ledger = createLedger(storage, { seal, isResumed: run.isResumed })
	const live = options.live ?? (await readLive(options))
	const limitMs = run.options.stallLimitMs ?? STALL_LIMIT_MS
	const beside = await writeBeside({ run, source, plan, live, seal, ledger, limitMs })
	if (beside.jobs.length > 0) copiedBy = run.now()
	const accounts = plan.accounts ? await options.accounts?.read({ signal }) : undefined

	reporter.phase('read-back', 'looking at what the cluster has written')
	const { written, exportIv } = await lookAtExport(options)
	for (const name of written.strange) reporter.warn(`${name} is nothing that this version knows: it stays where it is`)
	if (!written.hasChecksums)
		reporter.warn('the cluster wrote no checksums: only a full verification can prove this backup')
	const changefeeds = await addLacking({ id, plan, live, written, ledger, signal })
	throwIfInterrupted(signal, 'looking at what the cluster has written')

	const notes = [...plan.notes, ...momentNotes(beside)]
	const named = [
		...[...plan.tables, ...plan.exported].map(({ path }) => ({ path, prefix: written.prefixes.get(path)! })),
		...beside.jobs.map(({ table: { path }, prefix }) => ({ path, prefix })),
		...beside.objectJobs.map(({ object: { path }, prefix }) => ({ path, prefix })),
	]
	await writeObjects({
		id,
		directories: plan.directories.map((directory) => ({ ...parsed(directory), kind: 'directory' as const })),
		schemes: beside.schemes,
		links: undefined,
		accounts,
		parts: Object.fromEntries([...changefeeds, ...limitersOf(beside)]),
		sealed: seal && sealedNames(named, { paths: plan.paths, notes }),
		ledger,
		signal,
	})
	await readBack({ storage, files: ledger.files(), concurrency: requestConcurrency(storage), signal })
	throwIfInterrupted(signal, 'reading back')
	run.lease.assertHeld()

	reporter.phase('commit', `committing ${id}`)
	run.stage = 'committing'
	const files = [...written.files, ...ledger.files()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
	const facts = { written, beside, files, changefeeds, notes, copiedBy, exportedBy, readAt: live.readAt }
	const full = manifestOf(options, facts)
	const manifest = await repository.commit(seal === undefined ? full : sealManifest(full, seal, exportIv))
	await forget(transfers.operations, operation.id, reporter)
	return resultOf(options, facts, full, manifest, countsOf(accounts))
}

/** Gives the time by which the tables had been copied. */
async function followExport(options: CompleteOptions): Promise<Date> {
	const { run, transfers, store, plan, operation } = options
	const { reporter } = run
	const { signal, stallLimitMs = STALL_LIMIT_MS } = run.options
	const others = plan.exported.length === 0 ? '' : ` and ${plan.exported.length} other objects`
	reporter.phase('data', `the cluster exports ${plan.tables.length} tables${others}`)
	let copiedBy: Date | undefined
	await follow({
		operations: transfers.operations,
		operation,
		what: 'the export',
		reporter,
		limitMs: stallLimitMs,
		bytes: async () => store.movedBytes?.() ?? storedBytes(options),
		...(store.movedBytes === undefined && { bytesEveryMs: LISTED_EVERY_MS }),
		onState({ progress, state }) {
			// Its copies are made while it prepares.
			if (progress !== 'PREPARING' && progress !== 'UNSPECIFIED' && state !== 'failed') copiedBy ??= run.now()
		},
		signal,
	})
	return copiedBy ?? run.now()
}

/** What has arrived so far. The cluster does not say it, and we have not written it: the one listing of data that a backup makes. */
async function storedBytes({ run }: CompleteOptions): Promise<number> {
	const { repository, signal } = run.options
	let sum = 0
	for await (const { size } of repository.storage.list(`${layout.backupPrefix(run.id)}/`, { signal })) sum += size
	return sum
}

/** In a run that another process began: its notes of what was not read then stand in the plan. */
async function readLive({ run, source, plan }: CompleteOptions): Promise<LiveObjects> {
	const { reporter, now } = run
	const objects = plan.objects.map((object) => ({ ...parsed(object), kind: object.kind }))
	const tables = plan.tables.map((table) => ({ ...parsed(table), kind: 'row-table' as const }))
	const taken = { objects, tables, changefeeds: plan.changefeeds }
	return readLiveObjects({ source, plan: taken, reporter, now, signal: run.options.signal })
}

async function lookAtExport(
	options: CompleteOptions,
): Promise<{ readonly written: Written; readonly exportIv: Uint8Array | undefined }> {
	const { run, plan, store, key } = options
	const { repository, signal } = run.options
	const { storage } = repository
	const exportIv = key && (await readExportIv(storage, run.id, key, signal))
	const unseal =
		key &&
		exportIv &&
		createUnseal(key.key, { algorithm: key.algorithm, keyId: key.key.id, iv: encryption.ivHex(exportIv) })
	const written = await readWritten({
		storage,
		id: run.id,
		asked: [...plan.tables, ...plan.exported],
		changefeeds: plan.changefeeds,
		unseal,
		written: store.written,
		signal,
	})
	return { written, exportIv }
}

function parsed({ path, permissions }: ExportedPath): { path: string; permissions: ReturnType<typeof parseProtoText> } {
	return { path, permissions: parseProtoText(permissions, path) }
}

function limitersOf({ objectJobs }: Beside): [string, readonly string[]][] {
	return objectJobs.flatMap(({ object: { parts }, prefix }) =>
		parts.length === 0 ? [] : [[prefix, parts.map(({ name }) => name)] as [string, readonly string[]]],
	)
}

function momentNotes({ jobs }: Beside): Note[] {
	if (jobs.length === 0) return []
	const reason = `${jobs.length} column tables were read as of one moment, after the export of the row tables by the cluster; all lie between snapshotAfter and snapshotBefore`
	return [{ path: '', kind: 'consistency', reason }]
}
