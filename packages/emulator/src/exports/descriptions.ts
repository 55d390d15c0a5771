// What an export says of objects. Source: GenYdbScheme and GenYdbPermissions of ydb/core/tx/datashard/export_common.cpp.
import { create, type MessageShape } from '@bufbuild/protobuf'
import { type ModifyPermissionsRequest, ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import {
	ColumnMetaSchema,
	type CreateTableRequest,
	CreateTableRequestSchema,
	ExplicitPartitionsSchema,
	type TableIndex,
} from '@ydbjs/api/table'
import { TypeSchema } from '@ydbjs/api/value'
import { DescribeTopicResult_PartitionInfoSchema, DescribeTopicResultSchema } from '@ydbjs/api/topic'
import type { Contents, Definition } from '../scheme/objects.ts'
import type { Node } from '../scheme/tree.ts'
import { asOptional, type Column, type Table } from '../scheme/table.ts'
import { partitioningOf } from '../services/describe-table.ts'

/** The columns of a table in the order of their numbers, which is that of the file, and where they stand in stored rows. */
export function exportedColumns(table: Table): { readonly column: Column; readonly position: number }[] {
	return table.columns
		.map((column, position) => ({ column, position, id: table.ids.get(column.name) ?? position }))
		.toSorted((a, b) => a.id - b.id)
}

/** `table` is the copy that is exported; the indexes are those of its source. */
export function schemeOf(table: Table, indexes: readonly TableIndex[]): CreateTableRequest {
	const { spec, splitPoints } = table
	const metas = new Map(table.columnMetas(true).map((meta) => [meta.name, meta]))
	const columns = exportedColumns(table).map(({ column: { name, type, notNull } }) => {
		const { notNull: _, ...meta } = metas.get(name)!
		return create(ColumnMetaSchema, {
			...meta,
			type: notNull ? type : create(TypeSchema, asOptional(type)),
			...(notNull && { notNull }),
		})
	})
	return create(CreateTableRequestSchema, {
		columns,
		primaryKey: spec.primaryKey,
		...(splitPoints.length > 0 && {
			partitions: {
				case: 'partitionAtKeys' as const,
				value: create(ExplicitPartitionsSchema, { splitPoints: [...splitPoints] }),
			},
		}),
		indexes: [...indexes],
		...(spec.storageSettings && { storageSettings: spec.storageSettings }),
		columnFamilies: spec.columnFamilies,
		attributes: spec.attributes,
		...(spec.ttlSettings && { ttlSettings: spec.ttlSettings }),
		partitioningSettings: partitioningOf(table),
		keyBloomFilter: spec.keyBloomFilter,
		...(spec.readReplicasSettings && { readReplicasSettings: spec.readReplicasSettings }),
		storeType: spec.storeType,
	})
}

/** The owner, and what was granted on the object itself; that inheritance was interrupted is lost. */
export function permissionsOf({ owner, grants }: Node): ModifyPermissionsRequest {
	const granted = [...grants].filter(([, names]) => names.size > 0)
	return create(ModifyPermissionsRequestSchema, {
		actions: [
			{ action: { case: 'changeOwner', value: owner } },
			...granted.map(([subject, names]) => ({
				action: { case: 'grant' as const, value: { subject, permissionNames: [...names] } },
			})),
		],
	})
}

/** Source: the description of a changefeed's topic in ut_export.cpp, ChangefeedGenerator. */
const FEED_ATTRIBUTES = {
	__max_partition_message_groups_seqno_stored: '6000000',
	_allow_unauthenticated_read: 'true',
	_allow_unauthenticated_write: 'true',
	_message_group_seqno_retention_period_ms: '1382400000',
}
const AUTO = {
	strategy: 1,
	partitionWriteSpeed: { stabilizationWindow: { seconds: 300n }, upUtilizationPercent: 80, downUtilizationPercent: 20 },
}

/** The topic of a changefeed as DescribeTopic tells it, without what is not of the topic. */
export function feedTopicOf({ spec }: Contents['topic']): MessageShape<typeof DescribeTopicResultSchema> {
	const { retentionPeriod, partitionWriteSpeedBytesPerSecond, partitionWriteBurstBytes, consumers, meteringMode } = spec
	const partitions = Number(spec.partitioningSettings?.minActivePartitions ?? 1n)
	return create(DescribeTopicResultSchema, {
		...(retentionPeriod && { retentionPeriod }),
		partitionWriteSpeedBytesPerSecond,
		partitionWriteBurstBytes,
		consumers,
		meteringMode,
		partitioningSettings: {
			minActivePartitions: BigInt(partitions),
			maxActivePartitions: spec.partitioningSettings?.maxActivePartitions || BigInt(partitions),
			autoPartitioningSettings: AUTO,
		},
		partitions: Array.from({ length: partitions }, (_, at) =>
			create(DescribeTopicResult_PartitionInfoSchema, { partitionId: BigInt(at), active: true }),
		),
		attributes: { ...FEED_ATTRIBUTES, ...spec.attributes },
	})
}

/** Comments that tools need, before every statement of an export. Source: native-dump, section 1.7. */
function statement(database: string, text: string): string {
	return `-- database: "${database}"\n-- backup root: "${database}"\n${text.trimEnd().replace(/;$/, '')};\n`
}

/** The stored text of a view is its context and its query. The server passes the whole through its formatter; this one does not. */
export function viewText(database: string, name: string, { query }: Contents['view']): string {
	const lines = query.split('\n')
	const rest = lines.findIndex((line) => !/^\s*(--|PRAGMA\b)/i.test(line))
	const context = lines.slice(0, rest).map((line) => `${line}\n`)
	const body = lines.slice(rest).join('\n')
	return statement(
		database,
		`${context.join('')}CREATE VIEW IF NOT EXISTS \`${name}\` WITH (security_invoker = TRUE) AS\n${body}`,
	)
}

const WORDS = {
	externalDataSource: 'EXTERNAL DATA SOURCE',
	externalTable: 'EXTERNAL TABLE',
	replication: 'ASYNC REPLICATION',
	transfer: 'TRANSFER',
} as const

export function definitionText(database: string, name: string, kind: keyof typeof WORDS, { text }: Definition): string {
	const unless = kind === 'replication' || kind === 'transfer' ? '' : 'IF NOT EXISTS '
	return statement(database, `CREATE ${WORDS[kind]} ${unless}\`${name}\` ${text}`)
}
