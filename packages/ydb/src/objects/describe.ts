import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf'
import { CoordinationServiceDefinition, DescribeNodeResultSchema } from '@ydbjs/api/coordination'
import {
	DescribeResourceResultSchema,
	ListResourcesResultSchema,
	RateLimiterServiceDefinition,
} from '@ydbjs/api/rate-limiter'
import { ChangefeedDescriptionSchema } from '@ydbjs/api/table'
import { type DescribeTopicResult, DescribeTopicResultSchema, TopicServiceDefinition } from '@ydbjs/api/topic'
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
import { type Carriage, carry } from '../proto/carry.ts'
import { toProtoText, unknownPlaces } from '../proto/message-text.ts'
import { treeOf } from '../proto/newer.ts'
import { describeTable } from '../scheme/table-description.ts'
import { CHANGEFEED, COORDINATION_NODE, RATE_LIMITER, TABLE, TOPIC } from './carriages.ts'
import { describeBy, type Described } from './describe-service.ts'
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

const unknownField = (place: string): string => `what it has in ${place}, which this version does not know`
const lostIn = (carriage: Carriage, description: Message): string[] =>
	carry(carriage, description).lost.map(unknownField)

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
	// Tables stored by columns are described in the same way.
	'row-table': async (driver, path, _name, options) => {
		const table = await describeTable(driver, path, options)
		const own = table.changefeeds.filter(({ name }) => !name.endsWith(COLLECTION_STREAM))
		const parts = await forEachAbreast(own, async (feed): Promise<ObjectPart> => ({
			kind: 'changefeed',
			name: feed.name,
			definition: treeOf(ChangefeedDescriptionSchema, feed),
			topic: toProtoText(
				DescribeTopicResultSchema,
				bareTopic(await describeTopic(driver, `${path}/${feed.name}`, options)),
			),
		}))
		const feeds = own.flatMap((feed) =>
			lostIn(CHANGEFEED, feed).map((what) => `of its changefeed ${feed.name}, ${what}`),
		)
		return { definition: undefined, parts, lacking: [...lostIn(TABLE, table), ...feeds] }
	},
	async topic(driver, path, _name, options) {
		const topic = await describeTopic(driver, path, options)
		const { request: message, lost } = carry(TOPIC, topic)
		return found({ form: 'message', message }, [
			'its messages, and where its consumers are in them',
			...lost.map(unknownField),
		])
	},
	'coordination-node': async (driver, path, _name, options) => {
		const client = driver.createClient(CoordinationServiceDefinition)
		const doing = `describe ${path}`
		const node = await patiently({ doing, ...options }, async () =>
			resultOf(
				DescribeNodeResultSchema,
				await bounded(options.signal, CALL_MS, (signal) => client.describeNode({ path }, { signal })),
				doing,
			),
		)
		const { request: message, lost } = carry(COORDINATION_NODE, node)
		return found({ form: 'message', message }, lost.map(unknownField), await rateLimiters(driver, path, options))
	},
	async view(driver, path, _name, options) {
		const { told, lost } = await draft(driver, 'view', path, DescribeViewResultSchema, options)
		return found(statements(told.description?.queryText ?? ''), lost)
	},
	async replication(driver, path, name, options) {
		const { told, lost } = await draft(driver, 'replication', path, DescribeReplicationResultSchema, options)
		const lacking = [...secretsLack(secretsOf(told.connectionParams)), ...lost]
		return found(statements(replicationStatement(name, told)), lacking)
	},
	async transfer(driver, path, name, options) {
		const { told, lost } = await draft(driver, 'transfer', path, DescribeTransferResultSchema, options)
		const lacking = [...secretsLack(secretsOf(told.connectionParams)), ...lost]
		return found(statements(transferStatement(name, told)), lacking)
	},
	'external-data-source': async (driver, path, name, options) => {
		const { told, lost } = await draft(
			driver,
			'externalDataSource',
			path,
			DescribeExternalDataSourceResultSchema,
			options,
		)
		return found(statements(dataSourceStatement(name, told)), [...secretsLack(secretsOfSource(told)), ...lost])
	},
	'external-table': async (driver, path, name, options) => {
		const { told, lost } = await draft(driver, 'externalTable', path, DescribeExternalTableResultSchema, options)
		return found(statements(externalTableStatement(name, told)), lost)
	},
}

/** By places: what of these descriptions is the state of one server, and not read. Source: as that of ydb_objects.proto; 9 is a guess. */
const STATES: Readonly<Record<Described, readonly string[]>> = {
	view: ['1'],
	replication: ['1', '4', '5', '6', '9', 'items.3', 'items.4', 'items.5'],
	transfer: ['1', '3', '4', '5', '6'],
	externalDataSource: ['1'],
	externalTable: ['1', '2'],
}

/** A description by a service that may tell more than this version knows of. */
async function draft<D extends DescMessage>(
	driver: Driver,
	what: Described,
	path: string,
	desc: D,
	options: CallOptions,
): Promise<{ readonly told: MessageShape<D>; readonly lost: string[] }> {
	const told = await describeBy(driver, what, path, desc, options)
	const places = unknownPlaces(toProtoText(desc, told)).filter((place) => !STATES[what].includes(place))
	return { told, lost: places.map(unknownField) }
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
		const described = await patiently({ doing: reading, signal }, async () =>
			resultOf(
				DescribeResourceResultSchema,
				await bounded(signal, CALL_MS, (bound) =>
					client.describeResource({ coordinationNodePath: path, resourcePath }, { signal: bound }),
				),
				reading,
			),
		)
		return { kind: 'rate-limiter', name: resourcePath, definition: carry(RATE_LIMITER, described).request }
	})
}
