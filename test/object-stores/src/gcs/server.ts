import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { ApiError, badRequest, errorBody } from './errors.ts'
import { type Fault, type FaultPlan, Faults, type Operation } from './faults.ts'
import { selected } from './fields.ts'
import { type Answer, jsonAnswer, readBody, send } from './messages.ts'
import { Accounts, ALL_PERMISSIONS, demand, type Permission, type ServiceAccountKey } from './oauth.ts'
import { hideAbsence, listAnswer, mediaAnswer, permissionsAnswer } from './objects.ts'
import { type Call, callOf } from './route.ts'
import { type BucketOptions, type Conditions, resourceOf, Store } from './store.ts'
import { readResource, relatedParts, Sessions } from './uploads.ts'

export interface GcsServerOptions {
	/** One named `bucket` by default. */
	readonly buckets?: readonly BucketOptions[]
	/** Lets every request in without a token, as emulators do. */
	readonly anonymous?: boolean
	/** Largest page of a listing; 1000 by default, as at the service. */
	readonly pageSize?: number
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

const EVERYBODY = { email: 'anonymous', permissions: new Set<string>(ALL_PERMISSIONS) }

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
		tokenSeconds = 3600,
		port = 0,
	} = options
	const store = new Store(buckets)
	const accounts = new Accounts(tokenSeconds)
	const sessions = new Sessions()
	const faults = new Faults()
	const requests: SeenRequest[] = []
	let tokenUri = ''

	async function answer(call: Call, request: IncomingMessage, fault: Fault | undefined): Promise<Answer | undefined> {
		const { operation, query } = call
		const arrived = await readBody(request, fault && 'cutRequestAfter' in fault ? fault.cutRequestAfter : Infinity)
		if (arrived.isCut) {
			if (operation === 'chunk') sessions.keepCut(call.session, request.headers['content-range'], arrived)
			return undefined
		}
		if (fault && 'hang' in fault) return undefined
		if (fault && 'status' in fault) throw faultError(fault)
		const body = (): Buffer => Buffer.concat(arrived.pieces)
		if (operation === 'token') {
			if (!request.headers['content-type']?.startsWith('application/x-www-form-urlencoded'))
				throw badRequest('The token endpoint takes a form.')
			const { status, body: token } = accounts.exchange(new URLSearchParams(body().toString()), tokenUri)
			return jsonAnswer(status, token)
		}
		// The address of an upload session is a right in itself; a token that comes along must be good all the same.
		const isFree = anonymous || (call.session !== '' && request.headers.authorization === undefined)
		const caller = isFree ? EVERYBODY : accounts.bearer(request.headers.authorization)
		const bucket = store.bucket(call.bucket)
		const conditions = ignoresConditions ? {} : conditionsOf(query)
		switch (operation) {
			case 'bucket':
				demand(caller, 'storage.buckets.get', 'bucket')
				return jsonAnswer(
					200,
					selected(
						{
							kind: 'storage#bucket',
							name: call.bucket,
							location: 'US',
							storageClass: 'STANDARD',
							...(bucket.options.objectRetention === true && { objectRetention: { mode: 'Enabled' } }),
							...(bucket.options.retentionSeconds !== undefined && {
								retentionPolicy: { retentionPeriod: String(bucket.options.retentionSeconds) },
							}),
						},
						query.get('fields'),
					),
				)
			case 'permissions':
				return permissionsAnswer(query, caller.permissions)
			case 'list':
				demand(caller, 'storage.objects.list', 'bucket')
				return listAnswer(bucket, query, pageSize)
			case 'stat':
				demand(caller, 'storage.objects.get', 'object')
				bucket.get(call.object)
				bucket.check(call.object, conditions)
				return jsonAnswer(200, selected(resourceOf(bucket, bucket.get(call.object)), query.get('fields')))
			case 'read':
				demand(caller, 'storage.objects.get', 'object')
				bucket.get(call.object)
				bucket.check(call.object, conditions)
				return mediaAnswer(bucket.get(call.object), request.headers.range)
			case 'delete':
				demand(caller, 'storage.objects.delete', 'object')
				bucket.delete(call.object, conditions)
				return { status: 204 }
			case 'patch': {
				demand(caller, 'storage.objects.update', 'object')
				demand(caller, 'storage.objects.setRetention', 'object')
				const { retention } = readResource(body())
				if (!retention) throw badRequest('Only the retention can be changed here.')
				return jsonAnswer(200, resourceOf(bucket, bucket.hold(call.object, retention, conditions)))
			}
			case 'upload': {
				demand(caller, 'storage.objects.create', 'object')
				const isRelated = query.get('uploadType') === 'multipart'
				const type = request.headers['content-type'] ?? ''
				const { resource, pieces } = isRelated
					? relatedParts(type, body())
					: { resource: { contentType: type }, pieces: [body()] }
				const name = nameOf(query, resource.name)
				if (bucket.find(name) && conditions.ifGenerationMatch !== 0n) demand(caller, 'storage.objects.delete', 'object')
				return jsonAnswer(
					200,
					selected(resourceOf(bucket, bucket.put(name, pieces, resource, conditions)), query.get('fields')),
				)
			}
			case 'start': {
				demand(caller, 'storage.objects.create', 'object')
				const resource = readResource(body())
				const name = nameOf(query, resource.name)
				if (bucket.find(name) && conditions.ifGenerationMatch !== 0n) demand(caller, 'storage.objects.delete', 'object')
				const id = sessions.start(bucket, name, resource, conditions)
				const host = request.headers.host ?? `127.0.0.1:${port}`
				const search = new URLSearchParams({ uploadType: 'resumable', upload_id: id })
				return {
					status: 200,
					headers: {
						Location: `http://${host}/upload/storage/v1/b/${call.bucket}/o?${search}`,
						'X-GUploader-UploadID': id,
					},
				}
			}
			case 'cancel':
				return sessions.cancel(call.session)
			default: {
				const range = request.headers['content-range']
				const hash = request.headers['x-goog-hash']
				const persistOnly = fault && 'persistOnly' in fault ? fault.persistOnly : undefined
				return sessions.push(call.session, { range, hash: hash?.toString() }, arrived, persistOnly)
			}
		}
	}

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
				sent = await answer(call, request, fault)
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
	tokenUri = `${url}/token`

	let count = 0
	return {
		url,
		port: (server.address() as AddressInfo).port,
		tokenUri,
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
		} = {}) => accounts.add(email, tokenUri, permissions),
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

