import { create, toBinary } from '@bufbuild/protobuf'
import {
	type CreateTableRequest,
	CreateTableRequestSchema,
	type TableIndex,
	TableIndexSchema,
	TableServiceDefinition as TableService,
} from '@ydbjs/api/table'
import { Table } from '../scheme/table.ts'
import { INDEX_TABLE } from '../scheme/tree.ts'
import { lastOfEachKey } from '../services/bulk-upsert.ts'
import { OBJECT } from '../services/objects.ts'
import { rangeOf } from '../services/partitions.ts'
import { entriesOfLines, shown } from './csv-entries.ts'
import { FILE } from './encryption.ts'
import { importFeed } from './import-feed.ts'
import { ImportError, parse, readLines, readText, type Reading } from './import-files.ts'
import type { IndexPopulation } from './import-items.ts'
import { dataName } from './layout.ts'
import type { Described } from './described.ts'
import { type Around, pause } from './work.ts'

/** A table with its rows, then its indexes, then its changefeeds. */
export async function importTable(
	around: Around,
	reading: Reading,
	described: Described,
	population: IndexPopulation,
): Promise<void> {
	const { tree, faults, changes, signal } = around
	const { item, at, metadata, text } = described
	const request = parse(CreateTableRequestSchema, text, 'scheme')
	const { indexes } = request
	if (item.state === 'preparing') {
		createTable(around, request, item.path)
		changes.item(at, {
			state: 'transferring',
			startedAt: around.now(),
			partsTotal: tree.table(item.path).splits.length + 1,
		})
	}
	await pause(faults.operationDelayMs, signal)
	const table = tree.table(item.path)
	if (item.state === 'transferring') {
		// The partitions of the files, whatever became of those of the table.
		const layout = new Table(bare(request), table.createdAt)
		changes.item(at, { partsDone: 0 })
		for (let shard = 0; shard <= layout.splits.length; shard++) {
			const file = { iv: described.ivOf(FILE.data, shard), isChecked: described.isChecked }
			await importShard(around, reading, item.prefix, file, { table: layout, path: item.path, shard })
			changes.item(at, { partsDone: shard + 1 })
		}
		changes.item(at, { state: 'indexing' })
	}
	if (item.state === 'indexing') {
		for (const index of indexes) {
			if (table.spec.indexes.some(({ name }) => name === index.name)) continue
			await pause(faults.operationDelayMs, signal)
			const partsTotal = item.partsTotal + table.splits.length + 1
			changes.item(at, { partsTotal })
			await readIndex(around, reading, described, index, table, population)
			changes.scheme(OBJECT.index, indexRequest(item.path, index))
			changes.item(at, { partsDone: partsTotal })
		}
		changes.item(at, { state: 'feeding' })
	}
	if (item.state === 'feeding')
		for (const [feed, { prefix, name }] of (metadata.changefeeds ?? []).entries()) {
			if (table.changefeeds.has(name)) continue
			await pause(faults.operationDelayMs, signal)
			await importFeed(around, reading, described, prefix, feed)
		}
}

const indexRequest = (path: string, index: TableIndex): Buffer =>
	Buffer.from(JSON.stringify({ path, index: Buffer.from(toBinary(TableIndexSchema, index)).toString('base64') }))

/** Without indexes, which are built from the rows; everything else is there at once, the TTL too. */
function createTable({ changes }: Around, request: CreateTableRequest, path: string): void {
	changes.scheme(TableService.createTable.path, toBinary(CreateTableRequestSchema, bare(request, path)))
}

const bare = (request: CreateTableRequest, path = ''): CreateTableRequest =>
	create(CreateTableRequestSchema, { ...request, path, indexes: [] })

/** Lines of one file into a table, or only read when there is no path. */
async function importShard(
	{ changes, signal }: Around,
	reading: Reading,
	prefix: string,
	{ iv, isChecked }: { readonly iv: Buffer | undefined; readonly isChecked: boolean },
	{ table, path, shard }: { readonly table: Table; readonly path: string | undefined; readonly shard: number },
): Promise<void> {
	const entryOf = entriesOfLines(table)
	const { from, to } = rangeOf(table, shard)
	for await (const lines of readLines(reading, `${prefix}/${dataName(shard)}`, iv, isChecked)) {
		signal.throwIfAborted()
		const entries = lines.map((line) => {
			const entry = entryOf(line)
			if ((from && entry.key.compare(from) < 0) || (to && entry.key.compare(to) >= 0))
				throw new ImportError(`Key is out of range on line: ${shown(line)}`)
			return entry
		})
		if (path !== undefined) changes.rows(path, lastOfEachKey(entries))
	}
}

/**
 * Reads the files of an index, when the import takes them. The index itself is made from the rows here, so that they are checked and not
 * believed. Source: HandleIndex of schemeshard_import_getters.cpp.
 */
async function readIndex(
	around: Around,
	reading: Reading,
	{ item, isChecked, metadata }: Described,
	index: TableIndex,
	table: Table,
	population: IndexPopulation,
): Promise<void> {
	if (population === 'build') return
	if (reading.key && !metadata.indexes) throw new ImportError('No indexes described in table metadata')
	const below = `${index.name}/${INDEX_TABLE}`
	const told = metadata.indexes?.find(({ implTablePrefix }) => implTablePrefix === below)
	const prefix = `${item.prefix}/${told?.exportPrefix ?? below}`
	const scheme = await readText(reading, `${prefix}/scheme.pb`, { isChecked })
	if (!scheme) {
		if (population === 'auto') return
		throw new ImportError(`S3 error: cannot find ${prefix}/scheme.pb`)
	}
	const spec = parse(CreateTableRequestSchema, scheme.text, 'scheme')
	const made = new Table(spec, table.createdAt)
	for (let shard = 0; shard <= made.splits.length; shard++)
		await importShard(around, reading, prefix, { iv: undefined, isChecked }, { table: made, path: undefined, shard })
}
