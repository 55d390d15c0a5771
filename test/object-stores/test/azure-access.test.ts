import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { inspect, promisify } from 'node:util'
import { isBackupError, type BackupError, type Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-azure/driver'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ACCOUNT, type Azurite, type Front, KEY, type Seen, startAzurite, startFront } from '../src/azure/index.ts'

let azurite: Azurite
let front: Front

beforeAll(async () => {
	azurite = await startAzurite()
	await azurite.createContainer('access')
	front = await startFront(azurite)
})
afterAll(async () => {
	await front?.[Symbol.asyncDispose]()
	await azurite?.[Symbol.asyncDispose]()
})

interface Opening {
	readonly container?: string
	readonly environment?: Readonly<Record<string, string>>
	readonly parameters?: string
	readonly writable?: boolean
	readonly endpoint?: string
}

async function open(opening: Opening = {}): Promise<Storage> {
	const { container = 'access', environment = azurite.environment, parameters = '', writable = true } = opening
	const { endpoint = azurite.url } = opening
	const location = new URL(`az://${container}/p?endpoint=${endpoint}${parameters}`)
	const storage = await driver.open(location, { environment, writable })
	onTestFinished(() => storage[Symbol.asyncDispose]())
	return storage
}

const signed = (permissions: string, seconds?: number): Record<string, string> => ({
	AZURE_STORAGE_ACCOUNT: ACCOUNT,
	AZURE_STORAGE_SAS_TOKEN: azurite.signature('access', permissions, seconds),
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
const codes = (...calls: Promise<unknown>[]): Promise<string[]> =>
	Promise.all(
		calls.map((call) =>
			call.then(
				() => 'done',
				(error: BackupError) => error.code,
			),
		),
	)
const keysOf = async (storage: Storage): Promise<string[]> => {
	const keys: string[] = []
	for await (const { key } of storage.list('')) keys.push(key)
	return keys
}

test('a connection string opens the store', async () => {
	const string = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${azurite.url}/${ACCOUNT};`
	const storage = await driver.open(new URL('az://access'), {
		environment: { AZURE_STORAGE_CONNECTION_STRING: string },
		writable: true,
	})
	onTestFinished(() => storage[Symbol.asyncDispose]())
	expect(storage.location).toBe('az://access')
	expect(storage.capabilities).toMatchObject({ conditionalCreate: true, orderedList: true, rangeRead: true })
})

test('opening says what is wrong, without the secret', async () => {
	const wrongKey = Buffer.from('a-wrong-key-that-nobody-may-see').toString('base64')
	const expired = signed('rcwdl', -60)
	const forged = signed('rcwdl')
	forged['AZURE_STORAGE_SAS_TOKEN'] = forged['AZURE_STORAGE_SAS_TOKEN']!.replace(/sig=..../, 'sig=AAAA')
	const cases: [Opening, object][] = [
		[{ container: 'missing' }, { code: 'STORAGE_NOT_FOUND', reason: 'container-missing' }],
		[{ environment: { AZURE_STORAGE_ACCOUNT: ACCOUNT, AZURE_STORAGE_KEY: wrongKey } }, { code: 'STORAGE_PERMISSION' }],
		[{ environment: expired }, { code: 'STORAGE_PERMISSION', reason: 'expired' }],
		[{ environment: forged }, { code: 'STORAGE_PERMISSION' }],
		[{ endpoint: 'http://127.0.0.1:9' }, { code: 'STORAGE_TRANSIENT', reason: 'unreachable' }],
		[{ endpoint: 'http://nowhere.invalid' }, { code: 'STORAGE_TRANSIENT' }],
		[{ endpoint: azurite.url.replace('http:', 'https:') }, { code: 'STORAGE_PERMANENT' }],
	]
	for (const [opening, expected] of cases) {
		const error = await failure(open(opening))
		expect.soft(error, error.message).toMatchObject(expected)
		expect.soft(error.advice).toBeTruthy()
		const shown = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)
		for (const [name, secret] of Object.entries(opening.environment ?? {}))
			if (name !== 'AZURE_STORAGE_ACCOUNT')
				for (const part of secret.split('&')) expect.soft(shown, part).not.toContain(part.replace(/^sig=/, ''))
	}
})

test('an identity needs its library, and the error says so', async () => {
	// The library is here, because Azurite has it: this process does as if it were not.
	const script = `
		import { registerHooks } from 'node:module'
		registerHooks({ resolve(name, context, next) {
			if (name === '@azure/identity') throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
			return next(name, context)
		} })
		const { default: driver } = await import('@ydbackup/storage-azure/driver')
		const open = driver.open(new URL('az://access?account=nobody'), { environment: {}, writable: false })
		await open.catch(({ code, advice }) => console.log(JSON.stringify({ code, advice })))
	`
	const flags = ['--conditions=@ydbackup/source', '--input-type=module', '--eval', script]
	const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname, timeout: 20_000 })
	expect(JSON.parse(stdout)).toEqual({
		code: 'CONFIG_INVALID',
		advice: expect.stringMatching(/AZURE_STORAGE_CONNECTION_STRING.*install @azure\/identity/),
	})
})

test('a refusal by something between here and the service is not taken for a missing right', async () => {
	front.rule(() => ({ status: 403, body: 'no' }))
	expect(await failure(open({ endpoint: front.url }))).toMatchObject({ code: 'STORAGE_PERMISSION' })
})

test('credentials with fewer rights do what they may', async () => {
	const all = await open()
	await all.put('there', Buffer.from('x'))

	const reader = await open({ environment: signed('rl'), writable: false })
	expect(await keysOf(reader)).toContain('there')
	expect(await codes(reader.stat('there'), reader.put('no', Buffer.alloc(1)), reader.delete('there'))).toEqual([
		'done',
		'STORAGE_PERMISSION',
		'STORAGE_PERMISSION',
	])

	const writer = await open({ environment: signed('cw') })
	const large = randomBytes(9 << 20)
	await writer.put('small', Buffer.from('y'), { ifAbsent: true })
	await writer.put('large', large, { ifAbsent: true })
	expect(
		await codes(
			writer.put('small', Buffer.from('z'), { ifAbsent: true }),
			writer.put('large', large, { ifAbsent: true }),
			writer.stat('small'),
			writer.get('small'),
			keysOf(writer),
			writer.delete('small'),
		),
	).toEqual([
		'STORAGE_ALREADY_EXISTS',
		'STORAGE_ALREADY_EXISTS',
		'STORAGE_PERMISSION',
		'STORAGE_PERMISSION',
		'STORAGE_PERMISSION',
		'STORAGE_PERMISSION',
	])
	expect(await failure(open({ environment: signed('cw'), writable: false }))).toMatchObject({
		code: 'STORAGE_PERMISSION',
	})

	const keeper = await open({ environment: signed('rcwl') })
	expect(await codes(keeper.delete('small'), keeper.stat('small'))).toEqual(['STORAGE_PERMISSION', 'done'])
})

test('a signature that ends in the middle is told from other refusals', async () => {
	const storage = await open({ environment: signed('rcwdl', 2) })
	await storage.put('before', Buffer.from('x'))
	const slow = async function* (): AsyncGenerator<Uint8Array> {
		yield Buffer.alloc(9 << 20)
		await new Promise((resolve) => setTimeout(resolve, 3000))
		yield Buffer.alloc(1)
	}
	expect(await failure(storage.put('after', slow))).toMatchObject({ code: 'STORAGE_PERMISSION', reason: 'expired' })
	expect(await (await open()).stat('after')).toBeUndefined()
})

test('an account with a hierarchical namespace does not claim an order', async () => {
	front.rule(({ query }) =>
		query.get('comp') === 'properties' ? { with: { 'x-ms-is-hns-enabled': 'true' } } : undefined,
	)
	const storage = await open({ endpoint: front.url })
	expect(storage.capabilities.orderedList).toMatchObject({ lacking: expect.stringContaining('hierarchical') })
	await storage.put('b', Buffer.alloc(0))
	expect(await keysOf(storage)).toContain('b')
})

/** What the service says about a container with version-level immutability; Azurite knows nothing of it. */
const IMMUTABLE = { 'x-ms-immutable-storage-with-versioning-enabled': 'true' }
const isOfContainer = ({ method, query }: Seen): boolean => method !== 'PUT' && query.get('restype') === 'container'

test('objects are held where the container can and the location asks for it', async () => {
	expect((await open()).capabilities.retention).toMatchObject({ lacking: expect.stringContaining('immutability=') })
	const without = await open({ parameters: '&immutability=unlocked' })
	expect(without.capabilities.retention).toMatchObject({ lacking: expect.stringContaining('version-level') })
	expect(without.extendRetention).toBeUndefined()
	const until = new Date(Date.now() + 3_600_123)
	expect(await failure(without.put('a', Buffer.alloc(1), { retainUntil: until }))).toMatchObject({
		code: 'STORAGE_UNSUPPORTED',
	})

	front.rule((seen) => (isOfContainer(seen) && !seen.query.has('comp') ? { with: IMMUTABLE } : undefined))
	const storage = await open({ endpoint: front.url, parameters: '&immutability=locked' })
	expect(storage.capabilities.retention).toBe(true)
	for (const size of [1, 9 << 20]) {
		let held: Seen | undefined
		front.rule((seen) => {
			if (seen.headers['x-ms-immutability-policy-mode'] === undefined) return undefined
			held = seen
			return { without: ['x-ms-immutability-policy-mode', 'x-ms-immutability-policy-until-date'] }
		})
		// Those headers are signed, so Azurite refuses the request without them: what matters is that they were sent.
		await failure(storage.put(`held-${size}`, Buffer.alloc(size), { ifAbsent: true, retainUntil: until }))
		const sent = new Date(String(held?.headers['x-ms-immutability-policy-until-date']))
		expect(held?.headers['x-ms-immutability-policy-mode']).toMatch(/^locked$/i)
		expect(sent.getTime() - until.getTime()).toBeGreaterThanOrEqual(0)
		expect(sent.getTime() - until.getTime()).toBeLessThan(1000)
	}
})

test('a held object is neither deleted nor replaced, and its date only grows', async () => {
	await (await open()).put('held', Buffer.from('x'))
	const until = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000)
	const policy = {
		'x-ms-immutability-policy-until-date': until.toUTCString(),
		'x-ms-immutability-policy-mode': 'unlocked',
	}
	const sent: Seen[] = []
	const rule = (seen: Seen): ReturnType<Parameters<Front['rule']>[0]> => {
		if (isOfContainer(seen)) return seen.query.has('comp') ? undefined : { with: IMMUTABLE }
		if (seen.method === 'HEAD') return { with: policy }
		if (seen.query.get('comp') !== 'immutabilityPolicies') return undefined
		sent.push(seen)
		return { status: 200, headers: policy }
	}
	front.rule(rule)
	const storage = await open({ endpoint: front.url, parameters: '&immutability=unlocked' })
	// One after the other: a refusal that nobody awaits yet ends the run.
	for (const call of [() => storage.delete('held'), () => storage.put('held', Buffer.from('y'))])
		expect(await failure(call())).toMatchObject({ code: 'STORAGE_PERMISSION', reason: 'held' })
	await storage.extendRetention!('held', new Date(until.getTime() - 1000))
	expect(sent).toEqual([])
	await storage.extendRetention!('held', new Date(until.getTime() + 1000))
	expect(sent[0]?.headers['x-ms-immutability-policy-until-date']).toBe(new Date(until.getTime() + 1000).toUTCString())
	front.rule((seen) =>
		seen.method === 'DELETE' ? { status: 409, headers: { 'x-ms-error-code': 'BlobImmutableDueToPolicy' } } : undefined,
	)
	expect(await failure(storage.delete('held'))).toMatchObject({ code: 'STORAGE_PERMISSION', reason: 'held' })
})
