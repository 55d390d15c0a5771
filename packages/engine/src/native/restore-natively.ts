import { randomBytes } from 'node:crypto'

import { BackupError, type CollectionAdmin, type CollectionRestore, isBackupError } from '@ydbackup/core'

import { readChainTable } from '../chain/read-chain-table.ts'
import { followRestore, RESTORE_FAILED, RESTORE_WAIT_MS } from '../collection/follow-restore.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import { openPermissions, openScheme } from '../part/contents.ts'
import { compareRows } from '../restore/compare-rows.ts'
import { createDirectories, grant } from '../restore/create-objects.ts'
import type { RestoreRun, TableWork } from '../restore/restore-run.ts'
import { dropByHand, dropStaging, importChain } from './import-chain.ts'
import type { NativeLink } from './native-plan.ts'

const COMPARED_AT_ONCE = 2

/**
 * Brings the rows of all tables back by the cluster's own RESTORE: the links of the chain are imported into a collection of their own, the
 * server restores it, and every row is compared with what our own way of putting the chain together gives. The collection is removed
 * at the end, also after a failure, unless the server still works on it.
 */
export async function restoreNatively(
	run: RestoreRun,
	admin: CollectionAdmin,
	links: readonly NativeLink[],
	stalls: StallWatch,
): Promise<void> {
	const { reporter, options, tables, meter } = run
	const { signal } = stalls
	await warnOfEarlier(run, admin)
	await expectRows(run, stalls)
	const name = `${PREFIX}${links.at(-1)!.id.replaceAll(/[^0-9A-Za-z]/gu, '_')}_${randomBytes(4).toString('hex')}`
	let isWorking = false
	try {
		reporter.phase('tables', `creating the collection ${name} for ${links.length} backups`)
		const paths = tables.map(({ target }) => target)
		// Of the tables of the backup alone; it takes no increments, so it opens no streams.
		await admin.create({ name, tables: paths, isIncremental: false }, { signal })
		await importChain(run, admin, name, links, stalls)
		await createDirectories(run, signal)
		const begun = await begin(run, admin, name, signal)
		isWorking = true
		const leave = stalls.enter(`RESTORE of ${name}`)
		try {
			await followRestore(name, begun, { waitMs: RESTORE_WAIT_MS, signal, reporter, touch: () => meter.touch() })
		} catch (error) {
			if (isBackupError(error) && error.reason === RESTORE_FAILED) {
				isWorking = false
				for (const work of tables) work.stage = 'created'
			}
			throw error
		} finally {
			leave()
		}
		isWorking = false
		for (const work of tables) work.stage = 'created'
		await runAll(tables, COMPARED_AT_ONCE, signal, async (work, stop) => prove(run, work, stop))
	} finally {
		if (isWorking) {
			const why = options.signal?.aborted === true ? 'it cannot be stopped' : 'it was not followed to its end'
			reporter.warn(`the server goes on with RESTORE of the collection ${name}: ${why}; ${dropByHand(name)}`)
		} else await dropStaging(run, admin, name)
	}
	meter.report()
}

const PREFIX = 'ydbackup_restore_'

/** A run that died left its collection, which nobody else can tell from one that is in use. */
async function warnOfEarlier({ reporter, options }: RestoreRun, admin: CollectionAdmin): Promise<void> {
	const left = (await admin.names({ signal: options.signal })).filter((name) => name.startsWith(PREFIX))
	for (const name of left)
		reporter.warn(`the collection ${name} is of another restore, which works or died; ${dropByHand(name)}`)
}

/** What each table must have at the end, as our own way of restoring gives it. It reads the chain once, before anything is written. */
async function expectRows(run: RestoreRun, stalls: StallWatch): Promise<void> {
	const { reporter, storage, meter, concurrency, tables } = run
	const unknown = tables.filter(({ expected }) => expected.rowHash === undefined)
	if (unknown.length === 0) return
	reporter.phase('check', `reading the chain of ${unknown.length} tables for what RESTORE must give`)
	const touching = { openPart: () => ({ add: () => meter.touch(), takeBack() {} }) }
	await runAll(unknown, concurrency, stalls.signal, async (work, signal) => {
		const leave = stalls.enter(work.target)
		const onEnd = (found: TableWork['expected']): void => void (work.expected = found)
		try {
			for await (const _ of readChainTable({ storage, table: work.chain, meter: touching, signal, onEnd }));
		} finally {
			leave()
		}
	})
}

/** Runs the statement. Until it is known to have been refused, the tables may be there. */
async function begin(
	{ tables }: RestoreRun,
	admin: CollectionAdmin,
	name: string,
	signal: AbortSignal,
): Promise<CollectionRestore> {
	for (const work of tables) work.stage = 'creating'
	try {
		return await admin.restore(name, { signal })
	} catch (error) {
		if (
			isBackupError(error) &&
			['DATABASE_REFUSED', 'PATH_EXISTS', 'PATH_NOT_FOUND', 'DATABASE_PERMISSION'].includes(error.code)
		)
			for (const work of tables) work.stage = 'waiting'
		throw error
	}
}

async function prove(run: RestoreRun, work: TableWork, signal: AbortSignal): Promise<void> {
	const { sink, meter } = run
	const { target, expected, stored } = work
	if ((await sink.find(target, { signal })) === undefined)
		throw new BackupError('DATA_MISMATCH', `RESTORE has succeeded, and ${target} is not there`, {
			advice: 'report this; restore with --method apply',
		})
	await grant(run, target, openPermissions(stored), signal)
	const counted = await sink.countRows(target, { signal })
	if (counted !== BigInt(expected.rows))
		throw new BackupError(
			'COUNT_MISMATCH',
			`${target}: the chain gives ${expected.rows} rows, and RESTORE gave ${counted}`,
			{
				advice: 'see that nobody writes to the target; restore with --method apply',
			},
		)
	await compareRows(run, target, expected, openScheme(stored), signal)
	work.isCompared = true
	work.stage = 'filled'
	meter.tableDone()
}
