import { hostname } from 'node:os'

import { Repository } from '@ydbackup/catalog'
import { BackupError, type Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import {
	backup,
	pruneCollection,
	restore,
	shipCollection,
	type ShipOptions,
	type ShipResult,
	verify,
} from '../src/index.ts'
import { FakeCollection, type FakeColumn, NULL, type Truth } from './fake-collection.ts'
import { FakeDatabase } from './fake-database.ts'
import { intercept } from './intercept.ts'
import { keyOf } from './row-bytes.ts'
import { TOOL } from './world.ts'

const NARROW: readonly FakeColumn[] = [
	{ name: 'id', type: 'UINT64', isRequired: true },
	{ name: 'a', type: 'UTF8' },
	{ name: 'b', type: 'INT64' },
	{ name: 'c', type: 'STRING' },
]

class Shipping {
	readonly collection: FakeCollection
	readonly storage: Storage
	readonly repository: Repository
	#second = 0

	constructor(collection: FakeCollection, storage: Storage, repository: Repository) {
		this.collection = collection
		this.storage = storage
		this.repository = repository
	}

	static async begin(collection = new FakeCollection()): Promise<Shipping> {
		const storage = openMemory()
		return new Shipping(collection, storage, await Repository.init(storage))
	}

	readonly clock = (): Date => new Date(Date.UTC(2026, 11, 1) + this.#second++ * 1000)

	ship(options: Partial<ShipOptions> = {}): Promise<ShipResult> {
		const { collection: source, repository, clock } = this
		return shipCollection({ source, repository, clock, tool: TOOL, waitMs: 0, ...options })
	}

	async restored(id: string, include?: readonly string[]): Promise<Truth> {
		const sink = new FakeDatabase('/local')
		const { repository } = this
		const result = await restore({ sink, repository, id, existing: 'fail', verifyData: true, include })
		expect(result).toMatchObject({ outcome: 'complete', problems: [] })
		const picture = sink.picture() as Record<string, { frames?: string[] }>
		return Object.fromEntries(Object.entries(picture).flatMap(([path, { frames }]) => (frames ? [[path, frames]] : [])))
	}

	async verified(id: string, level: 'quick' | 'full' = 'full'): Promise<string[]> {
		const { findings } = await verify({ repository: this.repository, id, level })
		return findings.map(({ code, message }) => `${code} ${message}`)
	}
}

const states = ({ links }: ShipResult): string[] => links.map(({ state }) => state)
const idsOf = ({ links }: ShipResult): string[] => links.flatMap(({ id }) => id ?? [])
const row = (id: number, more: Record<string, string> = {}): Record<string, string> => ({
	id: `uint64_value: ${id}`,
	...more,
})

function twoTables(): FakeCollection {
	const collection = new FakeCollection()
	collection.createTable('dir/one', NARROW, ['id'])
	collection.createTable('two', NARROW, ['id'])
	for (let id = 0; id < 50; id++) {
		for (const path of ['dir/one', 'two']) {
			collection.write('replace', path, row(id, { a: `text_value: "r${id}"`, b: `int64_value: ${id}` }))
		}
	}
	return collection
}

test('every link is a backup of its own and comes back as the tables were, with what is known of them beside the rows', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection, repository } = shipping
	const truths: Truth[] = []
	const link = (kind: 'full' | 'incremental'): void => {
		collection.backup(kind)
		truths.push(collection.truth())
	}
	link('full')
	collection.write('upsert', 'dir/one', row(3, { a: 'text_value: "changed"' }))
	collection.write('upsert', 'dir/one', row(3, { b: 'int64_value: -1' }))
	collection.write('upsert', 'two', row(999, { a: 'text_value: "new"' }))
	collection.erase('two', row(7))
	collection.erase('two', row(7777))
	link('incremental')
	link('incremental')
	collection.write('upsert', 'two', row(1, { b: 'int64_value: 5' }))
	collection.erase('two', row(1))
	collection.write('upsert', 'two', row(1, { a: 'text_value: "again"' }))
	collection.write('replace', 'two', row(2, { c: 'bytes_value: "\\377\\000"' }))
	link('incremental')
	const ofIndex = '__ydb_backup_meta/indexes/two/by_a/indexImplTable'
	collection.made[1]!.ofIndexes.set(ofIndex, collection.made[1]!.tables.get('two')!)

	const result = await shipping.ship()
	expect(result).toMatchObject({ outcome: 'complete', collection: 'nightly', warnings: [] })
	expect(states(result)).toEqual(['shipped', 'shipped', 'shipped', 'shipped'])
	const ids = idsOf(result)
	for (const [at, id] of ids.entries()) {
		expect(await shipping.restored(id), `link ${at}`).toEqual(truths[at])
		expect(await shipping.verified(id)).toEqual([])
		const { manifest } = await repository.read(id)
		const name = collection.made[at]!.link.name
		expect(manifest.source.collection).toMatchObject({ name: 'nightly', link: name })
		expect(manifest).toMatchObject({
			kind: at === 0 ? 'full' : 'incremental',
			snapshotBefore: collection.made[at]!.link.before,
			notes: [],
		})
		expect(manifest.parent?.id).toBe(ids[at - 1])
		expect(manifest.objects.map(({ path, countedByServer }) => [path, countedByServer])).toEqual([
			['dir', undefined],
			['dir/one', true],
			['two', true],
			...(at === 1 ? [[ofIndex, true]] : []),
		])
		expect(manifest.objects.filter(({ kind }) => kind === 'index-changes')).toHaveLength(at === 1 ? 1 : 0)
	}
	expect((await repository.readObjects((await repository.read(ids[3]!)).manifest)).links).toMatchObject({
		'001': { isNew: false, columns: { 2: 'a', 3: 'b', 4: 'c' } },
	})
	// The changes of an index are read by nobody but the server's own RESTORE, and looked at all the same.
	const { manifest } = await repository.read(ids[1]!)
	const { prefix } = manifest.objects.find(({ kind }) => kind === 'index-changes')!
	const file = manifest.files.find(({ role, object }) => role === 'data' && object === prefix)!
	await shipping.storage.put(file.key, Buffer.alloc(file.size))
	for (const id of [ids[1]!, ids[3]!]) {
		expect(await shipping.verified(id)).toEqual([expect.stringContaining(file.key)])
		await shipping.restored(id)
	}
	const again = await shipping.ship()
	expect(states(again)).toEqual(['earlier', 'earlier', 'earlier', 'present'])
	expect(await repository.ids()).toEqual(ids)
	const { before } = collection.made[2]!.link
	expect((await repository.readAt(new Date(Date.parse(before) + 60_000))).manifest.id).toBe(ids[2])
	expect(await repository.runs()).toEqual([])
})

