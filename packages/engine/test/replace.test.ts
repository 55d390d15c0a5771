import { BackupError, isBackupError, protoField } from '@ydbackup/core'
import { beforeAll, expect, test } from 'vitest'

import { createReplacement, leftoverOf, replacementStamp } from '../src/restore/replacement.ts'
import { FakeDatabase } from './fake-database.ts'
import { permissionsOf, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, type World } from './world.ts'

let world: World
let original: Record<string, unknown>

beforeAll(async () => {
	world = await createWorld()
	await world.backup()
	original = world.database.picture()
	delete original['dir/view']
})

/** A target where both tables with rows are taken by others. */
function taken(): FakeDatabase {
	const target = new FakeDatabase()
	target.addTable('plain', schemeOf({ splits: [3] }), rowsUpTo(7), permissionsOf('eve'))
	target.addDirectory('dir')
	target.addDirectory('dir/sub')
	target.addTable('dir/sub/split', schemeOf(), rowsUpTo(9), permissionsOf('eve'))
	return target
}

const beside = (target: FakeDatabase): string[] => [...target.nodes.keys()].filter((path) => path.includes('~'))

test('tables that are replaced are those of the backup in everything, and nothing of the former ones is left', async () => {
	const target = taken()
	const result = await world.restore(target, { existing: 'replace' })
	const picture = target.picture()
	for (const path of ['plain', 'none', 'dir/sub/split']) expect(picture[path]).toEqual(original[path])
	expect(beside(target)).toEqual([])
	expect(result.tables.map(({ action, isCompared }) => [action, isCompared])).toEqual([
		['replace', true],
		['create', false],
		['replace', true],
	])
	// All take their places at one moment, when they are proven and have their indexes, and before the TTL may delete.
	const renames = target.calls.filter((call) => call.startsWith('renameTables'))
	expect(renames).toHaveLength(1)
	const swap = target.calls.indexOf(renames[0]!)
	const calls = (from: number, to?: number): string => target.calls.slice(from, to).join('\n')
	expect(calls(0, swap)).not.toContain('dropTable')
	expect(calls(0, swap)).toMatch(/read dir\/sub\/~split\S+\.new/u)
	expect(calls(swap)).toContain('alterTable dir/sub/split')
	expect(calls(swap)).toMatch(/dropTable ~plain\S+\.old/u)
	expect(protoField(target.nodes.get('dir/sub/split')?.table?.scheme ?? [], 'ttl_settings')).toBeDefined()
})

test('a dry run says what would be replaced and touches nothing', async () => {
	const target = taken()
	const before = target.picture()
	const result = await world.restore(target, { existing: 'replace', dryRun: true })
	expect(result.tables.map(({ action }) => action)).toEqual(['replace', 'create', 'replace'])
	expect(target.picture()).toEqual(before)
})

test('a failure or a stop at any call leaves the old table or the new one whole, and names what else is left', async () => {
	const counting = taken()
	await world.restore(counting, { existing: 'replace', concurrency: 1 })
	const total = counting.calls.length
	const olds = { plain: 7, 'dir/sub/split': 9 }
	const news = { plain: 120, 'dir/sub/split': 300 }
	for (const way of ['refused', 'stopped'] as const) {
		for (let at = 1; at <= total; at++) {
			const target = taken()
			const stop = new AbortController()
			let calls = 0
			target.faults.before = (call) => {
				if (++calls !== at) return
				if (way === 'stopped') stop.abort(new Error('Ctrl-C'))
				// An answer that was lost: it is done, and nobody knows.
				else throw new BackupError(call === 'renamed' ? 'DATABASE_UNREACHABLE' : 'DATABASE_REFUSED', 'no')
			}
			const error: unknown = await world
				.restore(target, { existing: 'replace', concurrency: 1, signal: stop.signal })
				.then(
					() => undefined,
					(thrown: unknown) => thrown,
				)
			const counts = { plain: target.rowCount('plain'), 'dir/sub/split': target.rowCount('dir/sub/split') }
			const isNew = counts.plain === news.plain
			expect(counts, `${way} at ${at}`).toEqual(isNew ? news : olds)
			if (error !== undefined && !isBackupError(error)) throw error
			if (isBackupError(error, 'INTERRUPTED') || isBackupError(error, 'DATABASE_UNREACHABLE')) {
				// It is left for whoever goes on with it.
				target.faults = {}
				const again = { existing: 'replace', concurrency: 1, unfinished: 'resume', silenceMs: 0 } as const
				await world.restore(target, again)
				expect(target.rowCount('plain'), `${way} at ${at}`).toBe(news.plain)
				expect(beside(target)).toEqual([])
				continue
			}
			for (const path of beside(target)) {
				expect(path).toMatch(/\.old$/u)
				expect(isNew).toBe(true)
				if (error !== undefined) expect((error as BackupError).advice).toContain(path)
			}
		}
	}
}, 30_000)

