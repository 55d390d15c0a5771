import { BackupError, type TableSchema } from '@ydbackup/core'
import { keyColumns } from '@ydbackup/rows'
import type { ChangeMetadata } from './change-metadata.ts'
import { METADATA_COLUMN } from './change-metadata.ts'

/** Ids inside the cluster → names of columns. Ids do not survive a re-import, names do. */
export type ColumnMap = ReadonlyMap<number, string>

/** Collects the ids that the changes of one table name, and pairs them with its columns. */
export interface ColumnMapper {
	add(metadata: ChangeMetadata): void
	/**
	 * The map; undefined when no change named any column, so that none is needed.
	 *
	 * Every change lists every column that is not of the key, and DescribeTable gives columns in the order of their ids (inferred, not
	 * verified), so the ids in rising order are the columns in their order. Throws `CHAIN_BROKEN` (`ambiguous`) when the counts differ
	 * or when two changes list different ids: guessing could put a value into the wrong column.
	 */
	finish(): ColumnMap | undefined
}

/** The columns of a change table that are neither of the key nor the metadata, in the order in which YDB describes them. */
export function valueColumns(schema: TableSchema): string[] {
	const keys = new Set(keyColumns(schema))
	return schema.columns
		.filter(({ name }, index) => !keys.has(index) && name !== METADATA_COLUMN)
		.map(({ name }) => name)
}

/** `columns` in the order in which YDB describes them; `path` names the table in errors. */
export function createColumnMapper(path: string, columns: readonly string[]): ColumnMapper {
	let known: Set<number> | undefined

	function refuse(what: string): never {
		throw new BackupError('CHAIN_BROKEN', `${path}: ${what}, so its changes cannot be read without guessing`, {
			reason: 'ambiguous',
			advice: 'take a full backup: a new chain begins with it',
		})
	}

	return {
		add({ states }) {
			if (states.length === 0) return
			if (known === undefined) {
				known = new Set(states.map(({ tag }) => tag))
				if (known.size !== states.length) refuse('a change names one column twice')
				return
			}
			if (states.length !== known.size) refuse(`changes name ${known.size} columns and ${states.length}`)
			for (const { tag } of states) if (!known.has(tag)) refuse(`column id ${tag} is in some changes and not in others`)
		},

		finish() {
			if (known === undefined) return undefined
			if (known.size !== columns.length) {
				refuse(`its changes name ${known.size} columns, and the table has ${columns.length} besides the key`)
			}
			const tags = [...known].toSorted((a, b) => a - b)
			return new Map(tags.map((tag, index) => [tag, columns[index]!]))
		},
	}
}
