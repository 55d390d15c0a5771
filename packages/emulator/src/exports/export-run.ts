import { create, toBinary } from '@bufbuild/protobuf'
import { ExportToS3Settings_StorageClass as StorageClass } from '@ydbjs/api/export'
import { ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import {
	ChangefeedDescriptionSchema,
	CopyTablesRequestSchema,
	CreateTableRequestSchema,
	TableServiceDefinition as TableService,
} from '@ydbjs/api/table'
import { CreateTopicRequestSchema, DescribeTopicResultSchema } from '@ydbjs/api/topic'
import type { Faults } from '../faults.ts'
import type { Table } from '../scheme/table.ts'
import { INDEX_TABLE, type Node, type SchemeTree } from '../scheme/tree.ts'
import { feedOf } from '../services/describe-table.ts'
import { rangeOf } from '../services/partitions.ts'
import { CsvWriter } from './csv.ts'
import { definitionText, exportedColumns, feedTopicOf, permissionsOf, schemeOf, viewText } from './descriptions.ts'
import { algorithmNamed, combinedIv, FILE } from './encryption.ts'
import { levelOf, objectPath } from './export-items.ts'
import { type Checksummed, writeData, writeText, type Writing } from './export-files.ts'
import {
	anonymous,
	dataName,
	type ItemMetadata,
	MAPPING_FILE,
	MAPPING_KIND,
	MAPPING_METADATA,
	mappingText,
	metadataText,
	normalExportPrefix,
	ROOT_FILE,
	ROOT_KIND,
	SCHEME_FILES,
} from './layout.ts'
import { exportSettings, type Item, type Running } from './operation.ts'
import { printText } from './text-proto.ts'
import { type Around, clientOf, inParallel, pause } from './work.ts'

/** Bytes of CSV that are turned into output at once. */
const PIECE_BYTES = 1 << 18

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
function copyAll({ tree, changes }: Around, running: Running, directory: string): void {
	const tables = running.items.flatMap((item, at) => {
		const destinationPath = `${directory}/${at}`
		const node = item.parent === undefined ? tree.find(item.path) : undefined
		if (!node || !isRowTable(node) || tree.find(destinationPath)) return []
		return [{ sourcePath: item.path, destinationPath, omitIndexes: false }]
	})
	if (tables.length === 0) return
	const request = toBinary(CopyTablesRequestSchema, create(CopyTablesRequestSchema, { tables }))
	changes.scheme(TableService.copyTables.path, request)
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
	const ivOf = (kind: number, shard = 0): Buffer | undefined => iv && combinedIv(iv, kind, 0, shard)
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
			if (shard === 0) await writeTable(around, running, writing, item, at, table, ivOf)
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

type IvOf = (kind: number, shard?: number) => Buffer | undefined

async function writeMetadata(
	writing: Writing,
	prefix: string,
	metadata: ItemMetadata,
	node: Node | undefined,
	by: Checksummed,
	ivOf: IvOf,
): Promise<void> {
	await writeText(writing, `${prefix}/metadata.json`, metadataText(metadata), by, ivOf(FILE.metadata))
	if (!node || !metadata.hasPermissions) return
	const permissions = printText(ModifyPermissionsRequestSchema, permissionsOf(node))
	await writeText(writing, `${prefix}/permissions.pb`, permissions, by, ivOf(FILE.permissions))
}

/** What the first shard of a table writes before its rows. Source: TS3Export::CreateUploader. */
async function writeTable(
	{ tree, faults }: Around,
	running: Running,
	writing: Writing,
	item: Item,
	at: number,
	table: Table,
	ivOf: IvOf,
): Promise<void> {
	const { prefix } = item
	const node = item.parent === undefined ? tree.find(item.path) : undefined
	const source = node?.table
	const indexes = source?.spec.indexes ?? []
	const feeds = [...(source?.changefeeds.values() ?? [])]
	const isAnonymous = item.iv !== undefined
	const feedPrefix = (feed: number): string => (isAnonymous ? anonymous(feed + 1) : feeds[feed]!.changefeed.name)
	const metadata: ItemMetadata = {
		version: writing.hasChecksums ? 1 : 0,
		snapshot: [table.createdAt, running.id],
		hasPermissions: !faults.withoutPermissions && node !== undefined,
		changefeeds: feeds.map(({ changefeed: { name } }, feed) => ({ prefix: feedPrefix(feed), name })),
		indexes: indexes.map(({ name }, index) => ({
			exportPrefix: isAnonymous ? anonymous(feeds.length + index + 1) : `${name}/${INDEX_TABLE}`,
			implTablePrefix: `${name}/${INDEX_TABLE}`,
		})),
	}
	await writeMetadata(writing, prefix, metadata, node, 'table', ivOf)
	const scheme = printText(CreateTableRequestSchema, schemeOf(table, indexes))
	await writeText(writing, `${prefix}/scheme.pb`, scheme, 'table', ivOf(FILE.scheme))
	for (const [feed, each] of feeds.entries()) {
		const below = `${prefix}/${feedPrefix(feed)}`
		const description = printText(ChangefeedDescriptionSchema, feedOf(each))
		await writeText(writing, `${below}/changefeed_description.pb`, description, 'table', ivOf(FILE.changefeed, feed))
		const topic = printText(DescribeTopicResultSchema, feedTopicOf(each.topic))
		await writeText(writing, `${below}/topic_description.pb`, topic, 'table', ivOf(FILE.changefeedTopic, feed))
	}
}

async function writeObject(
	{ tree, faults }: Around,
	writing: Writing,
	item: Item,
	node: Node,
	ivOf: IvOf,
): Promise<void> {
	const { prefix } = item
	const hasPermissions = !faults.withoutPermissions
	const metadata: ItemMetadata = { version: writing.hasChecksums ? 1 : 0, hasPermissions }
	await writeMetadata(writing, prefix, metadata, node, 'scheme', ivOf)
	const file = SCHEME_FILES.find(({ kind }) => kind === node.kind)!
	await writeText(writing, `${prefix}/${file.name}`, objectText(tree, node), 'scheme', ivOf(file.iv))
}

function objectText({ database }: SchemeTree, { kind, name, contents }: Node): string {
	if (contents.topic) {
		// As the dump does it: attributes are left out.
		const spec = create(CreateTopicRequestSchema, { ...contents.topic.spec, attributes: {} })
		return printText(CreateTopicRequestSchema, spec)
	}
	if (contents.view) return viewText(database, name, contents.view)
	const definition = contents[kind as 'transfer']!
	return definitionText(database, name, kind as 'transfer', definition)
}

function* linesOf(table: Table, shard: number, { exactFloats }: Faults): Generator<Buffer> {
	const columns = exportedColumns(table)
	const types = columns.map(({ column }) => column.cell)
	const positions = columns.map(({ position }) => position)
	const writer = new CsvWriter(types, positions, exactFloats)
	for (const { rows, ends, first, count, base } of table.rows.snapshot().scan(rangeOf(table, shard)))
		for (let at = first, start = 0; at < first + count; at++) {
			const end = ends[at]! - base
			writer.line(rows.subarray(start, end))
			start = end
			if (writer.length >= PIECE_BYTES) yield writer.take()
		}
	if (writer.length > 0) yield writer.take()
}
