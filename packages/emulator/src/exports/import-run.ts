import { create, toBinary } from '@bufbuild/protobuf'
import { ModifyPermissionsRequestSchema, SchemeServiceDefinition as Scheme } from '@ydbjs/api/scheme'
import {
	AlterTableRequestSchema,
	ChangefeedDescriptionSchema,
	ChangefeedSchema,
	type CreateTableRequest,
	CreateTableRequestSchema,
	type TableIndex,
	TableIndexSchema,
	TableServiceDefinition as TableService,
} from '@ydbjs/api/table'
import {
	AlterTopicRequestSchema,
	CreateTopicRequestSchema,
	DescribeTopicResultSchema,
	TopicServiceDefinition as TopicService,
} from '@ydbjs/api/topic'
import type { Table } from '../scheme/table.ts'
import { pathExists } from '../scheme/tree.ts'
import { frameRow } from '../services/bulk-upsert.ts'
import { OBJECT } from '../services/objects.ts'
import { rangeOf } from '../services/partitions.ts'
import { lastOfEachKey } from '../services/bulk-upsert.ts'
import { checkContent, isNull, readCell } from '../wire/cell.ts'
import { putVarint, varintBytes } from '../wire/cursor.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import { statementChanges } from './statements.ts'
import { parseLine } from './csv.ts'
import { exportedColumns } from './descriptions.ts'
import { combinedIv, FILE } from './encryption.ts'
import { findFile, ImportError, readLines, readMapping, readText, type Reading, storeFailure } from './import-files.ts'
import { mappedItems } from './import-items.ts'
import { dataName, type ExportedKind, type ItemMetadata, parseMetadata, SCHEME_FILES } from './layout.ts'
import { importSettings, type Item, type Running } from './operation.ts'
import { parseText } from './text-proto.ts'
import { type Around, clientOf, inParallel, pause } from './work.ts'

/** What was read of an object before anything of it was made. */
interface Described {
	readonly item: Item
	readonly at: number
	readonly metadata: ItemMetadata
	readonly isChecked: boolean
	readonly kind: ExportedKind
	readonly text: string
	readonly permissions: string | undefined
	ivOf(kind: number, shard?: number): Buffer | undefined
}

/** Makes what an export holds. Throws what stopped it; what was made stays. */
export async function runImport(around: Around, running: Running): Promise<void> {
	const { tree, faults, signal, changes } = around
	const settings = importSettings(running)
	const client = clientOf(settings, around)
	const reading: Reading = {
		client,
		persistence: { retries: settings.numberOfRetries, minuteMs: () => faults.storeRetryMinuteMs, signal },
		key: settings.encryptionSettings?.Key.value?.key,
		onPart: () => pause(faults.slowPartMs, signal),
	}
	try {
		await pause(faults.operationDelayMs, signal)
		if (running.items.length === 0) {
			const objects = await readMapping(reading, settings.sourcePrefix)
			if (!objects) throw new ImportError('cannot get schema mapping: S3 error: the export has no metadata.json')
			const items = mappedItems(tree.database, settings, objects)
			for (const { path } of items) if (tree.find(path)) throw new ImportError(pathExists(path).message)
			changes.items(items)
		}
		const described: Described[] = []
		for (const [at, item] of running.items.entries()) {
			if (item.state === 'done') continue
			described.push(
				await failing(around, at, () => describe(reading, item, at, settings.skipChecksumValidation, settings.noAcl)),
			)
		}
		await pause(faults.operationDelayMs, signal)
		const one = (each: Described) => (): Promise<void> =>
			failing(around, each.at, () => importOne(around, reading, each))
		const isView = ({ kind }: Described): boolean => kind === 'view'
		await inParallel(described.filter((each) => !isView(each)).map(one), around)
		await inRounds(described.filter(isView), (each) => failing(around, each.at, () => importOne(around, reading, each)))
	} finally {
		client.close()
	}
}

/** A failure belongs to its item. */
async function failing<T>({ changes, signal }: Around, at: number, work: () => Promise<T>): Promise<T> {
	try {
		return await work()
	} catch (error) {
		if (!signal.aborted) changes.item(at, { state: 'cancelled', issue: storeFailure(error) })
		throw error
	}
}

/** Views may read from each other: what fails is tried again when another could be made. */
async function inRounds(views: readonly Described[], make: (view: Described) => Promise<void>): Promise<void> {
	let waiting = [...views]
	while (waiting.length > 0) {
		const failed: { readonly view: Described; readonly error: unknown }[] = []
		for (const view of waiting)
			try {
				await make(view)
			} catch (error) {
				failed.push({ view, error })
			}
		if (failed.length === waiting.length) throw failed[0]!.error
		waiting = failed.map(({ view }) => view)
	}
}

