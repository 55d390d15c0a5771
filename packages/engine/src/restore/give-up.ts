import { BackupError, interruption, isBackupError } from '@ydbackup/core'

import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import { isWithin } from '../choose/object-path.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'

const DROP_MS = 120_000
const SHOWN = 20

/**
 * Ends a restore that failed or was stopped: tables that this run created and whose rows are not complete are dropped, complete
 * ones stay, and so does everything that was there before. Gives the error to throw, whose advice says what is left.
 */
export async function giveUp(run: RestoreRun, error: unknown): Promise<unknown> {
	const { reporter, sink, options } = run
	const incomplete = run.tables.filter((work) => work.stage === 'created')
	const unsure = run.tables.filter((work) => work.stage === 'creating')
	const kept = run.tables.filter((work) => work.stage === 'filled' || work.stage === 'finished')
	if (incomplete.length > 0) reporter.phase('cleanup', `dropping ${incomplete.length} incomplete tables of this run`)

	const left: string[] = []
	const signal = cleanupSignal(DROP_MS, 'dropping incomplete tables')
	for (const work of incomplete) {
		try {
			await sink.dropTable(work.target, { signal })
		} catch (failure) {
			left.push(work.target)
			reporter.warn(`it is incomplete and could not be dropped: ${reasonText(failure)}; drop it by hand`, work.target)
		}
	}
	for (const path of run.createdDirectories.toReversed()) {
		const isNeeded =
			[...kept, ...unsure].some((work) => isWithin(work.target, path)) || left.some((one) => isWithin(one, path))
		if (isNeeded) continue
		// Not empty means that somebody else put something there: then it is not ours any more.
		await sink.removeDirectory(path, { signal }).catch(() => undefined)
	}
	const advice = [
		adviceOf(error),
		list('complete and kept', kept),
		list(
			'dropped as incomplete',
			incomplete.filter((work) => !left.includes(work.target)),
		),
		left.length > 0 ? `incomplete, drop by hand: ${left.slice(0, SHOWN).join(', ')}` : undefined,
		list('perhaps created, look before restoring again', unsure),
		touched(run.tables),
	]
	const said = advice.filter((line) => line !== undefined).join('; ')
	if (options.signal?.aborted === true) {
		const { message } = interruption(options.signal, `restoring ${run.title}`)
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

function adviceOf(error: unknown): string | undefined {
	return isBackupError(error) && error.code !== 'INTERRUPTED' ? error.advice : undefined
}

function touched(tables: readonly TableWork[]): string | undefined {
	const merged = tables.filter((work) => work.existed)
	return list('existed before and may hold a part of the rows; restoring again is safe', merged)
}

function list(what: string, works: readonly TableWork[]): string | undefined {
	if (works.length === 0) return undefined
	const more = works.length > SHOWN ? ` and ${works.length - SHOWN} more` : ''
	return `${what}: ${works
		.slice(0, SHOWN)
		.map((work) => work.target)
		.join(', ')}${more}`
}
