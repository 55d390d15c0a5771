import { BackupError } from '@ydbackup/core'

import { ancestorsOf } from '../choose/object-path.ts'
import { reasonText } from '../events/reporter.ts'
import { runAll } from '../flow/run-all.ts'
import { addProblem } from './create-objects.ts'
import { leftoverOf } from './replacement.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'

const CALLS_AT_ONCE = 4

/** Names what earlier runs that were cut off have left beside the tables: nobody else would tell. */
export async function nameLeftovers(run: RestoreRun): Promise<void> {
	const { sink, reporter, options } = run
	const own = new Set(run.tables.flatMap(({ replaces }) => (replaces ? [replaces.staging, replaces.aside] : [])))
	const parents = new Set(
		run.tables.filter((work) => work.replaces).map(({ target }) => ancestorsOf(target).at(-1) ?? ''),
	)
	for (const parent of parents) {
		for (const { path } of await sink.children(parent, { signal: options.signal })) {
			const left = leftoverOf(path)
			if (left === undefined || own.has(path)) continue
			reporter.warn(
				left === 'new'
					? 'it is left of a restore that did not end, and its rows may be incomplete: drop it'
					: 'it is left of a restore that did not end: the table as it was before; drop it when the table that stands in its place is right',
				path,
			)
		}
	}
}

/**
 * Puts the new tables in the place of the former ones: all at one moment, or none. Rights, owners, indexes, sequences and attributes go
 * with a table that is renamed. Source: `TMoveTable` in schemeshard.
 */
export async function swapTables(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	const works = run.tables.filter((work) => work.replaces?.state === 'staged')
	if (works.length > 0) await renameAll(run, works, signal)
	// Also those of which an earlier process could not say so any more: when their former tables are gone, nothing else tells it.
	const swapped = run.tables.filter((work) => work.replaces?.state === 'swapped')
	await runAll(swapped, CALLS_AT_ONCE, signal, async (work) => run.progress.created(run, work))
}

async function renameAll(run: RestoreRun, works: readonly TableWork[], signal: AbortSignal | undefined): Promise<void> {
	run.reporter.phase('swap', `putting ${works.length} tables in the place of the former ones`)
	const moves = works.flatMap(({ target, replaces }): [string, string][] =>
		replaces === undefined
			? []
			: [
					[target, replaces.aside],
					[replaces.staging, target],
				],
	)
	for (const { replaces } of works) if (replaces) replaces.state = 'swapping'
	await run.sink.renameTables(moves, { signal })
	for (const work of works) {
		if (work.replaces) work.replaces.state = 'swapped'
		work.place = work.target
		// A table that is renamed may get another identity.
		work.identity = undefined
	}
}

/** The last step of all: what it leaves is in nobody's way. */
export async function dropFormer(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	const works = run.tables.filter((work) => work.replaces?.state === 'swapped')
	if (works.length > 0) run.reporter.phase('cleanup', `dropping ${works.length} former tables`)
	await runAll(works, CALLS_AT_ONCE, signal, async ({ replaces }, stop) => {
		if (replaces === undefined) return
		try {
			await run.sink.dropTable(replaces.aside, { signal: stop })
			replaces.state = 'done'
		} catch (error) {
			if (stop.aborted) throw error
			const message = `it is the former table and could not be dropped: ${reasonText(error)}; drop it by hand`
			addProblem(run, replaces.aside, message)
		}
	})
}

/** After a failed swap: what it has reached. What cannot be asked stays as it is, `swapping` at first. */
export async function settleSwap(run: RestoreRun, works: readonly TableWork[], signal: AbortSignal): Promise<void> {
	for (const work of works) {
		if (work.replaces === undefined) continue
		try {
			const isSwapped = (await run.sink.find(work.replaces.aside, { signal })) !== undefined
			work.replaces.state = isSwapped ? 'swapped' : 'staged'
			if (isSwapped) work.place = work.target
		} catch {
			// The advice says that nobody knows.
		}
	}
}

/** A dropped table cannot be brought back by a second run: what would be lost is refused. */
export function assertReplaceable({ existing, schemeOnly, dataOnly }: RestoreRun['options']): void {
	if (existing !== 'replace' || (schemeOnly !== true && dataOnly !== true)) return
	throw new BackupError(
		'CONFIG_INVALID',
		'tables are replaced with their schemes and rows, and only one of them was asked for',
		{
			advice: 'leave out scheme-only and data-only, or merge rows into existing tables',
		},
	)
}