const WIDE_KEY: readonly FakeColumn[] = [
	{ name: 'k01', type: 'BOOL' },
	{ name: 'v', type: 'JSON' },
	{ name: 'k02', type: 'INT8' },
	{ name: 'k03', type: 'UINT16' },
	{ name: 'k04', type: 'INT32' },
	{ name: 'k05', type: 'UINT32' },
	{ name: 'k06', type: 'INT64' },
	{ name: 'k07', type: 'UINT64' },
	{ name: 'k08', type: 'STRING' },
	{ name: 'w', type: 'DOUBLE' },
	{ name: 'k09', type: 'UTF8' },
	{ name: 'k10', type: 'DATE' },
	{ name: 'k11', type: 'TIMESTAMP' },
	{ name: 'k12', type: 'INTERVAL' },
	{ name: 'k13', type: 'UUID' },
	{ name: 'k14', type: 'decimal_type { precision: 22 scale: 9 }' },
]
const KEY_CELLS: Record<string, readonly string[]> = {
	k01: ['bool_value: false', 'bool_value: true'],
	k02: ['int32_value: -128', 'int32_value: 127'],
	k03: ['uint32_value: 65535'],
	k04: ['int32_value: -2147483648', 'int32_value: 0'],
	k05: ['uint32_value: 4294967295'],
	k06: ['int64_value: -9223372036854775808', 'int64_value: 1'],
	k07: ['uint64_value: 18446744073709551615'],
	k08: ['bytes_value: ""', 'bytes_value: "\\000\\377,\\"\\n"'],
	k09: ['text_value: ""', 'text_value: "ключ"'],
	k10: ['uint32_value: 19000'],
	k11: ['uint64_value: 1700000000000001'],
	k12: ['int64_value: -1'],
	k13: ['low_128: 5 high_128: 6', 'low_128: 6 high_128: 5'],
	k14: ['low_128: 18446744073709551615 high_128: 18446744073709551615', 'low_128: 1'],
}

