import { encoderOf, limitOf } from './buckets.ts'
import { type Answer, bucketOf, type Call, headerOf } from './call.ts'
import { checksumOf, checksumOfChecksums, givenChecksum, verifyChecksums } from './checksums.ts'
import { S3Error } from './errors.ts'
import {
	assertConditions,
	checksumHeaders,
	customerKeyOf,
	keptHeaders,
	retentionOf,
	versionHeaders,
} from './objects.ts'
import { type Bucket, etagOf, etagOfParts, newId, type Part, store, type Upload, type Version } from './store.ts'
import { contents, document, textOf } from './xml.ts'

function createUpload(call: Call): Answer {
	const bucket = bucketOf(call)
	const { key, behaviour } = call
	const algorithm = behaviour.flexibleChecksums ? headerOf(call, 'x-amz-checksum-algorithm')?.toLowerCase() : undefined
	const upload: Upload = {
		id: newId(),
		key,
		initiatedAt: new Date(),
		headers: keptHeaders(call),
		customerKey: customerKeyOf(call),
		retention: retentionOf(call, bucket),
		algorithm,
		parts: new Map(),
	}
	bucket.uploads.set(upload.id, upload)
	return {
		status: 200,
		body: document('InitiateMultipartUploadResult', { Bucket: bucket.name, Key: key, UploadId: upload.id }),
	}
}

function uploadOf(call: Call, bucket: Bucket): Upload {
	const id = call.query.get('uploadId') ?? ''
	const upload = bucket.uploads.get(id)
	if (upload?.key !== call.key) throw new S3Error('NoSuchUpload', undefined, { UploadId: id })
	return upload
}

function uploadPart(call: Call): Answer {
	const upload = uploadOf(call, bucketOf(call))
	const { body, headers, trailers, behaviour, query } = call
	const number = Number(query.get('partNumber'))
	if (!Number.isInteger(number) || number < 1 || number > 10_000)
		throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', {
			ArgumentName: 'partNumber',
			ArgumentValue: query.get('partNumber') ?? '',
		})
	if (customerKeyOf(call) !== upload.customerKey)
		throw new S3Error(
			'InvalidRequest',
			'The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.',
		)
	const given = verifyChecksums(body, headers, trailers, !behaviour.flexibleChecksums)
	if (given && upload.algorithm !== undefined && given.algorithm !== upload.algorithm)
		throw new S3Error(
			'InvalidRequest',
			`Checksum Type mismatch occurred, expected checksum Type: ${upload.algorithm}, actual checksum Type: ${given.algorithm}`,
		)
	const checksum =
		upload.algorithm === undefined
			? undefined
			: (given ?? { algorithm: upload.algorithm, value: checksumOf(upload.algorithm, body) })
	const part: Part = { bytes: body, etag: etagOf(body), checksum, modifiedAt: new Date() }
	upload.parts.set(number, part)
	return { status: 200, headers: { etag: part.etag, ...checksumHeaders(given) } }
}

function listParts(call: Call): Answer {
	const upload = uploadOf(call, bucketOf(call))
	const marker = Number(call.query.get('part-number-marker') ?? 0)
	const limit = limitOf(call, 'max-parts')
	const all = [...upload.parts].filter(([number]) => number > marker).toSorted(([a], [b]) => a - b)
	const page = all.slice(0, limit)
	const last = page.at(-1)
	return {
		status: 200,
		body: document('ListPartsResult', {
			Bucket: call.bucket,
			Key: encoderOf(call)(call.key),
			UploadId: upload.id,
			PartNumberMarker: marker,
			...(all.length > page.length && last && { NextPartNumberMarker: last[0] }),
			MaxParts: limit,
			IsTruncated: all.length > page.length,
			Part: page.map(([number, { etag, bytes, modifiedAt }]) => ({
				PartNumber: number,
				LastModified: modifiedAt.toISOString(),
				ETag: etag,
				Size: bytes.length,
			})),
		}),
	}
}

/** The parts that a Complete names, in order, each as it was uploaded. */
function namedParts(call: Call, upload: Upload): Part[] {
	const named = contents(call.body.toString(), 'Part')
	if (named.length === 0) throw new S3Error('MalformedXML')
	let previous = 0
	const parts = named.map((text) => {
		const number = Number(textOf(text, 'PartNumber'))
		if (number <= previous) throw new S3Error('InvalidPartOrder', undefined, { UploadId: upload.id })
		previous = number
		const part = upload.parts.get(number)
		const etag = textOf(text, 'ETag')?.replaceAll('"', '')
		const refuse = (): S3Error =>
			new S3Error('InvalidPart', undefined, { UploadId: upload.id, PartNumber: String(number), ETag: etag ?? '' })
		if (!part || etag !== part.etag.slice(1, -1)) throw refuse()
		for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
			const value = textOf(text, `Checksum${algorithm}`)
			if (value !== undefined && value !== checksumOf(algorithm.toLowerCase(), part.bytes)) throw refuse()
		}
		return part
	})
	const small = parts.slice(0, -1).find(({ bytes }) => bytes.length < call.behaviour.minPartBytes)
	if (small)
		throw new S3Error('EntityTooSmall', undefined, {
			ProposedSize: String(small.bytes.length),
			MinSizeAllowed: String(call.behaviour.minPartBytes),
		})
	return parts
}

function completeUpload(call: Call): Answer {
	const bucket = bucketOf(call)
	const upload = uploadOf(call, bucket)
	const parts = namedParts(call, upload)
	const { key, behaviour, headers } = call
	assertConditions(call, bucket, behaviour.conditionalComplete)
	const bytes = Buffer.concat(parts.map(({ bytes }) => bytes))
	const size = headerOf(call, 'x-amz-mp-object-size')
	if (size !== undefined && Number(size) !== bytes.length)
		throw new S3Error('InvalidRequest', 'The provided x-amz-mp-object-size does not match the size of the object')
	const { algorithm } = upload
	const given = behaviour.flexibleChecksums ? givenChecksum(headers) : undefined
	if (
		given &&
		headerOf(call, 'x-amz-checksum-type') === 'FULL_OBJECT' &&
		given.value !== checksumOf(given.algorithm, bytes)
	)
		throw new S3Error('BadDigest')
	const composite = algorithm && {
		algorithm,
		value: checksumOfChecksums(
			algorithm,
			parts.map(({ checksum }) => checksum!.value),
		),
		type: 'COMPOSITE' as const,
	}
	const version: Version = {
		id: newId(),
		isMarker: false,
		bytes,
		etag: etagOfParts(parts),
		modifiedAt: new Date(),
		headers: upload.headers,
		checksum: composite || undefined,
		customerKey: upload.customerKey,
		retention: upload.retention,
	}
	store(bucket, key, version)
	bucket.uploads.delete(upload.id)
	return {
		status: 200,
		headers: { ...versionHeaders(bucket, version), etag: undefined },
		body: document('CompleteMultipartUploadResult', {
			Location: `/${bucket.name}/${key}`,
			Bucket: bucket.name,
			Key: key,
			ETag: version.etag,
		}),
	}
}

function abortUpload(call: Call): Answer {
	const bucket = bucketOf(call)
	bucket.uploads.delete(uploadOf(call, bucket).id)
	return { status: 204 }
}

/** The operations of multipart uploads, by name. */
export const multipartOperations: Readonly<Record<string, (call: Call) => Answer>> = {
	CreateMultipartUpload: createUpload,
	UploadPart: uploadPart,
	ListParts: listParts,
	CompleteMultipartUpload: completeUpload,
	AbortMultipartUpload: abortUpload,
}
