import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'

import { Repository } from '@ydbackup/catalog'
import { BackupError, isBackupError, type KeyProvider, type PutBody } from '@ydbackup/core'
import { canonicalJson, encodeManifest, layout, type Manifest, sha256Hex } from '@ydbackup/format'
import { openMemory, retrying } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import type { BackupOptions } from '../src/index.ts'
import { verify } from '../src/index.ts'
import { noncesOf, readModelFile } from './encrypted-model.ts'
import { FakeDatabase } from './fake-database.ts'
import { intercept } from './intercept.ts'
import { keyOf, rowFrame, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, seeded, World } from './world.ts'

function keyed(bytes: Buffer = randomBytes(32), name = 'a test'): { bytes: Buffer; provider: KeyProvider } {
	return { bytes, provider: { name, getKey: async () => Uint8Array.from(bytes) } }
}

function failure(work: Promise<unknown>): Promise<BackupError> {
	return work.then(
		() => expect.fail('nothing was thrown'),
		(error: unknown) => (isBackupError(error) ? error : expect.fail(inspect(error))),
	)
}

const with1 = (provider: KeyProvider, algorithm?: string): Pick<BackupOptions, 'encryption'> => ({
	encryption: { keys: [provider], algorithm },
})

function pictureOf(database: FakeDatabase): Record<string, unknown> {
	const entries = Object.entries(database.picture())
	return Object.fromEntries(entries.filter(([, node]) => (node as { kind: string }).kind !== 'resource-pool'))
}

async function stored(world: World): Promise<Map<string, Buffer>> {
	const all = new Map<string, Buffer>()
	for (const key of await world.keys()) all.set(key, Buffer.from(await world.bytes(key)))
	return all
}

const check = (world: World, keys: readonly KeyProvider[], level: 'quick' | 'full' = 'full', id = 'latest') =>
	verify({ repository: world.repository, id, level, keys })

test.for([
	['aes-128-gcm', 16, 'zstd-1'],
	['aes-256-gcm', 32, 'none'],
	['chacha20-poly1305', 32, 'zstd-1'],
] as const)(
	'a backup by %s comes back, and nothing stored tells a name or a row',
	async ([algorithm, size, compression]) => {
		const world = await createWorld()
		const { bytes, provider } = keyed(randomBytes(size))
		const result = await world.backup({ ...with1(provider, algorithm), compression, exclude: ['secret/**'] })
		expect(result.tables.map(({ path }) => path)).toEqual(['dir/sub/split', 'none', 'plain'])

		for (const [key, object] of await stored(world)) {
			for (const word of ['split', 'plain"', 'alice', 'carol', 'pool', 'secret', 'columns']) {
				expect(object.includes(word), `${key} holds ${word}`).toBe(false)
			}
			const isOpen =
				!key.startsWith('backups/') || key.endsWith('.sha256') || /^backups\/[^/]+\/metadata\.json$/u.test(key)
			expect([key, key.endsWith('.enc') || isOpen]).toEqual([key, true])
			if (key.endsWith('.enc')) readModelFile(object, bytes)
		}

		expect(await check(world, [provider])).toMatchObject({ ok: true, findings: [], checked: 'contents', rows: 420 })
		const target = new FakeDatabase('/local')
		await world.restore(target, { keys: [provider], verifyData: true })
		expect(target.picture()).toEqual(pictureOf(world.database))
	},
)

