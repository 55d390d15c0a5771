import { type KeyBytes, type RowChunk, type TableSchema } from '@ydbackup/core'
import { createKeyComparator, createRowKeyComparator, keyTypes, releaseBytes } from '@ydbackup/rows'
import type { Balance } from './balance.ts'
import { ChangeCursor, type ChangeRows } from './change-cursor.ts'
import { ChunkRows } from './chunk-rows.ts'
import { type OrderedRows, outOfOrder } from './diff-rows.ts'
import { Layers } from './layers.ts'
import { type MergedColumn, mergedColumns } from './merge-columns.ts'
import { RowMerge } from './row-merge.ts'
import { RowOutput } from './row-output.ts'

/** The changes of one table in one link, and the table's columns at its end. */
export interface LinkOfTable {
	readonly schema: TableSchema
	readonly changes: ChangeRows
}

/**
 * The rows of a table as they were at the end of a chain's link, in key order: the full backup's, with the changes of every link laid over
 * them, read once side by side. `full` is undefined for a table that joined the chain later. Columns are those of `wanted`.
 *
 * Memory: one chunk of the full backup and one of each link; chunks of the full backup are given up to it. Where the columns are those of the full backup, chunks that no change
 * falls into pass untouched, and in the others the rows between changes are copied as they lie. `balance` is told of all other rows. Errors: `ROWS_OUT_OF_ORDER`;
 * `CHAIN_BROKEN` (`gap`) when a row would lack a value that it must have, so that a change is missing somewhere.
 */
export async function* rowsAtLink(
	path: string,
	full: OrderedRows | undefined,
	links: readonly LinkOfTable[],
	wanted: TableSchema,
	balance?: Balance,
): AsyncGenerator<RowChunk> {
	const compare = createKeyComparator(keyTypes(wanted))
	const columns = mergedColumns([full?.schema, ...links.map(({ schema }) => schema)], wanted)
	const out = new RowOutput(wanted)
	const merge = new RowMerge(
		path,
		columns,
		full?.schema.columns.length ?? 0,
		links.map(({ changes }) => changes.reader.schema),
	)
	await using stack = new AsyncDisposableStack()
	const layers = new Layers(
		links.map(({ changes }, index) => stack.use(new ChangeCursor(path, index + 1, changes, compare))),
		compare,
	)
	await layers.load()
	/** What links say of their lowest key, laid over what was opened. */
	const mergeNext = (): RowChunk | undefined => {
		layers.take(({ layer, change }) => merge.lay(layer, change))
		return close()
	}
	const close = (): RowChunk | undefined => {
		const ready = merge.close(out)
		if (merge.exists) balance?.came(out.bytes, out.at, out.end)
		return ready
	}

	if (full !== undefined) {
		const passes = columnsStand(columns, full.schema)
		const rows = new ChunkRows(createRowKeyComparator(full.schema))
		let last: KeyBytes | undefined
		for await (const chunk of full.chunks) {
			if (last !== undefined && compare(last, chunk.firstKey) >= 0) throw outOfOrder(path)
			last = chunk.lastKey
			if (passes && (layers.key === undefined || compare(layers.key, chunk.lastKey) > 0)) {
				const ready = out.flush()
				if (ready) yield ready
				yield chunk
				continue
			}
			rows.open(chunk)
			const open = (at: number): void => {
				merge.open(chunk.bytes, rows.payloadOf(at), rows.frameOf(at + 1))
				balance?.went(chunk.bytes, rows.frameOf(at), rows.frameOf(at + 1))
			}
			for (let at = 0; at < rows.count;) {
				const key = layers.key
				const next = key === undefined ? rows.count : rows.seek(at, key)
				if (passes && next > at) {
					const ready = out.add(chunk.bytes, rows.frameOf(at), rows.frameOf(next), next - at, rows.frameOf(next - 1))
					if (ready) yield ready
					at = next
				}
				for (; at < next; at++) {
					open(at)
					const ready = close()
					if (ready) yield ready
				}
				if (at === rows.count) break
				if (rows.compare(at, key!) > 0) merge.open()
				else open(at++)
				const ready = mergeNext()
				if (ready) yield ready
				if (layers.isWaiting) await layers.load()
			}
			releaseBytes(chunk.bytes)
		}
	}
	while (layers.key !== undefined) {
		merge.open()
		const ready = mergeNext()
		if (ready) yield ready
		if (layers.isWaiting) await layers.load()
	}
	const rest = out.flush()
	if (rest) yield rest
}

function columnsStand(columns: readonly MergedColumn[], schema: TableSchema): boolean {
	return columns.length === schema.columns.length && columns.every(({ baseAt }, index) => baseAt === index)
}
