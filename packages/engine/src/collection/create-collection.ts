import { BackupError, type CollectionAdmin, type CollectionSpec, protoFields, throwIfInterrupted } from '@ydbackup/core'

import { comparePaths, relativePath } from '../choose/object-path.ts'
import type { EventHandler } from '../events/event.ts'
import { createReporter, type Reporter, type Warning } from '../events/reporter.ts'

export interface CreateCollectionOptions extends Omit<CollectionSpec, 'tables'> {
	readonly admin: CollectionAdmin
	/** Paths of tables, absolute or relative to the database. */
	readonly tables: readonly string[]
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
}

export interface CreateCollectionResult {
	readonly collection: string
	readonly database: string
	/** Relative to the database. */
	readonly tables: readonly string[]
	readonly isIncremental: boolean
	readonly warnings: readonly Warning[]
}

/**
 * Creates a backup collection. What the server would find only at the first backup is found now: tables that are not there or that it cannot
 * back up, and tables whose changes another collection takes too. Errors: `CONFIG_INVALID`, `PATH_NOT_FOUND`, `PATH_EXISTS`, `UNSUPPORTED`,
 * `DATABASE_REFUSED`.
 */
export async function createCollection(options: CreateCollectionOptions): Promise<CreateCollectionResult> {
	const { admin, isIncremental, omitIndexes, signal } = options
	const { database } = admin
	const reporter = createReporter(options.onEvent)
	const { name, live } = admin.open(options.name)
	if (omitIndexes === true && !isIncremental) {
		throw new BackupError('CONFIG_INVALID', 'indexes can be left out of increments only, and the collection has none', {
			advice: 'give --incremental too, or leave --omit-indexes out',
		})
	}
	const tables = Array.from(new Set(options.tables.map((path) => relativePath(path, database, 'table')))).toSorted(
		comparePaths,
	)
	if (tables.length === 0) {
		throw new BackupError('CONFIG_INVALID', `the collection ${name} would have no table`, {
			advice: 'give each table by --table; a collection cannot be changed later',
		})
	}
	if ((await admin.names({ signal })).includes(name)) {
		throw new BackupError('PATH_EXISTS', `there is a backup collection ${name} in ${database} already`, {
			advice: 'collection show tells its tables; it cannot be changed, only dropped',
		})
	}
	reporter.phase('check', `looking at ${tables.length} tables`)
	for (const path of tables) {
		throwIfInterrupted(signal, `looking at ${path}`)
		const found = path === '' ? undefined : await live(path, { signal })
		if (found?.table === undefined) throw noTable(path, database, found !== undefined)
		const asynchronous = protoFields(found.table.scheme, 'indexes').filter(
			(index) => index.kind === 'message' && protoFields(index.fields, 'global_async_index').length > 0,
		)
		if (isIncremental && asynchronous.length > 0) {
			throw new BackupError(
				'UNSUPPORTED',
				`${path} has an asynchronous index, and the server takes no increments of it`,
				{
					advice:
						'drop the index or make it synchronous, leave the table out, or create the collection without --incremental',
				},
			)
		}
	}
	if (isIncremental) await checkSharing(options, tables, reporter)
	await admin.create({ name, tables, isIncremental, omitIndexes }, { signal })
	return { collection: name, database, tables, isIncremental, warnings: reporter.warnings }
}

function noTable(path: string, database: string, isOther: boolean): BackupError {
	return new BackupError(
		'PATH_NOT_FOUND',
		isOther ? `${path} is no row table` : `there is no table ${path} in ${database}`,
		{ advice: 'collections hold row tables, each by its own path; names are case-sensitive' },
	)
}

/** Two collections of increments would take each other's changes: each increment takes the last stream of the table, whoever made it. */
async function checkSharing(
	{ admin, name: own, signal }: CreateCollectionOptions,
	tables: readonly string[],
	reporter: Reporter,
): Promise<void> {
	const wanted = new Set(tables)
	for (const name of await admin.names({ signal })) {
		throwIfInterrupted(signal, `looking at the collection ${name}`)
		if (name === own) continue
		const source = admin.open(name)
		const links = await source.links({ signal })
		const full = links.findLast(({ kind }) => kind === 'full')
		if (full === undefined) continue
		const { tables: members } = await source.contents(full, { signal })
		const shared = members.find(({ path }) => wanted.has(path))
		if (shared === undefined) continue
		if (!links.some(({ kind }) => kind === 'incremental')) {
			reporter.warn(
				`the collection ${name} has it too: if that takes increments, neither chain will be whole`,
				shared.path,
			)
			continue
		}
		throw new BackupError(
			'CONFIG_INVALID',
			`${shared.path} is in the collection ${name}, which takes increments: the two would take each other's changes`,
			{ advice: `use ${name}, or drop it first; a table may be in one collection of increments only` },
		)
	}
}