test('the layout is that of an encrypted export of YDB, and each file has the IV that its place gives', async () => {
	const world = await createWorld()
	const { bytes, provider } = keyed()
	const { id } = await world.backup(with1(provider))
	const objects = await stored(world)
	const root = `backups/${id}`
	const names = Array.from(objects.keys())
		.filter((key) => key.startsWith(root))
		.map((key) => key.slice(root.length + 1))
	expect(names.filter((name) => name.startsWith('003') || !/^\d/u.test(name)).toSorted()).toEqual(
		[
			'003/data_00.csv.sha256',
			'003/data_00.csv.zst.enc',
			'003/metadata.json.enc',
			'003/metadata.json.sha256',
			'003/permissions.pb.enc',
			'003/permissions.pb.sha256',
			'003/scheme.pb.enc',
			'003/scheme.pb.sha256',
			'SchemaMapping/mapping.json.enc',
			'SchemaMapping/mapping.json.sha256',
			'SchemaMapping/metadata.json.enc',
			'SchemaMapping/metadata.json.sha256',
			'metadata.json',
			'metadata.json.sha256',
		].toSorted(),
	)
	expect(objects.get(`${root}/metadata.json`)?.toString()).toBe(
		'{"kind":"SimpleExportV0","compression":"zstd-1","encryption":"AES-256-GCM","checksum":"sha256"}',
	)

	const open = (name: string) => readModelFile(objects.get(`${root}/${name}`)!, bytes)
	const kind = open('SchemaMapping/metadata.json.enc')
	expect(kind.plain.toString()).toBe('{"kind":"SchemaMappingV0"}')
	const derived = (base: string, type: number, item: number, shard: number): string => {
		const iv = Buffer.from(base, 'hex')
		iv.writeUInt32BE((iv.readUInt32BE(0) ^ ((type << 24) | item)) >>> 0, 0)
		iv.writeUInt32BE((iv.readUInt32BE(4) ^ shard) >>> 0, 4)
		return iv.toString('hex').toUpperCase()
	}
	const mapping = open('SchemaMapping/mapping.json.enc')
	expect(mapping.iv).toBe(derived(kind.iv, 2, 0, 0))
	const item = derived(kind.iv, 0, 1, 0)
	expect(JSON.parse(mapping.plain.toString()).exportedObjects['dir/sub/split']).toEqual({
		exportPrefix: '001',
		iv: item,
	})
	expect(open('001/metadata.json.enc').iv).toBe(item)
	expect(open('001/metadata.json.enc').plain.toString()).toBe(
		'{"version":1,"permissions":1,"changefeeds":[],"indexes":[]}',
	)
	expect(open('001/permissions.pb.enc').iv).toBe(derived(item, 1, 0, 0))
	expect(open('001/scheme.pb.enc').iv).toBe(derived(item, 10, 0, 0))
	for (const shard of [0, 1, 2, 3]) expect(open(`001/data_0${shard}.csv.zst.enc`).iv).toBe(derived(item, 11, 0, shard))
	// A table without rows is a header and an end, never nothing.
	expect(open('002/data_00.csv.zst.enc').plain).toHaveLength(0)
})

/** A store that breaks the first two tries of each put, somewhere in the middle, and sees every byte that was ever sent. */
async function nosy(): Promise<{ world: World; sent: { key: string; bytes: Buffer }[] }> {
	const sent: { key: string; bytes: Buffer }[] = []
	const tries = new Map<string, number>()
	const memory = openMemory()
	await Repository.init(memory)
	const broken = intercept(memory, {
		async put(key, body, options, next) {
			const attempt = (tries.get(key) ?? 0) + 1
			tries.set(key, attempt)
			if (attempt > 2 || !key.endsWith('.enc')) {
				if (body instanceof Uint8Array) sent.push({ key, bytes: Buffer.from(body) })
				return next(key, body instanceof Uint8Array ? body : tap(key, body), options)
			}
			const got: Buffer[] = []
			const pieces = body instanceof Uint8Array ? [body] : body()
			for await (const piece of pieces) if (got.push(Buffer.from(piece)) === attempt * 4) break
			sent.push({ key, bytes: Buffer.concat(got) })
			throw new BackupError('STORAGE_TRANSIENT', `${key} breaks`, { retry: 'same' })
		},
	})
	function tap(key: string, body: Exclude<PutBody, Uint8Array>): () => AsyncIterable<Uint8Array> {
		return async function* () {
			const got: Buffer[] = []
			for await (const piece of body()) {
				got.push(Buffer.from(piece))
				yield piece
			}
			sent.push({ key, bytes: Buffer.concat(got) })
		}
	}
	const storage = retrying(broken, { pause: async () => {} })
	return { world: new World(seeded(), storage, await Repository.open(storage)), sent }
}

/** Fails when one nonce covers two texts; the longer one must begin with the shorter. */
function assertOneTextEach(sent: readonly { key: string; bytes: Buffer }[]): number {
	const texts = new Map<string, Buffer>()
	for (const { key, bytes } of sent.filter((one) => one.key.endsWith('.enc'))) {
		for (const [nonce, text] of noncesOf(bytes)) {
			const before = texts.get(nonce) ?? text
			const common = Math.min(before.length, text.length)
			expect(before.subarray(0, common).equals(text.subarray(0, common)), `${key} ${nonce}`).toBe(true)
			texts.set(nonce, before.length > text.length ? before : text)
		}
	}
	return texts.size
}

