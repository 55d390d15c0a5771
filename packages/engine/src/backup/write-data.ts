import {
	BackupError,
	isBackupError,
	type KeyRange,
	type Snapshot,
	type SnapshotTable,
	type Storage,
} from '@ydbackup/core'
import { type Compression, layout, type ManifestFile } from '@ydbackup/format'
import { RowHash } from '@ydbackup/rows'

import type { Seal } from '../encryption/seal.ts'
import type { Meter } from '../events/meter.ts'
import type { Reporter } from '../events/reporter.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import type { PartFacts } from '../part/encode-part.ts'
import { checkPart } from '../part/read-part.ts'
import { uploadPart } from '../part/upload-part.ts'
import { checksumOf, dataKey } from '../part/keys.ts'
import type { Ledger } from './ledger.ts'

/** A table of the snapshot with its place on storage. */
export interface TableJob {
	readonly table: SnapshotTable
	/** `001`, … : the table's folder in the backup. */
	readonly prefix: string
}

export interface TableTotals {
	readonly rows: number
	readonly rowHash: string
	readonly plainBytes: number
	readonly storedBytes: number
	/** What the server counted; undefined when it was not asked. */
	readonly counted: bigint | undefined
}

export interface WriteDataOptions {
	/** Of the export: `backups/<id>`. */
	readonly root: string
	readonly storage: Storage
	readonly snapshot: Snapshot
	readonly jobs: readonly TableJob[]
	readonly ledger: Ledger
	readonly seal: Seal | undefined
	readonly compression: Compression
	readonly concurrency: number
	readonly countRows: boolean
	readonly meter: Meter
	readonly reporter: Reporter
	readonly stalls: StallWatch
	/** Data files that may be on storage already, by key. */
	readonly kept?: ReadonlyMap<string, ManifestFile> | undefined
	/** Called for each of them that was there, and right. */
	readonly onKept?: ((key: string) => void) | undefined
	/** Called when a data file and its sidecar are on storage. */
	readonly onPart?: ((file: ManifestFile, signal: AbortSignal) => Promise<void>) | undefined
}

/** Counts run beside the data: they load the server, not us. */
export const COUNTS_AT_ONCE = 2

/**
 * Writes one data file and its sidecar for each partition of each table, and compares the rows with the server's own count.
 * Errors: those of the snapshot and of the store; `COUNT_MISMATCH` naming the table.
 */
export async function writeData(options: WriteDataOptions): Promise<Map<string, TableTotals>> {
	const { snapshot, jobs, stalls, meter } = options
	const counts = new Map<string, bigint>()
	const tallies = new Map(jobs.map((job) => [job.prefix, createTally(job.table)]))
	const parts = jobs.flatMap((job) => job.table.ranges.map((range, partition) => ({ job, range, partition })))

	async function count(job: TableJob, signal: AbortSignal): Promise<void> {
		counts.set(job.prefix, await snapshot.countRows(job.table, { signal }))
		if (counts.size < jobs.length) return
		meter.expect({ rows: Number(Array.from(counts.values()).reduce((sum, rows) => sum + rows, 0n)) })
	}

	async function write({ job, range, partition }: (typeof parts)[number], signal: AbortSignal): Promise<void> {
		const leave = stalls.enter(`${job.table.path} part ${partition}`)
		try {
			const facts = await writePart(options, job, range, partition, signal)
			if (tallies.get(job.prefix)?.add(facts) === true) meter.tableDone()
		} finally {
			leave()
		}
	}

	await runAll(['counts', 'data'] as const, 2, stalls.signal, async (what, signal) => {
		if (what === 'data') await runAll(parts, options.concurrency, signal, write)
		else if (options.countRows) await runAll(jobs, COUNTS_AT_ONCE, signal, count)
	})
	meter.report()
	return new Map(
		Array.from(tallies, ([prefix, tally]): [string, TableTotals] => [prefix, tally.totals(counts.get(prefix))]),
	)
}

