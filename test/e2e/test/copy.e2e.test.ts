import { expect, test } from 'vitest'
import { below, differences } from '../../../tools/demo/picture.ts'
import { theirPicture } from '../../../tools/demo/their-reader.ts'
import { places } from '../../object-stores/src/places.ts'
import { createWorld } from '../src/world.ts'

test(
	'a chain is copied from a directory to an object store, and restored from there',
	{ timeout: 120_000 },
	async () => {
		await using place = await places['s3']!()
		await using world = await createWorld()
		await world.seed(300)
		await world.run(['repo', 'init'])
		for (const more of [[], ['--incremental']]) {
			expect(await world.runOnDatabase(['backup', 'create', ...more])).toMatchObject({ code: 0 })
		}
		const before = await theirPicture(world.endpoint, world.database)
		const { env, url } = place
		const copied = await world.run(['backup', 'copy', 'latest', '--to', url], { env })
		expect(copied).toMatchObject({ code: 0, result: { backups: [{ state: 'copied' }, { state: 'copied' }] } })
		const again = await world.run(['backup', 'copy', 'latest', '--to', url], { env })
		expect(again).toMatchObject({
			code: 0,
			result: { bytes: 0, backups: [{ state: 'present' }, { state: 'present' }] },
		})
		const there = { env: { ...env, YDBACKUP_REPO: url } }
		expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'], there)).toMatchObject({ code: 0 })
		const to = `${world.database}/copied`
		expect(await world.runOnDatabase(['restore', 'latest', '--to', to, '--verify-data'], there)).toMatchObject({
			code: 0,
		})
		const after = await theirPicture(world.endpoint, world.database)
		expect(differences(before, below(after, 'copied'))).toEqual([])
		for (const secret of place.secrets) expect(copied.stdout + copied.stderr).not.toContain(secret)
	},
)
