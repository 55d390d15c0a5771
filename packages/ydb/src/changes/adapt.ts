import { bareType, BackupError, spellType, type TableSchema } from '@ydbackup/core'
import { keyColumns } from '@ydbackup/rows'
import { quotePath } from '../call/query.ts'

/**
 * The statement that brings a table's columns from `live` to those of a link; undefined when nothing is to be done. Columns that the link
 * lacks are dropped, columns that the table lacks are added. Errors: `CHAIN_BROKEN` (`schema-changed`) for what no statement of
 * YDB can do with the rows in place: another key, another type of a column, a new column that must have a value.
 */
export function adaptStatement(path: string, live: TableSchema, link: TableSchema): string | undefined {
	const refuse = (what: string): never => {
		throw new BackupError('CHAIN_BROKEN', `${path}: ${what}`, {
			reason: 'schema-changed',
			advice: 'restore to the link before this change, or take a full backup: a new chain begins with it',
		})
	}
	const spellKey = (schema: TableSchema): string =>
		keyColumns(schema)
			.map((index) => `${schema.columns[index]!.name} ${spellType(bareType(schema.columns[index]!.type))}`)
			.join(', ')
	if (spellKey(live) !== spellKey(link))
		refuse(`the link's key is (${spellKey(link)}), the table's (${spellKey(live)})`)

	const wanted = new Map(link.columns.map((column) => [column.name, column]))
	const present = new Map(live.columns.map((column) => [column.name, column]))
	const actions: string[] = []
	for (const { name } of live.columns) if (!wanted.has(name)) actions.push(`DROP COLUMN ${quotePath(name)}`)
	for (const { name, type } of link.columns) {
		const there = present.get(name)
		if (there === undefined) {
			if (type.kind !== 'optional') refuse(`the column ${name} was added as one that must have a value`)
			actions.push(`ADD COLUMN ${quotePath(name)} ${spellType(bareType(type))}`)
		} else if (spellType(bareType(there.type)) !== spellType(bareType(type))) {
			refuse(
				`the column ${name} is ${spellType(bareType(there.type))} before the link and ${spellType(bareType(type))} in it`,
			)
		}
	}
	return actions.length === 0 ? undefined : `ALTER TABLE ${quotePath(path)} ${actions.join(', ')};`
}
