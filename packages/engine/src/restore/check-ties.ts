import { BackupError, type SnapshotSink, type TableTies } from '@ydbackup/core'

import { runAll } from '../flow/run-all.ts'

const CALLS_AT_ONCE = 8
const SHOWN = 20

export interface TiedTable {
	readonly target: string
	readonly isReplaced: boolean
	readonly isColumnTable: boolean
}

/**
 * Looks at what hangs on tables that exist. Writes to a table with changefeeds go on to all who read them, and YDB renames no table that
 * has one, nor one that a replication writes to, nor a column table. Errors: `PATH_EXISTS` naming all of them.
 */
export async function checkTies(
	sink: SnapshotSink,
	tables: readonly TiedTable[],
	options: { readonly allowDownstreamEvents?: boolean | undefined; readonly signal?: AbortSignal | undefined },
): Promise<void> {
	const fixed: string[] = []
	const replicas: string[] = []
	const followed: string[] = []
	await runAll(tables, CALLS_AT_ONCE, options.signal, async ({ target, isReplaced, isColumnTable }, signal) => {
		const ties = await sink.describeTies(target, { signal })
		if (isReplaced) {
			const why = isColumnTable ? 'is a column table' : whyFixed(ties)
			if (why !== undefined) fixed.push(`${target} ${why}`)
		} else if (ties.isReplica) replicas.push(target)
		else if (ties.changefeeds.length > 0) followed.push(`${target} (${ties.changefeeds.join(', ')})`)
	})
	if (fixed.length > 0) {
		throw new BackupError('PATH_EXISTS', `cannot be replaced in ${sink.database}: ${shown(fixed)}`, {
			advice:
				'nothing was written: YDB does not rename such tables. Drop what hangs on them first, restore to another path, or merge rows',
		})
	}
	if (replicas.length > 0) {
		throw new BackupError('PATH_EXISTS', `replications write to tables of ${sink.database}: ${shown(replicas)}`, {
			advice: 'nothing was written: only a replication writes to them. Leave them out, or restore to another path',
		})
	}
	if (followed.length > 0 && options.allowDownstreamEvents !== true) {
		throw new BackupError(
			'PATH_EXISTS',
			`changefeeds would tell their readers of every row in ${sink.database}: ${shown(followed)}`,
			{
				advice:
					'nothing was written: replications, transfers and programs may read them. Allow it with allow-downstream-events, or leave these tables out',
			},
		)
	}
}

function whyFixed({ changefeeds, isReplica }: TableTies): string | undefined {
	if (isReplica) return 'is written to by a replication'
	return changefeeds.length === 0 ? undefined : `has changefeeds: ${changefeeds.join(', ')}`
}

function shown(names: readonly string[]): string {
	const sorted = names.toSorted()
	return `${sorted.slice(0, SHOWN).join(', ')}${sorted.length > SHOWN ? ` and ${sorted.length - SHOWN} more` : ''}`
}
