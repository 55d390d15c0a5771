import type { Manifest, ManifestFile, ManifestObject } from '@ydbackup/format'

import type { BackedUpObject, BackedUpTable, BackupResult } from '../backup/backup-options.ts'
import type { Note } from '../backup/backup-plan.ts'
import { comparePaths } from '../choose/object-path.ts'
import { encryptionOf } from '../encryption/seal.ts'
import type { CompleteOptions } from './complete-export.ts'
import type { Beside } from './write-beside.ts'
import type { Written } from './written-files.ts'

export interface ExportFacts {
	readonly written: Written
	readonly beside: Beside
	/** Of the export and of what is beside it. */
	readonly files: readonly ManifestFile[]
	/** Names of changefeeds by the folder of their table. */
	readonly changefeeds: ReadonlyMap<string, readonly string[]>
	readonly notes: readonly Note[]
	/** When the cluster's tables had been copied, the column tables' transaction had begun, and the objects were read, the export's at the latest. */
	readonly copiedBy: Date
	readonly exportedBy: Date
	readonly readAt: string
}

/** The manifest of a backup whose rows the cluster has written, but for its hashes. */
export function manifestOf({ run, plan }: CompleteOptions, facts: ExportFacts): Omit<Manifest, 'sha256' | 'mac'> {
	const { files, copiedBy, notes } = facts
	const directories = plan.directories.map(({ path }): ManifestObject => ({ path, kind: 'directory' }))
	const tables = [...exportedTables(plan.tables, facts), ...columnTables(facts)].toSorted(byPath)
	const objects = definedObjects(plan.exported, facts).toSorted(byPath)
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
		objects: [...directories, ...tables, ...objects],
		files,
		counts: {
			tables: tables.length,
			directories: directories.length,
			...(objects.length > 0 && { objects: objects.length }),
			...(plainBytes !== undefined && { plainBytes }),
			storedBytes: files.reduce((sum, { size }) => sum + size, 0),
			files: files.length,
		},
		notes,
	}
}

function exportedTables(
	tables: readonly { readonly path: string }[],
	{ written, files, changefeeds, exportedBy }: ExportFacts,
): ManifestObject[] {
	return tables.map(({ path }) => {
		const prefix = written.prefixes.get(path)!
		const parts = files.filter(({ role, object }) => role === 'data' && object === prefix)
		const plainBytes = plainOf(parts)
		const feeds = changefeeds.get(prefix)?.length ?? 0
		return {
			path,
			kind: 'row-table',
			prefix,
			...(feeds > 0 && { readAt: exportedBy.toISOString(), parts: feeds }),
			partitions: parts.length,
			countedByServer: false,
			...(plainBytes !== undefined && { plainBytes }),
		}
	})
}

function columnTables({ beside: { jobs, totals } }: ExportFacts): ManifestObject[] {
	return jobs.map(({ table: { path, ranges }, prefix }) => {
		const { rows, rowHash, plainBytes, counted } = totals.get(prefix)!
		const partitions = ranges.length
		const countedByServer = counted !== undefined
		return { path, kind: 'column-table', prefix, rows: String(rows), rowHash, partitions, countedByServer, plainBytes }
	})
}

function definedObjects(
	exported: CompleteOptions['plan']['exported'],
	{ written, beside, readAt, exportedBy }: ExportFacts,
): ManifestObject[] {
	return [
		...exported.map(({ path, kind }) => {
			return { path, kind, prefix: written.prefixes.get(path)!, readAt: exportedBy.toISOString() }
		}),
		...beside.objectJobs.map(({ object: { path, kind, parts }, prefix }) => {
			return { path, kind, prefix, readAt, ...(parts.length > 0 && { parts: parts.length }) }
		}),
	]
}

const byPath = (a: { readonly path: string }, b: { readonly path: string }): number => comparePaths(a.path, b.path)

/** Undefined as soon as one file does not say it. */
function plainOf(files: readonly ManifestFile[]): number | undefined {
	return files.reduce<number | undefined>(
		(sum, { plainSize }) => (sum === undefined || plainSize === undefined ? undefined : sum + plainSize),
		0,
	)
}

/** What the run says of itself. */
export function resultOf(
	{ run, plan, key }: CompleteOptions,
	{ beside, changefeeds, written }: ExportFacts,
	full: Omit<Manifest, 'sha256' | 'mac'>,
	manifest: Manifest,
	accounts: BackupResult['accounts'],
): Omit<BackupResult, 'warnings' | 'elapsedMs'> {
	const stored = new Map<string, number>()
	for (const { object = '', role, size } of full.files)
		if (role === 'data') stored.set(object, (stored.get(object) ?? 0) + size)
	const tables = full.objects.flatMap(
		({ path, kind, prefix = '', partitions = 0, plainBytes, rows }): BackedUpTable[] =>
			kind === 'row-table' || kind === 'column-table'
				? [
						{
							path,
							rows: rows === undefined ? undefined : Number(rows),
							partitions,
							plainBytes,
							storedBytes: stored.get(prefix) ?? 0,
						},
					]
				: [],
	)
	const fed = plan.tables.flatMap(({ path }): BackedUpObject[] => {
		const parts = changefeeds.get(written.prefixes.get(path)!) ?? []
		return parts.length === 0 ? [] : [{ path, kind: 'row-table', parts }]
	})
	const objects = [
		...fed,
		...plan.exported.map(({ path, kind }) => ({ path, kind, parts: [] })),
		...beside.objectJobs.map(({ object: { path, kind, parts } }) => {
			return { path, kind, parts: parts.map(({ name }) => name) }
		}),
	]
	return {
		id: run.id,
		dryRun: false,
		database: run.database,
		tables,
		objects: objects.toSorted(byPath),
		directories: plan.directories.map(({ path }) => path),
		encryption: encryptionOf(key),
		keysUsed: [],
		accounts,
		notes: full.notes,
		rows: undefined,
		plainBytes: full.counts.plainBytes,
		storedBytes: full.counts.storedBytes,
		files: manifest.files.length,
		manifest,
	}
}
