import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import {
	AbortMultipartUploadCommand,
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	DeleteObjectCommand,
	GetObjectCommand,
	HeadObjectCommand,
	ListObjectsV2Command,
	PutObjectCommand,
	S3Client,
	UploadPartCommand,
} from '@aws-sdk/client-s3'
import { BackupError, type Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import { expect, onTestFinished, test } from 'vitest'
import { type Bridge, type BridgeOptions, openBridge } from '../src/index.ts'

const MIB = 2 ** 20
const Bucket = 'ydbackup'
const Key = 'backups/a/001/data_00.csv'

interface World {
	readonly storage: Storage
	readonly bridge: Bridge
	readonly client: S3Client
}

function clientOf({ place }: Bridge, more: ConstructorParameters<typeof S3Client>[0] = {}): S3Client {
	const { endpoint, scheme, region = '', accessKey, secretKey } = place
	const client = new S3Client({
		endpoint: `${scheme.toLowerCase()}://${endpoint}`,
		region,
		forcePathStyle: true,
		maxAttempts: 1,
		credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
		...more,
	})
	onTestFinished(() => client.destroy())
	return client
}

async function open(options: Partial<BridgeOptions> = {}): Promise<World> {
	const storage = options.storage ?? openMemory()
	const listen = { host: '127.0.0.1', port: 0 }
	const bridge = await openBridge({ storage, prefixes: ['backups/a/'], isWritable: true, listen, ...options })
	onTestFinished(() => bridge[Symbol.asyncDispose]())
	return { storage, bridge, client: clientOf(bridge) }
}

async function bytesOf(storage: Storage, key: string): Promise<Buffer> {
	const chunks: Uint8Array[] = []
	for await (const chunk of (await storage.get(key)).bytes) chunks.push(chunk)
	return Buffer.concat(chunks)
}

/** Sends parts as a client does that has several under way; `order` says which of them is sent first. */
async function upload(
	client: S3Client,
	parts: readonly Buffer[],
	order: readonly number[] = parts.map((_, at) => at),
	key = Key,
): Promise<string> {
	const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: key }))
	const sent = await Promise.all(
		order.map(async (at) => {
			const PartNumber = at + 1
			const Body = parts[at]!
			const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key: key, UploadId, PartNumber, Body }))
			return { PartNumber, ETag }
		}),
	)
	const Parts = sent.toSorted((a, b) => a.PartNumber - b.PartNumber)
	const done = { Bucket, Key: key, UploadId, MultipartUpload: { Parts } }
	await client.send(new CompleteMultipartUploadCommand(done))
	return UploadId!
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const failsWith = (name: string) => expect.objectContaining({ name })

test('an object of one piece is put, looked at, read in part, listed and deleted', async () => {
	const { storage, bridge, client } = await open()
	const Body = Buffer.from('"a","b"\n')
	const put = await client.send(new PutObjectCommand({ Bucket, Key, Body }))
	expect(await bytesOf(storage, Key)).toEqual(Body)
	expect(bridge.objects.get(Key)).toEqual({ size: Body.length, sha256: sha256(Body) })
	const head = await client.send(new HeadObjectCommand({ Bucket, Key }))
	expect(head).toMatchObject({ ContentLength: 8, ETag: put.ETag })
	const got = await client.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=1-3' }))
	expect({ text: await got.Body!.transformToString(), range: got.ContentRange }).toEqual({
		text: 'a",',
		range: 'bytes 1-3/8',
	})
	const suffix = await client.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=-2' }))
	expect(await suffix.Body!.transformToString()).toBe('"\n')
	await expect(client.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=8-9' }))).rejects.toThrow(
		failsWith('InvalidRange'),
	)
	await client.send(new DeleteObjectCommand({ Bucket, Key }))
	await expect(client.send(new HeadObjectCommand({ Bucket, Key }))).rejects.toThrow(failsWith('NotFound'))
})

test('an empty object is an object', async () => {
	const { storage, client } = await open()
	await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(0) }))
	expect(await storage.stat(Key)).toMatchObject({ size: 0 })
	expect(await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToByteArray()).toHaveLength(0)
})

test('parts become one object, in whatever order they are sent', async () => {
	const { storage, bridge, client } = await open()
	const parts = [5 * MIB, 5 * MIB, 5 * MIB, 17].map((size) => randomBytes(size))
	await upload(client, parts, [3, 1, 2, 0])
	const whole = Buffer.concat(parts)
	expect(sha256(await bytesOf(storage, Key))).toBe(sha256(whole))
	expect(bridge.objects.get(Key)).toEqual({ size: whole.length, sha256: sha256(whole) })
})

test('more uploads than may run wait for their turn, and all are stored', async () => {
	const { storage, client } = await open({ concurrency: 2, budgetBytes: 12 * MIB })
	const bodies = Array.from({ length: 6 }, () => [randomBytes(5 * MIB), randomBytes(1000)])
	await Promise.all(bodies.map((parts, at) => upload(client, parts, [0, 1], `backups/a/001/data_0${at}.csv`)))
	for (const [at, parts] of bodies.entries()) {
		expect(sha256(await bytesOf(storage, `backups/a/001/data_0${at}.csv`))).toBe(sha256(Buffer.concat(parts)))
	}
})

