import { type RowChunk, type Storage, type TableSchema, throwIfInterrupted } from '@ydbackup/core'
import { type Compression, createCsvEncoder, dumpLayout, printProtoText } from '@ydbackup/format'

import type { ChainTable } from '../chain/open-chain.ts'
import { readChainTable } from '../chain/read-chain-table.ts'
import type { Meter } from '../events/meter.ts'
import { openPermissions, openScheme } from '../part/contents.ts'
import { partsOf } from '../part/parts.ts'
import { readPart } from '../part/read-part.ts'
import { dumpScheme } from './dump-plan.ts'
import type { DumpTarget, ExportedTable } from './export-options.ts'
import { rollOver } from './roll-over.ts'
import { writeDumpParts } from './write-dump-object.ts'

export interface WriteTableOptions {
	readonly storage: Storage
	readonly compression: Compression
	readonly target: DumpTarget
	readonly withChangefeeds: boolean
	readonly preservePoolKinds: boolean
	readonly fileBytes: number
	readonly meter: Meter
	readonly signal: AbortSignal
}

/** Writes a table's folder. It has its `incomplete` until all of it is durable. */
export async function writeDumpTable(table: ChainTable, options: WriteTableOptions): Promise<ExportedTable> {
	const { target, signal } = options
	const { stored } = table
	const { path } = stored
	const { scheme, schema } = openScheme(stored)
	const text = (tree: Parameters<typeof printProtoText>[0]): Uint8Array[] => [Buffer.from(printProtoText(tree))]
	await target.makeDirectory(path)
	await target.writeFile(`${path}/${dumpLayout.INCOMPLETE}`, [])
	await target.writeFile(`${path}/${dumpLayout.SCHEME}`, text(dumpScheme(scheme, options.preservePoolKinds).scheme))
	if (stored.permissionsKey !== undefined) {
		await target.writeFile(`${path}/${dumpLayout.PERMISSIONS}`, text(openPermissions(stored)))
	}
	if (options.withChangefeeds) await writeDumpParts(path, stored.changefeeds, target)
	let files = 0
	let bytes = 0
	async function* counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
		for await (const piece of pieces) {
			throwIfInterrupted(signal, `writing ${path}`)
			bytes += piece.length
			yield piece
			options.meter.touch()
		}
	}
	for await (const pieces of rollOver(csvOf(rowsOf(table, options), schema), options.fileBytes)) {
		await target.writeFile(`${path}/${dumpLayout.dumpDataName(files++)}`, counted(pieces), { signal })
	}
	await target.removeFile(`${path}/${dumpLayout.INCOMPLETE}`)
	options.meter.tableDone()
	return { path, rows: stored.rows, bytes, files }
}

/** All rows in key order. They are known to be those of the backup only at the end, before the folder loses its `incomplete`. */
async function* rowsOf(table: ChainTable, options: WriteTableOptions): AsyncGenerator<RowChunk, void, undefined> {
	const { storage, compression, meter, signal } = options
	if (table.links.length > 0) return yield* readChainTable({ storage, table, meter, signal })
	for (const { file, range, scheme } of partsOf([table.stored])) {
		const { schema } = scheme
		yield* readPart({
			storage,
			file,
			schema,
			range,
			compression,
			unseal: table.stored.unseal,
			meter: meter.openPart(),
			signal,
		})
	}
}

async function* csvOf(rows: AsyncIterable<RowChunk>, schema: TableSchema): AsyncGenerator<Uint8Array, void, undefined> {
	const encoder = createCsvEncoder(schema)
	for await (const chunk of rows) yield* encoder.push(chunk)
	const rest = encoder.end()
	if (rest !== undefined) yield rest
}
