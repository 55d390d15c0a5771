import { BackupError, type Change, type Column, type TableSchema } from '@ydbackup/core'
import { concatBytes, keyColumns, lengthDelimited, readVarint, TAG_ITEMS, varintEnd } from '@ydbackup/rows'
import { METADATA_COLUMN, writeChangeMetadata } from './change-metadata.ts'
import type { ColumnMap } from './column-map.ts'

const NULL_CELL = new Uint8Array([TAG_ITEMS, 2, 0x50, 0])
const TAG_BYTES = 0x42

/** The schema of the change table of a table: all its columns, each nullable, and the metadata column behind them. */
export function changeTableSchema(schema: TableSchema): TableSchema {
	const nullable = (column: Column): Column =>
		column.type.kind === 'optional' ? column : { name: column.name, type: { kind: 'optional', item: column.type } }
	const metadata: Column = {
		name: METADATA_COLUMN,
		type: { kind: 'optional', item: { kind: 'primitive', name: 'String' } },
	}
	return { primaryKey: schema.primaryKey, columns: [...schema.columns.map(nullable), metadata] }
}

/** Ids as a table gets them that is created with these columns: 1..N in order (not verified). Columns of the key have no part in the map. */
export function freshColumnMap(schema: TableSchema): ColumnMap {
	const keys = new Set(keyColumns(schema))
	return new Map(
		schema.columns.flatMap(({ name }, index) =>
			keys.has(index) || name === METADATA_COLUMN ? [] : [[index + 1, name] as const],
		),
	)
}

/** Writes a change as a row (tag 0x62 and all) of a change table with `schema`, as YDB's own writer does for the same change. */
export function createChangeWriter(schema: TableSchema, map: ColumnMap): (change: Change) => Uint8Array {
	const keys = keyColumns(schema)
	const indexOf = new Map(schema.columns.map(({ name }, index) => [name, index]))
	const metadataAt = indexOf.get(METADATA_COLUMN)
	if (metadataAt === undefined) throw new BackupError('INTERNAL', `a change table needs the column ${METADATA_COLUMN}`)
	const tags = [...map]
	return (change) => {
		const cells: Uint8Array[] = schema.columns.map(() => NULL_CELL)
		let p = 0
		for (const column of keys) {
			const length = readVarint(change.key, p + 1, change.key.length)
			const end = varintEnd + length
			cells[column] = change.key.subarray(p, end)
			p = end
		}
		const named = new Map(change.op === 'erase' ? [] : change.columns.map(({ name, value }) => [name, value]))
		for (const [name, value] of named) {
			const at = indexOf.get(name)
			if (at === undefined)
				throw new BackupError('INTERNAL', `a change names the column ${name}, which its table has not`)
			cells[at] = lengthDelimited(TAG_ITEMS, value)
		}
		const states = tags.map(([tag, name]) => {
			const value = named.get(name)
			if (value !== undefined) return { tag, isNull: value[0] === 0x50, isChanged: true }
			return change.op === 'upsert' ? { tag, isNull: false, isChanged: false } : { tag, isNull: true, isChanged: true }
		})
		const metadata = writeChangeMetadata({ isDeleted: change.op === 'erase', states })
		cells[metadataAt] = lengthDelimited(TAG_ITEMS, lengthDelimited(TAG_BYTES, metadata))
		return lengthDelimited(TAG_ITEMS, concatBytes(cells))
	}
}
