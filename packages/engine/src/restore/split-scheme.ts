import {
	messageField,
	protoField,
	protoFields,
	protoMessage,
	protoString,
	type ProtoText,
	type ProtoValue,
	scalarField,
} from '@ydbackup/core'

import { isColumnTable } from '../part/column-table.ts'

/** A sequence that gives a column its values, and where it was. */
export interface SequenceState {
	readonly column: string
	readonly nextValue: bigint
	readonly isRising: boolean
	/** Whether `nextValue` itself has been given out. */
	readonly nextUsed: boolean
}

/** A table's scheme in the order in which a restore applies it. */
export interface SchemePhases {
	/** `CreateTableRequest`: without TTL and all but unique indexes, and with automatic splits off, so that partitions stay while rows come in. */
	readonly create: ProtoText
	/** Names of the indexes that `create` has: a unique one cannot be added to a table that exists. */
	readonly uniqueIndexes: readonly string[]
	/** One `AlterTableRequest` for each index: the server builds one at a time. */
	readonly indexes: readonly { readonly name: string; readonly change: ProtoText }[]
	readonly sequences: readonly SequenceState[]
	/** `AlterTableRequest` that gives back the partitioning settings; undefined when `create` has them already. */
	readonly partitioning: ProtoText | undefined
	/** `AlterTableRequest` that switches the TTL on; undefined when there is none. */
	readonly ttl: ProtoText | undefined
}

const SPLIT_SWITCHES = ['partitioning_by_size', 'partitioning_by_load']

/** Splits a `CreateTableRequest` into what is done before the rows and what is done after them. Nothing is lost between them. */
export function splitScheme(scheme: ProtoText): SchemePhases {
	const settings = protoMessage(scheme, 'partitioning_settings')
	// Partitions of a column table do not move while rows come in.
	const quiet = isColumnTable(scheme) ? undefined : withoutSplits(settings)
	const ttl = protoField(scheme, 'ttl_settings')
	const all = protoFields(scheme, 'indexes')
	const unique = new Set(all.filter(isUnique))
	const create = scheme
		.filter(
			({ name, value }) =>
				name !== 'ttl_settings' && (name !== 'indexes' || unique.has(value)) && !isReplicaMark(name, value),
		)
		.map((field) =>
			field.name === 'partitioning_settings' && quiet !== undefined ? messageField(field.name, quiet) : field,
		)
	return {
		create,
		uniqueIndexes: Array.from(unique, nameOf),
		indexes: all
			.filter((value) => !unique.has(value))
			.map((value) => ({
				name: nameOf(value),
				change: [{ name: 'add_indexes', value }],
			})),
		sequences: protoFields(scheme, 'columns').flatMap(sequenceOf),
		partitioning: quiet === undefined ? undefined : [messageField('alter_partitioning_settings', settings)],
		ttl: ttl === undefined ? undefined : [{ name: 'set_ttl_settings', value: ttl }],
	}
}

/** The settings with every enabled split switch off; undefined when none is enabled. A size limit without the switch is refused by YDB. */
function withoutSplits(settings: ProtoText): ProtoText | undefined {
	const enabled = SPLIT_SWITCHES.filter((name) => protoString(settings, name) === 'ENABLED')
	if (enabled.length === 0) return undefined
	const isBySize = enabled.includes('partitioning_by_size')
	return settings
		.filter((field) => !(isBySize && field.name === 'partition_size_mb'))
		.map((field) => (enabled.includes(field.name) ? scalarField(field.name, 'DISABLED') : field))
}

function sequenceOf(column: ProtoValue): SequenceState[] {
	if (column.kind !== 'message') return []
	const sequence = protoMessage(column.fields, 'from_sequence')
	const state = protoMessage(sequence, 'set_val')
	const nextValue = protoString(state, 'next_value')
	const name = protoString(column.fields, 'name')
	if (name === undefined || nextValue === undefined || !/^-?\d+$/u.test(nextValue)) return []
	return [
		{
			column: name,
			nextValue: BigInt(nextValue),
			nextUsed: protoString(state, 'next_used') === 'true',
			isRising: !(protoString(sequence, 'increment') ?? '1').startsWith('-'),
		},
	]
}

function isUnique(index: ProtoValue): boolean {
	return index.kind === 'message' && protoField(index.fields, 'global_unique_index') !== undefined
}

function nameOf(index: ProtoValue): string {
	return index.kind === 'message' ? (protoString(index.fields, 'name') ?? '') : ''
}

/** The server's own mark of a table that a replication fills: what is restored is a table like others. */
function isReplicaMark(name: string, value: ProtoValue): boolean {
	return name === 'attributes' && value.kind === 'message' && protoString(value.fields, 'key') === '__async_replica'
}
