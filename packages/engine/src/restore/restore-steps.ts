import { changeDatabaseOwner, restoreAccounts } from '../accounts/restore-accounts.ts'
import { STALL_LIMIT_MS, type StallWatch, watchStalls } from '../events/stall-watch.ts'
import type { Contents } from './contents.ts'
import { changeOwners, createDirectories, createTables } from './create-objects.ts'
import { finishTables, switchTtlOn } from './finish-tables.ts'
import { giveUp } from './give-up.ts'
import { dropFormer, swapTables } from './replace-tables.ts'
import { addChangefeeds, createObjects } from './restore-objects.ts'
import type { RestoreRun } from './restore-run.ts'
import { writeRows } from './write-rows.ts'

/** Writes a restore that has been checked, step by step, and gives it up where one fails. */
export async function takeSteps(run: RestoreRun, contents: Contents): Promise<void> {
	try {
		if (contents.fill === undefined) await takeOwnSteps(run, run.options.signal)
		else await fillByCluster(run, contents.fill, contents.fillsAll === true)
		for (const work of run.tables) work.stage = 'finished'
		await run.progress.end(run.options.signal)
	} catch (error) {
		throw await giveUp(run, error)
	}
}

async function takeOwnSteps(run: RestoreRun, stop: AbortSignal | undefined): Promise<void> {
	const { progress, options } = run
	const signals = [stop, progress.signal].filter((one) => one !== undefined)
	const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined
	const isWhole = options.dataOnly !== true
	await progress.step('accounts', run, () => restoreAccounts(run, signal))
	if (isWhole) {
		await progress.step('directories', run, () => createDirectories(run, signal))
		await progress.step('tables', run, () => createTables(run, signal))
	}
	await progress.step('rows', run, () => fillTables(run, writeRows, signal))
	await progress.step('indexes', run, () => finishTables(run, signal))
	await progress.step('swap', run, () => swapTables(run, signal))
	await progress.step('changefeeds', run, () => addChangefeeds(run, signal))
	if (isWhole) await progress.step('objects', run, () => createObjects(run, signal))
	await progress.step('ttl', run, () => switchTtlOn(run, signal))
	await progress.step('owners', run, () => changeOwners(run, signal))
	await progress.step('former', run, () => dropFormer(run, signal))
	await changeDatabaseOwner(run, signal)
}

/** By the cluster: what it brings back with the rows is not done again. */
async function fillByCluster(run: RestoreRun, fill: NonNullable<Contents['fill']>, fillsAll: boolean): Promise<void> {
	const { signal } = run.options
	await restoreAccounts(run, signal)
	await fillTables(run, fill, signal)
	if (!fillsAll) {
		await finishTables(run, signal)
		await addChangefeeds(run, signal)
	}
	if (run.options.dataOnly !== true) await createObjects(run, signal)
	if (!fillsAll) await switchTtlOn(run, signal)
	await changeOwners(run, signal)
	await changeDatabaseOwner(run, signal)
}

async function fillTables(
	run: RestoreRun,
	write: NonNullable<Contents['fill']>,
	signal: AbortSignal | undefined,
): Promise<void> {
	if (run.options.schemeOnly === true) {
		for (const work of run.tables) work.stage = 'filled'
		return
	}
	using stalls = watchRun(run, signal)
	await write(run, stalls)
}

export function watchRun({ options, meter, reporter }: RestoreRun, signal: AbortSignal | undefined): StallWatch {
	const limitMs = options.stallLimitMs ?? STALL_LIMIT_MS
	return watchStalls({ signal, meter, emit: reporter.emit, limitMs })
}
