import { clone, create, toBinary } from '@bufbuild/protobuf'
import {
	CreateTableRequestSchema,
	type DescribeTableResult,
	DescribeTableRequestSchema,
	DescribeTableResultSchema,
	ExplicitPartitionsSchema,
	StoreType,
	TableServiceDefinition,
} from '@ydbjs/api/table'
import { type Type, Type_PrimitiveTypeId as Id, type TypedValue, ValueSchema } from '@ydbjs/api/value'
import type { Driver } from '@ydbjs/core'
import {
	BackupError,
	type CallOptions,
	type KeyRange,
	PRIMITIVE_TYPES,
	type PrimitiveName,
	type SnapshotTable,
	type TableSchema,
	type YdbType,
} from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { resultOf } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { TABLE } from '../objects/carriages.ts'
import { carry } from '../proto/carry.ts'
import { toProtoText } from '../proto/message-text.ts'
import { inOrder } from '../proto/newer.ts'

const PRIMITIVES = new Map<number, PrimitiveName>(
	Object.entries(PRIMITIVE_TYPES).map(([name, { id }]) => [id, name as PrimitiveName]),
)

export function typeOf(type: Type | undefined): YdbType {
	const inner = type?.type
	switch (inner?.case) {
		case 'typeId': {
			const name = PRIMITIVES.get(inner.value)
			return name
				? { kind: 'primitive', name }
				: { kind: 'unknown', spelling: Id[inner.value] ?? `type ${inner.value}` }
		}
		case 'decimalType':
			return { kind: 'decimal', precision: inner.value.precision, scale: inner.value.scale }
		case 'optionalType':
			return { kind: 'optional', item: typeOf(inner.value.item) }
		case 'pgType':
			return { kind: 'pg', name: inner.value.typeName, oid: inner.value.oid, modifier: inner.value.typeModifier }
		default:
			return { kind: 'unknown', spelling: inner?.case ?? 'no type' }
	}
}

/**
 * `include_set_val = 8` of DescribeTableRequest, which the generated code of 6.0.4 lacks: where sequences stand. Servers that do not
 * know it pass over it. Not verified against a server.
 */
const INCLUDE_SET_VAL = { no: 8, wireType: 0, data: Uint8Array.of(1) }

/** What a table takes in the cluster, in bytes: an estimate of the server's. */
export async function storedBytesOf(driver: Driver, path: string, { signal }: CallOptions = {}): Promise<bigint> {
	const client = driver.createClient(TableServiceDefinition)
	const doing = `ask for the size of table ${path}`
	const request = create(DescribeTableRequestSchema, { path, includeTableStats: true })
	return patiently({ doing, signal }, async () => {
		const answer = await bounded(signal, 30_000, (bound) => client.describeTable(request, { signal: bound }))
		return resultOf(DescribeTableResultSchema, answer, doing).tableStats?.storeSize ?? 0n
	})
}

export async function describeTable(
	driver: Driver,
	path: string,
	{ signal }: CallOptions = {},
): Promise<DescribeTableResult> {
	const client = driver.createClient(TableServiceDefinition)
	const doing = `describe table ${path}`
	const request = create(DescribeTableRequestSchema, { path, includeShardKeyBounds: true })
	request.$unknown = [INCLUDE_SET_VAL]
	return patiently({ doing, signal }, async () => {
		const answer = await bounded(signal, 30_000, (bound) => client.describeTable(request, { signal: bound }))
		return resultOf(DescribeTableResultSchema, answer, doing)
	})
}

export function schemaOf({ columns, primaryKey }: DescribeTableResult, path: string): TableSchema {
	return {
		primaryKey,
		columns: columns.map(({ name, type: given }) => {
			const type = typeOf(given)
			const bare = type.kind === 'optional' ? type.item : type
			if (bare.kind === 'unknown' || bare.kind === 'optional')
				throw new BackupError(
					'TYPE_UNKNOWN',
					`column ${name} of table ${path} has a type that this version does not know: ${bare.kind === 'unknown' ? bare.spelling : 'Optional of Optional'}`,
					{
						advice: 'leave the table out with --exclude, or use a newer version',
					},
				)
			return { name, type }
		}),
	}
}

/** The bytes of a bound's cells, each as one `items` entry: the key as the contracts have it. */
function boundKey(bound: TypedValue): Uint8Array {
	return toBinary(ValueSchema, create(ValueSchema, { items: bound.value?.items ?? [] }))
}

export function rangesOf(bounds: readonly TypedValue[]): KeyRange[] {
	const keys = bounds.filter(({ value }) => (value?.items.length ?? 0) > 0).map(boundKey)
	return [undefined, ...keys].map((from, at) => ({
		...(from && { from: { key: from, inclusive: true } }),
		...(keys[at] && { to: { key: keys[at], inclusive: false } }),
	}))
}

/**
 * A table as YDB's own backups describe it. Settings are the original's, bounds are those of the copy that is read.
 * Source: `ProtoFromTableDescription` in ydb/library/backup/backup.cpp.
 */
export function snapshotTableOf(path: string, original: DescribeTableResult, copy: DescribeTableResult): SnapshotTable {
	const plain = clone(DescribeTableResultSchema, original)
	for (const [at, { defaultValue }] of plain.columns.entries()) {
		const frozen = copy.columns[at]?.defaultValue
		if (defaultValue.case === 'fromSequence' && frozen?.case === 'fromSequence' && frozen.value.setVal)
			defaultValue.value.setVal = frozen.value.setVal
	}
	// YDB's own files name the kind of column tables alone.
	if (plain.storeType === StoreType.ROW) plain.storeType = StoreType.UNSPECIFIED
	const splitPoints = copy.shardKeyBounds.filter(({ value }) => (value?.items.length ?? 0) > 0)
	const bounds = create(CreateTableRequestSchema, {
		...(splitPoints.length > 0 && {
			partitions: { case: 'partitionAtKeys', value: create(ExplicitPartitionsSchema, { splitPoints }) },
		}),
	})
	return {
		path,
		scheme: inOrder(CreateTableRequestSchema, [
			...carry(TABLE, plain).request,
			...toProtoText(CreateTableRequestSchema, bounds),
		]),
		schema: schemaOf(original, path),
		ranges: rangesOf(copy.shardKeyBounds),
	}
}
