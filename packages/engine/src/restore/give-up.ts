import { BackupError, type ErrorCode, interruption, isBackupError } from '@ydbackup/core'

import { shownNames } from '../events/shown-names.ts'
import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import { isWithin } from '../choose/object-path.ts'
import { settleSwap } from './replace-tables.ts'
import type { ObjectWork, RestoreRun, TableWork } from './restore-run.ts'

const DROP_MS = 120_000
const LEAVE_MS = 20_000

/**
 * Ends a restore that failed or was stopped. One that can be gone on with is left as it is. Of any other, tables that this run created and whose
 * rows are not complete are dropped, complete ones stay, and so does everything that was there before. Gives the error to throw, whose advice says what is left.
 */
export async function giveUp(run: RestoreRun, error: unknown): Promise<unknown> {
	const { reporter, sink, progress } = run
	const strange = mayGoOn(run, error) ? undefined : await progress.assertHeldNow().catch((reason: unknown) => reason)
	// All of it belongs to another process now.
	if (progress.isLost) return strange ?? error
	if (progress.isKept && (strange !== undefined || mayGoOn(run, error))) return leave(run, error)
	const signal = cleanupSignal(DROP_MS, 'dropping incomplete tables')
	const unsettled = run.tables.filter((work) => work.replaces?.state === 'swapping')
	await settleSwap(run, unsettled, signal)
	const incomplete = run.tables.filter((work) => work.stage === 'created' || isUnused(work))
	const unsure = run.tables.filter((work) => work.stage === 'creating')
	const kept = run.tables.filter((work) => isFull(work) && !isUnused(work) && work.replaces?.state !== 'swapping')
	if (incomplete.length > 0) reporter.phase('cleanup', `dropping ${incomplete.length} incomplete tables of this run`)

	const unfinished = run.objects.filter((work) => work.stage === 'created')
	const made = run.objects.filter((work) => work.stage === 'finished' || work.stage === 'creating')
	const left: string[] = []
	for (const work of incomplete) {
		try {
			await sink.dropTable(work.place, { signal })
		} catch (failure) {
			left.push(work.place)
			reporter.warn(`it is incomplete and could not be dropped: ${reasonText(failure)}; drop it by hand`, work.place)
		}
	}
	// A rename that went on after its answer was lost may have come before the drops.
	await settleSwap(run, unsettled, signal)
	for (const { target, stored } of unfinished) {
		try {
			await sink.dropObject(target, stored.kind, { signal })
		} catch (failure) {
			left.push(target)
			reporter.warn(`it is incomplete and could not be dropped: ${reasonText(failure)}; drop it by hand`, target)
		}
	}
	for (const path of run.createdDirectories.toReversed()) {
		const isNeeded =
			[...kept, ...unsure, ...made].some((work) => isWithin(work.target, path)) ||
			left.some((one) => isWithin(one, path))
		if (isNeeded) continue
		// Not empty means that somebody else put something there: then it is not ours any more.
		await sink.removeDirectory(path, { signal }).catch(() => undefined)
	}
	await progress.end(signal).catch((failure: unknown) => {
		reporter.warn(`the notes of this restore could not be dropped: ${reasonText(failure)}`)
	})
	const advice = [
		adviceOf(error),
		list('complete and kept', [...kept, ...made.filter(({ stage }) => stage === 'finished')]),
		list(
			'dropped as incomplete',
			incomplete.filter((work) => !left.includes(work.place)),
		),
		left.length > 0 ? `incomplete, drop by hand: ${shownNames(left)}` : undefined,
		list('perhaps created, look before restoring again', [
			...unsure,
			...made.filter(({ stage }) => stage === 'creating'),
		]),
		...formerTables(run.tables),
		touched(run.tables),
	]
	return withAdvice(run, error, advice)
}

/** What has nothing to do with the backup and the tables: another try may not meet it. */
const PASSING = new Set<ErrorCode>([
	'INTERRUPTED',
	'DATABASE_UNREACHABLE',
	'DATABASE_UNAUTHENTICATED',
	'DEADLINE_EXCEEDED',
	'STORAGE_TRANSIENT',
	'STORAGE_THROTTLED',
	'STORAGE_PERMISSION',
])

function mayGoOn({ options }: RestoreRun, error: unknown): boolean {
	return options.signal?.aborted === true || (isBackupError(error) && PASSING.has(error.code))
}

/** Leaves everything as it is for whoever goes on with it. */
async function leave(run: RestoreRun, error: unknown): Promise<unknown> {
	// What cannot be noted any more is done again.
	await run.progress.leave(cleanupSignal(LEAVE_MS, 'noting how far the restore is')).catch(() => undefined)
	const waiting = run.tables.filter((work) => !isFull(work))
	return withAdvice(run, error, [
		'go on by the same command with --resume, or begin anew with --restart',
		adviceOf(error),
		list('complete', run.tables.filter(isFull)),
		list('not complete', waiting),
	])
}

function withAdvice({ options, title }: RestoreRun, error: unknown, advice: readonly (string | undefined)[]): unknown {
	const said = advice.filter((line) => line !== undefined).join('; ')
	if (options.signal?.aborted === true) {
		const { message } = interruption(options.signal, `restoring ${title}`)
		return new BackupError('INTERRUPTED', message, {
			advice: said || 'nothing was written; run it again',
			cause: error,
		})
	}
	if (!isBackupError(error)) return error
	return new BackupError(error.code, error.message, {
		retry: error.retry,
		advice: said,
		...(error.reason === undefined ? {} : { reason: error.reason }),
		cause: error,
	})
}

function isFull({ stage }: TableWork): boolean {
	return stage === 'filled' || stage === 'finished'
}

/** A new table that has not taken the place of the former one, which stands as it was. */
function isUnused(work: TableWork): boolean {
	return isFull(work) && work.replaces?.state === 'staged'
}

/** Where the tables are that were replaced, or were to be. */
function formerTables(tables: readonly TableWork[]): (string | undefined)[] {
	const replaced = tables.filter((work) => work.replaces !== undefined)
	const of = (states: readonly string[]): TableWork[] =>
		replaced.filter((work) => states.includes(work.replaces?.state ?? ''))
	const unsure = of(['swapping']).map((work) => `${work.target} (${work.replaces?.aside})`)
	const aside = of(['swapped']).map((work) => work.replaces?.aside)
	return [
		list('not replaced, as they were', of(['staged']), ({ target }) => target),
		unsure.length > 0
			? `perhaps replaced: when the second path of each is there, it is the former table: ${shownNames(unsure)}`
			: undefined,
		aside.length > 0
			? `replaced; the former tables are kept, drop them or rename them back: ${shownNames(aside)}`
			: undefined,
	]
}

function adviceOf(error: unknown): string | undefined {
	return isBackupError(error) && error.code !== 'INTERRUPTED' ? error.advice : undefined
}

function touched(tables: readonly TableWork[]): string | undefined {
	const merged = tables.filter((work) => work.existed)
	return list('existed before and may hold a part of the rows; restoring again is safe', merged)
}

function list(
	what: string,
	works: readonly (TableWork | ObjectWork)[],
	nameOf: (work: TableWork | ObjectWork) => string = (work) => ('place' in work ? work.place : work.target),
): string | undefined {
	return works.length === 0 ? undefined : `${what}: ${shownNames(works.map(nameOf))}`
}
