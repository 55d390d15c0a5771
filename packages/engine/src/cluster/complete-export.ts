import { type ClusterOperation, type ClusterTransfers, throwIfInterrupted } from '@ydbackup/core'
import {
	encryption,
	layout,
	type Manifest,
	type ManifestFile,
	type ManifestObject,
	parseProtoText,
} from '@ydbackup/format'

import type { Note } from '../backup/backup-plan.ts'
import type { BackupResult } from '../backup/backup-options.ts'
import type { BackupRun } from '../backup/backup-run.ts'
import { createLedger } from '../backup/ledger.ts'
import { writeObjects } from '../backup/write-root.ts'
import { createSeal, encryptionOf, type Seal } from '../encryption/seal.ts'
import { sealedNames, sealManifest } from '../encryption/seal-manifest.ts'
import { createUnseal } from '../encryption/unseal.ts'
import type { ClusterStore } from './cluster-store.ts'
import { readExportIv } from './export-iv.ts'
import type { ExportPlan } from './export-plan.ts'
import { follow, forget } from './follow.ts'
import { readWritten, type Written } from './written-files.ts'

/** A run whose data the cluster writes. */
export interface ExportRun extends Pick<
	BackupRun,
	'id' | 'createdAt' | 'reporter' | 'workDirectory' | 'lease' | 'now' | 'end'
> {
	readonly options: Pick<BackupRun['options'], 'repository' | 'signal' | 'tool' | 'stallLimitMs'>
	readonly database: string
	stage: BackupRun['stage']
}

export interface CompleteOptions {
	readonly run: ExportRun
	readonly transfers: ClusterTransfers
	readonly store: ClusterStore
	readonly plan: ExportPlan
	readonly operation: ClusterOperation
	readonly key: Pick<Seal, 'key' | 'algorithm'> | undefined
}

const STALL_LIMIT_MS = 30 * 60_000

