import { randomBytes } from 'node:crypto'

import {
	BackupError,
	type ClusterKey,
	type ClusterOperation,
	type ClusterTransfers,
	isBackupError,
} from '@ydbackup/core'
import { layout, type Manifest } from '@ydbackup/format'

import { STALL_LIMIT_MS, type StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import { openPermissions, openScheme } from '../part/contents.ts'
import { compareRows } from '../restore/compare-rows.ts'
import { createDirectories, createTables, grant } from '../restore/create-objects.ts'
import { finishTables, switchTtlOn } from '../restore/finish-tables.ts'
import { addPart } from '../restore/restore-objects.ts'
import type { RestoreSettings } from '../restore/restore-options.ts'
import type { RestoreRun, TableWork } from '../restore/restore-run.ts'
import { writeRows } from '../restore/write-rows.ts'
import type { ClusterStore, OpenClusterStore } from './cluster-store.ts'
import { cancel, follow, forget } from './follow.ts'

/** What a restore by the cluster needs besides what every restore does. */
export interface ClusterRestore {
	readonly transfers: ClusterTransfers
	readonly openStore: OpenClusterStore
	/** See `ClusterBackupOptions`. */
	readonly isSecure: boolean
	readonly sendKeyInClear?: boolean | undefined
}

const RETRIES = 10
const COUNTED_AT_ONCE = 2
const ADVICE = 'restore with --engine client, which can do it'

/** Flags of a restore that an import by the cluster cannot follow. Errors: `CONFIG_INVALID`. */
export function assertImportSettings(options: RestoreSettings): void {
	const given: readonly (readonly [flag: string, isGiven: boolean])[] = [
		[`--existing ${options.existing}`, options.existing !== 'fail'],
		['--scheme-only', options.schemeOnly === true],
		['--data-only', options.dataOnly === true],
		['--ttl off', options.ttl === 'off'],
	]
	for (const [flag, isGiven] of given) {
		if (!isGiven) continue
		throw new BackupError('CONFIG_INVALID', `${flag} cannot be had with --engine cluster`, {
			advice: `the cluster's import makes whole tables where none stand; ${ADVICE}`,
		})
	}
}

/** Errors: `UNSUPPORTED` for an increment: the cluster's import knows whole tables alone. */
export function assertImportable({ id }: Manifest, backups: number): void {
	if (backups === 1) return
	throw new BackupError(
		'UNSUPPORTED',
		`${id} builds upon ${backups - 1} other backups, and the cluster imports whole ones`,
		{
			advice: ADVICE,
		},
	)
}

/** Lets the cluster import all row tables, brings back by ourselves what it does not import, and compares what came with what the manifest says. */
export async function fillByImport(
	run: RestoreRun,
	{ transfers }: ClusterRestore,
	store: ClusterStore,
	{ manifest, key }: { readonly manifest: Manifest; readonly key: ClusterKey | undefined },
	stalls: StallWatch,
): Promise<void> {
	const { signal } = stalls
	await createDirectories(run, signal)
	const [columnTables = [], rowTables = []] = [true, false].map((isColumn) =>
		run.tables.filter(({ stored }) => (stored.object.kind === 'column-table') === isColumn),
	)
	if (rowTables.length > 0)
		await importTables({ ...run, tables: rowTables }, transfers, store, { manifest, key }, stalls)
	for (const work of rowTables) await addLeftOut(run, work, manifest, signal)
	if (columnTables.length === 0) return
	const ours = { ...run, tables: columnTables }
	await createTables(ours, signal)
	await writeRows(ours, stalls)
	await finishTables(ours, signal)
	await switchTtlOn(ours, signal)
}

async function importTables(
	run: RestoreRun,
	{ operations, startImport }: ClusterTransfers,
	store: ClusterStore,
	{ manifest: { id }, key }: { readonly manifest: Manifest; readonly key: ClusterKey | undefined },
	{ signal }: StallWatch,
): Promise<void> {
	const { reporter, options, tables } = run
	reporter.phase('data', `the cluster imports ${tables.length} tables`)
	const begun = await begin(run, () =>
		startImport({
			place: store.place,
			prefix: `${store.prefix}${layout.backupPrefix(id)}`,
			items: tables.map(({ stored, target }) => ({ prefix: stored.prefix, target })),
			key,
			retries: RETRIES,
			noAcl: options.noAcl === true,
			uid: `${id}-restore-${randomBytes(6).toString('hex')}`,
			description: `ydbackup restore of ${id}`,
			signal,
		}),
	)
	const onState = (operation: ClusterOperation): void => {
		run.meter.touch()
		noteCreated(tables, operation)
	}
	try {
		const limitMs = options.stallLimitMs ?? STALL_LIMIT_MS
		const bytes = store.movedBytes && (async () => store.movedBytes!())
		await follow({ operations, operation: begun, what: 'the import', reporter, limitMs, bytes, onState, signal })
	} catch (error) {
		await cancel(operations, begun.id, reporter, onState)
		throw error
	}
	await forget(operations, begun.id, reporter)
	for (const work of tables) work.stage = 'created'
	reporter.phase('compare', `counting the rows of ${tables.length} tables`)
	await runAll(tables, COUNTED_AT_ONCE, signal, async (work, stop) => prove(run, work, stop))
}

/** The import brings changefeeds and rights of its table; not those that the export had left out, which stand beside it. */
async function addLeftOut(
	run: RestoreRun,
	work: TableWork,
	{ id, files }: Manifest,
	signal: AbortSignal,
): Promise<void> {
	const { stored, target, createdParts } = work
	const added = files.filter(
		({ object, key }) => object === stored.prefix && key.startsWith(`${layout.addedPrefix(id)}/`),
	)
	if (added.some(({ role }) => role === 'permissions')) await grant(run, target, openPermissions(stored), signal)
	const left = new Set(added.flatMap(({ role, partition }) => (role === 'changefeed' ? (partition ?? []) : [])))
	for (const [number, part] of stored.changefeeds.entries()) {
		if (!left.has(number)) createdParts.push(part.name)
		else if (run.withChangefeeds) await addPart(run, work, part, signal)
	}
}

/** Until it is known to have been refused, tables may come to be. */
async function begin({ tables }: RestoreRun, start: () => Promise<ClusterOperation>): Promise<ClusterOperation> {
	for (const work of tables) work.stage = 'creating'
	try {
		return await start()
	} catch (error) {
		const isRefusal =
			isBackupError(error) && error.code !== 'DATABASE_UNREACHABLE' && error.code !== 'DEADLINE_EXCEEDED'
		if (isRefusal) for (const work of tables) work.stage = 'waiting'
		throw error
	}
}

/** Parts of a table are told only when the import has made it: then it is this run's, and nobody else's. */
function noteCreated(tables: readonly TableWork[], { items }: ClusterOperation): void {
	for (const [at, { partsTotal }] of items.entries()) {
		const work = tables[at]
		if (work?.stage === 'creating' && partsTotal > 0) work.stage = 'created'
	}
}

async function prove(run: RestoreRun, work: TableWork, signal: AbortSignal): Promise<void> {
	const { sink, meter, options, reporter } = run
	const { target, expected, stored } = work
	if ((await sink.find(target, { signal })) === undefined) {
		throw new BackupError('DATA_MISMATCH', `the import has succeeded, and ${target} is not there`, {
			advice: `report this; ${ADVICE}`,
		})
	}
	const counted = Number(await sink.countRows(target, { signal }))
	if (stored.foreign !== undefined) {
		const { plainBytes } = stored
		work.read.set(target, { rows: counted, rowHash: '', sha256: '', plainSha256: '', plainBytes })
		reporter.warn('nobody has counted its rows in the backup: verify it at level full', target)
	} else if (counted !== expected.rows) {
		throw new BackupError(
			'COUNT_MISMATCH',
			`${target}: the backup has ${expected.rows} rows, and the import gave ${counted}`,
			{
				advice: `see that nobody writes to the target; ${ADVICE}`,
			},
		)
	}
	if (options.verifyData === true && expected.rowHash !== undefined) {
		await compareRows(run, target, expected, openScheme(stored), signal)
		work.isCompared = true
	}
	work.stage = 'filled'
	meter.tableDone()
}
