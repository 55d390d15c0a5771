import { expect, test } from 'vitest'
import { below, differences } from '../../../tools/demo/picture.ts'
import { theirPicture } from '../../../tools/demo/their-reader.ts'
import { load } from '../../../tools/seed/load.ts'
import { seedTables } from '../../../tools/seed/tables.ts'
import { places } from '../../object-stores/src/places.ts'
import { createWorld } from '../src/world.ts'

const BRIDGE = ['--engine', 'cluster', '--bridge-listen', '127.0.0.1:0']

test(
	'the command lets the cluster write into a directory through a bridge, and read it again',
	{ timeout: 180_000 },
	async () => {
		await using world = await createWorld({ faults: { operationDelayMs: 1, exactFloats: true } })
		const { endpoint, database } = world
		await load(
			{ endpoint, database },
			seedTables(100).filter(({ path }) => path !== 'all_types'),
			() => {},
		)
		const before = await theirPicture(endpoint, database)
		await world.run(['repo', 'init'])
		const direct = await world.runOnDatabase(['backup', 'create', '--engine', 'cluster'])
		expect(direct).toMatchObject({
			code: 2,
			error: { code: 'UNSUPPORTED', advice: expect.stringContaining('--bridge-listen') },
		})
		const created = await world.runOnDatabase(['backup', 'create', ...BRIDGE])
		expect(created).toMatchObject({ code: 0, result: { engine: 'cluster', warnings: [] } })
		const [listed] = (await world.run(['backup', 'list'])).result.backups
		expect(listed).not.toHaveProperty('provenAt')
		expect(listed.counts).not.toHaveProperty('rows')
		expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
		const shown = await world.run(['backup', 'show'])
		expect(shown.result).toMatchObject({ provenAt: expect.any(String), counts: { rows: expect.any(String) } })
		const restored = await world.runOnDatabase(['restore', 'latest', ...BRIDGE, '--to', 'back', '--verify-data'])
		expect(restored).toMatchObject({ code: 0, result: { engine: 'cluster', outcome: 'complete' } })
		expect(differences(before, below(await theirPicture(endpoint, database), 'back'))).toEqual([])
	},
)

test('auto says which engine and why, and nothing that is printed holds a secret', { timeout: 180_000 }, async () => {
	await using world = await createWorld({ faults: { operationDelayMs: 1 } })
	await using place = await places.s3()
	const { endpoint, database } = world
	await load(
		{ endpoint, database },
		seedTables(20).filter(({ path }) => path !== 'all_types'),
		() => {},
	)
	const env = { ...place.env, YDBACKUP_REPO: place.url }
	await world.run(['repo', 'init'], { env })
	const chosen = await world.runOnDatabase(['backup', 'create', '--engine', 'auto', '--dry-run'], { env })
	expect(chosen.result).toMatchObject({ engine: 'client', engineReason: expect.stringContaining('below 50 GiB') })
	const made = await world.runOnDatabase(['backup', 'create', '--engine', 'cluster', '--progress', 'json'], { env })
	expect(made).toMatchObject({ code: 0, result: { engine: 'cluster' } })
	const stopped = await world.runOnDatabase(['backup', 'create', '--engine', 'cluster', '--incremental'], { env })
	expect(stopped).toMatchObject({ code: 2, error: { code: 'CONFIG_INVALID' } })
	const said = [chosen, made, stopped].map(({ stdout, stderr }) => stdout + stderr).join('')
	for (const secret of place.secrets) expect(said).not.toContain(secret)
})
