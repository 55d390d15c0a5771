import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ExportToS3Settings_StorageClass as StorageClass } from '@ydbjs/api/export'
import { CopyTablesRequestSchema, TableServiceDefinition as TableService } from '@ydbjs/api/table'
import { type TypedValue, TypedValueSchema } from '@ydbjs/api/value'
import type { Table } from '../scheme/table.ts'
import { INDEX_TABLE, type Node, type SchemeTree } from '../scheme/tree.ts'
import { cutAt } from '../services/partitions.ts'
import { algorithmNamed, combinedIv, FILE } from './encryption.ts'
import { levelOf, objectPath, takesIndexData } from './export-items.ts'
import { writeData, writeText, type Writing } from './export-files.ts'
import { type IvOf, linesOf, writeObject, writeTable } from './export-objects.ts'
import {
	dataName,
	MAPPING_FILE,
	MAPPING_KIND,
	MAPPING_METADATA,
	mappingText,
	normalExportPrefix,
	ROOT_FILE,
	ROOT_KIND,
} from './layout.ts'
import { exportSettings, type Item, type Running } from './operation.ts'
import { type Around, clientOf, inParallel, pause } from './work.ts'

export const exportDirectory = ({ database }: SchemeTree, { id }: Running): string => `${database}/export-${id}`

function storageClassOf(storageClass: StorageClass): string | undefined {
	return storageClass === StorageClass.STORAGE_CLASS_UNSPECIFIED ? undefined : StorageClass[storageClass]
}

const isRowTable = ({ table }: Node): boolean => table !== undefined && !table.isColumnTable

/** Writes an export, from its first file to its last. Throws what stopped it. */
export async function runExport(around: Around, running: Running): Promise<void> {
	const { tree, faults, signal, changes } = around
	const settings = exportSettings(running)
	const { encryptionSettings } = settings
	const client = clientOf(settings, around)
	const key = encryptionSettings?.Key.value?.key
	const writing: Writing = {
		client,
		persistence: { retries: settings.numberOfRetries, minuteMs: () => faults.storeRetryMinuteMs, signal },
		storageClass: storageClassOf(settings.storageClass),
		hasChecksums: !faults.withoutChecksums,
		level: levelOf(settings.compression),
		encryption: key && { algorithm: algorithmNamed(encryptionSettings!.encryptionAlgorithm), key },
		partBytes: faults.exportPartBytes,
		onPart: () => pause(faults.slowPartMs, signal),
	}
	try {
		const directory = exportDirectory(tree, running)
		if (!tree.find(directory)) changes.directory(directory)
		await pause(faults.operationDelayMs, signal)
		if (settings.destinationPrefix !== '') await writeRoot(around, running, writing)
		copyAll(around, running, directory)
		await pause(faults.operationDelayMs, signal)
		changes.state('transferring')
		const work = running.items.flatMap((item, at) =>
			item.state === 'done' ? [] : itemWork(around, running, writing, item, at, directory),
		)
		await inParallel(work, around)
	} finally {
		client.close()
	}
}

/** The common files of an export with one prefix: written before anything else. Source: the order of states in schemeshard_export__create.cpp. */
async function writeRoot({ tree }: Around, running: Running, writing: Writing): Promise<void> {
	const settings = exportSettings(running)
	const prefix = normalExportPrefix(settings.destinationPrefix)
	const { hasChecksums, encryption } = writing
	const root = JSON.stringify({
		kind: ROOT_KIND,
		...(settings.compression !== '' && { compression: settings.compression }),
		...(encryption && { encryption: encryption.algorithm }),
		...(hasChecksums && { checksum: 'sha256' }),
	})
	await writeText(writing, `${prefix}/${ROOT_FILE}`, root, 'scheme', undefined)
	const iv = running.iv === undefined ? undefined : Buffer.from(running.iv, 'base64')
	const kind = JSON.stringify({ kind: MAPPING_KIND })
	await writeText(writing, `${prefix}/${MAPPING_METADATA}`, kind, 'scheme', iv)
	const mapping = mappingText(
		running.items
			.filter(({ parent }) => parent === undefined)
			.map((item) => ({
				path: objectPath(tree, settings, item.path),
				prefix: item.prefix.slice(prefix.length + 1),
				iv: item.iv === undefined ? undefined : Buffer.from(item.iv, 'hex'),
			})),
	)
	await writeText(writing, `${prefix}/${MAPPING_FILE}`, mapping, 'scheme', iv && combinedIv(iv, FILE.mapping))
}

