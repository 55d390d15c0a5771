import { holdBackup, listTombstones, putProof, releaseBackup, takeLease } from '@ydbackup/catalog'
import { expect, test } from 'vitest'

import { pruneBackups, type PruneBackupsOptions, type PruneBackupsResult } from '../src/index.ts'
import { createWorld, type World } from './world.ts'

const START = Date.parse('2026-11-21T00:00:00Z')
const NOW = new Date('2026-11-30T00:00:00Z')

/** Two chains of three, a minute between any two. */
async function chains(): Promise<{ readonly world: World; readonly ids: readonly string[] }> {
	const world = await createWorld()
	const ids: string[] = []
	for (let taken = 0; taken < 6; taken++) {
		const at = new Date(START + taken * 60_000)
		const parent = taken % 3 === 0 ? undefined : ids.at(-1)
		const { manifest } = await world.backup({ clock: () => at, ...(parent === undefined ? {} : { parent }) })
		ids.push(manifest!.id)
	}
	return { world, ids }
}

const prune = (
	{ repository }: World,
	rules: PruneBackupsOptions['rules'],
	options: Partial<PruneBackupsOptions> = {},
): Promise<PruneBackupsResult> => pruneBackups({ repository, rules, settleMs: 0, clock: () => NOW, ...options })

const actionsOf = ({ backups }: PruneBackupsResult): string[] => backups.map(({ action }) => action)

test('a dry run says of each backup why, touches nothing, and is what is done then', async () => {
	const { world, ids } = await chains()
	const before = await world.keys()
	const plan = await prune(world, { last: 2 }, { dryRun: true })
	expect(plan).toMatchObject({ dryRun: true, outcome: 'complete', deleted: 3 })
	expect(plan.backups.map(({ id, action, reasons }) => [id, action, reasons.join()])).toEqual([
		[ids[0], 'delete', 'no rule keeps it'],
		[ids[1], 'delete', 'no rule keeps it'],
		[ids[2], 'delete', 'no rule keeps it'],
		[ids[3], 'keep', `${ids[4]} builds upon it`],
		[ids[4], 'keep', `last 2,${ids[5]} builds upon it`],
		[ids[5], 'keep', 'last 1'],
	])
	expect(await world.keys()).toEqual(before)
	const done = await prune(world, { last: 2 })
	expect({ ...done, dryRun: true, bytes: 0 }).toEqual({ ...plan, bytes: 0 })
	expect(await world.repository.ids()).toEqual(ids.slice(3))
	expect((await world.keys()).filter((key) => ids.slice(0, 3).some((id) => key.includes(id)))).toEqual([])
	expect(await world.verify('full', ids[5])).toMatchObject({ findings: [] })
	expect(await prune(world, { last: 2 })).toMatchObject({ deleted: 0, outcome: 'complete' })
})

test('what is held or in use stays, with all that it builds upon, and so does what was proven last', async () => {
	const { world, ids } = await chains()
	await holdBackup(world.repository, ids[1]!, { reason: 'audit' })
	const held = await prune(world, { last: 1 }, { dryRun: true })
	expect(actionsOf(held)).toEqual(['keep', 'keep', 'delete', 'keep', 'keep', 'keep'])
	expect(held.backups[1]!.reasons).toEqual(['it is held (audit)'])
	await releaseBackup(world.repository, ids[1]!)
	const { manifest } = await world.repository.read(ids[1]!)
	const tool = { name: 'test', version: '0' }
	const proof = { at: NOW.toISOString(), backup: ids[1]!, manifestSha256: manifest.sha256, tool, files: [] }
	await putProof(world.storage, proof as unknown as Parameters<typeof putProof>[1])
	const proven = await prune(world, { last: 1 }, { dryRun: true })
	expect(proven.backups[1]!.reasons).toEqual(['the newest that was proven: verify a newer one'])
	{
		await using _ = await takeLease(world.storage, { purpose: 'restore', backups: ids.slice(0, 3), clock: () => NOW })
		expect(actionsOf(await prune(world, { last: 1 }))).toEqual(Array.from({ length: 6 }, () => 'keep'))
	}
	expect(actionsOf(await prune(world, { last: 1 }))).toEqual(['keep', 'keep', 'delete', 'keep', 'keep', 'keep'])
	expect(await world.repository.ids()).toEqual(ids.filter((id) => id !== ids[2]))
})

test('copies that only a run knows keep its backup; without a rule, or beyond what was agreed to, nothing goes', async () => {
	const { world, ids } = await chains()
	const record = { database: '/local', workDirectory: '~ydbackup-x', startedAt: 'now', host: 'h', pid: 1 }
	await world.repository.startRun(ids[2]!, record)
	const left = await prune(world, { last: 1 })
	expect(left).toMatchObject({ deleted: 0, outcome: 'complete' })
	expect(left.backups[2]!.reasons.join()).toContain('/local/~ydbackup-x')
	await world.repository.endRun(ids[2]!)

	for (const rules of [{}, { last: 0, daily: 0 }]) {
		await expect(prune(world, rules)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
	}
	// Somebody agreed to the last link alone, and to the first, which the second one builds upon.
	const agreed = await prune(world, { last: 1 }, { only: new Set([ids[2]!, ids[0]!]) })
	expect(agreed).toMatchObject({ deleted: 1, outcome: 'partial' })
	expect(await world.repository.ids()).toEqual(ids.filter((id) => id !== ids[2]))
	expect(await listTombstones(world.storage)).toEqual(new Set())
})
