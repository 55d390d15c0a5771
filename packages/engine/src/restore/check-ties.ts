import { BackupError, type SnapshotSink, type TableTies, type TransferTie } from '@ydbackup/core'

import { shownNames } from '../events/shown-names.ts'
import type { ObjectWork } from './restore-run.ts'
import { runAll } from '../flow/run-all.ts'

const CALLS_AT_ONCE = 8

export interface TieOptions {
	readonly allowDownstreamEvents?: boolean | undefined
	readonly signal?: AbortSignal | undefined
}

export interface TiedTable {
	readonly target: string
	readonly isReplaced: boolean
	readonly isColumnTable: boolean
}

/**
 * Looks at what hangs on tables that exist. Writes to a table with changefeeds go on to all who read them, and YDB renames no table that
 * has one, nor one that a replication writes to, nor a column table. A transfer that writes to a table would go on with the former one when that is
 * replaced, and write between the rows when they are merged. Errors: `PATH_EXISTS` naming all of them.
 */
export async function checkTies(
	sink: SnapshotSink,
	tables: readonly TiedTable[],
	options: TieOptions,
	warn: (message: string, path: string) => void,
): Promise<void> {
	const fixed: string[] = []
	const replicas: string[] = []
	const followed: string[] = []
	const written: string[] = []
	const writers = await writersOf(sink, tables, options, warn)
	await runAll(tables, CALLS_AT_ONCE, options.signal, async ({ target, isReplaced, isColumnTable }, signal) => {
		const ties = await sink.describeTies(target, { signal })
		if (isReplaced) {
			const why = isColumnTable ? 'is a column table' : whyFixed(ties, writers.get(target) ?? [])
			if (why !== undefined) fixed.push(`${target} ${why}`)
		} else if (ties.isReplica) replicas.push(target)
		else {
			if (ties.changefeeds.length > 0) followed.push(`${target} (${ties.changefeeds.join(', ')})`)
			const own = writers.get(target) ?? []
			if (own.length > 0) written.push(`${target} (${own.join(', ')})`)
		}
	})
	if (fixed.length > 0) {
		throw new BackupError('PATH_EXISTS', `cannot be replaced in ${sink.database}: ${shownNames(fixed.toSorted())}`, {
			advice:
				'nothing was written: YDB does not rename such tables, or what writes to them would go on with the former ones. Drop what hangs on them first, restore to another path, or merge rows',
		})
	}
	if (replicas.length > 0) {
		throw new BackupError(
			'PATH_EXISTS',
			`replications write to tables of ${sink.database}: ${shownNames(replicas.toSorted())}`,
			{
				advice: 'nothing was written: only a replication writes to them. Leave them out, or restore to another path',
			},
		)
	}
	if (written.length > 0 && options.allowDownstreamEvents !== true) {
		throw new BackupError(
			'PATH_EXISTS',
			`transfers write to tables of ${sink.database}: ${shownNames(written.toSorted())}`,
			{
				advice:
					'nothing was written: a transfer would write between the rows of the restore. Pause or drop it, allow it with allow-downstream-events, or leave these tables out',
			},
		)
	}
	if (followed.length > 0 && options.allowDownstreamEvents !== true) {
		throw new BackupError(
			'PATH_EXISTS',
			`changefeeds would tell their readers of every row in ${sink.database}: ${shownNames(followed.toSorted())}`,
			{
				advice:
					'nothing was written: replications, transfers and programs may read them. Allow it with allow-downstream-events, or leave these tables out',
			},
		)
	}
}

/** A transfer that is restored beside the one that it was taken from reads by the same consumer: each of them gets a part of the messages. */
export function warnOfRivals(
	objects: readonly ObjectWork[],
	isElsewhere: boolean,
	warn: (message: string, path: string) => void,
): void {
	for (const { stored, planned, target, existed } of objects) {
		if (stored.kind !== 'transfer' || existed) continue
		// It needs its table, and its topic where that is restored with it.
		const hasOwnTopic = planned.needs.length > 1
		if (hasOwnTopic || (!isElsewhere && target === stored.path)) continue
		warn(
			'this transfer begins to read as soon as it is created, by the same consumer of the same topic as the one that it was taken from: leave it out unless that one is gone',
			target,
		)
	}
}

/** Transfers by the tables that they write to. One that does not tell its table is named as a warning. */
async function writersOf(
	sink: SnapshotSink,
	tables: readonly TiedTable[],
	{ signal }: TieOptions,
	warn: (message: string, path: string) => void,
): Promise<ReadonlyMap<string, readonly string[]>> {
	const transfers: readonly TransferTie[] = tables.length === 0 ? [] : await sink.transfers({ signal })
	for (const { path, target } of transfers) {
		if (target === undefined)
			warn('it is not told which table this transfer writes to: see that it is none of those restored', path)
	}
	const known = transfers.filter(({ target }) => target !== undefined)
	return new Map(
		Array.from(
			Map.groupBy(known, ({ target }) => target ?? ''),
			([target, all]) => [target, all.map(({ path }) => path)],
		),
	)
}

function whyFixed({ changefeeds, isReplica }: TableTies, writers: readonly string[]): string | undefined {
	if (isReplica) return 'is written to by a replication'
	if (writers.length > 0) return `is written to by transfers: ${writers.join(', ')}`
	return changefeeds.length === 0 ? undefined : `has changefeeds: ${changefeeds.join(', ')}`
}
