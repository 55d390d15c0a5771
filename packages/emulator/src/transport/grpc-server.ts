import { once } from 'node:events'
import http2, {
	type IncomingHttpHeaders,
	type OutgoingHttpHeaders,
	type ServerHttp2Session,
	type ServerHttp2Stream,
} from 'node:http2'
import { GRPC, GrpcError } from '../error.ts'
import { LIMITS } from '../limits.ts'

/** The response side of one call. */
export interface Reply {
	readonly closed: AbortSignal
	/** Sends one message; the pages go out as they are, without a copy. Waits while the client does not read. */
	send(head: Uint8Array, pages?: readonly Uint8Array[]): Promise<void>
}

export interface ServerOptions {
	/** Methods that take a stream of requests: refused by name, before anything was said. */
	readonly conversations?: ReadonlySet<string>
	/** PEM; without it connections are not encrypted. */
	readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer } | undefined
	/** Sends responses in pieces of that many bytes. */
	readonly chunkBytes?: () => number | undefined
	/** Sent with every response, before the first message and behind the last one. */
	readonly headers?: () => OutgoingHttpHeaders
}

class HttpReply implements Reply {
	readonly #stream: ServerHttp2Stream
	readonly #chunkBytes: number | undefined
	readonly closed: AbortSignal
	/** Who waits for the client to read. */
	#waiting: PromiseWithResolvers<void> | undefined

	constructor(stream: ServerHttp2Stream, chunkBytes: number | undefined) {
		this.#stream = stream
		this.#chunkBytes = chunkBytes
		const controller = new AbortController()
		stream.once('close', () => {
			this.#waiting?.reject(new GrpcError(GRPC.CANCELLED, 'the call is closed'))
			controller.abort()
		})
		stream.on('drain', () => {
			this.#waiting?.resolve()
			this.#waiting = undefined
		})
		this.closed = controller.signal
	}

	async send(head: Uint8Array, pages: readonly Uint8Array[] = []): Promise<void> {
		const stream = this.#stream
		if (stream.destroyed || stream.closed) throw new GrpcError(GRPC.CANCELLED, 'the call is closed')
		const prefix = Buffer.allocUnsafe(5)
		prefix[0] = 0
		prefix.writeUInt32BE(
			pages.reduce((sum, page) => sum + page.length, head.length),
			1,
		)
		if (this.#chunkBytes) return this.#sendInChunks(Buffer.concat([prefix, head, ...pages]), this.#chunkBytes)
		stream.cork()
		let room = stream.write(Buffer.concat([prefix, head]))
		for (const page of pages) room = stream.write(page)
		stream.uncork()
		if (!room) await (this.#waiting ??= Promise.withResolvers<void>()).promise
	}

	/** Each piece waits for the one before, or they would go out as one. */
	async #sendInChunks(message: Buffer, size: number): Promise<void> {
		for (let at = 0; at < message.length; at += size) {
			const { promise, resolve, reject } = Promise.withResolvers<void>()
			this.#stream.write(message.subarray(at, at + size), (error) => (error ? reject(error) : resolve()))
			await promise
		}
	}
}

export interface Call {
	readonly method: string
	readonly headers: IncomingHttpHeaders
	/** The one request message. */
	readonly request: Buffer
	readonly reply: Reply
}

export type Handler = (call: Call) => Promise<void>

export interface GrpcServer {
	readonly port: number
	close(): Promise<void>
}

const MAX_MESSAGE: number = LIMITS.messageBytes.value

async function readMessage(stream: ServerHttp2Stream): Promise<Buffer> {
	const chunks: Buffer[] = []
	let size = 0
	const { promise, resolve, reject } = Promise.withResolvers<void>()
	stream.once('end', resolve).once('close', resolve)
	stream.on('data', (chunk: Buffer) => {
		size += chunk.length
		if (size <= MAX_MESSAGE + 5) chunks.push(chunk)
		else reject(new GrpcError(GRPC.RESOURCE_EXHAUSTED, `Received message larger than max (${size} vs. ${MAX_MESSAGE})`))
	})
	await promise
	const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
	if (all.length < 5 || all.readUInt32BE(1) !== all.length - 5)
		throw new GrpcError(GRPC.INTERNAL, 'the request is no gRPC message')
	if (all[0] !== 0) throw new GrpcError(GRPC.UNIMPLEMENTED, 'compressed messages are not supported')
	return all.subarray(5)
}

/** A message as the gRPC protocol wants it in a trailer: printable ASCII but the percent sign stands for itself. Source: PROTOCOL-HTTP2.md. */
function percentEncoded(message: string): string {
	const bytes = [...Buffer.from(message)]
	const hex = (byte: number): string => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`
	return bytes
		.map((byte) => (byte < 0x20 || byte > 0x7e || byte === 0x25 ? hex(byte) : String.fromCharCode(byte)))
		.join('')
}

/** A gRPC server over node:http2: unary calls and server streams. */
export async function listen(
	host: string,
	port: number,
	handle: Handler,
	{ tls, chunkBytes, headers: extra, conversations }: ServerOptions = {},
): Promise<GrpcServer> {
	const sessions = new Set<ServerHttp2Session>()
	const options = {
		// Node's guard against rapid resets (1000, then 33/s) kills connections of clients that cancel a stream per query.
		streamResetBurst: 1_000_000,
		streamResetRate: 1_000_000,
		settings: { initialWindowSize: 8 << 20 },
	} as http2.ServerOptions
	const server = tls ? http2.createSecureServer({ ...options, ...tls }) : http2.createServer(options)
	server.on('session', (session: ServerHttp2Session) => {
		sessions.add(session)
		session.setLocalWindowSize(16 << 20)
		session.once('close', () => sessions.delete(session))
		session.on('error', () => {})
	})
	server.on('stream', async (stream: ServerHttp2Stream, headers) => {
		let code = 0
		let message = ''
		stream.on('error', () => {})
		const reply = new HttpReply(stream, chunkBytes?.())
		const more = extra?.() ?? {}
		stream.on('wantTrailers', () =>
			stream.sendTrailers({
				...more,
				'grpc-status': String(code),
				...(message && { 'grpc-message': percentEncoded(message) }),
			}),
		)
		stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...more }, { waitForTrailers: true })
		const method = String(headers[':path'])
		try {
			// Who talks without end would wait for ever for an answer to all of it.
			if (conversations?.has(method)) throw new GrpcError(GRPC.UNIMPLEMENTED, `${method} is not emulated`)
			const request = await readMessage(stream)
			await handle({ method, headers, request, reply })
		} catch (error) {
			code = error instanceof GrpcError ? error.code : GRPC.INTERNAL
			message = error instanceof Error ? error.message : String(error)
		}
		if (!stream.destroyed) stream.end()
	})
	server.listen(port, host)
	await once(server, 'listening')
	return {
		port: (server.address() as { port: number }).port,
		async close() {
			const closed = once(server, 'close')
			server.close()
			for (const session of sessions) session.destroy()
			await closed
		},
	}
}
