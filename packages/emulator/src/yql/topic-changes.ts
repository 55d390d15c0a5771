import { create } from '@bufbuild/protobuf'
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt'
import {
	AlterAutoPartitioningSettingsSchema,
	AlterConsumerSchema,
	AlterPartitioningSettingsSchema,
	type AlterTopicRequest,
	AlterTopicRequestSchema,
	AutoPartitioningSettingsSchema,
	AutoPartitioningStrategy as Strategy,
	type Consumer,
	ConsumerSchema,
	type CreateTopicRequest,
	CreateTopicRequestSchema,
	MeteringMode,
	PartitioningSettingsSchema,
	type SupportedCodecs,
	SupportedCodecsSchema,
} from '@ydbjs/api/topic'
import { YdbError } from '../error.ts'
import type { Setting } from './ast.ts'
import { constantOf } from './evaluate.ts'
import type { ConsumerDefinition, ObjectAction } from './object-ast.ts'
import type { QueryScope } from './query-scope.ts'
import { booleanOf, durationOf, numberOf, textOf } from './table-settings.ts'
import { typeName } from './types.ts'

const CODECS: Readonly<Record<string, number>> = { RAW: 1, GZIP: 2, LZOP: 3, ZSTD: 4 }
const STRATEGIES: Readonly<Record<string, Strategy>> = {
	DISABLED: Strategy.DISABLED,
	UP: Strategy.SCALE_UP,
	UP_AND_DOWN: Strategy.SCALE_UP_AND_DOWN,
	PAUSED: Strategy.PAUSED,
}

function unknown({ name, at }: Setting, of: string): YdbError {
	return new YdbError('UNSUPPORTED', `the setting ${name} of a ${of} is not emulated`, 0, { at })
}

function wordOf(setting: Setting, scope: QueryScope): string {
	return setting.value.kind === 'word' ? setting.value.word : textOf(setting, scope).toUpperCase()
}

function codecsOf(setting: Setting, scope: QueryScope): SupportedCodecs {
	const codecs = textOf(setting, scope)
		.split(',')
		.map((name) => {
			const codec = CODECS[name.trim().toUpperCase()]
			if (codec === undefined) throw new YdbError('GENERIC_ERROR', `Unknown codec: ${name}`, 0, { at: setting.at })
			return codec
		})
	return create(SupportedCodecsSchema, { codecs })
}

function momentOf(setting: Setting, scope: QueryScope): Timestamp {
	const given = setting.value.kind === 'expression' ? constantOf(setting.value.expression, scope) : undefined
	if (typeof given?.value !== 'bigint') throw unknown(setting, 'consumer')
	const type = typeName(given.type)
	if (type === 'Timestamp')
		return create(TimestampSchema, {
			seconds: given.value / 1_000_000n,
			nanos: Number(given.value % 1_000_000n) * 1000,
		})
	if (type !== 'Datetime' && !/^U?Int/.test(type)) throw unknown(setting, 'consumer')
	return create(TimestampSchema, { seconds: given.value })
}

const duration = (setting: Setting, scope: QueryScope): Duration => create(DurationSchema, durationOf(setting, scope))

/** Source of the settings: YDB's documentation of CREATE TOPIC. */
function consumerOf({ name, settings }: ConsumerDefinition, scope: QueryScope): Consumer {
	const consumer = create(ConsumerSchema, { name })
	for (const setting of settings) {
		if (setting.name === 'IMPORTANT') consumer.important = booleanOf(setting, scope)
		else if (setting.name === 'READ_FROM') consumer.readFrom = momentOf(setting, scope)
		else if (setting.name === 'SUPPORTED_CODECS') consumer.supportedCodecs = codecsOf(setting, scope)
		else throw unknown(setting, 'consumer')
	}
	return consumer
}

