import { create } from '@bufbuild/protobuf'
import { ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import { ChangefeedDescriptionSchema, CreateTableRequestSchema } from '@ydbjs/api/table'
import { CreateTopicRequestSchema, DescribeTopicResultSchema } from '@ydbjs/api/topic'
import type { Faults } from '../faults.ts'
import type { Table } from '../scheme/table.ts'
import { INDEX_TABLE, type Node, type SchemeTree } from '../scheme/tree.ts'
import { feedOf } from '../services/describe-table.ts'
import { rangeOf } from '../services/partitions.ts'
import { CsvWriter } from './csv-writer.ts'
import { definitionText, exportedColumns, feedTopicOf, permissionsOf, schemeOf, viewText } from './descriptions.ts'
import { FILE } from './encryption.ts'
import { type Checksummed, writeText, type Writing } from './export-files.ts'
import { anonymous, type ItemMetadata, metadataText, SCHEME_FILES } from './layout.ts'
import type { Item, Running } from './operation.ts'
import { printText } from './text-print.ts'
import type { Around } from './work.ts'

/** Bytes of CSV that are turned into output at once. */
const PIECE_BYTES = 1 << 18

/** The IV of a file of an object, when the export is encrypted. */
export type IvOf = (kind: number, shard?: number) => Buffer | undefined

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
export async function writeTable(
	{ tree, faults }: Around,
	running: Running,
	writing: Writing,
	item: Item,
	table: Table,
	ivOf: IvOf,
): Promise<void> {
	const { prefix } = item
	const node = item.parent === undefined ? tree.find(item.path) : undefined
	const source = node?.table
	const indexes = source?.spec.indexes ?? []
	const feeds = faults.withoutChangefeeds ? [] : [...(source?.changefeeds.values() ?? [])]
	const isAnonymous = item.iv !== undefined
	const feedPrefix = (feed: number): string => (isAnonymous ? anonymous(feed + 1) : feeds[feed]!.changefeed.name)
	const metadata: ItemMetadata = {
		version: writing.hasChecksums ? 1 : 0,
		snapshot: running.copied?.snapshot ?? [0, running.id],
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

export async function writeObject(
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

/** Rows of one shard as pieces of CSV, valid until the next. */
export function* linesOf(table: Table, shard: number, { exactFloats, exportPartBytes }: Faults): Generator<Buffer> {
	const columns = exportedColumns(table)
	const types = columns.map(({ column }) => column.cell)
	const positions = columns.map(({ position }) => position)
	const pieceBytes = Math.min(PIECE_BYTES, exportPartBytes)
	const writer = new CsvWriter(types, positions, exactFloats)
	for (const { rows, ends, first, count, base } of table.rows.snapshot().scan(rangeOf(table, shard)))
		for (let at = first, start = 0; at < first + count; at++) {
			const end = ends[at]! - base
			writer.line(rows.subarray(start, end))
			start = end
			if (writer.length >= pieceBytes) yield writer.take()
		}
	if (writer.length > 0) yield writer.take()
}
