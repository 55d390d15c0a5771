// A gRPC client that costs little: what the emulator costs should be seen, not what its client does.
import { once } from 'node:events'
import http2 from 'node:http2'

export interface WireClient {
	/** The bytes of one response message; a gRPC status other than OK is an error. */
	unary(path: string, pieces: readonly Uint8Array[]): Promise<Buffer>
	/** Reads a stream to its end and throws it away. Returns its bytes. */
	drain(path: string, request: Uint8Array): Promise<number>
	close(): void
}

export async function openWire(port: number): Promise<WireClient> {
	const session = http2.connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 8 << 20 } })
	await once(session, 'connect')
	session.setLocalWindowSize(16 << 20)

	async function call(path: string, pieces: readonly Uint8Array[], onData: (chunk: Buffer) => void): Promise<void> {
		const stream = session.request({
			':method': 'POST',
			':path': path,
			'content-type': 'application/grpc',
			te: 'trailers',
		})
		let status = 'none'
		stream.on('trailers', (trailers) => (status = `${trailers['grpc-status']} ${trailers['grpc-message'] ?? ''}`))
		stream.on('data', onData)
		const ended = once(stream, 'close', { signal: AbortSignal.timeout(600_000) })
		const prefix = Buffer.alloc(5)
		prefix.writeUInt32BE(
			pieces.reduce((sum, { length }) => sum + length, 0),
			1,
		)
		stream.cork()
		stream.write(prefix)
		for (const piece of pieces) stream.write(piece)
		stream.end()
		stream.uncork()
		await ended
		if (!status.startsWith('0')) throw new Error(`${path}: gRPC status ${status}`)
	}

	return {
		async unary(path, pieces) {
			const chunks: Buffer[] = []
			await call(path, pieces, (chunk) => chunks.push(chunk))
			return Buffer.concat(chunks).subarray(5)
		},
		async drain(path, request) {
			let bytes = 0
			await call(path, [request], (chunk) => (bytes += chunk.length))
			return bytes
		},
		close: () => session.close(),
	}
}
