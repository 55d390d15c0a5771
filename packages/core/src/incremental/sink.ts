import type { TableSchema } from '../model/table-schema.ts'
import type { CallOptions } from '../storage/storage.ts'
import type { Change } from './change.ts'

/**
 * Where increments go: tables that hold the state of the link before.
 *
 * Demands: links are applied in chain order, each table's batches in key order. Applying the same batch twice leaves the same rows.
 */
export interface ChangeSink {
	/** Brings a table's columns to those of the link, before its changes are applied. Errors: `CHAIN_BROKEN` (`schema-changed`). */
	adaptTable(path: string, schema: TableSchema, options?: CallOptions): Promise<void>
	/** Applies one batch by statements of each operation's own meaning. Resolves when it is durable. */
	apply(path: string, schema: TableSchema, changes: readonly Change[], options?: CallOptions): Promise<void>
}