function faultError({ status, reason, message, retryAfter }: Extract<Fault, { status: number }>): ApiError {
	const [usual, words] = USUAL[status] ?? ['backendError', 'Backend Error']
	return new ApiError(status, reason ?? usual, message ?? words, {
		...(retryAfter !== undefined && { 'Retry-After': retryAfter }),
	})
}

const USUAL: Record<number, readonly [reason: string, message: string]> = {
	401: ['authError', 'Invalid Credentials'],
	403: ['forbidden', 'Access denied.'],
	429: [
		'rateLimitExceeded',
		'The object bucket/x exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate.',
	],
	500: ['backendError', 'We encountered an internal error. Please try again.'],
	503: ['backendError', 'We encountered an internal error. Please try again.'],
}

function conditionsOf(query: URLSearchParams): Conditions {
	const number = (name: string): bigint | undefined => {
		const text = query.get(name)
		if (text === null) return undefined
		if (!/^\d+$/.test(text)) throw badRequest(`Invalid value for ${name}.`, 'invalidParameter')
		return BigInt(text)
	}
	return {
		ifGenerationMatch: number('ifGenerationMatch'),
		ifMetagenerationMatch: number('ifMetagenerationMatch'),
	}
}

function nameOf(query: URLSearchParams, named: string | undefined): string {
	const name = query.get('name') ?? named
	if (name === undefined) throw badRequest('Required object name.', 'required')
	return name
}
