import type { IncomingMessage } from 'node:http'
import { isKey, type Storage } from '@ydbackup/core'
import { readBody, sizeOf } from './body.ts'
import { ByteBudget } from './byte-budget.ts'
import { etagOf, listPage, rangeOf } from './reading.ts'
import { S3Error } from './s3-error.ts'
import { HOLD_MS, type Stored } from './upload.ts'
import { Uploads } from './uploads.ts'
import { document, readParts } from './xml.ts'

const LARGEST_LIST = 2 << 20

/** A request whose signature is right. */
export interface Call {
	readonly request: IncomingMessage
	readonly method: string
	readonly bucket: string
	/** Empty for the bucket itself. */
	readonly key: string
	readonly query: URLSearchParams
	/** What the signer says of the body. */
	readonly payload: string
	/** Aborts when the requester has gone. */
	readonly signal: AbortSignal
}

export interface Answer {
	readonly status: number
	readonly headers?: Readonly<Record<string, string>>
	readonly body?: string | AsyncIterable<Uint8Array>
}

export interface OperationsOptions {
	readonly storage: Storage
	readonly bucket: string
	readonly isWritable: boolean
	/** Keys below one of these are all that there is. */
	readonly prefixes: readonly string[]
	readonly budgetBytes: number
	readonly concurrency: number
	readonly onStored: (key: string, stored: Stored) => void
	readonly onMoved: (bytes: number) => void
}

/** What S3 can be asked for, onto a store. Errors: {@link S3Error}, and those of the store. */
export class S3Operations {
	readonly #options: OperationsOptions
	readonly #budget: ByteBudget
	readonly #slots: ByteBudget
	readonly #uploads = new Uploads()
	readonly #stored = new Map<string, Stored>()

	constructor(options: OperationsOptions) {
		this.#options = options
		this.#budget = new ByteBudget(options.budgetBytes)
		this.#slots = new ByteBudget(options.concurrency)
	}

