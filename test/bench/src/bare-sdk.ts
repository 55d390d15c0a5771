import { hash, sign } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import type { BlockBlobClient } from '@azure/storage-blob'
import type { Side, StoreName } from './storage-job.ts'

const PART = 8 << 20
const closing = async (): Promise<void> => {}

/** What a program does that uses the SDK as its documentation shows, with the SDK's own retries, and a checksum that the store checks
 * on every write as the drivers have one: the SDK's default where it has one. */
export function openBare(store: StoreName, url: string): Promise<Side> {
	return { fs, s3, gcs, azure }[store](new URL(url))
}

/** A file that is written, synced and renamed, and its name synced, as anybody does who means to keep it. */
async function fs(url: URL): Promise<Side> {
	const root = fileURLToPath(url)
	return {
		async put(key, _size, body) {
			const path = join(root, key)
			await mkdir(dirname(path), { recursive: true })
			const file = await open(`${path}.part`, 'w')
			for await (const piece of body()) await file.write(piece)
			await file.sync()
			await file.close()
			await rename(`${path}.part`, path)
			const directory = await open(dirname(path), 'r')
			await directory.sync()
			await directory.close()
		},
		get: async (key) => createReadStream(join(root, key), { highWaterMark: 1 << 20 }),
		[Symbol.asyncDispose]: closing,
	}
}

/** Multipart uploads of 8 MiB parts, four at once, as the driver's; small objects in one request. */
async function s3(url: URL): Promise<Side> {
	const sdk = await import('@aws-sdk/client-s3')
	const endpoint = url.searchParams.get('endpoint')
	const client = new sdk.S3Client({
		region: process.env['AWS_REGION'] ?? 'us-east-1',
		...(endpoint !== null && { endpoint, forcePathStyle: true }),
	})
	const Bucket = url.hostname
	const keyOf = (key: string): string => `${url.pathname.slice(1)}/sdk/${key}`
	return {
		async put(key, size, body) {
			const Key = keyOf(key)
			if (size <= PART) {
				const pieces: Uint8Array[] = []
				for await (const piece of body()) pieces.push(piece)
				await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: Buffer.concat(pieces) }))
				return
			}
			const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key }))
			const sent: Promise<{ PartNumber: number; ETag: string | undefined }>[] = []
			let pieces: Uint8Array[] = []
			let length = 0
			const send = (): void => {
				const PartNumber = sent.length + 1
				const Body = Buffer.concat(pieces)
				pieces = []
				length = 0
				sent.push(
					client
						.send(new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
						.then(({ ETag, ...sums }) => ({
							PartNumber,
							ETag,
							...(sums.ChecksumCRC32 && { ChecksumCRC32: sums.ChecksumCRC32 }),
						})),
				)
			}
			for await (const piece of body()) {
				pieces.push(piece)
				length += piece.length
				if (length < PART) continue
				send()
				if (sent.length > 3) await sent.at(-4)
			}
			if (length > 0) send()
			const MultipartUpload = { Parts: await Promise.all(sent) }
			await client.send(new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
		},
		async get(key) {
			const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key: keyOf(key) }))
			return Body as Readable
		},
		[Symbol.asyncDispose]: async () => client.destroy(),
	}
}

async function gcs(url: URL): Promise<Side> {
	const { Storage } = await import('@google-cloud/storage')
	const apiEndpoint = url.searchParams.get('endpoint')
	const client = new Storage(apiEndpoint === null ? {} : { apiEndpoint })
	const file = process.env['GOOGLE_APPLICATION_CREDENTIALS']
	if (apiEndpoint !== null && file !== undefined) {
		// The SDK logs nobody in at other addresses than Google's, not even when it is asked to (resumable uploads).
		const Authorization = `Bearer ${await login(file)}`
		const request = (options: { headers?: object }): object => ({
			...options,
			headers: { ...options.headers, Authorization },
		})
		client.interceptors.push({ request } as never)
	}
	const bucket = client.bucket(url.hostname)
	const at = (key: string): ReturnType<typeof bucket.file> => bucket.file(`${url.pathname.slice(1)}/sdk/${key}`)
	return {
		put: (key, size, body) =>
			pipeline(Readable.from(body()), at(key).createWriteStream({ resumable: size > PART, chunkSize: PART })),
		get: async (key) => at(key).createReadStream(),
		[Symbol.asyncDispose]: closing,
	}
}

/** Blocks of 8 MiB, four at once, each with the MD5 that the service checks: the SDK's own `uploadStream` sends none. */
async function stage(blob: BlockBlobClient, body: () => AsyncIterable<Uint8Array>): Promise<void> {
	const ids: string[] = []
	const sent: Promise<unknown>[] = []
	let pieces: Uint8Array[] = []
	let length = 0
	const send = (): void => {
		const bytes = Buffer.concat(pieces)
		const id = Buffer.from(String(ids.length).padStart(6, '0')).toString('base64')
		pieces = []
		length = 0
		ids.push(id)
		sent.push(blob.stageBlock(id, bytes, bytes.length, { transactionalContentMD5: hash('md5', bytes, 'buffer') }))
	}
	for await (const piece of body()) {
		pieces.push(piece)
		length += piece.length
		if (length < PART) continue
		send()
		if (sent.length > 3) await sent.at(-4)
	}
	if (length > 0) send()
	await Promise.all(sent)
	await blob.commitBlockList(ids)
}

async function azure(url: URL): Promise<Side> {
	const { BlobServiceClient, StorageSharedKeyCredential } = await import('@azure/storage-blob')
	const {
		AZURE_STORAGE_ACCOUNT: account = '',
		AZURE_STORAGE_KEY: key = '',
		AZURE_STORAGE_CONNECTION_STRING: text,
	} = process.env
	const endpoint = url.searchParams.get('endpoint') ?? `https://${account}.blob.core.windows.net`
	const service = text
		? BlobServiceClient.fromConnectionString(text)
		: new BlobServiceClient(endpoint, new StorageSharedKeyCredential(account, key))
	const container = service.getContainerClient(url.hostname)
	const blob = (name: string): ReturnType<typeof container.getBlockBlobClient> =>
		container.getBlockBlobClient(`${url.pathname.slice(1)}/sdk/${name}`)
	return {
		async put(name, size, body) {
			if (size > PART) return stage(blob(name), body)
			const pieces: Uint8Array[] = []
			for await (const piece of body()) pieces.push(piece)
			const bytes = Buffer.concat(pieces)
			return blob(name).upload(bytes, bytes.length, { transactionalContentMD5: hash('md5', bytes, 'buffer') })
		},
		get: async (name) => (await blob(name).download(0)).readableStreamBody as Readable,
		[Symbol.asyncDispose]: closing,
	}
}

/** A token from the address that the key file names. */
async function login(file: string): Promise<string> {
	const key = JSON.parse(await readFile(file, 'utf8')) as Record<
		'client_email' | 'private_key' | 'private_key_id' | 'token_uri',
		string
	>
	const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
	const iat = Math.floor(Date.now() / 1000)
	const claims = {
		iss: key.client_email,
		scope: 'https://www.googleapis.com/auth/devstorage.full_control',
		aud: key.token_uri,
		iat,
		exp: iat + 3600,
	}
	const signed = `${part({ alg: 'RS256', typ: 'JWT', kid: key.private_key_id })}.${part(claims)}`
	const assertion = `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key.private_key).toString('base64url')}`
	const answer = await fetch(key.token_uri, {
		method: 'POST',
		body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }),
	})
	const { access_token: token } = (await answer.json()) as { access_token?: string }
	if (token === undefined) throw new Error(`no token from ${key.token_uri}`)
	return token
}
