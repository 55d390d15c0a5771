import { inspect } from 'node:util'
import { createServer as createTls } from 'node:https'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isBackupError, type BackupError, type Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-azure/driver'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ACCOUNT, type Azurite, type Front, KEY, type Seen, startAzurite, startFront } from '../src/azure/index.ts'
import { startProxy } from '../src/proxy/index.ts'
import { untrusted } from '../src/s3/certificate.ts'

const MIB = 1 << 20
let azurite: Azurite
let front: Front

beforeAll(async () => {
	azurite = await startAzurite()
	await azurite.createContainer('bad')
	front = await startFront(azurite)
})
afterAll(async () => {
	await front?.[Symbol.asyncDispose]()
	await azurite?.[Symbol.asyncDispose]()
})

interface Opening {
	readonly endpoint?: string
	readonly container?: string
	readonly environment?: Readonly<Record<string, string>>
	readonly prefix?: string
	readonly parameters?: string
	readonly writable?: boolean
}

async function open(opening: Opening = {}): Promise<Storage> {
	const { endpoint = front.url, container = 'bad', environment = azurite.environment, prefix = 'p' } = opening
	const { parameters = '&timeout=1', writable = true } = opening
	const location = new URL(`az://${container}/${prefix}?endpoint=${endpoint}${parameters}`)
	const storage = await driver.open(location, { environment, writable })
	onTestFinished(() => storage[Symbol.asyncDispose]())
	return storage
}

/** A signature does not cover headers, as a key does. */
const signed = (permissions = 'rcwdl', seconds?: number): Record<string, string> => ({
	AZURE_STORAGE_ACCOUNT: ACCOUNT,
	AZURE_STORAGE_SAS_TOKEN: azurite.signature('bad', permissions, seconds),
})

async function failure(promise: Promise<unknown>): Promise<BackupError> {
	try {
		await promise
	} catch (error) {
		if (isBackupError(error)) return error
		throw error
	}
	throw new Error('nothing was thrown')
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
	const items: T[] = []
	for await (const item of stream) items.push(item)
	return items
}

const read = async (storage: Storage, key: string): Promise<Buffer> =>
	Buffer.concat(await all((await storage.get(key)).bytes))

const keysOf = async (storage: Storage): Promise<string[]> => (await all(storage.list(''))).map(({ key }) => key)

const isConditional = ({ headers }: Seen): boolean => headers['if-none-match'] !== undefined

test('a proxy that strips If-None-Match is found when the store is opened for writing, and nothing is left', async () => {
	front.rule((seen) => (isConditional(seen) ? { without: ['if-none-match'] } : undefined))
	const stripped = await open({ environment: signed(), prefix: 'stripped' })
	expect(stripped.capabilities.conditionalCreate).toMatchObject({ lacking: expect.stringMatching(/If-None-Match/) })
	const put = failure(stripped.put('k', Buffer.from('k'), { ifAbsent: true }))
	expect(await put).toMatchObject({ code: 'STORAGE_UNSUPPORTED', advice: expect.stringContaining('If-None-Match') })
	// A key signs the header: there the put itself would be refused, for a reason that nobody would guess.
	const keyed = await open({ prefix: 'stripped' })
	expect(keyed.capabilities.conditionalCreate).toMatchObject({ lacking: expect.stringMatching(/on the way changes/) })
	front.rule(() => undefined)
	expect(await keysOf(await open({ prefix: 'stripped' }))).toEqual([])
	const bare = azurite.environment
	const inside = await open({ environment: bare, prefix: '', writable: false })
	expect((await keysOf(inside)).filter((key) => key.startsWith('stripped'))).toEqual([])
	expect((await names('stripped')).filter((name) => name.includes('probe'))).toEqual([])
})

/** What is below a prefix, keys or not. */
async function names(prefix: string): Promise<string[]> {
	const token = azurite.signature('bad', 'l')
	const query = `restype=container&comp=list&prefix=${prefix}&${token}`
	const answer = await fetch(`${azurite.url}/${ACCOUNT}/bad?${query}`)
	expect(answer.status).toBe(200)
	return [...(await answer.text()).matchAll(/<Name>([^<]*)<\/Name>/g)].map(([, name]) => name!)
}

