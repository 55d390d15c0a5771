import { hash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { isBackupError } from '@ydbackup/core'
import driver from '@ydbackup/storage-s3/driver'
import { expect, test as serially } from 'vitest'
import { untrusted } from '../src/s3/certificate.ts'
import type { S3Fault } from '../src/s3/faults.ts'
import { startS3Server } from '../src/s3/server.ts'
import {
	bytesOf,
	environmentOf,
	keysIn,
	locationOn,
	newStore,
	openOn,
	patterned,
	piecesOf,
	SMALL_PARTS,
} from './s3-stores.ts'

// Most of their time is waiting; each has a server of its own.
const test = serially.concurrent

const MIB = 2 ** 20
/** Two parts. */
const LARGE = patterned(6 * MIB + 5)

async function failureOf(
	work: Promise<unknown>,
): Promise<Error & { code?: string; reason?: string; retryAfterMs?: number }> {
	try {
		await work
	} catch (error) {
		return error as Error
	}
	throw new Error('it was expected to fail')
}

test.each<S3Fault>([
	{ operation: 'UploadPart', kind: 'error', code: 'SlowDown', times: 2 },
	{ operation: 'UploadPart', kind: 'error', code: 'TooManyRequests', retryAfterSeconds: 1 },
	{ operation: 'UploadPart', kind: 'error', code: 'InternalError', times: 3 },
	{ operation: 'UploadPart', kind: 'cut-request', afterBytes: 3 * MIB },
	{ operation: 'UploadPart', kind: 'cut-request', afterBytes: 0 },
	{ operation: 'UploadPart', kind: 'lose-answer' },
	{ operation: 'UploadPart', kind: 'error', code: 'BadDigest' },
	{ operation: 'CreateMultipartUpload', kind: 'error', code: 'ServiceUnavailable' },
	{ operation: 'CompleteMultipartUpload', kind: 'error', code: 'InternalError' },
	{ operation: 'CompleteMultipartUpload', kind: 'error-in-200', code: 'InternalError' },
	{ operation: 'CompleteMultipartUpload', kind: 'lose-answer' },
	{ operation: 'CompleteMultipartUpload', kind: 'cut-response', afterBytes: 50 },
])('a large put lives through $kind $code of $operation', async (fault) => {
	await using store = await newStore()
	const { server, storage } = store
	for (const ifAbsent of [false, true]) {
		server.fault(fault)
		const key = `large-${ifAbsent}`
		expect(await storage.put(key, piecesOf(LARGE), { ifAbsent })).toMatchObject({ size: LARGE.length })
		expect(server.bytes('bucket', `repo/${key}`)!.equals(LARGE)).toBe(true)
		server.clearFaults()
	}
	expect(server.uploads('bucket')).toBe(0)
})

test.each<S3Fault>([
	{ operation: 'PutObject', kind: 'error', code: 'SlowDown', times: 3 },
	{ operation: 'PutObject', kind: 'error', code: 'InternalError' },
	{ operation: 'PutObject', kind: 'cut-request', afterBytes: 100 },
	{ operation: 'PutObject', kind: 'lose-answer' },
])('a small create-only put lives through $kind $code', async (fault) => {
	await using store = await newStore()
	const { server, storage } = store
	server.fault(fault)
	await storage.put('small', Buffer.alloc(100_000, 7), { ifAbsent: true })
	expect(server.bytes('bucket', 'repo/small')).toHaveLength(100_000)
	await expect(storage.put('small', Buffer.alloc(100_000, 7), { ifAbsent: true })).rejects.toMatchObject({
		code: 'STORAGE_ALREADY_EXISTS',
	})
})

test('a put that fails for good is aborted: neither object nor parts are left', async () => {
	await using store = await newStore()
	const { server, storage } = store
	server.fault({ operation: 'UploadPart', kind: 'error', code: 'AccessDenied', skip: 1 })
	await expect(storage.put('large', piecesOf(LARGE))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	server.fault({ operation: 'UploadPart', kind: 'error', code: 'InternalError', times: 20 })
	await expect(storage.put('large', piecesOf(LARGE))).rejects.toMatchObject({
		code: 'STORAGE_TRANSIENT',
		retry: 'later',
	})
	server.clearFaults()
	server.fault({ operation: 'CompleteMultipartUpload', kind: 'error-in-200', code: 'InternalError', times: 20 })
	await expect(storage.put('large', piecesOf(LARGE))).rejects.toMatchObject({ code: 'STORAGE_TRANSIENT' })
	expect(server.uploads('bucket')).toBe(0)
	expect(server.keys('bucket')).toEqual([])
})

test('a put whose every answer is lost at the end is found to have succeeded', async () => {
	await using store = await newStore()
	const { server, storage } = store
	server.fault({ operation: 'CompleteMultipartUpload', kind: 'lose-answer', times: 9 })
	expect(await storage.put('large', piecesOf(LARGE), { ifAbsent: true })).toMatchObject({ size: LARGE.length })
	expect(server.uploads('bucket')).toBe(0)
})

test('a cut, a silent and a truncated answer are found, and never taken for the end', async () => {
	await using store = await newStore({}, { query: 'timeoutSeconds=1' })
	const { server, storage } = store
	await storage.put('object', LARGE)
	server.fault({ operation: 'GetObject', kind: 'cut-response', afterBytes: 5 * MIB })
	await expect(bytesOf(storage, 'object')).rejects.toMatchObject({ code: 'STORAGE_TRANSIENT' })
	server.fault({ operation: 'GetObject', kind: 'stall-response', afterBytes: 5 * MIB })
	await expect(bytesOf(storage, 'object')).rejects.toMatchObject({ code: 'STORAGE_TRANSIENT', reason: 'TimeoutError' })
	server.fault({ operation: 'GetObject', kind: 'truncate', toBytes: 5 * MIB })
	await expect(bytesOf(storage, 'object')).rejects.toMatchObject({ code: 'STORAGE_INTEGRITY', retry: 'same' })
	server.fault({ operation: 'GetObject', kind: 'flip', at: 5 * MIB })
	await expect(bytesOf(storage, 'object')).rejects.toMatchObject({ code: 'STORAGE_INTEGRITY', reason: 'CRC32' })
	server.fault({ operation: 'GetObject', kind: 'truncate', toBytes: 10 })
	await expect(bytesOf(storage, 'object', { offset: 3, length: 100 })).rejects.toMatchObject({
		code: 'STORAGE_TRANSIENT',
	})
	server.fault({ operation: 'GetObject', kind: 'strip', headers: ['range'] })
	await expect(bytesOf(storage, 'object', { offset: 3, length: 100 })).rejects.toMatchObject({
		code: 'STORAGE_PERMANENT',
	})
	expect((await bytesOf(storage, 'object')).equals(LARGE)).toBe(true)
})

test('a reader may be slow, and may go away at any time', async () => {
	await using store = await newStore({}, { query: 'timeoutSeconds=1' })
	const { server, storage } = store
	await storage.put('object', LARGE)
	let size = 0
	for await (const piece of (await storage.get('object')).bytes) {
		if (size === 0) await new Promise((resolve) => setTimeout(resolve, 1500))
		size += piece.length
	}
	expect(size).toBe(LARGE.length)
	const before = await server.connections()
	for (let round = 0; round < 5; round++) {
		for await (const _ of (await storage.get('object')).bytes) break
		await (await storage.get('object')).bytes[Symbol.asyncIterator]().return?.()
	}
	await expect.poll(() => server.connections(), { timeout: 3000 }).toBeLessThanOrEqual(before)
})

test('aborting a read ends it at once', async () => {
	await using store = await newStore()
	const { server, storage } = store
	await storage.put('object', LARGE)
	for (const fault of [{ kind: 'stall-response', afterBytes: 1000 }, { kind: 'silent' }] as const) {
		server.fault({ operation: 'GetObject', ...fault })
		const signal = AbortSignal.timeout(100)
		const began = performance.now()
		const read = async (): Promise<void> => {
			for await (const _ of (await storage.get('object', { signal })).bytes) continue
		}
		await expect(read()).rejects.toMatchObject({ code: 'INTERRUPTED' })
		expect(performance.now() - began).toBeLessThan(2000)
	}
})

test('aborting a put while its parts are under way leaves no upload', async () => {
	await using store = await newStore()
	const { server, storage } = store
	server.fault({ operation: 'UploadPart', kind: 'silent', times: 9 })
	const began = performance.now()
	await expect(storage.put('large', piecesOf(LARGE), { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
		code: 'INTERRUPTED',
	})
	expect(performance.now() - began).toBeLessThan(3000)
	expect(server.uploads('bucket')).toBe(0)
	server.fault({ operation: 'AbortMultipartUpload', kind: 'silent', times: 9 })
	const silent = performance.now()
	await expect(storage.put('large', piecesOf(LARGE), { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
		code: 'INTERRUPTED',
	})
	expect(performance.now() - silent).toBeLessThan(6000)
	server.clearFaults()
	server.fault({ operation: 'PutObject', kind: 'error', code: 'SlowDown', retryAfterSeconds: 4, times: 9 })
	const pausing = performance.now()
	await expect(storage.put('small', Buffer.alloc(1), { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({
		code: 'INTERRUPTED',
	})
	expect(performance.now() - pausing).toBeLessThan(2000)
})

test('a store that asks for a long pause is not waited for: the wrapper is told how long', async () => {
	await using store = await newStore()
	const { server, storage } = store
	for (const code of ['SlowDown', 'TooManyRequests'] as const) {
		server.fault({ operation: 'HeadObject', kind: 'error', code, retryAfterSeconds: 30 })
		await expect(storage.stat('object')).rejects.toMatchObject({
			code: 'STORAGE_THROTTLED',
			retry: 'later',
			retryAfterMs: 30_000,
		})
	}
})

test('small pages are followed, past keys that are none of ours; a page that fails fails the listing', async () => {
	await using store = await newStore({ pageSize: 7 })
	const { server, storage } = store
	const keys = Array.from({ length: 100 }, (_, index) => `k/${String(index).padStart(3, '0')}`)
	for (const key of keys) server.seed('bucket', `repo/${key}`, Buffer.from(key))
	for (const odd of ['repo/k/ä', 'repo/k/a b', 'repo/k/a+b', 'repo/k/\u0001', 'repo/k/<&>', 'repo/', 'repo/k//x'])
		server.seed('bucket', odd, Buffer.from('odd'))
	expect(await keysIn(storage)).toEqual(keys)
	expect(await keysIn(storage, 'k/05')).toEqual(keys.slice(50, 60))
	expect(await keysIn(storage, 'k/', 'k/090')).toEqual(keys.slice(91))
	server.fault({ operation: 'ListObjectsV2', kind: 'error', code: 'InternalError', skip: 3 })
	expect(await keysIn(storage)).toEqual(keys)
	server.fault({ operation: 'ListObjectsV2', kind: 'error', code: 'AccessDenied', skip: 3 })
	await expect(keysIn(storage)).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
})

test('a full page that claims to be the last is not believed', async () => {
	const keys = Array.from({ length: 2100 }, (_, index) => `k${String(index).padStart(4, '0')}`)
	for (const listings of ['untold', 'first-page'] as const) {
		await using store = await newStore({ listings })
		for (const key of keys) store.server.seed('bucket', `repo/${key}`, Buffer.alloc(1))
		if (listings === 'untold') expect(await keysIn(store.storage)).toEqual(keys)
		else await expect(keysIn(store.storage)).rejects.toMatchObject({ code: 'STORAGE_INTEGRITY' })
	}
})

test('without If-None-Match create-only puts are refused; with it on PutObject only, large ones end safely', async () => {
	for (const conditionalPut of ['ignored', 'refused'] as const) {
		await using store = await newStore({ conditionalPut, conditionalComplete: conditionalPut })
		const { server, storage } = store
		expect(storage.capabilities.conditionalCreate).toMatchObject({ lacking: expect.stringContaining('If-None-Match') })
		await expect(storage.put('a', Buffer.alloc(1), { ifAbsent: true })).rejects.toMatchObject({
			code: 'STORAGE_UNSUPPORTED',
		})
		await storage.put('a', piecesOf(LARGE))
		expect(server.keys('bucket')).toEqual(['repo/a'])
	}
	for (const conditionalComplete of ['ignored', 'refused'] as const) {
		await using store = await newStore({ conditionalComplete, flexibleChecksums: false, chunkedBodies: false })
		const { server, storage } = store
		expect(storage.capabilities).toMatchObject({ conditionalCreate: true, maxObjectBytes: 5 * 2 ** 30 })
		const bodies = Array.from({ length: 6 }, (_, index) => Buffer.alloc(6 * MIB, index + 1))
		const results = await Promise.allSettled(
			bodies.map((body) => storage.put('large', piecesOf(body), { ifAbsent: true })),
		)
		const winner = results.findIndex(({ status }) => status === 'fulfilled')
		expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
		for (const result of results)
			if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STORAGE_ALREADY_EXISTS' })
		expect(server.bytes('bucket', 'repo/large')!.equals(bodies[winner]!)).toBe(true)
		server.fault({ operation: 'PutObject', kind: 'cut-request', afterBytes: 3 * MIB })
		server.fault({ operation: 'PutObject', kind: 'lose-answer' })
		await storage.put('other', piecesOf(LARGE), { ifAbsent: true })
		expect(server.bytes('bucket', 'repo/other')!.equals(LARGE)).toBe(true)
		let declared = 0
		const counted = async function* (): AsyncGenerator<Uint8Array> {
			declared++
			yield LARGE
		}
		const { length: size } = LARGE
		await storage.put('counted', counted, { ifAbsent: true, size, sha256: hash('sha256', LARGE) })
		expect(declared).toBe(2)
		let opened = 0
		const broken = async function* (): AsyncGenerator<Uint8Array> {
			opened++
			yield LARGE.subarray(0, 5.5 * MIB)
			if (opened === 3) throw new Error('the source broke')
			yield LARGE.subarray(5.5 * MIB)
		}
		await expect(storage.put('broken', broken, { ifAbsent: true })).rejects.toThrow('the source broke')
		expect(server.keys('bucket')).toEqual(['repo/counted', 'repo/large', 'repo/other'])
	}
})

test('a proxy that strips If-None-Match is found when the store is opened', async () => {
	await using server = await startS3Server()
	server.fault({ kind: 'strip', headers: ['if-none-match'], times: 100 })
	await using storage = await openOn(server)
	expect(storage.capabilities.conditionalCreate).not.toBe(true)
})

test('bodies carry what the store checks: a CRC-32, the hash of the signature alone, else an MD5', async () => {
	const older = { flexibleChecksums: false, chunkedBodies: false }
	for (const [options, name] of [
		[{}, 'x-amz-checksum-crc32'],
		[older, undefined],
		[{ ...older, payloadHashes: false }, 'content-md5'],
	] as const) {
		await using store = await newStore(options)
		const { server, storage } = store
		await storage.put('large', piecesOf(LARGE))
		await storage.put('small', Buffer.from('x'), { ifAbsent: true })
		const bodies = server.requests.filter(
			({ key, operation }) => /large|small/.test(key) && /^(?:PutObject|UploadPart)$/.test(operation),
		)
		expect(bodies).toHaveLength(3)
		for (const { headers } of bodies) {
			const given = ['x-amz-checksum-crc32', 'content-md5'].filter((name) => headers[name] !== undefined)
			expect(given).toEqual(name === undefined ? [] : [name])
			expect(headers).not.toHaveProperty('expect')
		}
		expect((await bytesOf(storage, 'large')).equals(LARGE)).toBe(true)
		expect(server.keys('bucket')).toEqual(['repo/large', 'repo/small'])
	}
})

test('opening leaves nothing behind, and to read it writes nothing', async () => {
	await using server = await startS3Server()
	await using reader = await openOn(server, { writable: false })
	expect(reader.capabilities.conditionalCreate).not.toBe(true)
	expect(server.requests.map(({ operation }) => operation)).toEqual(['ListObjectsV2', 'GetObjectLockConfiguration'])
	const stores = await Promise.all(Array.from({ length: 8 }, () => openOn(server)))
	for (const { capabilities } of stores) expect(capabilities.conditionalCreate).toBe(true)
	for (const storage of stores) await storage[Symbol.asyncDispose]()
	expect(server.keys('bucket')).toEqual([])
	expect(server.uploads('bucket')).toBe(0)
})

const DEADLY: [name: string, (server: Awaited<ReturnType<typeof startS3Server>>) => Promise<unknown>, object][] = [
	[
		'a bucket that is missing',
		(server) => openOn(server, { bucket: 'nowhere' }),
		{ code: 'STORAGE_PERMANENT', reason: 'NoSuchBucket' },
	],
	[
		'a wrong region',
		(server) => openOn(server, { query: 'region=eu-west-1' }),
		{ code: 'STORAGE_PERMANENT', advice: expect.stringContaining('region=us-east-1') },
	],
	[
		'an unknown access key',
		(server) => openOn(server, { environment: { AWS_ACCESS_KEY_ID: 'AKIANOBODY' } }),
		{ code: 'STORAGE_PERMISSION', reason: 'InvalidAccessKeyId' },
	],
	[
		'a wrong secret',
		(server) => openOn(server, { environment: { AWS_SECRET_ACCESS_KEY: 'canary-wrong-secret' } }),
		{ code: 'STORAGE_PERMISSION', reason: 'SignatureDoesNotMatch' },
	],
	[
		'a host that does not resolve',
		(server) =>
			driver.open(new URL('s3://bucket/x?endpoint=http://no-such-host.invalid'), {
				environment: environmentOf(server),
				writable: true,
			}),
		{ code: 'STORAGE_TRANSIENT', reason: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) },
	],
	[
		'a certificate file that is missing',
		(server) => openOn(server, { query: 'caFile=/no/such/file.pem' }),
		{ code: 'LOCATION_INVALID' },
	],
]

test.each(DEADLY)('%s is told when the store is opened', async (_name, open, expected) => {
	await using server = await startS3Server()
	const error = await failureOf(open(server))
	expect(error).toMatchObject(expected)
	expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary')
})

test('a store that refuses connections, or never answers, is told within the time limit', async () => {
	await using server = await startS3Server()
	server.fault({ kind: 'silent', times: 99 })
	const began = performance.now()
	await expect(openOn(server, { query: 'timeoutSeconds=1' })).rejects.toMatchObject({
		code: 'STORAGE_TRANSIENT',
		reason: 'TimeoutError',
	})
	expect(performance.now() - began).toBeLessThan(5000)
	await expect(openOn(server, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: 'INTERRUPTED' })
	const closed = createServer().listen(0, '127.0.0.1')
	await once(closed, 'listening')
	const { port } = closed.address() as { port: number }
	closed.close()
	await once(closed, 'close')
	const location = new URL(`s3://bucket/x?endpoint=http://127.0.0.1:${port}`)
	await expect(driver.open(location, { environment: environmentOf(server), writable: true })).rejects.toMatchObject({
		code: 'STORAGE_TRANSIENT',
		reason: 'ECONNREFUSED',
	})
})

test('a certificate by an unknown authority is refused, and accepted with a file that has it', async () => {
	await using server = await startS3Server({ tls: untrusted })
	const error = await failureOf(openOn(server))
	expect(error).toMatchObject({ code: 'STORAGE_PERMANENT', advice: expect.stringContaining('caFile') })
	const file = join(tmpdir(), `ydbackup-${randomUUID()}.pem`)
	await writeFile(file, untrusted.cert)
	try {
		await using byParameter = await openOn(server, { query: `${SMALL_PARTS}&caFile=${encodeURIComponent(file)}` })
		await byParameter.put('object', piecesOf(LARGE))
		expect((await bytesOf(byParameter, 'object')).equals(LARGE)).toBe(true)
		await using byVariable = await openOn(server, { environment: { AWS_CA_BUNDLE: file } })
		expect(await byVariable.stat('object')).toMatchObject({ size: LARGE.length })
	} finally {
		await rm(file)
	}
})

test('a clock that is off is taken over from the store; where that does not help it is told', async () => {
	await using server = await startS3Server({ clockAheadMs: 3_600_000 })
	await using storage = await openOn(server)
	await storage.put('object', Buffer.from('x'))
	server.fault({ kind: 'error', code: 'RequestTimeTooSkewed', times: 9 })
	await expect(storage.stat('object')).rejects.toMatchObject({ reason: 'RequestTimeTooSkewed' })
	await expect(bytesOf(storage, 'object')).rejects.toMatchObject({
		code: 'STORAGE_PERMISSION',
		reason: 'RequestTimeTooSkewed',
		advice: expect.stringContaining('clock'),
	})
})

test('credentials that expire in the middle of a put: told, aborted, and no token in the error', async () => {
	const credential = {
		accessKeyId: 'ASIATEMPORARY',
		secretAccessKey: 'canary-secret-abc',
		sessionToken: 'canary-token-xyz',
	}
	await using store = await newStore({ credentials: [credential] })
	const { server, storage } = store
	server.fault({ operation: 'UploadPart', kind: 'error', code: 'ExpiredToken', skip: 1, times: 9 })
	const error = await failureOf(storage.put('large', piecesOf(LARGE)))
	expect(error).toMatchObject({ code: 'STORAGE_PERMISSION', reason: 'ExpiredToken' })
	expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary')
	expect(server.uploads('bucket')).toBe(0)
	await expect(storage.serverSideTarget!('x')!.credentials!()).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
})

test('no secret stands in any error, whatever the store writes into its own', async () => {
	await using store = await newStore({}, { query: 'timeoutSeconds=2' })
	const { server, storage } = store
	const codes = [
		'AccessDenied',
		'ExpiredToken',
		'InternalError',
		'NotImplemented',
		'SignatureDoesNotMatch',
		'KeyTooLongError',
	] as const
	for (const code of codes)
		for (const work of [
			() => storage.put('a', Buffer.alloc(1)),
			() => bytesOf(storage, 'a'),
			() => storage.stat('a'),
			() => keysIn(storage),
			() => storage.delete('a'),
			() => storage.abortStaleUploads!(new Date()),
		]) {
			server.clearFaults()
			server.fault({ kind: 'error', code, times: 9 })
			const error = await failureOf(work())
			expect(isBackupError(error)).toBe(true)
			expect(error.code).toMatch(/^STORAGE_/)
			expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary')
			if (code === 'InternalError') break
		}
})

test('credentials that may only write, or only read, work as far as they can', async () => {
	const full = { accessKeyId: 'AKIAFULL', secretAccessKey: 'full' }
	const writer = {
		accessKeyId: 'AKIAWRITER',
		secretAccessKey: 'writer',
		allow: ['PutObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload', 'AbortMultipartUpload'],
	}
	const reader = {
		accessKeyId: 'AKIAREADER',
		secretAccessKey: 'reader',
		allow: ['GetObject', 'HeadObject', 'ListObjectsV2'],
	}
	await using server = await startS3Server({ credentials: [full, writer, reader] })
	const as = ({ accessKeyId, secretAccessKey }: typeof full, writable: boolean): ReturnType<typeof openOn> =>
		openOn(server, {
			query: SMALL_PARTS,
			writable,
			environment: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
		})
	await using putOnly = await as(writer, true)
	await putOnly.put('large', piecesOf(LARGE), { ifAbsent: true })
	await putOnly.put('small', Buffer.from('x'), { ifAbsent: true })
	await expect(putOnly.put('small', Buffer.from('y'), { ifAbsent: true })).rejects.toMatchObject({
		code: 'STORAGE_ALREADY_EXISTS',
	})
	for (const work of [
		() => bytesOf(putOnly, 'small'),
		() => putOnly.stat('small'),
		() => putOnly.stat('none'),
		() => keysIn(putOnly),
		() => putOnly.delete('small'),
	])
		await expect(work()).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	await using again = await as(writer, true)
	expect(again.capabilities.conditionalCreate).toBe(true)
	await using readOnly = await as(reader, false)
	expect((await bytesOf(readOnly, 'large')).equals(LARGE)).toBe(true)
	expect(await keysIn(readOnly)).toEqual(['large', 'small'])
	expect(await readOnly.stat('none')).toBeUndefined()
	await expect(readOnly.put('other', Buffer.from('x'))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	await expect(readOnly.delete('small')).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	await expect(as(reader, true)).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
})

test('held objects are neither deleted nor overwritten, and holds are never shortened', async () => {
	await using store = await newStore(
		{ buckets: [{ name: 'bucket', lock: true }] },
		{ query: 'objectLockMode=COMPLIANCE' },
	)
	const { storage } = store
	expect(storage.capabilities.retention).toBe(true)
	const soon = new Date(Date.now() + 3_600_000)
	const later = new Date(Date.now() + 7_200_000)
	await storage.put('held', Buffer.from('x'), { retainUntil: soon })
	await storage.put('large', piecesOf(LARGE), { retainUntil: soon, ifAbsent: true })
	await storage.put('free', Buffer.from('x'))
	for (const key of ['held', 'large']) {
		await expect(storage.delete(key)).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
		await expect(storage.put(key, Buffer.from('y'))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
		await storage.extendRetention!(key, later)
		await storage.extendRetention!(key, soon)
		await expect(storage.delete(key)).rejects.toThrow(later.toISOString())
	}
	await storage.delete('free')
	await storage.extendRetention!('held', later)
	expect(await keysIn(storage)).toEqual(['held', 'large'])
	await using unlocked = await newStore()
	await expect(
		openOn(unlocked.server, { query: 'objectLockMode=COMPLIANCE&objectLockRetainDays=3' }),
	).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
	expect(unlocked.storage.capabilities.retention).not.toBe(true)
	expect(unlocked.storage.extendRetention).toBeUndefined()
	await expect(unlocked.storage.put('held', Buffer.from('x'), { retainUntil: soon })).rejects.toMatchObject({
		code: 'STORAGE_UNSUPPORTED',
	})
})

test('storage class, encryption and days of retention go with every object', async () => {
	const query = 'storageClass=STANDARD_IA&sse=aws:kms&kmsKeyId=key-1&objectLockMode=GOVERNANCE&objectLockRetainDays=2'
	await using store = await newStore({ buckets: [{ name: 'bucket', lock: true }] }, { query })
	const { server, storage } = store
	await storage.put('small', Buffer.from('x'), { ifAbsent: true })
	await storage.put('large', piecesOf(LARGE), { ifAbsent: true })
	const creating = server.requests.filter(
		({ key, operation }) => /small$|large$/.test(key) && /^(?:PutObject|CreateMultipartUpload)$/.test(operation),
	)
	expect(creating).toHaveLength(2)
	for (const { headers } of creating)
		expect(headers).toMatchObject({
			'x-amz-storage-class': 'STANDARD_IA',
			'x-amz-server-side-encryption': 'aws:kms',
			'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
			'x-amz-object-lock-mode': 'GOVERNANCE',
		})
	await expect(storage.delete('small')).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
})

test('a customer key encrypts, and without it nothing is read', async () => {
	await using server = await startS3Server()
	const key = Buffer.alloc(32, 'canary').toString('base64')
	await using storage = await openOn(server, { query: SMALL_PARTS, environment: { YDBACKUP_S3_CUSTOMER_KEY: key } })
	await storage.put('large', piecesOf(LARGE), { ifAbsent: true })
	await storage.put('small', Buffer.from('x'), { ifAbsent: true })
	expect((await bytesOf(storage, 'large')).equals(LARGE)).toBe(true)
	expect(await storage.stat('small')).toMatchObject({ size: 1 })
	await using without = await openOn(server)
	await expect(bytesOf(without, 'small')).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
})

test('stale uploads are removed, those of others and newer ones are not', async () => {
	await using store = await newStore({ pageSize: 2 })
	const { server, storage } = store
	await using other = await openOn(server, { query: SMALL_PARTS, prefix: 'other' })
	// Uploads that nobody could abort.
	server.fault({ operation: 'AbortMultipartUpload', kind: 'error', code: 'AccessDenied', times: 99 })
	server.fault({ operation: 'UploadPart', kind: 'error', code: 'AccessDenied', times: 99 })
	for (const key of ['a', 'b', 'c', 'd', 'e'])
		await expect(storage.put(key, piecesOf(LARGE))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	await expect(other.put('a', piecesOf(LARGE))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
	server.clearFaults()
	expect(server.uploads('bucket')).toBe(6)
	expect(await storage.abortStaleUploads!(new Date(Date.now() - 60_000))).toBe(0)
	expect(await storage.abortStaleUploads!(new Date(Date.now() + 60_000))).toBe(5)
	expect(server.uploads('bucket')).toBe(1)
})

test('a bucket with versions behaves as one without', async () => {
	await using store = await newStore({ buckets: [{ name: 'bucket', versioned: true }] })
	const { storage } = store
	await storage.put('object', Buffer.from('1'))
	await storage.put('object', Buffer.from('2'))
	await storage.delete('object')
	expect(await storage.stat('object')).toBeUndefined()
	expect(await keysIn(storage)).toEqual([])
	await storage.put('object', Buffer.from('3'), { ifAbsent: true })
	expect(String(await bytesOf(storage, 'object'))).toBe('3')
})

test('the memory of a put is bounded: no more is read than a few parts ahead of what the store has', async () => {
	await using store = await newStore()
	const { server, storage } = store
	server.fault({ operation: 'UploadPart', kind: 'delay', milliseconds: 150, times: 999 })
	let read = 0
	let most = 0
	const body = async function* (): AsyncGenerator<Uint8Array> {
		const piece = Buffer.alloc(MIB)
		for (let at = 0; at < 100; at++) {
			read += piece.length
			yield piece
			const stored = server.requests.reduce(
				(sum, { operation, bodyBytes }) => sum + (operation === 'UploadPart' ? bodyBytes : 0),
				0,
			)
			most = Math.max(most, read - stored)
		}
	}
	await storage.put('large', body)
	expect(most).toBeLessThanOrEqual(6 * 5 * MIB)
})

test('the cluster is told where it could write, without secrets', async () => {
	await using store = await newStore()
	const target = store.storage.serverSideTarget!('x/')!
	expect(target).toMatchObject({
		kind: 's3',
		settings: {
			bucket: 'bucket',
			scheme: 'HTTP',
			prefix: 'repo/x/',
			region: 'us-east-1',
			disable_virtual_addressing: 'true',
		},
	})
	expect(JSON.stringify(target)).not.toContain('canary')
	expect(await target.credentials!()).toEqual({
		access_key: store.server.credential.accessKeyId,
		secret_key: store.server.credential.secretAccessKey,
	})
	expect(locationOn(store.server).href).not.toContain('canary')
})
