import { create } from '@bufbuild/protobuf'
import { CoordinationServiceDefinition, CreateNodeRequestSchema } from '@ydbjs/api/coordination'
import type { Operation } from '@ydbjs/api/operation'
import { CreateResourceRequestSchema, RateLimiterServiceDefinition, ResourceSchema } from '@ydbjs/api/rate-limiter'
import {
	AlterTableRequestSchema,
	ChangefeedDescriptionSchema,
	ChangefeedSchema,
	TableServiceDefinition,
} from '@ydbjs/api/table'
import {
	AlterTopicRequestSchema,
	CreateTopicRequestSchema,
	DescribeTopicResultSchema,
	PartitioningSettingsSchema,
	TopicServiceDefinition,
} from '@ydbjs/api/topic'
import type { Driver } from '@ydbjs/core'
import {
	BackupError,
	type CallOptions,
	type DefinedKind,
	isBackupError,
	type ObjectDefinition,
	type ObjectPart,
} from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { SCHEME_QUERY_ISSUES } from '../call/failure.ts'
import { mustSucceed, resultOf } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { query, quotePath } from '../call/query.ts'
import { type IsDone, settle } from '../call/settle.ts'
import { carry } from '../proto/carry.ts'
import { messageOf } from '../proto/newer.ts'
import { kindAt } from '../scheme/find-object.ts'
import { describeTable } from '../scheme/table-description.ts'
import { CHANGEFEED } from './carriages.ts'

const CALL_MS = 120_000
const STATEMENT = { limitMs: CALL_MS, meanings: SCHEME_QUERY_ISSUES }

type Answer = Promise<{ readonly operation?: Operation | undefined }>

/** Makes a call until it is known how it ended. */
async function call(
	doing: string,
	{ signal }: CallOptions,
	send: (options: { signal: AbortSignal }) => Answer,
	isDone: IsDone,
): Promise<void> {
	await settle(
		{ doing, signal },
		async () => mustSucceed(await bounded(signal, CALL_MS, (bound) => send({ signal: bound })), doing),
		isDone,
	)
}

/** Paths are absolute. */
export async function createObject(
	driver: Driver,
	path: string,
	kind: DefinedKind,
	definition: ObjectDefinition,
	options: CallOptions = {},
): Promise<void> {
	const doing = `create ${kind} ${path}`
	const isDone = async (): Promise<boolean> => (await kindAt(driver, path, options)) === kind
	if (definition.form === 'statements') {
		await query(driver, definition.text, { doing, ...options, ...STATEMENT, isDone })
	} else if (kind === 'topic') {
		const request = messageOf(CreateTopicRequestSchema, definition.message)
		request.path = path
		await call(
			doing,
			options,
			(bound) => driver.createClient(TopicServiceDefinition).createTopic(request, bound),
			isDone,
		)
	} else if (kind === 'coordination-node') {
		const request = messageOf(CreateNodeRequestSchema, definition.message)
		request.path = path
		await call(
			doing,
			options,
			(bound) => driver.createClient(CoordinationServiceDefinition).createNode(request, bound),
			isDone,
		)
	} else throw new BackupError('INTERNAL', `cannot ${doing}: there is no such request`)
}

export async function createPart(
	driver: Driver,
	path: string,
	part: ObjectPart,
	options: CallOptions = {},
): Promise<void> {
	if (part.kind === 'changefeed') return createChangefeed(driver, path, part, options)
	const request = messageOf(CreateResourceRequestSchema, part.definition)
	request.coordinationNodePath = path
	request.resource ??= create(ResourceSchema)
	request.resource.resourcePath = part.name
	await call(
		`create the rate limiter ${part.name} of ${path}`,
		options,
		(bound) => driver.createClient(RateLimiterServiceDefinition).createResource(request, bound),
		({ code }) => code === 'PATH_EXISTS',
	)
}

async function createChangefeed(
	driver: Driver,
	path: string,
	{ name, definition, topic: told }: ObjectPart,
	options: CallOptions,
): Promise<void> {
	const topic = messageOf(DescribeTopicResultSchema, told ?? [])
	const feed = messageOf(
		ChangefeedSchema,
		carry(CHANGEFEED, messageOf(ChangefeedDescriptionSchema, definition)).request,
	)
	feed.name = name
	if (topic.retentionPeriod) feed.retentionPeriod = topic.retentionPeriod
	const { minActivePartitions, maxActivePartitions, autoPartitioningSettings } = topic.partitioningSettings ?? {}
	if (minActivePartitions)
		feed.topicPartitioningSettings = create(PartitioningSettingsSchema, {
			minActivePartitions,
			...(maxActivePartitions && { maxActivePartitions }),
			...(autoPartitioningSettings && { autoPartitioningSettings }),
		})
	const request = create(AlterTableRequestSchema, { path, addChangefeeds: [feed] })
	await call(
		`add the changefeed ${name} to ${path}`,
		options,
		(bound) => driver.createClient(TableServiceDefinition).alterTable(request, bound),
		async () => (await describeTable(driver, path, options)).changefeeds.some((there) => there.name === name),
	)
	if (topic.consumers.length === 0) return
	const alter = create(AlterTopicRequestSchema, { path: `${path}/${name}`, addConsumers: topic.consumers })
	const topics = driver.createClient(TopicServiceDefinition)
	await call(
		`add the consumers of the changefeed ${path}/${name}`,
		options,
		(bound) => topics.alterTopic(alter, bound),
		async () => {
			const doing = `look at the consumers of ${path}/${name}`
			const { consumers } = await patiently({ doing, signal: options.signal }, async () => {
				const answer = await bounded(options.signal, CALL_MS, (signal) =>
					topics.describeTopic({ path: alter.path }, { signal }),
				)
				return resultOf(DescribeTopicResultSchema, answer, doing)
			})
			return alter.addConsumers.every(({ name: wanted }) => consumers.some((there) => there.name === wanted))
		},
	)
}

const DROP: Readonly<Partial<Record<DefinedKind, string>>> = {
	view: 'VIEW',
	replication: 'ASYNC REPLICATION',
	transfer: 'TRANSFER',
	'external-table': 'EXTERNAL TABLE',
	'external-data-source': 'EXTERNAL DATA SOURCE',
}

/** Succeeds when it is gone. */
export async function dropObject(
	driver: Driver,
	path: string,
	kind: DefinedKind,
	options: CallOptions = {},
): Promise<void> {
	const doing = `drop ${kind} ${path}`
	const isDone = async (): Promise<boolean> => (await kindAt(driver, path, options)) === undefined
	try {
		const words = DROP[kind]
		if (words !== undefined) {
			const text = `DROP ${words} ${quotePath(path)};`
			await query(driver, text, { doing, ...options, ...STATEMENT, isDone })
		} else if (kind === 'topic') {
			await call(
				doing,
				options,
				(bound) => driver.createClient(TopicServiceDefinition).dropTopic({ path }, bound),
				isDone,
			)
		} else {
			await call(
				doing,
				options,
				(bound) => driver.createClient(CoordinationServiceDefinition).dropNode({ path }, bound),
				isDone,
			)
		}
	} catch (error) {
		if (!isBackupError(error, 'PATH_NOT_FOUND')) throw error
	}
}
