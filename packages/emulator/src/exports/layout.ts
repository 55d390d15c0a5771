// Names and texts of the native layout. Source: native-export, section 1 (TRAITS, META, SSUP, SSEXP of ydb/core).
import { createHash } from 'node:crypto'
import { FILE } from './encryption.ts'

export const SHA256_SUFFIX = '.sha256'

export type ExportedKind =
	| 'table'
	| 'view'
	| 'topic'
	| 'replication'
	| 'transfer'
	| 'externalDataSource'
	| 'externalTable'

export interface SchemeFile {
	readonly name: string
	readonly kind: ExportedKind
	/** Its kind in derived IVs. */
	readonly iv: number
}

/** What can stand in an export, in the order in which an import looks for it. Names after the third are not verified. */
export const SCHEME_FILES: readonly SchemeFile[] = [
	{ name: 'scheme.pb', kind: 'table', iv: FILE.scheme },
	{ name: 'create_view.sql', kind: 'view', iv: FILE.scheme },
	{ name: 'create_topic.pb', kind: 'topic', iv: FILE.topic },
	{ name: 'create_async_replication.sql', kind: 'replication', iv: FILE.scheme },
	{ name: 'create_transfer.sql', kind: 'transfer', iv: FILE.scheme },
	{ name: 'create_external_data_source.sql', kind: 'externalDataSource', iv: FILE.scheme },
	{ name: 'create_external_table.sql', kind: 'externalTable', iv: FILE.scheme },
]

/** Of the plain bytes. Files of tables name the file behind the hash; those that the scheme writes do not. */
export function checksumText(digest: string, name: string | undefined): string {
	return name === undefined ? digest : `${digest} ${name}`
}

/** What stands before the first space. */
export const digestOf = (text: string): string => text.split(' ', 1)[0]!

export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export const dataName = (shard: number): string => `data_${String(shard).padStart(2, '0')}`
/** Of objects whose names are not told. */
export const anonymous = (item: number): string => String(item).padStart(3, '0')

export const normalExportPrefix = (prefix: string): string => prefix.replace(/\/+$/, '')
export const normalItemPrefix = (prefix: string): string => prefix.replace(/^\/+|\/+$/g, '')

export const ROOT_FILE = 'metadata.json'
export const MAPPING_METADATA = 'SchemaMapping/metadata.json'
export const MAPPING_FILE = 'SchemaMapping/mapping.json'
export const MAPPING_KIND = 'SchemaMappingV0'
export const ROOT_KIND = 'SimpleExportV0'

export interface RootMetadata {
	readonly kind: string
	readonly compression?: string
	readonly encryption?: string
	readonly checksum?: string
}

export interface MappedObject {
	/** Relative to the source path of the export. */
	readonly path: string
	/** Relative to the prefix of the export. */
	readonly prefix: string
	readonly iv: Buffer | undefined
}

export function mappingText(objects: readonly MappedObject[]): string {
	const entries = objects.map(({ path, prefix, iv }) => [
		path,
		{ exportPrefix: prefix, ...(iv && { iv: iv.toString('hex').toUpperCase() }) },
	])
	return JSON.stringify({ exportedObjects: Object.fromEntries(entries) })
}

/** Throws with the server's text. */
export function parseMapping(text: string): MappedObject[] {
	let json: { exportedObjects?: unknown }
	try {
		json = JSON.parse(text)
	} catch {
		throw new SyntaxError('Failed to parse schema mapping json')
	}
	const { exportedObjects: mapping } = json
	if (typeof mapping !== 'object' || mapping === null || Array.isArray(mapping))
		throw new SyntaxError('No mapping in mapping json')
	const entries = Object.entries(mapping as Record<string, { exportPrefix?: unknown; iv?: unknown }>)
	const hasIv = entries[0]?.[1]?.iv !== undefined
	return entries.map(([path, { exportPrefix, iv }]) => {
		if (typeof exportPrefix !== 'string') throw new SyntaxError('Incorrect exportPrefix')
		if (hasIv && typeof iv !== 'string') throw new SyntaxError('IV in schema mapping json is not a string')
		if (!hasIv && iv !== undefined) throw new SyntaxError('Incorrect iv in schema mapping json')
		return { path, prefix: exportPrefix, iv: hasIv ? Buffer.from(iv as string, 'hex') : undefined }
	})
}

export interface ItemMetadata {
	readonly version?: number
	/** `[step, transaction]` of the copy; of a table only. */
	readonly snapshot?: readonly [number, number]
	readonly hasPermissions?: boolean
	readonly changefeeds?: readonly { readonly prefix: string; readonly name: string }[]
	readonly indexes?: readonly { readonly exportPrefix: string; readonly implTablePrefix: string }[]
}

/** The order of keys is that of the fixture `checksums-table`; the server's is that of a hash table. */
export function metadataText({
	version,
	snapshot,
	hasPermissions,
	changefeeds = [],
	indexes = [],
}: ItemMetadata): string {
	return JSON.stringify({
		version,
		full_backups: snapshot ? [{ snapshot_vts: snapshot }] : [],
		permissions: hasPermissions ? 1 : 0,
		changefeeds,
		...(indexes.length > 0 && {
			indexes: indexes.map((each) => ({ export_prefix: each.exportPrefix, impl_table_prefix: each.implTablePrefix })),
		}),
	})
}

export function parseMetadata(text: string): ItemMetadata {
	const json = JSON.parse(text) as Record<string, unknown>
	const list = (name: string): Record<string, string>[] | undefined =>
		Array.isArray(json[name]) ? (json[name] as Record<string, string>[]) : undefined
	const changefeeds = list('changefeeds')
	const indexes = list('indexes')
	return {
		...(typeof json.version === 'number' && { version: json.version }),
		...(typeof json.permissions === 'number' && { hasPermissions: json.permissions !== 0 }),
		...(changefeeds && { changefeeds: changefeeds.map(({ prefix = '', name = '' }) => ({ prefix, name })) }),
		...(indexes && {
			indexes: indexes.map((each) => ({
				exportPrefix: each.export_prefix ?? '',
				implTablePrefix: each.impl_table_prefix ?? '',
			})),
		}),
	}
}