test('what waits for a slow store stays with its sender: no more is held than the budget', async () => {
	const inner = openMemory()
	const { promise: release, resolve } = Promise.withResolvers<void>()
	let received = 0
	const storage: Storage = Object.assign(Object.create(inner) as Storage, {
		async put(key: string, body: Parameters<Storage['put']>[1]) {
			const chunks: Uint8Array[] = []
			for await (const chunk of (body as () => AsyncIterable<Uint8Array>)()) {
				await release
				chunks.push(chunk)
				received += chunk.length
			}
			return inner.put(key, Buffer.concat(chunks))
		},
	})
	let moved = 0
	const { client } = await open({ storage, budgetBytes: 8 * MIB, onMoved: (bytes) => (moved += bytes) })
	const parts = Array.from({ length: 10 }, () => randomBytes(MIB))
	const done = upload(client, parts)
	await new Promise((next) => setTimeout(next, 100))
	expect({ received, isHeldBack: moved <= 2 * MIB }).toEqual({ received: 0, isHeldBack: true })
	resolve()
	await done
	expect(sha256(await bytesOf(inner, Key))).toBe(sha256(Buffer.concat(parts)))
})

test('a part that is sent again is the same or ends the upload', async () => {
	const { storage, client } = await open()
	const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
	const part = (PartNumber: number, Body: Buffer) =>
		client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
	const first = await part(1, Buffer.from('one'))
	expect((await part(1, Buffer.from('one'))).ETag).toBe(first.ETag)
	await expect(part(1, Buffer.from('two'))).rejects.toThrow(failsWith('InvalidPart'))
	await expect(part(2, Buffer.from('more'))).rejects.toThrow(failsWith('InvalidPart'))
	expect(await storage.stat(Key)).toBeUndefined()
})

test('a completion must name the parts that there are, and may be asked for again', async () => {
	const { storage, client } = await open()
	const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
	const sent = { Bucket, Key, UploadId }
	const complete = (Parts: { PartNumber: number; ETag: string }[]) =>
		client.send(new CompleteMultipartUploadCommand({ ...sent, MultipartUpload: { Parts } }))
	const { ETag } = await client.send(new UploadPartCommand({ ...sent, PartNumber: 1, Body: Buffer.from('one') }))
	await expect(complete([{ PartNumber: 1, ETag: '"0"' }])).rejects.toThrow(failsWith('InvalidPart'))
	const right = [{ PartNumber: 1, ETag: ETag! }]
	await expect(complete([...right, { PartNumber: 2, ETag: ETag! }])).rejects.toThrow(failsWith('InvalidPart'))
	expect((await complete(right)).ETag).toBe((await complete(right)).ETag)
	expect(await bytesOf(storage, Key)).toEqual(Buffer.from('one'))
})

test('an upload that is given up, or begun anew, stores nothing', async () => {
	const { storage, client } = await open({ concurrency: 1 })
	const begin = async () => {
		const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
		await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: randomBytes(1000) }))
		return UploadId
	}
	const UploadId = await begin()
	await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
	const older = await begin()
	await begin()
	const Body = randomBytes(10)
	await expect(
		client.send(new UploadPartCommand({ Bucket, Key, UploadId: older, PartNumber: 2, Body })),
	).rejects.toThrow(failsWith('NoSuchUpload'))
	expect(await storage.stat(Key)).toBeUndefined()
})

test('a store that fails is told in a way that is tried again, and a new upload can follow', async () => {
	const inner = openMemory()
	let isFailing = true
	const storage: Storage = Object.assign(Object.create(inner) as Storage, {
		async put(...call: Parameters<Storage['put']>) {
			if (isFailing) throw new BackupError('STORAGE_TRANSIENT', 'secret place is down')
			return inner.put(...call)
		},
	})
	const { client } = await open({ storage, concurrency: 1 })
	const parts = [randomBytes(1000)]
	const refused = await upload(client, parts).catch((error: unknown) => error as Error)
	expect(refused).toMatchObject({ name: 'InternalError', $metadata: { httpStatusCode: 500 } })
	expect(String(refused)).not.toContain('secret place')
	isFailing = false
	await upload(client, parts)
	expect(await bytesOf(inner, Key)).toEqual(parts[0])
})

