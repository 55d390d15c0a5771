import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { answer, type World } from './answers.ts'
import { ApiError, errorBody } from './errors.ts'
import { type Fault, type FaultPlan, Faults, type Operation } from './faults.ts'
import { type Answer, send } from './messages.ts'
import { Accounts, ALL_PERMISSIONS, type Permission, type ServiceAccountKey } from './oauth.ts'
import { hideAbsence } from './objects.ts'
import { callOf } from './route.ts'
import { type BucketOptions, Store } from './store.ts'
import { Sessions } from './uploads.ts'

export interface GcsServerOptions {
	/** One named `bucket` by default. */
	readonly buckets?: readonly BucketOptions[]
	/** Lets every request in without a token, as emulators do. */
	readonly anonymous?: boolean
	/** Largest page of a listing; 1000 by default, as at the service. */
	readonly pageSize?: number
	/** Lists one page of 1000 names and says nothing of others; `first-page` gives that page whatever is asked for. */
	readonly listings?: 'untold' | 'first-page'
	/** How long tokens live; an hour by default. */
	readonly tokenSeconds?: number
	/** Takes `ifGenerationMatch` and does nothing about it, as some imitations do. */
	readonly ignoresConditions?: boolean
	/** The port of `127.0.0.1`; a free one by default. */
	readonly port?: number
}

/** A request that came, without anything secret. */
export interface SeenRequest {
	readonly operation: Operation
	readonly method: string
	readonly path: string
	readonly hasToken: boolean
	readonly contentRange: string | undefined
	status: number | undefined
}

export interface GcsServer extends AsyncDisposable {
	/** `http://127.0.0.1:<port>`. */
	readonly url: string
	readonly port: number
	readonly tokenUri: string
	readonly requests: readonly SeenRequest[]
	/** Uploads that were begun and neither finished nor given up. */
	readonly openUploads: number
	/** Connections that are open now. */
	readonly connections: number
	/** Makes an account; its key is what a service-account file holds. */
	account(options?: { readonly email?: string; readonly permissions?: readonly Permission[] }): ServiceAccountKey
	/** A token of an account. */
	issueToken(email: string): string
	revokeTokens(): void
	expireSessions(): void
	/** Full names of the objects of a bucket. */
	objects(bucket: string): readonly string[]
	fail(plan: FaultPlan): void
	clearFaults(): void
}

/**
 * A strict server of the JSON API of Google Cloud Storage, in memory, on the loopback: tokens are checked, checksums and
 * conditions enforced, unknown parameters refused, errors worded as the service words them, and faults come as scripted.
 */
export async function startGcsServer(options: GcsServerOptions = {}): Promise<GcsServer> {
	const {
		ignoresConditions = false,
		buckets = [{ name: 'bucket' }],
		anonymous = false,
		pageSize = 1000,
		listings,
		tokenSeconds = 3600,
		port = 0,
	} = options
	const store = new Store(buckets)
	const accounts = new Accounts(tokenSeconds)
	const sessions = new Sessions()
	const world: World = { store, accounts, sessions, anonymous, ignoresConditions, pageSize, listings, tokenUri: '' }
	const faults = new Faults()
	const requests: SeenRequest[] = []

	async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		let seen: SeenRequest | undefined
		let fault: Fault | undefined
		let sent: Answer | undefined
		try {
			const call = callOf(request)
			seen = {
				operation: call.operation,
				method: request.method ?? '',
				path: call.path,
				hasToken: request.headers.authorization !== undefined,
				contentRange: request.headers['content-range'],
				status: undefined,
			}
			requests.push(seen)
			fault = faults.next(call.operation)
			try {
				sent = await answer(world, call, request, fault)
			} catch (error) {
				throw anonymous || request.headers.authorization === undefined
					? error
					: hideAbsence(error, accounts.bearer(request.headers.authorization))
			}
		} catch (error) {
			const known = error instanceof ApiError ? error : new ApiError(500, 'backendError', String(error))
			sent = {
				status: known.status,
				headers: { ...known.headers, 'Content-Type': 'application/json; charset=UTF-8' },
				pieces: [Buffer.from(errorBody(known))],
			}
		}
		if (sent === undefined) return
		if (seen) seen.status = sent.status
		if (!request.complete) request.resume()
		await send(request, response, sent, fault)
	}

	const sockets = new Set<Socket>()
	const server: Server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
		response.on('error', () => undefined)
		serve(request, response).catch(() => request.socket.destroy())
	})
	server.on('connection', (socket) => {
		sockets.add(socket)
		socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
	})
	await new Promise<void>((resolve, reject) => {
		server.on('error', reject).listen(port, '127.0.0.1', resolve)
	})
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
	world.tokenUri = `${url}/token`

	let count = 0
	return {
		url,
		port: (server.address() as AddressInfo).port,
		tokenUri: world.tokenUri,
		requests,
		get openUploads() {
			return sessions.open
		},
		get connections() {
			return sockets.size
		},
		account: ({
			email = `account-${++count}@test-project.iam.gserviceaccount.com`,
			permissions = ALL_PERMISSIONS,
		} = {}) => accounts.add(email, world.tokenUri, permissions),
		issueToken: (email) => accounts.issue(email),
		revokeTokens: () => accounts.revoke(),
		expireSessions: () => sessions.expire(),
		objects: (bucket) => store.bucket(bucket).names(),
		fail: (plan) => faults.add(plan),
		clearFaults: () => faults.clear(),
		async [Symbol.asyncDispose]() {
			const closed = new Promise<void>((resolve) => server.close(() => resolve()))
			for (const socket of sockets) socket.destroy()
			await closed
		},
	}
}
