import { BackupError, type RowChunk, throwIfInterrupted } from '@ydbackup/core'
import { RowHash } from '@ydbackup/rows'

import { readChainTable } from '../chain/read-chain-table.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme, type TableScheme } from '../part/contents.ts'
import { partsOf, type StoredPart } from '../part/parts.ts'
import { readPart, type RowFacts } from '../part/read-part.ts'
import { compareRows, type ExpectedRows } from './compare-rows.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'

/**
 * Writes the rows of all tables, part by part, and proves each table as soon as its last part is written: by the server's count,
 * and by reading it back where that is asked. A table is `filled` when it is proven.
 *
 * A part is known to be whole only at its end, when its rows are written. For a table of this run that is well: it is dropped. A
 * table that was there before is not ours to drop, so its parts are read twice, the first time without writing.
 */
export async function writeRows(run: RestoreRun, stalls: StallWatch): Promise<void> {
	const { reporter, concurrency, tables, meter } = run
	const existing = tables.filter((work) => work.existed)
	if (existing.length > 0) {
		reporter.phase('check', `reading the data files of ${existing.length} existing tables before writing to them`)
		await runAll(unitsOf(run, existing), concurrency, stalls.signal, async (unit, signal) => {
			using _ = enter(stalls, unit)
			await check(unit, signal)
		})
		meter.restart()
	}

	reporter.phase('data', `writing ${tables.length} tables`)
	const left = new Map(tables.map((work) => [work, work.chain.links.length > 0 ? 1 : work.stored.parts.length]))
	await runAll(unitsOf(run, tables), concurrency, stalls.signal, async (unit, signal) => {
		using _ = enter(stalls, unit)
		await write(run, unit, signal)
		const open = (left.get(unit.work) ?? 0) - 1
		left.set(unit.work, open)
		if (open > 0) return
		await prove(run, unit.work, unit.scheme, signal)
		unit.work.stage = 'filled'
		meter.tableDone()
	})
	// A dump without rows has no files.
	for (const work of tables.filter((one) => left.get(one) === 0 && one.stage !== 'filled')) {
		work.stage = 'filled'
		meter.tableDone()
	}
	meter.report()
}

/** What is read in one go: a data file, or the whole of a table that a chain gives. */
interface Unit {
	readonly work: TableWork
	readonly name: string
	readonly scheme: TableScheme
	read(signal: AbortSignal): AsyncIterable<RowChunk>
}

function* unitsOf(run: RestoreRun, works: readonly TableWork[]): Generator<Unit> {
	for (const work of works) {
		if (work.chain.links.length > 0) yield chainUnit(run, work)
		else for (const part of partsOf([work.stored])) yield partUnit(run, work, part)
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
	for await (const _ of unit.read(signal)) throwIfInterrupted(signal, `reading ${unit.name}`)
}

async function write(run: RestoreRun, unit: Unit, signal: AbortSignal): Promise<void> {
	const { target, place } = unit.work
	const writer = await run.sink.openWriter(place, unit.scheme.schema, {
		signal,
		onWritten: () => run.meter.touch(),
		onRetry: (reason) => run.reporter.retry(`writing ${target}`, reason),
	})
	try {
		for await (const chunk of unit.read(signal)) {
			throwIfInterrupted(signal, `writing ${target}`)
			await writer.write(chunk)
		}
		await writer.finish()
	} catch (error) {
		writer.abort(error)
		throw error
	}
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
		run.problems.push({ path: target, message })
		run.reporter.warn(message, target)
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
