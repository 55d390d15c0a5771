import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
	AbortMultipartUploadCommand,
	CompleteMultipartUploadCommand,
	CopyObjectCommand,
	CreateBucketCommand,
	CreateMultipartUploadCommand,
	DeleteBucketCommand,
	DeleteObjectsCommand,
	GetObjectCommand,
	HeadBucketCommand,
	HeadObjectCommand,
	ListBucketsCommand,
	ListMultipartUploadsCommand,
	ListObjectsV2Command,
	ListPartsCommand,
	PutObjectCommand,
	S3Client,
	type S3ClientConfig,
	UploadPartCommand,
} from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { type S3Server, type S3ServerOptions, startS3Server } from '../src/s3/server.ts'

const MIB = 2 ** 20
const Bucket = 'bucket'

function clientOf({ endpoint, credential }: S3Server, more: S3ClientConfig = {}): S3Client {
	const { accessKeyId, secretAccessKey } = credential
	return new S3Client({
		endpoint,
		region: 'us-east-1',
		forcePathStyle: true,
		credentials: { accessKeyId, secretAccessKey },
		maxAttempts: 1,
		logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
		...more,
	})
}

async function start(
	options: S3ServerOptions = {},
): Promise<AsyncDisposable & { readonly server: S3Server; readonly client: S3Client }> {
	const server = await startS3Server(options)
	const client = clientOf(server)
	return {
		server,
		client,
		async [Symbol.asyncDispose]() {
			client.destroy()
			await server[Symbol.asyncDispose]()
		},
	}
}

test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
	'a %s is checked: in a header, and in the trailer of a body in chunks',
	async (ChecksumAlgorithm) => {
		await using started = await start()
		const { server, client } = started
		const bytes = Buffer.alloc(200_000, 'x')
		await client.send(new PutObjectCommand({ Bucket, Key: 'buffer', Body: bytes, ChecksumAlgorithm }))
		const Body = Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)])
		await client.send(
			new PutObjectCommand({ Bucket, Key: 'stream', Body, ContentLength: bytes.length, ChecksumAlgorithm }),
		)
		const [inHeader, inTrailer] = server.requests
		const name = `x-amz-checksum-${ChecksumAlgorithm.toLowerCase()}`
		expect(inHeader!.headers[name]).toBeDefined()
		expect(inTrailer!.headers).toMatchObject({
			'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
			'x-amz-trailer': name,
		})
		for (const key of ['buffer', 'stream']) expect(server.bytes(Bucket, key)!.equals(bytes)).toBe(true)
		const wrong = {
			[`Checksum${ChecksumAlgorithm}`]: Buffer.alloc(String(inHeader!.headers[name]).length).toString('base64'),
		}
		await expect(
			client.send(new PutObjectCommand({ Bucket, Key: 'wrong', Body: bytes, ...wrong })),
		).rejects.toMatchObject({
			name: 'BadDigest',
		})
		const { Body: back } = await client.send(new GetObjectCommand({ Bucket, Key: 'buffer', ChecksumMode: 'ENABLED' }))
		expect((await back!.transformToByteArray()).length).toBe(bytes.length)
		expect(server.keys(Bucket)).toEqual(['buffer', 'stream'])
	},
)

test('known answers: the checksums of 123456789', async () => {
	await using started = await start()
	const { client } = started
	for (const [name, hex] of [
		['ChecksumCRC32', 'cbf43926'],
		['ChecksumCRC32C', 'e3069283'],
		['ChecksumCRC64NVME', 'ae8b14860a799888'],
	] as const) {
		const value = Buffer.from(hex, 'hex').toString('base64')
		const put = new PutObjectCommand({ Bucket, Key: 'k', Body: Buffer.from('123456789'), [name]: value })
		expect(await client.send(put)).toMatchObject({ [name]: value })
	}
})

test('a Content-MD5 is checked', async () => {
	await using started = await start()
	const { client } = started
	const put = (ContentMD5: string): Promise<unknown> =>
		client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: Buffer.from('x'), ContentMD5 }))
	await put(hash('md5', 'x', 'base64'))
	await expect(put(hash('md5', 'y', 'base64'))).rejects.toMatchObject({ name: 'BadDigest' })
	await expect(put('nonsense')).rejects.toMatchObject({ name: 'InvalidDigest' })
})

