import { isBackupError, type SnapshotSink } from '@ydbackup/core'

import type { RowFacts } from '../part/read-part.ts'
import type { ObjectWork, RestoreRun, TableWork } from '../restore/restore-run.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Entry } from './checkpoint-table.ts'
import {
	type Notes,
	objectEntry,
	type ObjectNote,
	partEntry,
	problemsEntry,
	stepEntry,
	tableEntry,
	type TableNote,
} from './notes.ts'
import type { Ownership } from './ownership.ts'

/** Parts are noted when one is done and this much time has passed since the last note. */
const NOTE_EVERY_MS = 1000

/** The steps of a restore, in their order. Each may be begun again where it was cut off. */
const STEPS = [
	'accounts',
	'directories',
	'tables',
	'rows',
	'indexes',
	'swap',
	'changefeeds',
	'objects',
	'ttl',
	'owners',
	'former',
] as const
export type RestoreStep = (typeof STEPS)[number]

/** How far a run is, written down for whoever goes on with it. */
export interface Progress {
	/** What an earlier process has noted; undefined in a run that began anew. */
	readonly left: Notes | undefined
	/** Whether it can be gone on with. */
	readonly isKept: boolean
	/** Another process has taken over: nothing may be touched any more. */
	readonly isLost: boolean
	/** Aborts when another process takes over. */
	readonly signal: AbortSignal | undefined
	/** Does a step, unless it was done. */
	step(name: RestoreStep, run: RestoreRun, work: () => Promise<void>): Promise<void>
	/** Whether a step was begun by an earlier process, which it did not see to its end. */
	wasBegun(name: RestoreStep): boolean
	/** Notes a table of this run that is there now. Before it resolves, the table may not get a row. */
	created(run: RestoreRun, work: TableWork): Promise<void>
	/** Notes that the state of a table or an object has changed. */
	changed(run: RestoreRun, work: TableWork | ObjectWork): Promise<void>
	/** What a part gave whose rows are in the database by now. */
	partOf(key: string): RowFacts | undefined
	part(key: string, facts: RowFacts): Promise<void>
	/** Throws `LEASE_LOST` when another process has taken over. What was seen lately is not looked at again. */
	assertHeld(): Promise<void>
	/** The same, whatever was seen. */
	assertHeldNow(): Promise<void>
	/** Writes what is not written yet and leaves it for whoever goes on. */
	leave(signal: AbortSignal): Promise<void>
	/** Nothing is left to go on with. */
	end(signal: AbortSignal | undefined): Promise<void>
}

/** Of a run that cannot be gone on with. */
export const UNNOTED: Progress = {
	left: undefined,
	isKept: false,
	isLost: false,
	signal: undefined,
	step: (_name, _run, work) => work(),
	wasBegun: () => false,
	created: async () => undefined,
	changed: async () => undefined,
	partOf: () => undefined,
	part: async () => undefined,
	assertHeld: async () => undefined,
	assertHeldNow: async () => undefined,
	leave: async () => undefined,
	end: async () => undefined,
}

export function createProgress(
	sink: SnapshotSink,
	checkpoint: Checkpoint,
	ownership: Ownership,
	left: Notes | undefined,
): Progress {
	const { signal } = ownership
	let waiting = new Map<string, string>()
	let writing: Promise<void> = Promise.resolve()
	let notedAt = Number.NEGATIVE_INFINITY

	/** One write after the other, so that no old note comes over a new one. */
	function flush(stop: AbortSignal | undefined = signal): Promise<void> {
		const after = async (): Promise<void> => {
			if (waiting.size === 0) return
			const entries = waiting
			waiting = new Map()
			notedAt = performance.now()
			try {
				await checkpoint.put(entries, { signal: stop })
			} catch (error) {
				if (isBackupError(error, 'PATH_NOT_FOUND')) await ownership.assertHeldNow()
				throw error
			}
		}
		const mine = writing.catch(() => undefined).then(after)
		writing = mine
		return mine
	}

	function note(...entries: readonly Entry[]): void {
		for (const [name, data] of entries) waiting.set(name, data)
	}

	function isDone(name: RestoreStep): boolean {
		return left?.steps.has(name) === true
	}

	return {
		left,
		isKept: true,
		get isLost() {
			return ownership.isLost
		},
		signal,
		async step(name, run, work) {
			if (isDone(name)) return
			await ownership.assertHeldNow()
			await work()
			note(stepEntry(name), problemsEntry(run.problems))
			await flush()
		},
		wasBegun(name) {
			const last = STEPS.findLastIndex(isDone)
			return left !== undefined && STEPS.indexOf(name) === last + 1
		},
		async created(run, work) {
			work.identity ??= (await sink.find(work.place, { signal }))?.identity
			note(tableEntry(work.target, noteOf(work)), problemsEntry(run.problems))
			await flush()
		},
		async changed(run, work) {
			if ('place' in work) note(tableEntry(work.target, noteOf(work)))
			else note(objectEntry(work.target, objectNoteOf(work)))
			note(problemsEntry(run.problems))
			await flush()
		},
		partOf: (key) => left?.parts.get(key),
		async part(key, facts) {
			note(partEntry(key, facts))
			if (performance.now() - notedAt >= NOTE_EVERY_MS) await flush()
		},
		assertHeld: () => ownership.assertHeld(),
		assertHeldNow: () => ownership.assertHeldNow(),
		async leave(stop) {
			try {
				await flush(stop)
			} finally {
				await ownership.release(stop)
			}
		},
		async end(stop) {
			await ownership[Symbol.asyncDispose]()
			await checkpoint.drop({ signal: stop })
		},
	}
}

export function noteOf(work: TableWork): TableNote {
	const { existed, replaces, identity, stage, isCompared, expected, createdParts } = work
	return {
		existed,
		staging: replaces?.staging,
		aside: replaces?.aside,
		identity,
		stage: stage === 'filled' || stage === 'finished' ? 'filled' : stage === 'created' ? 'created' : 'waiting',
		isSwapped: replaces?.state === 'swapped' || replaces?.state === 'done',
		isCompared,
		rows: expected.rows,
		rowHash: expected.rowHash,
		changefeeds: createdParts,
		reached: work.reached && Buffer.from(work.reached).toString('hex'),
	}
}

export function objectNoteOf({ existed, stage, createdParts }: ObjectWork): ObjectNote {
	return { existed, isFinished: stage === 'finished', parts: createdParts }
}
