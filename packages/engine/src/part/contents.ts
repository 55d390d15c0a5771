import {
	BackupError,
	type KeyRange,
	type ObjectPart,
	protoString,
	type ProtoText,
	type TableSchema,
} from '@ydbackup/core'
import {
	type Compression,
	type Manifest,
	type ManifestFile,
	type ManifestObject,
	parseProtoText,
	partitionRangesOf,
	tableSchemaOf,
} from '@ydbackup/format'

import type { Unseal } from '../encryption/unseal.ts'

const MOST_PARTITIONS = 200_000

/** A data file: a manifest says all of it, files of other tools only what is there to be seen. */
export interface PartFile {
	readonly key: string
	/** Bytes on storage. */
	readonly size: number
	/** The prefix of its table, where a manifest says it. */
	readonly object?: string | undefined
	readonly partition?: number | undefined
	readonly sha256?: string | undefined
	/** Before compression. */
	readonly plainSize?: number | undefined
	readonly plainSha256?: string | undefined
	readonly rows?: number | undefined
	readonly rowHash?: string | undefined
	/** Where it is not that of the whole backup. */
	readonly compression?: Compression | undefined
}

/** A table of a backup. Its scheme is kept as text: a backup may hold ten thousand of them. */
export interface StoredTable {
	readonly object: ManifestObject
	readonly path: string
	readonly prefix: string
	/** A guess where {@link rowHash} is undefined. */
	readonly rows: number
	/** Of all its rows; undefined when it is not known before they are read. */
	readonly rowHash: string | undefined
	/** Of its data files before compression. */
	readonly plainBytes: number
	/** In the order of partitions; empty for a table whose rows are merged from a chain. */
	readonly parts: readonly PartFile[]
	readonly changefeeds: readonly ObjectPart[]
	/** Another tool wrote it: counts are not known before its files are read, and partitions may be spread over them in any way. */
	readonly foreign?: { readonly mayRepeatRows: boolean } | undefined
	/** Decrypts its files; undefined when they are not encrypted. */
	readonly unseal?: Unseal | undefined
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
	if (table.foreign !== undefined) return { scheme, schema, ranges: ranges ?? uniformRanges(scheme, table) }
	if (ranges === undefined || ranges.length !== table.parts.length) {
		throw new BackupError(
			'FORMAT_INVALID',
			`${table.schemeKey} has ${ranges?.length ?? 'an uncertain number of'} partitions, and there are ${table.parts.length} data files`,
			{ advice: 'take this table from another backup' },
		)
	}
	return { scheme, schema, ranges }
}

/** Only their number is known: the server chooses the bounds. */
function uniformRanges(scheme: ProtoText, table: StoredTable): KeyRange[] {
	const partitions = Number(protoString(scheme, 'uniform_partitions') ?? 1)
	if (!(partitions <= MOST_PARTITIONS)) {
		throw new BackupError('FORMAT_INVALID', `${table.schemeKey} asks for ${partitions} partitions`, {
			advice: 'no table has as many: the file is damaged',
		})
	}
	return Array.from({ length: partitions }, () => ({}))
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