/** Follows an export to its end, looks at all that it has written, and makes it a backup. */
export async function completeExport(options: CompleteOptions): Promise<Omit<BackupResult, 'warnings' | 'elapsedMs'>> {
	const { run, transfers, store, plan, operation, key } = options
	const { id, reporter } = run
	const { repository, signal } = run.options
	const { storage } = repository
	const { operations } = transfers
	reporter.phase('data', `the cluster exports ${plan.tables.length} tables`)
	let copiedBy: Date | undefined
	await follow({
		operations,
		operation,
		what: 'the export',
		reporter,
		limitMs: run.options.stallLimitMs ?? STALL_LIMIT_MS,
		bytes: async () => store.movedBytes?.() ?? storedBytes(options),
		onState({ progress, state }) {
			// Its copies are made while it prepares.
			if (progress !== 'PREPARING' && progress !== 'UNSPECIFIED' && state !== 'failed') copiedBy ??= run.now()
		},
		signal,
	})
	await forget(operations, operation.id, reporter)

	reporter.phase('read-back', 'looking at what the cluster has written')
	const exportIv = key && (await readExportIv(storage, id, key, signal))
	const seal = key && exportIv && createSeal(key.key, key.algorithm, exportIv)
	const iv = exportIv && encryption.ivHex(exportIv)
	const unseal = key && iv && createUnseal(key.key, { algorithm: key.algorithm, keyId: key.key.id, iv })
	const { tables } = plan
	const written = await readWritten({
		storage,
		id,
		tables,
		unseal: unseal || undefined,
		written: store.written,
		signal,
	})
	for (const name of written.strange) reporter.warn(`${name} is nothing that this version knows: it stays where it is`)
	if (!written.hasChecksums)
		reporter.warn('the cluster wrote no checksums: only a full verification can prove this backup')
	throwIfInterrupted(signal, 'looking at what the cluster has written')

	reporter.phase('commit', `committing ${id}`)
	const ledger = createLedger(storage, { seal })
	const notes = [...plan.notes, ...written.changefeeds.map(feedNote)]
	for (const { path, reason } of notes.slice(plan.notes.length)) reporter.warn(reason, path)
	const named = tables.map((path) => ({ path, prefix: written.prefixes.get(path)! }))
	await writeObjects({
		id,
		directories: plan.directories.map(({ path, permissions }) => ({
			path,
			kind: 'directory' as const,
			permissions: parseProtoText(permissions, path),
		})),
		schemes: {},
		links: undefined,
		accounts: undefined,
		parts: {},
		sealed: seal && sealedNames(named, { paths: plan.paths, notes }),
		ledger,
		signal: undefined,
	})
	run.stage = 'committing'
	const files = [...written.files, ...ledger.files()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
	const full = { ...manifestOf(options, written, files, copiedBy ?? run.now()), notes }
	const manifest = await repository.commit(seal === undefined ? full : sealManifest(full, seal))
	return resultOf(options, full, manifest)
}

function feedNote(path: string): Note {
	const reason =
		'the cluster has exported it: its own import makes it again, and a restore by the client engine does not'
	return { path, kind: 'changefeed', reason }
}

/** What has arrived so far. The cluster does not say it, and we have not written it: the one listing of data that a backup makes. */
async function storedBytes({ run }: CompleteOptions): Promise<number> {
	const { repository, signal } = run.options
	let sum = 0
	for await (const { size } of repository.storage.list(`${layout.backupPrefix(run.id)}/`, { signal })) sum += size
	return sum
}

function manifestOf(
	{ run, plan }: CompleteOptions,
	{ prefixes }: Written,
	files: readonly ManifestFile[],
	copiedBy: Date,
): Omit<Manifest, 'sha256' | 'mac'> {
	const directories = plan.directories.map(({ path }): ManifestObject => ({ path, kind: 'directory' }))
	const tables = plan.tables.map((path): ManifestObject => {
		const prefix = prefixes.get(path)!
		const parts = files.filter(({ role, object }) => role === 'data' && object === prefix)
		const plainBytes = plainOf(parts)
		return {
			path,
			kind: 'row-table',
			prefix,
			partitions: parts.length,
			countedByServer: false,
			...(plainBytes !== undefined && { plainBytes }),
		}
	})
	const plainBytes = plainOf(files)
	return {
		ydbackup: 'manifest',
		version: 1,
		id: run.id,
		repository: run.options.repository.header.id,
		kind: 'full',
		createdAt: run.createdAt.toISOString(),
		finishedAt: run.now().toISOString(),
		tool: run.options.tool,
		source: { database: run.database },
		snapshotAfter: run.createdAt.toISOString(),
		snapshotBefore: copiedBy.toISOString(),
		clock: 'client',
		layout: 'native-export-1',
		compression: plan.compression,
		readBack: 'done',
		labels: plan.labels,
		paths: plan.paths,
		objects: [...directories, ...tables],
		files,
		counts: {
			tables: tables.length,
			directories: directories.length,
			...(plainBytes !== undefined && { plainBytes }),
			storedBytes: files.reduce((sum, { size }) => sum + size, 0),
			files: files.length,
		},
		notes: plan.notes,
	}
}

/** Undefined as soon as one file does not say it. */
function plainOf(files: readonly ManifestFile[]): number | undefined {
	return files.reduce<number | undefined>(
		(sum, { plainSize }) => (sum === undefined || plainSize === undefined ? undefined : sum + plainSize),
		0,
	)
}

function resultOf(
	{ run, plan, key }: CompleteOptions,
	full: Omit<Manifest, 'sha256' | 'mac'>,
	manifest: Manifest,
): Omit<BackupResult, 'warnings' | 'elapsedMs'> {
	const stored = new Map<string, number>()
	for (const { object = '', role, size } of full.files)
		if (role === 'data') stored.set(object, (stored.get(object) ?? 0) + size)
	return {
		id: run.id,
		dryRun: false,
		database: run.database,
		tables: full.objects.flatMap(({ path, prefix, partitions = 0, plainBytes }) =>
			prefix === undefined
				? []
				: [{ path, rows: undefined, partitions, plainBytes, storedBytes: stored.get(prefix) ?? 0 }],
		),
		objects: [],
		directories: plan.directories.map(({ path }) => path),
		encryption: encryptionOf(key),
		keysUsed: [],
		accounts: undefined,
		notes: full.notes,
		rows: undefined,
		plainBytes: full.counts.plainBytes,
		storedBytes: full.counts.storedBytes,
		files: manifest.files.length,
		manifest,
	}
}
