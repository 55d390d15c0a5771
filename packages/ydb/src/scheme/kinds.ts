import { Entry_Type as Type } from '@ydbjs/api/scheme'
import type { ObjectKind } from '@ydbackup/core'

/** Source: `Ydb.Scheme.Entry.Type` in protos/ydb_scheme.proto. */
const KINDS = new Map<number, ObjectKind>([
	[Type.DIRECTORY, 'directory'],
	[Type.DATABASE, 'directory'],
	[Type.TABLE, 'row-table'],
	[Type.COLUMN_TABLE, 'column-table'],
	[Type.COLUMN_STORE, 'unknown'],
	[Type.VIEW, 'view'],
	[Type.TOPIC, 'topic'],
	[Type.PERS_QUEUE_GROUP, 'topic'],
	[Type.SEQUENCE, 'sequence'],
	[Type.COORDINATION_NODE, 'coordination-node'],
	[Type.REPLICATION, 'replication'],
	[Type.EXTERNAL_TABLE, 'external-table'],
	[Type.EXTERNAL_DATA_SOURCE, 'external-data-source'],
	// Kinds that the generated code of 6.0.4 does not name yet. Source: protos/ydb_scheme.proto of newer versions, not verified.
	[21, 'resource-pool'],
	[23, 'transfer'],
])

export function kindOf(type: number): ObjectKind {
	return KINDS.get(type) ?? 'unknown'
}

export function spellKind(type: number): string {
	return Type[type] ?? `entry type ${type}`
}

/** Directories that are never a user's. Source: reference of `ydb tools dump` and of the server's export. */
export function isSkipped(name: string, parent: string): boolean {
	if (name === '.sys' || name === '.metadata' || name === '.tmp' || name === '.backups' || name.startsWith('~'))
		return true
	return parent === '' && name.startsWith('export-')
}
