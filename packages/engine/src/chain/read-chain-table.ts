import { BackupError, type RowChunk, type Storage, type TableSchema } from '@ydbackup/core'
import { changes as changeFormat } from '@ydbackup/format'
import { RowHash } from '@ydbackup/rows'

import { Balance, type RowTotals } from '../changes/balance.ts'
import type { ChangeRows } from '../changes/change-cursor.ts'
import { sameColumns } from '../changes/diff-rows.ts'
import { rowsAtLink } from '../changes/rows-at-link.ts'
import type { Meter } from '../events/meter.ts'
import { openScheme, type StoredTable } from '../part/contents.ts'
import { partsOf } from '../part/parts.ts'
import { readPart, type ReadPartOptions } from '../part/read-part.ts'
import type { ChainTable, Layer, LinkLayer } from './open-chain.ts'

export interface ReadChainTableOptions {
	readonly storage: Storage
	readonly table: ChainTable
	readonly meter: Pick<Meter, 'openPart'>
	readonly signal: AbortSignal | undefined
	/** Reads the files of all layers as `readPart` does with it: whoever reads compares the rows, and {@link onEnd} is not called. */
	readonly onlyStored?: boolean | undefined
	/** Called at the end with all that was given. */
	readonly onEnd?: ((found: { readonly rows: number; readonly rowHash: string }) => void) | undefined
}

/**
 * The rows of a table as they were at the last backup of its chain, in key order. It ends without an error only when every file of every
 * layer is as its manifest says and the rows are those that the last link counted and hashed, where it did; rows handed on before an
 * error must not be trusted. Errors: as `readPart`; `CHAIN_BROKEN` when the layers do not add up.
 */
export async function* readChainTable(options: ReadChainTableOptions): AsyncGenerator<RowChunk, void, undefined> {
	const { table, onlyStored, onEnd } = options
	const { path, rows, rowHash } = table.stored
	if (onlyStored === true) return yield* mergedRows(options, undefined)
	const { schema } = openScheme(table.stored)
	const hash = new RowHash(schema)
	const before = table.full && totalsOf(table.full.table, schema)
	const balance = before && new Balance(schema)
	for await (const chunk of mergedRows(options, balance)) {
		hash.add(chunk)
		yield chunk
	}
	const found = { rows: hash.rows, rowHash: hash.digest() }
	if (before !== undefined && !balance!.isEven(before, found)) {
		throw notThose(
			path,
			`the rows that were read of ${table.full!.manifest.id} are not those that it counted and hashed`,
		)
	}
	onEnd?.(found)
	if (rowHash === undefined || (found.rows === rows && found.rowHash === rowHash)) return
	const others = `${rows}${found.rows === rows ? ' others' : ''} were there when its last link was taken`
	throw notThose(path, `the chain gives ${found.rows} rows, and ${others}`)
}

/** With a balance, which proves its rows, of the full backup no more than the stored bytes is compared. */
function mergedRows(
	{ table, storage, meter, signal, onlyStored }: ReadChainTableOptions,
	balance: Balance | undefined,
): AsyncGenerator<RowChunk, void, undefined> {
	const partsOfLayer = (layer: Layer, how: Pick<ReadPartOptions, 'isOneOfMany' | 'onlyStored'>) =>
		readParts({ storage, meter, signal, compression: layer.manifest.compression, ...how }, layer.table)
	const { schema } = openScheme(table.stored)
	const full = table.full && {
		schema: openScheme(table.full.table).schema,
		chunks: partsOfLayer(table.full, { onlyStored: onlyStored === true || balance !== undefined }),
	}
	const links = table.links.map((link) => ({
		schema: link.schema,
		changes: changesOf(link, partsOfLayer(link, { isOneOfMany: true, onlyStored })),
	}))
	return rowsAtLink(table.stored.path, full, links, schema, balance)
}

/** All rows of the table as a backup counted and hashed them; undefined when it did not, or when they have other columns than `schema`. */
export function totalsOf(stored: StoredTable, schema: TableSchema): RowTotals | undefined {
	const { rows, rowHash } = stored
	return rowHash !== undefined && sameColumns(openScheme(stored).schema, schema) ? { rows, rowHash } : undefined
}

function notThose(path: string, what: string): BackupError {
	return new BackupError('CHAIN_BROKEN', `${path}: ${what}`, {
		reason: 'gap',
		advice: 'use another link, and report this: each of the files is whole',
	})
}

type PartContext = Pick<ReadPartOptions, 'storage' | 'signal' | 'compression' | 'isOneOfMany' | 'onlyStored'> &
	Pick<ReadChainTableOptions, 'meter'>

/** A table's data files, one after the other. */
async function* readParts(
	{ meter, ...context }: PartContext,
	stored: Layer['table'],
): AsyncGenerator<RowChunk, void, undefined> {
	for (const { file, scheme, range } of partsOf([stored])) {
		const { schema } = scheme
		yield* readPart({ ...context, file, schema, range, unseal: stored.unseal, meter: meter.openPart() })
	}
}

function changesOf({ table, columns, manifest }: LinkLayer, chunks: AsyncIterable<RowChunk>): ChangeRows {
	const reader = changeFormat.createChangeReader(table.path, openScheme(table).schema, columns)
	async function* unsuspected(): AsyncGenerator<RowChunk, void, undefined> {
		yield* chunks
		if (reader.suspects === 0) return
		throw new BackupError(
			'CHAIN_BROKEN',
			`${table.path} of ${manifest.id}: ${reader.suspects} values are marked as unchanged and are there all the same`,
			{
				reason: 'ambiguous',
				advice: 'a change was lost inside the database; restore an earlier link, and take a full backup',
			},
		)
	}
	return { chunks: unsuspected(), reader }
}
