import type { ProtoText } from '../model/proto-text.ts'

/** Kinds of objects that a definition makes: all that a backup takes but directories and tables. */
export const DEFINED_KINDS = [
	'view',
	'topic',
	'coordination-node',
	'external-data-source',
	'external-table',
	'replication',
	'transfer',
] as const

export type DefinedKind = (typeof DEFINED_KINDS)[number]

/**
 * What makes an object: a request to the server without path (`CreateTopicRequest`, `CreateNodeRequest`), or YQL. The last statement of
 * YQL creates the object; the ones before it are its context: pragmas and named expressions, and nothing else.
 */
export type ObjectDefinition =
	| { readonly form: 'message'; readonly message: ProtoText }
	| { readonly form: 'statements'; readonly text: string }

/** Something that lives in another object and is not listed: a changefeed of a table, a rate limiter of a coordination node. */
export interface ObjectPart {
	readonly kind: 'changefeed' | 'rate-limiter'
	/** Relative to the object: the changefeed's name, the path of the limiter's resource. */
	readonly name: string
	/** `Ydb.Table.ChangefeedDescription`, or `Ydb.RateLimiter.CreateResourceRequest` without paths. */
	readonly definition: ProtoText
	/** Of a changefeed: its topic as `Ydb.Topic.DescribeTopicResult` without `self` and statistics: retention, partitions, consumers. */
	readonly topic?: ProtoText | undefined
}

/** An object as it is at the moment of the call: it belongs to no snapshot. */
export interface SchemeObject {
	/** Relative to the database. */
	readonly path: string
	/** A row table has {@link parts} alone: its scheme is a snapshot's. */
	readonly kind: DefinedKind | 'row-table'
	/** Undefined for a row table. YQL of a view is what the server keeps: its context and its SELECT, without CREATE VIEW. */
	readonly definition: ObjectDefinition | undefined
	/** Changefeeds in the order of their table, limiters in that of their names, so that each comes after the one it is below. */
	readonly parts: readonly ObjectPart[]
	/** What belongs to it and cannot be taken, as fragments for people: messages, values of secrets. */
	readonly lacking: readonly string[]
}
