import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { interruption } from '@ydbackup/core'
import { networkError, type Refusal, timeoutError } from './failure.ts'

const MAX_SOCKETS = 64
/** Larger than the largest page of a listing. */
const MAX_TEXT_BYTES = 32 << 20

/** One thing that is being done, and who may stop it. */
export interface Task {
	/** For example `write a/b in gs://backups`; follows `cannot` and `stopped while trying to`. */
	readonly doing: string
	readonly signal: AbortSignal | undefined
}

export interface Request {
	readonly method: string
	readonly url: URL
	readonly headers: Readonly<Record<string, string>>
	/** Sent one after the other, as they are. */
	readonly body?: readonly Uint8Array[] | undefined
}

/** An answer whose body must be read to the end, or destroyed. */
export interface Response {
	readonly status: number
	readonly headers: IncomingHttpHeaders
	readonly message: IncomingMessage
}

/** The error of a task for whatever its request threw. */
function failed(error: unknown, { doing, signal }: Task): Error {
	return signal?.aborted ? interruption(signal, `trying to ${doing}`) : networkError(error, doing)
}

/** Kept-alive connections to one service, directly or through the proxy of the environment. Each wait in here ends when no byte moved for a while. */
export class Connections implements Disposable {
	readonly #agents: Record<string, HttpAgent>
	readonly #idleMs: number

	constructor(environment: Readonly<Record<string, string | undefined>>, idleMs: number) {
		const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy } = environment
		const proxyEnv = { HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy }
		const options = { keepAlive: true, maxSockets: MAX_SOCKETS, proxyEnv }
		this.#agents = { 'http:': new HttpAgent(options), 'https:': new HttpsAgent(options) }
		this.#idleMs = idleMs
	}

	/** Sends a request and waits for the head of its answer. */
	send({ method, url, headers, body = [] }: Request, task: Task): Promise<Response> {
		const { signal } = task
		return new Promise((resolve, reject) => {
			if (signal?.aborted) return reject(failed(undefined, task))
			const length = body.reduce((sum, bytes) => sum + bytes.length, 0)
			const request = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, {
				method,
				agent: this.#agents[url.protocol],
				timeout: this.#idleMs,
				headers: method === 'GET' ? headers : { ...headers, 'Content-Length': String(length) },
				...(signal && { signal }),
			})
			let isAnswered = false
			request
				.on('timeout', () => {
					// A reader may take its time over the body; how long the store may take is watched there.
					if (!isAnswered) request.destroy(timeoutError(this.#idleMs, task.doing))
				})
				.on('error', (error) => reject(failed(error, task)))
				.on('response', (message) => {
					isAnswered = true
					// Whoever reads it hears of its errors; nobody else shall stumble over them.
					message.on('error', () => undefined)
					resolve({ status: message.statusCode ?? 0, headers: message.headers, message })
				})
			for (const bytes of body) request.write(bytes)
			request.end()
		})
	}

	/** The bytes of an answer. Ends only where the answer ends. */
	async *bytes({ message }: Response, task: Task): AsyncGenerator<Uint8Array, undefined> {
		const pieces = (message as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
		try {
			for (;;) {
				const timer = setTimeout(() => message.destroy(timeoutError(this.#idleMs, task.doing)), this.#idleMs)
				const next = await pieces.next().finally(() => clearTimeout(timer))
				if (next.done) return
				yield next.value
			}
		} catch (error) {
			throw failed(error, task)
		} finally {
			message.destroy()
		}
	}

	/** The whole body of a small answer. */
	async text(response: Response, task: Task): Promise<string> {
		const pieces: Uint8Array[] = []
		let length = 0
		for await (const bytes of this.bytes(response, task)) {
			length += bytes.length
			if (length > MAX_TEXT_BYTES)
				throw networkError(new Error(`an answer of more than ${MAX_TEXT_BYTES} bytes`), task.doing)
			pieces.push(bytes)
		}
		return Buffer.concat(pieces).toString()
	}

	/** What an unwanted answer says. */
	async refusal(response: Response, task: Task): Promise<Refusal> {
		const { status, headers } = response
		return {
			status,
			retryAfter: headers['retry-after'],
			contentType: headers['content-type'],
			text: await this.text(response, task),
		}
	}

	[Symbol.dispose](): void {
		for (const agent of Object.values(this.#agents)) agent.destroy()
	}
}
