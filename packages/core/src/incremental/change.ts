import type { KeyBytes, TableSchema } from '../model/table-schema.ts'

/**
 * A place in a stream of changes: opaque to everybody but the source that gave it, stored in the manifest of the backup that ends
 * there. `source` is the spelling that chose the source (`collection:NAME`, `diff`): a position is never handed to another source.
 */
export interface Position {
	readonly source: string
	/** At most 64 KiB of text. */
	readonly token: string
}

/**
 * One change of one row. The three operations have meanings of their own and are applied by statements of the same meaning:
 * - `upsert`: the named columns have these values; the others stay as they are, or are NULL when the row is new.
 * - `replace`: the row has exactly these values; columns that are not named are NULL.
 * - `erase`: the row is gone. It may be the erasure of a row that never was.
 */
export type Change =
	| {
			readonly op: 'upsert' | 'replace'
			readonly key: KeyBytes
			/** Columns that are not of the key, by their names at this link, never by position. */
			readonly columns: readonly ChangedColumn[]
	  }
	| { readonly op: 'erase'; readonly key: KeyBytes }

export interface ChangedColumn {
	readonly name: string
	/** The bytes of a `Ydb.Value`; NULL is its own value. */
	readonly value: Uint8Array
}

/** The changes of one table within one link: its schema at the end of the link, and its changes with keys rising strictly. */
export interface TableChanges {
	/** Relative to the database. */
	readonly path: string
	readonly schema: TableSchema
	/** The last state of each key that changed: one change per key, in YDB's key order. */
	readonly changes: AsyncIterable<readonly Change[]>
	/**
	 * Set when the source cannot tell whether some value is right (a value marked unchanged where the row's past is not known).
	 * A link with a suspect table is never complete; the next backup must be a full one.
	 */
	readonly suspect?: string | undefined
}

/** Why a chain cannot be continued: the `reason` of an error with code `CHAIN_BROKEN`. */
export type ChainBreak =
	/** The stream is gone or was cut off by its retention. */
	| 'stream-lost'
	/** A schema change that the source does not carry. */
	| 'schema-changed'
	/** A link between the position and now is missing. */
	| 'gap'
	/** The parent is not on storage, or not whole. */
	| 'parent-damaged'
	/** What was read is ambiguous; guessing could lose data. */
	| 'ambiguous'
	/** Tables joined or left. */
	| 'members-changed'
