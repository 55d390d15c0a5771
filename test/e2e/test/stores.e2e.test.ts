import { expect, test } from 'vitest'
import { below, differences, only } from '../../../tools/demo/picture.ts'
import { dropEverything, theirPicture } from '../../../tools/demo/their-reader.ts'
import { places } from '../../object-stores/src/places.ts'
import { createWorld } from '../src/world.ts'

test.each(Object.entries(places))('what was dropped comes back from %s', { timeout: 120_000 }, async (_, open) => {
	await using place = await open()
	await using world = await createWorld()
	await world.seed(2000)
	const env = { ...place.env, YDBACKUP_REPO: place.url }
	const before = await theirPicture(world.endpoint, world.database)
	const said: string[] = []
	const run = async (words: string[], way: 'run' | 'runOnDatabase' = 'run') => {
		const ran = await world[way](words, { env })
		said.push(ran.stdout, ran.stderr)
		expect(ran, words.join(' ')).toMatchObject({ code: 0 })
		return ran.result
	}
	await run(['repo', 'init'])
	await run(['backup', 'create'], 'runOnDatabase')
	expect((await run(['backup', 'list'])).backups).toHaveLength(1)
	await run(['backup', 'show', 'latest'])
	await run(['backup', 'verify', 'latest', '--level', 'full'])
	await dropEverything(world.endpoint, world.database)
	await run(['restore', 'latest', '--verify-data'], 'runOnDatabase')
	expect(differences(before, await theirPicture(world.endpoint, world.database))).toEqual([])

	await run(['restore', 'latest', '--to', `${world.database}/copies/all`], 'runOnDatabase')
	const one = ['--include', 'geo/cities', '--to', `${world.database}/copies/one`]
	await run(['restore', 'latest', ...one], 'runOnDatabase')
	const after = await theirPicture(world.endpoint, world.database)
	expect(differences(before, below(after, 'copies/all'))).toEqual([])
	expect(differences(only(before, 'geo/cities'), only(below(after, 'copies/one'), 'geo/cities'))).toEqual([])

	expect(place.secrets.length).toBeGreaterThan(0)
	for (const secret of place.secrets) expect(said.join('')).not.toContain(secret)
})
