import { BackupError, type ErrorCode, isBackupError } from '@ydbackup/core'

import { type Reporter, reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import type { Contents } from '../restore/contents.ts'
import type { RestoreSettings } from '../restore/restore-options.ts'
import type { RestoreRun } from '../restore/restore-run.ts'
import { openCheckpoint } from './checkpoint.ts'
import { checkpointPath, type Entry } from './checkpoint-table.ts'
import { directoryEntry, objectEntry, problemsEntry, requestEntry, type RestoreRequest, tableEntry } from './notes.ts'
import { creatorText, type Ownership, takeOwnership } from './ownership.ts'
import { createProgress, noteOf, objectNoteOf, type Progress, UNNOTED } from './progress.ts'
import { requestOf } from './request.ts'
import { chooseUnfinished, type Unfinished } from './unfinished.ts'

const DROP_MS = 20_000
/** What a database may say to notes that does not stand in the way of a restore. `LEASE_LOST`: it does not keep what it has taken. */
const ABOUT_NOTES = new Set<ErrorCode>(['DATABASE_PERMISSION', 'DATABASE_REFUSED', 'LEASE_LOST'])

export interface Looked {
	readonly request: RestoreRequest
	/** The restore to go on with. */
	readonly found: Unfinished | undefined
}

/** Looks for a restore to the same places that did not end. Errors: those of {@link chooseUnfinished}; `CONFIG_INVALID`. */
export async function lookForUnfinished(
	options: RestoreSettings,
	contents: Contents,
	now: Date,
	reporter: Reporter,
): Promise<Looked> {
	const { sink, signal, silenceMs, unfinished: wish = 'refuse', dryRun = false } = options
	if (contents.fill !== undefined && wish === 'resume') {
		throw new BackupError('CONFIG_INVALID', 'a restore by the cluster cannot be gone on with', {
			advice: 'leave out --resume; see ydbackup operation list for what the cluster still does',
		})
	}
	const request = requestOf(options, contents, now)
	const targets = new Set([...contents.choice.tables, ...contents.choice.objects].map(({ target }) => target))
	const asked = { sink, request, targets, wish, dryRun, silenceMs, reporter, signal }
	return { request, found: await chooseUnfinished(asked) }
}

/** From now on a run notes what it does. Where the database does not let it, it goes on all the same, and says so. */
export async function beginProgress(
	run: RestoreRun,
	{ request, found }: Looked,
	stamp: string,
	signal: AbortSignal | undefined,
): Promise<Progress> {
	const { sink, reporter } = run
	if (found !== undefined) {
		const { checkpoint, notes } = found
		reporter.phase('check', `going on with the restore of ${notes.request.startedAt}`)
		return createProgress(sink, checkpoint, await takeOwnership(checkpoint, signal), notes)
	}
	const checkpoint = openCheckpoint(sink, checkpointPath(stamp))
	let ownership: Ownership | undefined
	try {
		await checkpoint.create(creatorText(), { signal })
		ownership = await takeOwnership(checkpoint, signal)
		await checkpoint.put(firstEntries(run), { signal })
		await checkpoint.put([requestEntry(request)], { signal })
		await ownership.assertHeldNow()
		return createProgress(sink, checkpoint, ownership, undefined)
	} catch (error) {
		await ownership?.[Symbol.asyncDispose]()
		await checkpoint.drop({ signal: cleanupSignal(DROP_MS, `dropping ${checkpoint.path}`) }).catch(() => undefined)
		if (!isBackupError(error) || !ABOUT_NOTES.has(error.code)) throw error
		reporter.warn(
			`it cannot be gone on with when it is stopped, because it cannot note how far it is: ${reasonText(error)}`,
		)
		return UNNOTED
	}
}

function* firstEntries(run: RestoreRun): Generator<Entry> {
	yield problemsEntry(run.problems)
	for (const path of run.newDirectories) yield directoryEntry(path)
	for (const work of run.tables) yield tableEntry(work.target, noteOf(work))
	for (const work of run.objects) yield objectEntry(work.target, objectNoteOf(work))
}