	async answer(call: Call): Promise<Answer> {
		const { method, bucket, key, query } = call
		if (bucket !== this.#options.bucket) throw new S3Error('NoSuchBucket', 'there is no such bucket')
		if (key === '') return this.#ofBucket(call)
		if (!this.#isAllowed(key) || !isKey(key)) throw new S3Error('AccessDenied', 'this key is not open to you')
		if (method === 'GET' || method === 'HEAD') return this.#get(call)
		if (!this.#options.isWritable) throw new S3Error('AccessDenied', 'nothing may be written here')
		if (method === 'PUT' && call.request.headers['x-amz-copy-source'] !== undefined)
			throw new S3Error('NotImplemented', 'objects are not copied here')
		if (method === 'PUT') return query.has('uploadId') ? this.#putPart(call) : this.#put(call)
		if (method === 'POST' && query.has('uploads')) return this.#begin(call)
		if (method === 'POST' && query.has('uploadId')) return this.#complete(call)
		if (method === 'DELETE') return this.#delete(call)
		throw new S3Error('MethodNotAllowed', 'this is not answered here')
	}

	async close(): Promise<void> {
		await this.#uploads.close()
	}

	#isAllowed(key: string): boolean {
		return this.#options.prefixes.some((prefix) => key.startsWith(prefix))
	}

	async #ofBucket({ method, query, signal }: Call): Promise<Answer> {
		if (method === 'HEAD') return { status: 200 }
		if (method !== 'GET') throw new S3Error('MethodNotAllowed', 'the bucket stays as it is')
		if (query.has('location')) return xml('LocationConstraint', '')
		const page = await listPage(this.#options.storage, query, (key) => this.#isAllowed(key), signal)
		return xml('ListBucketResult', [['Name', this.#options.bucket], ...(page as Exclude<typeof page, string>)])
	}

	async #get({ method, request, key, signal }: Call): Promise<Answer> {
		const { storage, onMoved } = this.#options
		const info = await storage.stat(key, { signal })
		if (info === undefined) throw new S3Error('NoSuchKey', 'there is no such key')
		const range = rangeOf(request.headers.range, info.size)
		const headers = {
			etag: `"${this.#stored.get(key)?.etag ?? etagOf(info)}"`,
			'accept-ranges': 'bytes',
			'content-type': 'application/octet-stream',
			'last-modified': (info.modifiedAt ?? new Date(0)).toUTCString(),
			'content-length': String(range?.length ?? info.size),
			...(range && { 'content-range': `bytes ${range.offset}-${range.offset + range.length - 1}/${info.size}` }),
		}
		const status = range === undefined ? 200 : 206
		if (method === 'HEAD' || info.size === 0) return { status, headers }
		const { bytes } = await storage.get(key, { signal, ...(range && { range }) })
		return { status, headers, body: counted(bytes, onMoved) }
	}

	async #put({ request, key, payload, signal }: Call): Promise<Answer> {
		const { storage } = this.#options
		const size = sizeOf(request, payload)
		if (size > this.#budget.limit) {
			throw new S3Error('EntityTooLarge', `an object of one piece may have ${this.#budget.limit} bytes at most`)
		}
		if (!(await this.#budget.take(size, HOLD_MS, signal))) throw new S3Error('SlowDown', 'too much is being written')
		try {
			const { chunks, sha256 } = await readBody(request, payload, size)
			const info = await storage.put(key, () => pieces(chunks), { size, sha256, signal })
			return this.#kept(key, { info, etag: `${sha256.slice(0, 32)}-1`, sha256 })
		} finally {
			this.#budget.give(size)
		}
	}

	async #begin({ key, bucket }: Call): Promise<Answer> {
		const { storage } = this.#options
		const upload = this.#uploads.begin({ storage, key, budget: this.#budget, slots: this.#slots })
		return xml('InitiateMultipartUploadResult', [
			['Bucket', bucket],
			['Key', key],
			['UploadId', upload.id],
		])
	}

	async #putPart({ request, key, query, payload }: Call): Promise<Answer> {
		const upload = this.#uploads.find(query.get('uploadId') ?? '', key)
		const text = query.get('partNumber') ?? ''
		const number = /^\d{1,5}$/u.test(text) ? Number(text) : 0
		if (number < 1 || number > 10_000) throw new S3Error('InvalidArgument', 'parts are numbered from 1 to 10000')
		const size = sizeOf(request, payload)
		const etag = await upload.receive(number, size, () => readBody(request, payload, size))
		this.#options.onMoved(size)
		return { status: 200, headers: { etag: `"${etag}"` } }
	}

	async #complete({ request, key, bucket, query, payload }: Call): Promise<Answer> {
		const upload = this.#uploads.find(query.get('uploadId') ?? '', key)
		const size = sizeOf(request, payload)
		if (size > LARGEST_LIST) throw new S3Error('EntityTooLarge', 'no list of parts is as long')
		const { chunks } = await readBody(request, payload, size)
		const parts = readParts(Buffer.concat(chunks).toString('utf8'))
		if (parts === undefined) throw new S3Error('MalformedXML', 'this is no list of parts')
		const stored = await upload.complete(parts)
		this.#keep(key, stored)
		return xml('CompleteMultipartUploadResult', [
			['Bucket', bucket],
			['Key', key],
			['ETag', `"${stored.etag}"`],
		])
	}

	async #delete({ key, query, signal }: Call): Promise<Answer> {
		if (query.has('uploadId')) {
			await this.#uploads.abort(this.#uploads.find(query.get('uploadId') ?? '', key))
			return { status: 204 }
		}
		// What it has not written itself is not the cluster's to delete.
		if (!this.#stored.has(key) && (await this.#options.storage.stat(key, { signal })) !== undefined)
			throw new S3Error('AccessDenied', 'this object was not written here')
		await this.#options.storage.delete(key, { signal })
		this.#stored.delete(key)
		return { status: 204 }
	}

	#kept(key: string, stored: Stored): Answer {
		this.#options.onMoved(stored.info.size)
		this.#keep(key, stored)
		return { status: 200, headers: { etag: `"${stored.etag}"` } }
	}

	#keep(key: string, stored: Stored): void {
		this.#stored.set(key, stored)
		this.#options.onStored(key, stored)
	}
}

function xml(name: string, content: Parameters<typeof document>[1]): Answer {
	return { status: 200, headers: { 'content-type': 'application/xml' }, body: document(name, content) }
}

async function* pieces(chunks: readonly Buffer[]): AsyncGenerator<Uint8Array, void, undefined> {
	yield* chunks
}

async function* counted(
	bytes: AsyncIterable<Uint8Array>,
	onMoved: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
	for await (const chunk of bytes) {
		onMoved(chunk.length)
		yield chunk
	}
}
