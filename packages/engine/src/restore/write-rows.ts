import { BackupError, type RowChunk, type TableWriter, throwIfInterrupted } from '@ydbackup/core'
import { createKeyComparator, keyTypes, releaseBytes, RowHash } from '@ydbackup/rows'

import { readChainTable } from '../chain/read-chain-table.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme, type TableScheme } from '../part/contents.ts'
import { partsOf, type StoredPart } from '../part/parts.ts'
import { readPart, type RowFacts } from '../part/read-part.ts'
import { compareRows, type ExpectedRows } from './compare-rows.ts'
import { addProblem } from './create-objects.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'

const NOTE_EVERY_BYTES = 64 << 20

/**
 * Writes the rows of all tables, part by part, and proves each table as soon as its last part is written: by the server's count,
 * and by reading it back where that is asked. A table is `filled` when it is proven.
 *
 * A part is known to be whole only at its end, when its rows are written. For a table of this run that is well: it is dropped. A
 * table that was there before is not ours to drop, so its parts are read twice, the first time without writing.
 */
export async function writeRows(run: RestoreRun, stalls: StallWatch): Promise<void> {
	const { reporter, concurrency, tables, meter } = run
	const open = tables.filter((work) => work.stage !== 'filled')
	const existing = open.filter((work) => work.existed)
	if (existing.length > 0) {
		reporter.phase('check', `reading the data files of ${existing.length} existing tables before writing to them`)
		await runAll(unitsOf(run, existing), concurrency, stalls.signal, async (unit, signal) => {
			using _ = enter(stalls, unit)
			await check(unit, signal)
		})
		meter.restart()
	}

	reporter.phase('data', `writing ${open.length} tables`)
	for (const _ of tables.slice(open.length)) meter.tableDone()
	const left = new Map(open.map((work) => [work, takeUpParts(run, work)]))
	const fill = async (work: TableWork, scheme: TableScheme, signal: AbortSignal): Promise<void> => {
		await prove(run, work, scheme, signal)
		work.stage = 'filled'
		await run.progress.changed(run, work)
		meter.tableDone()
	}
	await runAll(unitsOf(run, open), concurrency, stalls.signal, async (unit, signal) => {
		using _ = enter(stalls, unit)
		await write(run, unit, signal)
		const more = (left.get(unit.work) ?? 0) - 1
		left.set(unit.work, more)
		if (more === 0) await fill(unit.work, unit.scheme, signal)
	})
	// All of its parts were done by an earlier process; or it is of a dump without rows, which has no files.
	const partless = open.filter((work) => work.stage !== 'filled')
	await runAll(partless, concurrency, stalls.signal, async (work, signal) => {
		if (work.stored.parts.length > 0) return fill(work, openScheme(work.stored), signal)
		work.stage = 'filled'
		meter.tableDone()
	})
	meter.report()
}

/** Remembers what an earlier process has read of a table. Gives how many units are left. */
function takeUpParts({ progress }: RestoreRun, { chain, stored, read }: TableWork): number {
	if (chain.links.length > 0) return 1
	for (const { key } of stored.parts) {
		const facts = progress.partOf(key)
		if (facts !== undefined) read.set(key, facts)
	}
	return stored.parts.length - read.size
}

/** What is read in one go: a data file, or the whole of a table that a chain gives. */
interface Unit {
	readonly work: TableWork
	readonly name: string
	readonly scheme: TableScheme
	/** Of a data file. */
	readonly key?: string | undefined
	read(signal: AbortSignal): AsyncIterable<RowChunk>
}

function* unitsOf(run: RestoreRun, works: readonly TableWork[]): Generator<Unit> {
	for (const work of works) {
		if (work.chain.links.length > 0) yield chainUnit(run, work)
		else
			for (const part of partsOf([work.stored]))
				if (run.progress.partOf(part.file.key) === undefined) yield partUnit(run, work, part)
	}
}

function chainUnit({ storage, meter }: RestoreRun, work: TableWork): Unit {
	return {
		work,
		name: work.target,
		scheme: openScheme(work.stored),
		read: (signal) =>
			readChainTable({
				storage,
				table: work.chain,
				meter,
				signal,
				onEnd(found) {
					work.expected = found
				},
			}),
	}
}

function partUnit(
	{ storage, meter, compression }: RestoreRun,
	work: TableWork,
	{ scheme, file, range }: StoredPart,
): Unit {
	const onRead = (facts: RowFacts): void => void work.read.set(file.key, facts)
	const { unseal } = work.stored
	return {
		work,
		key: file.key,
		name: `${work.target} part ${file.partition ?? 0}`,
		scheme,
		read: (signal) =>
			readPart({
				storage,
				file,
				schema: scheme.schema,
				range,
				compression,
				unseal,
				onRead,
				meter: meter.openPart(),
				signal,
			}),
	}
}

