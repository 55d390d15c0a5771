import { hash } from 'node:crypto'
import { type Answer, bucketOf, type Call, headerOf } from './call.ts'
import { type Checksum, verifyChecksums } from './checksums.ts'
import { S3Error } from './errors.ts'
import { type Bucket, current, etagOf, newId, remove, type Retention, store, type Version } from './store.ts'
import { document, textOf } from './xml.ts'

const MAX_PUT_BYTES = 5 * 2 ** 30
const KEPT =
	/^(?:content-type|content-disposition|cache-control|x-amz-meta-.*|x-amz-storage-class|x-amz-server-side-encryption(?:-aws-kms-key-id)?)$/

/** The headers that an object gives back. */
export function keptHeaders(call: Call): Record<string, string> {
	const kept = Object.entries(call.headers).filter(([name, value]) => KEPT.test(name) && typeof value === 'string')
	return { 'content-type': 'binary/octet-stream', ...(Object.fromEntries(kept) as Record<string, string>) }
}

/** The hold that headers ask for. */
export function retentionOf(call: Call, bucket: Bucket): Retention | undefined {
	const mode = headerOf(call, 'x-amz-object-lock-mode')
	const until = headerOf(call, 'x-amz-object-lock-retain-until-date')
	if (mode === undefined && until === undefined) return undefined
	if (!bucket.hasLock) throw new S3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration')
	if (mode === undefined || until === undefined)
		throw new S3Error(
			'InvalidArgument',
			'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
		)
	return checkedRetention(mode, until)
}

