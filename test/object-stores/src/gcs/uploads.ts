import { randomBytes } from 'node:crypto'
import { ApiError, badRequest } from './errors.ts'
import { type Answer, type Arrived, jsonAnswer } from './messages.ts'
import { pieceOf } from './ranges.ts'
import { type Bucket, type Conditions, type Resource, resourceOf, type StoredObject } from './store.ts'

/** Every chunk but the last is a multiple of this. */
const GRANULARITY = 256 << 10

/** The two parts of a `multipart/related` body. */
export function relatedParts(contentType: string, body: Buffer): { resource: Resource; pieces: Buffer[] } {
	const [, quoted, plain] = /^multipart\/related;.*boundary=(?:"([^"]+)"|([^;\s]+))/.exec(contentType) ?? []
	const boundary = quoted ?? plain
	if (boundary === undefined) throw badRequest('Multipart must have a boundary.')
	const parts: { head: string; content: Buffer }[] = []
	const mark = Buffer.from(`--${boundary}`)
	let at = body.indexOf(mark)
	while (at >= 0 && body.subarray(at + mark.length, at + mark.length + 2).toString() !== '--') {
		const start = at + mark.length + 2
		const next = body.indexOf(Buffer.from(`\r\n--${boundary}`), start)
		if (next < 0) throw badRequest('Missing end boundary in multipart body.')
		const blank = body.indexOf('\r\n\r\n', start)
		if (blank < 0 || blank > next) throw badRequest('A part has no headers.')
		parts.push({ head: body.subarray(start, blank).toString(), content: body.subarray(blank + 4, next) })
		at = next + 2
	}
	const [about, media] = parts
	if (about === undefined || media === undefined || parts.length !== 2)
		throw badRequest('Multipart content must have two parts.')
	if (!/content-type:\s*application\/json/i.test(about.head)) throw badRequest('The first part must be JSON.')
	const [, type] = /content-type:\s*([^\r\n]+)/i.exec(media.head) ?? []
	return {
		resource: { ...(type !== undefined && { contentType: type }), ...readResource(about.content) },
		pieces: [media.content],
	}
}

export function readResource(body: Buffer): Resource {
	if (body.length === 0) return {}
	try {
		return JSON.parse(body.toString()) as Resource
	} catch {
		throw badRequest('Parse Error', 'parseError')
	}
}

interface Session {
	readonly bucket: Bucket
	readonly name: string
	readonly resource: Resource
	readonly conditions: Conditions
	pieces: Buffer[]
	size: number
	state: 'open' | 'cancelled' | StoredObject
}

/** The resumable uploads that were begun. */
export class Sessions {
	readonly #sessions = new Map<string, Session>()

	/** Uploads that were begun and neither finished nor given up. */
	get open(): number {
		return [...this.#sessions.values()].filter(({ state }) => state === 'open').length
	}

	start(bucket: Bucket, name: string, resource: Resource, conditions: Conditions): string {
		bucket.checkRetention(resource.retention)
		bucket.check(name, conditions)
		const id = randomBytes(24).toString('base64url')
		this.#sessions.set(id, { bucket, name, resource, conditions, pieces: [], size: 0, state: 'open' })
		return id
	}

	/** Forgets every session, as the service does after a week. */
	expire(): void {
		this.#sessions.clear()
	}

	#find(id: string): Session {
		const found = this.#sessions.get(id)
		if (!found) throw new ApiError(404, 'notFound', 'Not Found')
		if (found.state === 'cancelled') throw new ApiError(499, 'clientClosedRequest', 'Client Closed Request')
		return found
	}

	cancel(id: string): Answer {
		const session = this.#find(id)
		if (session.state === 'open') {
			session.state = 'cancelled'
			session.pieces = []
		}
		return { status: 499 }
	}

	/** Keeps what came of a chunk, down to the granularity. */
	keepCut(id: string, header: string | undefined, { pieces, length }: Arrived): void {
		const session = this.#sessions.get(id)
		const [, start] = /^bytes (\d+)-/.exec(header ?? '') ?? []
		if (session?.state !== 'open' || Number(start) !== session.size) return
		this.#append(session, Buffer.concat(pieces).subarray(0, length - (length % GRANULARITY)))
	}

	#append(session: Session, bytes: Buffer): void {
		if (bytes.length === 0) return
		session.pieces.push(bytes)
		session.size += bytes.length
	}

	/** A chunk or a status query. */
	push(
		id: string,
		{ range, hash }: { range: string | undefined; hash: string | undefined },
		{ pieces, length }: Arrived,
		persistOnly: number = Infinity,
	): Answer {
		const session = this.#find(id)
		const { bucket } = session
		if (typeof session.state === 'object') return jsonAnswer(200, resourceOf(bucket, session.state))
		const { start, total } = pieceOf(range, length)
		if (start !== undefined) {
			if (start > session.size)
				throw new ApiError(
					503,
					'backendError',
					`Invalid request.  According to the Content-Range header, the upload offset is ${start} byte(s), which exceeds already uploaded size of ${session.size} byte(s).`,
				)
			const isLast = total !== undefined && start + length === total
			if (!isLast && length % GRANULARITY !== 0)
				throw badRequest(
					`Invalid request.  The number of bytes uploaded is required to be equal or greater than 262144, except for the final request (it's recommended to be the exact multiple of 262144).  The received request contained ${length} bytes, which does not meet this requirement.`,
				)
			const kept = Math.min(length, persistOnly)
			this.#append(session, Buffer.concat(pieces).subarray(session.size - start, kept))
		}
		if (total !== undefined && session.size === total) return this.#finish(session, hash)
		return {
			status: 308,
			headers: session.size === 0 ? {} : { Range: `bytes=0-${session.size - 1}` },
		}
	}

	#finish(session: Session, hash: string | undefined): Answer {
		const { bucket, name, pieces, conditions } = session
		const [, crc32c] = /crc32c=([^,]+)/.exec(hash ?? '') ?? []
		const [, md5Hash] = /md5=([^,]+)/.exec(hash ?? '') ?? []
		const resource = { ...session.resource, ...(crc32c && { crc32c }), ...(md5Hash && { md5Hash }) }
		try {
			session.state = bucket.put(name, pieces, resource, conditions)
		} catch (error) {
			session.state = 'cancelled'
			throw error
		} finally {
			session.pieces = []
		}
		return jsonAnswer(200, resourceOf(bucket, session.state))
	}
}
