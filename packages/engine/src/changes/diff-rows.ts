import {
	BackupError,
	type Change,
	type ChangedColumn,
	type RowChunk,
	spellType,
	type TableSchema,
} from '@ydbackup/core'
import {
	canonicalValue,
	cellShape,
	createKeyComparator,
	keyColumns,
	keyTypes,
	readVarint,
	TAG_ITEMS,
	varintEnd,
} from '@ydbackup/rows'
import { openRows, type RowCursor } from './row-cursor.ts'

/** Rows of one table in key order, and what is needed to read them. */
export interface OrderedRows {
	readonly schema: TableSchema
	readonly chunks: AsyncIterable<RowChunk>
}

const BATCH = 512
const NULL_VALUE = Uint8Array.of(0x50, 0)

/**
 * What must be done to the rows `before` so that they are the rows `after`, in key order, in batches of at most 512 changes: new rows as
 * `replace`, rows that are gone as `erase`, others as `upsert` of the columns that differ. Both sides are read once, side by side,
 * in bounded memory. Columns are the same by name and type: one that was added, or has another type now, differs in every row where
 * it is not NULL; one that was dropped is not spoken of.
 *
 * Errors: `CHAIN_BROKEN` (`schema-changed`) when the key is another one; `ROWS_OUT_OF_ORDER` when a side does not rise.
 */
export async function* diffRows(
	path: string,
	before: OrderedRows,
	after: OrderedRows,
): AsyncGenerator<readonly Change[]> {
	checkKeys(path, before.schema, after.schema)
	const compare = createKeyComparator(keyTypes(after.schema))
	const readChange = columnsThatDiffer(before.schema, after.schema)
	const isSameShape = sameColumns(before.schema, after.schema)
	await using old = openRows(before.schema, before.chunks)
	await using now = openRows(after.schema, after.chunks)
	let batch: Change[] = []

	async function step(cursor: RowCursor): Promise<boolean> {
		const last = cursor.end > 0 ? cursor.key() : undefined
		const found = await cursor.next()
		if (found && last !== undefined && compare(last, cursor.key()) >= 0) {
			throw new BackupError('ROWS_OUT_OF_ORDER', `${path}: rows do not come in the order of their keys`)
		}
		return found
	}

	let hasOld = await step(old)
	let hasNow = await step(now)
	while (hasOld || hasNow) {
		if (isSameShape && hasOld && hasNow && sameBytes(old, now)) {
			hasOld = await step(old)
			hasNow = await step(now)
			continue
		}
		const order = !hasOld ? 1 : !hasNow ? -1 : compare(old.key(), now.key())
		if (order < 0) {
			batch.push({ op: 'erase', key: old.key() })
			hasOld = await step(old)
		} else {
			const columns = readChange(order === 0 ? old : undefined, now)
			if (order > 0) batch.push({ op: 'replace', key: now.key(), columns })
			else if (columns.length > 0) batch.push({ op: 'upsert', key: now.key(), columns })
			hasNow = await step(now)
			if (order === 0) hasOld = await step(old)
		}
		if (batch.length >= BATCH) {
			yield batch
			batch = []
		}
	}
	if (batch.length > 0) yield batch
}

function checkKeys(path: string, before: TableSchema, after: TableSchema): void {
	const spell = (schema: TableSchema): string =>
		keyColumns(schema)
			.map((index) => `${schema.columns[index]!.name} ${spellType(schema.columns[index]!.type)}`)
			.join(', ')
	if (spell(before) === spell(after)) return
	throw new BackupError('CHAIN_BROKEN', `${path}: its key was (${spell(before)}) and is (${spell(after)}) now`, {
		reason: 'schema-changed',
		advice: 'take a full backup: a new chain begins with it',
	})
}

function sameColumns(before: TableSchema, after: TableSchema): boolean {
	return (
		before.columns.length === after.columns.length &&
		before.columns.every(({ name, type }, index) => {
			const other = after.columns[index]!
			return other.name === name && spellType(other.type) === spellType(type)
		})
	)
}

/** Equal bytes are equal rows. Other bytes may be equal rows in another spelling: the slow way finds out. */
function sameBytes(a: RowCursor, b: RowCursor): boolean {
	return (
		a.end - a.start === b.end - b.start &&
		Buffer.compare(a.bytes.subarray(a.start, a.end), b.bytes.subarray(b.start, b.end)) === 0
	)
}

/** Values of columns that are not of the key: those that differ from the old row, or all when there is none. */
function columnsThatDiffer(
	before: TableSchema,
	after: TableSchema,
): (old: RowCursor | undefined, now: RowCursor) => ChangedColumn[] {
	const keys = new Set(keyColumns(after))
	const oldIndex = new Map(before.columns.map(({ name, type }, index) => [`${name} ${spellType(type)}`, index]))
	const columns = after.columns.flatMap(({ name, type }, at) =>
		keys.has(at) ? [] : [{ name, at, oldAt: oldIndex.get(`${name} ${spellType(type)}`), shape: cellShape(type, name) }],
	)
	return (old, now) => {
		const cells = cellsOf(now, after.columns.length)
		const oldCells = old && cellsOf(old, before.columns.length)
		const found: ChangedColumn[] = []
		for (const { name, at, oldAt, shape } of columns) {
			const value = valueOf(now, cells[at]!, shape)
			if (oldCells !== undefined) {
				const was = oldAt === undefined ? NULL_VALUE : valueOf(old!, oldCells[oldAt]!, shape)
				if (Buffer.compare(was, value) === 0) continue
			}
			found.push({ name, value })
		}
		return found
	}
}

type Cell = readonly [start: number, end: number]

/** In a copy of its own: a change may be kept longer than the chunk. */
function valueOf({ bytes }: RowCursor, [start, end]: Cell, shape: ReturnType<typeof cellShape>): Uint8Array {
	return Uint8Array.from(canonicalValue(bytes, start, end, shape))
}

function cellsOf({ bytes, start, end }: RowCursor, columns: number): Cell[] {
	const cells: Cell[] = []
	for (let p = start; p < end;) {
		if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'a row holds something else than cells')
		const length = readVarint(bytes, p + 1, end)
		p = varintEnd + length
		cells.push([p - length, p])
	}
	if (cells.length !== columns) {
		throw new BackupError('FORMAT_INVALID', `a row has ${cells.length} cells where ${columns} were expected`)
	}
	return cells
}
