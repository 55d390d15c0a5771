import { createHash, randomBytes } from 'node:crypto'
import type { Checksum } from './checksums.ts'
import { S3Error } from './errors.ts'

export interface Retention {
	readonly mode: string
	readonly until: Date
}

/** One version of an object, or a delete marker. */
export interface Version {
	readonly id: string
	readonly isMarker: boolean
	readonly bytes: Buffer
	/** With quotation marks. */
	readonly etag: string
	readonly modifiedAt: Date
	/** Headers that GET and HEAD give back: content type, metadata, encryption, storage class. */
	readonly headers: Readonly<Record<string, string>>
	readonly checksum: (Checksum & { readonly type: 'FULL_OBJECT' | 'COMPOSITE' }) | undefined
	/** Hash of the SSE-C key that reads it. */
	readonly customerKey: string | undefined
	retention: Retention | undefined
}

export interface Part {
	readonly bytes: Buffer
	readonly etag: string
	readonly checksum: Checksum | undefined
	readonly modifiedAt: Date
}

export interface Upload {
	readonly id: string
	readonly key: string
	readonly initiatedAt: Date
	readonly headers: Readonly<Record<string, string>>
	readonly customerKey: string | undefined
	readonly retention: Retention | undefined
	readonly algorithm: string | undefined
	readonly parts: Map<number, Part>
}

export interface Bucket {
	readonly name: string
	/** Old versions are kept. */
	readonly isVersioned: boolean
	/** Versions can be held until a date. Implies versions. */
	readonly hasLock: boolean
	/** Oldest first. */
	readonly versions: Map<string, Version[]>
	readonly uploads: Map<string, Upload>
}

/** A bucket without objects. */
export function newBucket(name: string, isVersioned: boolean, hasLock: boolean): Bucket {
	return { name, isVersioned: isVersioned || hasLock, hasLock, versions: new Map(), uploads: new Map() }
}

export function newId(): string {
	return randomBytes(16).toString('hex')
}

export function etagOf(bytes: Uint8Array): string {
	return `"${createHash('md5').update(bytes).digest('hex')}"`
}

/** The ETag of a multipart object. */
export function etagOfParts(parts: readonly Part[]): string {
	const all = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag.slice(1, -1), 'hex')))
	return `"${createHash('md5').update(all).digest('hex')}-${parts.length}"`
}

/** The newest version, unless it is a delete marker. */
export function current(bucket: Bucket, key: string): Version | undefined {
	const newest = bucket.versions.get(key)?.at(-1)
	return newest?.isMarker ? undefined : newest
}

/** Adds a version; without versions it takes the place of the old one. */
export function store(bucket: Bucket, key: string, version: Version): void {
	const { versions, isVersioned } = bucket
	versions.set(key, isVersioned ? [...(versions.get(key) ?? []), version] : [version])
}

/** Deletes as S3 does: a marker where there are versions; one version when it is named. */
export function remove(bucket: Bucket, key: string, versionId: string | undefined): void {
	const { versions, isVersioned } = bucket
	if (versionId !== undefined) {
		const all = versions.get(key) ?? []
		const named = all.find(({ id }) => id === versionId)
		if (named?.retention && named.retention.until > new Date())
			throw new S3Error('AccessDenied', 'Access Denied because object protected by object lock.')
		const others = all.filter(({ id }) => id !== versionId)
		if (others.length > 0) versions.set(key, others)
		else versions.delete(key)
	} else if (isVersioned) {
		store(bucket, key, {
			id: newId(),
			isMarker: true,
			bytes: Buffer.alloc(0),
			etag: '""',
			modifiedAt: new Date(),
			headers: {},
			checksum: undefined,
			customerKey: undefined,
			retention: undefined,
		})
	} else versions.delete(key)
}

/** Keys of current objects, in the order of their UTF-8 bytes. */
export function keysOf(bucket: Bucket, prefix: string): string[] {
	const keys: Buffer[] = []
	for (const key of bucket.versions.keys())
		if (key.startsWith(prefix) && current(bucket, key)) keys.push(Buffer.from(key))
	return keys.toSorted(Buffer.compare).map(String)
}
