import { ApiError, badRequest, forbidden } from './errors.ts'
import { selected } from './fields.ts'
import { type Answer, jsonAnswer } from './messages.ts'
import { rangeOf } from './ranges.ts'
import { type Bucket, resourceOf, type StoredObject } from './store.ts'

/** Answers a listing: names by their bytes, a page at a time. */
export function listAnswer(bucket: Bucket, query: URLSearchParams, largestPage: number, tellsMore: boolean): Answer {
	const prefix = query.get('prefix') ?? ''
	const asked = Number(query.get('maxResults') ?? largestPage)
	if (!Number.isInteger(asked) || asked < 1) throw badRequest('Invalid maxResults.', 'invalidParameter')
	const size = Math.min(asked, largestPage)
	const token = query.get('pageToken')
	const after = token === null ? undefined : Buffer.from(token, 'base64url').toString()
	if (after === '') throw badRequest('Invalid page token.', 'invalidParameter')
	const start = query.get('startOffset') ?? ''
	const end = query.get('endOffset')
	const names = bucket
		.names()
		.filter(
			(name) =>
				name.startsWith(prefix) &&
				name >= start &&
				(end === null || name < end) &&
				(after === undefined || name > after),
		)
	const page = names.slice(0, size)
	const nextPageToken = tellsMore && names.length > size ? Buffer.from(page.at(-1)!).toString('base64url') : undefined
	const items = page.map((name) => resourceOf(bucket, bucket.get(name)))
	return jsonAnswer(
		200,
		selected(
			{
				kind: 'storage#objects',
				...(nextPageToken !== undefined && { nextPageToken }),
				...(items.length > 0 && { items }),
			},
			query.get('fields'),
		),
	)
}

/** Answers a read of an object's bytes. */
export function mediaAnswer(object: StoredObject, header: string | undefined): Answer {
	const { size, pieces } = object
	const headers = {
		'Content-Type': object.resource.contentType ?? 'application/octet-stream',
		'Accept-Ranges': 'bytes',
		ETag: Buffer.from(String(object.generation)).toString('base64'),
		'Last-Modified': object.updatedAt.toUTCString(),
		'X-Goog-Generation': String(object.generation),
		'X-Goog-Metageneration': String(object.metageneration),
		'X-Goog-Hash': `crc32c=${object.crc32c},md5=${object.md5}`,
		'X-Goog-Storage-Class': 'STANDARD',
		'X-Goog-Stored-Content-Encoding': 'identity',
		'X-Goog-Stored-Content-Length': String(size),
	}
	const span = rangeOf(header, size)
	if (span === 'none')
		throw new ApiError(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable', {
			'Content-Range': `bytes */${size}`,
		})
	if (span === undefined) return { status: 200, headers, pieces }
	const { start, end } = span
	return {
		status: 206,
		headers: { ...headers, 'Content-Range': `bytes ${start}-${end - 1}/${size}` },
		pieces: [...slices(pieces, start, end)],
	}
}

function* slices(pieces: readonly Buffer[], start: number, end: number): Generator<Buffer> {
	let at = 0
	for (const piece of pieces) {
		const [from, to] = [Math.max(start - at, 0), Math.min(end - at, piece.length)]
		if (from < to) yield piece.subarray(from, to)
		at += piece.length
	}
}

/** What of the asked permissions the caller has. */
export function permissionsAnswer(query: URLSearchParams, has: ReadonlySet<string>): Answer {
	const asked = query.getAll('permissions')
	if (asked.length === 0) throw badRequest('No permissions to test.', 'required')
	const permissions = asked.filter((one) => has.has(one))
	return jsonAnswer(200, {
		kind: 'storage#testIamPermissionsResponse',
		...(permissions.length > 0 && { permissions }),
	})
}

/**
 * The error for an absent object: who may not list must not learn what is there, and is told that the right is missing.
 */
export function hideAbsence(error: unknown, caller: { email: string; permissions: ReadonlySet<string> }): unknown {
	if (!(error instanceof ApiError) || error.status !== 404 || !error.message.startsWith('No such object')) return error
	return caller.permissions.has('storage.objects.list')
		? error
		: forbidden(caller.email, 'storage.objects.list', 'bucket')
}
