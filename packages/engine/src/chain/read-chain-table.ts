import { BackupError, type RowChunk, type Storage } from '@ydbackup/core'
import { changes as changeFormat } from '@ydbackup/format'
import { RowHash } from '@ydbackup/rows'

import type { ChangeRows } from '../changes/change-cursor.ts'
import { rowsAtLink } from '../changes/rows-at-link.ts'
import type { Meter } from '../events/meter.ts'
import { openScheme } from '../part/contents.ts'
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
	const { table, storage, meter, signal, onlyStored, onEnd } = options
	const { schema } = openScheme(table.stored)
	const hash = new RowHash(schema)
	const rowsOf = ({ table: stored, manifest }: Layer, how: Partial<PartContext> = {}): AsyncGenerator<RowChunk> =>
		readParts({ storage, meter, signal, onlyStored, compression: manifest.compression, ...how }, stored)
	if (table.full !== undefined && table.links.length === 0) {
		// They pass as they are, and are hashed while they are read.
		yield* rowsOf(table.full, { onRead: (found) => hash.addDigest(found.rowHash, found.rows) })
	} else {
		const full = table.full && { schema: openScheme(table.full.table).schema, chunks: rowsOf(table.full) }
		const links = table.links.map((link) => ({
			schema: link.schema,
			changes: changesOf(link, rowsOf(link, { isOneOfMany: true })),
		}))
		for await (const chunk of rowsAtLink(table.stored.path, full, links, schema)) {
			if (onlyStored !== true) hash.add(chunk)
			yield chunk
		}
	}
	if (onlyStored === true) return
	const { path, rows, rowHash } = table.stored
	const found = { rows: hash.rows, rowHash: hash.digest() }
	onEnd?.(found)
	if (rowHash === undefined || (found.rows === rows && found.rowHash === rowHash)) return
	throw new BackupError(
		'CHAIN_BROKEN',
		`${path}: the chain gives ${hash.rows} rows, and ${rows}${hash.rows === rows ? ' others' : ''} were there when its last link was taken`,
		{ reason: 'gap', advice: 'use another link, and report this: each of the files is whole' },
	)
}

type PartContext = Pick<
	ReadPartOptions,
	'storage' | 'signal' | 'compression' | 'isOneOfMany' | 'onlyStored' | 'onRead'
> &
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
