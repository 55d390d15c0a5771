import { clone, create } from '@bufbuild/protobuf'
import {
	type AlterTableRequest,
	type Changefeed,
	ChangefeedFormat_Format as Format,
	ChangefeedMode_Mode as Mode,
	ColumnFamilySchema,
	type CreateTableRequest,
	CreateTableRequestSchema,
	PartitioningSettingsSchema,
} from '@ydbjs/api/table'
import { YdbError } from '../error.ts'
import { LIMITS } from '../limits.ts'
import { topicOf } from '../scheme/objects.ts'
import { asOptional, type Table } from '../scheme/table.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { type Entry, RowStore } from '../store/row-store.ts'
import { checkAlterRequest } from './alter-kinds.ts'
import { cellsOf, frameRow, NULL_CELL } from './bulk-upsert.ts'

const DAY_SECONDS = 86_400n
const MOST_CHANGEFEEDS = LIMITS.changefeeds.value
const ENABLED = 1
const DEFAULT_PARTITION_MB = 2048n

/** What YDB refuses; the texts are as servers 25.1 and 26.2 were measured to give them. */
function checkColumnChange(table: Table, { addColumns, dropColumns }: AlterTableRequest): void {
	const { spec } = table
	for (const name of dropColumns) {
		if (!spec.columns.some((column) => column.name === name))
			throw new YdbError('SCHEME_ERROR', `Column '${name}' does not exist`)
		if (spec.primaryKey.includes(name)) throw new YdbError('SCHEME_ERROR', `Can't drop key column: '${name}'`)
		if (spec.indexes.some(({ indexColumns }) => indexColumns.includes(name)))
			throw new YdbError('SCHEME_ERROR', 'Impossible drop column because table has an index with that column')
		if (spec.indexes.some(({ dataColumns }) => dataColumns.includes(name)))
			throw new YdbError('SCHEME_ERROR', 'Impossible drop column because table index covers that column')
		if (spec.ttlSettings?.mode.value?.columnName === name)
			throw new YdbError('SCHEME_ERROR', `Can't drop TTL column: '${name}', disable TTL first`)
	}
	for (const { name, type, notNull, defaultValue } of addColumns) {
		if (spec.columns.some((column) => column.name === name) && !dropColumns.includes(name))
			throw new YdbError('SCHEME_ERROR', `Column '${name}' already exists`)
		if (defaultValue.case === 'fromSequence')
			throw new YdbError('SCHEME_ERROR', `Cannot add serial column '${name}' to an existing table`)
		if ((notNull ?? type?.type.case !== 'optionalType') && defaultValue.case === undefined)
			throw new YdbError('SCHEME_ERROR', 'Cannot add not null column without default value')
	}
}

/** The rows of a table in its new columns: dropped cells leave, added ones have their default. */
function rewritten(table: Table, before: readonly { name: string }[], request: AlterTableRequest): RowStore {
	const kept = before.map(({ name }, at) => (request.dropColumns.includes(name) ? -1 : at)).filter((at) => at >= 0)
	const added = table.columns.slice(kept.length).map(({ otherwise }) => otherwise?.() ?? NULL_CELL)
	const entries: Entry[] = []
	for (const { key, row } of table.rows.entries()) {
		const cells = cellsOf(row)!
		entries.push({ key, row: frameRow([...kept.map((at) => cells[at]!), ...added]) })
	}
	return RowStore.of(entries, table.rows.version)
}

function alterColumns({ columns }: CreateTableRequest, { alterColumns: changes }: AlterTableRequest): void {
	for (const { name, family, notNull, type, defaultValue } of changes) {
		const column = columns.find((each) => each.name === name)
		if (!column) throw new YdbError('SCHEME_ERROR', `Column '${name}' does not exist`)
		if (type) throw new YdbError('SCHEME_ERROR', `Cannot alter type of column '${name}'`)
		if (defaultValue.case !== undefined) throw new YdbError('UNSUPPORTED', 'altering a default is not emulated')
		if (family !== '') column.family = family
		if (notNull === true) throw new YdbError('SCHEME_ERROR', `Cannot set NOT NULL on column '${name}'`)
		if (notNull === false) {
			column.notNull = false
			column.type = asOptional(column.type!)
		}
	}
}

