import { expect, test } from 'vitest'
import { openQueries } from '../src/queries.ts'
import { createWorld } from '../src/world.ts'

test(
	'a cluster without the pools of the backup is told of, adapted to, insisted on or not asked',
	{ timeout: 120_000 },
	async () => {
		await using world = await createWorld({ faults: { storagePools: 'ssd,nvme' } })
		await using queries = await openQueries(world.endpoint, world.database)
		await queries.run(`CREATE TABLE fast (id Uint64, cold Utf8 FAMILY far, PRIMARY KEY (id), FAMILY default (DATA = "nvme"),
		FAMILY far (DATA = "ssd", COMPRESSION = "lz4"))`)
		await queries.run('CREATE TABLE plain (id Uint64, PRIMARY KEY (id))')
		await queries.run('UPSERT INTO fast (id, cold) VALUES (1, "x"u), (2, "y"u)')
		await expect(
			queries.run('CREATE TABLE u (id Uint64, PRIMARY KEY (id), FAMILY default (DATA = "rot"))'),
		).rejects.toThrow(/400010.*required storage pools/)
		await world.run(['repo', 'init'])
		expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
		world.emulator.faults.storagePools = 'hdd'

		const plan = await world.runOnDatabase(['restore', 'latest', '--to', '/local/a', '--dry-run'])
		expect(plan.result.tables).toMatchObject([
			{ path: 'fast', storage: ['family default on nvme compression none', 'family far on ssd compression lz4'] },
			{ path: 'plain', storage: [] },
		])
		const kept = await world.runOnDatabase(['restore', 'latest', '--to', '/local/c', '--storage-settings', 'keep'])
		expect({ code: kept.code, error: kept.error.code }).toEqual({ code: 6, error: 'DATABASE_REFUSED' })
		const adapted = await world.runOnDatabase(['restore', 'latest', '--to', '/local/a'])
		expect(adapted).toMatchObject({ code: 9, result: { outcome: 'partial', problems: [{ path: 'a/fast' }] } })
		const dropped = await world.runOnDatabase(['restore', 'latest', '--to', '/local/b', '--storage-settings', 'drop'])
		expect(dropped).toMatchObject({ code: 0, result: { outcome: 'complete' } })
		for (const place of ['a', 'b'])
			expect(await queries.run(`SELECT cold FROM \`${place}/fast\` ORDER BY cold`)).toEqual([['x'], ['y']])
	},
)
