import { createHash, createHmac } from 'node:crypto'

export interface StoreKeys {
	readonly accessKey: string
	readonly secretKey: string
	readonly region: string
}

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** RFC 3986. */
export function encoded(text: string): string {
	return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** The headers of a request with its signature. Source: AWS Signature Version 4. `query` is in its canonical form. */
export function signed(
	request: {
		readonly method: string
		readonly path: string
		readonly query: string
		readonly headers: Readonly<Record<string, string>>
		readonly body: Uint8Array
	},
	{ accessKey, secretKey, region }: StoreKeys,
	at: Date,
): Record<string, string> {
	const date = at.toISOString().replace(/[-:]|\.\d+/g, '')
	const day = date.slice(0, 8)
	const headers: Record<string, string> = {
		...request.headers,
		'x-amz-content-sha256': sha256(request.body),
		'x-amz-date': date,
	}
	const names = Object.keys(headers).toSorted()
	const canonical = [
		request.method,
		request.path,
		request.query,
		...names.map((name) => `${name}:${headers[name]!.trim().replace(/ +/g, ' ')}`),
		'',
		names.join(';'),
		headers['x-amz-content-sha256'],
	].join('\n')
	const scope = `${day}/${region}/s3/aws4_request`
	const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')
	const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretKey}`)
	const signature = hmac(key as Buffer, toSign).toString('hex')
	headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
	return headers
}
