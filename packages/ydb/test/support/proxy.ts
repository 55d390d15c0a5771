import { once } from 'node:events'
import http2, { type ClientHttp2Session, type IncomingHttpHeaders, type ServerHttp2Session } from 'node:http2'

/** A call that a rule decides about. */
export interface PassingCall {
	readonly method: string
	readonly request: Buffer
	/** Lets the server do it: its messages, and the gRPC status. */
	forward(): Promise<{ readonly messages: Buffer[]; readonly status: number }>
	/** Answers with messages and a gRPC status. */
	reply(messages: readonly Uint8Array[], status?: number, text?: string): void
	/** Sends that many bytes of the messages, then breaks every connection of the client. */
	cutInside(messages: readonly Uint8Array[], bytes: number): void
	/** Breaks every connection of the client. */
	cut(): void
	/** Resolves when the client has given up on the call. */
	readonly closed: Promise<void>
}

export type Rule = (call: PassingCall) => Promise<void> | void

export interface Proxy extends AsyncDisposable {
	readonly port: number
	/** By the last part of a call's path, for example `CopyTables`. Calls without a rule pass. */
	readonly rules: Map<string, Rule>
	/** How often each call came. */
	readonly calls: Map<string, number>
	/** Bytes that were taken from the server in calls without a rule. */
	bytesDown: number
	/** Connections that clients have open. */
	readonly connections: number
	cut(): void
}

const frame = (message: Uint8Array): Buffer => {
	const head = Buffer.alloc(5)
	head.writeUInt32BE(message.length, 1)
	return Buffer.concat([head, message])
}

function messagesOf(bytes: Buffer): Buffer[] {
	const messages: Buffer[] = []
	for (let at = 0; at + 5 <= bytes.length;) {
		const end = at + 5 + bytes.readUInt32BE(at + 1)
		messages.push(bytes.subarray(at + 5, end))
		at = end
	}
	return messages
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
	const parts: Buffer[] = []
	for await (const part of stream) parts.push(part)
	return Buffer.concat(parts)
}

const plain = (headers: IncomingHttpHeaders): http2.OutgoingHttpHeaders =>
	Object.fromEntries(Object.entries(headers).filter(([name]) => name !== ':status' && name !== 'connection'))

/** Stands between a client and the emulator, and does to calls what a test asks for. */
export async function startProxy(target: number): Promise<Proxy> {
	const sessions = new Set<ServerHttp2Session>()
	const upstream: ClientHttp2Session = http2.connect(`http://127.0.0.1:${target}`)
	upstream.on('error', () => {})
	const server = http2.createServer({ settings: { initialWindowSize: 8 << 20 } })
	const cut = (): void => {
		for (const session of sessions) session.destroy()
	}
	const proxy: Proxy = {
		port: 0,
		rules: new Map(),
		calls: new Map(),
		bytesDown: 0,
		get connections() {
			return sessions.size
		},
		cut,
		async [Symbol.asyncDispose]() {
			const closed = once(server, 'close')
			server.close()
			cut()
			upstream.destroy()
			await closed
		},
	}
	server.on('session', (session) => {
		sessions.add(session)
		session.on('error', () => {})
		session.once('close', () => sessions.delete(session))
	})
	server.on('stream', async (stream, headers) => {
		const path = String(headers[':path'])
		const method = path.split('/').at(-1)!
		proxy.calls.set(method, (proxy.calls.get(method) ?? 0) + 1)
		stream.on('error', () => {})
		const closed = new Promise<void>((resolve) => stream.once('close', resolve))
		const rule = proxy.rules.get(method)
		let trailers: http2.OutgoingHttpHeaders = { 'grpc-status': '0' }
		stream.on('wantTrailers', () => stream.sendTrailers(trailers))
		stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
		if (!rule) {
			const there = upstream.request(plain(headers))
			there.on('error', () => {})
			there.on('trailers', (found) => (trailers = plain(found)))
			there.on('data', (part: Buffer) => (proxy.bytesDown += part.length))
			stream.once('close', () => there.close(http2.constants.NGHTTP2_CANCEL))
			stream.pipe(there)
			there.pipe(stream)
			return
		}
		const [request = Buffer.alloc(0)] = messagesOf(await collect(stream).catch(() => Buffer.alloc(0)))
		const reply = (messages: readonly Uint8Array[], status = 0, text = ''): void => {
			if (stream.destroyed) return
			trailers = { 'grpc-status': String(status), ...(text && { 'grpc-message': encodeURI(text) }) }
			stream.end(Buffer.concat(messages.map(frame)))
		}
		const call: PassingCall = {
			method,
			request,
			closed,
			cut,
			async forward() {
				const there = upstream.request(plain(headers))
				let found: IncomingHttpHeaders = {}
				there.on('trailers', (given) => (found = given))
				there.end(frame(request))
				return { messages: messagesOf(await collect(there)), status: Number(found['grpc-status'] ?? 0) }
			},
			reply,
			cutInside(messages, bytes) {
				stream.write(Buffer.concat(messages.map(frame)).subarray(0, bytes), () => setTimeout(cut, 5))
			},
		}
		try {
			await rule(call)
		} catch (error) {
			// A rule that is wrong fails its test at once: this status is not tried again.
			reply([], 9, `the rule of the test for ${method} failed: ${String(error)}`)
		}
	})
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	return Object.assign(proxy, { port: (server.address() as { port: number }).port })
}