test('signatures are checked: key, secret, region, time, every header, path and query', async () => {
	await using started = await start()
	const { server, client } = started
	const credential = server.credential
	for (const [config, name] of [
		[{ credentials: { ...credential, secretAccessKey: 'other' } }, 'SignatureDoesNotMatch'],
		[{ credentials: { ...credential, accessKeyId: 'AKIAOTHER' } }, 'InvalidAccessKeyId'],
		[{ region: 'eu-west-1' }, 'AuthorizationHeaderMalformed'],
		[{ systemClockOffset: 20 * 60_000 }, 'RequestTimeTooSkewed'],
	] as const) {
		const other = clientOf(server, config)
		await expect(other.send(new ListObjectsV2Command({ Bucket }))).rejects.toMatchObject({ name })
		other.destroy()
	}
	await client.send(new PutObjectCommand({ Bucket, Key: "odd key/+ä!'()*~%2F?=&", Body: 'x' }))
	await client.send(new GetObjectCommand({ Bucket, Key: "odd key/+ä!'()*~%2F?=&" }))
	expect((await fetch(`${server.endpoint}/bucket/odd`)).status).toBe(403)
	const [, signed] = server.requests.filter(({ operation }) => operation === 'PutObject' || operation === 'GetObject')
	const headers = Object.fromEntries(
		Object.entries(signed!.headers).filter(([name]) => name !== 'connection'),
	) as Record<string, string>
	const { pathname } = new URL(`${server.endpoint}/bucket/odd%20key/%2B%C3%A4%21%27%28%29%2A~%252F%3F%3D%26`)
	const again = (path: string, more: Record<string, string> = {}): Promise<Response> =>
		fetch(`${server.endpoint}${path}`, { headers: { ...headers, ...more } })
	expect((await again(`${pathname}?x-id=GetObject`)).status).toBe(200)
	for (const answer of [
		await again(`${pathname}?x-id=PutObject`),
		await again('/bucket/other?x-id=GetObject'),
		await again(`${pathname}?x-id=GetObject`, { 'x-amz-meta-more': '1' }),
		await again(`${pathname}?x-id=GetObject`, { 'x-amz-date': '20200101T000000Z' }),
	])
		expect(answer.status).toBe(403)
})

test('errors are the XML of S3, with the id of the request', async () => {
	await using started = await start()
	const { server } = started
	const answer = await fetch(`${server.endpoint}/bucket/key`)
	const id = answer.headers.get('x-amz-request-id')
	expect(await answer.text()).toMatch(
		new RegExp(
			`^<\\?xml version="1.0" encoding="UTF-8"\\?>\\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><Resource>/bucket/key</Resource><RequestId>${id}</RequestId><HostId>[^<]+</HostId></Error>$`,
		),
	)
})

test('conditional creates have one winner, for PutObject and for CompleteMultipartUpload', async () => {
	await using started = await start()
	const { client } = started
	const puts = await Promise.allSettled(
		Array.from({ length: 20 }, (_, index) =>
			client.send(new PutObjectCommand({ Bucket, Key: 'one', Body: String(index), IfNoneMatch: '*' })),
		),
	)
	const completes = await Promise.allSettled(
		Array.from({ length: 10 }, async () => {
			const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'two' }))
			const part = { Bucket, Key: 'two', UploadId, PartNumber: 1 }
			const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'x' }))
			const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
			await client.send(
				new CompleteMultipartUploadCommand({ Bucket, Key: 'two', UploadId, MultipartUpload, IfNoneMatch: '*' }),
			)
		}),
	)
	for (const results of [puts, completes]) {
		expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
		for (const result of results)
			if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'PreconditionFailed' })
	}
})

test('multipart: parts are listed, too small, wrong and disordered ones refused, an abort forgets all', async () => {
	await using started = await start({ pageSize: 2 })
	const { server, client } = started
	const Key = 'parts'
	const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
	const upload = { Bucket, Key, UploadId }
	const sizes = [5 * MIB, 100, 7]
	const parts = await Promise.all(
		sizes.map(async (size, index) => {
			const part = { ...upload, PartNumber: index + 1, Body: Buffer.alloc(size, index) }
			return { PartNumber: index + 1, ETag: (await client.send(new UploadPartCommand(part))).ETag }
		}),
	)
	const first = await client.send(new ListPartsCommand(upload))
	expect(first).toMatchObject({ IsTruncated: true, Parts: [{ Size: 5 * MIB }, { Size: 100 }] })
	const PartNumberMarker = first.NextPartNumberMarker
	expect(await client.send(new ListPartsCommand({ ...upload, PartNumberMarker }))).toMatchObject({
		Parts: [{ Size: 7 }],
	})
	const complete = (Parts: typeof parts): Promise<unknown> =>
		client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
	await expect(complete(parts)).rejects.toMatchObject({ name: 'EntityTooSmall' })
	await expect(complete([parts[1]!, parts[0]!])).rejects.toMatchObject({ name: 'InvalidPartOrder' })
	await expect(complete([{ ...parts[0]!, ETag: '"0"' }])).rejects.toMatchObject({ name: 'InvalidPart' })
	await expect(complete([])).rejects.toMatchObject({ name: 'MalformedXML' })
	await complete([parts[0]!, parts[2]!])
	expect(server.bytes(Bucket, Key)).toHaveLength(5 * MIB + 7)
	expect((await client.send(new HeadObjectCommand({ Bucket, Key }))).ETag).toMatch(/^"[\da-f]{32}-2"$/)
	await expect(complete([parts[0]!])).rejects.toMatchObject({ name: 'NoSuchUpload' })
	const ids = await Promise.all(
		['b', 'a', 'a'].map(async (Key) => (await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId),
	)
	const page = await client.send(new ListMultipartUploadsCommand({ Bucket }))
	expect(page.Uploads!.map(({ Key }) => Key)).toEqual(['a', 'a'])
	const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page
	const rest = await client.send(new ListMultipartUploadsCommand({ Bucket, KeyMarker, UploadIdMarker }))
	expect(rest.Uploads!.map(({ Key }) => Key)).toEqual(['b'])
	await client.send(new AbortMultipartUploadCommand({ Bucket, Key: 'b', UploadId: ids[0] }))
	expect(server.uploads(Bucket)).toBe(2)
})

test('listings: pages, prefix, delimiter, start, the order of UTF-8 bytes, names that XML cannot hold', async () => {
	await using started = await start({ pageSize: 3 })
	const { server, client } = started
	const keys = ['a/1', 'a/2', 'a/3/x', 'b', '\u{1F600}', '\uFFFD', 'é', 'e', 'A', 'a b+c', '\u0001']
	for (const key of keys) server.seed(Bucket, key, Buffer.from(key))
	const listed: string[] = []
	for (let ContinuationToken: string | undefined; ;) {
		const page = await client.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url', ContinuationToken }))
		listed.push(...(page.Contents ?? []).map(({ Key }) => decodeURIComponent(Key!.replaceAll('+', ' '))))
		expect(page.KeyCount).toBeLessThanOrEqual(3)
		ContinuationToken = page.NextContinuationToken
		expect(page.IsTruncated).toBe(ContinuationToken !== undefined)
		if (!page.IsTruncated) break
	}
	expect(listed).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
	const grouped = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'a', Delimiter: '/' }))
	expect(grouped).toMatchObject({ Contents: [{ Key: 'a b+c' }], CommonPrefixes: [{ Prefix: 'a/' }] })
	expect(
		await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'a/', StartAfter: 'a/1', MaxKeys: 1 })),
	).toMatchObject({
		Contents: [{ Key: 'a/2', Size: 3 }],
		IsTruncated: true,
	})
	await expect(client.send(new ListObjectsV2Command({ Bucket, ContinuationToken: 'invented' }))).rejects.toMatchObject({
		name: 'InvalidArgument',
	})
})

