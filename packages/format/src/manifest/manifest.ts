import { DEFINED_KINDS, type DefinedKind } from '@ydbackup/core'

import type { Compression } from '../compression/compression.ts'
import type { EncryptionAlgorithm } from '../encryption/algorithm.ts'

/** What a backup is: written last, create-only, as `catalog/<id>/manifest.json`. A backup exists if and only if this object exists. */
export interface Manifest {
	readonly ydbackup: 'manifest'
	readonly version: 1
	readonly id: string
	/** The id of the repository. */
	readonly repository: string
	readonly kind: 'full' | 'incremental'
	/** What an increment adds to; `manifestSha256` is the parent's own {@link Manifest.sha256}. */
	readonly parent?: { readonly id: string; readonly manifestSha256: string } | undefined
	/** RFC 3339, by the client's clock. */
	readonly createdAt: string
	readonly finishedAt: string
	readonly tool: { readonly name: string; readonly version: string }
	readonly source: {
		readonly database: string
		readonly serverVersion?: string | undefined
		/** Set when the backup was not taken by a snapshot, but is a link of a backup collection. */
		readonly collection?: ShippedLink | undefined
	}
	/** RFC 3339: the snapshot was taken not before and not after these, by the clock of `clock`. */
	readonly snapshotAfter: string
	readonly snapshotBefore: string
	readonly clock: 'server' | 'client'
	/**
	 * Whether the copies of the row tables were left in the database when the backup was committed. Whether they are there still, and hold what they
	 * held, nobody promises.
	 */
	readonly keptCopy?: boolean | undefined
	readonly layout: 'native-export-1'
	readonly compression: Compression
	/** Whether every object was looked at again after it was written. */
	readonly readBack: 'done' | 'unavailable'
	readonly labels: Readonly<Record<string, string>>
	/** What was asked for; empty for everything. */
	readonly paths: readonly string[]
	readonly objects: readonly ManifestObject[]
	readonly files: readonly ManifestFile[]
	readonly counts: ManifestCounts
	/** What was not taken. */
	readonly notes: readonly ManifestNote[]
	/**
	 * Set when everything but sidecars and the root `metadata.json` is encrypted. Such a manifest names no object: `path` is the folder,
	 * directories, paths and notes are left out, and `objects.json.enc` has them all (see {@link ObjectsFile.sealed}).
	 */
	readonly encryption?: ManifestEncryption | undefined
	/** With encryption only: proves to whoever has the key that somebody who had it made this manifest. */
	readonly mac?: { readonly over: string; readonly tag: string } | undefined
	/** Of the canonical bytes of everything else. */
	readonly sha256: string
}

/** Where a backup stood inside the cluster before it was shipped. */
export interface ShippedLink {
	/** The name of the backup collection. */
	readonly name: string
	/** The name of the link's directory: `20250821141425Z_full`. */
	readonly link: string
	/** RFC 3339: when owners, grants and settings of the tables were read. The link itself has none. */
	readonly schemesReadAt: string
}

export interface ManifestEncryption {
	readonly algorithm: EncryptionAlgorithm
	/** {@link EncryptionKey.id}: which key, never the key. */
	readonly keyId: string
	/** 24 upper-case hex digits: the IV of the export, from which those of all files are derived. */
	readonly iv: string
	/** The same for everything below `catalog/<id>/`, where the cluster wrote the export: it drew {@link iv}, and no nonce may be used twice. */
	readonly besideIv?: string | undefined
}

export interface ManifestCounts {
	readonly tables: number
	readonly directories: number
	/** Neither tables nor directories; undefined when there is none. */
	readonly objects?: number | undefined
	/** Decimal: may be above 2^53. Absent when the cluster wrote the files and nobody has counted them. */
	readonly rows?: string | undefined
	readonly plainBytes?: number | undefined
	readonly storedBytes: number
	readonly files: number
}

export interface ManifestNote {
	readonly path: string
	readonly kind: string
	readonly reason: string
}

export interface ManifestObject {
	/** Relative to the database, without a leading slash. */
	readonly path: string
	/**
	 * `change-table`: what changed in a row table since the parent; only increments have them. `index-changes`: the same of an index, below
	 * the directory of a backup collection's link; kept for YDB's own RESTORE alone, ours builds indexes from rows.
	 */
	readonly kind: 'row-table' | 'column-table' | 'change-table' | 'index-changes' | 'directory' | DefinedKind
	/** RFC 3339, by the client's clock: when what makes it, its rights and its parts were read. They belong to no snapshot. */
	readonly readAt?: string | undefined
	/** Of its changefeeds or rate limiters. */
	readonly parts?: number | undefined
	/** Its folder in the export: `001`. */
	readonly prefix?: string | undefined
	/** Decimal. Absent, with {@link rowHash}, when the cluster wrote its files and nobody has counted them. */
	readonly rows?: string | undefined
	readonly rowHash?: string | undefined
	readonly partitions?: number | undefined
	/** Whether the server counted the rows too. */
	readonly countedByServer?: boolean | undefined
	readonly plainBytes?: number | undefined
	/** Of a change table, where the source knows it: the rows of the table itself at the end of the link, all of them. */
	readonly state?: { readonly rows: string; readonly rowHash: string } | undefined
}

/** `scheme` is whatever file makes an object; `changefeed`, `topic` and `rate-limiter` are those of its parts. */
export const FILE_ROLES = [
	'data',
	'scheme',
	'permissions',
	'metadata',
	'mapping',
	'checksum',
	'objects',
	'changefeed',
	'topic',
	'rate-limiter',
] as const
export const PROVENANCES = ['streamed', 'read-back', 'server-claimed'] as const

export interface ManifestFile {
	/** Relative to the repository. */
	readonly key: string
	/** Bytes on storage. */
	readonly size: number
	/** Of the bytes on storage; lower-case hex. Of a data file that the cluster wrote, this and the next two are absent where it does not say them. */
	readonly sha256?: string | undefined
	/** Before compression. */
	readonly plainSize?: number | undefined
	readonly plainSha256?: string | undefined
	readonly role: (typeof FILE_ROLES)[number]
	/** The prefix of the object it belongs to. */
	readonly object?: string | undefined
	/** From 0; data files have one. Of a file of a part: the number of the part within its object. */
	readonly partition?: number | undefined
	readonly rows?: number | undefined
	readonly rowHash?: string | undefined
	/** `streamed`: hashed as it was sent; `read-back`: read again and compared; `server-claimed`: another one's word. */
	readonly provenance: (typeof PROVENANCES)[number]
}

/** Whether an object of a manifest is made by a definition: neither a table nor a directory. */
export function isDefined<T extends { readonly kind: ManifestObject['kind'] }>(
	object: T,
): object is T & { readonly kind: DefinedKind } {
	return (DEFINED_KINDS as readonly string[]).includes(object.kind)
}

export function isTable({ kind }: { readonly kind: ManifestObject['kind'] }): boolean {
	return kind === 'row-table' || kind === 'column-table' || kind === 'change-table' || kind === 'index-changes'
}
