import { createHash, createSign } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { IdempotencyStrategy, Storage } from '@google-cloud/storage'
import { expect, test } from 'vitest'
import { type GcsServer, startGcsServer } from '../src/gcs/index.ts'
import { noise } from './gcs-room.ts'

const KIB = 1 << 10
const MIB = 1 << 20

/** Google's own client, which knows nothing of us. */
const sdk = (server: GcsServer): Storage =>
	new Storage({
		apiEndpoint: server.url,
		projectId: 'p',
		retryOptions: { maxRetries: 5, idempotencyStrategy: IdempotencyStrategy.RetryConditional },
	})

/** A request with a good token. */
async function call(server: GcsServer, path: string, init: RequestInit = {}): Promise<Response> {
	const { client_email } = server.account()
	const headers = {
		Authorization: `Bearer ${server.issueToken(client_email)}`,
		...(init.headers as Record<string, string>),
	}
	return fetch(`${server.url}${path}`, { ...init, headers })
}

const begin = async (server: GcsServer, name: string, query = ''): Promise<string> => {
	const response = await call(server, `/upload/storage/v1/b/bucket/o?uploadType=resumable&name=${name}${query}`, {
		method: 'POST',
	})
	expect(response.status).toBe(200)
	return response.headers.get('location')!
}

const push = (address: string, range: string, body?: Buffer, headers = {}): Promise<Response> =>
	fetch(address, {
		method: 'PUT',
		headers: { 'Content-Range': range, ...headers },
		...(body && { body: new Uint8Array(body) }),
	})

const reasonOf = async (response: Response): Promise<unknown> => {
	const { error } = (await response.json()) as {
		error: { code: number; message: string; errors: { reason: string }[] }
	}
	expect(error.code).toBe(response.status)
	return error.errors[0]?.reason
}

test("Google's client writes, reads, lists and deletes, with its own checksums", async () => {
	await using server = await startGcsServer({ anonymous: true, pageSize: 3 })
	const bucket = sdk(server).bucket('bucket')
	const body = noise(3 * MIB)
	await bucket
		.file('simple')
		.save(body, { resumable: false, validation: 'crc32c', preconditionOpts: { ifGenerationMatch: 0 } })
	await bucket.file('odd names/ä?#%').save(Buffer.from('x'), { resumable: false })
	expect(body.equals((await bucket.file('simple').download({ validation: 'crc32c' }))[0])).toBe(true)
	expect(body.subarray(5, 11).equals((await bucket.file('simple').download({ start: 5, end: 10 }))[0])).toBe(true)
	await expect(
		bucket.file('simple').save('again', { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } }),
	).rejects.toMatchObject({ code: 412 })
	for (let at = 0; at < 7; at++) await bucket.file(`list/${at}`).save('x', { resumable: false })
	expect((await bucket.getFiles({ prefix: 'list/' }))[0].map(({ name }) => name)).toEqual(
		[0, 1, 2, 3, 4, 5, 6].map((at) => `list/${at}`),
	)
	const [about] = await bucket.file('simple').getMetadata()
	expect(about).toMatchObject({ size: String(body.length), md5Hash: createHash('md5').update(body).digest('base64') })
	await bucket.file('simple').delete()
	await expect(bucket.file('simple').download()).rejects.toMatchObject({ code: 404 })
})

test("Google's client resumes a chunked upload that was cut", async () => {
	await using server = await startGcsServer({ anonymous: true })
	const file = sdk(server).bucket('bucket').file('large')
	const body = noise(5 * MIB + 77)
	server.fail({ on: 'chunk', skip: 1, fault: { cutRequestAfter: 700 * KIB } })
	const sink = file.createWriteStream({
		resumable: true,
		chunkSize: 2 * MIB,
		validation: 'crc32c',
		preconditionOpts: { ifGenerationMatch: 0 },
	})
	await pipeline(Readable.from([body.subarray(0, MIB), body.subarray(MIB)]), sink)
	expect(body.equals((await file.download())[0])).toBe(true)
})

test('tokens: an assertion must be signed by the account, for this endpoint, in time, for a known scope', async () => {
	await using server = await startGcsServer()
	const key = server.account()
	const other = server.account()
	const now = Math.floor(Date.now() / 1000)
	const claims = {
		iss: key.client_email,
		aud: key.token_uri,
		iat: now,
		exp: now + 3600,
		scope: 'https://www.googleapis.com/auth/devstorage.read_write',
	}
	const ask = async (
		changed: object,
		privateKey = key.private_key,
		head: object = { alg: 'RS256', kid: key.private_key_id },
	): Promise<Response> => {
		const signed = [head, { ...claims, ...changed }]
			.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
			.join('.')
		const signature = createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')
		return fetch(key.token_uri, {
			method: 'POST',
			body: new URLSearchParams({
				grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
				assertion: `${signed}.${signature}`,
			}),
		})
	}
	const good = await ask({})
	expect(good.status).toBe(200)
	const { access_token: token } = (await good.json()) as { access_token: string }
	const list = (authorization?: string): Promise<Response> =>
		fetch(`${server.url}/storage/v1/b/bucket/o`, authorization === undefined ? {} : { headers: { authorization } })
	expect((await list(`Bearer ${token}`)).status).toBe(200)
	for (const wrong of [undefined, 'Bearer x', `Basic ${token}`]) {
		const response = await list(wrong)
		expect(response.status).toBe(401)
		expect(await reasonOf(response)).toBe('authError')
	}
	for (const bad of [
		ask({}, other.private_key),
		ask({ iss: 'nobody@x' }),
		ask({ aud: 'https://oauth2.googleapis.com/token' }),
		ask({ iat: now - 8000, exp: now - 4400 }),
		ask({ exp: now + 7200 }),
		ask({ iat: now + 4000, exp: now + 7000 }),
		ask({ scope: 'email' }),
		ask({}, key.private_key, { alg: 'RS256', kid: 'x' }),
	]) {
		const response = await bad
		expect(response.status).toBe(400)
		expect(await response.json()).toMatchObject({ error: expect.stringMatching(/^invalid_/) })
	}
	server.revokeTokens()
	expect((await list(`Bearer ${token}`)).status).toBe(401)
})

