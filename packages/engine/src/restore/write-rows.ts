import { BackupError, throwIfInterrupted } from '@ydbackup/core'

import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import type { TableScheme } from '../part/contents.ts'
import { partsOf, type StoredPart } from '../part/parts.ts'
import { checkPart, readPart, type ReadPartOptions } from '../part/read-part.ts'
import { compareRows } from './compare-rows.ts'
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
		await runAll(worksOf(existing), concurrency, stalls.signal, async (part, signal) => {
			using _ = enter(stalls, part)
			await checkPart(partOptions(run, part, signal))
		})
		meter.restart()
	}

	reporter.phase('data', `writing ${tables.length} tables`)
	const left = new Map(tables.map((work) => [work, work.stored.parts.length]))
	await runAll(worksOf(tables), concurrency, stalls.signal, async (part, signal) => {
		using _ = enter(stalls, part)
		await writePart(run, part, signal)
		const open = (left.get(part.work) ?? 0) - 1
		left.set(part.work, open)
		if (open > 0) return
		await prove(run, part.work, part.scheme, signal)
		part.work.stage = 'filled'
		meter.tableDone()
	})
	meter.report()
}

interface Part extends StoredPart {
	readonly work: TableWork
}

function* worksOf(works: readonly TableWork[]): Generator<Part> {
	for (const work of works) for (const part of partsOf([work.stored])) yield { ...part, work }
}

function enter(stalls: StallWatch, { work, file }: Part): Disposable {
	const leave = stalls.enter(`${work.target} part ${file.partition ?? 0}`)
	return { [Symbol.dispose]: leave }
}

function partOptions(run: RestoreRun, { scheme, file, range }: Part, signal: AbortSignal): ReadPartOptions {
	return {
		storage: run.storage,
		file,
		schema: scheme.schema,
		range,
		compression: run.manifest.compression,
		meter: run.meter.openPart(),
		signal,
	}
}

async function writePart(run: RestoreRun, part: Part, signal: AbortSignal): Promise<void> {
	const { target } = part.work
	const writer = await run.sink.openWriter(target, part.scheme.schema, {
		signal,
		onWritten: () => run.meter.touch(),
		onRetry: (reason) => run.reporter.retry(`writing ${target}`, reason),
	})
	try {
		for await (const chunk of readPart(partOptions(run, part, signal))) {
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
	const { stored, target } = work
	const counted = await run.sink.countRows(target, { signal })
	const isMerged = work.existed && run.options.existing === 'merge'
	if (isMerged ? counted < BigInt(stored.rows) : counted !== BigInt(stored.rows)) {
		throw new BackupError(
			'COUNT_MISMATCH',
			`${target}: ${stored.rows} rows were expected after the restore, and the server counts ${counted}`,
			{ advice: 'see that nobody writes to the target, and restore again; report this when it happens twice' },
		)
	}
	if (run.options.verifyData !== true) return
	if (isMerged) {
		run.reporter.warn('its rows were not compared: it may hold others that were there before', target)
		return
	}
	await compareRows(run, work, table, signal)
	work.isCompared = true
}
