import { inspect } from 'node:util'
import type { Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-gcs/driver'
import { expect, test } from 'vitest'
import { keyFile, type Operation, startGcsServer } from '../src/gcs/index.ts'
import { all, bytesOf, failure, noise, pieces, room } from './gcs-room.ts'

const MIB = 1 << 20

const read = async (storage: Storage, key: string): Promise<Buffer> => bytesOf((await storage.get(key)).bytes)

test.concurrent('a cut chunk is resumed from what the store kept, and only the rest is sent again', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = noise(20 * MIB)
	server.fail({ on: 'chunk', skip: 1, fault: { cutRequestAfter: 5 * MIB + 1000 } })
	await storage.put('cut', pieces(body), { ifAbsent: true })
	expect(body.equals(await read(storage, 'cut'))).toBe(true)
	const ranges = server.requests.filter(({ method }) => method === 'PUT').map(({ contentRange }) => contentRange)
	expect(ranges[2]).toBe('bytes */*')
	// What arrived before the reset is kept down to 256 KiB; a reset may overtake bytes that were on their way.
	const [, from = ''] = /^bytes (\d+)-16777215\/\*$/.exec(ranges[3] ?? '') ?? []
	expect(Number(from) % (256 << 10)).toBe(0)
	expect(Number(from)).toBeGreaterThanOrEqual(8 * MIB)
	expect(Number(from)).toBeLessThanOrEqual(13 * MIB)
	expect(server.openUploads).toBe(0)
})

test.concurrent('a lost answer to the last chunk is settled by asking the session', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = noise(9 * MIB)
	server.fail({ on: 'chunk', skip: 1, fault: { loseAnswer: true } })
	await storage.put('lost', pieces(body), { ifAbsent: true })
	expect(body.equals(await read(storage, 'lost'))).toBe(true)
})

test.concurrent('a lost answer and a session that is forgotten are settled by reading back', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = noise(9 * MIB)
	server.fail({ on: 'chunk', skip: 1, fault: { loseAnswer: true } })
	server.fail({ on: 'status', fault: { status: 404, reason: 'notFound', message: 'Not Found' } })
	await storage.put('lost', pieces(body), { ifAbsent: true })
	expect(body.equals(await read(storage, 'lost'))).toBe(true)
})

test.concurrent('a small create-only put whose answer was lost knows its own object, and does not take another for it', async () => {
	await using place = await room()
	const { server, storage } = place
	server.fail({ on: 'upload', fault: { loseAnswer: true } })
	await storage.put('mine', Buffer.from('same'), { ifAbsent: true })
	expect(server.requests.filter(({ operation }) => operation === 'upload').map(({ status }) => status)).toContain(412)
	server.fail({ on: 'upload', fault: { cutRequestAfter: 10 } })
	await storage.put('again', Buffer.from('same'), { ifAbsent: true })
	server.fail({ on: 'upload', fault: { cutRequestAfter: 10 } })
	await expect(storage.put('mine', Buffer.from('same'), { ifAbsent: true })).rejects.toMatchObject({
		code: 'STORAGE_ALREADY_EXISTS',
	})
})

test.concurrent('an upload session that keeps only a part of a chunk gets the rest', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = noise(17 * MIB)
	server.fail({ on: 'chunk', times: 2, fault: { persistOnly: 1 * MIB } })
	await storage.put('part', pieces(body))
	expect(body.equals(await read(storage, 'part'))).toBe(true)
})

test.concurrent('a session that ended fails the put as something that another put may not meet, and leaves nothing', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = async function* () {
		yield noise(9 * MIB)
		while (!server.requests.some(({ operation }) => operation === 'chunk')) await new Promise(setImmediate)
		server.expireSessions()
		yield noise(9 * MIB)
	}
	await expect(storage.put('ended', body)).rejects.toMatchObject({ code: 'STORAGE_TRANSIENT', reason: 'upload-lost' })
	expect(await storage.stat('ended')).toBeUndefined()
})