function alterFamilies(spec: CreateTableRequest, { addColumnFamilies, alterColumnFamilies }: AlterTableRequest): void {
	for (const family of addColumnFamilies) {
		if (spec.columnFamilies.some(({ name }) => name === family.name))
			throw new YdbError('SCHEME_ERROR', `Column family '${family.name}' already exists`)
		spec.columnFamilies.push(family)
	}
	for (const { name, data, compression, keepInMemory } of alterColumnFamilies) {
		let family = spec.columnFamilies.find((each) => each.name === name)
		// A family that nobody declared comes with its first mention, as servers were measured to do it.
		if (!family) spec.columnFamilies.push((family = create(ColumnFamilySchema, { name })))
		if (data) family.data = data
		if (compression) family.compression = compression
		if (keepInMemory) family.keepInMemory = keepInMemory
	}
	for (const { family: name } of spec.columns)
		if (name !== '' && name !== 'default' && !spec.columnFamilies.some((family) => family.name === name))
			spec.columnFamilies.push(create(ColumnFamilySchema, { name }))
}

function alterIndexes(spec: CreateTableRequest, request: AlterTableRequest): void {
	for (const index of request.addIndexes) {
		if (index.type.case === 'globalUniqueIndex')
			throw new YdbError('BAD_REQUEST', 'Failed item check: Adding a unique index to an existing table is disabled')
		if (spec.indexes.some(({ name }) => name === index.name))
			throw new YdbError('SCHEME_ERROR', `Index ${index.name} exists`)
		spec.indexes.push(index)
	}
	for (const name of request.dropIndexes) {
		if (!spec.indexes.some((index) => index.name === name))
			throw new YdbError('SCHEME_ERROR', `Index ${name} does not exist`)
	}
	spec.indexes = spec.indexes.filter(({ name }) => !request.dropIndexes.includes(name))
	for (const { sourceName, destinationName, replaceDestination } of request.renameIndexes) {
		const index = spec.indexes.find(({ name }) => name === sourceName)
		if (!index) throw new YdbError('SCHEME_ERROR', `Index ${sourceName} does not exist`)
		if (spec.indexes.some(({ name }) => name === destinationName)) {
			if (!replaceDestination) throw new YdbError('SCHEME_ERROR', `Index ${destinationName} exists`)
			spec.indexes = spec.indexes.filter(({ name }) => name !== destinationName)
		}
		index.name = destinationName
	}
}

/** Source of the rules: YDB's documentation of changefeeds; the texts are guesses. */
function addChangefeed(table: Table, changefeed: Changefeed): void {
	const { name, mode, format, retentionPeriod, topicPartitioningSettings } = changefeed
	const refuse = (why: string): YdbError => new YdbError('SCHEME_ERROR', `Changefeed '${name}': ${why}`)
	if (name === '' || name.includes('/')) throw refuse('invalid name')
	if (mode === Mode.UNSPECIFIED) throw refuse('the mode is not given')
	if (format === Format.UNSPECIFIED) throw refuse('the format is not given')
	if (format === Format.DYNAMODB_STREAMS_JSON && !table.spec.attributes['__document_api_version'])
		throw refuse('DYNAMODB_STREAMS_JSON format incompatible with non-document tables')
	if (format === Format.DEBEZIUM_JSON && mode === Mode.UPDATES)
		throw refuse('DEBEZIUM_JSON format incompatible with specified stream mode')
	if (format === Format.DEBEZIUM_JSON && (changefeed.virtualTimestamps || changefeed.resolvedTimestampsInterval))
		throw refuse('DEBEZIUM_JSON format incompatible with timestamps')
	if (table.spec.indexes.some((index) => index.name === name)) throw refuse('an index has that name')
	if (table.changefeeds.size >= MOST_CHANGEFEEDS) throw refuse(`a table has at most ${MOST_CHANGEFEEDS} changefeeds`)
	if (table.isColumnTable) throw refuse('column tables have none')
	const topic = topicOf({
		retentionPeriod: retentionPeriod ?? { seconds: DAY_SECONDS, nanos: 0 },
		partitioningSettings: {
			minActivePartitions: topicPartitioningSettings?.minActivePartitions || BigInt(table.splits.length + 1),
			maxActivePartitions: topicPartitioningSettings?.maxActivePartitions || 0n,
		},
		supportedCodecs: { codecs: [1] },
		partitionWriteSpeedBytesPerSecond: 1_048_576n,
		partitionWriteBurstBytes: 1_048_576n,
		attributes: {},
	})
	table.changefeeds.set(name, { changefeed, topic })
}

