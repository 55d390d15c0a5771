import { isBackupError, type Storage } from '@ydbackup/core'
import { layout, parseProtoText } from '@ydbackup/format'
import { concatBytes, lengthDelimited, TAG_ITEMS, valueFromText } from '@ydbackup/rows'
import { openMemory } from '@ydbackup/storage'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { BackupResult } from '../src/index.ts'
import { FakeDatabase } from './fake-database.ts'
import { keyOf, permissionsOf, rowFrame, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, type World } from './world.ts'

type Picture = Record<string, unknown>

/** Takes backups a second apart each, as their names need it. */
function backups(world: World): (parent?: string, more?: object) => Promise<BackupResult> {
	let second = 0
	return (parent, more = {}) => {
		const now = new Date(Date.UTC(2026, 10, 23, 2, 15, second++))
		return world.backup({ clock: () => now, ...(parent === undefined ? {} : { parent }), ...more })
	}
}

async function restored(world: World, id: string): Promise<Picture> {
	const target = new FakeDatabase('/local')
	expect(await world.restore(target, { id, verifyData: true })).toMatchObject({ outcome: 'complete', problems: [] })
	return target.picture()
}

function pictureOf(database: FakeDatabase): Picture {
	const entries = Object.entries(database.picture())
	return Object.fromEntries(entries.filter(([, node]) => (node as { kind: string }).kind !== 'resource-pool'))
}

const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
	work.then(
		() => 'nothing thrown',
		(error: unknown) => (isBackupError(error) ? [error.code, error.reason] : error),
	)

/** Other columns than `schemeOf`: another order, one gone, one new. */
const RESHAPED = parseProtoText(
	`columns { name: "fresh" type { optional_type { item { type_id: INT64 } } } }
	columns { name: "id" type { type_id: UINT64 } not_null: true }
	columns { name: "name" type { optional_type { item { type_id: UTF8 } } } }
	primary_key: "id"`,
	'a scheme',
)
const reshapedRow = (id: number, fresh: number): Uint8Array =>
	lengthDelimited(
		TAG_ITEMS,
		concatBytes(
			[`int64_value: ${fresh}`, `uint64_value: ${id}`, `text_value: "n${id}"`].map((text) =>
				lengthDelimited(TAG_ITEMS, valueFromText(parseProtoText(text, 'a cell'))),
			),
		),
	)

test('an increment holds what changed and nothing else, and every link comes back as it was', async () => {
	const world = await createWorld()
	const take = backups(world)
	const { database } = world
	const pictures: Picture[] = []
	const ids: string[] = []
	async function link(parent?: string): Promise<BackupResult> {
		const result = await take(parent)
		ids.push(result.id)
		pictures.push(pictureOf(database))
		return result
	}

	await link()
	database.putRows('dir/sub/split', [rowFrame([5, 'five', 5]), rowFrame([1000, 'new', 1])])
	database.deleteRow('dir/sub/split', keyOf(7))
	const second = await link('latest')
	expect(second.tables.map(({ path, rows }) => [path, rows])).toEqual([
		['dir/sub/split', 3],
		['none', 0],
		['plain', 0],
	])
	expect(second.manifest).toMatchObject({ kind: 'incremental', parent: { id: ids[0] } })

	database.addTable('dir/sub/joined', schemeOf({ splits: [10] }), rowsUpTo(20), permissionsOf('bob'))
	database.nodes.delete('none')
	await link('latest')
	database.addTable('plain', RESHAPED, [])
	database.putRows('plain', [reshapedRow(1, 1), reshapedRow(1001, 2)])
	database.addTable('none', schemeOf(), rowsUpTo(3))
	await link('latest')
	database.deleteRow('dir/sub/joined', keyOf(3))
	database.addDirectory('later', permissionsOf('eve'))
	await link('latest')

	for (const [at, id] of ids.entries()) {
		expect(await restored(world, id), `link ${at}`).toEqual(pictures[at])
		for (const level of ['quick', 'full'] as const) {
			const report = await world.verify(level, id)
			expect(report).toMatchObject({ ok: true, findings: [], links: ids.slice(0, at + 1) })
		}
	}
	expect(database.copies.size).toBe(0)
})

