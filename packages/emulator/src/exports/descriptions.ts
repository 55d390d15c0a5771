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
import { tokenize } from '../yql/lexer.ts'

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

/**
 * The stored text of a view is its context and its query: the last statement is the query. The server passes the whole through its formatter;
 * this one does not. Source: SplitViewQuery of ydb/core/sys_view/show_create/create_view_formatter.cpp.
 */
export function viewText(database: string, name: string, { query }: Contents['view']): string {
	const { context, body } = splitView(query)
	return statement(
		database,
		`${context}CREATE VIEW IF NOT EXISTS \`${name}\` WITH (security_invoker = TRUE) AS\n${body}`,
	)
}

const DEPTH: Readonly<Record<string, number>> = { '(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1 }

function splitView(query: string): { readonly context: string; readonly body: string } {
	const tokens = tokenize(query)
	let depth = 0
	let start = tokens[0]
	for (const [at, { kind, text }] of tokens.entries()) {
		if (kind === 'sign') depth += DEPTH[text] ?? 0
		const next = tokens[at + 1]
		if (
			kind === 'sign' &&
			text === ';' &&
			depth === 0 &&
			next !== undefined &&
			next.kind !== 'end' &&
			next.text !== ';'
		)
			start = next
	}
	if (start === undefined || start === tokens[0]) return { context: '', body: query }
	const { row, column } = start.at
	const above = query.split('\n').slice(0, row - 1)
	const offset = above.reduce((sum, line) => sum + line.length + 1, column - 1)
	return { context: `${query.slice(0, offset).trimEnd()}\n`, body: query.slice(offset) }
}

const WORDS = {
	externalDataSource: 'EXTERNAL DATA SOURCE',
	externalTable: 'EXTERNAL TABLE',
	replication: 'ASYNC REPLICATION',
	transfer: 'TRANSFER',
} as const

/** What a transfer needs to be made again: its lambda without what YDB puts around it. Source: replication_utils.cpp of the CLI's dump. */
function lambdaContext(lambda = ''): string {
	const own = lambda
		.split('\n')
		.filter((line) => line !== 'PRAGMA OrderedColumns;' && !line.startsWith('$__ydb_transfer_lambda'))
	return own.map((line) => `${line}\n`).join('')
}

export function definitionText(
	database: string,
	name: string,
	kind: keyof typeof WORDS,
	{ text, lambda }: Definition,
): string {
	const unless = kind === 'replication' || kind === 'transfer' ? '' : 'IF NOT EXISTS '
	return statement(database, `${lambdaContext(lambda)}CREATE ${WORDS[kind]} ${unless}\`${name}\` ${text}`)
}
