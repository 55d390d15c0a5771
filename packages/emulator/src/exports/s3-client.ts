import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { encoded, signed, type StoreKeys } from './s3-signature.ts'

export interface StoreAddress extends StoreKeys {
	/** `host`, `host:port`, or a URL without a path. */
	readonly endpoint: string
	readonly isHttp: boolean
	readonly bucket: string
	readonly isVirtual: boolean
	/** PEM of authorities besides those of the system. */
	readonly ca?: string | undefined
}

/** How a store refused, or that it did not answer. */
export class StoreError extends Error {
	override readonly name = 'StoreError'
	readonly code: string
	/** Whether the AWS SDK of the server would try again. */
	readonly mayRetry: boolean
	constructor(code: string, message: string, mayRetry: boolean) {
		super(message)
		this.code = code
		this.mayRetry = mayRetry
	}
}

export interface StoredObject {
	readonly size: number
	readonly etag: string
}

/** Where requests of a bucket go. Source: virtual hosting of S3; names that are no names of hosts stay in the path. */
export function placeOf({ endpoint, bucket, isVirtual }: Pick<StoreAddress, 'endpoint' | 'bucket' | 'isVirtual'>): {
	readonly host: string
	readonly base: string
} {
	const host = endpoint.replace(/^https?:\/\//, '').replace(/\/+$/, '')
	const name = host.replace(/:\d+$/, '')
	const fits = /^[a-z\d][a-z\d-]{1,61}[a-z\d]$/.test(bucket) && isIP(name.replace(/^\[|\]$/g, '')) === 0
	return isVirtual && fits ? { host: `${bucket}.${host}`, base: '' } : { host, base: `/${encoded(bucket)}` }
}

/** Codes that the server tries again. Source: ydb/core/wrappers/retry_policy.cpp and the retryable errors of the AWS SDK. */
const RETRYABLE = new Set([
	'InternalError',
	'ServiceUnavailable',
	'SlowDown',
	'Throttling',
	'RequestTimeout',
	'RequestTimeTooSkewed',
	'TooManyRequests',
	'OperationAborted',
])
/** Longest silence of a store. Source: request_timeout_ms of the server's S3 client; its default is a guess. */
const SILENCE_MS = 30_000
const EMPTY = Buffer.alloc(0)

const between = (text: string, name: string): string | undefined =>
	new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
const XML: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&amp;': '&' }
const fromXml = (text: string): string =>
	text.replace(/&(?:lt|gt|quot|apos|amp);|&#(x?)([\da-f]+);/gi, (whole, hex: string, code: string) =>
		code === undefined ? XML[whole]! : String.fromCodePoint(Number.parseInt(code, hex ? 16 : 10)),
	)

interface Answer {
	readonly status: number
	readonly headers: Readonly<Record<string, string | string[] | undefined>>
	readonly body: Buffer
}

interface Asked {
	readonly key?: string
	readonly query?: Readonly<Record<string, string>>
	readonly headers?: Readonly<Record<string, string>>
	readonly body?: Uint8Array
	readonly signal: AbortSignal
}

/** What an export and an import need of S3, over `node:http(s)`. It tries nothing again. */
export class S3Client {
	readonly #address: StoreAddress
	readonly #host: string
	readonly #base: string
	readonly #agent: HttpAgent

	constructor(address: StoreAddress) {
		this.#address = address
		const { host, base } = placeOf(address)
		this.#host = host
		this.#base = base
		this.#agent = address.isHttp
			? new HttpAgent({ keepAlive: true })
			: new HttpsAgent({ keepAlive: true, ...(address.ca !== undefined && { ca: address.ca }) })
	}

	close(): void {
		this.#agent.destroy()
	}

	async put(key: string, body: Uint8Array, storageClass: string | undefined, signal: AbortSignal): Promise<void> {
		await this.#ask('PUT', { key, body, headers: classHeader(storageClass), signal })
	}

	async createUpload(key: string, storageClass: string | undefined, signal: AbortSignal): Promise<string> {
		const { body } = await this.#ask('POST', {
			key,
			query: { uploads: '' },
			headers: classHeader(storageClass),
			signal,
		})
		return fromXml(between(body.toString(), 'UploadId') ?? '')
	}

	async putPart(key: string, uploadId: string, part: number, body: Uint8Array, signal: AbortSignal): Promise<string> {
		const { headers } = await this.#ask('PUT', { key, query: { partNumber: String(part), uploadId }, body, signal })
		return String(headers.etag ?? '')
	}

	async completeUpload(key: string, uploadId: string, etags: readonly string[], signal: AbortSignal): Promise<void> {
		const parts = etags.map((etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
		const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
		await this.#ask('POST', { key, query: { uploadId }, body, signal })
	}

	async abortUpload(key: string, uploadId: string, signal: AbortSignal): Promise<void> {
		await this.#ask('DELETE', { key, query: { uploadId }, signal })
	}

	async head(key: string, signal: AbortSignal): Promise<StoredObject | undefined> {
		try {
			const { headers } = await this.#ask('HEAD', { key, signal })
			return { size: Number(headers['content-length'] ?? 0), etag: String(headers.etag ?? '') }
		} catch (error) {
			if (error instanceof StoreError && error.code === 'NotFound') return undefined
			throw error
		}
	}

	/** Bytes from one to another, both included. */
	async get(key: string, from: number, to: number, signal: AbortSignal): Promise<{ bytes: Buffer; etag: string }> {
		const { body, headers } = await this.#ask('GET', { key, headers: { range: `bytes=${from}-${to}` }, signal })
		if (body.length !== to - from + 1)
			throw new StoreError('IncompleteBody', `got ${body.length} bytes of ${to - from + 1}`, true)
		return { bytes: body, etag: String(headers.etag ?? '') }
	}

	/** Keys with a prefix: one page of a listing, as the server asks for one only. */
	async list(prefix: string, signal: AbortSignal): Promise<string[]> {
		const { body } = await this.#ask('GET', { query: { 'list-type': '2', prefix }, signal })
		return [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => fromXml(key!))
	}

	async #ask(method: string, { key, query = {}, headers = {}, body = EMPTY, signal }: Asked): Promise<Answer> {
		const path = key === undefined ? this.#base || '/' : `${this.#base}/${key.split('/').map(encoded).join('/')}`
		const text = Object.keys(query)
			.toSorted()
			.map((name) => `${encoded(name)}=${encoded(query[name]!)}`)
			.join('&')
		const all = signed(
			{ method, path, query: text, headers: { ...headers, host: this.#host }, body },
			this.#address,
			new Date(),
		)
		if (method !== 'GET' && method !== 'HEAD' && method !== 'DELETE') all['content-length'] = String(body.length)
		const answer = await this.#send(method, text === '' ? path : `${path}?${text}`, all, body, signal)
		const { status } = answer
		const content = answer.body.toString('utf8', 0, 4096)
		if (status < 300 && !(method === 'POST' && content.includes('<Error>'))) return answer
		const code = between(content, 'Code') ?? (status === 404 ? 'NotFound' : `HTTP ${status}`)
		const message = fromXml(between(content, 'Message') ?? 'No response body.')
		throw new StoreError(code, message, RETRYABLE.has(code) || status >= 500 || status === 429)
	}

	#send(
		method: string,
		path: string,
		headers: Record<string, string>,
		body: Uint8Array,
		signal: AbortSignal,
	): Promise<Answer> {
		const { promise, resolve, reject } = Promise.withResolvers<Answer>()
		const url = new URL(`${this.#address.isHttp ? 'http' : 'https'}://${this.#host}`)
		const lost = (error: Error): void =>
			reject(signal.aborted ? signal.reason : new StoreError('NetworkError', error.message || error.name, true))
		const send = this.#address.isHttp ? httpRequest : httpsRequest
		const request = send({
			agent: this.#agent,
			hostname: url.hostname.replace(/^\[|\]$/g, ''),
			port: url.port || undefined,
			method,
			path,
			headers,
			signal,
		})
		request.setTimeout(SILENCE_MS, () => request.destroy(new Error('the store is silent')))
		request.on('error', lost)
		request.on('response', (response) => {
			const pieces: Buffer[] = []
			response.on('error', lost)
			response.on('data', (piece: Buffer) => pieces.push(piece))
			response.on('end', () => {
				if (!response.complete) return lost(new Error('the answer broke off'))
				resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) })
			})
		})
		request.end(body)
		return promise
	}
}

const classHeader = (storageClass: string | undefined): Record<string, string> =>
	storageClass === undefined ? {} : { 'x-amz-storage-class': storageClass }