/** More in `npm run soak`. */
const RUNS = Number(process.env['SOAK_RUNS'] ?? 60)

test('whatever happens between links, each comes back byte for byte', { timeout: 60_000 + RUNS * 2_000 }, async () => {
	const change = fc.oneof(
		fc.record({
			do: fc.constant('put' as const),
			id: fc.nat(400),
			name: fc.constantFrom(null, 'a', 'b'),
			weight: fc.nat(3),
		}),
		fc.record({ do: fc.constant('delete' as const), id: fc.nat(400) }),
		fc.record({ do: fc.constantFrom('drop' as const, 'create' as const, 'reshape' as const) }),
	)
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.array(change, { maxLength: 60 }), { minLength: 1, maxLength: 5 }),
			fc.integer({ min: 1, max: 50 }),
			fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
			async (links, chunkRows, kept) => {
				const world = await createWorld()
				const { database } = world
				database.faults.chunkRows = chunkRows
				const take = backups(world)
				const [first] = kept
				const states: [string, Picture][] = [[(await take(undefined, { keepCopy: first })).id, pictureOf(database)]]
				let isReshaped = false
				for (const changes of links) {
					for (const each of changes) {
						const exists = database.nodes.has('plain')
						if (each.do === 'put' && exists) {
							const { id, name, weight } = each
							database.putRows('plain', [isReshaped ? reshapedRow(id, weight) : rowFrame([id, name, weight])])
						} else if (each.do === 'delete' && exists) database.deleteRow('plain', keyOf(each.id))
						else if (each.do === 'drop') database.nodes.delete('plain')
						else if (each.do === 'create' || each.do === 'reshape') {
							isReshaped = each.do === 'reshape'
							database.addTable('plain', isReshaped ? RESHAPED : schemeOf({ splits: [50] }), [])
						}
					}
					const keepCopy = kept[states.length]
					states.push([(await take('latest', { keepCopy })).id, pictureOf(database)])
				}
				for (const [id, picture] of states) expect(await restored(world, id)).toEqual(picture)
			},
		),
		{ numRuns: RUNS },
	)
})

test('a subset of a link goes to another path, and rows can be merged into a table that is there', async () => {
	const world = await createWorld()
	const take = backups(world)
	await take()
	world.database.putRows('plain', [rowFrame([5, 'five', 5])])
	const { id } = await take('latest')
	const target = new FakeDatabase('/local')
	const result = await world.restore(target, { id, include: ['plain'], to: '/local/copies', verifyData: true })
	expect(result.tables).toMatchObject([{ path: 'plain', target: 'copies/plain', rows: 121, isCompared: true }])
	target.deleteRow('copies/plain', keyOf(5))
	await world.restore(target, { id, include: ['plain'], to: '/local/copies', existing: 'merge' })
	expect(target.rowCount('copies/plain')).toBe(121)
})

test('an increment takes what its parent took, and nothing else can be asked for', async () => {
	const world = await createWorld()
	const take = backups(world)
	await take(undefined, { paths: ['dir'], exclude: ['dir/empty'] })
	world.database.addTable('dir/more', schemeOf(), rowsUpTo(3))
	const { manifest } = await take('latest')
	expect(manifest!.objects.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
		'directory dir',
		'directory dir/sub',
		'change-table dir/more',
		'change-table dir/sub/split',
	])
	const third = await take('latest')
	expect(third.manifest!.objects).toHaveLength(4)
	expect(await codeOf(take('latest', { paths: ['plain'] }))).toEqual(['CONFIG_INVALID', undefined])
	expect(await codeOf(take('20200101T000000Z-aaaa'))).toEqual(['BACKUP_NOT_FOUND', undefined])
	const other = new FakeDatabase('/other')
	expect(await codeOf(take('latest', { source: other }))).toEqual(['CONFIG_INVALID', undefined])
})