const cellOf = (name: string): fc.Arbitrary<string> => fc.constantFrom(NULL, ...KEY_CELLS[name]!)
const wideKey = fc.record(Object.fromEntries(Object.keys(KEY_CELLS).map((name) => [name, cellOf(name)])))
const wideValues = fc.record(
	{ v: fc.constantFrom(NULL, 'text_value: "{}"'), w: fc.constantFrom(NULL, 'double_value: 0.5', 'double_value: -0') },
	{ requiredKeys: [] },
)
const narrowValues = fc.record(
	{
		a: fc.constantFrom(NULL, 'text_value: "x"', 'text_value: ""'),
		b: fc.integer({ min: -2, max: 2 }).map((value) => `int64_value: ${value}`),
		c: fc.constantFrom(NULL, 'bytes_value: "\\000"'),
	},
	{ requiredKeys: [] },
)
const statement = fc.oneof(
	fc.record({
		do: fc.constantFrom('upsert' as const, 'replace' as const, 'erase' as const),
		path: fc.constantFrom('dir/one', 'two'),
		id: fc.nat(60),
		values: narrowValues,
	}),
	fc.record({
		do: fc.constantFrom('upsert' as const, 'replace' as const, 'erase' as const),
		path: fc.constant('wide' as const),
		key: wideKey,
		values: wideValues,
	}),
)

/** More in `npm run soak`. */
const RUNS = Number(process.env['SOAK_RUNS'] ?? 60)

test(
	'whatever is written between links, every link of two chains comes back byte for byte',
	{ timeout: 60_000 + RUNS * 2_000 },
	async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.record({ isFull: fc.boolean(), statements: fc.array(statement, { maxLength: 40 }) }), {
					minLength: 1,
					maxLength: 6,
				}),
				fc.integer({ min: 1, max: 30 }),
				async (links, chunkRows) => {
					const collection = twoTables()
					collection.chunkRows = chunkRows
					collection.createTable('wide', WIDE_KEY, Object.keys(KEY_CELLS))
					const shipping = await Shipping.begin(collection)
					const truths: Truth[] = []
					const ids: string[] = []
					for (const [at, { isFull, statements }] of [{ isFull: true, statements: [] }, ...links].entries()) {
						for (const each of statements) {
							const key = 'key' in each ? each.key : row(each.id)
							if (each.do === 'erase') collection.erase(each.path, key)
							else collection.write(each.do, each.path, { ...key, ...each.values })
						}
						collection.backup(isFull ? 'full' : 'incremental')
						truths.push(collection.truth())
						// Some are shipped one by one, some together.
						if (at % 2 === 0 || at === links.length) {
							const result = await shipping.ship()
							expect(result.outcome).toBe('complete')
							ids.push(...result.links.flatMap(({ state, id }) => (state === 'shipped' ? id! : [])))
						}
					}
					expect(ids).toHaveLength(truths.length)
					for (const [at, id] of ids.entries()) expect(await shipping.restored(id)).toEqual(truths[at])
				},
			),
			{ numRuns: RUNS },
		)
	},
)

test('a chain of 48 links is shipped, verified and restored to its last', { timeout: 60_000 }, async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection } = shipping
	for (let at = 0; at < 48; at++) {
		collection.write('upsert', 'two', row(at, { a: `text_value: "link ${at}"` }))
		collection.erase('dir/one', row(at))
		collection.backup(at === 0 ? 'full' : 'incremental')
	}
	const result = await shipping.ship()
	const ids = idsOf(result)
	expect(new Set(states(result))).toEqual(new Set(['shipped']))
	expect(ids).toHaveLength(48)
	expect(await shipping.verified(ids[47]!)).toEqual([])
	expect(await shipping.restored(ids[47]!)).toEqual(collection.truth())
})

