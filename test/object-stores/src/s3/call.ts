import type { IncomingHttpHeaders } from 'node:http'
import { S3Error } from './errors.ts'
import type { Bucket } from './store.ts'

/** How the server differs from a current S3: as older and other servers do. */
export interface S3Behaviour {
	/** Keys in one page of a listing; 1000. */
	readonly pageSize: number
	/** Bytes of a part that is not the last; 5 MiB. */
	readonly minPartBytes: number
	/** `untold`: a page does not say that more follow. `first-page`: and where to start after is not looked at either. */
	readonly listings: 'told' | 'untold' | 'first-page'
	/** `If-None-Match` of PutObject. */
	readonly conditionalPut: 'enforced' | 'ignored' | 'refused'
	/** `If-None-Match` of CompleteMultipartUpload. */
	readonly conditionalComplete: 'enforced' | 'ignored' | 'refused'
	/** Without: accepted, not checked, not given back. */
	readonly flexibleChecksums: boolean
	/** Without: `x-amz-content-sha256` is not compared with the body. */
	readonly payloadHashes: boolean
	/** Without: bodies in chunks (`aws-chunked`) are refused with 411. */
	readonly chunkedBodies: boolean
}

/** A request that is signed by somebody who may make it. */
export interface Call {
	readonly operation: string
	readonly bucket: string
	readonly key: string
	readonly query: URLSearchParams
	readonly headers: IncomingHttpHeaders
	readonly trailers: Readonly<Record<string, string>>
	readonly body: Buffer
	readonly buckets: Map<string, Bucket>
	readonly behaviour: S3Behaviour
}

export interface Answer {
	readonly status: number
	readonly headers?: Readonly<Record<string, string | undefined>>
	readonly body?: string | Buffer
}

export function bucketOf({ buckets, bucket }: Call): Bucket {
	const found = buckets.get(bucket)
	if (!found) throw new S3Error('NoSuchBucket', undefined, { BucketName: bucket })
	return found
}

/** A header that is given once. */
export function headerOf({ headers }: Call, name: string): string | undefined {
	const value = headers[name]
	return Array.isArray(value) ? value.join(', ') : value
}

/** The name of an operation in the S3 API, by method, path and query. */
export function operationOf(
	method: string,
	bucket: string,
	key: string,
	query: URLSearchParams,
	isCopy: boolean,
): string {
	if (bucket === '') return method === 'GET' ? 'ListBuckets' : 'Unknown'
	const has = (name: string): boolean => query.has(name)
	if (key === '') {
		if (method === 'PUT' && query.size === 0) return 'CreateBucket'
		if (method === 'DELETE' && query.size === 0) return 'DeleteBucket'
		if (method === 'HEAD') return 'HeadBucket'
		if (method === 'POST' && has('delete')) return 'DeleteObjects'
		if (method !== 'GET') return 'Unknown'
		if (has('location')) return 'GetBucketLocation'
		if (has('versioning')) return 'GetBucketVersioning'
		if (has('object-lock')) return 'GetObjectLockConfiguration'
		if (has('uploads')) return 'ListMultipartUploads'
		return query.get('list-type') === '2' ? 'ListObjectsV2' : 'Unknown'
	}
	if (has('uploadId')) {
		const names: Record<string, string> = {
			PUT: 'UploadPart',
			GET: 'ListParts',
			POST: 'CompleteMultipartUpload',
			DELETE: 'AbortMultipartUpload',
		}
		return names[method] ?? 'Unknown'
	}
	if (has('retention'))
		return method === 'PUT' ? 'PutObjectRetention' : method === 'GET' ? 'GetObjectRetention' : 'Unknown'
	if (method === 'POST') return has('uploads') ? 'CreateMultipartUpload' : 'Unknown'
	if (method === 'PUT') return isCopy ? 'CopyObject' : 'PutObject'
	const names: Record<string, string> = { GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' }
	return names[method] ?? 'Unknown'
}