test('a service that obeys If-None-Match is believed, also by two who open it at once and by those who may not delete', async () => {
	front.rule(() => undefined)
	const both = await Promise.all([open({ prefix: 'obeys' }), open({ prefix: 'obeys' })])
	for (const storage of both) expect(storage.capabilities.conditionalCreate).toBe(true)
	expect(await names('obeys')).toEqual([])
	for (let round = 0; round < 2; round++) {
		const writer = await open({ environment: signed('cw'), prefix: 'obeys' })
		expect(writer.capabilities.conditionalCreate).toBe(true)
	}
	expect(await names('obeys')).toEqual(['obeys/.~ydbackup-probe'])
	expect(await keysOf(both[0])).toEqual([])
	front.rule(() => undefined)
	await open({ prefix: 'obeys', writable: false })
	expect(front.seen.filter(({ method }) => method === 'PUT')).toEqual([])
})

test('who may not write hears so from the put, with the right that is missing', async () => {
	front.rule(() => undefined)
	const reader = await open({ environment: signed('rl') })
	expect(await failure(reader.put('k', Buffer.from('k'), { ifAbsent: true }))).toMatchObject({
		code: 'STORAGE_PERMISSION',
		reason: 'right',
		advice: expect.stringMatching(/rights to read, write, list and delete/),
	})
})

test('a clock that is off is told, and what to do', async () => {
	const said = `<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.</Message><AuthenticationErrorDetail>The date header in the request is incorrect.</AuthenticationErrorDetail></Error>`
	front.rule(() => ({
		status: 403,
		headers: { 'x-ms-error-code': 'AuthenticationFailed', 'content-type': 'application/xml' },
		body: said,
	}))
	expect(await failure(open())).toMatchObject({
		code: 'STORAGE_PERMISSION',
		reason: 'clock',
		advice: 'set the clock of this machine',
	})
	expect(await failure(open({ endpoint: azurite.url, environment: signed('rl', -60) }))).toMatchObject({
		reason: 'expired',
		advice: expect.stringMatching(/new shared access signature/),
	})
})

test('hosts that are not there, never answer or speak something else: a bound, a code and what to check', async () => {
	await using silent = await startProxy({ target: azurite.url, plan: () => ({ blackHole: true }) })
	const nonsense = createServer((_, response) => response.end('<html>welcome</html>')).listen(0, '127.0.0.1')
	const strange = createTls(untrusted, (_, response) => response.end()).listen(0, '127.0.0.1')
	onTestFinished(() => {
		for (const one of [nonsense, strange]) {
			one.closeAllConnections()
			one.close()
		}
	})
	await new Promise<void>((resolve) => strange.once('listening', resolve))
	const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port
	const begin = performance.now()
	const cases: readonly [Opening, object][] = [
		[
			{ endpoint: 'http://nowhere.invalid' },
			{ code: 'STORAGE_TRANSIENT', reason: 'unreachable', advice: expect.stringContaining('name of the account') },
		],
		[
			{ endpoint: silent.url, parameters: '&timeout=0.4' },
			{ code: 'STORAGE_TRANSIENT', reason: 'timeout', advice: expect.stringContaining('?timeout=') },
		],
		[
			{ endpoint: `https://127.0.0.1:${portOf(strange)}` },
			{ code: 'STORAGE_PERMANENT', reason: 'certificate', advice: expect.stringContaining('NODE_EXTRA_CA_CERTS') },
		],
		[{ endpoint: `http://127.0.0.1:${portOf(nonsense)}` }, { code: expect.stringMatching(/^STORAGE_/) }],
		[
			{ container: 'missing', endpoint: azurite.url },
			{ code: 'STORAGE_NOT_FOUND', reason: 'container-missing', advice: expect.stringContaining('--name missing') },
		],
	]
	const errors = await Promise.all(cases.map(([opening]) => failure(open(opening))))
	for (const [at, [, expected]] of cases.entries()) expect.soft(errors[at], errors[at]!.message).toMatchObject(expected)
	expect(performance.now() - begin).toBeLessThan(15_000)
	for (const error of errors) expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(KEY)
})