test('whatever is retried, interrupted and run again: under one key no nonce covers two texts', async () => {
	const { world, sent } = await nosy()
	world.database.addTable('large', schemeOf({ splits: [10_000] }), rowsUpTo(30_000))
	const { provider } = keyed()
	await world.backup({ ...with1(provider), compression: 'none', concurrency: 2 })
	const puts = sent.filter(({ key }) => key.endsWith('large') || key.includes('data_'))
	expect(puts.length).toBeGreaterThan(20)
	expect(assertOneTextEach(sent)).toBeGreaterThan(20)

	// A run that is stopped half-way and one that fails, then one that goes through: the same rows, with others changed between.
	const stop = new AbortController()
	world.database.putRows('large', [rowFrame([5, 'other', 5])])
	const stopped = world.backup({
		...with1(provider),
		compression: 'none',
		signal: stop.signal,
		onEvent: (event) => event.type === 'phase' && event.name === 'read-back' && stop.abort(),
	})
	expect((await failure(stopped)).code).toBe('INTERRUPTED')
	world.database.putRows('large', [rowFrame([6, 'another', 6])])
	await world.backup({ ...with1(provider), compression: 'none', clock: () => new Date(Date.now() + 5000) })
	assertOneTextEach(sent)
})

test('rows that change between two tries of a part are never encrypted with the same nonces', async () => {
	const { world, sent } = await nosy()
	world.database.addTable('large', schemeOf(), rowsUpTo(30_000))
	const { provider } = keyed()
	const changed = new FakeDatabase()
	changed.addTable('large', schemeOf(), [[1, 'another', 1], ...rowsUpTo(30_000).slice(1)])
	const take = world.database.take.bind(world.database)
	let reads = 0
	world.database.take = async (request) => {
		const snapshot = await take(request)
		return {
			...snapshot,
			read: (table, range, options) =>
				table.path === 'large' && ++reads === 2
					? changed.rowsOf(table.path, table.schema, range, options ?? {})
					: snapshot.read(table, range, options),
		}
	}
	const error = await failure(world.backup({ ...with1(provider), compression: 'none' }))
	expect([error.code, error.message]).toEqual(['DATA_MISMATCH', expect.stringContaining('must not be encrypted again')])
	assertOneTextEach(sent)
	expect(await world.repository.list()).toEqual([])
})

test('without the key stored bytes are checked, and every damage to them is found; with the key also', async () => {
	const world = await createWorld()
	const { provider } = keyed()
	const { id } = await world.backup(with1(provider))
	expect(await check(world, [])).toMatchObject({ ok: true, checked: 'stored-bytes', keysUsed: [], tables: 3 })
	expect(await check(world, [], 'quick')).toMatchObject({ ok: true, checked: 'sizes' })

	const whole = await stored(world)
	for (const [key, bytes] of whole) {
		if (!key.includes(id)) continue
		const other = Buffer.from(bytes)
		other[Math.floor(other.length / 2)]! ^= 4
		await world.storage.put(key, other)
		expect((await check(world, [])).ok, `${key} without the key`).toBe(false)
		expect((await check(world, [provider])).ok, `${key} with the key`).toBe(false)
		await world.storage.put(key, bytes)
	}
	expect((await check(world, [provider])).ok).toBe(true)
})

/** As somebody would who may write to the store and has not the key: the manifest is made anew, with its hash right. */
async function forge(world: World, id: string, change: (manifest: Manifest) => Manifest): Promise<void> {
	const { manifest } = await world.repository.read(id)
	const { sha256: _, mac, ...rest } = change(manifest)
	const over = sha256Hex(Buffer.from(canonicalJson(rest as never)))
	const forged = { ...rest, ...(mac && { mac: { over, tag: mac.tag } }) }
	await world.storage.put(layout.manifestKey(id), encodeManifest(forged))
}

