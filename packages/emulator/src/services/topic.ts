import { create, fromBinary } from '@bufbuild/protobuf'
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import {
	type AlterTopicRequest,
	AlterTopicRequestSchema,
	AutoPartitioningSettingsSchema,
	AutoPartitioningStrategy as Strategy,
	type Consumer,
	ConsumerSchema,
	CreateTopicRequestSchema,
	DescribeConsumerRequestSchema,
	DescribeConsumerResult_PartitionInfoSchema,
	DescribeConsumerResultSchema,
	DescribeTopicRequestSchema,
	DescribeTopicResult_PartitionInfoSchema,
	DescribeTopicResultSchema,
	DropTopicRequestSchema,
	OffsetsRangeSchema,
	PartitioningSettingsSchema,
	PartitionLocationSchema,
	PartitionStatsSchema,
	TopicServiceDefinition as TopicService,
} from '@ydbjs/api/topic'
import { YdbError } from '../error.ts'
import { type Contents, topicOf } from '../scheme/objects.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { success } from './envelope.ts'
import type { ControlMethods } from './control.ts'
import { entryOf } from './scheme.ts'

const DAY_SECONDS = 86_400n
/** All partitions of topics are told to be there: nobody reads messages from them. */
const FIRST_NODE = 1
const SPEED_BYTES = 1_048_576n

type Spec = Contents['topic']['spec']

/** Source: the consumer in the documentation's topic_description.pb. */
function withDefaults(consumer: Consumer): Consumer {
	const attributes = { _service_type: 'data-streams', ...consumer.attributes }
	return create(ConsumerSchema, { ...consumer, readFrom: consumer.readFrom ?? create(TimestampSchema), attributes })
}

function addConsumer(spec: Spec, consumer: Consumer): void {
	if (consumer.name === '') throw new YdbError('BAD_REQUEST', 'consumer with empty name is forbidden')
	if (spec.consumers.some(({ name }) => name === consumer.name))
		throw new YdbError('BAD_REQUEST', `Duplicate consumer name ${consumer.name}`)
	spec.consumers.push(withDefaults(consumer))
}

/** The defaults, and that without a strategy the most partitions are not kept, are as servers 25.1 and 26.2 were measured. */
function complete(spec: Spec): void {
	spec.retentionPeriod ??= create(DurationSchema, { seconds: DAY_SECONDS })
	spec.partitioningSettings ??= create(PartitioningSettingsSchema)
	spec.partitioningSettings.minActivePartitions ||= 1n
	spec.partitionWriteSpeedBytesPerSecond ||= SPEED_BYTES
	spec.partitionWriteBurstBytes ||= spec.partitionWriteSpeedBytesPerSecond
	const settings = spec.partitioningSettings
	if (grows(settings)) {
		if (settings.maxActivePartitions !== 0n && settings.maxActivePartitions < settings.minActivePartitions)
			throw new YdbError('BAD_REQUEST', 'max active partitions must be greater than or equal to min active partitions')
	} else settings.maxActivePartitions = 1n
}

/** Whether partitions split by themselves. */
function grows({ autoPartitioningSettings: auto }: NonNullable<Spec['partitioningSettings']>): boolean {
	return (auto?.strategy ?? Strategy.UNSPECIFIED) > Strategy.DISABLED
}

/** The topic at a path: one of its own, or that of a changefeed. */
function topicAt(tree: SchemeTree, path: string): Contents['topic'] {
	return tree.contents(path, 'topic')
}

