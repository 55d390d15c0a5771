import { type Answer, bucketOf, type Call } from './call.ts'
import { verifyChecksums } from './checksums.ts'
import { S3Error } from './errors.ts'
import { uriEncoded } from './signature.ts'
import { type Bucket, current, keysOf, newBucket, remove } from './store.ts'
import { contents, document, textOf } from './xml.ts'

const OWNER = { ID: '75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a', DisplayName: 'owner' }
const XML = { 'content-type': 'application/xml' }

function xml(name: string, value: Parameters<typeof document>[1]): Answer {
	return { status: 200, headers: XML, body: document(name, value) }
}

/** How many are asked for: `max-keys`, `max-uploads`, `max-parts`. */
export function limitOf({ query, behaviour }: Call, name: string): number {
	const asked = query.get(name)
	if (asked !== null && !/^\d+$/.test(asked)) throw new S3Error('InvalidArgument', `Provided ${name} not an integer`)
	return Math.min(asked === null ? Infinity : Number(asked), behaviour.pageSize)
}

/** Keys and prefixes as the caller asked for them: encoded where plain XML could not hold them. */
export function encoderOf({ query }: Call): (text: string) => string {
	const type = query.get('encoding-type')
	if (type === null) return (text) => text
	if (type !== 'url') throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request')
	return (text) => uriEncoded(text).replaceAll('%2F', '/').replaceAll('%20', '+')
}

function createBucket({ buckets, bucket, headers }: Call): Answer {
	if (!/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/.test(bucket))
		throw new S3Error('InvalidArgument', 'The specified bucket is not valid.')
	if (buckets.has(bucket)) throw new S3Error('BucketAlreadyOwnedByYou', undefined, { BucketName: bucket })
	const hasLock = headers['x-amz-bucket-object-lock-enabled'] === 'true'
	buckets.set(bucket, newBucket(bucket, false, hasLock))
	return { status: 200, headers: { location: `/${bucket}` } }
}

function deleteBucket(call: Call): Answer {
	const bucket = bucketOf(call)
	if (bucket.versions.size > 0) throw new S3Error('BucketNotEmpty', undefined, { BucketName: bucket.name })
	call.buckets.delete(bucket.name)
	return { status: 204 }
}

/** Continuation tokens say nothing to who reads them, and an invented one is refused. */
function tokenOf(key: string): string {
	return Buffer.from(`1:${key}`).toString('base64url')
}

function keyOfToken(token: string): string {
	const text = Buffer.from(token, 'base64url').toString()
	if (!text.startsWith('1:')) throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect')
	return text.slice(2)
}

function isAbove(key: string, other: string): boolean {
	return Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0
}

function listObjects(call: Call): Answer {
	const bucket = bucketOf(call)
	const { query } = call
	const encoded = encoderOf(call)
	const prefix = query.get('prefix') ?? ''
	const delimiter = query.get('delimiter') ?? ''
	const token = query.get('continuation-token')
	const startAfter = query.get('start-after')
	const limit = limitOf(call, 'max-keys')
	const { listings } = call.behaviour
	const after = listings === 'first-page' ? null : token === null ? startAfter : keyOfToken(token)
	const shown: (string | { readonly group: string })[] = []
	let last = ''
	let isTruncated = false
	for (const key of keysOf(bucket, prefix)) {
		const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
		const group = cut < 0 ? undefined : key.slice(0, cut + delimiter.length)
		if (group !== undefined && group === last) continue
		if (after !== null && (!isAbove(key, after) || (group !== undefined && group === after))) continue
		if (shown.length >= limit) {
			isTruncated = limit > 0 && listings === 'told'
			break
		}
		shown.push(group === undefined ? key : { group })
		last = group ?? key
	}
	return xml('ListBucketResult', {
		Name: bucket.name,
		Prefix: encoded(prefix),
		...(delimiter !== '' && { Delimiter: encoded(delimiter) }),
		...(startAfter !== null && { StartAfter: encoded(startAfter) }),
		...(token !== null && { ContinuationToken: token }),
		...(isTruncated && { NextContinuationToken: tokenOf(last) }),
		KeyCount: shown.length,
		MaxKeys: limitOf(call, 'max-keys'),
		...(query.has('encoding-type') && { EncodingType: 'url' }),
		IsTruncated: isTruncated,
		Contents: shown.flatMap((key) => (typeof key === 'string' ? [described(bucket, key, encoded)] : [])),
		CommonPrefixes: shown.flatMap((key) => (typeof key === 'string' ? [] : [{ Prefix: encoded(key.group) }])),
	})
}