test('files that are swapped together with their entries are found by whoever has the key', async () => {
	const world = await createWorld()
	const { provider } = keyed()
	const { id } = await world.backup(with1(provider))
	const [one, two] = ['001/data_00.csv.zst.enc', '001/data_01.csv.zst.enc'].map((name) => `backups/${id}/${name}`) as [
		string,
		string,
	]
	const [first, second] = [await world.bytes(one), await world.bytes(two)]
	await world.storage.put(one, second)
	await world.storage.put(two, first)
	await forge(world, id, (manifest) => {
		const entry = (key: string) => manifest.files.find((file) => file.key === key)!
		const files = manifest.files.map((file) =>
			file.key === one
				? { ...entry(two), key: one, partition: 0 }
				: file.key === two
					? { ...entry(one), key: two, partition: 1 }
					: file,
		)
		return { ...manifest, files }
	})
	const report = await check(world, [provider])
	expect(report.findings).toMatchObject([
		{ code: 'MANIFEST_INVALID', message: expect.stringContaining('has not the key') },
	])
	const target = new FakeDatabase('/local')
	expect((await failure(world.restore(target, { keys: [provider] }))).code).toBe('MANIFEST_INVALID')
	expect(target.nodes.size).toBe(new FakeDatabase('/local').nodes.size)
})

test('a manifest that is forged to be open, or to have files that are open, is refused', async () => {
	const world = await createWorld()
	const { provider } = keyed()
	const { id } = await world.backup(with1(provider))
	await forge(world, id, (manifest) => ({
		...manifest,
		files: manifest.files.map((file) =>
			file.role === 'scheme' ? { ...file, key: file.key.replace('.enc', '') } : file,
		),
	}))
	expect((await check(world, [provider])).findings).toMatchObject([{ code: 'MANIFEST_INVALID' }])
})

test('a backup that is forged to be open is not taken for one', async () => {
	const world = await createWorld()
	const { provider } = keyed()
	const { id } = await world.backup(with1(provider))
	await forge(world, id, (manifest) => ({ ...manifest, encryption: undefined, mac: undefined }))
	expect((await check(world, [provider])).ok).toBe(false)
	expect((await failure(world.restore(new FakeDatabase(), { keys: [provider] }))).kind).toBe('damaged')

	const open = await createWorld()
	await open.backup()
	const restored = await open.restore(new FakeDatabase(), { keys: [provider] })
	expect(restored.warnings.map(({ message }) => message)).toEqual([expect.stringContaining('is not encrypted')])
})

test('without the key, and with another one, nothing is written and the error says which key it is', async () => {
	const world = await createWorld()
	const { provider } = keyed()
	const { encryption } = await world.backup(with1(provider))
	const target = new FakeDatabase('/local')
	const before = target.picture()

	const missing = await failure(world.restore(target, {}))
	expect(missing).toMatchObject({
		code: 'KEY_REQUIRED',
		kind: 'usage',
		advice: expect.stringContaining(encryption!.keyId),
	})
	for (const size of [16, 32]) {
		const wrong = keyed(randomBytes(size), 'the wrong one')
		const error = await failure(world.restore(target, { keys: [wrong.provider] }))
		expect(error).toMatchObject({ code: 'KEY_WRONG', kind: 'permission' })
		expect(error.message).toContain(encryption!.keyId)
		expect((await failure(check(world, [wrong.provider]))).code).toBe('KEY_WRONG')
	}
	expect(target.picture()).toEqual(before)
	const dead: KeyProvider = { name: 'a service', getKey: () => Promise.reject(new Error('CANARY')) }
	const unavailable = await failure(world.restore(target, { keys: [dead] }))
	expect(unavailable.code).toBe('KEY_UNAVAILABLE')
	expect(inspect(unavailable, { depth: 9 })).not.toContain('CANARY')
})

test('a key is proven before anything is written: one that fits, and that comes twice', async () => {
	const world = await createWorld()
	const before = await world.keys()
	const fickle: KeyProvider = { name: 'a fickle one', getKey: async () => Uint8Array.from(randomBytes(32)) }
	expect(await failure(world.backup(with1(fickle)))).toMatchObject({
		code: 'KEY_WRONG',
		message: expect.stringContaining('twice'),
	})
	for (const size of [0, 15, 31, 33, 64]) {
		expect((await failure(world.backup(with1(keyed(randomBytes(size)).provider)))).code).toBe('CONFIG_INVALID')
	}
	expect((await failure(world.backup(with1(keyed().provider, 'aes-128-gcm')))).code).toBe('CONFIG_INVALID')
	expect((await failure(world.backup(with1(keyed().provider, 'rot13')))).code).toBe('CONFIG_INVALID')
	expect((await failure(world.backup({ encryption: { keys: [], algorithm: 'aes-256-gcm' } }))).code).toBe(
		'KEY_REQUIRED',
	)
	expect(await world.keys()).toEqual(before)
	expect([...world.database.copies]).toEqual([])
})

