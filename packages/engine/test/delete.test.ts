import { listTombstones, putHold, putTombstone, Repository, takeLease } from '@ydbackup/catalog'
import { BackupError } from '@ydbackup/core'
import { expect, test } from 'vitest'

import { deleteBackups, type DeleteBackupsOptions } from '../src/index.ts'
import { intercept } from './intercept.ts'
import { createWorld, type World } from './world.ts'

/** Three links, oldest first. */
async function chain(): Promise<{ readonly world: World; readonly ids: readonly [string, string, string] }> {
	const world = await createWorld()
	let now = Date.parse('2026-11-21T00:00:00Z')
	async function take(parent?: string): Promise<string> {
		now += 60_000
		const at = new Date(now)
		const { manifest } = await world.backup({ clock: () => at, ...(parent === undefined ? {} : { parent }) })
		return manifest!.id
	}
	const first = await take()
	const second = await take(first)
	return { world, ids: [first, second, await take(second)] }
}

const remove = ({ repository }: World, ids: readonly string[], options: Partial<DeleteBackupsOptions> = {}) =>
	deleteBackups({ repository, ids, settleMs: 0, ...options })

async function refusalOf(removal: Promise<unknown>): Promise<BackupError> {
	return removal.then(
		() => expect.fail('it was deleted'),
		(error: unknown) => error as BackupError,
	)
}

test('a link that others build upon goes only with them, newest first, and a dry run says so and touches nothing', async () => {
	const { world, ids } = await chain()
	const before = await world.keys()
	for (const dryRun of [true, false]) {
		const error = await refusalOf(remove(world, [ids[1]], { dryRun }))
		expect(error.code).toBe('BACKUP_NEEDED')
		expect(error.message).toContain(`${ids[1]} must stay: ${ids[2]} builds upon it`)
		expect(error.advice).toContain('--with-dependents')
		expect(await world.keys()).toEqual(before)
	}
	const planned = await remove(world, [ids[1]], { withDependents: true, dryRun: true })
	expect(planned).toMatchObject({ dryRun: true, outcome: 'complete', backups: [{ id: ids[2] }, { id: ids[1] }] })
	expect(await world.keys()).toEqual(before)
	const done = await remove(world, [ids[1]], { withDependents: true })
	expect(done).toMatchObject({ outcome: 'complete', backups: [{ id: ids[2] }, { id: ids[1] }] })
	expect(await world.repository.ids()).toEqual([ids[0]])
	expect((await world.keys()).filter((key) => key.includes(ids[1]) || key.includes(ids[2]))).toEqual([])
	expect(await world.verify('full', ids[0])).toMatchObject({ findings: [] })
})

test('all reasons are named: children, holds, leases, and copies that only its run knows', async () => {
	const { world, ids } = await chain()
	await putHold(world.storage, ids[2], {}, new Date())
	await using _ = await takeLease(world.storage, { purpose: 'restore', backups: [ids[0]] })
	const error = await refusalOf(remove(world, [ids[0], ids[2]]))
	expect(error.code).toBe('BACKUP_NEEDED')
	for (const reason of [/restore by process/u, new RegExp(`${ids[1]} builds upon it`, 'u'), /it is held/u]) {
		expect(error.message).toMatch(reason)
	}
	const record = { database: '/local', workDirectory: '~ydbackup-x', startedAt: 'now', host: 'h', pid: 1 }
	await world.repository.startRun(ids[1], record)
	const copies = await refusalOf(remove(world, [ids[1], ids[2]], { clock: () => new Date() }))
	expect(copies.message).toContain('it is held')
	for (const key of await world.keys('holds/')) await world.storage.delete(key)
	const left = await refusalOf(remove(world, [ids[1], ids[2]]))
	expect(left).toMatchObject({ code: 'BACKUP_NEEDED', message: expect.stringContaining('/local/~ydbackup-x') })
	expect(await world.repository.ids()).toEqual(ids)
	expect(await listTombstones(world.storage)).toEqual(new Set())
})

test('a backup that is not there is refused before anything else goes', async () => {
	const { world, ids } = await chain()
	const error = await refusalOf(remove(world, [ids[2], '20200101T000000Z-aaaa']))
	expect(error.code).toBe('BACKUP_NOT_FOUND')
	expect(await world.repository.ids()).toEqual(ids)
})

test('a damaged backup can be deleted, and where another one is damaged a warning says what is not known', async () => {
	const { world, ids } = await chain()
	await world.storage.put(`catalog/${ids[2]}/manifest.json`, Buffer.from('{'))
	const plan = await remove(world, [ids[1]], { dryRun: true })
	expect(plan.warnings).toMatchObject([{ message: expect.stringContaining(ids[2]) }])
	expect(await remove(world, [ids[2]])).toMatchObject({ outcome: 'complete', backups: [{ state: 'deleted' }] })
	expect(await world.repository.ids()).toEqual([ids[0], ids[1]])
})

test('a delete that was cut off behind its manifest is gone on with', async () => {
	const { world, ids } = await chain()
	await putTombstone(world.storage, ids[2], new Date())
	await world.storage.delete(`catalog/${ids[2]}/manifest.json`)
	expect(await remove(world, [ids[2]])).toMatchObject({ outcome: 'complete', backups: [{ state: 'deleted' }] })
	expect((await world.keys()).filter((key) => key.includes(ids[2]))).toEqual([])
})

test('what the store does not delete makes it partial', async () => {
	const { world, ids } = await chain()
	const storage = intercept(world.storage, {
		delete(key, next) {
			if (key.includes('/data_')) throw new BackupError('STORAGE_PERMISSION', 'held')
			return next(key)
		},
	})
	const result = await remove({ ...world, repository: await Repository.open(storage) } as World, [ids[2]])
	expect(result.outcome).toBe('partial')
	expect(await world.repository.ids()).toEqual([ids[0], ids[1]])
})
