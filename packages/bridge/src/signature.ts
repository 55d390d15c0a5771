import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { S3Error } from './s3-error.ts'

/** Signature version 4. Source: Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header". */
export interface Credential {
	readonly accessKey: string
	readonly secretKey: string
}

export interface SignedRequest {
	readonly method: string
	/** As it came: encoded, with its query. */
	readonly url: string
	readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

const SKEW_MS = 15 * 60_000
const AUTHORIZATION =
	/^AWS4-HMAC-SHA256 Credential=([^/,\s]{1,128})\/(\d{8})\/([^/,\s]{1,64})\/s3\/aws4_request,\s*SignedHeaders=([a-z0-9;-]{1,2000}),\s*Signature=([0-9a-f]{64})$/u

/**
 * Throws unless whoever has the credential signed exactly this request, not longer than a quarter of an hour ago. Returns what the signer
 * says of the body (`x-amz-content-sha256`), which is under the signature. Errors: {@link S3Error}.
 */
export function verifySignature(request: SignedRequest, credential: Credential, now: number): string {
	const { headers } = request
	const found = AUTHORIZATION.exec(textOf(headers['authorization']))
	if (found === null)
		throw new S3Error('AccessDenied', 'the request is not signed by signature version 4 in its headers')
	const [, accessKey = '', day = '', region = '', signedHeaders = '', signature = ''] = found
	if (!equal(accessKey, credential.accessKey)) throw new S3Error('AccessDenied', 'the access key is not known')
	const names = signedHeaders.split(';')
	for (const needed of ['host', 'x-amz-date', 'x-amz-content-sha256']) {
		if (!names.includes(needed)) throw new S3Error('AccessDenied', `${needed} is not signed`)
	}
	const time = textOf(headers['x-amz-date'])
	if (!time.startsWith(day) || !(Math.abs(timeOf(time) - now) <= SKEW_MS)) {
		throw new S3Error('RequestTimeTooSkewed', 'the clock of the requester and ours are too far apart')
	}
	const payload = textOf(headers['x-amz-content-sha256'])
	const canonical = [
		request.method,
		...canonicalUrl(request.url),
		...names.map((name) => `${name}:${textOf(headers[name]).trim().replaceAll(/ +/gu, ' ')}`),
		'',
		signedHeaders,
		payload,
	].join('\n')
	const scope = `${day}/${region}/s3/aws4_request`
	const toSign = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
	const key = [day, region, 's3', 'aws4_request'].reduce(
		(secret: string | Buffer, text) => createHmac('sha256', secret).update(text).digest(),
		`AWS4${credential.secretKey}`,
	)
	const expected = createHmac('sha256', key).update(toSign).digest('hex')
	if (!equal(signature, expected)) throw new S3Error('SignatureDoesNotMatch', 'the signature is another one')
	return payload
}

/** Path and query, each decoded and encoded again, so that it does not matter how much of them the requester encoded. */
function canonicalUrl(url: string): [path: string, query: string] {
	const [path = '', query = ''] = url.split(/\?(.*)/su)
	const pairs = query
		.split('&')
		.filter((pair) => pair !== '')
		.map((pair) => {
			const [name = '', value = ''] = pair.split(/=(.*)/su)
			return `${encode(decode(name))}=${encode(decode(value))}`
		})
	return [decode(path).split('/').map(encode).join('/'), pairs.toSorted(byBytes).join('&')]
}

/** Errors: {@link S3Error} for what is not encoded as URLs are. */
export function decode(text: string): string {
	try {
		return decodeURIComponent(text)
	} catch {
		throw new S3Error('InvalidRequest', 'the URL is not encoded as it must be')
	}
}

function encode(text: string): string {
	return encodeURIComponent(text).replaceAll(/[!'()*]/gu, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
}

function byBytes(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0
}

function textOf(value: string | string[] | undefined): string {
	return Array.isArray(value) ? value.join(',') : (value ?? '')
}

/** `20261123T021530Z`; NaN for anything else. */
function timeOf(text: string): number {
	const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u.exec(text)?.slice(1).map(Number)
	if (parts === undefined) return Number.NaN
	const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
	return Date.UTC(year, month - 1, day, hour, minute, second)
}

function equal(a: string, b: string): boolean {
	const [one, other] = [a, b].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer]
	return timingSafeEqual(one, other)
}