function enter(stalls: StallWatch, { name }: Unit): Disposable {
	return { [Symbol.dispose]: stalls.enter(name) }
}

/** What a restore would read of some tables, unit by unit. */
export function* readUnits(
	run: RestoreRun,
	works: readonly TableWork[],
	stalls: StallWatch,
): Generator<{ readonly work: TableWork; chunks(signal: AbortSignal): AsyncIterable<RowChunk> }> {
	for (const unit of unitsOf(run, works)) {
		yield {
			work: unit.work,
			async *chunks(signal) {
				using _ = enter(stalls, unit)
				for await (const chunk of unit.read(signal)) {
					throwIfInterrupted(signal, `reading ${unit.name}`)
					yield chunk
				}
			},
		}
	}
}

/** Reads for the errors alone. */
async function check(unit: Unit, signal: AbortSignal): Promise<void> {
	for await (const { bytes } of unit.read(signal)) {
		throwIfInterrupted(signal, `reading ${unit.name}`)
		releaseBytes(bytes)
	}
}

async function write(run: RestoreRun, unit: Unit, signal: AbortSignal): Promise<void> {
	const { work, key, scheme } = unit
	const { target, place } = work
	const open = (): Promise<TableWriter> =>
		run.sink.openWriter(place, scheme.schema, {
			signal,
			onWritten: () => run.meter.touch(),
			onRetry: (reason) => run.reporter.retry(`writing ${target}`, reason),
		})
	const isWritten = writtenBefore(work, scheme)
	const segment = key === undefined ? (run.options.noteEveryBytes ?? NOTE_EVERY_BYTES) : Number.POSITIVE_INFINITY
	let writer = await open()
	let bytes = 0
	try {
		for await (const chunk of unit.read(signal)) {
			throwIfInterrupted(signal, `writing ${target}`)
			if (isWritten(chunk)) continue
			await run.progress.assertHeld()
			bytes += chunk.bytes.length
			await writer.write(chunk)
			if (bytes < segment || !run.progress.isKept) continue
			await writer.finish()
			work.reached = Uint8Array.from(chunk.lastKey)
			await run.progress.changed(run, work)
			writer = await open()
			bytes = 0
		}
		await writer.finish()
	} catch (error) {
		writer.abort(error)
		throw error
	}
	const facts = key === undefined ? undefined : work.read.get(key)
	if (key !== undefined && facts !== undefined) await run.progress.part(key, facts)
}

/** Rows of a chain's table that an earlier process has written; they are read all the same, because all rows together prove the chain. */
function writtenBefore({ chain, reached }: TableWork, { schema }: TableScheme): (chunk: RowChunk) => boolean {
	if (reached === undefined || chain.links.length === 0) return () => false
	const compare = createKeyComparator(keyTypes(schema))
	return (chunk) => compare(chunk.lastKey, reached) <= 0
}

async function prove(run: RestoreRun, work: TableWork, table: TableScheme, signal: AbortSignal): Promise<void> {
	const { target, place } = work
	const expected = expectedRows(work, table)
	const counted = await run.sink.countRows(place, { signal })
	const isMerged = work.existed && run.options.existing === 'merge'
	if (
		work.replaces === undefined &&
		work.stored.foreign?.mayRepeatRows === true &&
		counted > 0n &&
		counted < BigInt(expected.rows)
	) {
		const message = `its files have ${expected.rows} lines and the server counts ${counted} rows: keys come more than once, as in dumps that were read again after a break, or rows were lost`
		addProblem(run, target, message)
		return
	}
	if (isMerged ? counted < BigInt(expected.rows) : counted !== BigInt(expected.rows)) {
		throw new BackupError(
			'COUNT_MISMATCH',
			`${target}: ${expected.rows} rows were expected after the restore, and the server counts ${counted}`,
			{ advice: 'see that nobody writes to the target, and restore again; report this when it happens twice' },
		)
	}
	// What is dropped when this table takes its place cannot be brought back: it is proven first.
	if (run.options.verifyData !== true && work.replaces === undefined) return
	if (isMerged) {
		run.reporter.warn('its rows were not compared: it may hold others that were there before', target)
		return
	}
	await compareRows(run, place, expected, table, signal)
	work.isCompared = true
}

/** The rows that the manifest says, or that a chain gave; of foreign files, those that were read. */
function expectedRows({ stored, expected, read }: TableWork, { schema }: TableScheme): ExpectedRows {
	if (stored.foreign === undefined) return expected
	const hash = new RowHash(schema)
	for (const { rows, rowHash } of read.values()) hash.addDigest(rowHash, rows)
	return { rows: hash.rows, rowHash: hash.digest() }
}
