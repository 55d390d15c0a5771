import { isBackupError, type ProtoText } from '@ydbackup/core'

import { reasonText } from '../events/reporter.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme } from '../part/contents.ts'
import { addProblem } from './create-objects.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'
import { type SchemePhases, type SequenceState, splitScheme } from './split-scheme.ts'

const INDEXED_AT_ONCE = 2
const CHANGED_AT_ONCE = 4

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
			for (const { name, change } of phases.indexes) {
				reporter.phase('indexes', `building ${name} of ${work.target}`)
				await alter(run, work, change, `its index ${name} could not be built`, stop)
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
