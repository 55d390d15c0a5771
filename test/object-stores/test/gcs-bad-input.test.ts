import { createServer as createHttp } from 'node:http'
import { createServer as createTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-gcs/driver'
import { expect, onTestFinished, test } from 'vitest'
import { keyFile, startGcsServer } from '../src/gcs/index.ts'
import { startProxy } from '../src/proxy/index.ts'
import { untrusted } from '../src/s3/certificate.ts'
import { all, bytesOf, failure, noise, pieces, room } from './gcs-room.ts'

const MIB = 1 << 20

const read = async (storage: Storage, key: string): Promise<Buffer> => bytesOf((await storage.get(key)).bytes)
const keysOf = async (storage: Storage): Promise<string[]> => (await all(storage.list(''))).map(({ key }) => key)

test('the operator is told what is wrong with a location, and what to do', async () => {
	const server = await startGcsServer()
	const silent = await startProxy({ target: server.url, plan: () => ({ blackHole: true }) })
	const nonsense = createHttp((_, response) => response.end('<html>welcome</html>')).listen(0, '127.0.0.1')
	const strange = createTls(untrusted, (_, response) => response.end()).listen(0, '127.0.0.1')
	onTestFinished(async () => {
		for (const one of [nonsense, strange]) {
			one.closeAllConnections()
			one.close()
		}
		await silent[Symbol.asyncDispose]()
		await server[Symbol.asyncDispose]()
	})
	await new Promise<void>((resolve) => strange.once('listening', resolve))
	const portOf = (one: { address(): unknown }): number => (one.address() as AddressInfo).port
	await using file = await keyFile(server.account())
	const open = (rest: string): Promise<unknown> =>
		driver.open(new URL(`gs://${rest}`), { environment: { GOOGLE_APPLICATION_CREDENTIALS: file.path }, writable: true })
	const begin = performance.now()
	const cases: readonly [string, object][] = [
		[
			`missing/x?endpoint=${server.url}`,
			{ code: 'STORAGE_NOT_FOUND', reason: 'bucket-missing', advice: 'create the bucket, or correct its name' },
		],
		[
			'bucket/x?endpoint=https://nowhere.invalid',
			{ code: 'STORAGE_TRANSIENT', reason: 'unreachable', advice: expect.stringContaining('name of the endpoint') },
		],
		[
			`bucket/x?endpoint=${silent.url}&timeout=0.4`,
			{ code: 'STORAGE_TRANSIENT', reason: 'timeout', advice: expect.stringContaining('parameter timeout') },
		],
		[
			`bucket/x?endpoint=https://127.0.0.1:${portOf(strange)}`,
			{ code: 'STORAGE_PERMANENT', reason: 'certificate', advice: expect.stringContaining('NODE_EXTRA_CA_CERTS') },
		],
		[
			`bucket/x?endpoint=${server.url.replace('http:', 'https:')}`,
			{ code: 'STORAGE_PERMANENT', advice: expect.stringContaining('TLS') },
		],
		[
			`bucket/x?endpoint=http://127.0.0.1:${portOf(nonsense)}`,
			{ code: 'STORAGE_TRANSIENT', advice: expect.stringContaining('JSON API') },
		],
	]
	const errors = await Promise.all(cases.map(([rest]) => failure(open(rest))))
	for (const [at, [, expected]] of cases.entries()) expect.soft(errors[at], errors[at]!.message).toMatchObject(expected)
	expect(performance.now() - begin).toBeLessThan(15_000)
})

test('a clock that is off is told when a token is asked for', async () => {
	await using server = await startGcsServer()
	// The words of the token endpoint for an assertion from the past or the future.
	const message =
		'invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.'
	const token = createHttp((request, response) => {
		request.resume()
		response.writeHead(400, { 'Content-Type': 'application/json' })
		response.end(JSON.stringify({ error: 'invalid_grant', error_description: message }))
	}).listen(0, '127.0.0.1')
	onTestFinished(() => {
		token.closeAllConnections()
		token.close()
	})
	await new Promise<void>((resolve) => token.once('listening', resolve))
	const token_uri = `http://127.0.0.1:${(token.address() as AddressInfo).port}/token`
	await using skewed = await keyFile({ ...server.account(), token_uri })
	const error = await failure(
		driver.open(new URL(`gs://bucket/x?endpoint=${server.url}`), {
			environment: { GOOGLE_APPLICATION_CREDENTIALS: skewed.path },
			writable: true,
		}),
	)
	expect(error).toMatchObject({
		code: 'STORAGE_PERMISSION',
		reason: 'credentials',
		retry: 'no',
		advice: 'set the clock of this machine',
	})
})

test('an account that loses its rights in the middle of a put is told which ones it needs, and nothing is left', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = async function* () {
		yield noise(9 * MIB)
		// From now on the account has no right, whatever token it shows.
		for (const on of ['chunk', 'status'] as const) server.fail({ on, fault: { status: 403 }, times: 100 })
		yield noise(9 * MIB)
	}
	expect(await failure(storage.put('k', body, { ifAbsent: true }))).toMatchObject({
		code: 'STORAGE_PERMISSION',
		retry: 'no',
		advice: expect.stringMatching(/rights to create, get, list and delete/),
	})
	server.clearFaults()
	expect(await storage.stat('k')).toBeUndefined()
	expect(server.openUploads).toBe(0)
})

