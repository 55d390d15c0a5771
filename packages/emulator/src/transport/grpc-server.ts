import { once } from 'node:events'
import http2, {
	type Http2Server,
	type IncomingHttpHeaders,
	type ServerHttp2Session,
	type ServerHttp2Stream,
} from 'node:http2'
import { GRPC, GrpcError } from '../error.ts'

/** The response side of one call. */
export class Reply {
	readonly #stream: ServerHttp2Stream
	readonly closed: AbortSignal
	/** Metadata behind the last message. */
	readonly trailers: Record<string, string> = {}

	constructor(stream: ServerHttp2Stream) {
		this.#stream = stream
		const controller = new AbortController()
		stream.once('close', () => controller.abort())
		this.closed = controller.signal
	}

	/** Sends one message; the pages go out as they are, without a copy. Waits while the client does not read. */
	async send(head: Uint8Array, pages: readonly Uint8Array[] = []): Promise<void> {
		const stream = this.#stream
		if (stream.destroyed || stream.closed) throw new GrpcError(GRPC.CANCELLED, 'the call is closed')
		const prefix = Buffer.allocUnsafe(5)
		prefix[0] = 0
		prefix.writeUInt32BE(
			pages.reduce((sum, page) => sum + page.length, head.length),
			1,
		)
		stream.cork()
		let room = stream.write(Buffer.concat([prefix, head]))
		for (const page of pages) room = stream.write(page)
		stream.uncork()
		if (!room) await once(stream, 'drain', { signal: this.closed })
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

/** Largest message a client may send. Source: YDB's gRPC proxy default, a guess. */
const MAX_MESSAGE = 64 << 20

async function readMessage(stream: ServerHttp2Stream): Promise<Buffer> {
	const chunks: Buffer[] = []
	let size = 0
	for await (const chunk of stream) {
		size += (chunk as Buffer).length
		if (size > MAX_MESSAGE + 5)
			throw new GrpcError(GRPC.RESOURCE_EXHAUSTED, `Received message larger than max (${size} vs. ${MAX_MESSAGE})`)
		chunks.push(chunk as Buffer)
	}
	const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
	if (all.length < 5 || all.readUInt32BE(1) !== all.length - 5)
		throw new GrpcError(GRPC.INTERNAL, 'the request is no gRPC message')
	if (all[0] !== 0) throw new GrpcError(GRPC.UNIMPLEMENTED, 'compressed messages are not supported')
	return all.subarray(5)
}

/** A gRPC server over node:http2: unary calls and server streams. */
export async function listen(host: string, port: number, handle: Handler): Promise<GrpcServer> {
	const sessions = new Set<ServerHttp2Session>()
	const server: Http2Server = http2.createServer({
		// Node's guard against rapid resets (1000, then 33/s) kills connections of clients that cancel a stream per query.
		streamResetBurst: 1_000_000,
		streamResetRate: 1_000_000,
		settings: { initialWindowSize: 8 << 20 },
	} as http2.ServerOptions)
	server.on('session', (session) => {
		sessions.add(session)
		session.setLocalWindowSize(16 << 20)
		session.once('close', () => sessions.delete(session))
		session.on('error', () => {})
	})
	server.on('stream', async (stream: ServerHttp2Stream, headers) => {
		let code = 0
		let message = ''
		stream.on('error', () => {})
		const reply = new Reply(stream)
		stream.on('wantTrailers', () =>
			stream.sendTrailers({
				...reply.trailers,
				'grpc-status': String(code),
				...(message && { 'grpc-message': encodeURIComponent(message) }),
			}),
		)
		stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
		try {
			const request = await readMessage(stream)
			await handle({ method: String(headers[':path']), headers, request, reply })
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
