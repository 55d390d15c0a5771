import type { MessageInitShape } from '@bufbuild/protobuf'
import {
	ChangefeedFormat_Format as Format,
	ChangefeedMode_Mode as Mode,
	type ChangefeedSchema,
	ColumnFamily_Compression as Compression,
	type ColumnFamilySchema,
} from '@ydbjs/api/table'
import type { DurationSchema } from '@bufbuild/protobuf/wkt'
import { YdbError } from '../error.ts'
import type { FamilyDefinition, FeedDefinition, Setting } from './ast.ts'
import { constantOf } from './evaluate.ts'
import { syntaxError } from './lexer.ts'
import type { QueryScope } from './query-scope.ts'
import { typeName } from './types.ts'

/** The text of a setting that is a string. */
export function textOf({ name, value, at }: Setting, scope: QueryScope): string {
	if (value.kind === 'text') return value.text
	if (value.kind === 'expression') {
		const { value: given } = constantOf(value.expression, scope)
		if (given instanceof Uint8Array) return Buffer.from(given).toString()
		if (typeof given === 'string') return given
	}
	throw syntaxError(at, `${name} value should be a string literal`)
}

/** Source: YDB takes booleans of settings as words, numbers and strings; which of them was not verified. */
export function booleanOf(setting: Setting, scope: QueryScope): boolean {
	const { name, value, at } = setting
	const word =
		value.kind === 'word'
			? value.word
			: value.kind === 'expression' && typeof constantOf(value.expression, scope).value === 'boolean'
				? String(constantOf(value.expression, scope).value).toUpperCase()
				: textOf(setting, scope).toUpperCase()
	if (word === 'TRUE' || word === 'ENABLED') return true
	if (word === 'FALSE' || word === 'DISABLED') return false
	throw syntaxError(at, `${name} value should be a boolean`)
}

export function numberOf({ name, value, at }: Setting, scope: QueryScope): bigint {
	if (value.kind === 'number') return value.value
	const given = value.kind === 'expression' ? constantOf(value.expression, scope).value : undefined
	if (typeof given !== 'bigint') throw syntaxError(at, `${name} value should be an integer`)
	return given
}

/** An Interval as a Duration. */
export function durationOf({ name, value, at }: Setting, scope: QueryScope): MessageInitShape<typeof DurationSchema> {
	const given = value.kind === 'expression' ? constantOf(value.expression, scope) : undefined
	if (!given || typeName(given.type) !== 'Interval' || typeof given.value !== 'bigint')
		throw syntaxError(at, `Literal of Interval type is expected for ${name}`)
	return { seconds: given.value / 1_000_000n, nanos: Number(given.value % 1_000_000n) * 1000 }
}

/** Source: YDB's documentation of column families. */
export function familyOf(family: FamilyDefinition, scope: QueryScope): MessageInitShape<typeof ColumnFamilySchema> {
	const out: MessageInitShape<typeof ColumnFamilySchema> = { name: family.name }
	for (const setting of family.settings) {
		const { name, at } = setting
		if (name === 'DATA') out.data = { media: textOf(setting, scope) }
		else if (name === 'COMPRESSION') {
			const word = textOf(setting, scope).toLowerCase()
			if (word === 'off') out.compression = Compression.NONE
			else if (word === 'lz4') out.compression = Compression.LZ4
			else throw new YdbError('UNSUPPORTED', `COMPRESSION ${word} is not emulated`, 0, { at })
		} else throw new YdbError('UNSUPPORTED', `the setting ${name} of a family is not emulated`, 0, { at })
	}
	return out
}

const MODES: Readonly<Record<string, Mode>> = {
	KEYS_ONLY: Mode.KEYS_ONLY,
	UPDATES: Mode.UPDATES,
	NEW_IMAGE: Mode.NEW_IMAGE,
	OLD_IMAGE: Mode.OLD_IMAGE,
	NEW_AND_OLD_IMAGES: Mode.NEW_AND_OLD_IMAGES,
}
const FORMATS: Readonly<Record<string, Format>> = {
	JSON: Format.JSON,
	DYNAMODB_STREAMS_JSON: Format.DYNAMODB_STREAMS_JSON,
	DEBEZIUM_JSON: Format.DEBEZIUM_JSON,
}

/** Source: YDB's documentation of ALTER TABLE … ADD CHANGEFEED. */
export function changefeedOf(feed: FeedDefinition, scope: QueryScope): MessageInitShape<typeof ChangefeedSchema> {
	const out: MessageInitShape<typeof ChangefeedSchema> = { name: feed.name }
	for (const setting of feed.settings) {
		const { name, at } = setting
		switch (name) {
			case 'MODE':
				out.mode = MODES[textOf(setting, scope).toUpperCase()] ?? wrong(setting, scope)
				break
			case 'FORMAT':
				out.format = FORMATS[textOf(setting, scope).toUpperCase()] ?? wrong(setting, scope)
				break
			case 'VIRTUAL_TIMESTAMPS':
				out.virtualTimestamps = booleanOf(setting, scope)
				break
			case 'INITIAL_SCAN':
				out.initialScan = booleanOf(setting, scope)
				break
			case 'RESOLVED_TIMESTAMPS':
				out.resolvedTimestampsInterval = durationOf(setting, scope)
				break
			case 'BARRIERS_INTERVAL':
				out.resolvedTimestampsInterval = durationOf(setting, scope)
				break
			case 'RETENTION_PERIOD':
				out.retentionPeriod = durationOf(setting, scope)
				break
			case 'TOPIC_MIN_ACTIVE_PARTITIONS':
				out.topicPartitioningSettings = {
					...out.topicPartitioningSettings,
					minActivePartitions: numberOf(setting, scope),
				} as never
				break
			case 'AWS_REGION':
				out.awsRegion = textOf(setting, scope)
				break
			default:
				throw new YdbError('UNSUPPORTED', `the changefeed setting ${name} is not emulated`, 0, { at })
		}
	}
	return out
}

function wrong(setting: Setting, scope: QueryScope): never {
	throw syntaxError(setting.at, `Unknown changefeed ${setting.name.toLowerCase()}: ${textOf(setting, scope)}`)
}