test('credentials that end in the middle of a put and cannot be renewed are told, and nothing is left', async () => {
	await using place = await room()
	const { server, storage } = place
	const body = async function* () {
		yield noise(9 * MIB)
		server.revokeTokens()
		server.fail({ on: 'token', fault: { status: 400, message: 'invalid_grant: account not found' }, times: 100 })
		yield noise(9 * MIB)
	}
	expect(await failure(storage.put('k', body, { ifAbsent: true }))).toMatchObject({
		code: 'STORAGE_PERMISSION',
		reason: 'credentials',
		advice: expect.stringMatching(/service account and its key still exist/),
	})
	server.clearFaults()
	expect(await storage.stat('k')).toBeUndefined()
})

test('a proxy that strips the condition is found when the store is opened for writing, and says what it costs', async () => {
	await using server = await startGcsServer({ ignoresConditions: true })
	await using file = await keyFile(server.account())
	const location = new URL(`gs://bucket/x?endpoint=${server.url}`)
	const environment = { GOOGLE_APPLICATION_CREDENTIALS: file.path }
	await using storage = await driver.open(location, { environment, writable: true })
	expect(storage.capabilities.conditionalCreate).toMatchObject({
		lacking: expect.stringContaining('ifGenerationMatch'),
	})
	const error = await failure(storage.put('k', pieces(noise(9 * MIB)), { ifAbsent: true }))
	expect(error).toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
	expect(error.message).toContain('ignores ifGenerationMatch')
	expect(server.objects('bucket')).toEqual([])
	await using reader = await driver.open(location, { environment, writable: false })
	expect(reader.capabilities.conditionalCreate).toBe(true)
	expect(server.objects('bucket')).toEqual([])
})

test('pages that are refused or broken fail a listing', async () => {
	await using place = await room({ pageSize: 5 })
	const { server, storage } = place
	await Promise.all(Array.from({ length: 12 }, (_, at) => storage.put(`k${at}`, Buffer.alloc(0))))
	expect(await keysOf(storage)).toHaveLength(12)
	server.fail({ on: 'list', skip: 1, fault: { status: 400, reason: 'invalid', message: 'Invalid page token' } })
	expect(await failure(keysOf(storage))).toMatchObject({ code: 'STORAGE_PERMANENT' })
	server.fail({ on: 'list', skip: 1, times: 9, fault: { truncateTo: 10 } })
	expect(await failure(keysOf(storage))).toMatchObject({ code: 'STORAGE_TRANSIENT' })
})

test('a full page that claims to be the last is not believed', async () => {
	for (const listings of ['untold', 'first-page'] as const) {
		await using place = await room({ listings })
		const { storage } = place
		const keys = Array.from({ length: 1005 }, (_, at) => `k${String(at).padStart(4, '0')}`)
		const queue = [...keys]
		await Promise.all(
			Array.from({ length: 16 }, async () => {
				for (let key = queue.pop(); key !== undefined; key = queue.pop()) await storage.put(key, Buffer.alloc(0))
			}),
		)
		if (listings === 'untold') expect(await keysOf(storage)).toEqual(keys)
		else
			expect(await failure(keysOf(storage))).toMatchObject({
				code: 'STORAGE_PERMANENT',
				advice: expect.stringContaining('use an endpoint'),
			})
	}
})

test('names that are no keys do not stand in the way of those that are', async () => {
	await using place = await room()
	const { server, storage } = place
	const { client_email } = server.account()
	const names = ['ä', 'a b', 'a//b', '~x', 'x%2Fy', 'dir/', '..', '+', 'k']
	for (const name of names) {
		const url = `${server.url}/upload/storage/v1/b/bucket/o?uploadType=media&name=${encodeURIComponent(`some/prefix/${name}`)}`
		const headers = { Authorization: `Bearer ${server.issueToken(client_email)}`, 'Content-Type': 'text/plain' }
		expect((await fetch(url, { method: 'POST', headers, body: 'x' })).status, name).toBe(200)
	}
	expect(await keysOf(storage)).toEqual(['k'])
	for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a?b', 'a%20', 'ä', 'a b', 'x'.repeat(513)])
		for (const call of [
			() => storage.put(key, Buffer.alloc(0)),
			() => storage.get(key),
			() => storage.stat(key),
			() => storage.delete(key),
		])
			expect(await failure(call()), key).toMatchObject({ code: 'STORAGE_PERMANENT' })
	const keys = ['A', 'a', '.a', '_=-', 'a.b/c-d', `${'k'.repeat(255)}/${'l'.repeat(256)}`]
	for (const key of keys) await storage.put(key, Buffer.from(key), { ifAbsent: true })
	for (const key of keys) expect((await read(storage, key)).toString()).toBe(key)
})

test('a bucket with versions behaves as one without, and its held objects are not hidden', async () => {
	await using place = await room({ buckets: [{ name: 'bucket', objectRetention: true, versioning: true }] })
	const { storage } = place
	await storage.put('a', Buffer.from('one'), { ifAbsent: true })
	expect(await failure(storage.put('a', Buffer.from('x'), { ifAbsent: true }))).toMatchObject({
		code: 'STORAGE_ALREADY_EXISTS',
	})
	await storage.put('a', Buffer.from('two'))
	expect((await read(storage, 'a')).toString()).toBe('two')
	await storage.delete('a')
	expect(await storage.stat('a')).toBeUndefined()
	expect(await keysOf(storage)).toEqual([])
	await storage.put('held', Buffer.from('x'), { retainUntil: new Date(Date.now() + 3_600_000) })
	for (const call of [() => storage.delete('held'), () => storage.put('held', Buffer.from('y'))])
		expect(await failure(call())).toMatchObject({
			code: 'STORAGE_PERMISSION',
			reason: 'held',
			advice: 'the object is held: wait until its retention ends',
		})
	expect((await read(storage, 'held')).toString()).toBe('x')
})
