import { BackupError } from '@ydbackup/core'
import type { Compression } from '../compression/compression.ts'
import { Fields } from '../json/fields.ts'
import { type Complain, parseJson } from '../json/parse-json.ts'

const LARGEST = 1 << 20
/** YDB has such a list (`TRateLimiterResourceMetadata`); how it spells its name is not known, and readers pass over names that they do not know. */
const RATE_LIMITERS = 'rate_limiter_resources'

export interface RootMetadata {
	readonly compression?: Compression | undefined
	/** The normalised name of the algorithm. */
	readonly encryption?: string | undefined
	/** Whether files have `.sha256` files beside them. Default true. */
	readonly checksum?: boolean | undefined
}

/** The root `metadata.json` of an export, byte for byte as YDB writes it. */
export function rootMetadata(options: RootMetadata): Uint8Array {
	const { compression, encryption, checksum } = options
	return json([
		['kind', 'SimpleExportV0'],
		...(compression === undefined || compression === 'none' ? [] : [['compression', compression] as const]),
		...(encryption === undefined ? [] : [['encryption', encryption] as const]),
		...(checksum === false ? [] : [['checksum', 'sha256'] as const]),
	])
}

/** `SchemaMapping/metadata.json`. */
export function schemaMappingMetadata(): Uint8Array {
	return json([['kind', 'SchemaMappingV0']])
}

export interface ItemMetadata {
	/** 1 when every file of the item has a `.sha256` file, else 0. */
	readonly version: 0 | 1
	/** Whether there is a `permissions.pb`; when it is not said, YDB looks. */
	readonly permissions?: boolean | undefined
	/** Step and transaction of the snapshot, where they are known. YDB's import ignores it. */
	readonly snapshotVts?: readonly [step: bigint | number, txId: bigint | number] | undefined
	/** In the order of their folders. */
	readonly changefeeds?: readonly { readonly prefix: string; readonly name: string }[] | undefined
	/** Of a coordination node, in the order of their folders. */
	readonly rateLimiters?: readonly { readonly prefix: string; readonly name: string }[] | undefined
	/** YDB's import of an encrypted export looks for nothing that is not named, and wants to be told that there is nothing. */
	readonly isEncrypted?: boolean | undefined
}

/** The `metadata.json` of an item, byte for byte as YDB writes it. */
export function itemMetadata(options: ItemMetadata): Uint8Array {
	const { version, permissions, snapshotVts, changefeeds = [], rateLimiters = [], isEncrypted } = options
	const members = [`"version":${version}`]
	if (snapshotVts !== undefined) {
		members.push(`"full_backups":[{"snapshot_vts":[${snapshotVts[0]},${snapshotVts[1]}]}]`)
	}
	if (permissions !== undefined) members.push(`"permissions":${permissions ? 1 : 0}`)
	const feeds = changefeeds.map(
		({ prefix, name }) => `{"prefix":${JSON.stringify(prefix)},"name":${JSON.stringify(name)}}`,
	)
	members.push(`"changefeeds":[${feeds.join(',')}]`)
	if (rateLimiters.length > 0) {
		const all = rateLimiters.map(
			({ prefix, name }) => `{"export_prefix":${JSON.stringify(prefix)},"name":${JSON.stringify(name)}}`,
		)
		members.push(`"${RATE_LIMITERS}":[${all.join(',')}]`)
	}
	if (isEncrypted === true) members.push('"indexes":[]')
	return Buffer.from(`{${members.join(',')}}`)
}

/** What a root `metadata.json` says. Keys that are not known are ignored; `compression` is as it stands there. */
export interface ReadRootMetadata {
	readonly compression: string | undefined
	readonly encryption: string | undefined
	readonly checksum: boolean
}

/** Errors: `FORMAT_INVALID` naming `file`, also for kinds and checksums that are not known. */
export function readRootMetadata(bytes: Uint8Array, file: string): ReadRootMetadata {
	const fields = open(bytes, file)
	const kind = fields.text('kind')
	if (kind !== 'SimpleExportV0') throw fields.bad('kind', 'is not known', kind)
	const checksum = fields.textIf('checksum')
	if (checksum !== undefined && checksum !== 'sha256') throw fields.bad('checksum', 'is not known', checksum)
	return {
		compression: fields.textIf('compression'),
		encryption: fields.textIf('encryption'),
		checksum: checksum !== undefined,
	}
}

/** Throws `FORMAT_INVALID` unless it is the `SchemaMapping/metadata.json` that we know. */
export function readSchemaMappingMetadata(bytes: Uint8Array, file: string): void {
	const fields = open(bytes, file)
	const kind = fields.text('kind')
	if (kind !== 'SchemaMappingV0') throw fields.bad('kind', 'is not known', kind)
}

/** What the `metadata.json` of an item says; undefined where it says nothing. */
export interface ReadItemMetadata {
	/** Whether `.sha256` files exist: without a version they do. */
	readonly checksums: boolean
	readonly permissions: boolean | undefined
	readonly changefeeds: readonly { readonly prefix: string; readonly name: string }[] | undefined
	readonly rateLimiters: readonly { readonly prefix: string; readonly name: string }[] | undefined
	readonly indexes: readonly { readonly exportPrefix: string; readonly implTablePrefix: string }[] | undefined
}

export function readItemMetadata(bytes: Uint8Array, file: string): ReadItemMetadata {
	const fields = open(bytes, file)
	const version = fields.countIf('version')
	if (version !== undefined && version > 1) throw fields.bad('version', 'is not known', version)
	const permissions = fields.countIf('permissions')
	return {
		checksums: version !== 0,
		permissions: permissions === undefined ? undefined : permissions !== 0,
		changefeeds: fields.has('changefeeds')
			? fields.list('changefeeds').map((one) => ({ prefix: relative(one, 'prefix'), name: one.text('name') }))
			: undefined,
		rateLimiters: fields.has(RATE_LIMITERS)
			? fields
					.list(RATE_LIMITERS)
					.map((one) => ({ prefix: relative(one, 'export_prefix'), name: relative(one, 'name') }))
			: undefined,
		indexes: fields.has('indexes')
			? fields.list('indexes').map((one) => ({
					exportPrefix: relative(one, 'export_prefix'),
					implTablePrefix: relative(one, 'impl_table_prefix'),
				}))
			: undefined,
	}
}

/** A path that stays below where it is put: no empty, `.` or `..` segment, no NUL. */
export function isRelativePath(path: string): boolean {
	if (path.length === 0 || path.length > 16_384 || path.includes('\0') || !path.isWellFormed()) return false
	return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

function relative(fields: Fields, name: string): string {
	const path = fields.text(name, { max: 16_384 })
	if (!isRelativePath(path)) throw fields.bad(name, 'is no relative path', path)
	return path
}

function open(bytes: Uint8Array, file: string): Fields {
	const complain = complainAbout(file)
	return new Fields(parseJson(bytes, { maxBytes: LARGEST }, complain), '', complain)
}

export function complainAbout(file: string): Complain {
	return (what, cause) =>
		new BackupError('FORMAT_INVALID', `${file} ${what}`, {
			advice: 'the file is damaged, or was written by something newer; take the backup from another copy',
			cause,
		})
}

function json(members: readonly (readonly [string, string])[]): Uint8Array {
	return Buffer.from(`{${members.map(([key, value]) => `"${key}":${JSON.stringify(value)}`).join(',')}}`)
}
