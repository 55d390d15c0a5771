import type { IncomingMessage } from 'node:http'
import { ApiError, badRequest } from './errors.ts'
import type { Operation } from './faults.ts'

/** A request, understood. */
export interface Call {
	readonly operation: Operation
	/** Without the query, which may hold an upload's id. */
	readonly path: string
	readonly query: URLSearchParams
	readonly bucket: string
	readonly object: string
	readonly session: string
}

const COMMON = ['alt', 'fields', 'prettyPrint', 'userProject', 'projection', 'quotaUser']
const CONDITIONS = ['ifGenerationMatch', 'ifMetagenerationMatch']
const TAKES: Record<Operation, readonly string[]> = {
	token: [],
	bucket: [...COMMON],
	permissions: [...COMMON, 'permissions'],
	list: [...COMMON, 'prefix', 'startOffset', 'endOffset', 'maxResults', 'pageToken'],
	stat: [...COMMON, ...CONDITIONS],
	read: [...COMMON, ...CONDITIONS],
	delete: [...COMMON, ...CONDITIONS],
	patch: [...COMMON, ...CONDITIONS, 'overrideUnlockedRetention'],
	upload: [...COMMON, ...CONDITIONS, 'uploadType', 'name'],
	start: [...COMMON, ...CONDITIONS, 'uploadType', 'name'],
	chunk: ['uploadType', 'upload_id'],
	status: ['uploadType', 'upload_id'],
	cancel: ['uploadType', 'upload_id'],
}

/** Reads what a request asks for; throws for what the server does not know. */
export function callOf(request: IncomingMessage): Call {
	const url = new URL(request.url ?? '/', 'http://localhost')
	const [, upload, bucket = '', rest] =
		/^(?:\/download)?(\/upload)?\/storage\/v1\/b\/([^/]+)(\/.*)?$/.exec(url.pathname) ?? []
	const operation =
		url.pathname === '/token'
			? 'token'
			: bucket === ''
				? undefined
				: upload === undefined
					? plainOperation(request.method, rest, url.searchParams)
					: uploadOperation(request, rest, url.searchParams)
	if (operation === undefined) throw new ApiError(404, 'notFound', 'Not Found')
	if (operation === 'token' && request.method !== 'POST')
		throw new ApiError(405, 'methodNotAllowed', 'Method Not Allowed')
	for (const name of url.searchParams.keys())
		if (!TAKES[operation].includes(name))
			throw badRequest(`Unknown parameter ${name} for ${operation}.`, 'invalidParameter')
	return {
		operation,
		path: url.pathname,
		query: url.searchParams,
		bucket: decodeURIComponent(bucket),
		object: decodeURIComponent(/^\/o\/([^/]+)$/.exec(rest ?? '')?.[1] ?? ''),
		session: url.searchParams.get('upload_id') ?? '',
	}
}

function plainOperation(
	method: string | undefined,
	rest: string | undefined,
	query: URLSearchParams,
): Operation | undefined {
	if (rest === undefined) return method === 'GET' ? 'bucket' : undefined
	if (rest === '/iam/testPermissions') return method === 'GET' ? 'permissions' : undefined
	if (rest === '/o') return method === 'GET' ? 'list' : undefined
	if (!/^\/o\/[^/]+$/.test(rest)) return undefined
	if (method === 'GET') return query.get('alt') === 'media' ? 'read' : 'stat'
	if (method === 'DELETE') return 'delete'
	return method === 'PATCH' ? 'patch' : undefined
}

function uploadOperation(
	{ method, headers }: IncomingMessage,
	rest: string | undefined,
	query: URLSearchParams,
): Operation | undefined {
	if (rest !== '/o') return undefined
	if (query.has('upload_id')) {
		if (method === 'DELETE') return 'cancel'
		if (method !== 'PUT' && method !== 'POST') return undefined
		return headers['content-range']?.startsWith('bytes */') ? 'status' : 'chunk'
	}
	if (method !== 'POST') return undefined
	const type = query.get('uploadType')
	if (type === 'resumable') return 'start'
	return type === 'media' || type === 'multipart' ? 'upload' : undefined
}
