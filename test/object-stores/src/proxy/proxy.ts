import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { way, type WayFault } from './way.ts'

export type { WayFault } from './way.ts'

/** What happens to one connection. Without any field it passes unharmed. */
export interface Fault {
	/** Reset at once, before the target hears of it. */
	readonly refuse?: boolean
	/** Accepted, and never answered: the target hears nothing. */
	readonly blackHole?: boolean
	/** From the client to the target. */
	readonly up?: WayFault
	/** From the target to the client. */
	readonly down?: WayFault
	/** How `cutAfter` closes: `reset`, the default, or `end`, as a peer that thinks it is done. */
	readonly cut?: 'reset' | 'end'
}

export interface TcpProxyOptions {
	/** Where unharmed bytes go: a port of the loopback, or the URL of a server there. */
	readonly target: number | string | URL
	/** Asked once for each new connection, counted from 0 since the last `plan`; unharmed where it is absent. */
	readonly plan?: (connection: number) => Fault | undefined
	/** The longest life of one connection in milliseconds, also of one that is stalled; 60 s by default. */
	readonly lifetimeMs?: number
	/** The most connections that are open at once; further ones are reset. 256 by default. */
	readonly maxConnections?: number
}

/** A TCP proxy on the loopback that harms connections as its plan says. Disposing resets every connection and frees the port. */
export interface TcpProxy extends AsyncDisposable {
	readonly port: number
	/** `http://127.0.0.1:PORT` */
	readonly url: string
	/** Connections accepted since the last `plan`. */
	readonly connections: number
	/** Bytes that arrived from clients and from the target, over all connections. */
	readonly bytes: { readonly up: number; readonly down: number }
	/** Another plan for the connections to come. Resets those that are open: a kept-alive one would never meet the plan. */
	plan(plan: (connection: number) => Fault | undefined): void
	/** Resets every open connection. */
	reset(): void
}

const portOf = (target: number | string | URL): number => {
	if (typeof target === 'number') return target
	const { port, protocol } = new URL(target)
	return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}

/** Starts a fault proxy in front of a server of this machine. */
export async function startProxy(options: TcpProxyOptions): Promise<TcpProxy> {
	const { target, lifetimeMs = 60_000, maxConnections = 256 } = options
	const targetPort = portOf(target)
	const open = new Set<Socket>()
	const bytes = { up: 0, down: 0 }
	let plan = options.plan
	let connections = 0

	const keep = (socket: Socket, onClose: (hadError: boolean) => void): void => {
		open.add(socket)
		socket.on('error', () => undefined)
		socket.once('close', (hadError) => {
			open.delete(socket)
			onClose(hadError)
		})
	}
	const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
		const fault = plan?.(connections++) ?? {}
		if (fault.refuse || open.size >= 2 * maxConnections) {
			client.on('error', () => undefined)
			client.resetAndDestroy()
			return
		}
		const end = setTimeout(() => client.resetAndDestroy(), lifetimeMs)
		let target: Socket | undefined
		keep(client, () => {
			clearTimeout(end)
			target?.destroy()
		})
		if (fault.blackHole) {
			client.resume()
			return
		}
		const there = connect({ port: targetPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
		target = there
		// A target that closed in order may have bytes that are still on their way.
		keep(there, (hadError) => {
			if (hadError) client.resetAndDestroy()
		})
		const cut = (): void => {
			for (const socket of [client, there]) {
				if (fault.cut === 'end') socket.end(() => socket.destroy())
				else socket.resetAndDestroy()
			}
		}
		client.on('data', (piece) => (bytes.up += piece.length))
		there.on('data', (piece) => (bytes.down += piece.length))
		client.pipe(way(fault.up ?? {}, cut)).pipe(there)
		there.pipe(way(fault.down ?? {}, cut)).pipe(client)
	})
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject)
		server.listen(0, '127.0.0.1', resolve)
	})
	const { port } = server.address() as AddressInfo
	const reset = (): void => {
		for (const socket of open) socket.resetAndDestroy()
	}
	return {
		port,
		url: `http://127.0.0.1:${port}`,
		get connections() {
			return connections
		},
		bytes,
		plan(next) {
			plan = next
			connections = 0
			reset()
		},
		reset,
		async [Symbol.asyncDispose]() {
			const closed = new Promise<void>((resolve) => server.close(() => resolve()))
			reset()
			await closed
		},
	}
}
