import {
	BackupError,
	type Change,
	type ChangedColumn,
	type KeyBytes,
	type RowChunk,
	type TableSchema,
} from '@ydbackup/core'
import {
	copyBytes,
	createKeyReader,
	keyColumns,
	readVarint,
	TAG_BYTES,
	TAG_ITEMS,
	TAG_NULL,
	varintEnd,
} from '@ydbackup/rows'
import { METADATA_COLUMN, readChangeMetadata, walkChangeMetadata } from './change-metadata.ts'
import type { ColumnMap } from './column-map.ts'

const NULL_VALUE = new Uint8Array([TAG_NULL, 0])
/** What the readers of older YDB versions used; a table with them was written by a server whose readers are gone. */
const OLD_COLUMNS = ['__ydb_incrBackupImpl_deleted', '__ydb_incrBackupImpl_columnStates']

/** What a change says of a column: see {@link OpenChange.says}. */
export const SAYS = { nothing: 0, cell: 1, null: 2 } as const

/** A change as it lies in its row. One object for all rows: what it says is of the row that was opened last. */
export interface OpenChange {
	readonly op: Change['op']
	readonly key: KeyBytes
	/** The row's chunk. */
	readonly bytes: Uint8Array
	/** By column of the change table: what it {@link SAYS}; where it says `cell`, the value lies in bytes[starts, ends). Nothing counts for an erase. */
	readonly says: Uint8Array
	readonly starts: Int32Array
	readonly ends: Int32Array
}

/** What one metadata says, whatever the row. */
interface Meaning {
	readonly metadata: Uint8Array
	readonly op: Change['op']
	/** By column: see {@link SAYS}. */
	readonly says: Uint8Array
	/** Columns that it says did not change. */
	readonly unchanged: readonly number[]
	/** The id of a column that is not known. */
	readonly unknown: number | undefined
}

export interface ChangeReader {
	/** Of the change table. */
	readonly schema: TableSchema
	/** Opens the change of one row, whose payload is b[start, end). */
	open(b: Uint8Array, start: number, end: number): OpenChange
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
	const values = columns.flatMap((_, at) => (keySet.has(at) || at === metadataAt ? [] : [at]))
	const indexOf = new Map(columns.map(({ name }, index) => [name, index]))
	const places = map && new Map([...map].map(([tag, name]) => [tag, indexOf.get(name)]))
	const says = new Uint8Array(columns.length)
	const starts = new Int32Array(columns.length)
	const ends = new Int32Array(columns.length)
	const change: { -readonly [K in keyof OpenChange]: OpenChange[K] } = {
		op: 'erase',
		key: new Uint8Array(),
		bytes: new Uint8Array(),
		says,
		starts,
		ends,
	}
	let last: Meaning | undefined
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

	/** The metadata of the row that is open, without its tag and length; empty when it has none. */
	function metadataOf(b: Uint8Array): Uint8Array {
		const start = starts[metadataAt]!
		const end = ends[metadataAt]!
		if (start === end || b[start] === TAG_NULL) return b.subarray(end, end)
		if (b[start] !== TAG_BYTES) throw damaged('the metadata of a change is no string of bytes')
		const length = readVarint(b, start + 1, end)
		if (varintEnd + length !== end) throw damaged('the metadata of a change is cut off')
		return b.subarray(varintEnd, end)
	}

	/** Most rows of a link say the same of their columns as the row before. */
	function meaningOf(metadata: Uint8Array): Meaning {
		if (last === undefined || Buffer.compare(last.metadata, metadata) !== 0) last = readMeaning(metadata)
		return last
	}

	function readMeaning(metadata: Uint8Array): Meaning {
		const said = new Uint8Array(columns.length)
		const unchanged: number[] = []
		let states = 0
		let unknown: number | undefined
		const isErased = walkChangeMetadata(metadata, (tag, toNull, isChanged) => {
			states++
			const at = places?.get(tag)
			if (at === undefined) unknown = tag
			else if (isChanged) said[at] = toNull ? SAYS.null : SAYS.cell
			else unchanged.push(at)
		})
		const own = { metadata: copyBytes(metadata, 0, metadata.length), says: said }
		if (isErased) return { ...own, op: 'erase', unchanged: [], unknown: undefined }
		if (states === 0) for (const at of values) said[at] = SAYS.cell
		const isWhole = said.reduce((count, say) => count + Number(say !== SAYS.nothing), 0) === values.length
		return { ...own, op: isWhole ? 'replace' : 'upsert', unchanged, unknown }
	}

	function open(b: Uint8Array, start: number, end: number): OpenChange {
		openRow(b, start, end)
		const { op, says: said, unchanged, unknown } = meaningOf(metadataOf(b))
		if (unknown !== undefined) {
			throw new BackupError('CHAIN_BROKEN', `${path}: no column is known for id ${unknown}`, {
				reason: 'ambiguous',
				advice: 'take a full backup: a new chain begins with it',
			})
		}
		for (const at of unchanged) if (!isNull(b, at)) suspects++
		change.bytes = b
		change.key = keys.read(b, start, end)
		change.op = op
		says.set(said)
		return change
	}

	function changeOf(b: Uint8Array, start: number, end: number): Change {
		const { op, key } = open(b, start, end)
		if (op === 'erase') return { op, key }
		const named: ChangedColumn[] = []
		for (const at of values) {
			if (says[at] === SAYS.nothing) continue
			const value = says[at] === SAYS.null ? NULL_VALUE : b.subarray(starts[at], ends[at])
			named.push({ name: columns[at]!.name, value })
		}
		return { op, key, columns: named }
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
		schema,
		open,
		read: (chunk) => each(chunk, (start, end) => changeOf(chunk.bytes, start, end)),
		metadata: (chunk) =>
			each(chunk, (start, end) => {
				openRow(chunk.bytes, start, end)
				return readChangeMetadata(metadataOf(chunk.bytes))
			}),
		get suspects() {
			return suspects
		},
	}
}