test('upload sessions: granularity, offsets, status, cancel, conditions and checksums', async () => {
	await using server = await startGcsServer()
	const body = noise(700 * KIB)
	const address = await begin(server, 'a', '&ifGenerationMatch=0')
	expect((await push(address, 'bytes */*')).headers.get('range')).toBeNull()
	expect((await push(address, 'bytes 0-99999/*', body.subarray(0, 100_000))).status).toBe(400)
	const first = await push(address, `bytes 0-${512 * KIB - 1}/*`, body.subarray(0, 512 * KIB))
	expect([first.status, first.headers.get('range')]).toEqual([308, `bytes=0-${512 * KIB - 1}`])
	expect(
		(await push(address, `bytes ${600 * KIB}-${700 * KIB - 1}/${700 * KIB}`, body.subarray(600 * KIB))).status,
	).toBe(503)
	expect((await push(address, `bytes 0-9/*`, body.subarray(0, 5))).status).toBe(400)
	// Bytes that are there already are passed over.
	const last = await push(address, `bytes ${256 * KIB}-${700 * KIB - 1}/${700 * KIB}`, body.subarray(256 * KIB))
	expect(last.status).toBe(200)
	expect(await last.json()).toMatchObject({
		size: String(body.length),
		md5Hash: createHash('md5').update(body).digest('base64'),
	})
	expect((await push(address, 'bytes */*')).status).toBe(200)
	const again = await call(server, '/upload/storage/v1/b/bucket/o?uploadType=resumable&name=a&ifGenerationMatch=0', {
		method: 'POST',
	})
	expect([again.status, await reasonOf(again)]).toEqual([412, 'conditionNotMet'])

	const wrong = await begin(server, 'b')
	const refused = await push(wrong, `bytes 0-9/10`, body.subarray(0, 10), { 'X-Goog-Hash': 'crc32c=AAAAAA==' })
	expect(refused.status).toBe(400)
	const cancelled = await begin(server, 'c')
	expect((await fetch(cancelled, { method: 'DELETE' })).status).toBe(499)
	expect((await push(cancelled, 'bytes 0-9/10', body.subarray(0, 10))).status).toBe(499)

	// Two sessions for one name: the condition is looked at once more at the end.
	const [one, two] = [
		await begin(server, 'd', '&ifGenerationMatch=0'),
		await begin(server, 'd', '&ifGenerationMatch=0'),
	]
	expect((await push(one, 'bytes 0-9/10', body.subarray(0, 10))).status).toBe(200)
	expect((await push(two, 'bytes 0-9/10', body.subarray(0, 10))).status).toBe(412)
	server.expireSessions()
	expect((await push(one, 'bytes */*')).status).toBe(404)
	expect(server.objects('bucket')).toEqual(['a', 'd'])
})

test('refusals are worded as those of the service, and unknown parameters are refused', async () => {
	await using server = await startGcsServer()
	const at = '/storage/v1/b/bucket/o'
	for (const [path, init, status, reason] of [
		['/storage/v1/b/missing/o', {}, 404, 'notFound'],
		[`${at}/absent`, {}, 404, 'notFound'],
		[`${at}/absent?alt=media`, {}, 404, 'notFound'],
		[`${at}/absent`, { method: 'DELETE' }, 404, 'notFound'],
		[`${at}?maxResult=1`, {}, 400, 'invalidParameter'],
		[`${at}?fields=items(name`, {}, 400, 'invalidParameter'],
		[`/upload${at}?uploadType=multipart&name=x`, { method: 'POST', body: 'x' }, 400, 'invalid'],
		[`/upload${at}?uploadType=media`, { method: 'POST', body: 'x' }, 400, 'required'],
	] as const) {
		const response = await call(server, path, init)
		expect([path, response.status, await reasonOf(response)]).toEqual([path, status, reason])
	}
	await call(server, `/upload${at}?uploadType=media&name=x`, { method: 'POST', body: '12345' })
	const beyond = await call(server, `${at}/x?alt=media`, { headers: { Range: 'bytes=5-' } })
	expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */5'])
	const part = await call(server, `${at}/x?alt=media`, { headers: { Range: 'bytes=-2' } })
	expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([206, '45', 'bytes 3-4/5'])
	expect(part.headers.get('x-goog-hash')).toMatch(/^crc32c=.{8},md5=.{24}$/)
	expect(await (await call(server, `${at}?fields=items(name,size)`)).json()).toEqual({
		items: [{ name: 'x', size: '5' }],
	})
})