test(
	'behind whichever put a process dies, the next one ships the rest, and no link is there twice or in part',
	{ timeout: 60_000 },
	async () => {
		const collection = twoTables()
		collection.backup('full')
		collection.write('upsert', 'two', row(1, { a: 'text_value: "x"' }))
		collection.backup('incremental')
		async function crashBehind(nth: number): Promise<{ shipping: Shipping; puts: number; isDone: boolean }> {
			const shipping = await Shipping.begin(collection)
			let puts = 0
			const assertAlive = (): void => {
				if (puts >= nth) throw new BackupError('STORAGE_PERMANENT', 'the process is dead')
			}
			const mortal = intercept(shipping.storage, {
				async put(key, body, options, next) {
					assertAlive()
					const info = await next(key, body, options)
					puts++
					return info
				},
				async get(key, options, next) {
					assertAlive()
					return next(key, options)
				},
				async stat(key, next) {
					assertAlive()
					return next(key)
				},
				async delete(key, next) {
					assertAlive()
					return next(key)
				},
			})
			const repository = await Repository.open(mortal)
			const isDone = await shipping.ship({ repository, concurrency: 1 }).then(
				() => true,
				() => false,
			)
			return { shipping, puts, isDone }
		}
		const whole = await crashBehind(Number.POSITIVE_INFINITY)
		expect(whole.isDone).toBe(true)
		for (let nth = 1; nth < whole.puts; nth++) {
			const { shipping, isDone } = await crashBehind(nth)
			expect({ nth, isDone }).toEqual({ nth, isDone: false })
			const { repository, storage } = shipping
			for (const id of await repository.ids()) expect(await shipping.verified(id)).toEqual([])
			const result = await shipping.ship()
			expect(result).toMatchObject({ outcome: 'complete' })
			const ids = await repository.ids()
			expect(ids).toHaveLength(2)
			expect(await shipping.verified(ids[1]!)).toEqual([])
			expect(await repository.runs()).toEqual([])
			for await (const { key } of storage.list('backups/')) expect(ids).toContain(key.split('/')[1])
		}
		expect(await whole.shipping.restored('latest')).toEqual(collection.truth())
	},
)

test('a run of another machine is named and left alone', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { repository, collection } = shipping
	collection.backup('full')
	const record = { database: '/local', workDirectory: '~none', startedAt: '2026-11-01T00:00:00.000Z', pid: 1 }
	await repository.startRun('20261101T000000Z-aaaa', { ...record, host: `${hostname()}-other`, collection: 'nightly' })
	await repository.startRun('20261101T000000Z-bbbb', { ...record, host: hostname() })
	const { warnings } = await shipping.ship()
	expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('20261101T000000Z-aaaa')])
	expect(await repository.runs()).toHaveLength(2)
})

test('a link without the change table of a member is refused by its name, and so is what builds upon it, until a full one', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection } = shipping
	for (const kind of ['full', 'incremental', 'incremental', 'incremental', 'full', 'incremental'] as const)
		collection.backup(kind)
	collection.made[2]!.tables.delete('dir/one')
	const result = await shipping.ship()
	expect(states(result)).toEqual(['shipped', 'shipped', 'refused', 'refused', 'shipped', 'shipped'])
	expect(result.outcome).toBe('partial')
	expect(result.links[2]!.reason).toMatchObject({ code: 'CHAIN_BROKEN', message: expect.stringMatching(/dir\/one/u) })
	expect(result.links[3]!.reason!.message).toContain(result.links[2]!.link)
	expect(await shipping.ship()).toMatchObject({ outcome: 'complete' })
})

