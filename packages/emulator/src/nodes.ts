import { setTimeout } from 'node:timers/promises'
import { type Call, type GrpcServer, listen, type ServerOptions } from './transport/grpc-server.ts'

interface Node {
	readonly id: number
	/** The one that it had when it listened first; it comes back there. */
	port: number
	server: GrpcServer | undefined
}

export interface NodesOptions {
	readonly host: string
	readonly count: number
	readonly onCall: (call: Call, nodeId: number) => Promise<void>
	/** A node has gone, with its connections. */
	readonly onGone: (nodeId: number) => void
	readonly server: ServerOptions
}

/** The nodes of the cluster: ports that lead to one database. Numbered from 1. */
export class Nodes {
	readonly #options: NodesOptions
	readonly #nodes: readonly Node[]
	#closed = false

	constructor(options: NodesOptions) {
		this.#options = options
		this.#nodes = Array.from({ length: options.count }, (_, at) => ({ id: at + 1, port: 0, server: undefined }))
	}

	#node(id: number): Node {
		const node = this.#nodes[id - 1]
		if (!node) throw new RangeError(`there is no node ${id}; there are ${this.#nodes.length}`)
		return node
	}

	/** Whom discovery tells of. */
	running(): readonly { readonly id: number; readonly port: number }[] {
		return this.#nodes.filter(({ server }) => server)
	}

	portOf(id: number): number {
		return this.#node(id).port
	}

	async startAll(firstPort: number): Promise<void> {
		this.#node(1).port = firstPort
		for (const { id } of this.#nodes) await this.start(id)
	}

	async start(id: number): Promise<void> {
		const node = this.#node(id)
		if (node.server || this.#closed) return
		const { host, onCall, server } = this.#options
		const started = await listen(host, node.port, (call) => onCall(call, id), server)
		node.server = started
		node.port = started.port
		if (this.#closed) await this.stop(id)
	}

	/** Connections break, sessions end, and nobody listens there. */
	async stop(id: number): Promise<void> {
		const node = this.#node(id)
		const { server } = node
		node.server = undefined
		await server?.close()
		if (server) this.#options.onGone(id)
	}

	async restart(id: number, downMs: number): Promise<void> {
		await this.stop(id)
		await setTimeout(downMs)
		await this.start(id)
	}

	async close(): Promise<void> {
		this.#closed = true
		for (const { id } of this.#nodes) await this.stop(id)
	}
}
