import { clone, create, type MessageInitShape } from '@bufbuild/protobuf'
import { type Config, ConfigSchema, ConsistencyMode, RateLimiterCountersMode } from '@ydbjs/api/coordination'
import type { Resource } from '@ydbjs/api/rate-limiter'
import { type CreateTopicRequest, CreateTopicRequestSchema } from '@ydbjs/api/topic'

/** What stands at a path, by the kind of its node. */
export interface Contents {
	readonly topic: { spec: CreateTopicRequest }
	/** The text after AS, as it was written. */
	readonly view: { readonly query: string }
	readonly coordination: { config: Config; readonly resources: Map<string, Resource> }
	readonly externalDataSource: Definition
	readonly externalTable: Definition
	readonly replication: Definition
	readonly transfer: Definition
}

/** A scheme object that is kept as it was written: nothing is read from it or through it. */
export interface Definition {
	readonly settings: Readonly<Record<string, string>>
	/** What follows its name in CREATE. */
	readonly text: string
	/** Of a replication and a transfer: absolute paths; the first is one of the other database. */
	readonly targets?: readonly (readonly [from: string, to: string])[]
	/** Of a transfer, with the statements that it needs, as YDB keeps it. */
	readonly lambda?: string
}

/** A topic with YDB's defaults where nothing was asked for. Source: YDB's documentation of CREATE TOPIC. */
export function topicOf(init: MessageInitShape<typeof CreateTopicRequestSchema>): Contents['topic'] {
	const spec = clone(CreateTopicRequestSchema, create(CreateTopicRequestSchema, init))
	spec.path = ''
	delete spec.operationParams
	return { spec }
}

/** What YDB answers for settings that were left out is a guess. */
export function coordinationOf(config: Config | undefined): Contents['coordination'] {
	const given = config ? clone(ConfigSchema, config) : create(ConfigSchema)
	given.path = ''
	given.selfCheckPeriodMillis ||= 1000
	given.sessionGracePeriodMillis ||= 10_000
	given.readConsistencyMode ||= ConsistencyMode.RELAXED
	given.attachConsistencyMode ||= ConsistencyMode.STRICT
	given.rateLimiterCountersMode ||= RateLimiterCountersMode.AGGREGATED
	return { config: given, resources: new Map() }
}

/** Where a replication or a transfer reads; undefined for one of its own database. */
export function connectionOf(
	settings: Readonly<Record<string, string>>,
): { readonly endpoint: string; readonly database: string; readonly isSecure: boolean } | undefined {
	const text = settings['CONNECTION_STRING']
	const url = text === undefined ? undefined : URL.parse(text.replace(/^grpc/, 'http'))
	if (!url) return undefined
	return {
		endpoint: url.host,
		database: (url.searchParams.get('database') ?? url.pathname).replace(/\/+$/, ''),
		isSecure: url.protocol === 'https:',
	}
}