async function describe(
	reading: Reading,
	item: Item,
	at: number,
	isUnchecked: boolean,
	noAcl: boolean,
): Promise<Described> {
	const { prefix } = item
	const base = item.iv === undefined ? undefined : Buffer.from(item.iv, 'hex')
	const ivOf = (kind: number, shard = 0): Buffer | undefined => base && combinedIv(base, kind, 0, shard)
	const first = await readText(reading, `${prefix}/metadata.json`, { iv: ivOf(FILE.metadata), isChecked: false })
	if (!first) throw new ImportError(`S3 error: cannot find ${prefix}/metadata.json`)
	let metadata: ItemMetadata
	try {
		metadata = parseMetadata(first.text)
	} catch {
		throw new ImportError('cannot parse metadata')
	}
	// Without a version there are checksums.
	const isChecked = metadata.version !== 0 && !isUnchecked
	if (isChecked) await readText(reading, `${prefix}/metadata.json`, { iv: ivOf(FILE.metadata), isChecked })
	for (const { name, kind, iv: fileKind } of SCHEME_FILES) {
		if (!(await findFile(reading, `${prefix}/${name}`))) continue
		const scheme = await readText(reading, `${prefix}/${name}`, { iv: ivOf(fileKind), isChecked })
		const permissions =
			metadata.hasPermissions === false || noAcl
				? undefined
				: await readText(reading, `${prefix}/permissions.pb`, { iv: ivOf(FILE.permissions), isChecked: false })
		if (permissions && isChecked)
			await readText(reading, `${prefix}/permissions.pb`, { iv: ivOf(FILE.permissions), isChecked })
		if (!permissions && metadata.hasPermissions && !noAcl) throw new ImportError('No permissions file found')
		return { item, at, metadata, isChecked, kind, text: scheme!.text, permissions: permissions?.text, ivOf }
	}
	throw new ImportError(`Unsupported scheme object type: nothing is known in ${prefix}`)
}

async function importOne(around: Around, reading: Reading, described: Described): Promise<void> {
	const { changes } = around
	const { at, item, kind, permissions, text } = described
	if (kind === 'table') await importTable(around, reading, described)
	else {
		if (item.state === 'preparing') makeObject(around, kind, item.path, text)
		changes.item(at, { state: 'transferring' })
	}
	if (permissions !== undefined) {
		const request = parse(ModifyPermissionsRequestSchema, permissions, 'permissions')
		request.path = item.path
		changes.scheme(Scheme.modifyPermissions.path, toBinary(ModifyPermissionsRequestSchema, request))
	}
	changes.item(at, { state: 'done', endedAt: around.now() })
}

function parse<D extends Parameters<typeof parseText>[0]>(
	schema: D,
	text: string,
	what: string,
): ReturnType<typeof parseText<D>> {
	try {
		return parseText(schema, text)
	} catch (error) {
		throw new ImportError(`cannot parse ${what}: ${error instanceof Error ? error.message : String(error)}`)
	}
}

function makeObject({ tree, changes }: Around, kind: ExportedKind, path: string, text: string): void {
	if (kind === 'topic') {
		const request = parse(CreateTopicRequestSchema, text, 'topic')
		request.path = path
		return changes.scheme(TopicService.createTopic.path, toBinary(CreateTopicRequestSchema, request))
	}
	for (const { method, request } of statementChanges(tree, text, path)) changes.scheme(method, request)
}