function described(bucket: Bucket, key: string, encoded: (text: string) => string): Record<string, string | number> {
	const version = current(bucket, key)!
	return {
		Key: encoded(key),
		LastModified: version.modifiedAt.toISOString(),
		ETag: version.etag,
		Size: version.bytes.length,
		StorageClass: version.headers['x-amz-storage-class'] ?? 'STANDARD',
	}
}

function listUploads(call: Call): Answer {
	const bucket = bucketOf(call)
	const { query } = call
	const encoded = encoderOf(call)
	const prefix = query.get('prefix') ?? ''
	const keyMarker = query.get('key-marker') ?? ''
	const idMarker = query.get('upload-id-marker') ?? ''
	const limit = limitOf(call, 'max-uploads')
	const all = [...bucket.uploads.values()]
		.filter(({ key }) => key.startsWith(prefix))
		.filter(
			({ key, id }) =>
				keyMarker === '' || isAbove(key, keyMarker) || (idMarker !== '' && key === keyMarker && id > idMarker),
		)
		.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || (a.id < b.id ? -1 : 1))
	const page = all.slice(0, limit)
	const last = page.at(-1)
	return xml('ListMultipartUploadsResult', {
		Bucket: bucket.name,
		KeyMarker: encoded(keyMarker),
		UploadIdMarker: idMarker,
		...(all.length > page.length && last && { NextKeyMarker: encoded(last.key), NextUploadIdMarker: last.id }),
		Prefix: encoded(prefix),
		...(query.has('encoding-type') && { EncodingType: 'url' }),
		MaxUploads: limit,
		IsTruncated: all.length > page.length,
		Upload: page.map(({ key, id, initiatedAt }) => ({
			Key: encoded(key),
			UploadId: id,
			Owner: OWNER,
			StorageClass: 'STANDARD',
			Initiated: initiatedAt.toISOString(),
		})),
	})
}

function deleteObjects(call: Call): Answer {
	const bucket = bucketOf(call)
	const { headers, trailers, body, behaviour } = call
	const checked = verifyChecksums(body, headers, trailers, !behaviour.flexibleChecksums)
	if (headers['content-md5'] === undefined && !checked)
		throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5 or x-amz-checksum-*')
	const text = body.toString()
	const objects = contents(text, 'Object')
	if (objects.length === 0 || objects.length > 1000) throw new S3Error('MalformedXML')
	const deleted: Record<string, string>[] = []
	const failed: Record<string, string>[] = []
	for (const object of objects) {
		const key = textOf(object, 'Key') ?? ''
		const versionId = textOf(object, 'VersionId')
		try {
			remove(bucket, key, versionId)
			deleted.push({ Key: key, ...(versionId !== undefined && { VersionId: versionId }) })
		} catch (error) {
			if (!(error instanceof S3Error)) throw error
			failed.push({ Key: key, Code: error.code, Message: error.message })
		}
	}
	return xml('DeleteResult', { Deleted: textOf(text, 'Quiet') === 'true' ? [] : deleted, Error: failed })
}

function lockConfiguration(call: Call): Answer {
	if (!bucketOf(call).hasLock)
		throw new S3Error('ObjectLockConfigurationNotFoundError', undefined, { BucketName: call.bucket })
	return xml('ObjectLockConfiguration', { ObjectLockEnabled: 'Enabled' })
}

function listBuckets({ buckets }: Call): Answer {
	return xml('ListAllMyBucketsResult', {
		Owner: OWNER,
		Buckets: {
			Bucket: [...buckets.keys()].toSorted().map((Name) => ({ Name, CreationDate: new Date(0).toISOString() })),
		},
	})
}

/** The operations on buckets, by name. */
export const bucketOperations: Readonly<Record<string, (call: Call) => Answer>> = {
	ListBuckets: listBuckets,
	CreateBucket: createBucket,
	DeleteBucket: deleteBucket,
	HeadBucket: (call) => (bucketOf(call), { status: 200 }),
	GetBucketLocation: (call) => (bucketOf(call), xml('LocationConstraint', '')),
	GetBucketVersioning: (call) =>
		xml('VersioningConfiguration', bucketOf(call).isVersioned ? { Status: 'Enabled' } : {}),
	GetObjectLockConfiguration: lockConfiguration,
	ListObjectsV2: listObjects,
	ListMultipartUploads: listUploads,
	DeleteObjects: deleteObjects,
}