function checkedRetention(mode: string, until: string): Retention {
	if (mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE')
		throw new S3Error('InvalidArgument', 'Unknown wormMode directive.')
	const date = new Date(until)
	if (!(date > new Date())) throw new S3Error('InvalidArgument', 'The retain until date must be in the future!')
	return { mode, until: date }
}

/** The hash of an SSE-C key, whose three headers come together. */
export function customerKeyOf(call: Call): string | undefined {
	const key = headerOf(call, 'x-amz-server-side-encryption-customer-key')
	const md5 = headerOf(call, 'x-amz-server-side-encryption-customer-key-md5')
	const algorithm = headerOf(call, 'x-amz-server-side-encryption-customer-algorithm')
	if (key === undefined && md5 === undefined && algorithm === undefined) return undefined
	const bytes = Buffer.from(key ?? '', 'base64')
	if (algorithm !== 'AES256' || bytes.length !== 32)
		throw new S3Error('InvalidArgument', 'The secret key was invalid for the specified algorithm.')
	if (hash('md5', bytes, 'base64') !== md5)
		throw new S3Error('InvalidArgument', 'The calculated MD5 hash of the key did not match the hash that was provided.')
	return md5
}

/** Throws when `If-None-Match` or `If-Match` does not hold, or is not known to this server. */
export function assertConditions(call: Call, bucket: Bucket, mode: 'enforced' | 'ignored' | 'refused'): void {
	const absent = headerOf(call, 'if-none-match')
	if (absent === undefined || mode === 'ignored') return
	if (mode === 'refused' || absent !== '*') throw new S3Error('NotImplemented', undefined, { Header: 'If-None-Match' })
	if (current(bucket, call.key)) throw new S3Error('PreconditionFailed', undefined, { Condition: 'If-None-Match' })
}

function assertKeyLength({ key }: Call): void {
	if (Buffer.byteLength(key) > 1024) throw new S3Error('KeyTooLongError', undefined, { MaxSizeAllowed: '1024' })
}

/** What every answer about a written or read version says of it. */
export function versionHeaders(bucket: Bucket, version: Version): Record<string, string | undefined> {
	return {
		etag: version.etag,
		'x-amz-version-id': bucket.isVersioned ? version.id : undefined,
		'x-amz-server-side-encryption': version.headers['x-amz-server-side-encryption'],
		...(version.customerKey !== undefined && {
			'x-amz-server-side-encryption-customer-algorithm': 'AES256',
			'x-amz-server-side-encryption-customer-key-md5': version.customerKey,
		}),
	}
}

export function checksumHeaders(checksum: Checksum | undefined, type?: string): Record<string, string> {
	if (!checksum) return {}
	return {
		[`x-amz-checksum-${checksum.algorithm}`]: checksum.value,
		...(type !== undefined && { 'x-amz-checksum-type': type }),
	}
}

function putObject(call: Call): Answer {
	const bucket = bucketOf(call)
	assertKeyLength(call)
	const { body, headers, trailers, behaviour, key } = call
	if (body.length > MAX_PUT_BYTES) throw new S3Error('EntityTooLarge')
	const given = verifyChecksums(body, headers, trailers, !behaviour.flexibleChecksums)
	const retention = retentionOf(call, bucket)
	if (retention && !given && headers['content-md5'] === undefined)
		throw new S3Error(
			'InvalidRequest',
			'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
		)
	const customerKey = customerKeyOf(call)
	assertConditions(call, bucket, behaviour.conditionalPut)
	const version: Version = {
		id: newId(),
		isMarker: false,
		bytes: body,
		etag: etagOf(body),
		modifiedAt: new Date(),
		headers: keptHeaders(call),
		checksum: given && { ...given, type: 'FULL_OBJECT' },
		customerKey,
		retention,
	}
	store(bucket, key, version)
	return {
		status: 200,
		headers: { ...versionHeaders(bucket, version), ...checksumHeaders(given, 'FULL_OBJECT') },
	}
}

function found(call: Call, bucket: Bucket): Version {
	const { query, key } = call
	const versionId = query.get('versionId')
	const version =
		versionId === null ? current(bucket, key) : bucket.versions.get(key)?.find(({ id }) => id === versionId)
	if (!version) throw new S3Error('NoSuchKey', undefined, { Key: key })
	if (version.isMarker) throw new S3Error('MethodNotAllowed')
	const customerKey = customerKeyOf(call)
	if (version.customerKey !== customerKey) {
		if (customerKey === undefined)
			throw new S3Error(
				'InvalidRequest',
				'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
			)
		throw new S3Error(version.customerKey === undefined ? 'InvalidRequest' : 'AccessDenied')
	}
	return version
}

/** First and last byte that a `Range` header asks for; nothing where it is none of ours, which S3 ignores. */
function rangeOf(text: string | undefined, size: number): readonly [first: number, last: number] | undefined {
	const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(text ?? '') ?? []
	if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
	const from = first === '' ? Math.max(0, size - Number(last)) : Number(first)
	const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
	if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined
	if (from >= size || (first === '' && Number(last) === 0))
		throw new S3Error('InvalidRange', undefined, { RangeRequested: text ?? '', ActualObjectSize: String(size) })
	return [from, to]
}

function getObject(call: Call): Answer {
	const bucket = bucketOf(call)
	const version = found(call, bucket)
	const size = version.bytes.length
	const range = rangeOf(headerOf(call, 'range'), size)
	const wantsChecksum = headerOf(call, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' && !range
	const { checksum, retention } = version
	const headers: Record<string, string | undefined> = {
		...version.headers,
		...versionHeaders(bucket, version),
		...(wantsChecksum && checksumHeaders(checksum, checksum?.type)),
		...(retention && {
			'x-amz-object-lock-mode': retention.mode,
			'x-amz-object-lock-retain-until-date': retention.until.toISOString(),
		}),
		'last-modified': version.modifiedAt.toUTCString(),
		'accept-ranges': 'bytes',
		...(range && { 'content-range': `bytes ${range[0]}-${range[1]}/${size}` }),
	}
	return {
		status: range ? 206 : 200,
		headers,
		body: range ? version.bytes.subarray(range[0], range[1] + 1) : version.bytes,
	}
}

function deleteObject(call: Call): Answer {
	remove(bucketOf(call), call.key, call.query.get('versionId') ?? undefined)
	return { status: 204 }
}

function copyObject(call: Call): Answer {
	const bucket = bucketOf(call)
	const [, from = '', key = ''] = /^\/?([^/]+)\/([^?]+)/.exec(headerOf(call, 'x-amz-copy-source') ?? '') ?? []
	const source = current(bucketOf({ ...call, bucket: from }), decodeURIComponent(key))
	if (!source) throw new S3Error('NoSuchKey', undefined, { Key: decodeURIComponent(key) })
	const version: Version = { ...source, id: newId(), modifiedAt: new Date(), retention: retentionOf(call, bucket) }
	store(bucket, call.key, version)
	return {
		status: 200,
		headers: versionHeaders(bucket, version),
		body: document('CopyObjectResult', { LastModified: version.modifiedAt.toISOString(), ETag: version.etag }),
	}
}

function getRetention(call: Call): Answer {
	const { retention } = found(call, bucketOf(call))
	if (!retention) throw new S3Error('NoSuchObjectLockConfiguration')
	const value = { Mode: retention.mode, RetainUntilDate: retention.until.toISOString() }
	return { status: 200, body: document('Retention', value) }
}

function putRetention(call: Call): Answer {
	const bucket = bucketOf(call)
	if (!bucket.hasLock) throw new S3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration')
	const { body, headers, trailers, behaviour } = call
	verifyChecksums(body, headers, trailers, !behaviour.flexibleChecksums)
	const text = body.toString()
	const version = found(call, bucket)
	const asked = checkedRetention(textOf(text, 'Mode') ?? '', textOf(text, 'RetainUntilDate') ?? '')
	const held = version.retention && version.retention.until > new Date() ? version.retention : undefined
	if (held && (asked.until < held.until || (held.mode === 'COMPLIANCE' && asked.mode !== 'COMPLIANCE')))
		throw new S3Error('AccessDenied', 'Access Denied because object protected by object lock.')
	version.retention = asked
	return { status: 200 }
}

/** The operations on single objects, by name. */
export const objectOperations: Readonly<Record<string, (call: Call) => Answer>> = {
	PutObject: putObject,
	GetObject: getObject,
	HeadObject: getObject,
	DeleteObject: deleteObject,
	CopyObject: copyObject,
	GetObjectRetention: getRetention,
	PutObjectRetention: putRetention,
}