/** A chain of a full backup and three increments, each with a change. */
async function chainOfFour(storage: Storage = openMemory()): Promise<{ world: World; ids: string[]; rows: number[] }> {
	const world = await createWorld(storage)
	const take = backups(world)
	const ids = [(await take()).id]
	const rows = [world.database.rowCount('plain')]
	for (let at = 1; at < 4; at++) {
		world.database.putRows('plain', [rowFrame([at, `link ${at}`, at]), rowFrame([5000 + at, 'new', at])])
		ids.push((await take('latest')).id)
		rows.push(world.database.rowCount('plain'))
	}
	return { world, ids, rows }
}

const dataKeyOf = async (world: World, id: string, path: string): Promise<string> => {
	const { manifest } = await world.repository.read(id)
	const { prefix } = manifest.objects.find((object) => object.path === path)!
	return manifest.files.find((file) => file.role === 'data' && file.object === prefix)!.key
}

test('a link that is gone or damaged breaks what builds upon it, by name, and nothing before it', async () => {
	const { world, ids } = await chainOfFour()
	const key = await dataKeyOf(world, ids[2]!, 'plain')
	const whole = await world.bytes(key)
	const manifest = await world.bytes(layout.manifestKey(ids[2]!))
	const fails = async (code: string): Promise<void> => {
		const target = new FakeDatabase('/local')
		expect(await codeOf(world.restore(target, { id: ids[3]! }))).toEqual(
			code === 'CHAIN_BROKEN' ? [code, 'gap'] : [code, undefined],
		)
		expect(target.nodes.has('plain')).toBe(false)
		const { ok, findings } = await world.verify('full', ids[3]!)
		expect({ ok, code: findings[0]?.code }).toEqual({ ok: false, code })
		expect(findings[0]!.message).toContain(ids[2]!)
		expect(await world.verify('full', ids[1]!)).toMatchObject({ ok: true })
		await restored(world, ids[1]!)
	}
	const flipped = Buffer.from(whole)
	flipped[flipped.length >> 1]! ^= 1
	await world.storage.put(key, flipped)
	await fails('OBJECT_DAMAGED')
	await world.storage.delete(key)
	await fails('OBJECT_MISSING')
	await world.storage.put(key, whole)
	await world.storage.delete(layout.manifestKey(ids[2]!))
	await fails('CHAIN_BROKEN')
	await world.storage.put(layout.manifestKey(ids[2]!), manifest)
	expect(await world.verify('full', ids[3]!)).toMatchObject({ ok: true })
})

test('no increment is made upon a chain that is damaged', async () => {
	const { world, ids } = await chainOfFour()
	const key = await dataKeyOf(world, ids[1]!, 'plain')
	await world.storage.put(key, Buffer.alloc((await world.bytes(key)).length))
	expect(await codeOf(world.backup({ parent: 'latest' }))).toEqual(['OBJECT_DAMAGED', undefined])
	expect((await world.repository.list()).map(({ id }) => id)).toEqual(ids)
	expect(world.database.copies.size).toBe(0)
	expect(await world.keys('runs/')).toEqual([])
})

test('rows that the copy loses while they are compared are noticed, and nothing is listed', async () => {
	const { world, ids } = await chainOfFour()
	world.database.faults.endReadsAfter = 10
	expect(await codeOf(world.backup({ parent: 'latest' }))).toEqual(['COUNT_MISMATCH', undefined])
	expect((await world.repository.list()).map(({ id }) => id)).toEqual(ids)
	expect(await world.keys(`backups/`)).toEqual(
		(await world.keys('backups/')).filter((key) => ids.some((id) => key.includes(id))),
	)
})