test.concurrent('503, 500, 429 and resets are tried again, for every kind of call', async () => {
	await using place = await room()
	const { server, storage } = place
	const operations: Operation[] = ['upload', 'start', 'chunk', 'read', 'stat', 'list', 'delete']
	for (const on of operations) {
		server.fail({ on, fault: { status: 503 } })
		server.fail({ on, fault: on === 'list' ? { cutResponseAfter: 5 } : { status: 500 } })
	}
	await storage.put('small', Buffer.from('small'))
	await storage.put('large', pieces(noise(9 * MIB)))
	expect((await read(storage, 'small')).toString()).toBe('small')
	expect((await storage.stat('small'))?.size).toBe(5)
	expect(await all(storage.list(''))).toHaveLength(2)
	await storage.delete('small')
	server.fail({ on: 'stat', fault: { status: 429, retryAfter: '1' } })
	const before = performance.now()
	expect(await storage.stat('small')).toBeUndefined()
	expect(performance.now() - before).toBeGreaterThan(950)
})

test.concurrent('a store that goes on failing ends the call with the right code, in a bounded number of requests', async () => {
	await using place = await room()
	const { server, storage } = place
	await storage.put('k', Buffer.from('k'))
	for (const [fault, expected] of [
		[{ status: 503 }, { code: 'STORAGE_TRANSIENT', retry: 'later' }],
		[
			{ status: 503, retryAfter: '60' },
			{ code: 'STORAGE_THROTTLED', retryAfterMs: 60_000 },
		],
		[
			{ status: 429, retryAfter: '33' },
			{ code: 'STORAGE_THROTTLED', retryAfterMs: 33_000 },
		],
		[{ status: 403 }, { code: 'STORAGE_PERMISSION', retry: 'no' }],
		[{ status: 401 }, { code: 'STORAGE_PERMISSION', retry: 'no' }],
		[
			{ status: 400, reason: 'invalid', message: 'no' },
			{ code: 'STORAGE_PERMANENT', retry: 'no' },
		],
		[{ status: 403, reason: 'quotaExceeded', message: 'too much' }, { code: 'STORAGE_QUOTA' }],
		[{ cutRequestAfter: 0 }, { code: 'STORAGE_TRANSIENT' }],
	] as const) {
		const seen = server.requests.length
		for (const on of ['upload', 'stat', 'read', 'list', 'delete'] as const) server.fail({ on, fault, times: 100 })
		expect(await failure(storage.put('x', Buffer.from('x')))).toMatchObject(expected)
		expect(await failure(storage.stat('k'))).toMatchObject(expected)
		expect(await failure(storage.get('k'))).toMatchObject(expected)
		expect(await failure(all(storage.list('')))).toMatchObject(expected)
		expect(await failure(storage.delete('k'))).toMatchObject(expected)
		expect(server.requests.length - seen).toBeLessThan(25)
		server.clearFaults()
	}
	expect(await storage.stat('x')).toBeUndefined()
}, 60_000)

test.concurrent('a body that is shorter than the object, cut, changed or of another length is found', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = noise(3 * MIB)
	await storage.put('body', body)
	server.fail({ on: 'read', fault: { truncateTo: 1000 } })
	expect(await failure(read(storage, 'body'))).toMatchObject({ code: 'STORAGE_INTEGRITY', retry: 'same' })
	server.fail({ on: 'read', fault: { truncateTo: 1000 } })
	const part = async (): Promise<Buffer> =>
		bytesOf((await storage.get('body', { range: { offset: 5, length: 2000 } })).bytes)
	expect(await failure(part())).toMatchObject({ code: 'STORAGE_INTEGRITY', retry: 'same' })
	server.fail({ on: 'read', fault: { cutResponseAfter: 2 * MIB } })
	expect(await failure(read(storage, 'body'))).toMatchObject({ code: 'STORAGE_TRANSIENT' })
	server.fail({ on: 'read', fault: { flipByteAt: 2 * MIB } })
	expect(await failure(read(storage, 'body'))).toMatchObject({ code: 'STORAGE_INTEGRITY', retry: 'same' })
	expect(body.equals(await read(storage, 'body'))).toBe(true)
})

