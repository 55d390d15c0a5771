import { putTombstone, Repository, takeLease } from '@ydbackup/catalog'
import { BackupError, type ClusterTransfers } from '@ydbackup/core'
import { layout } from '@ydbackup/format'
import { expect, test } from 'vitest'

import { collectGarbage, type CollectGarbageOptions, type CollectGarbageResult } from '../src/index.ts'
import { intercept } from './intercept.ts'
import { createWorld, TOOL, type World } from './world.ts'

const OTHER = '20261123T021530Z-k3f9'

function collect(world: World, options: Partial<CollectGarbageOptions> = {}): Promise<CollectGarbageResult> {
	const { database: source, repository } = world
	// No run of these tests is one of the cluster.
	const database = { source, transfers: undefined as unknown as ClusterTransfers }
	return collectGarbage({ repository, database, settleMs: 0, tool: TOOL, ...options })
}

/** A backup that was stopped at its third read of rows. */
async function stopped(world: World): Promise<string> {
	const stop = new AbortController()
	let reads = 0
	world.database.faults.before = (call) => {
		if (call === 'read' && ++reads === 3) stop.abort(new Error('Ctrl-C'))
	}
	await expect(world.backup({ concurrency: 1, signal: stop.signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
	delete world.database.faults.before
	return (await world.repository.runs())[0]!.id
}

function startRun({ repository }: World, id: string, record: object): Promise<void> {
	const run = { database: '/local', workDirectory: '', startedAt: '2026-11-23T02:15:30Z', host: 'h', pid: 1 }
	return repository.startRun(id, { ...run, ...record })
}

test('a run that nobody is at work with goes with its copies and objects; other backups stay', async () => {
	const world = await createWorld()
	const whole = (await world.backup()).manifest!.id
	const before = await world.keys()
	const id = await stopped(world)
	const left = await world.keys()
	expect(await collect(world, { dryRun: true })).toMatchObject({
		garbage: [{ kind: 'run', name: id, state: 'removed' }],
	})
	expect(await world.keys()).toEqual(left)
	expect([...world.database.copies]).toHaveLength(1)
	expect(await collect(world)).toMatchObject({
		outcome: 'complete',
		garbage: [{ kind: 'run', name: id, state: 'removed' }],
	})
	expect(await world.keys()).toEqual(before)
	expect([...world.database.copies]).toEqual([])
	expect(await world.repository.ids()).toEqual([whole])
	expect(await collect(world)).toMatchObject({ garbage: [] })
})

test('what somebody is at work with stays, and so does what shares its copies', async () => {
	const world = await createWorld()
	const id = await stopped(world)
	const [directory] = [...world.database.copies]
	await startRun(world, OTHER, { database: world.database.database, workDirectory: directory })
	const left = await world.keys()
	await using _ = await takeLease(world.storage, { purpose: 'backup', backups: [OTHER] })
	const { garbage } = await collect(world)
	expect(garbage.map(({ name, state }) => [name, state])).toEqual([id, OTHER].toSorted().map((name) => [name, 'kept']))
	expect((await world.keys()).filter((key) => !key.startsWith('leases/'))).toEqual(left)
	expect([...world.database.copies]).toEqual([directory])
})

test('what it does not know, or what may be in another database, stays with the reason', async () => {
	const cases: [record: object, options: Partial<CollectGarbageOptions>, reason: RegExp][] = [
		[{ kind: 'restore' }, {}, /kind restore/u],
		[{ kind: 'of-the-future' }, {}, /kind of-the-future/u],
		[{ workDirectory: 'shop' }, {}, /no place of ours/u],
		[{ workDirectory: `~ydbackup-other-${OTHER}` }, {}, /no place of ours/u],
		[{ kind: 'export' }, { database: undefined }, /connect to that database/u],
		[{ kind: 'export', database: '/elsewhere' }, {}, /is connected/u],
	]
	for (const [record, options, reason] of cases) {
		const world = await createWorld()
		await startRun(world, OTHER, { database: world.database.database, ...record })
		await world.storage.put('strange/object', Buffer.from('x'))
		await world.storage.put(`backups/${OTHER}/data`, Buffer.from('x'))
		const left = await world.keys()
		const { garbage } = await collect(world, options)
		expect(garbage).toMatchObject([{ kind: 'run', name: OTHER, state: 'kept', reason: expect.stringMatching(reason) }])
		expect(await world.keys()).toEqual(left)
	}
	const world = await createWorld()
	await world.storage.put(layout.runKey(OTHER), Buffer.from('{'))
	expect(await collect(world)).toMatchObject({
		garbage: [{ state: 'kept', reason: expect.stringMatching(/be read/u) }],
	})
})

test('of a backup that is complete only what its run had left goes', async () => {
	const world = await createWorld()
	const { id } = (await world.backup()).manifest!
	const before = await world.keys()
	const workDirectory = `~ydbackup-${world.repository.header.id}-${id}`
	world.database.copies.add(workDirectory)
	for (const kind of [undefined, 'export']) {
		await startRun(world, id, { database: world.database.database, workDirectory, ...(kind && { kind }) })
		expect(await collect(world)).toMatchObject({ garbage: [{ name: id, state: 'removed' }] })
		expect(await world.keys()).toEqual(before)
	}
	expect([...world.database.copies]).toEqual([])
	expect(await world.verify('full')).toMatchObject({ findings: [] })
})

test('killed behind any of its deletes it leaves what the next one finds', async () => {
	for (let nth = 1; ; nth++) {
		const world = await createWorld()
		await stopped(world)
		let deletes = 0
		const mortal = intercept(world.storage, {
			async delete(key, next) {
				if (deletes >= nth) throw new BackupError('STORAGE_PERMANENT', 'the process is dead')
				await next(key)
				deletes++
			},
		})
		await collect(world, { repository: await Repository.open(mortal) }).catch(() => undefined)
		// Leases of a process that has died end by time; here at once.
		for (const key of await world.keys('leases/')) await world.storage.delete(key)
		expect(await collect(world)).toMatchObject({ outcome: 'complete' })
		expect(await world.keys()).toEqual(['ydbackup.json'])
		expect([...world.database.copies]).toEqual([])
		if (deletes < nth) break
	}
})

test('a deletion that was cut off is finished, and a lease that is over goes', async () => {
	const world = await createWorld()
	const { id } = (await world.backup()).manifest!
	await putTombstone(world.storage, id, new Date())
	await world.storage.delete(layout.manifestKey(id))
	await takeLease(world.storage, { purpose: 'backup', backups: [OTHER], ttlMs: 1, renewEveryMs: 1_000_000 })
	await new Promise((resolve) => setTimeout(resolve, 5))
	const { garbage } = await collect(world)
	expect(garbage.map(({ kind, state }) => `${kind} ${state}`)).toEqual(['deletion removed', 'lease removed'])
	expect(await world.keys()).toEqual(['ydbackup.json'])
})

test('a clock that is wrong makes nobody lose a lease, a run or a deletion', async () => {
	const world = await createWorld()
	const { id } = (await world.backup()).manifest!
	await putTombstone(world.storage, id, new Date())
	const run = await stopped(world)
	await using _ = await takeLease(world.storage, { purpose: 'delete', backups: [id, run] })
	const before = await world.keys()
	const { garbage } = await collect(world, { clock: () => new Date(Date.now() + 86_400_000) })
	expect(garbage.map(({ kind, state }) => `${kind} ${state}`)).toEqual(['run kept', 'deletion kept'])
	expect(await world.keys()).toEqual(before)
})

test('a store that shows things late is refused', async () => {
	const world = await createWorld()
	const storage = Object.assign(intercept(world.storage, {}), {
		capabilities: { ...world.storage.capabilities, strongList: { lacking: 'listings lag behind' } },
	})
	const repository = await Repository.open(storage)
	await expect(collect(world, { repository })).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
})