test('ranges: parts, ends, suffixes, and what cannot be satisfied', async () => {
	await using started = await start()
	const { server, client } = started
	server.seed(Bucket, 'k', Buffer.from('0123456789'))
	const get = async (Range: string): Promise<[string | undefined, string]> => {
		const { ContentRange, Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'k', Range }))
		return [ContentRange, await Body!.transformToString()]
	}
	expect(await get('bytes=2-4')).toEqual(['bytes 2-4/10', '234'])
	expect(await get('bytes=8-99')).toEqual(['bytes 8-9/10', '89'])
	expect(await get('bytes=-3')).toEqual(['bytes 7-9/10', '789'])
	expect(await get('bytes=4-')).toEqual(['bytes 4-9/10', '456789'])
	expect(await get('lines=1-2')).toEqual([undefined, '0123456789'])
	await expect(get('bytes=10-')).rejects.toMatchObject({ name: 'InvalidRange', $metadata: { httpStatusCode: 416 } })
})

test('buckets, copies, and deletes of many', async () => {
	await using started = await start()
	const { server, client } = started
	await client.send(new CreateBucketCommand({ Bucket: 'second' }))
	expect((await client.send(new ListBucketsCommand({}))).Buckets!.map(({ Name }) => Name)).toEqual(['bucket', 'second'])
	await client.send(new HeadBucketCommand({ Bucket: 'second' }))
	await expect(client.send(new HeadBucketCommand({ Bucket: 'third' }))).rejects.toMatchObject({ name: 'NotFound' })
	server.seed(Bucket, 'from', Buffer.from('x'))
	await client.send(new CopyObjectCommand({ Bucket: 'second', Key: 'to', CopySource: 'bucket/from' }))
	expect(String(server.bytes('second', 'to'))).toBe('x')
	await expect(client.send(new DeleteBucketCommand({ Bucket: 'second' }))).rejects.toMatchObject({
		name: 'BucketNotEmpty',
	})
	const Delete = { Objects: [{ Key: 'to' }, { Key: 'none' }] }
	const deleted = await client.send(new DeleteObjectsCommand({ Bucket: 'second', Delete }))
	expect(deleted.Deleted).toHaveLength(2)
	await client.send(new DeleteBucketCommand({ Bucket: 'second' }))
	await expect(client.send(new GetObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({ name: 'NoSuchKey' })
})

test('an older server refuses bodies in chunks and gives no checksums', async () => {
	await using started = await start({ chunkedBodies: false, flexibleChecksums: false })
	const { client } = started
	const Body = Readable.from([Buffer.from('x')])
	await expect(client.send(new PutObjectCommand({ Bucket, Key: 'k', Body, ContentLength: 1 }))).rejects.toMatchObject({
		name: 'MissingContentLength',
	})
	await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', ChecksumCRC32: 'AAAAAA==' }))
	expect(
		(await client.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }))).ChecksumCRC32,
	).toBeUndefined()
})
