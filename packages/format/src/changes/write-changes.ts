import { BackupError, type Change, type Column, type TableSchema } from '@ydbackup/core'
import {
	copyInto,
	keyColumns,
	lengthDelimited,
	readVarint,
	TAG_BYTES,
	TAG_ITEMS,
	TAG_NULL,
	varintEnd,
	varintLength,
	writeVarint,
} from '@ydbackup/rows'
import { METADATA_COLUMN, writeChangeMetadata } from './change-metadata.ts'
import type { ColumnMap } from './column-map.ts'

/** An object of this file alone: by it a column that a change does not name is told from one that is NULL now. */
const NULL_VALUE = new Uint8Array([TAG_NULL, 0])
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

/** Writes changes as rows (tag 0x62 and all) of a change table, as YDB's own writer does for the same changes. */
export interface ChangeWriter {
	row(change: Change): Uint8Array
	/** Bytes of the row of a change, which {@link write} writes next. */
	open(change: Change): number
	write(bytes: Uint8Array, at: number): void
}

export function createChangeWriter(schema: TableSchema, map: ColumnMap): ChangeWriter {
	const keys = keyColumns(schema)
	const indexOf = new Map(schema.columns.map(({ name }, index) => [name, index]))
	const metadataAt = indexOf.get(METADATA_COLUMN)
	if (metadataAt === undefined) throw new BackupError('INTERNAL', `a change table needs the column ${METADATA_COLUMN}`)
	const states = [...map].map(([tag, name]) => ({ tag, at: indexOf.get(name) }))
	const metadata = metadataTemplate(states.map(({ tag }) => tag))
	/** Where the `Ydb.Value` of each column lies. */
	const values: Uint8Array[] = schema.columns.map(() => NULL_VALUE)
	const starts = new Int32Array(schema.columns.length)
	const ends = new Int32Array(schema.columns.length)
	let payload = 0

	function set(column: number, bytes: Uint8Array, start: number, end: number): void {
		values[column] = bytes
		starts[column] = start
		ends[column] = end
	}

	function setCells(change: Change): void {
		for (let column = 0; column < values.length; column++) set(column, NULL_VALUE, 0, NULL_VALUE.length)
		const { key } = change
		let p = 0
		for (const column of keys) {
			const length = readVarint(key, p + 1, key.length)
			const start = varintEnd
			p = start + length
			set(column, key, start, p)
		}
		if (change.op === 'erase') return
		for (const { name, value } of change.columns) {
			const at = indexOf.get(name)
			if (at === undefined)
				throw new BackupError('INTERNAL', `a change names the column ${name}, which its table has not`)
			set(at, value, 0, value.length)
		}
	}

	function open(change: Change): number {
		setCells(change)
		for (let index = 0; index < states.length; index++) {
			const { at } = states[index]!
			const value = at === undefined ? NULL_VALUE : values[at]!
			const isChanged = value !== NULL_VALUE || change.op !== 'upsert'
			metadata.setState(index, isChanged && value[0] === TAG_NULL, isChanged)
		}
		metadata.setDeleted(change.op === 'erase')
		set(metadataAt!, metadata.value, 0, metadata.value.length)
		payload = 0
		for (let column = 0; column < values.length; column++) {
			const length = ends[column]! - starts[column]!
			payload += 1 + varintLength(length) + length
		}
		return 1 + varintLength(payload) + payload
	}

	function write(bytes: Uint8Array, at: number): void {
		bytes[at] = TAG_ITEMS
		let p = writeVarint(bytes, at + 1, payload)
		for (let column = 0; column < values.length; column++) {
			bytes[p] = TAG_ITEMS
			p = writeVarint(bytes, p + 1, ends[column]! - starts[column]!)
			p = copyInto(bytes, p, values[column]!, starts[column]!, ends[column]!)
		}
	}

	return {
		open,
		write,
		row(change) {
			const row = new Uint8Array(open(change))
			write(row, 0)
			return row
		},
	}
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