test('a process that dies at any call leaves the old tables or the new ones, and a run that begins anew removes what is incomplete', async () => {
	const counting = taken()
	await world.restore(counting, { existing: 'replace', concurrency: 1 })
	let left = 0
	for (let at = 1; at <= counting.calls.length; at += 2) {
		const target = taken()
		let calls = 0
		target.faults.before = () => {
			if (++calls >= at) throw new BackupError('DATABASE_UNREACHABLE', 'dead')
		}
		await world.restore(target, { existing: 'replace', concurrency: 1 }).catch(() => undefined)
		const isNew = target.rowCount('plain') === 120
		expect(target.rowCount('plain')).toBe(isNew ? 120 : 7)
		expect(target.rowCount('dir/sub/split')).toBe(isNew ? 300 : 9)
		const found = beside(target)
		left += found.length
		target.faults = {}
		const anew = { existing: 'replace', concurrency: 1, unfinished: 'restart', silenceMs: 0 } as const
		const again = await world.restore(target, anew)
		expect(target.picture()).toMatchObject({ plain: original['plain'], 'dir/sub/split': original['dir/sub/split'] })
		// The tables that were replaced are the user's to drop.
		const former = found.filter((path) => path.endsWith('.old'))
		expect(beside(target).filter((path) => path.endsWith('.old'))).toEqual(former)
		const named = again.warnings.map(({ path }) => path)
		expect(named.toSorted()).toEqual(beside(target).toSorted())
		expect(beside(target).filter((path) => !path.endsWith('.old') && found.includes(path)).length).toBeLessThan(2)
	}
	expect(left).toBeGreaterThan(10)
}, 30_000)

test('rows that do not prove equal never take the place of a table', async () => {
	for (const faults of [
		{ loses: (stored: number) => stored === 110 },
		{ garbles: (frame: Uint8Array) => garbled(frame) },
	]) {
		const target = taken()
		target.faults = faults
		await expect(world.restore(target, { existing: 'replace' })).rejects.toMatchObject({
			code: expect.stringMatching(/MISMATCH/u),
			advice: expect.stringContaining('not replaced, as they were'),
		})
		expect([target.rowCount('plain'), target.rowCount('dir/sub/split'), beside(target)]).toEqual([7, 9, []])
	}
})

function garbled(frame: Uint8Array): Uint8Array {
	const text = Buffer.from(frame)
	const at = text.indexOf('row "1005"')
	if (at >= 0) text.write('ROW', at)
	return text
}

test('tables that YDB does not rename are named before anything is touched', async () => {
	const target = taken()
	target.ties.set('plain', { changefeeds: ['feed'], isReplica: false, buildingIndexes: [] })
	target.ties.set('dir/sub/split', { changefeeds: [], isReplica: true, buildingIndexes: [] })
	const before = target.picture()
	for (const dryRun of [true, false]) {
		const refused = world.restore(target, { existing: 'replace', dryRun })
		await expect(refused).rejects.toMatchObject({ code: 'PATH_EXISTS' })
		await expect(refused).rejects.toThrow(
			/(?=.*plain has changefeeds: feed)(?=.*split is written to by a replication)/u,
		)
	}
	expect(target.picture()).toEqual(before)
})