test.concurrent('a token that ends or is taken back in the middle is replaced', async () => {
	await using place = await room()
	const { server, storage } = place
	const tokens = (): number => server.requests.filter(({ operation }) => operation === 'token').length
	expect(tokens()).toBe(1)
	const large = noise(17 * MIB)
	const body = async function* () {
		yield large.subarray(0, 9 * MIB)
		server.revokeTokens()
		yield large.subarray(9 * MIB)
	}
	await storage.put('large', body)
	expect(large.equals(await read(storage, 'large'))).toBe(true)
	expect(tokens()).toBe(2)
	server.revokeTokens()
	await Promise.all(Array.from({ length: 5 }, () => storage.stat('large')))
	expect(tokens()).toBe(3)
})

test.concurrent('tokens that live for a short time are renewed before they end', async () => {
	await using place = await room({ tokenSeconds: 1 })
	const { server, storage } = place
	await new Promise((resolve) => setTimeout(resolve, 600))
	await storage.put('k', Buffer.from('k'))
	expect(server.requests.every(({ status }) => status !== 401)).toBe(true)
})

test.concurrent('a store that never answers is given up after the time-out; a signal ends the wait at once', async ({
	expect,
}) => {
	await using place = await room({ query: '&timeout=0.4' })
	const { server, storage } = place
	const other = await place.again({ query: '&timeout=60' })
	await other.put('k', Buffer.from('k'))
	for (const on of ['stat', 'read', 'upload', 'list', 'delete'] as const)
		server.fail({ on, fault: { hang: true }, times: 50 })
	const asked = [
		storage.stat('k'),
		storage.get('k'),
		storage.put('x', Buffer.from('x')),
		all(storage.list('')),
		storage.delete('k'),
	]
	for (const error of await Promise.all(asked.map(failure)))
		expect(error).toMatchObject({ code: 'STORAGE_TRANSIENT', reason: 'timeout' })
	server.clearFaults()
	for (const on of ['stat', 'read', 'upload', 'list', 'chunk'] as const)
		server.fail({ on, fault: { hang: true }, times: 50 })
	const before = performance.now()
	const signal = AbortSignal.timeout(500)
	const stopped = [
		other.stat('k', { signal }),
		other.get('k', { signal }),
		other.put('x', Buffer.from('x'), { signal }),
		other.put('x', pieces(noise(9 * MIB)), { signal }),
		all(other.list('', { signal })),
	]
	for (const error of await Promise.all(stopped.map(failure))) expect(error).toMatchObject({ code: 'INTERRUPTED' })
	expect(performance.now() - before).toBeLessThan(2_500)
	server.clearFaults()
	await expect.poll(() => server.openUploads).toBe(0)
})

