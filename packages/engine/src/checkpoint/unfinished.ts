import { BackupError, isBackupError, type SnapshotSink } from '@ydbackup/core'

import { shownNames } from '../events/shown-names.ts'
import { type Reporter, reasonText } from '../events/reporter.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { isCheckpointPath } from './checkpoint-table.ts'
import { type Notes, readNotes, type RestoreRequest, type TableNote } from './notes.ts'
import { assertAbandoned, isKnownAbandoned } from './ownership.ts'
import { differences } from './request.ts'

const SHOWN = 10

/** A restore that did not end. */
export interface Unfinished {
	readonly checkpoint: Checkpoint
	readonly notes: Notes
}

export interface ChooseUnfinishedOptions {
	readonly sink: SnapshotSink
	/** What is asked for now, and where it would go. */
	readonly request: RestoreRequest
	readonly targets: ReadonlySet<string>
	readonly wish: 'refuse' | 'resume' | 'restart'
	readonly dryRun: boolean
	readonly silenceMs: number | undefined
	readonly reporter: Reporter
	readonly signal: AbortSignal | undefined
}

/**
 * Looks for restores to the same places that did not end. Gives the one to go on with, where that is wished; where it is wished to begin anew,
 * drops what they left incomplete. One of which nothing is left is forgotten. Errors: `PATH_EXISTS` naming the restore, also when something else is
 * asked for than it was; `LEASED` while one is at work.
 */
export async function chooseUnfinished(options: ChooseUnfinishedOptions): Promise<Unfinished | undefined> {
	const { request, wish, dryRun, silenceMs, signal } = options
	for (const unfinished of await findUnfinished(options)) {
		const { checkpoint, notes } = unfinished
		const made = await tablesMadeBy(options.sink, notes, signal)
		const differing = differences(notes.request, request)
		const isWanted = wish === 'resume' && differing.length === 0
		if (!isWanted && wish !== 'restart' && made.length > 0) throw refusal(notes, made, wish, differing)
		if (dryRun) {
			if (isWanted) return unfinished
			continue
		}
		await assertAbandoned(checkpoint, { silenceMs, signal })
		if (isWanted) return { checkpoint, notes: (await notesOf(checkpoint, signal)) ?? notes }
		for (const { place, isIncomplete } of made) if (isIncomplete) await options.sink.dropTable(place, { signal })
		await checkpoint.drop({ signal })
	}
	return undefined
}

async function findUnfinished({
	sink,
	targets,
	dryRun,
	reporter,
	signal,
}: ChooseUnfinishedOptions): Promise<Unfinished[]> {
	const found: Unfinished[] = []
	for (const { path, kind } of await sink.children('', { signal })) {
		if (kind !== 'row-table' || !isCheckpointPath(path)) continue
		const checkpoint = openCheckpoint(sink, path)
		try {
			const notes = await notesOf(checkpoint, signal)
			if (notes === undefined) {
				if (!dryRun && (await isKnownAbandoned(checkpoint, signal))) await checkpoint.drop({ signal })
				else
					reporter.warn(
						'it is of a restore that begins just now, or that ended before it wrote anything: then drop it',
						path,
					)
			} else if ([...notes.tables.keys(), ...notes.objects.keys()].some((target) => targets.has(target))) {
				found.push({ checkpoint, notes })
			}
		} catch (error) {
			// Its restore has just ended.
			if (isBackupError(error, 'PATH_NOT_FOUND')) continue
			if (!isBackupError(error) || error.kind !== 'damaged') throw error
			reporter.warn(`it is of a restore that did not end, and cannot be read: ${reasonText(error)}`, path)
		}
	}
	return found
}

async function notesOf(checkpoint: Checkpoint, signal: AbortSignal | undefined): Promise<Notes | undefined> {
	return readNotes(await checkpoint.read(undefined, { signal }), checkpoint.path)
}

interface MadeTable {
	readonly place: string
	/** Not yet worth having: its rows are not all there, or another table stands in its place. */
	readonly isIncomplete: boolean
}

/** Tables that a restore made and that are still there. */
async function tablesMadeBy(sink: SnapshotSink, notes: Notes, signal: AbortSignal | undefined): Promise<MadeTable[]> {
	const made: MadeTable[] = []
	for (const [target, note] of notes.tables) {
		if (note.existed) continue
		const isBeside = note.staging !== undefined && !note.isSwapped
		const place = isBeside ? note.staging : target
		const identity = (await sink.find(place, { signal }))?.identity
		if (isBeside ? identity === undefined : !isOurs(note, identity)) continue
		made.push({ place, isIncomplete: isBeside || note.stage !== 'filled' })
	}
	return made
}

function isOurs(note: TableNote, identity: string | undefined): boolean {
	return identity !== undefined && note.identity === identity
}

function refusal(
	{ request }: Notes,
	made: readonly MadeTable[],
	wish: ChooseUnfinishedOptions['wish'],
	differing: readonly string[],
): BackupError {
	const places = made.map(({ place }) => place)
	const what = `the restore of ${request.title} that was begun ${request.startedAt} did not end, and has made ${shownNames(places, SHOWN)}`
	const anew = 'begin anew with --restart, which drops those of its tables that are not complete'
	if (wish === 'resume') {
		return new BackupError('PATH_EXISTS', `${what}; it was asked for otherwise: ${differing.join('; ')}`, {
			advice: `nothing was written; go on by the same command as then and --resume, or ${anew}`,
		})
	}
	return new BackupError('PATH_EXISTS', what, {
		advice:
			differing.length === 0
				? `nothing was written; go on with it with --resume, or ${anew}`
				: `nothing was written; go on by the same command as then and --resume, or ${anew}`,
	})
}
