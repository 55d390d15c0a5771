import type { DefinedKind, ObjectPart } from '@ydbackup/core'

/** Source: `ydb/public/lib/ydb_cli/dump/files/files.cpp` and `schemeshard_xxport__helpers.cpp`. */
const DEFINITIONS: Readonly<Record<DefinedKind, string>> = {
	view: 'create_view.sql',
	topic: 'create_topic.pb',
	'coordination-node': 'create_coordination_node.pb',
	'external-data-source': 'create_external_data_source.sql',
	'external-table': 'create_external_table.sql',
	replication: 'create_async_replication.sql',
	transfer: 'create_transfer.sql',
}

/** The file that makes an object, in exports and in dumps. */
export function definitionName(kind: DefinedKind): string {
	return DEFINITIONS[kind]
}

/** The file that makes a part of an object, within the part's folder. */
export function partName(kind: ObjectPart['kind']): string {
	return kind === 'changefeed' ? 'changefeed_description.pb' : 'create_rate_limiter.pb'
}

/** Of a changefeed, beside its description. */
export const partTopicName = 'topic_description.pb'
