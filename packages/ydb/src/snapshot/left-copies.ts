import {
	BackupError,
	type LeftCopies,
	type LeftCopiesRequest,
	type SnapshotTable,
	spellType,
	type TableSchema,
} from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { kindOf } from '../scheme/kinds.ts'
import { describeTable, snapshotTableOf } from '../scheme/table-description.ts'
import { copyName, listDirectory } from './copies.ts'
import { readCopy, type SnapshotContext } from './take.ts'

/** Opens copies by what was copied: each must be there, as a row table with the columns and the key of its original. */
export async function openLeftCopies(
	context: SnapshotContext,
	{ workDirectory, tables, signal }: LeftCopiesRequest,
): Promise<LeftCopies> {
	const { control, database } = context
	const work = `${database}/${workDirectory}`
	const entries = await listDirectory(control, work, { signal })
	if (entries === undefined) throw gone(work, 'it is not there')
	const names = new Set(entries.flatMap(({ name, type }) => (kindOf(type) === 'row-table' ? name : [])))
	const missing = tables.find((_, at) => !names.has(copyName(at)))
	if (missing !== undefined) throw gone(work, `it has no copy of ${missing.path}`)
	const places = new Map(tables.map(({ path }, at) => [path, `${work}/${copyName(at)}`]))
	const opened = await forEachAbreast(tables, async ({ path, schema }): Promise<SnapshotTable> => {
		const copy = await describeTable(control, places.get(path)!, { signal })
		const table = snapshotTableOf(path, copy, copy)
		if (spell(table.schema) !== spell(schema)) throw gone(work, `its copy of ${path} has other columns, or another key`)
		return { ...table, schema }
	})
	return {
		tables: opened,
		read: ({ path, schema }, range, options) => readCopy(context, { path: places.get(path)!, schema }, range, options),
	}
}

function spell({ columns, primaryKey }: TableSchema): string {
	const spelt = columns.map(({ name, type }) => `${name} ${spellType(type)}`).toSorted()
	return JSON.stringify([spelt, primaryKey])
}

function gone(work: string, how: string): BackupError {
	return new BackupError('COPIES_GONE', `the copies in ${work} cannot be used: ${how}`)
}
