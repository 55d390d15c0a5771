import {
	BackupError,
	protoField,
	spellType,
	bareType,
	type SnapshotSink,
	type SourceObject,
	type TableSchema,
} from '@ydbackup/core'

import { shownNames } from '../events/shown-names.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme, type StoredTable } from '../part/contents.ts'
import { findConflicts, pathsToProbe, type RestoreChoice } from './restore-plan.ts'
import type { RestoreSettings } from './restore-options.ts'

const FINDS_AT_ONCE = 8

/** What stands at every place a restore will write to. */
export async function findTargets(
	sink: SnapshotSink,
	choice: RestoreChoice,
	stop: AbortSignal | undefined,
): Promise<ReadonlyMap<string, SourceObject>> {
	const found = new Map<string, SourceObject>()
	await runAll(pathsToProbe(choice), FINDS_AT_ONCE, stop, async (path, signal) => {
		const object = await sink.find(path, { signal })
		if (object !== undefined) found.set(path, object)
	})
	return found
}

/** Errors: `PATH_EXISTS`, `PATH_NOT_FOUND` naming all that are in the way. */
export function assertNoConflicts(
	sink: SnapshotSink,
	choice: RestoreChoice,
	columnTables: ReadonlySet<string>,
	found: ReadonlyMap<string, SourceObject>,
	options: RestoreSettings,
): void {
	const dataOnly = options.dataOnly === true
	const { taken, missing } = findConflicts(choice, found, { existing: options.existing, dataOnly, columnTables })
	if (missing.length > 0) {
		throw new BackupError('PATH_NOT_FOUND', `not in ${sink.database}: ${shownNames(missing)}`, {
			advice: 'rows alone go into tables that exist; restore the schemes first, or restore without data-only',
		})
	}
	if (taken.length > 0) {
		throw new BackupError('PATH_EXISTS', `in the way in ${sink.database}: ${shownNames(taken)}`, {
			advice:
				'nothing was written; restore to another path, leave these out, merge rows into existing tables, or replace them',
		})
	}
}

/**
 * Whether rows of the backup fit into tables that exist. With `fail` (that is, data only) tables must be empty. Errors: `PATH_EXISTS`
 * naming what does not fit.
 */
export async function checkExistingTables(
	sink: SnapshotSink,
	tables: readonly { readonly stored: StoredTable; readonly target: string }[],
	options: RestoreSettings,
	warn: (message: string, path: string) => void,
): Promise<void> {
	const misfits: string[] = []
	await runAll(tables, FINDS_AT_ONCE, options.signal, async ({ stored, target }, signal) => {
		const live = await sink.describeTable(target, { signal })
		if (protoField(live.scheme, 'ttl_settings') !== undefined) {
			warn('it has a TTL: the server may delete rows as soon as they are written', target)
		}
		const misfit = findMisfit(openScheme(stored).schema, live.schema)
		if (misfit !== undefined) misfits.push(`${target} ${misfit}`)
		else if (options.existing === 'fail') {
			const rows = await sink.countRows(target, { signal })
			if (rows > 0n) misfits.push(`${target} holds ${rows} rows`)
		}
	})
	if (misfits.length === 0) return
	throw new BackupError(
		'PATH_EXISTS',
		`rows cannot be written to ${sink.database}: ${shownNames(misfits.toSorted())}`,
		{
			advice: 'nothing was written; restore these to another path, or leave them out',
		},
	)
}

/** Why rows of the first schema do not fit into a table of the second one; undefined when they do. */
export function findMisfit(stored: TableSchema, live: TableSchema): string | undefined {
	if (stored.primaryKey.join('\0') !== live.primaryKey.join('\0')) {
		return `has the key (${live.primaryKey.join(', ')}) instead of (${stored.primaryKey.join(', ')})`
	}
	const columns = new Map(live.columns.map((column) => [column.name, column.type]))
	for (const { name, type } of stored.columns) {
		const found = columns.get(name)
		if (found === undefined) return `has no column ${name}`
		if (spellType(bareType(found)) !== spellType(bareType(type))) {
			return `has column ${name} as ${spellType(found)} instead of ${spellType(type)}`
		}
	}
	const known = new Set(stored.columns.map((column) => column.name))
	const needed = live.columns.find((column) => !known.has(column.name) && column.type.kind !== 'optional')
	return needed === undefined ? undefined : `needs a value for column ${needed.name}, which the backup does not have`
}
