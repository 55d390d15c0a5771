import { type Accounts, BackupError, type ObjectPart, type Snapshot, throwIfInterrupted } from '@ydbackup/core'
import { layout, type Manifest, type StoredLink } from '@ydbackup/format'

import type { LinkSnapshot } from '../chain/link-snapshot.ts'
import { comparePaths } from '../choose/object-path.ts'
import { encryptionOf } from '../encryption/seal.ts'
import { sealedNames, sealManifest } from '../encryption/seal-manifest.ts'
import { createMeter } from '../events/meter.ts'
import { STALL_LIMIT_MS, watchStalls } from '../events/stall-watch.ts'
import { mergeConcurrency, requestConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'
import type { BackedUpObject, BackupResult } from './backup-options.ts'
import type { BackupPlan } from './backup-plan.ts'
import type { BackupRun } from './backup-run.ts'
import type { LiveObjects } from './live-objects.ts'
import { type ManifestParts, manifestOf, notesOf } from './manifest.ts'
import { readBack } from './read-back.ts'
import { assertCount, COUNTS_AT_ONCE, type TableJob, type TableTotals, writeData } from './write-data.ts'
import { type ObjectJob, writeObjectItems } from './write-objects.ts'
import { writeObjects, writeRoot } from './write-root.ts'
import { writeSchemes } from './write-schemes.ts'

/** Everything of a run behind the snapshot, to the manifest. */
export async function writeBackup(
	run: BackupRun,
	plan: BackupPlan,
): Promise<Omit<BackupResult, 'warnings' | 'elapsedMs'>> {
	const { options, reporter, ledger, id, concurrency, seal } = run
	const { storage } = options.repository
	const root = layout.backupPrefix(id)
	const permissions = new Map(plan.tables.map((table) => [table.path, table.permissions]))
	const meter = createMeter(reporter.emit, plan.tables.length)
	if (run.increment && run.snapshot) run.link = run.increment.open(run.snapshot, () => meter.touch())
	const { link } = run
	const jobs = jobsOf(plan, link ?? run.snapshot)
	using stalls = watchStalls({
		signal: options.signal,
		meter,
		emit: reporter.emit,
		limitMs: options.stallLimitMs ?? STALL_LIMIT_MS,
	})
	let totals = new Map<string, TableTotals>()
	if (run.snapshot !== undefined) {
		reporter.phase('data', `reading ${jobs.length} tables`)
		const { compression } = run
		const snapshot = link ?? run.snapshot
		const isCounted = options.countRows ?? true
		const countRows = isCounted && link?.countState === undefined
		const write = (): Promise<Map<string, TableTotals>> =>
			writeData({
				root,
				storage,
				snapshot,
				jobs,
				ledger,
				seal,
				compression,
				concurrency: mergeConcurrency(concurrency, link?.streams ?? 1),
				countRows,
				meter,
				reporter,
				stalls,
				kept: run.kept,
				onKept: (key) => run.keptParts.add(key),
				onPart: (file, stop) => run.journal?.part(file, stop) ?? Promise.resolve(),
			})
		let counts: ReadonlyMap<string, bigint> = new Map()
		await runAll(['data', 'counts'] as const, 2, stalls.signal, async (what, stop) => {
			if (what === 'data') totals = await write()
			else if (isCounted && link?.countState !== undefined) counts = await countStates(link.countState, jobs, stop)
		})
		for (const [path, counted] of counts) assertCount(path, counted, link?.stateOf(path)?.rows ?? 0)
	}
	reporter.phase(
		'schemes',
		`writing the schemes of ${jobs.length} tables, ${run.live.objects.length} other objects and ${plan.directories.length} directories`,
	)
	const { signal } = stalls
	const requests = requestConcurrency(storage)
	const schemes = await writeSchemes({
		root,
		jobs,
		permissions,
		changefeeds: run.live.changefeeds,
		ledger,
		isEncrypted: seal !== undefined,
		reporter,
		concurrency: requests,
		signal,
	})
	const objectJobs = run.live.objects.map((object, at): ObjectJob => {
		return { object, prefix: layout.itemPrefix(jobs.length + at + 1) }
	})
	await writeObjectItems(objectJobs, { root, ledger, isEncrypted: seal !== undefined, concurrency: requests, signal })
	const named = [
		...jobs.map(({ table, prefix }) => ({ path: table.path, prefix })),
		...objectJobs.map(({ object, prefix }) => ({ path: object.path, prefix })),
	]
	const sealed = seal && sealedNames(named, { paths: plan.paths, notes: notesOf(run, plan) })
	await writeObjects({
		id,
		directories: plan.directories,
		schemes,
		links: linksOf(link, jobs),
		parts: partsOf(run.live, jobs, objectJobs),
		accounts: run.accounts,
		sealed,
		ledger,
		signal,
	})

	const before = ledger.files()
	reporter.phase('read-back', `reading ${before.length} objects back`)
	let isReadBack = await readBack({ storage, files: before, concurrency: requests, signal })
	throwIfInterrupted(options.signal, 'reading back')

	await run.beforeCommit?.()
	run.lease.assertHeld()

	// From here on a stop comes too late: the next steps are few and short, and half of them would be worse than all.
	reporter.phase('commit', `committing ${id}`)
	await writeRoot(root, named, run.compression, ledger, seal, requests)
	const known = new Set(before.map((file) => file.key))
	const rootFiles = ledger.files().filter((file) => !known.has(file.key))
	if (isReadBack === 'done') {
		isReadBack = await readBack({ storage, files: rootFiles, concurrency: requests, signal: undefined })
	}
	if (isReadBack === 'unavailable') reporter.warn('the store does not let us read: nothing could be read back')
	const parts = { plan, jobs, objectJobs, totals, readBack: isReadBack }
	run.stage = 'committing'
	const full = manifestOf(run, parts)
	const ancestors = run.increment?.ancestors
	const manifest = await options.repository.commit(seal === undefined ? full : sealManifest(full, seal), { ancestors })
	return resultOf(run, parts, manifest)
}

/** The rows of the tables themselves, beside the reading of what changed in them: counting loads the server, not us. */
async function countStates(
	countState: NonNullable<LinkSnapshot['countState']>,
	jobs: readonly TableJob[],
	signal: AbortSignal,
): Promise<Map<string, bigint>> {
	const counts = new Map<string, bigint>()
	await runAll(jobs, COUNTS_AT_ONCE, signal, async ({ table: { path } }, stop) => {
		counts.set(path, await countState(path, { signal: stop }))
	})
	return counts
}

/** Names of changefeeds and rate limiters, by the folder of their object. */
function partsOf(
	{ changefeeds }: LiveObjects,
	jobs: readonly TableJob[],
	objectJobs: readonly ObjectJob[],
): Record<string, readonly string[]> {
	const all = [
		...jobs.map(({ table, prefix }) => ({ prefix, parts: changefeeds.get(table.path) ?? [] })),
		...objectJobs.map(({ object, prefix }) => ({ prefix, parts: object.parts })),
	]
	return Object.fromEntries(
		all.filter(({ parts }) => parts.length > 0).map(({ prefix, parts }) => [prefix, parts.map(({ name }) => name)]),
	)
}

function linksOf(link: LinkSnapshot | undefined, jobs: readonly TableJob[]): Record<string, StoredLink> | undefined {
	if (link === undefined) return undefined
	return Object.fromEntries(
		jobs.flatMap(({ table, prefix }) => {
			const stored = link.linkOf(table.path)
			return stored === undefined ? [] : [[prefix, stored] as const]
		}),
	)
}

function jobsOf(plan: BackupPlan, snapshot: Snapshot | undefined): TableJob[] {
	const found = new Map(snapshot?.tables.map((table) => [table.path, table]))
	return plan.tables.map(({ path }, index) => {
		const table = found.get(path)
		if (table === undefined) throw new BackupError('INTERNAL', `the snapshot does not hold ${path}`)
		return { table, prefix: layout.itemPrefix(index + 1) }
	})
}

export function countsOf(accounts: Accounts | undefined): BackupResult['accounts'] {
	return accounts && { users: accounts.users.length, groups: accounts.groups.length }
}

function resultOf(
	run: BackupRun,
	{ plan, jobs, totals }: ManifestParts,
	manifest: Manifest,
): Omit<BackupResult, 'warnings' | 'elapsedMs'> {
	const tables = jobs.map(({ table, prefix }) => ({
		path: table.path,
		rows: totals.get(prefix)?.rows ?? 0,
		partitions: table.ranges.length,
		plainBytes: totals.get(prefix)?.plainBytes ?? 0,
		storedBytes: totals.get(prefix)?.storedBytes ?? 0,
	}))
	return {
		id: run.id,
		dryRun: false,
		database: run.options.source.database,
		tables,
		objects: objectsOf(run.live),
		directories: plan.directories.map((directory) => directory.path),
		encryption: encryptionOf(run.seal),
		...(manifest.keptCopy === true && { keptCopy: `${run.options.source.database}/${run.workDirectory}` }),
		...(run.link?.fromCopy !== undefined && { fromCopy: run.link.fromCopy }),
		keysUsed: run.increment?.keysUsed ?? [],
		accounts: countsOf(run.accounts),
		notes: [...plan.notes, ...run.live.notes],
		rows: tables.reduce((sum, table) => sum + (table.rows ?? 0), 0),
		plainBytes: tables.reduce((sum, table) => sum + (table.plainBytes ?? 0), 0),
		storedBytes: tables.reduce((sum, table) => sum + table.storedBytes, 0),
		files: manifest.files.length,
		manifest,
	}
}

function objectsOf({ objects, changefeeds }: LiveObjects): BackedUpObject[] {
	const names = (parts: readonly ObjectPart[]): string[] => parts.map(({ name }) => name)
	return [
		...Array.from(changefeeds, ([path, parts]) => ({ path, kind: 'row-table', parts: names(parts) })),
		...objects.map(({ path, kind, parts }) => ({ path, kind, parts: names(parts) })),
	].toSorted((a, b) => comparePaths(a.path, b.path))
}
