import type { Manifest, ManifestObject } from '@ydbackup/format'

import type { BackupPlan, Note } from './backup-plan.ts'
import type { BackupRun, RunOptions } from './backup-run.ts'
import { isColumnTable } from '../part/column-table.ts'
import { keepsCopies } from './settle-copies.ts'
import type { ObjectJob } from './write-objects.ts'
import type { TableJob, TableTotals } from './write-data.ts'

export interface ManifestParts {
	readonly plan: BackupPlan
	readonly jobs: readonly TableJob[]
	readonly objectJobs: readonly ObjectJob[]
	/** By prefix. */
	readonly totals: ReadonlyMap<string, TableTotals>
	readonly readBack: 'done' | 'unavailable'
}

/** The manifest of a finished run, but for its own hash. */
export function manifestOf(run: BackupRun, parts: ManifestParts): Omit<Manifest, 'sha256' | 'mac'> {
	const { options, snapshot } = run
	const { repository, source } = options
	const finishedAt = run.now().toISOString()
	const files = run.ledger.files()
	const tables = parts.jobs.map((job) => tableObject(job, parts.totals.get(job.prefix), run))
	const { readAt } = run.live
	const objects = parts.objectJobs.map(({ object: { path, kind, parts: within }, prefix }): ManifestObject => ({
		path,
		kind,
		prefix,
		readAt,
		...(within.length > 0 && { parts: within.length }),
	}))
	const directories = parts.plan.directories.map(({ path }): ManifestObject => ({ path, kind: 'directory' }))
	return {
		ydbackup: 'manifest',
		version: 1,
		id: run.id,
		repository: repository.header.id,
		...kindOf(run),
		createdAt: run.createdAt.toISOString(),
		finishedAt,
		tool: options.tool,
		source: { database: source.database, ...(run.collection && { collection: run.collection }) },
		// Without a table there is no snapshot: directories were listed between these.
		snapshotAfter: snapshot?.after ?? run.createdAt.toISOString(),
		snapshotBefore: snapshot?.before ?? finishedAt,
		clock: snapshot?.clock ?? 'client',
		...(keepsCopies(run, parts.plan) && { keptCopy: true }),
		layout: 'native-export-1',
		compression: run.compression,
		readBack: parts.readBack,
		labels: { ...options.labels },
		paths: [...parts.plan.paths],
		objects: [...directories, ...tables, ...objects],
		files: files.map((file) =>
			parts.readBack === 'done' || file.role === 'data' ? file : { ...file, provenance: 'streamed' },
		),
		counts: {
			tables: tables.length,
			directories: directories.length,
			...(objects.length > 0 && { objects: objects.length }),
			rows: String(Array.from(parts.totals.values()).reduce((sum, total) => sum + BigInt(total.rows), 0n)),
			plainBytes: files.reduce((sum, file) => sum + (file.plainSize ?? 0), 0),
			storedBytes: files.reduce((sum, file) => sum + file.size, 0),
			files: files.length,
		},
		notes: notesOf(run, parts.plan),
	}
}

/** Everything that was not taken, and what is doubtful. */
export function notesOf({ options, link, live }: BackupRun, plan: BackupPlan): Note[] {
	return [...plan.notes, ...live.notes, ...patternNotes(options), ...momentNotes(plan), ...(link?.doubts?.() ?? [])]
}

/** Patterns stand among what was not taken: whoever restores must see that the backup is not of everything. */
export function patternNotes({
	include = [],
	exclude = [],
	kinds = [],
	excludeKinds = [],
}: Pick<RunOptions, 'include' | 'exclude' | 'kinds' | 'excludeKinds'>): Note[] {
	return [
		...kinds.map((path) => ({ path, kind: 'kind', reason: 'only objects of such kinds were taken' })),
		...excludeKinds.map((path) => ({ path, kind: 'exclude-kind', reason: 'objects of this kind were left out' })),
		...include.map((path) => ({ path, kind: 'include', reason: 'only what such patterns match was taken' })),
		...exclude.map((path) => ({ path, kind: 'exclude', reason: 'what this pattern matches was left out' })),
	]
}

/** Column tables cannot be copied with the others. */
function momentNotes({ tables }: BackupPlan): Note[] {
	const columns = tables.filter(({ kind }) => kind === 'column-table').length
	if (columns === 0 || columns === tables.length) return []
	const reason = `${columns} column tables were read as of one moment and ${tables.length - columns} row tables as of another one; both lie between snapshotAfter and snapshotBefore`
	return [{ path: '', kind: 'consistency', reason }]
}

function kindOf({ increment }: BackupRun): Pick<Manifest, 'kind' | 'parent'> {
	if (increment === undefined) return { kind: 'full' }
	const { id, sha256 } = increment.parent
	return { kind: 'incremental', parent: { id, manifestSha256: sha256 } }
}

function tableObject(
	{ table, prefix }: TableJob,
	totals: TableTotals | undefined,
	{ link, options, live }: BackupRun,
): ManifestObject {
	const isOfIndex = link?.indexChanges?.has(table.path) === true
	const state = link?.stateOf(table.path)
	const feeds = live.changefeeds.get(table.path)?.length ?? 0
	return {
		path: table.path,
		kind:
			link === undefined
				? isColumnTable(table.scheme)
					? 'column-table'
					: 'row-table'
				: isOfIndex
					? 'index-changes'
					: 'change-table',
		...(state && { state: { rows: String(state.rows), rowHash: state.rowHash } }),
		prefix,
		...(feeds > 0 && { readAt: live.readAt, parts: feeds }),
		rows: String(totals?.rows ?? 0),
		rowHash: totals?.rowHash ?? '',
		partitions: table.ranges.length,
		countedByServer: link?.countState === undefined ? totals?.counted !== undefined : options.countRows !== false,
		plainBytes: totals?.plainBytes ?? 0,
	}
}
