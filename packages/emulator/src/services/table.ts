import { clone, create } from '@bufbuild/protobuf'
import type { Operation } from '@ydbjs/api/operation'
import {
	type AlterTableRequest,
	type CopyTablesRequest,
	type CreateTableRequest,
	CreateTableRequestSchema,
	type DescribeTableRequest,
	DescribeTableResultSchema,
	PartitioningSettingsSchema,
	type RenameTablesRequest,
	TableIndexDescriptionSchema,
	TableIndexDescription_Status,
	TableStatsSchema,
} from '@ydbjs/api/table'
import { TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import { Table } from '../scheme/table.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { type Entry, RowStore } from '../store/row-store.ts'
import { cellsOf, frameRow, NULL_CELL } from './bulk-upsert.ts'
import { success } from './envelope.ts'
import { entryOf } from './scheme.ts'

/** `Ydb.FeatureFlag.Status.DISABLED`; the enum is not exported by the client package. */
const DISABLED = 2

export function createTable(tree: SchemeTree, request: CreateTableRequest, owner: string): void {
	const { path } = request
	if (tree.find(path)) throw new YdbError('SCHEME_ERROR', `Check failed: path: '${path}', error: path exist`, 2003)
	const spec = clone(CreateTableRequestSchema, request)
	spec.path = ''
	spec.sessionId = ''
	delete spec.operationParams
	if (spec.profile) throw new YdbError('UNSUPPORTED', 'table profiles are not emulated')
	tree.addTable(path, new Table(spec, tree.step, undefined, path.includes('/.backups/collections/')), owner)
}

export function describeTable(
	tree: SchemeTree,
	path: string,
	{ includeShardKeyBounds: withBounds, includeTableStats: withStats }: DescribeTableRequest,
	faults: Faults,
): Operation {
	const { spec, splitPoints, rows, columnMetas } = tableAt(tree, path)
	const columns = columnMetas()
	for (const meta of columns)
		if (meta.name === faults.unknownTypeOf)
			meta.type = create(TypeSchema, { type: { case: 'typeId', value: 9999 as never } })
	const settings = spec.partitioningSettings ?? create(PartitioningSettingsSchema)
	const partitioningSettings = create(PartitioningSettingsSchema, {
		...settings,
		partitioningBySize: settings.partitioningBySize || DISABLED,
		partitioningByLoad: settings.partitioningByLoad || DISABLED,
		minPartitionsCount: settings.minPartitionsCount || 1n,
	})
	const indexes = spec.indexes.map(({ name, indexColumns, dataColumns, type }) =>
		create(TableIndexDescriptionSchema, {
			name,
			indexColumns,
			dataColumns,
			type,
			status: TableIndexDescription_Status.READY,
		}),
	)
	const result = create(DescribeTableResultSchema, {
		self: entryOf(tree, path, tree.get(path)),
		columns,
		primaryKey: spec.primaryKey,
		indexes,
		columnFamilies: spec.columnFamilies,
		attributes: spec.attributes,
		partitioningSettings,
		keyBloomFilter: spec.keyBloomFilter || DISABLED,
		storeType: spec.storeType,
		...(spec.ttlSettings && { ttlSettings: spec.ttlSettings }),
		...(spec.storageSettings && { storageSettings: spec.storageSettings }),
		...(spec.readReplicasSettings && { readReplicasSettings: spec.readReplicasSettings }),
		...(withBounds && { shardKeyBounds: [...splitPoints] }),
		...(withStats && {
			tableStats: create(TableStatsSchema, {
				rowsEstimate: BigInt(rows.count),
				partitions: BigInt(splitPoints.length + 1),
			}),
		}),
	})
	return success(DescribeTableResultSchema, result)
}

function tableAt(
	tree: SchemeTree,
	path: string,
): Pick<Table, 'spec' | 'splitPoints' | 'rows'> & { columnMetas: Table['columnMetas'] } {
	const table = tree.table(path)
	return { spec: table.spec, splitPoints: table.splitPoints, rows: table.rows, columnMetas: () => table.columnMetas() }
}

export function copyTables(
	tree: SchemeTree,
	request: Pick<CopyTablesRequest, 'tables'>,
	faults: Faults,
	owner: string,
): void {
	const { tables } = request
	if (tables.length === 0) throw new YdbError('BAD_REQUEST', 'no tables to copy')
	if (tables.length > faults.maxCopyTargets)
		throw new YdbError('BAD_REQUEST', `Limit of copied tables is ${faults.maxCopyTargets}, ${tables.length} given`)
	for (const { sourcePath, destinationPath } of tables) {
		tree.table(sourcePath)
		if (tree.find(destinationPath))
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${destinationPath}', error: path exist`, 2003)
	}
	for (const { sourcePath, destinationPath, omitIndexes } of tables) {
		const copy = tree.table(sourcePath).copy(tree.step)
		if (omitIndexes) {
			copy.spec.indexes = []
			copy.refresh()
		}
		tree.addTable(destinationPath, copy, owner)
	}
}

/** All of the renames, or none. */
export function renameTables(tree: SchemeTree, { tables }: RenameTablesRequest): void {
	const gone = new Set<string>()
	const come = new Set<string>()
	const key = (path: string): string => tree.segments(path).join('/')
	for (const { sourcePath, destinationPath, replaceDestination } of tables) {
		const [from, to] = [key(sourcePath), key(destinationPath)]
		if (!come.has(from)) {
			if (gone.has(from)) throw new YdbError('SCHEME_ERROR', `Path not found: ${sourcePath}`, 200200)
			tree.table(sourcePath)
		}
		const taken = come.has(to) || (!gone.has(to) && tree.find(destinationPath) !== undefined)
		if (taken && !replaceDestination)
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${destinationPath}', error: path exist`, 2003)
		if (taken && !come.has(to)) tree.table(destinationPath)
		come.delete(from)
		gone.add(from)
		gone.delete(to)
		come.add(to)
	}
	for (const { sourcePath, destinationPath, replaceDestination } of tables) {
		if (replaceDestination && tree.find(destinationPath)) tree.remove(destinationPath, 'table')
		tree.move(sourcePath, destinationPath)
	}
}

/** What YDB refuses; the texts of the refusals of ADD COLUMN are as a server was seen to give them. */
function checkColumnChange(table: Table, { addColumns, dropColumns }: AlterTableRequest): void {
	const { spec } = table
	for (const name of dropColumns) {
		if (!spec.columns.some((column) => column.name === name))
			throw new YdbError('SCHEME_ERROR', `Column '${name}' does not exist`)
		if (spec.primaryKey.includes(name)) throw new YdbError('SCHEME_ERROR', `Can't drop key column: '${name}'`)
		const index = spec.indexes.find(({ indexColumns, dataColumns }) => [...indexColumns, ...dataColumns].includes(name))
		if (index) throw new YdbError('SCHEME_ERROR', `Can't drop column '${name}': index ${index.name} uses it`)
	}
	for (const { name, type, notNull } of addColumns) {
		if (spec.columns.some((column) => column.name === name) && !dropColumns.includes(name))
			throw new YdbError('SCHEME_ERROR', `Column '${name}' already exists`)
		if (notNull ?? type?.type.case !== 'optionalType')
			throw new YdbError('SCHEME_ERROR', 'Cannot add not null column without default value')
	}
}

/** The rows of a table in its new columns: dropped cells leave, added ones are NULL. */
function rewritten(table: Table, before: readonly { name: string }[], request: AlterTableRequest): RowStore {
	const kept = before.map(({ name }, at) => (request.dropColumns.includes(name) ? -1 : at)).filter((at) => at >= 0)
	const added = request.addColumns.map(() => NULL_CELL)
	const entries: Entry[] = []
	for (const { key, row } of table.rows.entries()) {
		const cells = cellsOf(row)!
		entries.push({ key, row: frameRow([...kept.map((at) => cells[at]!), ...added]) })
	}
	return RowStore.of(entries, table.rows.version)
}

export function alterTable(tree: SchemeTree, request: AlterTableRequest): void {
	const table = tree.table(request.path)
	const { spec } = table
	const before = clone(CreateTableRequestSchema, spec)
	try {
		if (
			request.alterColumns.length > 0 ||
			request.alterColumnFamilies.length > 0 ||
			request.addColumnFamilies.length > 0
		)
			throw new YdbError('UNSUPPORTED', 'altering columns and families is not emulated yet')
		if (request.addChangefeeds.length > 0 || request.dropChangefeeds.length > 0)
			throw new YdbError('UNSUPPORTED', 'changefeeds are not emulated yet')
		if (request.tieringAction.case) throw new YdbError('UNSUPPORTED', 'tiering is not emulated')
		if (request.dropColumns.length > 0 || request.addColumns.length > 0) {
			checkColumnChange(table, request)
			spec.columns = [...spec.columns.filter(({ name }) => !request.dropColumns.includes(name)), ...request.addColumns]
		}
		if (request.ttlAction.case === 'setTtlSettings') spec.ttlSettings = request.ttlAction.value
		if (request.ttlAction.case === 'dropTtlSettings') delete spec.ttlSettings
		for (const index of request.addIndexes) {
			if (spec.indexes.some(({ name }) => name === index.name))
				throw new YdbError('SCHEME_ERROR', `Index ${index.name} exists`)
			spec.indexes.push(index)
		}
		for (const name of request.dropIndexes) {
			if (!spec.indexes.some((index) => index.name === name))
				throw new YdbError('SCHEME_ERROR', `Index ${name} does not exist`)
		}
		spec.indexes = spec.indexes.filter(({ name }) => !request.dropIndexes.includes(name))
		for (const { sourceName, destinationName } of request.renameIndexes) {
			const index = spec.indexes.find(({ name }) => name === sourceName)
			if (!index) throw new YdbError('SCHEME_ERROR', `Index ${sourceName} does not exist`)
			index.name = destinationName
		}
		for (const [key, value] of Object.entries(request.alterAttributes)) {
			if (value === '') delete spec.attributes[key]
			else spec.attributes[key] = value
		}
		if (request.alterPartitioningSettings) {
			const settings = (spec.partitioningSettings ??= create(PartitioningSettingsSchema))
			for (const [name, value] of Object.entries(request.alterPartitioningSettings))
				if (value && !name.startsWith('$') && !(Array.isArray(value) && value.length === 0))
					Object.assign(settings, { [name]: value })
		}
		if (request.setKeyBloomFilter) spec.keyBloomFilter = request.setKeyBloomFilter
		if (request.setReadReplicasSettings) spec.readReplicasSettings = request.setReadReplicasSettings
		if (request.alterStorageSettings) spec.storageSettings = request.alterStorageSettings
		table.refresh()
		if (request.dropColumns.length > 0 || request.addColumns.length > 0)
			table.rows = rewritten(table, before.columns, request)
	} catch (error) {
		for (const name of Object.keys(spec))
			if (!(name in before)) delete (spec as unknown as Record<string, unknown>)[name]
		Object.assign(spec, before)
		table.refresh()
		throw error
	}
}