test('chains: links are encrypted, each with its own key, and come back with all of them', async () => {
	const world = await createWorld()
	const [old, fresh] = [keyed(), keyed(randomBytes(16))]
	let second = 0
	const take = (more: Partial<BackupOptions>) => {
		const now = new Date(Date.UTC(2026, 10, 23, 2, 15, second++))
		return world.backup({ clock: () => now, ...more })
	}
	const change = (id: number): void => {
		world.database.putRows('plain', [rowFrame([id, `new ${id}`, id])])
		world.database.deleteRow('plain', keyOf(1000 + id))
	}
	await take(with1(old.provider))
	change(1)
	const one = await take({ parent: 'latest', ...with1(old.provider) })
	const atOne = pictureOf(world.database)
	expect(one.keysUsed).toEqual([one.encryption?.keyId])
	change(2)

	expect((await failure(take({ parent: 'latest' }))).code).toBe('KEY_REQUIRED')
	expect((await failure(take({ parent: 'latest', ...with1(fresh.provider) }))).code).toBe('KEY_WRONG')
	const two = await take({ parent: 'latest', encryption: { keys: [fresh.provider, old.provider] } })
	expect(two.encryption).toMatchObject({ algorithm: 'AES-128-GCM' })
	expect(two.tables.find(({ path }) => path === 'plain')?.rows).toBe(2)

	for (const [id, picture, keys] of [
		[one.id, atOne, [old.provider]],
		[two.id, pictureOf(world.database), [old.provider, fresh.provider]],
	] as const) {
		expect(await check(world, keys, 'full', id)).toMatchObject({ ok: true, checked: 'contents' })
		const target = new FakeDatabase('/local')
		const restored = await world.restore(target, { id, keys, verifyData: true })
		expect(restored.keysUsed).toHaveLength(keys.length)
		expect(target.picture()).toEqual(picture)
	}
	expect(await check(world, [], 'full', two.id)).toMatchObject({ ok: true, checked: 'stored-bytes' })
	const target = new FakeDatabase('/local')
	expect((await failure(world.restore(target, { id: two.id, keys: [fresh.provider] }))).code).toBe('KEY_WRONG')
})

test('an open backup may have an encrypted increment', async () => {
	const world = await createWorld()
	const { provider } = keyed()
	await world.backup({ clock: () => new Date('2026-11-23T02:15:00Z') })
	world.database.putRows('plain', [rowFrame([1, 'new', 1])])
	await world.backup({ parent: 'latest', ...with1(provider), clock: () => new Date('2026-11-23T02:15:01Z') })
	const target = new FakeDatabase('/local')
	await world.restore(target, { keys: [provider], verifyData: true })
	expect(target.picture()).toEqual(pictureOf(world.database))
})

test('no byte of a key is in any result, event, error or stored object', async () => {
	const world = await createWorld()
	const canary = 'CANARY-key-of-32-bytes-CANARY-00'
	const { provider } = keyed(Buffer.from(canary))
	const seen: unknown[] = []
	const onEvent = (event: unknown): number => seen.push(event)
	seen.push(await world.backup({ ...with1(provider), onEvent }))
	seen.push(await check(world, [provider]), await world.restore(new FakeDatabase(), { keys: [provider], onEvent }))
	seen.push(await failure(world.restore(new FakeDatabase(), { keys: [keyed().provider] })))
	seen.push(await failure(world.backup(with1(provider, 'aes-128-gcm'))))
	const text = inspect(seen, { depth: 20, showHidden: true, maxArrayLength: null }) + JSON.stringify(seen)
	const objects = Array.from((await stored(world)).values())
		.map((bytes) => bytes.toString('latin1'))
		.join('\n')
	for (const form of [
		canary,
		Buffer.from(canary).toString('hex'),
		Buffer.from(canary).toString('base64').slice(0, 40),
	]) {
		expect(text.includes(form)).toBe(false)
		expect(objects.includes(form)).toBe(false)
	}
})