function alter(tree: SchemeTree, request: AlterTopicRequest): void {
	const holder = topicAt(tree, request.path)
	const { spec } = topicOf(holder.spec)
	const ofFeed = tree.get(request.path).kind === 'changefeed'
	const partitioning = request.alterPartitioningSettings
	if (partitioning) {
		if (ofFeed) throw new YdbError('BAD_REQUEST', 'the partitions of a changefeed cannot be changed')
		const settings = (spec.partitioningSettings ??= create(PartitioningSettingsSchema))
		if ((partitioning.setMinActivePartitions ?? settings.minActivePartitions) < settings.minActivePartitions)
			throw new YdbError('BAD_REQUEST', 'Invalid total groups count specified')
		settings.minActivePartitions = partitioning.setMinActivePartitions ?? settings.minActivePartitions
		settings.maxActivePartitions = partitioning.setMaxActivePartitions ?? settings.maxActivePartitions
		settings.partitionCountLimit = partitioning.setPartitionCountLimit ?? settings.partitionCountLimit
		const strategy = partitioning.alterAutoPartitioningSettings?.setStrategy
		if (strategy === Strategy.DISABLED && grows(settings))
			throw new YdbError('BAD_REQUEST', "Can't disable auto partitioning.")
		if (strategy !== undefined)
			settings.autoPartitioningSettings = create(AutoPartitioningSettingsSchema, {
				...settings.autoPartitioningSettings,
				strategy,
			})
	}
	if (request.setRetentionPeriod) spec.retentionPeriod = request.setRetentionPeriod
	spec.retentionStorageMb = request.setRetentionStorageMb ?? spec.retentionStorageMb
	if (request.setSupportedCodecs) spec.supportedCodecs = request.setSupportedCodecs
	spec.partitionWriteSpeedBytesPerSecond =
		request.setPartitionWriteSpeedBytesPerSecond ?? spec.partitionWriteSpeedBytesPerSecond
	spec.partitionWriteBurstBytes = request.setPartitionWriteBurstBytes ?? spec.partitionWriteBurstBytes
	if (request.setMeteringMode) spec.meteringMode = request.setMeteringMode
	for (const [key, value] of Object.entries(request.alterAttributes)) {
		if (value === '') delete spec.attributes[key]
		else spec.attributes[key] = value
	}
	for (const name of request.dropConsumers) {
		if (!spec.consumers.some((consumer) => consumer.name === name))
			throw new YdbError('NOT_FOUND', `Consumer '${name}' does not exist`)
		spec.consumers = spec.consumers.filter((consumer) => consumer.name !== name)
	}
	for (const consumer of request.addConsumers) addConsumer(spec, consumer)
	for (const { name, setImportant, setReadFrom, setSupportedCodecs, alterAttributes } of request.alterConsumers) {
		const consumer = spec.consumers.find((each) => each.name === name)
		if (!consumer) throw new YdbError('NOT_FOUND', `Consumer '${name}' does not exist`)
		consumer.important = setImportant ?? consumer.important
		if (setReadFrom) consumer.readFrom = setReadFrom
		if (setSupportedCodecs) consumer.supportedCodecs = setSupportedCodecs
		Object.assign(consumer.attributes, alterAttributes)
	}
	complete(spec)
	holder.spec = spec
}

interface Asked {
	readonly includeStats: boolean
	readonly includeLocation: boolean
}

function partitionsOf(spec: Spec, { includeStats, includeLocation }: Asked): object[] {
	return Array.from({ length: Number(spec.partitioningSettings!.minActivePartitions) }, (_, at) => ({
		partitionId: BigInt(at),
		active: true,
		...(includeStats && {
			partitionStats: create(PartitionStatsSchema, {
				partitionOffsets: create(OffsetsRangeSchema),
				partitionNodeId: FIRST_NODE,
			}),
		}),
		...(includeLocation && {
			partitionLocation: create(PartitionLocationSchema, { nodeId: FIRST_NODE, generation: 1n }),
		}),
	}))
}

/** Topics as objects; their messages are not emulated. */
export const topicMethods: ControlMethods = {
	[TopicService.createTopic.path]: {
		changes: true,
		run: (tree, bytes, user) => {
			const request = fromBinary(CreateTopicRequestSchema, bytes)
			const { spec } = topicOf(request)
			const consumers = spec.consumers
			spec.consumers = []
			for (const consumer of consumers) addConsumer(spec, consumer)
			complete(spec)
			if (tree.find(request.path)?.kind === 'topic')
				throw new YdbError('ALREADY_EXISTS', `Check failed: path: '${request.path}', error: path exist`, 2003)
			tree.addObject(request.path, 'topic', { spec }, user)
			return success()
		},
	},
	[TopicService.alterTopic.path]: {
		changes: true,
		run: (tree, bytes) => {
			alter(tree, fromBinary(AlterTopicRequestSchema, bytes))
			return success()
		},
	},
	[TopicService.dropTopic.path]: {
		changes: true,
		run: (tree, bytes) => {
			tree.remove(fromBinary(DropTopicRequestSchema, bytes).path, 'topic')
			return success()
		},
	},
	[TopicService.describeTopic.path]: {
		changes: false,
		run: (tree, bytes) => {
			const request = fromBinary(DescribeTopicRequestSchema, bytes)
			const { spec } = topicAt(tree, request.path)
			const { path: _path, operationParams: _params, $typeName: _name, $unknown: _unknown, ...settings } = spec
			const partitions = partitionsOf(spec, request).map((each) =>
				create(DescribeTopicResult_PartitionInfoSchema, each),
			)
			const self = entryOf(tree, request.path, tree.get(request.path))
			return success(DescribeTopicResultSchema, create(DescribeTopicResultSchema, { ...settings, self, partitions }))
		},
	},
	[TopicService.describeConsumer.path]: {
		changes: false,
		run: (tree, bytes) => {
			const request = fromBinary(DescribeConsumerRequestSchema, bytes)
			const { spec } = topicAt(tree, request.path)
			const consumer = spec.consumers.find(({ name }) => name === request.consumer)
			if (!consumer) throw new YdbError('SCHEME_ERROR', `no consumer '${request.consumer}' in topic`)
			const partitions = partitionsOf(spec, request).map((each) =>
				create(DescribeConsumerResult_PartitionInfoSchema, each),
			)
			const self = entryOf(tree, request.path, tree.get(request.path))
			return success(DescribeConsumerResultSchema, create(DescribeConsumerResultSchema, { self, consumer, partitions }))
		},
	},
}