test('keys outside of the backup are neither written, read, listed nor deleted', async () => {
	const { storage, client } = await open()
	await storage.put('backups/b/x', Buffer.from('other'))
	await storage.put('backups/a/old', Buffer.from('old'))
	for (const key of ['backups/b/x', 'backups/ab', 'ydbackup.json', 'backups/a/../b/x', 'backups/a//x']) {
		await expect(client.send(new PutObjectCommand({ Bucket, Key: key, Body: 'x' })), key).rejects.toThrow(
			failsWith('AccessDenied'),
		)
		await expect(client.send(new GetObjectCommand({ Bucket, Key: key })), key).rejects.toThrow(
			failsWith('AccessDenied'),
		)
	}
	await expect(client.send(new DeleteObjectCommand({ Bucket, Key: 'backups/a/old' }))).rejects.toThrow(
		failsWith('AccessDenied'),
	)
	const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
	expect(Contents.map((each) => each.Key)).toEqual(['backups/a/old'])
	await expect(client.send(new ListObjectsV2Command({ Bucket: 'other' }))).rejects.toThrow(failsWith('NoSuchBucket'))
})

test('listings come in pages, also of a store without order, and in folders', async () => {
	const inner = openMemory()
	const keys = Array.from({ length: 25 }, (_, at) => `backups/a/${String(at).padStart(3, '0')}/metadata.json`)
	for (const key of keys) await inner.put(key, Buffer.from('{}'))
	const unordered: Storage = Object.assign(Object.create(inner) as Storage, {
		capabilities: { ...inner.capabilities, orderedList: { lacking: 'a test' } },
		async *list(prefix: string) {
			const all = []
			for await (const info of inner.list(prefix)) all.push(info)
			yield* all.toReversed()
		},
	})
	for (const storage of [inner, unordered]) {
		const { client } = await open({ storage })
		const found: string[] = []
		let ContinuationToken: string | undefined
		do {
			const page = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 10, ContinuationToken }))
			found.push(...(page.Contents ?? []).map((each) => each.Key!))
			ContinuationToken = page.NextContinuationToken
		} while (ContinuationToken !== undefined)
		expect(found).toEqual(keys)
		const folders = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'backups/a/', Delimiter: '/' }))
		expect(folders.CommonPrefixes?.map((each) => each.Prefix)).toEqual(keys.map((key) => key.slice(0, 14)))
	}
})

test('to read is not to write', async () => {
	const storage = openMemory()
	await storage.put(Key, Buffer.from('rows'))
	const { client } = await open({ storage, isWritable: false })
	expect(await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()).toBe('rows')
	await expect(client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))).rejects.toThrow(failsWith('AccessDenied'))
	await expect(client.send(new CreateMultipartUploadCommand({ Bucket, Key }))).rejects.toThrow(
		failsWith('AccessDenied'),
	)
	await expect(client.send(new DeleteObjectCommand({ Bucket, Key }))).rejects.toThrow(failsWith('AccessDenied'))
})

test('who has not the credentials of this bridge gets nothing, and is counted', async () => {
	const { bridge } = await open()
	const other = await open()
	const thief = clientOf(bridge, {
		credentials: { accessKeyId: bridge.place.accessKey, secretAccessKey: other.bridge.place.secretKey },
	})
	await expect(thief.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))).rejects.toThrow(
		failsWith('SignatureDoesNotMatch'),
	)
	const nobody = await fetch(`http://${bridge.place.endpoint}/${Bucket}?list-type=2`)
	expect(nobody.status).toBe(403)
	expect({ requests: bridge.requests, refused: bridge.refused }).toEqual({ requests: 2, refused: 2 })
})

test('a body that is cut off, or is not what was said, is not stored', async () => {
	const { storage, bridge, client } = await open()
	await expect(
		client.send(new PutObjectCommand({ Bucket, Key, Body: 'text', ContentMD5: createHash('md5').digest('base64') })),
	).rejects.toThrow(failsWith('BadDigest'))
	// A request of the SDK, signed, is sent by hand and broken off within its body.
	const captured = await capture(client, new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(1000, 'x') }))
	const [host, port] = bridge.place.endpoint.split(':')
	const socket = connect(Number(port), host)
	socket.write(`${captured.head}\r\n\r\n${'x'.repeat(500)}`)
	await new Promise((next) => setTimeout(next, 50))
	socket.destroy()
	await new Promise((next) => setTimeout(next, 20))
	expect(await storage.stat(Key)).toBeUndefined()
	const other = connect(Number(port), host)
	const answer = new Promise<string>((resolve) => other.once('data', (data) => resolve(String(data))))
	other.write(`${captured.head}\r\n\r\n${'y'.repeat(1000)}`)
	expect(await answer).toMatch(/^HTTP\/1.1 400/u)
	other.destroy()
	expect(await storage.stat(Key)).toBeUndefined()
})

/** The head of a request as the SDK would send it. */
async function capture(client: S3Client, command: PutObjectCommand): Promise<{ readonly head: string }> {
	let head = ''
	const copy = new S3Client({
		...client.config,
		requestHandler: {
			handle: async (request: { method: string; path: string; headers: Record<string, string> }) => {
				const { 'x-id': _, ...headers } = request.headers
				const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
				head = [`${request.method} ${request.path}?x-id=PutObject HTTP/1.1`, ...lines].join('\r\n')
				throw new Error('captured')
			},
		},
	} as never)
	await copy.send(command).catch(() => undefined)
	return { head }
}
