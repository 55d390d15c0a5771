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

	/** Rows that only links know, with keys below `limit`. */
	async function* newRows(limit: KeyBytes | undefined): AsyncGenerator<RowChunk> {
		for (;;) {
			const key = lowestKey(cursors, compare)
			if (key === undefined || (limit !== undefined && compare(key, limit) >= 0)) return
			const row = merge(undefined, await take(cursors, key, compare))
			if (row !== undefined && out.add(row)) yield out.flush()!
		}
	}

	if (full !== undefined) {
		const keys = createKeyReader(full.schema)
		let last: KeyBytes | undefined
		for await (const chunk of full.chunks) {
			if (last !== undefined && compare(last, chunk.firstKey) >= 0) {
				throw new BackupError('ROWS_OUT_OF_ORDER', `${path}: rows do not come in the order of their keys`)
			}
			last = chunk.lastKey
			yield* newRows(chunk.firstKey)
			const next = lowestKey(cursors, compare)
			if (isUntouched && (next === undefined || compare(next, chunk.lastKey) > 0)) {
				const ready = out.flush()
				if (ready) yield ready
				yield chunk
				continue
			}
			for (const row of rowsOf(chunk)) {
				const key = keys.read(chunk.bytes, row.start, row.end)
				yield* newRows(key)
				const merged = merge({ bytes: chunk.bytes, ...row }, await take(cursors, key, compare))
				if (merged !== undefined && out.add(merged)) yield out.flush()!
			}
		}
	}
	yield* newRows(undefined)
	const rest = out.flush()
	if (rest) yield rest
}

function columnsStand(columns: readonly MergedColumn[], schema: TableSchema): boolean {
	return columns.length === schema.columns.length && columns.every(({ baseAt }, index) => baseAt === index)
}

function lowestKey(
	cursors: readonly ChangeCursor[],
	compare: (a: KeyBytes, b: KeyBytes) => number,
): KeyBytes | undefined {
	let lowest: KeyBytes | undefined
	for (const { change } of cursors) {
		if (change !== undefined && (lowest === undefined || compare(change.key, lowest) < 0)) lowest = change.key
	}
	return lowest
}

/** What the links say of one key: the layer (1 for the first link) and the change, oldest first. The cursors go on. */
type LayeredChange = readonly [layer: number, change: Change]

async function take(
	cursors: readonly ChangeCursor[],
	key: KeyBytes,
	compare: (a: KeyBytes, b: KeyBytes) => number,
): Promise<LayeredChange[]> {
	const taken: LayeredChange[] = []
	for (const [index, cursor] of cursors.entries()) {
		const { change } = cursor
		if (change === undefined || compare(change.key, key) !== 0) continue
		taken.push([index + 1, change])
		await cursor.next()
	}
	return taken
}

interface Row {
	readonly bytes: Uint8Array
	readonly start: number
	readonly end: number
}

function* rowsOf({ bytes }: RowChunk): Generator<{ start: number; end: number }> {
	for (let p = 0; p < bytes.length;) {
		if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'something else than a row lies between rows')
		const length = readVarint(bytes, p + 1, bytes.length)
		const start = varintEnd
		p = start + length
		yield { start, end: p }
	}
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
	/** True when there is enough for a chunk. */
	add(frame: Uint8Array): boolean
	flush(): RowChunk | undefined
}

function createOutput(schema: TableSchema): Output {
	const keys = createKeyReader(schema)
	let frames: Uint8Array[] = []
	let bytes = 0
	return {
		add(frame) {
			frames.push(frame)
			bytes += frame.length
			return bytes >= CHUNK_BYTES
		},
		flush() {
			if (frames.length === 0) return undefined
			const chunk = chunkFromFrames(concatBytes(frames), frames.length, keys)
			frames = []
			bytes = 0
			return chunk
		},
	}
}
