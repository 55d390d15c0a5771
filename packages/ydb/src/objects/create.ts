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
import { mustSucceed } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { query, quotePath } from '../call/query.ts'
import { carry } from '../proto/carry.ts'
import { messageOf } from '../proto/newer.ts'
import { CHANGEFEED } from './carriages.ts'

const CALL_MS = 120_000

type Answer = Promise<{ readonly operation?: Operation | undefined }>

/** Makes a call until it is answered. What is there already after an answer was lost is what that call has made. */
async function call(
	doing: string,
	{ signal }: CallOptions,
	send: (options: { signal: AbortSignal }) => Answer,
): Promise<void> {
	let isUncertain = false
	const onRetry = ({ code }: BackupError): void => {
		if (code === 'DATABASE_UNREACHABLE' || code === 'DEADLINE_EXCEEDED') isUncertain = true
	}
	try {
		await patiently({ doing, signal, onRetry }, async () =>
			mustSucceed(await bounded(signal, CALL_MS, (bound) => send({ signal: bound })), doing),
		)
	} catch (error) {
		if (!isUncertain || !isBackupError(error, 'PATH_EXISTS')) throw error
	}
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
	if (definition.form === 'statements') {
		await query(driver, definition.text, { doing, ...options, limitMs: CALL_MS, meanings: SCHEME_QUERY_ISSUES })
	} else if (kind === 'topic') {
		const request = messageOf(CreateTopicRequestSchema, definition.message)
		request.path = path
		await call(doing, options, (bound) => driver.createClient(TopicServiceDefinition).createTopic(request, bound))
	} else if (kind === 'coordination-node') {
		const request = messageOf(CreateNodeRequestSchema, definition.message)
		request.path = path
		await call(doing, options, (bound) => driver.createClient(CoordinationServiceDefinition).createNode(request, bound))
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
	await call(`create the rate limiter ${part.name} of ${path}`, options, (bound) =>
		driver.createClient(RateLimiterServiceDefinition).createResource(request, bound),
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
	await call(`add the changefeed ${name} to ${path}`, options, (bound) =>
		driver.createClient(TableServiceDefinition).alterTable(request, bound),
	)
	if (topic.consumers.length === 0) return
	const alter = create(AlterTopicRequestSchema, { path: `${path}/${name}`, addConsumers: topic.consumers })
	await call(`add the consumers of the changefeed ${path}/${name}`, options, (bound) =>
		driver.createClient(TopicServiceDefinition).alterTopic(alter, bound),
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
	try {
		const words = DROP[kind]
		if (words !== undefined) {
			const text = `DROP ${words} ${quotePath(path)};`
			await query(driver, text, { doing, ...options, limitMs: CALL_MS, meanings: SCHEME_QUERY_ISSUES })
		} else if (kind === 'topic') {
			await call(doing, options, (bound) => driver.createClient(TopicServiceDefinition).dropTopic({ path }, bound))
		} else {
			await call(doing, options, (bound) =>
				driver.createClient(CoordinationServiceDefinition).dropNode({ path }, bound),
			)
		}
	} catch (error) {
		if (!isBackupError(error, 'PATH_NOT_FOUND')) throw error
	}
}
