import {
	createServer,
	request as forward,
	type IncomingHttpHeaders,
	type IncomingMessage,
	type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as a rule sees it. */
export interface Seen {
	readonly method: string
	/** Path and query. */
	readonly path: string
	readonly query: URLSearchParams
	readonly headers: IncomingHttpHeaders
}

/** What is done to a request: answered here, or passed on and its answer lost, or passed on with fewer request headers, more
 * answer headers, or another query. */
export type Deed =
	| { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
	| 'lose answer'
	| { readonly without: readonly string[] }
	| { readonly with: Readonly<Record<string, string>> }
	| { readonly query: Readonly<Record<string, string>> }

/** An HTTP server before Azurite that does what its rule says. Signatures stay valid: they do not cover the port. */
export interface Front extends AsyncDisposable {
	readonly url: string
	/** Requests since the last rule. */
	readonly seen: readonly Seen[]
	/** Asked for each request; `undefined` passes it on. */
	rule(rule: (seen: Seen) => Deed | undefined): void
}

export async function startFront(target: { readonly port: number }): Promise<Front> {
	let rule: (seen: Seen) => Deed | undefined = () => undefined
	let seen: Seen[] = []
	const server = createServer((from, to) => {
		const path = from.url ?? '/'
		const { searchParams: query } = new URL(path, 'http://front')
		const one: Seen = { method: from.method ?? '', path, query, headers: from.headers }
		seen.push(one)
		const deed = rule(one)
		if (typeof deed === 'object' && 'status' in deed) {
			from.resume()
			from.once('end', () => to.writeHead(deed.status, deed.headers).end(deed.body))
			return
		}
		pass(target.port, from, to, deed)
	})
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		get seen() {
			return seen
		},
		rule(next) {
			rule = next
			seen = []
		},
		async [Symbol.asyncDispose]() {
			const closed = new Promise<void>((resolve) => server.close(() => resolve()))
			server.closeAllConnections()
			await closed
		},
	}
}

function pass(port: number, from: IncomingMessage, to: ServerResponse, deed: Deed | undefined): void {
	const headers = { ...from.headers }
	if (typeof deed === 'object' && 'without' in deed) for (const name of deed.without) delete headers[name]
	const url = new URL(from.url ?? '/', 'http://front')
	const query = typeof deed === 'object' && 'query' in deed ? deed.query : {}
	for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
	const path = typeof deed === 'object' && 'query' in deed ? url.pathname + url.search : from.url
	const there = forward({ port, host: '127.0.0.1', method: from.method, path, headers }, (answer) => {
		if (deed === 'lose answer') {
			answer.resume()
			answer.once('end', () => to.socket?.resetAndDestroy())
			return
		}
		const more = typeof deed === 'object' && 'with' in deed ? deed.with : {}
		to.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...more })
		answer.on('error', () => to.destroy())
		answer.pipe(to)
	})
	there.on('error', () => to.destroy())
	to.on('close', () => there.destroy())
	from.pipe(there)
}
