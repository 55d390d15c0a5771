import type { IncomingMessage } from 'node:http'
import { ApiError, badRequest } from './errors.ts'
import type { Fault } from './faults.ts'
import { selected } from './fields.ts'
import { type Answer, jsonAnswer, readBody } from './messages.ts'
import { type Accounts, ALL_PERMISSIONS, demand } from './oauth.ts'
import { listAnswer, mediaAnswer, permissionsAnswer } from './objects.ts'
import type { Call } from './route.ts'
import { type Conditions, resourceOf, type Store } from './store.ts'
import { readResource, relatedParts, type Sessions } from './uploads.ts'

/** What the answers come from. */
export interface World {
	readonly store: Store
	readonly accounts: Accounts
	readonly sessions: Sessions
	readonly anonymous: boolean
	readonly ignoresConditions: boolean
	readonly pageSize: number
	readonly listings: 'untold' | 'first-page' | undefined
	/** Known when the server listens. */
	tokenUri: string
}

const EVERYBODY = { email: 'anonymous', permissions: new Set<string>(ALL_PERMISSIONS) }

/** Does what a request asks for; no answer where the connection broke or a fault keeps it back. */
export async function answer(
	world: World,
	call: Call,
	request: IncomingMessage,
	fault: Fault | undefined,
): Promise<Answer | undefined> {
	const { operation, query } = call
	const { store, accounts, sessions, anonymous, ignoresConditions, pageSize, listings, tokenUri } = world
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
						...(bucket.options.versioning === true && { versioning: { enabled: true } }),
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
			if (listings === 'first-page') query.delete('startOffset')
			return listAnswer(bucket, query, pageSize, listings === undefined)
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
			const host = request.headers.host ?? '127.0.0.1'
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
