import type { KeyBytes } from './table-schema.ts'

/**
 * The one unit in which rows travel, from the database to storage and back. Never mutated after it was handed on: it is its taker's, who may give its memory back.
 *
 * `bytes` holds whole rows side by side, each as one `items` entry of a `Ydb.Value` list: tag 0x62, varint length, a `Ydb.Value`
 * whose `items` (tag 0x62 each) are the cells in the order of {@link TableSchema.columns}. A row of a ReadTable or query
 * result has the same bytes under another tag (0x12); a list of a BulkUpsert request has these.
 */
export interface RowChunk {
	readonly bytes: Uint8Array
	/** Rows in `bytes`; at least 1. */
	readonly rows: number
	readonly firstKey: KeyBytes
	readonly lastKey: KeyBytes
}