test('what is no link of the chain is refused with its reason', async () => {
	async function refusal(prepare: (collection: FakeCollection) => void): Promise<string> {
		const shipping = await Shipping.begin(twoTables())
		const { collection } = shipping
		collection.backup('full')
		await shipping.ship()
		prepare(collection)
		const result = await shipping.ship()
		const last = result.links.at(-1)!
		expect(last.state).toBe('refused')
		expect(await shipping.repository.ids()).toHaveLength(
			result.links.filter(({ state }) => state !== 'refused').length || 1,
		)
		return last.reason!.message
	}
	const increment = (collection: FakeCollection): void => {
		collection.write('upsert', 'two', row(1, { a: 'text_value: "x"' }))
		collection.backup('incremental')
	}
	expect(
		await refusal((collection) => {
			collection.createTable('three', NARROW, ['id'])
			increment(collection)
		}),
	).toMatch(/three/u)
	expect(
		await refusal((collection) => {
			increment(collection)
			collection.made.shift()
		}),
	).toMatch(/not in the cluster/u)
	expect(
		await refusal((collection) => {
			increment(collection)
			collection.made[1]!.progress = 'failed'
		}),
	).toMatch(/failed/u)
	// Two columns of one id: the map would be a guess.
	expect(
		await refusal((collection) => {
			collection.tables.get('two')!.ids.set('b', 2)
			increment(collection)
		}),
	).toMatch(/names one column twice/u)
	expect(
		await refusal((collection) => {
			collection.write('upsert', 'two', row(1, { a: 'text_value: "x"' }))
			collection.write('upsert', 'two', row(2, { a: 'text_value: "x"' }))
			const made = collection.backup('incremental')
			const before = made.tables.get('two')!.frames
			collection.tables.get('two')!.ids.set('a', 9)
			collection.write('upsert', 'two', row(2, { a: 'text_value: "x"' }))
			const other = collection.backup('incremental').tables.get('two')!.frames
			collection.made.pop()
			before.splice(1, 1, other[0]!)
		}),
	).toMatch(/column id/u)
	expect(
		await refusal((collection) => {
			const two = collection.tables.get('two')!
			two.drop('a')
			two.add({ name: 'a', type: 'UTF8' })
			increment(collection)
		}),
	).toMatch(/dropped and added again/u)
	expect(
		await refusal((collection) => {
			collection.tables.get('two')!.add({ name: 'd', type: 'INT32', more: 'from_literal { value { int32_value: 5 } }' })
			increment(collection)
		}),
	).toMatch(/column d was added with a value/u)
	expect(
		await refusal((collection) => {
			collection.tables.get('two')!.add({ name: 'd', type: 'INT32' })
			increment(collection)
			collection.tables.get('two')!.add({ name: 'e', type: 'INT32' })
		}),
	).toMatch(/neither those of the link before nor those that it has now/u)
})

test('columns that come, go or get another type between links are carried, whatever their ids are', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection } = shipping
	const two = collection.tables.get('two')!
	// A hole in the ids, from before the chain.
	two.drop('b')
	two.add({ name: 'd', type: 'INT32' })
	const truths: Truth[] = []
	const ids: string[] = []
	async function link(kind: 'full' | 'incremental'): Promise<void> {
		collection.backup(kind)
		truths.push(collection.truth())
		const result = await shipping.ship()
		expect(result.links.map(({ reason }) => reason)).toEqual(result.links.map(() => undefined))
		ids.push(...idsOf(result).slice(-1))
	}
	collection.write('upsert', 'two', row(1, { d: 'int32_value: 1', c: 'bytes_value: "c"' }))
	await link('full')
	collection.write('upsert', 'two', row(1, { d: 'int32_value: 2' }))
	await link('incremental')
	two.drop('c')
	two.add({ name: 'e', type: 'UTF8' })
	collection.write('upsert', 'two', row(2, { e: 'text_value: "e"' }))
	await link('incremental')
	await link('incremental')
	two.drop('d')
	two.add({ name: 'd', type: 'UINT64' })
	collection.write('upsert', 'two', row(3, { d: 'uint64_value: 7' }))
	await link('incremental')
	const manifest = (await shipping.repository.read(ids[2]!)).manifest
	expect((await shipping.repository.readObjects(manifest)).links).toMatchObject({
		'002': { columns: { 2: 'a', 5: 'd', 6: 'e' } },
	})
	for (const [at, id] of ids.entries()) expect(await shipping.restored(id), `link ${at}`).toEqual(truths[at])

	// Dropped and added again with the same type: another id, so another column.
	two.drop('e')
	two.add({ name: 'e', type: 'UTF8' })
	collection.write('upsert', 'two', row(2, { e: 'text_value: "f"' }))
	collection.backup('incremental')
	const result = await shipping.ship()
	expect(result.links.at(-1)).toMatchObject({ state: 'refused', reason: { code: 'CHAIN_BROKEN' } })
	expect(result.links.at(-1)!.reason!.message).toContain('column e was dropped and added again')
})

