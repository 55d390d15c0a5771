import { BackupError, type Change, type ChangedColumn, type RowChunk, type TableSchema } from '@ydbackup/core'
import { createKeyReader, keyColumns, readVarint, TAG_ITEMS, varintEnd } from '@ydbackup/rows'
import { METADATA_COLUMN, readChangeMetadata } from './change-metadata.ts'
import type { ColumnMap } from './column-map.ts'

const TAG_BYTES = 0x42
const TAG_NULL = 0x50
const NULL_VALUE = new Uint8Array([TAG_NULL, 0])
/** What the readers of older YDB versions used; a table with them was written by a server whose readers are gone. */
const OLD_COLUMNS = ['__ydb_incrBackupImpl_deleted', '__ydb_incrBackupImpl_columnStates']

export interface ChangeReader {
	/** The changes of a chunk, one for each row. Value bytes are views into the chunk. */
	read(chunk: RowChunk): Change[]
	/** How many values stood in cells whose change says that they did not change. See `TableChanges.suspect`. */
	readonly suspects: number
	/** The metadata column alone, decoded, for whoever needs the ids: see `createColumnMapper`. */
	metadata(chunk: RowChunk): ReturnType<typeof readChangeMetadata>[]
}

/**
 * Reads rows of a change table as changes. `schema` is the change table's own, with the metadata column; `map` is undefined when no
 * change of the table names a column.
 *
 * Follows YDB's reader (`ydb/core/tx/datashard/incr_restore_helpers.cpp`): deleted → erase; a column that is not changed keeps the
 * target's value; one that is changed takes the cell's, or NULL; metadata without any column states → the row is as its cells say.
 * Where YDB's reader guesses, this one refuses: an id that the map does not have is `CHAIN_BROKEN` (`ambiguous`), metadata that
 * cannot be read is `FORMAT_INVALID`. Tables in the forms of YDB before 26 are `UNSUPPORTED`.
 */
export function createChangeReader(path: string, schema: TableSchema, map: ColumnMap | undefined): ChangeReader {
	const { columns } = schema
	const old = columns.find(({ name }) => OLD_COLUMNS.includes(name))
	if (old) {
		throw new BackupError(
			'UNSUPPORTED',
			`${path} was written by a YDB before version 26 (it has a column ${old.name})`,
			{
				advice: 'take a new full backup on a newer YDB; only the full backup of this chain can be restored',
			},
		)
	}
	const metadataAt = columns.findIndex(({ name }) => name === METADATA_COLUMN)
	if (metadataAt < 0) {
		throw new BackupError('FORMAT_INVALID', `${path} has no column ${METADATA_COLUMN}: it holds no changes`)
	}
	const keys = createKeyReader(schema)
	const keySet = new Set(keyColumns(schema))
	const values = columns.flatMap(({ name }, at) => (keySet.has(at) || at === metadataAt ? [] : [{ name, at }]))
	const indexOf = new Map(columns.map(({ name }, index) => [name, index]))
	const places = map && new Map([...map].map(([tag, name]) => [tag, indexOf.get(name)]))
	const starts = new Int32Array(columns.length)
	const ends = new Int32Array(columns.length)
	let suspects = 0

	/** Leaves behind where the cells of the row lie; cells are `Ydb.Value` messages. */
	function openRow(b: Uint8Array, start: number, end: number): void {
		let p = start
		for (let column = 0; column < columns.length; column++) {
			if (p >= end || b[p] !== TAG_ITEMS) throw damaged(`a row has fewer than ${columns.length} cells`)
			const length = readVarint(b, p + 1, end)
			starts[column] = varintEnd
			p = varintEnd + length
			if (p > end) throw damaged('a cell is longer than its row')
			ends[column] = p
		}
		if (p !== end) throw damaged(`a row has more than ${columns.length} cells`)
	}

	const damaged = (what: string): BackupError => new BackupError('FORMAT_INVALID', `${path}: ${what}`)
	const isNull = (b: Uint8Array, column: number): boolean => b[starts[column]!] === TAG_NULL
	const valueAt = (b: Uint8Array, column: number): Uint8Array => b.subarray(starts[column]!, ends[column]!)

	function metadataOf(b: Uint8Array): ReturnType<typeof readChangeMetadata> {
		const cell = valueAt(b, metadataAt)
		if (cell.length === 0 || cell[0] === TAG_NULL) return { isDeleted: false, states: [] }
		if (cell[0] !== TAG_BYTES) throw damaged('the metadata of a change is no string of bytes')
		const length = readVarint(cell, 1, cell.length)
		if (varintEnd + length !== cell.length) throw damaged('the metadata of a change is cut off')
		return readChangeMetadata(cell.subarray(varintEnd))
	}

	function changeOf(b: Uint8Array, start: number, end: number): Change {
		openRow(b, start, end)
		const key = keys.read(b, start, end)
		const { isDeleted, states } = metadataOf(b)
		if (isDeleted) return { op: 'erase', key }
		if (states.length === 0) {
			return { op: 'replace', key, columns: values.map(({ name, at }) => ({ name, value: valueAt(b, at) })) }
		}
		const changed: ChangedColumn[] = []
		for (const { tag, isNull: toNull, isChanged } of states) {
			const at = places?.get(tag)
			if (at === undefined) {
				throw new BackupError('CHAIN_BROKEN', `${path}: no column is known for id ${tag}`, {
					reason: 'ambiguous',
					advice: 'take a full backup: a new chain begins with it',
				})
			}
			if (isChanged) changed.push({ name: columns[at]!.name, value: toNull ? NULL_VALUE : valueAt(b, at) })
			else if (!isNull(b, at)) suspects++
		}
		return { op: changed.length === values.length ? 'replace' : 'upsert', key, columns: changed }
	}

	function each<T>({ bytes }: RowChunk, take: (start: number, end: number) => T): T[] {
		const taken: T[] = []
		for (let p = 0; p < bytes.length;) {
			if (bytes[p] !== TAG_ITEMS) throw damaged('something else than a row lies between rows')
			const length = readVarint(bytes, p + 1, bytes.length)
			const start = varintEnd
			p = start + length
			taken.push(take(start, p))
		}
		return taken
	}

	return {
		read: (chunk) => each(chunk, (start, end) => changeOf(chunk.bytes, start, end)),
		metadata: (chunk) =>
			each(chunk, (start, end) => {
				openRow(chunk.bytes, start, end)
				return metadataOf(chunk.bytes)
			}),
		get suspects() {
			return suspects
		},
	}
}
