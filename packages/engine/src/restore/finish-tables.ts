import { BackupError, isBackupError, type ProtoText } from '@ydbackup/core'

import { reasonText } from '../events/reporter.ts'
import { runAll } from '../flow/run-all.ts'
import { sleep } from '../flow/sleep.ts'
import { openScheme } from '../part/contents.ts'
import { addProblem } from './create-objects.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'
import { type SchemePhases, type SequenceState, splitScheme } from './split-scheme.ts'

const INDEXED_AT_ONCE = 2
const CHANGED_AT_ONCE = 4
const BUILD_MS = 24 * 3_600_000
const BUILD_LOOK_MS = 1_000

/** What a table gets after its rows, phase by phase over all tables of this run: indexes, sequences, splits. */
export async function finishTables(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	const { reporter } = run
	const tables = run.tables.filter((work) => !work.existed)
	await eachWith(
		tables,
		(phases) => phases.indexes.length > 0,
		INDEXED_AT_ONCE,
		signal,
		async (work, phases, stop) => {
			const there = run.progress.wasBegun('indexes') ? await builtIndexes(run, work, stop) : new Set<string>()
			for (const { name, change } of phases.indexes.filter((index) => !there.has(index.name))) {
				reporter.phase('indexes', `building ${name} of ${work.target}`)
				await buildIndex(run, work, name, change, stop)
			}
		},
	)
	await eachWith(
		tables,
		(phases) => phases.sequences.length > 0,
		CHANGED_AT_ONCE,
		signal,
		async (work, phases, stop) => {
			reporter.phase('sequences', `continuing the sequences of ${work.target}`)
			await continueSequences(run, work, phases.sequences, stop)
		},
	)
	await alterEach(run, tables, 'settings', 'partitioning', signal)
}

async function buildIndex(
	run: RestoreRun,
	work: TableWork,
	name: string,
	change: ProtoText,
	signal: AbortSignal,
): Promise<void> {
	try {
		await alter(run, work, change, `its index ${name} could not be built`, signal)
	} catch (error) {
		if (!isBackupError(error, 'DATABASE_REFUSED') && !isBackupError(error, 'PATH_EXISTS')) throw error
		// The answer to an earlier request was lost: the index is there, or will be.
		if (!(await builtIndexes(run, work, signal)).has(name)) throw error
	}
}

/** Indexes that were added earlier, when the server has built them to their ends. */
async function builtIndexes(
	{ sink, reporter }: RestoreRun,
	work: TableWork,
	signal: AbortSignal,
): Promise<Set<string>> {
	const deadline = performance.now() + BUILD_MS
	for (;;) {
		const { buildingIndexes } = await sink.describeTies(work.place, { signal })
		if (buildingIndexes.length === 0) break
		const what = `${buildingIndexes.join(', ')} of ${work.target}`
		if (performance.now() > deadline) {
			throw new BackupError('DEADLINE_EXCEEDED', `the database still builds ${what}`, {
				advice: 'see ydbackup operation list, and go on when it is done',
			})
		}
		reporter.phase('indexes', `waiting for ${what}`)
		await sleep(BUILD_LOOK_MS, signal, `waiting for ${what}`)
	}
	const { scheme } = await sink.describeTable(work.place, { signal })
	return new Set(splitScheme(scheme).indexes.map(({ name }) => name))
}

/** TTLs, when everything else about the rows is done: from now on the server may delete some. */
export async function switchTtlOn(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	if (run.options.ttl === 'off') return
	await alterEach(
		run,
		run.tables.filter((work) => !work.existed),
		'ttl',
		'ttl',
		signal,
	)
}

async function alterEach(
	run: RestoreRun,
	tables: readonly TableWork[],
	phase: 'settings' | 'ttl',
	part: 'partitioning' | 'ttl',
	signal: AbortSignal | undefined,
): Promise<void> {
	await eachWith(
		tables,
		(phases) => phases[part] !== undefined,
		CHANGED_AT_ONCE,
		signal,
		async (work, phases, stop) => {
			const change: ProtoText | undefined = phases[part]
			if (change === undefined) return
			run.reporter.phase(
				phase,
				`${phase === 'ttl' ? 'switching the TTL on' : 'giving back the partitioning'} of ${work.target}`,
			)
			const what = phase === 'ttl' ? 'its TTL could not be switched on' : 'its partitioning could not be given back'
			await alter(run, work, change, what, stop)
		},
	)
}

/** A table of a backup collection that takes increments cannot be altered while the collection stands: its rows are worth having all the same. */
async function alter(
	run: RestoreRun,
	{ place, target }: TableWork,
	change: ProtoText,
	what: string,
	signal: AbortSignal,
): Promise<void> {
	try {
		await run.sink.alterTable(place, change, { signal })
	} catch (error) {
		const isHeld = isBackupError(error, 'DATABASE_REFUSED') && error.reason === 'PRECONDITION_FAILED'
		// A table beside the one that it is to replace is not yet worth having.
		if (!isHeld || place !== target) throw error
		addProblem(run, target, `${what}: ${reasonText(error)}`)
	}
}

/** A server may take a sequence's place from the request that creates the table; where it did not, it is set, never backwards. */
async function continueSequences(
	run: RestoreRun,
	work: TableWork,
	wanted: readonly SequenceState[],
	signal: AbortSignal,
): Promise<void> {
	const live = await run.sink.describeTable(work.place, { signal })
	const states = new Map(splitScheme(live.scheme).sequences.map((state) => [state.column, state]))
	for (const stored of wanted) {
		const state = beyond(stored, await run.sink.largestValue?.(work.place, stored.column, { signal }))
		const now = states.get(state.column)
		if (now !== undefined && !isBehind(now, state)) continue
		if (run.sink.setSequence === undefined) {
			const message = `the sequence of ${state.column} could not be set to ${state.nextValue}: set it by hand before inserting`
			addProblem(run, work.target, message)
			continue
		}
		await run.sink.setSequence(work.place, state.column, state.nextValue, state.nextUsed, { signal })
	}
}

/** Rows may have been written with numbers of their own: the sequence goes on behind the largest, where it rises. */
function beyond(state: SequenceState, largest: bigint | undefined): SequenceState {
	const last = state.nextUsed ? state.nextValue : state.nextValue - 1n
	return largest === undefined || largest <= last || !state.isRising
		? state
		: { ...state, nextValue: largest, nextUsed: true }
}

function isBehind(now: SequenceState, wanted: SequenceState): boolean {
	if (now.nextValue !== wanted.nextValue) return now.nextValue < wanted.nextValue
	return wanted.nextUsed && !now.nextUsed
}

async function eachWith(
	tables: readonly TableWork[],
	isWanted: (phases: SchemePhases) => boolean,
	concurrency: number,
	signal: AbortSignal | undefined,
	work: (table: TableWork, phases: SchemePhases, signal: AbortSignal) => Promise<void>,
): Promise<void> {
	await runAll(tables, concurrency, signal, async (table, stop) => {
		const phases = splitScheme(openScheme(table.stored).scheme)
		if (isWanted(phases)) await work(table, phases, stop)
	})
}
