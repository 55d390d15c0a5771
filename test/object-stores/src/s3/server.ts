import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { bucketOperations } from './buckets.ts'
import { type Answer, type Call, operationOf, type S3Behaviour } from './call.ts'
import { errorBody, S3Error } from './errors.ts'
import { FaultPlan, type S3Failure, type S3Fault } from './faults.ts'
import { multipartOperations } from './multipart.ts'
import { objectOperations } from './objects.ts'
import { decodeBody, type S3Credential, verifySignature } from './signature.ts'
import { type Bucket, current, keysOf, newBucket, newId } from './store.ts'

export type { S3Behaviour } from './call.ts'
export type { S3Fault } from './faults.ts'
export type { S3Credential } from './signature.ts'

const OPERATIONS = { ...bucketOperations, ...objectOperations, ...multipartOperations }

export interface S3ServerOptions extends Partial<S3Behaviour> {
	/** Buckets that are there from the start. With `lock` objects can be held; with `versioned` old versions are kept. */
	readonly buckets?: readonly { readonly name: string; readonly lock?: boolean; readonly versioned?: boolean }[]
	/** Who may sign; by default {@link S3Server.credential} alone. */
	readonly credentials?: readonly S3Credential[]
	/** `us-east-1` by default. */
	readonly region?: string
	/** Milliseconds by which the server's clock is ahead of ours. */
	readonly clockAheadMs?: number
	/** Serves HTTPS. */
	readonly tls?: { readonly key: string; readonly cert: string }
}

/** A request that was answered, or would have been. */
export interface S3Request {
	readonly operation: string
	readonly bucket: string
	readonly key: string
	readonly status: number
	readonly headers: Readonly<Record<string, string | string[] | undefined>>
	readonly bodyBytes: number
}

/** A running server. Disposing it closes every connection. */
export interface S3Server extends AsyncDisposable {
	/** For example `http://127.0.0.1:12345`; buckets are in the path. */
	readonly endpoint: string
	readonly credential: S3Credential
	/** Requests in the order of their answers. */
	readonly requests: readonly S3Request[]
	/** Plans a fault. */
	fault(fault: S3Fault): void
	/** Forgets the faults that were planned. */
	clearFaults(): void
	/** Keys of a bucket, in order. */
	keys(bucket: string): string[]
	/** The bytes of an object. */
	bytes(bucket: string, key: string): Buffer | undefined
	/** Stores an object without a request. */
	seed(bucket: string, key: string, bytes: Uint8Array): void
	/** How many multipart uploads are unfinished. */
	uploads(bucket: string): number
	/** Connections that are open. */
	connections(): Promise<number>
}

const DEFAULT_CREDENTIAL: S3Credential = {
	accessKeyId: 'AKIATESTTESTTESTTEST',
	secretAccessKey: 'canary-secret-of-the-test-server-0123456',
}