test('a body that is shorter than its length, or has another length than it says, is never taken for the object', async () => {
	front.rule(() => undefined)
	const storage = await open({ environment: signed(), prefix: 'body' })
	await storage.put('a', Buffer.alloc(1000, 7))
	const isRead = ({ method, query }: Seen): boolean => method === 'GET' && !query.has('comp')
	const head = { etag: '"1"', 'x-ms-blob-type': 'BlockBlob' }
	for (const [headers, body, code] of [
		// A short body with a 200 that says it is whole: its MD5 is that of the object.
		[{ ...head, 'content-length': '5', 'content-md5': 'XrY7u+Ae7tCTyyK7j1rNww==' }, 'short', 'STORAGE_INTEGRITY'],
		// The rest never comes, and where it is asked for the same comes once more.
		[{ ...head, 'content-length': '1000' }, 'short', 'STORAGE_PERMANENT'],
	] as const) {
		front.rule((seen) => (isRead(seen) ? { status: 200, headers, body } : undefined))
		expect(await failure(read(storage, 'a'))).toMatchObject({ code })
	}
	front.rule((seen) =>
		isRead(seen)
			? {
					status: 206,
					headers: { ...head, 'content-length': '10', 'content-range': 'bytes 0-9/10' },
					body: 'x'.repeat(10),
				}
			: undefined,
	)
	expect(await failure(storage.get('a', { range: { offset: 5, length: 10 } }))).toMatchObject({
		code: 'STORAGE_PERMANENT',
	})
})

test('a container with versions behaves as one without', async () => {
	front.rule(() => ({ with: { 'x-ms-version-id': '2026-01-01T00:00:00.0000000Z', 'x-ms-is-current-version': 'true' } }))
	const storage = await open({ prefix: 'versions' })
	await storage.put('a', Buffer.from('one'), { ifAbsent: true })
	expect(await failure(storage.put('a', Buffer.from('x'), { ifAbsent: true }))).toMatchObject({
		code: 'STORAGE_ALREADY_EXISTS',
	})
	await storage.put('a', Buffer.from('two'))
	expect((await read(storage, 'a')).toString()).toBe('two')
	await storage.delete('a')
	expect(await storage.stat('a')).toBeUndefined()
	expect(await keysOf(storage)).toEqual([])
})

test('every kind of call hands on how long the service asks to wait', async () => {
	front.rule(() => undefined)
	const storage = await open({ prefix: 'slow' })
	for (const [status, headers] of [
		[503, { 'retry-after': '77', 'x-ms-error-code': 'ServerBusy' }],
		[429, { 'retry-after': '77' }],
	] as const) {
		front.rule(() => ({ status, headers }))
		for (const call of [
			() => storage.put('x', Buffer.from('x'), { ifAbsent: true }),
			() => storage.put('x', Buffer.alloc(9 * MIB), { ifAbsent: true }),
			() => storage.stat('x'),
			() => storage.get('x'),
			() => keysOf(storage),
			() => storage.delete('x'),
		])
			expect(await failure(call())).toMatchObject({
				code: 'STORAGE_THROTTLED',
				retryAfterMs: 77_000,
				advice: 'lower the concurrency',
			})
	}
	front.rule(() => undefined)
	expect(await storage.stat('x')).toBeUndefined()
})

test('who lists only the first page is caught, and a last page that is full by chance is not', async () => {
	let isHiding = true
	const all = Array.from({ length: 1000 }, (_, nth) => `hiding/key-${String(nth).padStart(4, '0')}`)
	front.rule(({ query }) => {
		if (query.get('comp') !== 'list') return undefined
		const names = all.slice(0, Number(query.get('maxresults')))
		const blobs = names.map(
			(name) => `<Blob><Name>${name}</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>`,
		)
		const marker = isHiding || names.length === all.length ? '' : 'more'
		const body = `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>${blobs.join('')}</Blobs><NextMarker>${marker}</NextMarker></EnumerationResults>`
		return { status: 200, headers: { 'content-type': 'application/xml' }, body }
	})
	const storage = await open({ prefix: 'hiding', writable: false })
	expect(await failure(keysOf(storage))).toMatchObject({
		code: 'STORAGE_PERMANENT',
		message: expect.stringContaining('hides what comes after a page'),
	})
	isHiding = false
	expect(await keysOf(storage)).toHaveLength(1000)
})
