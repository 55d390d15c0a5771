import { BackupError, type Change, type KeyBytes, type RowChunk, type TableSchema } from '@ydbackup/core'
import {
	chunkFromFrames,
	concatBytes,
	createKeyComparator,
	createKeyReader,
	keyTypes,
	lengthDelimited,
	readVarint,
	TAG_ITEMS,
	varintEnd,
} from '@ydbackup/rows'
import { type ChangeCursor, openChanges } from './change-cursor.ts'
import type { OrderedRows } from './diff-rows.ts'
import { type MergedColumn, mergedColumns } from './merge-columns.ts'

/** The changes of one table in one link, and the table's columns at its end. */
export interface LinkOfTable {
	readonly schema: TableSchema
	/** In key order. */
	readonly changes: AsyncIterable<readonly Change[]>
}

const CHUNK_BYTES = 256 << 10
const NULL_CELL = Uint8Array.of(TAG_ITEMS, 2, 0x50, 0)

/**
 * The rows of a table as they were at the end of a chain's link, in key order: the full backup's, with the changes of every link laid over
 * them, read once side by side. `full` is undefined for a table that joined the chain later. Columns are those of `wanted`.
 *
 * Memory: one chunk of the full backup and one batch of each link. Where no change falls into a chunk and the columns are those of the
 * full backup, the chunk passes untouched. Errors: `ROWS_OUT_OF_ORDER`; `CHAIN_BROKEN` (`gap`) when a row would lack a value that it
 * must have, so that a change is missing somewhere.
 */
export async function* rowsAtLink(
	path: string,
	full: OrderedRows | undefined,
	links: readonly LinkOfTable[],
	wanted: TableSchema,
): AsyncGenerator<RowChunk> {
	const compare = createKeyComparator(keyTypes(wanted))
	const columns = mergedColumns([full?.schema, ...links.map(({ schema }) => schema)], wanted)
	const out = createOutput(wanted)
	const isUntouched = full !== undefined && columnsStand(columns, full.schema)
	await using stack = new AsyncDisposableStack()
	const cursors = links.map(({ changes }) => stack.use(openChanges(path, changes, compare)))
	await Promise.all(cursors.map((cursor) => cursor.next()))
	const merge = createMerge(path, columns, full?.schema.columns.length ?? 0)

	let next = lowest(cursors, compare)
	/** What links say of the lowest key, laid over the row of the full backup. */
	const mergeNext = async (base: Row | undefined): Promise<void> => {
		const merged = merge(base, await take(cursors, next!.cursors))
		next = lowest(cursors, compare)
		if (merged !== undefined) out.add(merged, 1)
	}

	if (full !== undefined) {
		const keys = createKeyReader(full.schema)
		let last: KeyBytes | undefined
		for await (const chunk of full.chunks) {
			if (last !== undefined && compare(last, chunk.firstKey) >= 0) {
				throw new BackupError('ROWS_OUT_OF_ORDER', `${path}: rows do not come in the order of their keys`)
			}
			last = chunk.lastKey
			if (isUntouched && (next === undefined || compare(next.key, chunk.lastKey) > 0)) {
				const ready = out.flush()
				if (ready) yield ready
				yield chunk
				continue
			}
			const { bytes } = chunk
			/** Rows that nothing changes go on as they lie, many at once. */
			let run = 0
			let runRows = 0
			for (let p = 0; p < bytes.length;) {
				const row = rowAt(bytes, p)
				if (isUntouched && next === undefined) {
					runRows++
					p = row.end
					continue
				}
				const key = keys.read(bytes, row.start, row.end)
				let order = next === undefined ? 1 : compare(next.key, key)
				if (isUntouched && order > 0) {
					runRows++
					p = row.end
					continue
				}
				if (runRows > 0) out.add(bytes.subarray(run, p), runRows)
				for (; order < 0; order = next === undefined ? 1 : compare(next.key, key)) {
					await mergeNext(undefined)
					if (out.isFull) yield out.flush()!
				}
				if (order === 0) await mergeNext({ bytes, ...row })
				else out.add(merge({ bytes, ...row }, [])!, 1)
				if (out.isFull) yield out.flush()!
				run = p = row.end
				runRows = 0
			}
			if (runRows > 0) out.add(bytes.subarray(run), runRows)
			if (out.isFull) yield out.flush()!
		}
	}
	for (let left = next; left !== undefined; left = next) {
		await mergeNext(undefined)
		if (out.isFull) yield out.flush()!
	}
	const rest = out.flush()
	if (rest) yield rest
}

function columnsStand(columns: readonly MergedColumn[], schema: TableSchema): boolean {
	return columns.length === schema.columns.length && columns.every(({ baseAt }, index) => baseAt === index)
}

interface Lowest {
	readonly key: KeyBytes
	/** Positions of the cursors that stand at it, in the order of the links. */
	readonly cursors: readonly number[]
}