async function writePart(
	options: WriteDataOptions,
	{ table, prefix }: TableJob,
	range: KeyRange,
	partition: number,
	signal: AbortSignal,
): Promise<PartFacts> {
	const { root, snapshot, compression, ledger, reporter } = options
	const name = dataKey(root, prefix, partition, compression)
	const place = { role: 'data', object: prefix, partition } as const
	const encryptor = options.seal?.encryptor({ key: name, ...place })
	const key = encryptor === undefined ? name : `${name}${layout.encryptedSuffix}`
	const what = `${table.path} part ${partition}`
	ledger.begin(key)
	const kept = await keptPart(options, { key, table, range, ...place }, signal)
	if (kept !== undefined) return kept
	const facts = await uploadPart({
		storage: options.storage,
		key,
		open: () =>
			snapshot.read(table, range, { signal, onRestart: (reason) => reporter.retry(`reading ${what}`, reason) }),
		schema: table.schema,
		compression,
		encryptor,
		meter: options.meter,
		signal,
		onRetry: () => reporter.retry(`storing ${what}`, 'the store asked for the bytes again'),
	})
	const file: ManifestFile = { key, ...place, provenance: 'streamed', ...facts }
	ledger.add(file)
	await ledger.putSmall(checksumOf(key, facts.plainSha256, { object: prefix, partition }), signal)
	await options.onPart?.(file, signal)
	return facts
}

/** The part that another process wrote, when it is there and right: it is read to its last row, and a note is believed of nothing. */
async function keptPart(
	{ storage, kept, meter, ledger, onKept, compression }: WriteDataOptions,
	part: Pick<ManifestFile, 'key'> &
		Pick<Required<ManifestFile>, 'object' | 'partition'> & { readonly table: SnapshotTable; readonly range: KeyRange },
	signal: AbortSignal,
): Promise<PartFacts | undefined> {
	const { key, object, partition, table, range } = part
	const file = kept?.get(key)
	if (file === undefined || file.object !== object || file.partition !== partition) return undefined
	const { rows, rowHash, plainSize, plainSha256, size, sha256 } = file
	if (rows === undefined || rowHash === undefined || plainSize === undefined) return undefined
	if (plainSha256 === undefined || sha256 === undefined) return undefined
	const reading = meter.openPart()
	const { schema } = table
	try {
		await checkPart({
			storage,
			file: { ...file, partition },
			schema,
			range,
			compression,
			unseal: undefined,
			meter: reading,
			signal,
		})
	} catch (error) {
		reading.takeBack()
		if (isBackupError(error) && error.kind === 'damaged') return undefined
		throw error
	}
	ledger.add(file)
	await ledger.putSmall(checksumOf(key, plainSha256, { object, partition }), signal)
	onKept?.(key)
	return { rows, rowHash, plainSize, plainSha256, size, sha256 }
}

interface Tally {
	/** Adds a part; true when it was the last one. */
	add(facts: PartFacts): boolean
	totals(counted: bigint | undefined): TableTotals
}

function createTally(table: SnapshotTable): Tally {
	const hash = new RowHash(table.schema)
	let left = table.ranges.length
	let plainBytes = 0
	let storedBytes = 0
	return {
		add(facts) {
			hash.addDigest(facts.rowHash, facts.rows)
			plainBytes += facts.plainSize
			storedBytes += facts.size
			return --left === 0
		},
		totals(counted) {
			if (counted !== undefined) assertCount(table.path, counted, hash.rows)
			return { rows: hash.rows, rowHash: hash.digest(), plainBytes, storedBytes, counted }
		},
	}
}

/** Errors: `COUNT_MISMATCH`. */
export function assertCount(path: string, counted: bigint, read: number): void {
	if (counted === BigInt(read)) return
	throw new BackupError(
		'COUNT_MISMATCH',
		`${path}: the server counts ${counted} rows in the copy, and ${read} were read from it`,
		{ advice: 'nothing is listed; run again, and report this with the server version when it happens twice' },
	)
}
