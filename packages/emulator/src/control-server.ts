import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Control } from './control.ts'
import { FAULT_NAMES, type Faults, faultValue } from './faults.ts'

interface Controlled {
	readonly connectionString: string
	readonly faults: Faults
	readonly control: Control
}

interface Words {
	readonly path?: unknown
	readonly partition?: unknown
	readonly node?: unknown
	readonly downMs?: unknown
}

const MOST_BYTES = 65_536

async function wordsOf(request: IncomingMessage): Promise<Record<string, unknown>> {
	const chunks: Buffer[] = []
	let size = 0
	for await (const chunk of request) {
		chunks.push(chunk as Buffer)
		size += (chunk as Buffer).length
		if (size > MOST_BYTES) throw new TypeError(`a request has at most ${MOST_BYTES} bytes`)
	}
	if (size === 0) return {}
	const words: unknown = JSON.parse(Buffer.concat(chunks).toString())
	if (typeof words !== 'object' || words === null || Array.isArray(words))
		throw new TypeError('the body is no JSON object')
	return words as Record<string, unknown>
}

function text(value: unknown, name: string): string {
	if (typeof value !== 'string') throw new TypeError(`${name} must be a string`)
	return value
}

function count(value: unknown, name: string, otherwise: number): number {
	if (value === undefined) return otherwise
	if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError(`${name} must be a whole number`)
	return value as number
}

type Action = (control: Control, words: Words) => unknown

const ACTIONS: Readonly<Record<string, Action>> = {
	'/split': (control, { path, partition }) => control.split(text(path, 'path'), count(partition, 'partition', 0)),
	'/merge': (control, { path, partition }) => control.merge(text(path, 'path'), count(partition, 'partition', 0)),
	'/stop-node': (control, { node }) => control.stopNode(count(node, 'node', 1)),
	'/start-node': (control, { node }) => control.startNode(count(node, 'node', 1)),
	'/restart-node': (control, { node, downMs }) =>
		control.restartNode(count(node, 'node', 1), count(downMs, 'downMs', 50)),
	'/close-sessions': (control) => control.closeSessions(),
}

function stateOf({ connectionString, faults, control }: Controlled): object {
	return {
		connectionString,
		nodes: control.nodes(),
		faults: Object.fromEntries(FAULT_NAMES.map((name) => [name, faults[name as keyof Faults]])),
	}
}

async function answer(controlled: Controlled, request: IncomingMessage): Promise<object | undefined> {
	const { method, url = '/' } = request
	if (method === 'GET' && url === '/') return stateOf(controlled)
	if (method === 'PATCH' && url === '/faults') {
		const words = Object.entries(await wordsOf(request)).map(([name, value]) => [name, faultValue(name, value)])
		Object.assign(controlled.faults, Object.fromEntries(words))
		return stateOf(controlled)
	}
	const action = method === 'POST' && Object.hasOwn(ACTIONS, url) ? ACTIONS[url] : undefined
	if (!action) return undefined
	return { done: (await action(controlled.control, await wordsOf(request))) ?? true }
}

/** Lets tests of other processes set faults and make things happen. Only for this machine, and only when it is asked for: it asks for no password. */
export async function listenForControl(
	port: number,
	controlled: Controlled,
): Promise<{ readonly url: string; close(): Promise<void> }> {
	const server = createServer((request, response) => {
		const send = (status: number, body: object): void => {
			response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
		}
		answer(controlled, request).then(
			(body) => (body ? send(200, body) : send(404, { error: `${request.method} ${request.url} is not known` })),
			(error: unknown) => send(400, { error: error instanceof Error ? error.message : String(error) }),
		)
	})
	server.listen(port, '127.0.0.1')
	await once(server, 'listening')
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		async close() {
			const closed = once(server, 'close')
			server.close()
			server.closeAllConnections()
			await closed
		},
	}
}
