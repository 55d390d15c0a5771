import { BackupError, type SourceObject } from '@ydbackup/core'

import { shownNames } from '../events/shown-names.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme } from '../part/contents.ts'
import { findMisfit } from '../restore/check-targets.ts'
import type { RestoreRun, TableWork } from '../restore/restore-run.ts'
import type { Notes, TableNote } from './notes.ts'

const CALLS_AT_ONCE = 8

/** What stood in the target when the run began. */
export function asItWas(found: ReadonlyMap<string, SourceObject>, notes: Notes): Map<string, SourceObject> {
	const before = new Map(found)
	for (const path of notes.directories) before.delete(path)
	for (const [target, { existed, staging }] of notes.tables) {
		if (!existed && staging === undefined) before.delete(target)
	}
	for (const [target, { existed }] of notes.objects) if (!existed) before.delete(target)
	return before
}

/**
 * Brings a run to where the process that began it had come, and sees that every table is the very one that it made or wrote to. Errors:
 * `PATH_EXISTS` naming all that are others, or are gone.
 */
export async function takeUp(
	run: RestoreRun,
	notes: Notes,
	found: ReadonlyMap<string, SourceObject>,
	signal: AbortSignal | undefined,
): Promise<void> {
	const strange: string[] = []
	await runAll(run.tables, CALLS_AT_ONCE, signal, async (work, stop) => {
		const note = notes.tables.get(work.target)
		const what = note === undefined ? 'is not in its notes' : await takeUpTable(run, work, note, stop)
		if (what !== undefined) strange.push(`${work.place} ${what}`)
	})
	for (const work of run.objects) {
		const note = notes.objects.get(work.target)
		const live = found.get(work.target)
		if (note === undefined || work.existed || live === undefined) continue
		if (live.kind !== work.stored.kind) strange.push(`${work.target} is a ${live.kind}`)
		work.isThere = true
		work.createdParts.push(...note.parts)
		if (note.isFinished) work.stage = 'finished'
	}
	if (notes.steps.has('rows')) for (const work of run.tables) work.stage = 'filled'
	if (strange.length > 0) {
		const shown = shownNames(strange.toSorted())
		throw new BackupError('PATH_EXISTS', `the restore cannot be gone on with in ${run.sink.database}: ${shown}`, {
			advice: 'nothing was written; begin anew with --restart, or restore to another path',
		})
	}
	run.createdDirectories.push(...run.newDirectories.filter((path) => found.has(path)))
	if (notes.problems.length > 0) run.problems.splice(0, run.problems.length, ...notes.problems)
}

/** Why it cannot be gone on with. */
async function takeUpTable(
	run: RestoreRun,
	work: TableWork,
	note: TableNote,
	signal: AbortSignal,
): Promise<string | undefined> {
	const { sink } = run
	const { replaces } = work
	if ((replaces === undefined) !== (note.staging === undefined)) return 'is gone, which was to be replaced'
	const isBehindSwap = replaces !== undefined && (note.isSwapped || (await sink.find(replaces.aside, { signal })))
	if (replaces !== undefined && isBehindSwap) {
		replaces.state = 'swapped'
		work.place = work.target
	}
	const live = await sink.find(work.place, { signal })
	if (live === undefined && (note.existed || note.stage !== 'waiting')) return 'is gone'
	work.identity = note.identity
	work.createdParts.push(...note.changefeeds)
	work.isCompared = note.isCompared
	if (note.reached !== undefined) work.reached = Buffer.from(note.reached, 'hex')
	if (note.stage === 'filled') {
		work.stage = 'filled'
		work.expected = { rows: note.rows, rowHash: note.rowHash }
	}
	if (live === undefined) return undefined
	// A name beside a table is the run's own, and a rename is all or nothing: these are proven by their places.
	const isNamedByRun = replaces !== undefined && (work.place !== work.target || !note.isSwapped)
	const isProven =
		isNamedByRun || (note.identity === undefined ? note.stage === 'waiting' : live.identity === note.identity)
	if (!isProven) return 'is another one'
	if (isNamedByRun || note.identity === undefined) work.identity = live.identity
	if (note.stage === 'filled') return undefined
	const misfit = findMisfit(openScheme(work.stored).schema, (await sink.describeTable(work.place, { signal })).schema)
	if (misfit !== undefined) return misfit
	if (note.existed) return undefined
	if (note.stage === 'created') work.stage = 'created'
	// It was made, and the process ended before it could say so: then it has no row.
	else if (!isNamedByRun && (await sink.countRows(work.place, { signal })) > 0n) return 'was made by somebody else'
	else work.isThere = true
	return undefined
}
