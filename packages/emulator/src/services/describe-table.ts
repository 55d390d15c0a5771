import { create } from '@bufbuild/protobuf'
import type { Operation } from '@ydbjs/api/operation'
import {
	type ChangefeedDescription,
	ChangefeedDescription_State as State,
	ChangefeedDescriptionSchema,
	type DescribeTableRequest,
	DescribeTableResultSchema,
	type ColumnFamily,
	ColumnFamily_Compression as Compression,
	ColumnFamilySchema,
	type PartitioningSettings,
	PartitioningSettingsSchema,
	type StorageSettings,
	StorageSettingsSchema,
	TableIndexDescription_Status,
	TableIndexDescriptionSchema,
	TableStatsSchema,
} from '@ydbjs/api/table'
import { TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import { toldKind } from '../scheme/newer-index.ts'
import type { Feed, Table } from '../scheme/table.ts'
import { INDEX_TABLE, type SchemeTree } from '../scheme/tree.ts'
import { success } from './envelope.ts'
import { entryOf, mustBeVisible } from './scheme.ts'

/** `Ydb.FeatureFlag.Status`; the enum is not exported by the client package. */
const DISABLED = 2
const ENABLED = 1
const DEFAULT_PARTITION_MB = 2048n
/** `DescribeTableRequest.include_set_val`, which the client package does not know. Source: ydb_table.proto. */
const INCLUDE_SET_VAL = 8

export function feedOf({ changefeed }: Feed): ChangefeedDescription {
	const { name, mode, format, virtualTimestamps, attributes, awsRegion, resolvedTimestampsInterval } = changefeed
	return create(ChangefeedDescriptionSchema, {
		name,
		mode,
		format,
		state: State.ENABLED,
		virtualTimestamps,
		attributes,
		awsRegion,
		...(resolvedTimestampsInterval && { resolvedTimestampsInterval }),
	})
}

/** Source of the defaults: YDB's documentation of AUTO_PARTITIONING settings. */
export function partitioningOf({ spec }: Table): PartitioningSettings {
	const given = spec.partitioningSettings ?? create(PartitioningSettingsSchema)
	const partitioningBySize = given.partitioningBySize || ENABLED
	return create(PartitioningSettingsSchema, {
		...given,
		partitioningBySize,
		partitionSizeMb: given.partitionSizeMb || (partitioningBySize === ENABLED ? DEFAULT_PARTITION_MB : 0n),
		partitioningByLoad: given.partitioningByLoad || DISABLED,
		minPartitionsCount: given.minPartitionsCount || 1n,
	})
}

/** The family of columns without one is told always. Source: the scheme.pb in YDB's documentation of dumps. */
function familiesOf({ spec, isColumnTable }: Table): ColumnFamily[] {
	const rest = spec.columnFamilies.filter(({ name }) => name !== 'default')
	if (isColumnTable) return spec.columnFamilies
	const own = spec.columnFamilies.find(({ name }) => name === 'default')
	return [
		create(ColumnFamilySchema, { name: 'default', ...own, compression: own?.compression || Compression.NONE }),
		...rest,
	]
}

/** Source: the same. */
function storageOf({ spec }: Table): StorageSettings {
	const given = spec.storageSettings ?? create(StorageSettingsSchema)
	return create(StorageSettingsSchema, { ...given, storeExternalBlobs: given.storeExternalBlobs || DISABLED })
}

/** An index is described by its table, under its own name. Source: rpc_describe_table.cpp. */
function tableOf(tree: SchemeTree, path: string): Table {
	const node = tree.get(path)
	if (node.kind === 'index') {
		const table = node.children.get(INDEX_TABLE)?.table
		if (!table) throw new YdbError('UNSUPPORTED', 'tables of vector, full-text and Bloom indexes are not emulated')
		return table
	}
	mustBeVisible(tree, path, true)
	return tree.table(path)
}

export function describeTable(tree: SchemeTree, request: DescribeTableRequest, faults: Faults): Operation {
	const { path, includeShardKeyBounds: withBounds, includeTableStats: withStats } = request
	const table = tableOf(tree, path)
	const { spec, splitPoints } = table
	const withValues = request.$unknown?.some(({ no, data }) => no === INCLUDE_SET_VAL && data[0] === 1) ?? false
	const columns = table.columnMetas(withValues)
	for (const meta of columns)
		if (meta.name === faults.unknownTypeOf)
			meta.type = create(TypeSchema, { type: { case: 'typeId', value: 9999 as never } })
	const indexes = spec.indexes.map((index) => {
		const { name, indexColumns, dataColumns, type } = index
		const status = TableIndexDescription_Status.READY
		const told = create(TableIndexDescriptionSchema, { name, indexColumns, dataColumns, type, status })
		told.$unknown = toldKind(index)
		return told
	})
	const result = create(DescribeTableResultSchema, {
		self: entryOf(tree, path, tree.get(path)),
		columns,
		primaryKey: spec.primaryKey,
		indexes,
		columnFamilies: familiesOf(table),
		attributes: spec.attributes,
		partitioningSettings: partitioningOf(table),
		keyBloomFilter: spec.keyBloomFilter || DISABLED,
		storeType: spec.storeType,
		changefeeds: [...table.changefeeds.values()].map(feedOf),
		...(spec.ttlSettings && { ttlSettings: spec.ttlSettings }),
		storageSettings: storageOf(table),
		...(spec.readReplicasSettings && { readReplicasSettings: spec.readReplicasSettings }),
		...(withBounds && { shardKeyBounds: [...splitPoints] }),
		...(withStats && {
			tableStats: create(TableStatsSchema, {
				rowsEstimate: BigInt(table.rows.count),
				partitions: BigInt(splitPoints.length + 1),
				storeSize: BigInt(table.rows.leaves.reduce((sum, { rowBytes }) => sum + rowBytes, 0)),
			}),
		}),
	})
	return success(DescribeTableResultSchema, result)
}
