import type { CollectionLink, CollectionSpec } from '@ydbackup/core'
import { quotePath } from '../call/query.ts'

/** Statements of backup collections. Source: YDB's translator, see `docs/incremental.md`; values are strings, also those of switches. */
export function createStatement(database: string, spec: CollectionSpec): string {
	const tables = spec.tables.map((path) => `TABLE ${quotePath(`${database}/${path}`)}`)
	const settings = [
		"STORAGE = 'cluster'",
		`INCREMENTAL_BACKUP_ENABLED = '${spec.isIncremental}'`,
		...(spec.omitIndexes === true ? ["OMIT_INDEXES = 'true'"] : []),
	]
	return `CREATE BACKUP COLLECTION ${quotePath(spec.name)} (${tables.join(', ')}) WITH (${settings.join(', ')});`
}

/** An absolute name would not be understood here. */
export function dropStatement(name: string): string {
	return `DROP BACKUP COLLECTION ${quotePath(name)};`
}

export function backupStatement(name: string, kind: CollectionLink['kind']): string {
	return `BACKUP ${quotePath(name)}${kind === 'incremental' ? ' INCREMENTAL' : ''};`
}

/** Always the newest point: `AT` is taken by the grammar and ignored by the server. */
export function restoreStatement(name: string): string {
	return `RESTORE ${quotePath(name)};`
}
