import { isBackupError, type Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import * as fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'

import { FakeDatabase } from './fake-database.ts'
import { createWorld, World } from './world.ts'

let keys: string[]
let whole: Map<string, Uint8Array>
let id: string

beforeAll(async () => {
	const world = await createWorld()
	const result = await world.backup()
	id = result.id
	whole = new Map()
	for (const key of await world.keys()) whole.set(key, await world.bytes(key))
	keys = Array.from(whole.keys()).filter((key) => key.includes(id))
})

async function copyWith(change: ReadonlyMap<string, Uint8Array | undefined>): Promise<World> {
	const storage = openMemory()
	for (const [key, bytes] of whole) {
		const put = change.has(key) ? change.get(key) : bytes
		if (put !== undefined) await storage.put(key, put)
	}
	return openWorld(storage)
}

async function openWorld(storage: Storage): Promise<World> {
	const { Repository } = await import('@ydbackup/catalog')
	return new World(new FakeDatabase(), storage, await Repository.open(storage))
}

/** Verifies in full and restores: true when both find it whole, false when both do not; anything else fails the test. */
async function judge(world: World): Promise<boolean> {
	const report = await world.verify('full', id)
	expect(report.ok).toBe(report.findings.length === 0)
	const target = new FakeDatabase()
	target.addTable('bystander', [...(await scheme())], [])
	const error = await world.restore(target, { id, verifyData: true }).then(
		() => undefined,
		(thrown: unknown) => thrown,
	)
	if (error !== undefined) {
		expect(isBackupError(error) && error.kind).toBe('damaged')
		const left = [...target.nodes.keys()].filter((path) => path !== 'bystander')
		for (const path of left.filter((one) => target.nodes.get(one)?.kind === 'row-table')) {
			expect(target.rowCount(path)).toBe({ plain: 120, none: 0 }[path] ?? 300)
		}
	}
	expect({ verify: report.ok }).toEqual({ verify: error === undefined })
	return report.ok
}

async function scheme(): Promise<ReturnType<typeof import('./row-bytes.ts').schemeOf>> {
	return (await import('./row-bytes.ts')).schemeOf()
}

test('an untouched backup is found whole by verify and by restore', async () => {
	expect(await judge(await copyWith(new Map()))).toBe(true)
})

test('whatever single file is gone, cut, longer, empty or has one bit flipped: verify finds it and restore refuses it', async () => {
	const damage = fc.record({
		key: fc.constantFrom(...keys),
		how: fc.constantFrom('gone', 'cut', 'longer', 'empty', 'flip'),
		at: fc.nat(),
		bit: fc.nat(7),
	})
	await fc.assert(
		fc.asyncProperty(damage, async ({ key, how, at, bit }) => {
			const bytes = Buffer.from(whole.get(key) ?? [])
			const damaged = apply(bytes, how, at, bit)
			fc.pre(damaged === undefined || !damaged.equals(bytes))
			const world = await copyWith(new Map([[key, damaged]]))
			if (key.endsWith('/manifest.json')) return expectNoManifest(world, damaged === undefined)
			expect(await judge(world)).toBe(false)
			const report = await world.verify('full', id)
			expect(report.findings.map((finding) => finding.key)).toContain(key)
			if (how !== 'flip')
				expect((await world.verify('quick', id)).findings.map((finding) => finding.key)).toEqual([key])
		}),
		{ numRuns: 150 },
	)
})

test('every file once: a flipped bit and a missing file are found by verify and refused by restore', async () => {
	for (const key of keys.filter((one) => !one.endsWith('/manifest.json'))) {
		const bytes = Buffer.from(whole.get(key) ?? [])
		expect(await judge(await copyWith(new Map([[key, undefined]])))).toBe(false)
		if (bytes.length > 0)
			expect(await judge(await copyWith(new Map([[key, apply(bytes, 'flip', bytes.length >> 1, 2)]])))).toBe(false)
	}
})

test('two files of the same size that changed places are found', async () => {
	const files = keys.filter((key) => !key.endsWith('/manifest.json'))
	let pairs = 0
	for (const [index, one] of files.entries()) {
		for (const other of files.slice(index + 1)) {
			const [a, b] = [whole.get(one), whole.get(other)]
			if (a?.length !== b?.length || a === undefined || b === undefined || Buffer.from(a).equals(b)) continue
			pairs++
			expect(
				await judge(
					await copyWith(
						new Map([
							[one, b],
							[other, a],
						]),
					),
				),
			).toBe(false)
		}
	}
	expect(pairs).toBeGreaterThan(0)
})

test('verify collects every finding, and leaves no damaged table out of its report because of another', async () => {
	const data = keys.filter((key) => key.includes('/data_') && (whole.get(key)?.length ?? 0) > 0)
	const changes = new Map(data.map((key) => [key, apply(Buffer.from(whole.get(key) ?? []), 'flip', 9, 1)]))
	const world = await copyWith(changes)
	const report = await world.verify('full', id)
	expect(report.findings.map((finding) => finding.key).toSorted()).toEqual(data.toSorted())
})

test('damage of one table does not stop the restore of another', async () => {
	const manifest = JSON.parse(Buffer.from(whole.get(`catalog/${id}/manifest.json`) ?? []).toString()) as {
		objects: { path: string; prefix?: string }[]
	}
	const prefix = manifest.objects.find((object) => object.path === 'plain')?.prefix
	const changes = new Map(keys.filter((key) => key.includes(`/${prefix}/`)).map((key) => [key, undefined]))
	const world = await copyWith(changes)
	const target = new FakeDatabase()
	const refused = world.restore(target, { id })
	await expect(refused).rejects.toMatchObject({ code: 'OBJECT_MISSING', advice: expect.stringContaining('plain') })
	expect(target.nodes.size).toBe(0)
	await world.restore(target, { id, exclude: ['plain'] })
	expect(target.rowCount('dir/sub/split')).toBe(300)
})

test("files that only YDB's own import needs can be given up, others cannot", async () => {
	const sidecar = keys.find((key) => key.endsWith('data_00.csv.sha256')) ?? ''
	const world = await copyWith(new Map([[sidecar, undefined]]))
	const report = await world.verify('full', id)
	expect(report.findings).toMatchObject([{ key: sidecar, severity: 'native', code: 'OBJECT_MISSING' }])
	await expect(world.restore(new FakeDatabase(), { id })).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
	const target = new FakeDatabase()
	const result = await world.restore(target, { id, acceptNativeDamage: true })
	expect(result.warnings).toHaveLength(1)
	expect(target.rowCount('plain')).toBe(120)
})

test('damaged rows never reach a table that was there before', async () => {
	const key = keys.find((one) => one.includes('/003/data_00')) ?? ''
	const bytes = Buffer.from(whole.get(key) ?? [])
	const world = await copyWith(new Map([[key, apply(bytes, 'flip', bytes.length - 3, 0)]]))
	const { schemeOf } = await import('./row-bytes.ts')
	const target = new FakeDatabase()
	target.addTable('plain', schemeOf(), [[7, 'mine', 7]])
	await expect(world.restore(target, { id, existing: 'merge', include: ['plain'] })).rejects.toMatchObject({
		kind: 'damaged',
	})
	expect(target.rowCount('plain')).toBe(1)
	expect(target.calls.filter((call) => call.startsWith('openWriter'))).toEqual([])
})

function apply(bytes: Buffer, how: string, at: number, bit: number): Buffer | undefined {
	if (how === 'gone') return undefined
	if (how === 'cut') return bytes.subarray(0, Math.max(0, bytes.length - 1 - (at % 5)))
	if (how === 'longer') return Buffer.concat([bytes, Buffer.from('x')])
	if (how === 'empty') return Buffer.alloc(0)
	const copy = Buffer.from(bytes)
	const place = copy.length === 0 ? 0 : at % copy.length
	if (copy.length > 0) copy[place] = (copy[place] ?? 0) ^ (1 << bit)
	return copy
}

async function expectNoManifest(world: World, isGone: boolean): Promise<void> {
	const target = new FakeDatabase()
	await expect(world.restore(target, { id })).rejects.toMatchObject({ kind: isGone ? 'not-found' : 'damaged' })
	expect(target.nodes.size).toBe(0)
	if (isGone) await expect(world.verify('full', id)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
	else expect((await world.verify('quick', id)).findings).toMatchObject([{ key: `catalog/${id}/manifest.json` }])
}
