import { BackupError, interruption, isBackupError, type SourceObject, throwIfInterrupted } from '@ydbackup/core'

import { openAccountWork } from '../accounts/restore-accounts.ts'
import { beginProgress, lookForUnfinished } from '../checkpoint/begin.ts'
import { asItWas, takeUp } from '../checkpoint/take-up.ts'
import { UNNOTED } from '../checkpoint/progress.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { isColumnTable } from '../part/column-table.ts'
import { openScheme } from '../part/contents.ts'
import { assertNoConflicts, checkExistingTables, findTargets } from './check-targets.ts'
import { checkSecrets } from './check-secrets.ts'
import { checkTies, type TiedTable, warnOfRivals } from './check-ties.ts'
import type { Contents } from './contents.ts'
import { countExpired, warnOfAge } from './count-expired.ts'
import { createRun } from './create-run.ts'
import { replacementStamp } from './replacement.ts'
import { assertReplaceable, nameLeftovers } from './replace-tables.ts'
import type { RestoreOutcome, RestoreSettings } from './restore-options.ts'
import { resultOf } from './restore-result.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'
import { takeSteps, watchRun } from './restore-steps.ts'

/** Restores what `open` gives: the way that every restore goes. */
export async function restoreContents(
	options: RestoreSettings,
	title: string,
	open: (reporter: Reporter) => Promise<Contents>,
): Promise<RestoreOutcome> {
	const startedAt = performance.now()
	const { signal } = options
	if (options.schemeOnly === true && options.dataOnly === true) {
		throw new BackupError('CONFIG_INVALID', 'a restore of schemes only and of rows only restores nothing', {
			advice: 'keep one of the two',
		})
	}
	assertReplaceable(options)
	const reporter = createReporter(options.onEvent)
	try {
		throwIfInterrupted(signal, 'starting the restore')
		const contents = await open(reporter)
		for (const { path, message } of contents.problems) reporter.warn(message, path)
		const run = await prepare(options, contents, reporter)
		throwIfInterrupted(signal, 'checking the target')
		if (options.dryRun === true) await look(run)
		else {
			warnOfAge(run, contents.takenAt)
			await takeSteps(run, contents)
		}
		return resultOf(run, Math.round(performance.now() - startedAt))
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `restoring ${title}`)
		throw error
	}
}

/** Checks all that can be checked before the first write. */
async function prepare(options: RestoreSettings, contents: Contents, reporter: Reporter): Promise<RestoreRun> {
	const { sink, signal } = options
	const { choice } = contents
	reporter.phase('check', `looking at the target ${sink.database}`)
	const now = new Date()
	const stamp = replacementStamp(now, Math.random())
	const unfinished = await lookForUnfinished(options, contents, now, reporter)
	const left = unfinished.found?.notes
	const live = await findTargets(sink, choice, signal)
	const found = left === undefined ? live : asItWas(live, left)
	assertNoConflicts(sink, choice, columnTablesOf(contents), found, options)
	const accounts = await openAccountWork(contents.title, contents.accounts, options)
	const run = createRun({ options, contents, found, accounts, stamp, left, reporter })
	if (left !== undefined) await takeUp(run, left, live, signal)
	const existing = run.tables.filter((work) => work.existed && work.stage === 'waiting')
	// Rows that are there already are those of the run.
	await checkExistingTables(
		sink,
		existing,
		left === undefined ? options : { ...options, existing: 'merge' },
		reporter.warn,
	)
	await checkTies(
		sink,
		run.tables.flatMap((work) => tiedTable(work, found)),
		options,
		reporter.warn,
	)
	warnOfRivals(run.objects, contents.source.database !== sink.database, reporter.warn)
	await checkSecrets(run)
	await nameLeftovers(run)
	if (left !== undefined) run.progress = { ...UNNOTED, left }
	expectRows(run)
	if (options.dryRun !== true && contents.fill === undefined) {
		run.progress = await beginProgress(run, unfinished, stamp, signal)
	}
	return run
}

/** What a dry run does beyond the checks. */
async function look(run: RestoreRun): Promise<void> {
	if (run.options.schemeOnly === true) return
	using stalls = watchRun(run, run.options.signal)
	await countExpired(run, stalls)
}

function expectRows({ meter, tables }: RestoreRun): void {
	const open = tables.filter((work) => work.stage !== 'filled')
	const isCounted = open.every((work) => work.stored.foreign === undefined)
	meter.expect({
		rows: isCounted ? open.reduce((sum, work) => sum + work.stored.rows, 0) : undefined,
		bytes: open.reduce((sum, work) => sum + work.stored.plainBytes, 0),
	})
}

function tiedTable({ target, existed, replaces }: TableWork, found: ReadonlyMap<string, SourceObject>): TiedTable[] {
	if (!existed && replaces?.state !== 'staged') return []
	const isColumnTable = found.get(target)?.kind === 'column-table'
	return [{ target, isReplaced: replaces !== undefined, isColumnTable }]
}

function columnTablesOf({ tables }: Contents): Set<string> {
	return new Set(
		tables.filter(({ stored }) => isColumnTable(openScheme(stored).scheme)).map(({ stored }) => stored.path),
	)
}
