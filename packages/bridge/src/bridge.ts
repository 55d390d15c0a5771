import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, isIPv6 } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { BackupError, type S3Place, type Storage } from '@ydbackup/core'
import { type Answer, S3Operations } from './operations.ts'
import { S3Error, s3ErrorOf } from './s3-error.ts'
import { decode, verifySignature } from './signature.ts'
import { document } from './xml.ts'

export interface BridgeOptions {
	/** What is written into or read from. It makes failed puts of whole buffers again by itself. */
	readonly storage: Storage
	/** What the requester may see and write: keys below these. Each ends at a slash. */
	readonly prefixes: readonly string[]
	readonly isWritable: boolean
	readonly listen: { readonly host: string; readonly port: number }
	/** How the nodes of the cluster call this machine, with a port where it is another one; by default what is listened on. */
	readonly advertise?: string | undefined
	/** PEM. */
	readonly tls?: { readonly cert: string; readonly key: string } | undefined
	/** Bodies that are held at once, all together; 64 MiB by default. */
	readonly budgetBytes?: number | undefined
	/** Large objects that are written at once; 4 by default. */
	readonly concurrency?: number | undefined
	/** Called when bytes have passed. */
	readonly onMoved?: ((bytes: number) => void) | undefined
}

/** An object that was written through a bridge. */
export interface BridgedObject {
	readonly size: number
	/** Of its bytes as they passed; lower-case hex. */
	readonly sha256: string
}

/** An S3 endpoint in front of a store, for as long as one command runs. Disposing it gives up what is not complete. */
export interface Bridge extends AsyncDisposable {
	/** What a client needs to know. The credentials are made for this bridge and are worth nothing after it. */
	readonly place: S3Place
	/** What was written, by key. */
	readonly objects: ReadonlyMap<string, BridgedObject>
	/** Requests that came, signed or not: 0 means that nobody reaches it. */
	readonly requests: number
	/** Requests that were refused for their signature. */
	readonly refused: number
}

const BUCKET = 'ydbackup'
const REGION = 'us-east-1'
const MOST_CONNECTIONS = 1024

/** Errors: `CONFIG_INVALID` for an address that cannot be listened on, or a certificate that cannot be used. */
export async function openBridge(options: BridgeOptions): Promise<Bridge> {
	const { storage, prefixes, isWritable, listen, tls } = options
	const credential = { accessKey: randomBytes(10).toString('hex'), secretKey: randomBytes(30).toString('base64url') }
	const objects = new Map<string, BridgedObject>()
	const counts = { requests: 0, refused: 0 }
	const operations = new S3Operations({
		storage,
		bucket: BUCKET,
		isWritable,
		prefixes,
		budgetBytes: options.budgetBytes ?? 64 << 20,
		concurrency: options.concurrency ?? 4,
		onStored: (key, { info, sha256 }) => void objects.set(key, { size: info.size, sha256 }),
		onMoved: options.onMoved ?? ((): void => undefined),
	})

	async function answer(request: IncomingMessage, signal: AbortSignal, onBody: () => void): Promise<Answer> {
		counts.requests++
		const { method = '', headers } = request
		const url = request.url ?? ''
		let payload: string
		try {
			payload = verifySignature({ method, url, headers }, credential, Date.now())
		} catch (error) {
			counts.refused++
			throw error
		}
		onBody()
		const [path = '', query = ''] = url.split(/\?(.*)/su)
		const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/su.exec(path) ?? []
		const call = { request, method, bucket: decode(bucket), key: decode(key), query: new URLSearchParams(query) }
		return operations.answer({ ...call, payload, signal })
	}

	async function handle(request: IncomingMessage, response: ServerResponse, isExpecting: boolean): Promise<void> {
		const gone = new AbortController()
		response.once('close', () => gone.abort())
		request.on('error', () => undefined)
		response.on('error', () => undefined)
		let said: Answer
		try {
			said = await answer(request, gone.signal, () => {
				if (isExpecting) response.writeContinue()
			})
		} catch (error) {
			said = refusalOf(s3ErrorOf(error))
		}
		await send(request, response, said)
	}

	const listener = (isExpecting: boolean) => (request: IncomingMessage, response: ServerResponse) =>
		void handle(request, response, isExpecting).catch(() => request.socket.destroy())
	const server = serverOf(tls, listener(false))
	server.on('checkContinue', listener(true))
	server.headersTimeout = 30_000
	server.keepAliveTimeout = 60_000
	server.requestTimeout = 600_000
	server.maxConnections = MOST_CONNECTIONS
	await listenOn(server, listen)
	const { port } = server.address() as AddressInfo
	return {
		place: {
			endpoint: endpointOf(options.advertise ?? listen.host, port),
			scheme: tls === undefined ? 'HTTP' : 'HTTPS',
			bucket: BUCKET,
			region: REGION,
			isPathStyle: true,
			...credential,
		},
		objects,
		get requests() {
			return counts.requests
		},
		get refused() {
			return counts.refused
		},
		async [Symbol.asyncDispose]() {
			const closed = new Promise((resolve) => server.close(resolve))
			await operations.close()
			server.closeAllConnections()
			await closed
		},
	}
}

function serverOf(
	tls: BridgeOptions['tls'],
	listener: (request: IncomingMessage, response: ServerResponse) => void,
): ReturnType<typeof createServer> {
	if (tls === undefined) return createServer(listener)
	try {
		return createTlsServer(tls, listener)
	} catch (cause) {
		throw new BackupError('CONFIG_INVALID', 'the certificate or the key of the bridge cannot be used', {
			advice: 'give both as PEM files that belong together',
			cause,
		})
	}
}

async function listenOn(
	server: ReturnType<typeof createServer>,
	{ host, port }: BridgeOptions['listen'],
): Promise<void> {
	const { promise, resolve, reject } = Promise.withResolvers<void>()
	server.once('error', reject)
	server.listen(port, host, resolve)
	try {
		await promise
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException
		throw new BackupError('CONFIG_INVALID', `the bridge cannot listen on ${host}:${port}: ${code}`, {
			advice: 'give an address of this machine and a free port',
			cause,
		})
	} finally {
		server.off('error', reject)
	}
}

/** `host:port`; a port that is given wins. */
function endpointOf(host: string, port: number): string {
	if (isIPv6(host)) return `[${host}]:${port}`
	return /:\d+$/u.test(host) ? host : `${host}:${port}`
}

function refusalOf(error: S3Error): Answer {
	const body = document('Error', [
		['Code', error.code],
		['Message', error.message],
	])
	return { status: error.status, headers: { 'content-type': 'application/xml' }, body }
}

async function send(
	request: IncomingMessage,
	response: ServerResponse,
	{ status, headers, body }: Answer,
): Promise<void> {
	response.setHeader('server', 'ydbackup')
	for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value)
	// A body that was not read to its end would be taken for the next request.
	const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
	if (!request.complete && (length !== '0' || encoding !== undefined)) response.setHeader('connection', 'close')
	if (typeof body === 'string') response.setHeader('content-length', Buffer.byteLength(body))
	else if (body === undefined && status !== 204 && !response.hasHeader('content-length'))
		response.setHeader('content-length', 0)
	response.writeHead(status)
	if (request.method === 'HEAD' || body === undefined) response.end()
	else if (typeof body === 'string') response.end(body)
	else await pipeline(body, response)
}