function alterPartitioning(spec: CreateTableRequest, { alterPartitioningSettings }: AlterTableRequest): void {
	if (!alterPartitioningSettings) return
	const settings = (spec.partitioningSettings ??= create(PartitioningSettingsSchema))
	for (const [name, value] of Object.entries(alterPartitioningSettings))
		if (value && !name.startsWith('$') && !(Array.isArray(value) && value.length === 0))
			Object.assign(settings, { [name]: value })
	// Turning it on takes back what is not given with it: measured on servers 25.1 and 26.2.
	const { partitioningBySize, partitioningByLoad, partitionSizeMb, minPartitionsCount } = alterPartitioningSettings
	if (partitioningBySize === ENABLED && !partitionSizeMb) settings.partitionSizeMb = DEFAULT_PARTITION_MB
	if ((partitioningBySize === ENABLED || partitioningByLoad === ENABLED) && !minPartitionsCount)
		settings.minPartitionsCount = 1n
}

/** What changes nothing but how the rows are spread: all that an index's table lets change. */
function onlyPartitioning(request: AlterTableRequest): boolean {
	const { addColumns, dropColumns, alterColumns: columns, addIndexes, dropIndexes, renameIndexes } = request
	const lists = [addColumns, dropColumns, columns, addIndexes, dropIndexes, renameIndexes, request.addChangefeeds]
	return lists.every(({ length }) => length === 0) && request.ttlAction.case === undefined
}

export function alterTable(tree: SchemeTree, request: AlterTableRequest): void {
	const table = tree.table(request.path)
	const { spec } = table
	if (table.refusesWrites && !onlyPartitioning(request))
		throw new YdbError('SCHEME_ERROR', `Check failed: path: '${request.path}', error: path is not a common path`, 2003)
	const before = clone(CreateTableRequestSchema, spec)
	const feeds = new Map(table.changefeeds)
	const sequences = new Map(table.sequences)
	const { numbering } = table
	checkAlterRequest(request)
	try {
		if (request.tieringAction.case) throw new YdbError('UNSUPPORTED', 'tiering is not emulated')
		const otherColumns = request.dropColumns.length > 0 || request.addColumns.length > 0
		if (otherColumns) {
			checkColumnChange(table, request)
			// One that is dropped and added at once is another column.
			for (const name of request.dropColumns) table.ids.delete(name)
			spec.columns = [...spec.columns.filter(({ name }) => !request.dropColumns.includes(name)), ...request.addColumns]
		}
		alterColumns(spec, request)
		alterFamilies(spec, request)
		if (request.ttlAction.case === 'setTtlSettings') spec.ttlSettings = request.ttlAction.value
		if (request.ttlAction.case === 'dropTtlSettings') delete spec.ttlSettings
		alterIndexes(spec, request)
		for (const name of request.dropChangefeeds)
			if (!table.changefeeds.delete(name))
				throw new YdbError('SCHEME_ERROR', `Changefeed '${name}' does not exist`, 200200)
		for (const changefeed of request.addChangefeeds) {
			if (table.changefeeds.has(changefeed.name))
				throw new YdbError('SCHEME_ERROR', `Changefeed '${changefeed.name}' exists`, 2003)
			addChangefeed(table, changefeed)
		}
		for (const [key, value] of Object.entries(request.alterAttributes)) {
			if (value === '') delete spec.attributes[key]
			else spec.attributes[key] = value
		}
		alterPartitioning(spec, request)
		if (request.setKeyBloomFilter) spec.keyBloomFilter = request.setKeyBloomFilter
		if (request.setReadReplicasSettings) spec.readReplicasSettings = request.setReadReplicasSettings
		if (request.alterStorageSettings) spec.storageSettings = request.alterStorageSettings
		if (request.setCompactionPolicy !== '') spec.compactionPolicy = request.setCompactionPolicy
		table.refresh()
		if (otherColumns) table.rows = rewritten(table, before.columns, request)
	} catch (error) {
		for (const name of Object.keys(spec))
			if (!(name in before)) delete (spec as unknown as Record<string, unknown>)[name]
		Object.assign(spec, before)
		table.changefeeds.clear()
		for (const [name, feed] of feeds) table.changefeeds.set(name, feed)
		for (const [column, sequence] of sequences) table.sequences.set(column, sequence)
		table.refresh()
		table.numbering = numbering
		throw error
	}
	if (!table.refusesWrites) tree.reflect(request.path)
}