test('rows go into a table with changefeeds only when that is allowed, and never into a replica', async () => {
	const target = new FakeDatabase()
	target.addTable('plain', schemeOf(), [])
	target.ties.set('plain', { changefeeds: ['feed'], isReplica: false, buildingIndexes: [] })
	for (const options of [{ existing: 'merge' }, { dataOnly: true }] as const)
		await expect(world.restore(target, { include: ['plain'], ...options })).rejects.toThrow(/plain \(feed\)/u)
	expect(target.rowCount('plain')).toBe(0)
	const allowDownstreamEvents = true
	await world.restore(target, { include: ['plain'], existing: 'merge', allowDownstreamEvents })
	expect(target.rowCount('plain')).toBe(120)
	target.ties.set('plain', { changefeeds: [], isReplica: true, buildingIndexes: [] })
	await expect(world.restore(target, { include: ['plain'], existing: 'merge', allowDownstreamEvents })).rejects.toThrow(
		/replications write to/u,
	)
})

test('tables that transfers write to are not replaced, and rows go between theirs only when that is allowed', async () => {
	const target = taken()
	const before = target.picture()
	target.transferTies = [
		{ path: 'jobs/fill', target: 'plain' },
		{ path: 'jobs/other', target: 'elsewhere' },
		{ path: 'jobs/hidden', target: undefined },
	]
	for (const dryRun of [true, false]) {
		const refused = world.restore(target, { existing: 'replace', dryRun })
		await expect(refused).rejects.toThrow('plain is written to by transfers: jobs/fill')
		await expect(refused).rejects.toMatchObject({ code: 'PATH_EXISTS' })
	}
	for (const options of [{ existing: 'merge' }, { dataOnly: true }] as const)
		await expect(world.restore(target, { include: ['plain'], ...options })).rejects.toThrow(
			/plain \((?:jobs\/fill)\)|holds/u,
		)
	expect(target.picture()).toEqual(before)
	const merged = await world.restore(target, { include: ['plain'], existing: 'merge', allowDownstreamEvents: true })
	expect(merged.warnings).toMatchObject([
		{ path: 'jobs/hidden', message: expect.stringContaining('not told which table this transfer writes to') },
	])
	const calls = target.calls.filter((call) => call.startsWith('transfers'))
	await world.restore(target, { include: ['plain'], to: 'copy' })
	expect(target.calls.filter((call) => call.startsWith('transfers'))).toEqual(calls)
})

test('replacing schemes without rows, or rows without schemes, is refused', async () => {
	for (const options of [{ schemeOnly: true }, { dataOnly: true }]) {
		const target = taken()
		await expect(world.restore(target, { existing: 'replace', ...options })).rejects.toMatchObject({
			code: 'CONFIG_INVALID',
		})
		expect(target.calls).toEqual([])
	}
})

test('names beside a table stay apart and within the limit, however long the table is named', () => {
	const stamp = replacementStamp(new Date('2026-11-30T07:40:00.123Z'), 0.5)
	expect(createReplacement('shop/orders', stamp, 3)).toMatchObject({
		staging: 'shop/~orders.20261130T074000Z-i000.new',
		aside: 'shop/~orders.20261130T074000Z-i000.old',
	})
	const long = 'n'.repeat(255)
	const [one, two] = [createReplacement(long, stamp, 1), createReplacement(`d/${long}`, stamp, 2)]
	expect(one.staging.length).toBeLessThanOrEqual(255)
	expect(two.staging).not.toBe(`d/${one.staging}`)
	expect([one.staging, two.aside, 'a/~b', 'x.new', '~x.20261130T074000Z-i000.newer'].map(leftoverOf)).toEqual([
		'new',
		'old',
		undefined,
		undefined,
		undefined,
	])
})
