import { BackupError, type KeyRange, type ProtoText, type TableSchema } from '@ydbackup/core'
import {
	type Manifest,
	type ManifestFile,
	type ManifestObject,
	parseProtoText,
	partitionRangesOf,
	tableSchemaOf,
} from '@ydbackup/format'

import type { Unseal } from '../encryption/unseal.ts'

/** A table of a backup. Its scheme is kept as text: a backup may hold ten thousand of them. */
export interface StoredTable {
	readonly object: ManifestObject
	readonly path: string
	readonly prefix: string
	readonly rows: number
	/** Of all its rows; undefined when it is not known before they are read. */
	readonly rowHash: string | undefined
	/** Of its data files before compression. */
	readonly plainBytes: number
	/** In the order of partitions; empty for a table whose rows are merged from a chain. */
	readonly parts: readonly ManifestFile[]
	/** Decrypts its files; undefined when they are not encrypted. */
	readonly unseal: Unseal | undefined
	readonly schemeKey: string
	readonly schemeText: Uint8Array | string
	readonly permissionsKey: string | undefined
	readonly permissionsText: Uint8Array | undefined
}

export interface StoredDirectory {
	readonly path: string
	/** Owner and grants, as text. */
	readonly permissionsText: string
}

/** What the scheme of a table says. */
export interface TableScheme {
	readonly scheme: ProtoText
	readonly schema: TableSchema
	readonly ranges: readonly KeyRange[]
}

/** Reads the scheme of a table. Errors: `FORMAT_INVALID` naming the file, `TYPE_UNKNOWN` naming the column. */
export function openScheme(table: StoredTable): TableScheme {
	const scheme = parseProtoText(table.schemeText, table.schemeKey)
	const schema = tableSchemaOf(scheme, table.path)
	const ranges = partitionRangesOf(scheme, schema)
	if (table.parts.length === 0 && table.object.kind === 'change-table')
		return { scheme, schema, ranges: ranges ?? [{}] }
	if (ranges === undefined || ranges.length !== table.parts.length) {
		throw new BackupError(
			'FORMAT_INVALID',
			`${table.schemeKey} has ${ranges?.length ?? 'an uncertain number of'} partitions, and there are ${table.parts.length} data files`,
			{ advice: 'take this table from another backup' },
		)
	}
	return { scheme, schema, ranges }
}

export function openPermissions(table: StoredTable): ProtoText {
	if (table.permissionsText === undefined || table.permissionsKey === undefined) return []
	return parseProtoText(table.permissionsText, table.permissionsKey)
}

/** The files of a backup by the object they belong to; those of the backup as a whole are under the empty string. */
export function filesByObject(manifest: Manifest): Map<string, ManifestFile[]> {
	const groups = new Map<string, ManifestFile[]>()
	for (const file of manifest.files) {
		const group = groups.get(file.object ?? '')
		if (group === undefined) groups.set(file.object ?? '', [file])
		else group.push(file)
	}
	return groups
}
