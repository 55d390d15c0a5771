import { BackupError, type Snapshot, type SnapshotSource } from '@ydbackup/core'
import { layout, parseProtoText } from '@ydbackup/format'

import type { LiveObjects } from '../backup/live-objects.ts'
import type { Ledger } from '../backup/ledger.ts'
import { type TableJob, type TableTotals, writeData } from '../backup/write-data.ts'
import { type ObjectJob, writeObjectItems } from '../backup/write-objects.ts'
import { writeRoot } from '../backup/write-root.ts'
import { writeSchemes } from '../backup/write-schemes.ts'
import type { Seal } from '../encryption/seal.ts'
import { createMeter } from '../events/meter.ts'
import { watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency, requestConcurrency } from '../flow/concurrency.ts'
import type { ExportRun } from './complete-export.ts'
import type { ExportPlan } from './export-plan.ts'

/** What was written beside an export. */
export interface Beside {
	readonly jobs: readonly TableJob[]
	/** By prefix. */
	readonly totals: ReadonlyMap<string, TableTotals>
	readonly objectJobs: readonly ObjectJob[]
	/** By prefix: whole schemes that `scheme.pb` could not hold. */
	readonly schemes: Record<string, string>
}

export interface WriteBesideOptions {
	readonly run: ExportRun
	readonly source: SnapshotSource
	readonly plan: ExportPlan
	readonly live: LiveObjects
	readonly seal: Seal | undefined
	readonly ledger: Ledger
	readonly limitMs: number
}

/**
 * Writes what the cluster does not export as an export of its own, whose numbers go on behind those of the cluster's: column tables as of one
 * moment, and objects. Errors: those of the source and of the store, `COUNT_MISMATCH`.
 */
export async function writeBeside(options: WriteBesideOptions): Promise<Beside> {
	const { run, plan, live, seal, ledger } = options
	const { storage } = run.options.repository
	const taken = plan.tables.length + plan.exported.length
	const root = layout.besidePrefix(run.id)
	const chosen = new Set(plan.objects.map(({ path }) => path))
	const objectJobs = live.objects
		.filter(({ path }) => chosen.has(path))
		.map((object, at): ObjectJob => {
			return { object, prefix: layout.itemPrefix(taken + plan.columnTables.length + at + 1) }
		})
	const { jobs, totals, schemes } = await writeColumnTables(options, root, taken)
	const shared = { root, ledger, isEncrypted: seal !== undefined, concurrency: requestConcurrency(storage) }
	const signal = run.options.signal ?? new AbortController().signal
	await writeObjectItems(objectJobs, { ...shared, signal })
	const named = [
		...jobs.map(({ table, prefix }) => ({ path: table.path, prefix })),
		...objectJobs.map(({ object, prefix }) => ({ path: object.path, prefix })),
	]
	if (named.length > 0) await writeRoot(root, named, plan.compression, ledger, seal, shared.concurrency)
	return { jobs, totals, objectJobs, schemes }
}

async function writeColumnTables(
	{ run, source, plan, seal, ledger, limitMs }: WriteBesideOptions,
	root: string,
	taken: number,
): Promise<Pick<Beside, 'jobs' | 'totals' | 'schemes'>> {
	const { columnTables, compression } = plan
	if (columnTables.length === 0) return { jobs: [], totals: new Map(), schemes: {} }
	const { reporter } = run
	const { repository, signal } = run.options
	const { storage } = repository
	const concurrency = chooseConcurrency(undefined, storage)
	const paths = columnTables.map(({ path }) => path)
	reporter.phase(
		'snapshot',
		`opening a transaction over ${paths.length} column tables, which the cluster does not export`,
	)
	const snapshot = await source.take({ tables: [], columnTables: paths, workDirectory: run.workDirectory, signal })
	try {
		const jobs = jobsOf(paths, snapshot, taken)
		const meter = createMeter(reporter.emit, jobs.length)
		using stalls = watchStalls({ signal, meter, emit: reporter.emit, limitMs })
		reporter.phase('data', `reading ${jobs.length} column tables`)
		const shared = { root, jobs, ledger, reporter, concurrency }
		const totals = await writeData({ ...shared, storage, snapshot, seal, compression, countRows: true, meter, stalls })
		const permissions = new Map(columnTables.map(({ path, permissions: text }) => [path, parseProtoText(text, path)]))
		const schemes = await writeSchemes({
			...shared,
			permissions,
			changefeeds: new Map(),
			isEncrypted: seal !== undefined,
			signal: stalls.signal,
		})
		return { jobs, totals, schemes }
	} finally {
		await snapshot.drop()
	}
}

function jobsOf(paths: readonly string[], { tables }: Snapshot, taken: number): TableJob[] {
	const found = new Map(tables.map((table) => [table.path, table]))
	return paths.map((path, at) => {
		const table = found.get(path)
		if (table === undefined) throw new BackupError('INTERNAL', `the snapshot does not hold ${path}`)
		return { table, prefix: layout.itemPrefix(taken + at + 1) }
	})
}
