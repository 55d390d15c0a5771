import { create } from '@bufbuild/protobuf'
import {
	CoordinationServiceDefinition,
	CreateNodeRequestSchema,
	DescribeNodeResultSchema,
} from '@ydbjs/api/coordination'
import {
	CreateResourceRequestSchema,
	DescribeResourceResultSchema,
	ListResourcesResultSchema,
	RateLimiterServiceDefinition,
} from '@ydbjs/api/rate-limiter'
import { ChangefeedDescriptionSchema } from '@ydbjs/api/table'
import {
	CreateTopicRequestSchema,
	type DescribeTopicResult,
	DescribeTopicResultSchema,
	TopicServiceDefinition,
} from '@ydbjs/api/topic'
import type { Driver } from '@ydbjs/core'
import type { CallOptions, DefinedKind, ObjectDefinition, ObjectPart, SchemeObject } from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { bounded } from '../call/bounded.ts'
import { resultOf } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import {
	DescribeExternalDataSourceResultSchema,
	DescribeExternalTableResultSchema,
	DescribeReplicationResultSchema,
	DescribeTransferResultSchema,
	DescribeViewResultSchema,
} from '../gen/ydb_objects_pb.ts'
import { toProtoText } from '../proto/message-text.ts'
import { describeTable } from '../scheme/table-description.ts'
import { describeBy } from './describe-service.ts'
import {
	dataSourceStatement,
	externalTableStatement,
	replicationStatement,
	secretsOf,
	secretsOfSource,
	transferStatement,
} from './statements.ts'

const CALL_MS = 30_000
/** How streams of a backup collection end; they are the server's own. Source: `schemeshard_cdc_stream_common.cpp`; whether DescribeTable tells them is not verified. */
const COLLECTION_STREAM = '_continuousBackupImpl'

export interface DescribeContext {
	readonly control: Driver
	readonly database: string
}

type Found = Pick<SchemeObject, 'definition' | 'parts' | 'lacking'>

const statements = (text: string): ObjectDefinition => ({ form: 'statements', text })

function found(
	definition: ObjectDefinition,
	lacking: readonly string[] = [],
	parts: readonly ObjectPart[] = [],
): Found {
	return { definition, parts, lacking }
}

const secretsLack = (names: readonly string[]): string[] =>
	names.map((name) => `the value of the secret ${name}, which must exist where it is restored`)

/** An object as it is now. */
export async function describeObject(
	context: DescribeContext,
	{ path, kind }: { readonly path: string; readonly kind: DefinedKind | 'row-table' },
	options: CallOptions = {},
): Promise<SchemeObject> {
	const name = path.slice(path.lastIndexOf('/') + 1)
	const read: Describe = DESCRIBE[kind]
	return { path, kind, ...(await read(context.control, `${context.database}/${path}`, name, options)) }
}

type Describe = (driver: Driver, path: string, name: string, options: CallOptions) => Promise<Found>