async function importTable(around: Around, reading: Reading, described: Described): Promise<void> {
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
		changes.item(at, { partsDone: 0 })
		for (let shard = 0; shard <= table.splits.length; shard++) {
			await importShard(around, reading, described, table, shard)
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
	const bare = create(CreateTableRequestSchema, { ...request, path, indexes: [] })
	changes.scheme(TableService.createTable.path, toBinary(CreateTableRequestSchema, bare))
}

async function importShard(
	{ changes, signal }: Around,
	reading: Reading,
	{ item, ivOf, isChecked }: Described,
	table: Table,
	shard: number,
): Promise<void> {
	const columns = exportedColumns(table)
	const types = columns.map(({ column }) => column.cell)
	const { from, to } = rangeOf(table, shard)
	const prefix = `${item.prefix}/${dataName(shard)}`
	for await (const lines of readLines(reading, prefix, ivOf(FILE.data, shard), isChecked)) {
		signal.throwIfAborted()
		const entries = lines.map((line) => {
			const cells = cellsOf(line, types)
			const row = Array.from<Buffer>({ length: columns.length })
			for (const [at, { position, column }] of columns.entries()) row[position] = checkedCell(cells[at]!, column, line)
			startKey()
			for (const at of table.key) {
				const cell = row[at]!
				const { cell: type, name } = table.columns[at]!
				addKeyCell(cell, cell.length - bodyLength(cell), cell.length, type, name)
			}
			const key = finishKey()
			if ((from && key.compare(from) < 0) || (to && key.compare(to) >= 0))
				throw new ImportError(`Key is out of range on line: ${line.toString('latin1').slice(0, 100)}`)
			return { key, row: frameRow(row) }
		})
		changes.rows(item.path, lastOfEachKey(entries))
	}
}

/** Bytes of the value in a framed cell. */
function bodyLength(cell: Buffer): number {
	let length = 0
	for (let at = 1, factor = 1; ; at++, factor *= 128) {
		length += (cell[at]! & 127) * factor
		if (cell[at]! < 128) return length
	}
}

function cellsOf(line: Buffer, types: Parameters<typeof parseLine>[1]): Buffer[] {
	try {
		return parseLine(line, types)
	} catch (error) {
		throw new ImportError(`${(error as Error).message} on line: ${line.toString('latin1').slice(0, 100)}`)
	}
}

function checkedCell(value: Buffer, { cell, name, notNull }: Table['columns'][number], line: Buffer): Buffer {
	readCell(value, 0, value.length, cell, name)
	if (isNull && notNull)
		throw new ImportError(`Value parse error: NULL in column ${name} on line: ${line.toString('latin1').slice(0, 100)}`)
	const checked = (isNull ? undefined : checkContent(value, 0, value.length, cell, name)) ?? value
	const framed = Buffer.allocUnsafe(1 + varintBytes(checked.length) + checked.length)
	framed[0] = 0x62
	checked.copy(framed, putVarint(framed, 1, checked.length))
	return framed
}

/** Of the topic of a changefeed, the retention, the partitions and the consumers come back. Source: IMPFLOW. */
async function importFeed(
	{ changes }: Around,
	reading: Reading,
	{ item, ivOf, isChecked }: Described,
	feedPrefix: string,
	feed: number,
): Promise<void> {
	const below = `${item.prefix}/${feedPrefix}`
	const file = async (name: string, iv: Buffer | undefined): Promise<string> => {
		const found = await readText(reading, `${below}/${name}`, { iv, isChecked })
		if (!found) throw new ImportError(`S3 error: cannot find ${below}/${name}`)
		return found.text
	}
	const text = await file('changefeed_description.pb', ivOf(FILE.changefeed, feed))
	const topicText = await file('topic_description.pb', ivOf(FILE.changefeedTopic, feed))
	const {
		$typeName: _name,
		$unknown: _unknown,
		state: _state,
		...changefeed
	} = parse(ChangefeedDescriptionSchema, text, 'changefeed')
	const topic = parse(DescribeTopicResultSchema, topicText, 'topic')
	const { minActivePartitions = 0n, maxActivePartitions = 0n } = topic.partitioningSettings ?? {}
	const request = create(AlterTableRequestSchema, {
		path: item.path,
		addChangefeeds: [
			create(ChangefeedSchema, {
				name: changefeed.name,
				mode: changefeed.mode,
				format: changefeed.format,
				virtualTimestamps: changefeed.virtualTimestamps,
				attributes: changefeed.attributes,
				awsRegion: changefeed.awsRegion,
				...(changefeed.resolvedTimestampsInterval && {
					resolvedTimestampsInterval: changefeed.resolvedTimestampsInterval,
				}),
				...(topic.retentionPeriod && { retentionPeriod: topic.retentionPeriod }),
				topicPartitioningSettings: {
					minActivePartitions: minActivePartitions || 1n,
					maxActivePartitions: maxActivePartitions || 50n,
				},
			}),
		],
	})
	changes.scheme(TableService.alterTable.path, toBinary(AlterTableRequestSchema, request))
	if (topic.consumers.length === 0) return
	const alter = create(AlterTopicRequestSchema, {
		path: `${item.path}/${changefeed.name}`,
		addConsumers: topic.consumers.map(({ name, important }) => ({ name, important })),
	})
	changes.scheme(TopicService.alterTopic.path, toBinary(AlterTopicRequestSchema, alter))
}