function topicSettings(settings: readonly Setting[], scope: QueryScope): CreateTopicRequest {
	const out = create(CreateTopicRequestSchema)
	const partitioning = create(PartitioningSettingsSchema)
	for (const setting of settings) {
		switch (setting.name) {
			case 'RETENTION_PERIOD':
				out.retentionPeriod = duration(setting, scope)
				continue
			case 'RETENTION_STORAGE_MB':
				out.retentionStorageMb = numberOf(setting, scope)
				continue
			case 'SUPPORTED_CODECS':
				out.supportedCodecs = codecsOf(setting, scope)
				continue
			case 'PARTITION_WRITE_SPEED_BYTES_PER_SECOND':
				out.partitionWriteSpeedBytesPerSecond = numberOf(setting, scope)
				continue
			case 'PARTITION_WRITE_BURST_BYTES':
				out.partitionWriteBurstBytes = numberOf(setting, scope)
				continue
			case 'METERING_MODE': {
				const mode = MeteringMode[wordOf(setting, scope) as keyof typeof MeteringMode]
				if (!mode) throw unknown(setting, 'topic')
				out.meteringMode = mode
				continue
			}
			case 'MIN_ACTIVE_PARTITIONS':
				partitioning.minActivePartitions = numberOf(setting, scope)
				break
			case 'MAX_ACTIVE_PARTITIONS':
				partitioning.maxActivePartitions = numberOf(setting, scope)
				break
			case 'PARTITION_COUNT_LIMIT':
				partitioning.partitionCountLimit = numberOf(setting, scope)
				break
			case 'AUTO_PARTITIONING_STRATEGY': {
				const strategy = STRATEGIES[wordOf(setting, scope)]
				if (strategy === undefined) throw unknown(setting, 'topic')
				partitioning.autoPartitioningSettings = create(AutoPartitioningSettingsSchema, { strategy })
				break
			}
			default:
				throw unknown(setting, 'topic')
		}
		out.partitioningSettings = partitioning
	}
	return out
}

/** CREATE TOPIC as a request. */
export function createTopicOf(
	{ consumers, settings }: Extract<ObjectAction, { kind: 'createTopic' }>,
	path: string,
	scope: QueryScope,
): CreateTopicRequest {
	const request = topicSettings(settings, scope)
	request.path = path
	request.consumers = consumers.map((consumer) => consumerOf(consumer, scope))
	return request
}

/** ALTER TOPIC as a request. */
export function alterTopicOf(
	{ actions }: Extract<ObjectAction, { kind: 'alterTopic' }>,
	path: string,
	scope: QueryScope,
): AlterTopicRequest {
	const request = create(AlterTopicRequestSchema, { path })
	for (const action of actions) {
		switch (action.kind) {
			case 'addConsumer':
				request.addConsumers.push(consumerOf(action.consumer, scope))
				break
			case 'dropConsumer':
				request.dropConsumers.push(action.name)
				break
			case 'alterConsumer': {
				const { name, readFrom, supportedCodecs, important } = consumerOf(action.consumer, scope)
				const change = create(AlterConsumerSchema, { name })
				if (action.consumer.settings.some((setting) => setting.name === 'IMPORTANT')) change.setImportant = important
				if (readFrom) change.setReadFrom = readFrom
				if (supportedCodecs) change.setSupportedCodecs = supportedCodecs
				request.alterConsumers.push(change)
				break
			}
			case 'set':
				applySettings(request, topicSettings(action.settings, scope))
		}
	}
	return request
}

function applySettings(request: AlterTopicRequest, given: CreateTopicRequest): void {
	if (given.retentionPeriod) request.setRetentionPeriod = given.retentionPeriod
	if (given.retentionStorageMb) request.setRetentionStorageMb = given.retentionStorageMb
	if (given.supportedCodecs) request.setSupportedCodecs = given.supportedCodecs
	if (given.partitionWriteSpeedBytesPerSecond)
		request.setPartitionWriteSpeedBytesPerSecond = given.partitionWriteSpeedBytesPerSecond
	if (given.partitionWriteBurstBytes) request.setPartitionWriteBurstBytes = given.partitionWriteBurstBytes
	if (given.meteringMode) request.setMeteringMode = given.meteringMode
	const partitioning = given.partitioningSettings
	if (!partitioning) return
	const change = create(AlterPartitioningSettingsSchema)
	if (partitioning.minActivePartitions) change.setMinActivePartitions = partitioning.minActivePartitions
	if (partitioning.maxActivePartitions) change.setMaxActivePartitions = partitioning.maxActivePartitions
	if (partitioning.partitionCountLimit) change.setPartitionCountLimit = partitioning.partitionCountLimit
	const strategy = partitioning.autoPartitioningSettings?.strategy
	if (strategy !== undefined)
		change.alterAutoPartitioningSettings = create(AlterAutoPartitioningSettingsSchema, { setStrategy: strategy })
	request.alterPartitioningSettings = change
}
