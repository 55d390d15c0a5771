import { workDirectoryOf } from '@ydbackup/catalog'
import {
	BackupError,
	type CallOptions,
	isBackupError,
	type LeftCopies,
	type ReadRowsOptions,
	type RowChunk,
	type SnapshotSource,
	type SnapshotTable,
} from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import type { Reporter } from '../events/reporter.ts'
import { reasonText } from '../events/reporter.ts'
import { openScheme } from '../part/contents.ts'
import { isColumnTable } from '../part/column-table.ts'
import type { OpenedChain } from './open-chain.ts'

/** The copies that a backup left in the database. What is read from them is a claim until it is compared with what its manifest counted and hashed. */
export interface ParentCopy {
	/** Its work directory, as an absolute path. */
	readonly place: string
	/** By the path of the table that was copied. */
	readonly tables: ReadonlyMap<string, SnapshotTable>
	/** All rows of one of them, in key order. Errors: `COPIES_GONE` when the server does not let it be read any more. */
	read(table: SnapshotTable, options: ReadRowsOptions): AsyncIterable<RowChunk>
}

interface Keeper {
	readonly source: Pick<SnapshotSource, 'database' | 'openCopies'>
	/** The id of the repository, which is part of the name. */
	readonly header: Parameters<typeof workDirectoryOf>[0]
	readonly reporter: Reporter
	readonly signal: AbortSignal | undefined
}

/** The copy that the last backup of a chain kept, if it kept one; one that cannot be read is warned of, and is as if it were not there. */
export async function openParentCopy(
	{ manifests, tables }: OpenedChain,
	{ source, header, reporter, signal }: Keeper,
): Promise<ParentCopy | undefined> {
	const parent = manifests.at(-1)!
	if (parent.keptCopy !== true) return undefined
	const workDirectory = workDirectoryOf(header, parent.id)
	const place = `${source.database}/${workDirectory}`
	const copied = tables.flatMap(({ stored }) => {
		const { scheme, schema } = openScheme(stored)
		return isColumnTable(scheme) ? [] : [{ path: stored.path, schema }]
	})
	try {
		reporter.phase('check', `looking at the copy that ${parent.id} kept`)
		return parentCopy(place, await source.openCopies({ workDirectory, tables: copied, signal }))
	} catch (error) {
		if (!isBackupError(error) || error.code === 'INTERRUPTED') throw error
		const why = error.code === 'COPIES_GONE' ? error.message : `${place}: ${error.message}`
		reporter.warn(`${parent.id} kept a copy, and it is read from the repository all the same: ${reasonText(why)}`)
		return undefined
	}
}

function parentCopy(place: string, { tables, read }: LeftCopies): ParentCopy {
	return {
		place,
		tables: new Map(tables.map((table) => [table.path, table])),
		async *read(table, options) {
			try {
				for (const range of table.ranges) yield* read(table, range, options)
			} catch (error) {
				if (!isBackupError(error) || !UNREADABLE.has(error.code)) throw error
				throw copyGone(place, `its copy of ${table.path} cannot be read: ${error.message}`, error)
			}
		},
	}
}

/** What the server says of a table that is gone, or is another one than it was when it was opened. */
const UNREADABLE = new Set(['PATH_NOT_FOUND', 'DATABASE_REFUSED', 'DATABASE_PERMISSION', 'SCHEMA_CHANGED'])

/** The error of rows that are not those of the backup: they must not be compared with, and the copy is of no use. */
export function copyGone(place: string, how: string, cause?: unknown): BackupError {
	return new BackupError('COPIES_GONE', `the copy in ${place} cannot be compared with: ${how}`, {
		advice: `drop the tables in ${place} and the directory, and run it again: it reads the repository then`,
		cause,
	})
}

/** Removes the copy that a backup kept. */
export async function dropKeptCopy(
	source: Pick<SnapshotSource, 'dropWorkDirectory'>,
	header: Keeper['header'],
	{ id }: Pick<Manifest, 'id'>,
	options: CallOptions,
): Promise<void> {
	await source.dropWorkDirectory(workDirectoryOf(header, id), options)
}
