import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { S3Error } from './errors.ts'

const MAX_SKEW_MS = 15 * 60_000
const EMPTY_SHA256 = sha256('')

/** A key pair that the server knows. */
export interface S3Credential {
	readonly accessKeyId: string
	readonly secretAccessKey: string
	/** Demanded in `x-amz-security-token` when it is set. */
	readonly sessionToken?: string
	/** Operations that it may call, for example `GetObject`; all when absent. */
	readonly allow?: readonly string[]
}

export interface SignedRequest {
	readonly method: string
	/** Path and query as they stand in the request line. */
	readonly url: string
	readonly headers: IncomingHttpHeaders
}

/** What is needed to check the signatures of the chunks of a body. */
export interface ChunkSigning {
	readonly key: Buffer
	readonly date: string
	readonly scope: string
	/** The signature of the request, which the first chunk's signature continues. */
	readonly seed: string
}

function sha256(text: string | Uint8Array): string {
	return createHash('sha256').update(text).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
	return createHmac('sha256', key).update(text).digest()
}

function isSame(a: string, b: string): boolean {
	return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

/** RFC 3986: everything but unreserved characters in upper-case hex. */
export function uriEncoded(text: string): string {
	return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}

function canonicalQuery(query: string): string {
	if (query === '') return ''
	return query
		.split('&')
		.map((pair) => {
			const [name = '', value = ''] = pair.split('=', 2)
			return [uriEncoded(decodeURIComponent(name)), uriEncoded(decodeURIComponent(value))] as const
		})
		.toSorted(([a, x], [b, y]) => (a < b || (a === b && x < y) ? -1 : 1))
		.map(([name, value]) => `${name}=${value}`)
		.join('&')
}

function instantOf(date: string): number {
	const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? []
	return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`)
}

/**
 * Checks the signature in the `Authorization` header (Signature Version 4).
 *
 * @returns who signed, and what the chunks of the body have to be signed with
 * Throws as S3 does: `AccessDenied` without a signature, `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `RequestTimeTooSkewed`,
 * `AuthorizationHeaderMalformed` for another region, `InvalidToken`.
 */
export function verifySignature(
	request: SignedRequest,
	credentials: readonly S3Credential[],
	region: string,
	now: number,
): { readonly who: S3Credential; readonly signing: ChunkSigning } {
	const { headers, method } = request
	const { authorization } = headers
	if (authorization === undefined) throw new S3Error('AccessDenied')
	const [, accessKeyId = '', day = '', theirRegion = '', service = '', signedNames = '', signature = ''] =
		/^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([\da-f]{64})$/.exec(
			authorization,
		) ?? []
	if (signature === '') throw new S3Error('AuthorizationHeaderMalformed')
	const payload = headers['x-amz-content-sha256']
	if (typeof payload !== 'string')
		throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
	const date = String(headers['x-amz-date'] ?? '')
	const at = instantOf(date)
	if (Number.isNaN(at) || !date.startsWith(day))
		throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
	const who = credentials.find((known) => known.accessKeyId === accessKeyId)
	if (!who) throw new S3Error('InvalidAccessKeyId', undefined, { AWSAccessKeyId: accessKeyId })
	if (Math.abs(at - now) > MAX_SKEW_MS)
		throw new S3Error('RequestTimeTooSkewed', undefined, {
			RequestTime: date,
			ServerTime: new Date(now).toISOString(),
			MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
		})
	if (theirRegion !== region || service !== 's3')
		throw new S3Error(
			'AuthorizationHeaderMalformed',
			`The authorization header is malformed; the region '${theirRegion}' is wrong; expecting '${region}'`,
			{ Region: region },
		)
	const names = signedNames.split(';')
	const missing = Object.keys(headers).filter(
		(name) => (name.startsWith('x-amz-') || name === 'host' || name === 'content-md5') && !names.includes(name),
	)
	if (missing.length > 0)
		throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
			HeadersNotSigned: missing.join(', '),
		})
	const [path = '', query = ''] = request.url.split(/\?(.*)/s)
	const canonical = [
		method,
		path
			.split('/')
			.map((part) => uriEncoded(decodeURIComponent(part)))
			.join('/'),
		canonicalQuery(query),
		...names.map(
			(name) =>
				`${name}:${String(headers[name] ?? '')
					.trim()
					.replace(/ +/g, ' ')}`,
		),
		'',
		signedNames,
		payload,
	].join('\n')
	const scope = `${day}/${region}/s3/aws4_request`
	const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')
	const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${who.secretAccessKey}`) as Buffer
	if (!isSame(hmac(key, toSign).toString('hex'), signature))
		throw new S3Error('SignatureDoesNotMatch', undefined, {
			AWSAccessKeyId: accessKeyId,
			StringToSign: toSign,
			SignatureProvided: signature,
			CanonicalRequest: canonical,
		})
	const token = headers['x-amz-security-token']
	if (who.sessionToken !== undefined && token !== who.sessionToken)
		throw new S3Error('InvalidToken', undefined, { 'Token-0': String(token ?? '') })
	return { who, signing: { key, date, scope, seed: signature } }
}

export interface DecodedBody {
	readonly bytes: Buffer
	/** Lower-case names. */
	readonly trailers: Readonly<Record<string, string>>
}

/** The bytes of a body as `x-amz-content-sha256` says that it was sent, checked against it. */
export function decodeBody(
	raw: Buffer,
	headers: IncomingHttpHeaders,
	signing: ChunkSigning,
	isCompared: boolean,
): DecodedBody {
	const payload = String(headers['x-amz-content-sha256'])
	if (payload.startsWith('STREAMING-')) return decodeChunks(raw, headers, payload, signing)
	if (/(?:^|,)\s*aws-chunked/.test(headers['content-encoding'] ?? ''))
		throw new S3Error('InvalidRequest', 'aws-chunked needs a STREAMING value of x-amz-content-sha256')
	if (isCompared && payload !== 'UNSIGNED-PAYLOAD') {
		const computed = sha256(raw)
		if (payload !== computed)
			throw new S3Error('XAmzContentSHA256Mismatch', undefined, {
				ClientComputedContentSHA256: payload,
				S3ComputedContentSHA256: computed,
			})
	}
	return { bytes: raw, trailers: {} }
}

function decodeChunks(
	raw: Buffer,
	headers: IncomingHttpHeaders,
	payload: string,
	{ key, date, scope, seed }: ChunkSigning,
): DecodedBody {
	const isSigned = payload.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD')
	const hasTrailer = payload.endsWith('-TRAILER')
	if (!isSigned && payload !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') throw new S3Error('NotImplemented')
	const pieces: Buffer[] = []
	let previous = seed
	let at = 0
	const line = (): string => {
		const end = raw.indexOf('\r\n', at)
		if (end < 0) throw new S3Error('IncompleteBody')
		const text = raw.toString('latin1', at, end)
		at = end + 2
		return text
	}
	for (;;) {
		const [, hex, signature] = /^([\da-f]+)(?:;chunk-signature=([\da-f]{64}))?$/i.exec(line()) ?? []
		if (hex === undefined || isSigned !== (signature !== undefined))
			throw new S3Error('InvalidRequest', 'a chunk of the body has no valid header')
		const length = Number.parseInt(hex, 16)
		const bytes = raw.subarray(at, at + length)
		if (bytes.length < length) throw new S3Error('IncompleteBody')
		if (signature !== undefined) {
			const toSign = ['AWS4-HMAC-SHA256-PAYLOAD', date, scope, previous, EMPTY_SHA256, sha256(bytes)].join('\n')
			if (!isSame(hmac(key, toSign).toString('hex'), signature)) throw new S3Error('SignatureDoesNotMatch')
			previous = signature
		}
		at += length
		pieces.push(bytes)
		if (length === 0) break
		if (line() !== '') throw new S3Error('InvalidRequest', 'a chunk of the body does not end where it says')
	}
	const trailers: Record<string, string> = {}
	while (at < raw.length) {
		const text = line()
		if (text === '') continue
		const colon = text.indexOf(':')
		trailers[text.slice(0, colon).trim().toLowerCase()] = text.slice(colon + 1).trim()
	}
	verifyTrailers(trailers, { hasTrailer, isSigned, headers, key, date, scope, previous })
	const bytes = Buffer.concat(pieces)
	const declared = headers['x-amz-decoded-content-length']
	if (declared === undefined) throw new S3Error('MissingContentLength')
	if (Number(declared) !== bytes.length) throw new S3Error('IncompleteBody')
	return { bytes, trailers }
}

interface TrailerCheck {
	readonly hasTrailer: boolean
	readonly isSigned: boolean
	readonly headers: IncomingHttpHeaders
	readonly key: Buffer
	readonly date: string
	readonly scope: string
	readonly previous: string
}

function verifyTrailers(trailers: Record<string, string>, check: TrailerCheck): void {
	const { 'x-amz-trailer-signature': signature, ...others } = trailers
	const announced = String(check.headers['x-amz-trailer'] ?? '')
		.split(',')
		.map((name) => name.trim().toLowerCase())
		.filter((name) => name !== '')
	const names = Object.keys(others)
	if (announced.length !== names.length || announced.some((name) => !names.includes(name)))
		throw new S3Error('InvalidRequest', 'The trailers are not those that x-amz-trailer announces')
	if (!check.hasTrailer || !check.isSigned) return
	const text = names.map((name) => `${name}:${others[name]}\n`).join('')
	const toSign = ['AWS4-HMAC-SHA256-TRAILER', check.date, check.scope, check.previous, sha256(text)].join('\n')
	if (!isSame(hmac(check.key, toSign).toString('hex'), signature ?? '')) throw new S3Error('SignatureDoesNotMatch')
}