function lowest(cursors: readonly ChangeCursor[], compare: (a: KeyBytes, b: KeyBytes) => number): Lowest | undefined {
	let key: KeyBytes | undefined
	let at: number[] = []
	for (let index = 0; index < cursors.length; index++) {
		const { change } = cursors[index]!
		if (change === undefined) continue
		const order = key === undefined ? -1 : compare(change.key, key)
		if (order < 0) {
			key = change.key
			at = [index]
		} else if (order === 0) at.push(index)
	}
	return key && { key, cursors: at }
}

/** What the links say of one key: the layer (1 for the first link) and the change, oldest first. The cursors go on. */
type LayeredChange = readonly [layer: number, change: Change]

async function take(cursors: readonly ChangeCursor[], at: readonly number[]): Promise<LayeredChange[]> {
	const taken: LayeredChange[] = []
	for (const index of at) {
		const cursor = cursors[index]!
		taken.push([index + 1, cursor.change!])
		await cursor.next()
	}
	return taken
}

interface Row {
	readonly bytes: Uint8Array
	readonly start: number
	readonly end: number
}

function rowAt(bytes: Uint8Array, p: number): { readonly start: number; readonly end: number } {
	if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'something else than a row lies between rows')
	const length = readVarint(bytes, p + 1, bytes.length)
	return { start: varintEnd, end: varintEnd + length }
}

/** One row of the full backup (if it was there) and its changes → the frame of the row, or undefined when it is gone. */
function createMerge(
	path: string,
	columns: readonly MergedColumn[],
	baseColumns: number,
): (base: Row | undefined, changes: readonly LayeredChange[]) => Uint8Array | undefined {
	const indexOf = new Map(columns.map(({ name }, index) => [name, index]))
	const keyColumnsCount = columns.filter(({ keyAt }) => keyAt !== undefined).length

	return (base, changes) => {
		const cells: (Uint8Array | undefined)[] = columns.map(() => undefined)
		let exists = base !== undefined
		if (base !== undefined) {
			const places = cellsOf(base, baseColumns)
			for (const [index, { baseAt }] of columns.entries()) if (baseAt !== undefined) cells[index] = places[baseAt]!
		}
		let key: KeyBytes | undefined
		for (const [layer, change] of changes) {
			exists = change.op !== 'erase'
			if (change.op !== 'upsert') cells.fill(undefined)
			if (change.op === 'erase') continue
			key = change.key
			for (const { name, value } of change.columns) {
				const index = indexOf.get(name)
				if (index !== undefined && layer >= columns[index]!.since) cells[index] = lengthDelimited(TAG_ITEMS, value)
			}
		}
		if (!exists) return undefined
		if (key !== undefined) {
			const parts = cellsOf({ bytes: key, start: 0, end: key.length }, keyColumnsCount)
			for (const [index, { keyAt }] of columns.entries()) if (keyAt !== undefined) cells[index] = parts[keyAt]!
		}
		for (const [index, { name, mayBeNull }] of columns.entries()) {
			if (cells[index] !== undefined || mayBeNull) continue
			throw new BackupError('CHAIN_BROKEN', `${path}: a row has no value for ${name}, which must have one`, {
				reason: 'gap',
				advice: 'a change of this row is not in the chain; restore an earlier link, or take a full backup',
			})
		}
		return lengthDelimited(TAG_ITEMS, concatBytes(cells.map((cell) => cell ?? NULL_CELL)))
	}
}

/** The cells of a row or key, tag and length with each. */
function cellsOf({ bytes, start, end }: Row, expected: number): Uint8Array[] {
	const cells: Uint8Array[] = []
	for (let p = start; p < end;) {
		if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'a row holds something else than cells')
		const length = readVarint(bytes, p + 1, end)
		const next = varintEnd + length
		cells.push(bytes.subarray(p, next))
		p = next
	}
	if (cells.length !== expected) {
		throw new BackupError('FORMAT_INVALID', `a row has ${cells.length} cells where ${expected} were expected`)
	}
	return cells
}

interface Output {
	/** Whether there is enough for a chunk. */
	readonly isFull: boolean
	/** Frames of rows. They are copied when they are flushed. */
	add(frames: Uint8Array, rows: number): void
	flush(): RowChunk | undefined
}

function createOutput(schema: TableSchema): Output {
	const keys = createKeyReader(schema)
	let pieces: Uint8Array[] = []
	let rows = 0
	let bytes = 0
	return {
		get isFull() {
			return bytes >= CHUNK_BYTES
		},
		add(frames, count) {
			pieces.push(frames)
			rows += count
			bytes += frames.length
		},
		flush() {
			if (rows === 0) return undefined
			const chunk = chunkFromFrames(concatBytes(pieces), rows, keys)
			pieces = []
			rows = 0
			bytes = 0
			return chunk
		},
	}
}