test('a value that is marked unchanged and is there all the same makes a link suspect, by name, from there on', async () => {
	const collection = twoTables()
	collection.merges = false
	const shipping = await Shipping.begin(collection)
	const truths: Truth[] = []
	collection.backup('full')
	truths.push(collection.truth())
	collection.write('upsert', 'two', row(1, { a: 'text_value: "first"' }))
	collection.write('upsert', 'two', row(1, { b: 'int64_value: 2' }))
	collection.backup('incremental')
	truths.push(collection.truth())
	collection.backup('incremental')
	truths.push(collection.truth())
	const result = await shipping.ship()
	expect(result).toMatchObject({ outcome: 'partial' })
	expect(states(result)).toEqual(['shipped', 'shipped', 'shipped'])
	expect(result.links.map(({ suspects }) => suspects.map(({ path }) => path))).toEqual([[], ['two'], []])
	const ids = idsOf(result)
	for (const [at, id] of ids.entries()) {
		for (const level of ['quick', 'full'] as const) {
			const findings = await shipping.verified(id, level)
			if (at === 0) expect(findings).toEqual([])
			else
				expect(findings[0]).toMatch(new RegExp(`CHAIN_BROKEN two of ${ids[1]}: 1 values are marked as unchanged`, 'u'))
		}
		// The other table is as good as ever.
		expect(await shipping.restored(id, ['dir/**'])).toEqual({ 'dir/one': truths[at]!['dir/one'] })
	}
	await expect(shipping.restored(ids[2]!)).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
})

test('a link that the server is still writing waits, and is shipped when it is done', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection } = shipping
	collection.backup('full')
	const made = collection.backup('incremental')
	made.progress = 'running'
	const first = await shipping.ship()
	expect({ states: states(first), outcome: first.outcome }).toEqual({
		states: ['shipped', 'running'],
		outcome: 'partial',
	})
	setTimeout(() => (made.progress = 'complete'), 50)
	expect(states(await shipping.ship({ waitMs: 10_000 }))).toEqual(['present', 'shipped'])
})

test('a dry run ships nothing', async () => {
	const shipping = await Shipping.begin(twoTables())
	shipping.collection.backup('full')
	shipping.collection.backup('incremental')
	expect(states(await shipping.ship({ dryRun: true }))).toEqual(['planned', 'planned'])
	expect(await shipping.repository.ids()).toEqual([])
})

