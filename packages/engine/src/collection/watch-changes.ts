import type { KeyRange, RowChunk, TableSchema } from '@ydbackup/core'
import { changes as changeFormat } from '@ydbackup/format'

/** Looks at the changes of one table while they pass. */
export interface ChangeWatch {
	/** Passes the rows of one part on. May be called again for the same part: the last whole reading counts. */
	watch(range: KeyRange, chunks: AsyncIterable<RowChunk>): AsyncGenerator<RowChunk, void, undefined>
	/** Ids of the columns; undefined when no change named any. Errors: `CHAIN_BROKEN` (`ambiguous`). */
	columns(): changeFormat.ColumnMap | undefined
	/** Values that stand in cells whose change says that they did not change. */
	suspects(): number
}

/** Errors while rows pass: `CHAIN_BROKEN` (`ambiguous`), `FORMAT_INVALID`; at once: `UNSUPPORTED` for tables of older servers. */
export function watchChanges(path: string, schema: TableSchema): ChangeWatch {
	// Without a map it reads the metadata alone; made here to refuse a table that is none before its rows are read.
	const plain = changeFormat.createChangeReader(path, schema, undefined)
	const mapper = changeFormat.createColumnMapper(path, changeFormat.valueColumns(schema))
	const suspects = new Map<KeyRange, number>()
	let map: changeFormat.ColumnMap | undefined

	return {
		async *watch(range, chunks) {
			let reader: changeFormat.ChangeReader | undefined
			for await (const chunk of chunks) {
				for (const metadata of plain.metadata(chunk)) mapper.add(metadata)
				map ??= mapper.finish()
				// The first change that names columns names them all, so nothing before it is missed.
				if (map !== undefined) (reader ??= changeFormat.createChangeReader(path, schema, map)).read(chunk)
				yield chunk
			}
			suspects.set(range, reader?.suspects ?? 0)
		},
		columns: () => mapper.finish(),
		suspects: () => [...suspects.values()].reduce((sum, some) => sum + some, 0),
	}
}