const DESCRIBE: Readonly<Record<DefinedKind | 'row-table', Describe>> = {
	'row-table': async (driver, path, _name, options) => {
		const { changefeeds } = await describeTable(driver, path, options)
		const own = changefeeds.filter(({ name }) => !name.endsWith(COLLECTION_STREAM))
		const parts = await forEachAbreast(own, async (feed): Promise<ObjectPart> => ({
			kind: 'changefeed',
			name: feed.name,
			definition: toProtoText(ChangefeedDescriptionSchema, feed),
			topic: toProtoText(
				DescribeTopicResultSchema,
				bareTopic(await describeTopic(driver, `${path}/${feed.name}`, options)),
			),
		}))
		return { definition: undefined, parts, lacking: [] }
	},
	async topic(driver, path, _name, options) {
		const topic = bareTopic(await describeTopic(driver, path, options))
		const { partitioningSettings, retentionPeriod, supportedCodecs, attributes, consumers, meteringMode } = topic
		const request = create(CreateTopicRequestSchema, {
			retentionStorageMb: topic.retentionStorageMb,
			partitionWriteSpeedBytesPerSecond: topic.partitionWriteSpeedBytesPerSecond,
			partitionWriteBurstBytes: topic.partitionWriteBurstBytes,
			attributes,
			consumers,
			meteringMode,
			...(partitioningSettings && { partitioningSettings }),
			...(retentionPeriod && { retentionPeriod }),
			...(supportedCodecs && { supportedCodecs }),
		})
		const message = toProtoText(CreateTopicRequestSchema, request)
		return found({ form: 'message', message }, ['its messages, and where its consumers are in them'])
	},
	'coordination-node': async (driver, path, _name, options) => {
		const client = driver.createClient(CoordinationServiceDefinition)
		const doing = `describe ${path}`
		const { config } = await patiently({ doing, ...options }, async () =>
			resultOf(
				DescribeNodeResultSchema,
				await bounded(options.signal, CALL_MS, (signal) => client.describeNode({ path }, { signal })),
				doing,
			),
		)
		if (config) config.path = ''
		const request = create(CreateNodeRequestSchema, config ? { config } : {})
		const message = toProtoText(CreateNodeRequestSchema, request)
		return found({ form: 'message', message }, [], await rateLimiters(driver, path, options))
	},
	async view(driver, path, _name, options) {
		const { description } = await describeBy(driver, 'view', path, DescribeViewResultSchema, options)
		return found(statements(description?.queryText ?? ''))
	},
	async replication(driver, path, name, options) {
		const told = await describeBy(driver, 'replication', path, DescribeReplicationResultSchema, options)
		return found(statements(replicationStatement(name, told)), secretsLack(secretsOf(told.connectionParams)))
	},
	async transfer(driver, path, name, options) {
		const told = await describeBy(driver, 'transfer', path, DescribeTransferResultSchema, options)
		return found(statements(transferStatement(name, told)), secretsLack(secretsOf(told.connectionParams)))
	},
	'external-data-source': async (driver, path, name, options) => {
		const told = await describeBy(driver, 'externalDataSource', path, DescribeExternalDataSourceResultSchema, options)
		return found(statements(dataSourceStatement(name, told)), secretsLack(secretsOfSource(told)))
	},
	'external-table': async (driver, path, name, options) => {
		const told = await describeBy(driver, 'externalTable', path, DescribeExternalTableResultSchema, options)
		return found(statements(externalTableStatement(name, told)))
	},
}

async function describeTopic(driver: Driver, path: string, { signal }: CallOptions): Promise<DescribeTopicResult> {
	const client = driver.createClient(TopicServiceDefinition)
	const doing = `describe topic ${path}`
	return patiently({ doing, signal }, async () =>
		resultOf(
			DescribeTopicResultSchema,
			await bounded(signal, CALL_MS, (bound) => client.describeTopic({ path }, { signal: bound })),
			doing,
		),
	)
}

/** What of a description is no matter of one server and one moment. */
function bareTopic(topic: DescribeTopicResult): DescribeTopicResult {
	delete topic.self
	delete topic.topicStats
	for (const consumer of topic.consumers) delete consumer.consumerStats
	return topic
}

async function rateLimiters(driver: Driver, path: string, { signal }: CallOptions): Promise<ObjectPart[]> {
	const client = driver.createClient(RateLimiterServiceDefinition)
	const doing = `list the rate limiters of ${path}`
	const { resourcePaths } = await patiently({ doing, signal }, async () =>
		resultOf(
			ListResourcesResultSchema,
			await bounded(signal, CALL_MS, (bound) =>
				client.listResources({ coordinationNodePath: path, recursive: true }, { signal: bound }),
			),
			doing,
		),
	)
	return forEachAbreast(resourcePaths.toSorted(), async (resourcePath): Promise<ObjectPart> => {
		const reading = `describe the rate limiter ${resourcePath} of ${path}`
		const { resource } = await patiently({ doing: reading, signal }, async () =>
			resultOf(
				DescribeResourceResultSchema,
				await bounded(signal, CALL_MS, (bound) =>
					client.describeResource({ coordinationNodePath: path, resourcePath }, { signal: bound }),
				),
				reading,
			),
		)
		if (resource) resource.resourcePath = ''
		const request = create(CreateResourceRequestSchema, resource ? { resource } : {})
		return { kind: 'rate-limiter', name: resourcePath, definition: toProtoText(CreateResourceRequestSchema, request) }
	})
}
