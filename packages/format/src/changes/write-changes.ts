import { BackupError, type Change, type Column, type TableSchema } from '@ydbackup/core'
import {
	keyColumns,
	lengthDelimited,
	readVarint,
	TAG_ITEMS,
	varintEnd,
	varintLength,
	writeVarint,
} from '@ydbackup/rows'
import { METADATA_COLUMN, writeChangeMetadata } from './change-metadata.ts'
import type { ColumnMap } from './column-map.ts'

const TAG_NULL = 0x50
const NULL_VALUE = new Uint8Array([TAG_NULL, 0])
const TAG_BYTES = 0x42
/** Bytes of a state but for its id: see {@link writeChangeMetadata}. */
const STATE_FIELDS = 5

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
	const states = [...map].map(([tag, name]) => ({ tag, at: indexOf.get(name) }))
	const metadata = metadataTemplate(states.map(({ tag }) => tag))
	/** `Ydb.Value`s; undefined for columns that the change does not name. */
	const values: (Uint8Array | undefined)[] = schema.columns.map(() => undefined)

	function open(change: Change): void {
		values.fill(undefined)
		let p = 0
		for (const column of keys) {
			const length = readVarint(change.key, p + 1, change.key.length)
			p = varintEnd + length
			values[column] = change.key.subarray(varintEnd, p)
		}
		if (change.op === 'erase') return
		for (const { name, value } of change.columns) {
			const at = indexOf.get(name)
			if (at === undefined)
				throw new BackupError('INTERNAL', `a change names the column ${name}, which its table has not`)
			values[at] = value
		}
	}

	return (change) => {
		open(change)
		for (const [index, { at }] of states.entries()) {
			const value = at === undefined ? undefined : values[at]
			const isChanged = value !== undefined || change.op !== 'upsert'
			metadata.setState(index, isChanged && (value === undefined || value[0] === TAG_NULL), isChanged)
		}
		metadata.setDeleted(change.op === 'erase')
		values[metadataAt] = metadata.value
		let length = 0
		for (const value of values) length += sizeOfCell(value ?? NULL_VALUE)
		const row = new Uint8Array(1 + varintLength(length) + length)
		row[0] = TAG_ITEMS
		let p = writeVarint(row, 1, length)
		for (const value of values) p = writeCell(row, p, value ?? NULL_VALUE)
		return row
	}
}

function sizeOfCell({ length }: Uint8Array): number {
	return 1 + varintLength(length) + length
}

function writeCell(row: Uint8Array, p: number, value: Uint8Array): number {
	row[p] = TAG_ITEMS
	const start = writeVarint(row, p + 1, value.length)
	row.set(value, start)
	return start + value.length
}

/** The `Ydb.Value` of metadata about columns of these ids, made once and filled in for each change: all of its fields have a fixed size. */
function metadataTemplate(tags: readonly number[]): {
	readonly value: Uint8Array
	setState(index: number, isNull: boolean, isChanged: boolean): void
	setDeleted(isDeleted: boolean): void
} {
	const states = tags.map((tag) => ({ tag, isNull: false, isChanged: false }))
	const value = lengthDelimited(TAG_BYTES, writeChangeMetadata({ isDeleted: false, states }))
	/** Each state ends with `isNull`, a tag, and `isChanged`; the message ends with `isDeleted` and its tag before it. */
	const ends: number[] = []
	let end = value.length - 2
	for (const { tag } of states.toReversed()) {
		ends.unshift(end)
		end -= 2 + STATE_FIELDS + varintLength(tag)
	}
	return {
		value,
		setState(index, isNull, isChanged) {
			value[ends[index]! - 3] = Number(isNull)
			value[ends[index]! - 1] = Number(isChanged)
		},
		setDeleted(isDeleted) {
			value[value.length - 1] = Number(isDeleted)
		},
	}
}