test('old chains are dropped in the cluster whole, from their ends, and only when they are shipped and can be read', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection, repository, storage } = shipping
	for (let chain = 0; chain < 3; chain++) {
		for (const kind of ['full', 'incremental', 'incremental'] as const) collection.backup(kind)
	}
	const names = collection.made.map(({ link }) => link.name)
	const prune = async (keepChains?: number): Promise<string[]> =>
		(await pruneCollection({ source: collection, repository, keepChains })).chains.map(({ state }) => state)
	expect(await prune()).toEqual(['refused', 'refused', 'kept'])
	await shipping.ship()
	// A damaged file in the second chain.
	const { manifest } = await repository.read((await repository.ids())[3]!)
	const { key, size } = manifest.files.find(({ role }) => role === 'data')!
	const chunks: Uint8Array[] = []
	for await (const chunk of (await storage.get(key)).bytes) chunks.push(chunk)
	await storage.put(key, Buffer.alloc(size))
	expect(await prune(2)).toEqual(['dropped', 'kept', 'kept'])
	expect(collection.calls.filter((call) => call.startsWith('drop'))).toEqual([2, 1, 0].map((at) => `drop ${names[at]}`))
	expect(await prune()).toEqual(['refused', 'kept'])
	await storage.put(key, Buffer.concat(chunks))
	expect(await prune()).toEqual(['dropped', 'kept'])
	expect(collection.made.map(({ link }) => link.name)).toEqual(names.slice(6))
	expect(states(await shipping.ship())).toEqual(['earlier', 'earlier', 'present'])
	await expect(prune(0)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('a link whose name does not stand where its time does is refused, and so is what builds upon it', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection } = shipping
	const hour = 3600
	collection.backup('full', 0)
	collection.backup('incremental', 2 * hour)
	await shipping.ship()
	// The clock goes back by an hour and a half: the link is younger than the newest shipped one, and its name is not.
	const stray = collection.backup('incremental', 3 * hour, 1.5 * hour)
	collection.backup('incremental', 4 * hour)
	collection.made.sort((a, b) => (a.link.name < b.link.name ? -1 : 1))
	const result = await shipping.ship()
	expect(states(result)).toEqual(['earlier', 'refused', 'present', 'refused'])
	expect(result.links[1]).toMatchObject({ link: stray.link.name, reason: { message: expect.stringMatching(/clock/u) } })
	collection.backup('full', 5 * hour)
	expect(states(await shipping.ship())).toEqual(['earlier', 'refused', 'present', 'refused', 'shipped'])

	const other = await Shipping.begin(twoTables())
	other.collection.backup('full', 0)
	other.collection.backup('incremental', 3 * hour, hour)
	other.collection.backup('incremental', 2 * hour)
	expect(states(await other.ship())).toEqual(['shipped', 'refused', 'refused'])

	// The full backup is right by itself; what stands behind it by name lacks what came between.
	const third = await Shipping.begin(twoTables())
	third.collection.backup('incremental', 2 * hour, hour)
	third.collection.backup('full', hour, 2 * hour)
	third.collection.backup('incremental', 3 * hour)
	expect(states(await third.ship())).toEqual(['refused', 'shipped', 'refused'])
})

test('of two runs that ship one link at once, one lists it and the other one says so', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection, repository } = shipping
	collection.backup('full')
	let hasBegun = false
	const slow = intercept(shipping.storage, {
		async put(key, body, options, next) {
			if (!hasBegun && key.startsWith('backups/')) {
				hasBegun = true
				expect(await shipping.ship()).toMatchObject({ outcome: 'complete' })
			}
			return next(key, body, options)
		},
	})
	await expect(shipping.ship({ repository: await Repository.open(slow) })).rejects.toMatchObject({
		code: 'BACKUP_ID_CONFLICT',
		message: expect.stringContaining(collection.made[0]!.link.name),
	})
	expect(await repository.ids()).toHaveLength(1)
	expect(await shipping.verified('latest')).toEqual([])
	expect(await repository.runs()).toEqual([])
})

test('an increment by comparison can be made upon a shipped link', async () => {
	const shipping = await Shipping.begin(twoTables())
	const { collection, repository } = shipping
	collection.backup('full')
	collection.write('upsert', 'two', row(1, { a: 'text_value: "x"' }))
	collection.backup('incremental')
	const { links } = await shipping.ship()
	const database = new FakeDatabase('/local')
	await restore({ sink: database, repository, id: 'latest', existing: 'fail' })
	database.deleteRow('two', keyOf(1))
	const { tables, warnings, id } = await backup({
		source: database,
		repository,
		tool: TOOL,
		parent: 'latest',
		clock: shipping.clock,
	})
	expect(tables.map(({ path, rows }) => [path, rows])).toEqual([
		['dir/one', 0],
		['two', 1],
	])
	expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('nightly')])
	expect((await shipping.restored(id))['two']).toHaveLength(49)
	expect(await shipping.verified(id)).toEqual([])
	collection.backup('incremental')
	const { manifest } = await repository.read((await shipping.ship()).links.at(-1)!.id!)
	expect(manifest.parent?.id).toBe(links[1]!.id)
})
