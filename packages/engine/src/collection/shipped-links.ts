import type { Repository } from '@ydbackup/catalog'
import { type CallOptions, isBackupError, type ProtoText, type Storage } from '@ydbackup/core'
import { type Manifest, parseProtoText } from '@ydbackup/format'

import type { OpenedBackup } from '../encryption/open-backup.ts'
import { errorOf } from '../part/finding.ts'
import { inspect } from '../part/inspect.ts'
import type { ParentTable } from './link-scheme.ts'

/** The collection that links are of. */
export interface CollectionName {
	readonly database: string
	readonly name: string
}

function isOf({ source }: Manifest, { database, name }: CollectionName): boolean {
	return source.database === database && source.collection?.name === name
}

/** The newest link of a collection that is in the repository: links are shipped in order, so all before it were looked at. */
export async function newestShipped(
	repository: Repository,
	of: CollectionName,
	options: CallOptions,
): Promise<Manifest | undefined> {
	const ids = await repository.ids(options)
	for (const id of ids.toReversed()) {
		try {
			const { manifest } = await repository.read(id, options)
			if (isOf(manifest, of)) return manifest
		} catch (error) {
			// Deleted since it was listed. A damaged one may be ours: then nobody knows where to go on.
			if (!isBackupError(error, 'BACKUP_NOT_FOUND')) throw error
		}
	}
	return undefined
}

/** Whether a link has come into the repository behind `known`, the backups that were there before. */
export async function isShippedSince(
	repository: Repository,
	of: CollectionName & { readonly link: string },
	known: ReadonlySet<string>,
	options: CallOptions,
): Promise<boolean> {
	for (const id of await repository.ids(options)) {
		if (known.has(id)) continue
		const { manifest } = await repository.read(id, options)
		if (isOf(manifest, of) && manifest.source.collection?.link === of.link) return true
	}
	return false
}

/** All links of a collection that are in the repository, by the names of their directories; of one that is there twice, the newest. */
export async function allShipped(
	repository: Repository,
	of: CollectionName,
	options: CallOptions,
): Promise<Map<string, Manifest>> {
	const found = new Map<string, Manifest>()
	for (const { manifest } of await repository.list(options)) {
		if (manifest !== undefined && isOf(manifest, of)) found.set(manifest.source.collection!.link, manifest)
	}
	return found
}

/** What is known of the tables of a shipped link, by path. Errors: those of damaged files. */
export async function parentTables(
	storage: Storage,
	backup: OpenedBackup,
	{ signal }: CallOptions,
): Promise<Map<string, ParentTable>> {
	const { manifest } = backup
	const tables = new Map<string, ParentTable>()
	const read = (text: string | Uint8Array, path: string): ProtoText =>
		parseProtoText(text, `the scheme of ${path} in ${manifest.id}`)
	const found = await inspect({ storage, backup, level: 'contents', signal })
	const fatal = found.findings.filter(({ severity }) => severity === 'data')
	if (fatal.length > 0) throw errorOf(fatal, manifest.id)
	if (manifest.kind === 'full') {
		for (const { path, schemeText } of found.tables)
			tables.set(path, { scheme: read(schemeText, path), columns: new Map() })
		return tables
	}
	for (const { path, prefix } of manifest.objects) {
		const link = prefix === undefined ? undefined : found.links[prefix]
		if (link === undefined) continue
		const columns = new Map(Object.entries(link.columns).map(([id, name]) => [Number(id), name]))
		tables.set(path, { scheme: read(link.scheme, path), columns })
	}
	return tables
}