/**
 * Starts a strict S3 on a free port of the loopback interface: signatures and checksums are enforced, conditional creates are
 * atomic, pages end at 1000 keys. Objects are held in memory. It speaks path style.
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
	const state = new S3State(options)
	const listener = (request: IncomingMessage, response: ServerResponse): void => {
		request.on('error', () => undefined)
		response.on('error', () => undefined)
		void state.answer(request, response).catch(() => request.socket.destroy())
	}
	const server: Server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener)
	server.keepAliveTimeout = 30_000
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
	const { port } = server.address() as AddressInfo
	return {
		endpoint: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
		credential: state.credentials[0]!,
		requests: state.requests,
		fault: (fault) => state.faults.add(fault),
		clearFaults: () => state.faults.clear(),
		keys: (bucket) => keysOf(state.bucket(bucket), ''),
		bytes: (bucket, key) => current(state.bucket(bucket), key)?.bytes,
		seed: (bucket, key, bytes) => state.seed(bucket, key, bytes),
		uploads: (bucket) => state.bucket(bucket).uploads.size,
		connections: () =>
			new Promise((resolve, reject) =>
				server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
			),
		async [Symbol.asyncDispose]() {
			server.closeAllConnections()
			await new Promise((resolve) => server.close(resolve))
		},
	}
}

class S3State {
	readonly requests: S3Request[] = []
	readonly faults = new FaultPlan()
	readonly buckets = new Map<string, Bucket>()
	readonly credentials: readonly S3Credential[]
	readonly #behaviour: S3Behaviour
	readonly #region: string
	readonly #aheadMs: number

	constructor(options: S3ServerOptions) {
		const {
			buckets = [{ name: 'bucket' }],
			credentials,
			region = 'us-east-1',
			clockAheadMs = 0,
			...behaviour
		} = options
		for (const { name, lock = false, versioned = false } of buckets)
			this.buckets.set(name, newBucket(name, versioned, lock))
		this.credentials = credentials ?? [DEFAULT_CREDENTIAL]
		this.#region = region
		this.#aheadMs = clockAheadMs
		this.#behaviour = {
			pageSize: 1000,
			minPartBytes: 5 * 2 ** 20,
			listings: 'told',
			conditionalPut: 'enforced',
			conditionalComplete: 'enforced',
			flexibleChecksums: true,
			payloadHashes: true,
			chunkedBodies: true,
			...behaviour,
		}
	}

	bucket(name: string): Bucket {
		const bucket = this.buckets.get(name)
		if (!bucket) throw new Error(`there is no bucket ${name}`)
		return bucket
	}

	seed(bucket: string, key: string, body: Uint8Array): void {
		OPERATIONS['PutObject']!({ ...this.#call('PutObject', bucket, key), body: Buffer.from(body) })
	}

	#call(operation: string, bucket: string, key: string): Call {
		const { buckets } = this
		const behaviour = this.#behaviour
		const query = new URLSearchParams()
		return { operation, bucket, key, query, headers: {}, trailers: {}, body: Buffer.alloc(0), buckets, behaviour }
	}

	async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const requestId = newId().slice(0, 16).toUpperCase()
		const { method = '', headers } = request
		const url = request.url ?? ''
		const { bucket, key, query } = targetOf(url)
		const operation = operationOf(method, bucket, key, query, headers['x-amz-copy-source'] !== undefined)
		const failure = this.faults.take(operation, key)
		const raw = await bodyOf(request, failure?.kind === 'cut-request' ? failure.afterBytes : undefined)
		if (failure?.kind === 'silent') return
		if (failure?.kind === 'delay') await sleep(failure.milliseconds)
		let answer: Answer
		try {
			if (failure?.kind === 'error') throw new S3Error(failure.code, undefined, faultDetail(failure.code, headers))
			if (operation === 'Unknown') throw new S3Error('NotImplemented')
			const base = { ...this.#call(operation, bucket, key), query }
			const call = this.#authorised(base, { method, url, headers }, raw)
			if (failure?.kind === 'error-in-200')
				answer = { status: 200, body: errorBody(new S3Error(failure.code), `/${bucket}/${key}`, requestId) }
			else {
				if (failure?.kind === 'strip') for (const name of failure.headers) delete call.headers[name]
				answer = OPERATIONS[operation]!(call)
			}
		} catch (error) {
			if (!(error instanceof S3Error)) throw error
			answer = {
				status: error.status,
				headers: {
					'content-type': 'application/xml',
					...(error.code === 'AuthorizationHeaderMalformed' && { 'x-amz-bucket-region': this.#region }),
					...(failure?.kind === 'error' &&
						failure.retryAfterSeconds !== undefined && { 'retry-after': String(failure.retryAfterSeconds) }),
				},
				body: errorBody(error, `/${bucket}/${key}`, requestId),
			}
		}
		this.requests.push({ operation, bucket, key, status: answer.status, headers, bodyBytes: raw.length })
		this.#send(request, response, answer, requestId, failure)
	}

	/** The request as a call, once its signature, its rights, and the way its body was sent are right. */
	#authorised(
		base: Call,
		request: { method: string; url: string; headers: IncomingMessage['headers'] },
		raw: Buffer,
	): Call {
		const { operation } = base
		const { headers } = request
		const now = Date.now() + this.#aheadMs
		const { who, signing } = verifySignature(request, this.credentials, this.#region, now)
		if (who.allow && !who.allow.includes(operation))
			throw new S3Error(
				'AccessDenied',
				`User: arn:aws:iam::123456789012:user/test is not authorized to perform: s3:${operation} because no identity-based policy allows the s3:${operation} action`,
			)
		const isUpload = operation === 'PutObject' || operation === 'UploadPart'
		const isChunked = String(headers['x-amz-content-sha256']).startsWith('STREAMING-')
		const isSized = headers['content-length'] !== undefined || headers['x-amz-decoded-content-length'] !== undefined
		if (isUpload && (!isSized || (isChunked && !this.#behaviour.chunkedBodies)))
			throw new S3Error('MissingContentLength')
		const { bytes, trailers } = decodeBody(raw, headers, signing, this.#behaviour.payloadHashes)
		return { ...base, headers: { ...headers }, body: bytes, trailers }
	}

	#send(
		request: IncomingMessage,
		response: ServerResponse,
		{ status, headers, body = '' }: Answer,
		requestId: string,
		failure: S3Failure | undefined,
	): void {
		const { socket } = request
		if (failure?.kind === 'lose-answer') {
			socket.resetAndDestroy()
			return
		}
		let bytes: Buffer = Buffer.from(body)
		if (failure?.kind === 'truncate') bytes = bytes.subarray(0, failure.toBytes)
		if (failure?.kind === 'flip') bytes[failure.at]! ^= 1
		for (const [name, value] of Object.entries(headers ?? {})) if (value !== undefined) response.setHeader(name, value)
		response.setHeader('x-amz-request-id', requestId)
		response.setHeader('x-amz-id-2', Buffer.from(requestId.repeat(3)).toString('base64'))
		response.setHeader('server', 'AmazonS3')
		response.setHeader('date', new Date(Date.now() + this.#aheadMs).toUTCString())
		if (status !== 204) response.setHeader('content-length', bytes.length)
		response.writeHead(status)
		if (request.method === 'HEAD') response.end()
		else if (failure?.kind === 'cut-response')
			response.write(bytes.subarray(0, failure.afterBytes), () => setImmediate(() => socket.destroy()))
		else if (failure?.kind === 'stall-response') response.write(bytes.subarray(0, failure.afterBytes))
		else response.end(bytes)
	}
}

/** Bucket and key of a path-style URL. */
function targetOf(url: string): { bucket: string; key: string; query: URLSearchParams } {
	const [path = '', query = ''] = url.split(/\?(.*)/s)
	const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? []
	const parameters = new URLSearchParams(query)
	// The SDK names operations for its own statistics.
	parameters.delete('x-id')
	return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(key), query: parameters }
}

/** A whole body. Rejects when the connection goes before its end, or is cut here after so many bytes. */
async function bodyOf(request: IncomingMessage, cutAfter = Infinity): Promise<Buffer> {
	const pieces: Buffer[] = []
	let size = 0
	for await (const piece of request as AsyncIterable<Buffer>) {
		pieces.push(piece)
		size += piece.length
		if (size >= cutAfter) request.socket.resetAndDestroy()
	}
	if (size >= cutAfter || cutAfter === 0) throw new Error('the connection was cut')
	return Buffer.concat(pieces)
}

/** What S3 adds to an error of a fault: an expired token is given back in clear. */
function faultDetail(code: string, headers: IncomingMessage['headers']): Record<string, string> {
	const token = headers['x-amz-security-token']
	return code === 'ExpiredToken' && typeof token === 'string' ? { 'Token-0': token } : {}
}