/** All row tables at one moment, into the directory of the export, each under the number of its item. */
function copyAll({ tree, changes, now }: Around, running: Running, directory: string): void {
	const omitIndexes = !takesIndexData(exportSettings(running))
	const sources = running.items.flatMap(({ path, parent }, at) => {
		const node = parent === undefined ? tree.find(path) : undefined
		return node && isRowTable(node) ? [{ at, path, table: node.table! }] : []
	})
	if (!running.copied && sources.length > 0) {
		const tables = sources.map(({ at, path }) => ({
			sourcePath: path,
			destinationPath: `${directory}/${at}`,
			omitIndexes,
		}))
		const bytes = (point: TypedValue): string => Buffer.from(toBinary(TypedValueSchema, point)).toString('base64')
		const splits = Object.fromEntries(sources.map(({ at, table }) => [at, table.splitPoints.map(bytes)]))
		changes.scheme(
			TableService.copyTables.path,
			toBinary(CopyTablesRequestSchema, create(CopyTablesRequestSchema, { tables })),
		)
		changes.copied({ snapshot: [now(), running.id], splits })
	}
	// After a restart they are cut otherwise: files that are written must stay right.
	for (const [at, points] of Object.entries(running.copied?.splits ?? {})) {
		const table = tree.find(`${directory}/${at}`)?.table
		if (table)
			cutAt(
				table,
				points.map((point) => fromBinary(TypedValueSchema, Buffer.from(point, 'base64'))),
			)
	}
}

/** The table that is exported: the copy, the table of an index of the copy, or a column table itself. */
function exportedTable(
	{ tree }: Around,
	running: Running,
	item: Item,
	at: number,
	directory: string,
): Table | undefined {
	if (item.parent !== undefined) {
		const [index = ''] = item.path.split('/').slice(-2)
		return tree.find(`${directory}/${item.parent}/${index}/${INDEX_TABLE}`)?.table
	}
	return tree.find(`${directory}/${at}`)?.table ?? tree.find(item.path)?.table
}

function itemWork(
	around: Around,
	running: Running,
	writing: Writing,
	item: Item,
	at: number,
	directory: string,
): (() => Promise<void>)[] {
	const { tree, faults, changes } = around
	const node = tree.find(item.path)
	const table = exportedTable(around, running, item, at, directory)
	const iv = item.iv === undefined ? undefined : Buffer.from(item.iv, 'hex')
	const ivOf: IvOf = (kind, shard = 0) => iv && combinedIv(iv, kind, 0, shard)
	if (!table) {
		if (!node) throw new Error(`Cannot find ${item.path}`)
		return [
			async () => {
				await writeObject(around, writing, item, node, ivOf)
				changes.item(at, { state: 'done' })
			},
		]
	}
	const shards = table.splits.length + 1
	changes.item(at, { state: 'transferring', partsTotal: shards, partsDone: 0, startedAt: around.now() })
	const done = (): void => {
		const partsDone = item.partsDone + 1
		changes.item(at, { partsDone, ...(partsDone === shards && { state: 'done', endedAt: around.now() }) })
	}
	return Array.from({ length: shards }, (_, shard) => async () => {
		try {
			if (shard === 0) await writeTable(around, running, writing, item, table, ivOf)
			const name = `${item.prefix}/${dataName(shard)}`
			await writeData(writing, name, () => linesOf(table, shard, faults), ivOf(FILE.data, shard))
			done()
		} catch (error) {
			if (!around.signal.aborted)
				changes.item(at, { state: 'cancelled', issue: `shard: ${SHARD + shard}, error: ${textOf(error)}` })
			throw error
		}
	})
}

/** Numbers of tablets look like this one. */
const SHARD = 72_075_186_224_037_888

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