test.concurrent('a failed put gives its upload session up', async () => {
	await using place = await room()
	const { server, storage } = place
	server.fail({ on: 'chunk', skip: 1, fault: { status: 403 } })
	await expect(storage.put('k', pieces(noise(17 * MIB)))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	expect(server.openUploads).toBe(0)
})

test.concurrent('bytes that are changed on their way up are refused by the store and sent again', async () => {
	await using place = await room()
	const { server, storage } = place
	server.fail({
		on: 'upload',
		fault: {
			status: 400,
			reason: 'invalid',
			message: 'Provided CRC32C "AAAAAA==" doesn\'t match calculated CRC32C "x".',
		},
	})
	await storage.put('k', Buffer.from('k'))
	expect((await read(storage, 'k')).toString()).toBe('k')
})

test.concurrent('objects under retention cannot be deleted or overwritten, and are held for longer, never shorter', async () => {
	await using place = await room({ buckets: [{ name: 'bucket', objectRetention: true }] })
	const { storage } = place
	expect(storage.capabilities.retention).toBe(true)
	const hour = (count: number): Date => new Date(Date.now() + count * 3_600_000)
	await storage.put('held', Buffer.from('1'), { retainUntil: hour(1) })
	await expect(storage.delete('held')).rejects.toMatchObject({ code: 'STORAGE_PERMISSION', reason: 'held' })
	await expect(storage.put('held', Buffer.from('2'))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	await storage.extendRetention!('held', hour(2))
	await storage.extendRetention!('held', hour(1))
	await expect(storage.delete('held')).rejects.toThrow(/cannot be deleted or overwritten until/)
	await storage.put('large', pieces(noise(9 * MIB)), { retainUntil: hour(1), ifAbsent: true })
	await expect(storage.delete('large')).rejects.toMatchObject({ reason: 'held' })
	await storage.put('free', Buffer.from('1'))
	await storage.delete('free')
	await expect(storage.extendRetention!('absent', hour(1))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
})

test.concurrent('a bucket with a policy holds its objects; one without object retention says so', async () => {
	await using place = await room({ buckets: [{ name: 'bucket', retentionSeconds: 60 }] })
	const { storage } = place
	expect(storage.capabilities.retention).toMatchObject({ lacking: expect.stringContaining('object retention') })
	expect(storage.extendRetention).toBeUndefined()
	await storage.put('held', Buffer.from('1'))
	await expect(storage.delete('held')).rejects.toMatchObject({ code: 'STORAGE_PERMISSION', reason: 'held' })
	await expect(storage.put('k', Buffer.from('1'), { retainUntil: new Date() })).rejects.toMatchObject({
		code: 'STORAGE_UNSUPPORTED',
	})
})

test.concurrent('read-only and put-only accounts do what they may, and refusals are no absence', async () => {
	await using place = await room()
	await place.storage.put('k', Buffer.from('k'))
	const reader = await place.again({ permissions: ['storage.objects.get', 'storage.objects.list'], writable: false })
	expect((await read(reader, 'k')).toString()).toBe('k')
	expect(await all(reader.list(''))).toHaveLength(1)
	for (const call of [
		() => reader.put('x', Buffer.from('x')),
		() => reader.delete('k'),
		() => reader.put('x', pieces(noise(9 * MIB))),
	])
		expect(await failure(call())).toMatchObject({ code: 'STORAGE_PERMISSION', retry: 'no' })
	const writer = await place.again({ permissions: ['storage.objects.create'] })
	await writer.put('new', Buffer.from('new'), { ifAbsent: true })
	await writer.put('large', pieces(noise(9 * MIB)), { ifAbsent: true })
	await expect(writer.put('k', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject({
		code: 'STORAGE_ALREADY_EXISTS',
	})
	for (const call of [
		() => writer.put('k', Buffer.from('x')),
		() => writer.stat('k'),
		() => writer.stat('absent'),
		() => writer.get('k'),
		() => all(writer.list('')),
		() => writer.delete('k'),
	])
		expect(await failure(call())).toMatchObject({ code: 'STORAGE_PERMISSION', retry: 'no' })
	await expect(place.again({ permissions: [] })).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
})

test.concurrent('a bucket that does not exist, wrong credentials and hosts that are not there are told apart', async () => {
	await using server = await startGcsServer()
	await using good = await keyFile(server.account())
	const stranger = await startGcsServer()
	await using unknown = await keyFile({ ...stranger.account(), token_uri: server.tokenUri })
	await using mangled = await keyFile({ ...server.account(), private_key: 'not a key' })
	await stranger[Symbol.asyncDispose]()
	const open = (rest: string, path: string | undefined): Promise<unknown> =>
		driver.open(new URL(`gs://${rest}`), { environment: { GOOGLE_APPLICATION_CREDENTIALS: path }, writable: true })
	const at = `endpoint=${server.url}`
	expect(await failure(open(`missing/x?${at}`, good.path))).toMatchObject({
		code: 'STORAGE_NOT_FOUND',
		reason: 'bucket-missing',
	})
	expect(await failure(open(`bucket/x?${at}`, unknown.path))).toMatchObject({
		code: 'STORAGE_PERMISSION',
		reason: 'credentials',
	})
	expect(await failure(open(`bucket/x?${at}`, mangled.path))).toMatchObject({
		code: 'STORAGE_PERMISSION',
		reason: 'credentials',
	})
	expect(await failure(open(`bucket/x?${at}`, '/nowhere/key.json'))).toMatchObject({ code: 'STORAGE_PERMISSION' })
	expect(await failure(open(`bucket/x?${at}&anonymous=true`, undefined))).toMatchObject({ code: 'STORAGE_PERMISSION' })
	expect(await failure(open(`bucket/x?endpoint=${stranger.url}`, good.path))).toMatchObject({
		code: 'STORAGE_TRANSIENT',
		reason: 'unreachable',
	})
	expect(await failure(open('bucket/x?endpoint=https://nowhere.invalid', good.path))).toMatchObject({
		code: 'STORAGE_TRANSIENT',
		reason: 'unreachable',
	})
	for (const wrong of [
		`bucket/x?${at}&projct=a`,
		`bucket/x?endpoint=http://example.org`,
		`user:pw@bucket/x`,
		`b/x?${at}`,
	])
		expect(await failure(open(wrong, good.path))).toMatchObject({ code: 'LOCATION_INVALID' })
})

test.concurrent('a store that ignores conditions is found when it is opened for writing', async () => {
	await using server = await startGcsServer({ ignoresConditions: true, anonymous: true })
	const location = new URL(`gs://bucket/x?endpoint=${server.url}&anonymous=true`)
	await using storage = await driver.open(location, { environment: {}, writable: true })
	expect(storage.capabilities.conditionalCreate).toMatchObject({ lacking: expect.any(String) })
	await expect(storage.put('k', Buffer.from('k'), { ifAbsent: true })).rejects.toMatchObject({
		code: 'STORAGE_UNSUPPORTED',
	})
	expect(await all(storage.list(''))).toEqual([])
	expect(server.objects('bucket')).toEqual([])
})

test.concurrent('no secret is in any error, however it is looked at', async () => {
	await using server = await startGcsServer({ tokenSeconds: 3600 })
	const key = server.account({ email: 'canary@test-project.iam.gserviceaccount.com' })
	await using file = await keyFile(key)
	const location = new URL(`gs://bucket/x?endpoint=${server.url}`)
	await using storage = await driver.open(location, {
		environment: { GOOGLE_APPLICATION_CREDENTIALS: file.path },
		writable: true,
	})
	const errors: unknown[] = []
	const canary = server.issueToken(key.client_email)
	for (const fault of [
		{ status: 500, message: `Bearer ${canary} failed` },
		{ status: 403, message: `{"access_token":"${canary}","upload_id=CANARYUPLOAD"} ` },
		{ status: 400, message: `bad ${canary} at https://host/x?upload_id=CANARYUPLOAD&key=CANARYKEY` },
		{ status: 401, message: canary },
		{ cutRequestAfter: 0 },
		{ truncateTo: 1 },
	]) {
		for (const on of ['upload', 'start', 'chunk', 'status', 'stat', 'read', 'list', 'delete'] as const)
			server.fail({ on, fault, times: 3 })
		const calls: Promise<unknown>[] = [
			storage.put('k', Buffer.from('k')),
			storage.put('k', pieces(noise(9 * MIB))),
			storage.stat('k'),
			storage.get('k'),
			all(storage.list('')),
			storage.delete('k'),
		]
		for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[])
			if (status === 'rejected') errors.push(reason)
		server.clearFaults()
	}
	server.revokeTokens()
	server.fail({ on: 'token', fault: { status: 400, message: `eyJhbGciOi.eyJpc3Mi.c2ln ${canary}` } })
	errors.push(await failure(storage.stat('k')))
	expect(errors.length).toBeGreaterThan(20)
	const shown = errors
		.map((error) => inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error))
		.join('\n')
	for (const secret of [
		canary,
		'ya29',
		'CANARYUPLOAD',
		'CANARYKEY',
		'PRIVATE KEY',
		key.private_key.slice(40, 80),
		'eyJ',
	])
		expect(shown.includes(secret), secret.slice(0, 12)).toBe(false)
	expect(driver.redact(new URL('gs://a:pw@bucket/x?endpoint=http://u:pw@h/p&key=pw&project=p%20w#pw'))).not.toMatch(
		/pw|u:|%20/,
	)
}, 60_000)
