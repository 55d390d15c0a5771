import type { YdbType } from './ydb-type.ts'

export interface Column {
	readonly name: string
	/** Optional for a column that may hold NULL. */
	readonly type: YdbType
}

/** What is needed to read the bytes of a table's rows. */
export interface TableSchema {
	/** In the order of the table's `scheme.pb`, which is also the order of values in a row and of cells in a CSV line. */
	readonly columns: readonly Column[]
	/** Names of the key columns, in key order. */
	readonly primaryKey: readonly string[]
}

/**
 * A key, or the beginning of one: for each key column in key order the bytes of one `items` entry of a `Ydb.Value`
 * (tag 0x62, length, the column's `Ydb.Value`), one after the other. Put behind a tuple type it is a bound of a ReadTable request.
 */
export type KeyBytes = Uint8Array

export interface KeyBound {
	readonly key: KeyBytes
	readonly inclusive: boolean
}

/** A range of keys in YDB's key order; a missing bound is open. A bound with fewer columns than the key stands before every key that it begins. */
export interface KeyRange {
	readonly from?: KeyBound | undefined
	readonly to?: KeyBound | undefined
}
