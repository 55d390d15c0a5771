import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { below, differences, only, totals } from '../../../tools/demo/picture.ts'
import { dropEverything, theirPicture } from '../../../tools/demo/their-reader.ts'
import { createWorld } from '../src/world.ts'

test('what was dropped comes back equal, read by our client and by ydb-sdk', async () => {
	await using world = await createWorld()
	const { endpoint, database } = world
	await world.seed(3000)
	const ours = await world.picture()
	const theirs = await theirPicture(endpoint, database)
	expect(totals(ours)).toMatchObject({ tables: 4 })
	expect(totals(ours).rows).toBeGreaterThan(3000)

	expect((await world.run(['repo', 'init'])).code).toBe(0)
	const created = await world.runOnDatabase(['backup', 'create', '--label', 'why=test'])
	expect(created.stderr).not.toMatch(/error/i)
	expect(created.code).toBe(0)
	const { id } = created.result
	expect(id).toMatch(/^\d{8}T\d{6}Z-[a-z0-9]+$/)

	const listed = await world.run(['backup', 'list'])
	expect(listed.result.backups.map((backup: { id: string }) => backup.id)).toEqual([id])
	const shown = await world.run(['backup', 'show', 'latest'])
	expect(shown.result).toMatchObject({ id, labels: { why: 'test' } })
	expect(await world.run(['backup', 'verify', id])).toMatchObject({ code: 0 })
	expect(await world.run(['backup', 'verify', id, '--level', 'full'])).toMatchObject({ code: 0 })

	await dropEverything(endpoint, database)
	expect((await world.picture()).size).toBe(0)
	const restored = await world.runOnDatabase(['restore', 'latest', '--verify-data'])
	expect(restored).toMatchObject({ code: 0 })
	expect(differences(ours, await world.picture())).toEqual([])
	expect(differences(theirs, await theirPicture(endpoint, database))).toEqual([])

	const all = await world.runOnDatabase(['restore', id, '--to', `${database}/copies/all`])
	expect(all).toMatchObject({ code: 0 })
	const one = await world.runOnDatabase(['restore', id, '--include', 'geo/cities', '--to', `${database}/copies/one`])
	expect(one).toMatchObject({ code: 0 })
	const after = await world.picture()
	expect(differences(ours, below(after, 'copies/all'))).toEqual([])
	const copied = below(after, 'copies/one')
	expect(differences(only(ours, 'geo/cities'), only(copied, 'geo/cities'))).toEqual([])
	expect([...copied].filter(([, { kind }]) => kind === 'table')).toHaveLength(1)
})

test('a backup leaves nothing in the database but what was there', async () => {
	await using world = await createWorld()
	await world.seed(200)
	const before = await theirPicture(world.endpoint, world.database)
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	expect(differences(before, await theirPicture(world.endpoint, world.database))).toEqual([])
	const { stdout } = await world.run(['backup', 'list'])
	expect(stdout.trim().split('\n')).toHaveLength(1)
})

test('files that hold data can be read by their owner only', async () => {
	await using world = await createWorld()
	await world.seed(50)
	await world.run(['repo', 'init'])
	const { result } = await world.runOnDatabase(['backup', 'create'])
	for (const path of [`backups/${result.id}/001/scheme.pb`, `catalog/${result.id}/manifest.json`, 'ydbackup.json'])
		expect((await stat(join(world.repo, path))).mode & 0o077, path).toBe(0)
})

test('a dry run of a restore writes nothing and names what it would do', async () => {
	await using world = await createWorld()
	await world.seed(50)
	await world.run(['repo', 'init'])
	await world.runOnDatabase(['backup', 'create'])
	await dropEverything(world.endpoint, world.database)
	const { code, stdout } = await world.runOnDatabase(['restore', 'latest', '--dry-run'])
	expect(code).toBe(0)
	for (const path of ['geo/cities', 'geo/summary/countries', 'all_types', 'empty/table', 'empty/directory'])
		expect(stdout).toContain(path)
	expect((await world.picture()).size).toBe(0)
})

test('a restore onto existing tables is refused and changes nothing, unless it may merge', async () => {
	await using world = await createWorld()
	await world.seed(50)
	await world.run(['repo', 'init'])
	await world.runOnDatabase(['backup', 'create'])
	const before = await world.picture()
	const refused = await world.runOnDatabase(['restore', 'latest'])
	expect(refused).toMatchObject({ code: 5, error: { code: 'PATH_EXISTS' } })
	expect(refused.error.message).toContain('geo/cities')
	expect(differences(before, await world.picture())).toEqual([])
	expect(await world.runOnDatabase(['restore', 'latest', '--existing', 'merge'])).toMatchObject({ code: 0 })
	expect(differences(before, await world.picture())).toEqual([])
})

test('a restore works on a machine that has the repository and nothing else', async () => {
	await using world = await createWorld()
	await world.seed(50)
	await world.run(['repo', 'init'])
	await world.runOnDatabase(['backup', 'create'])
	const before = await world.picture()
	await dropEverything(world.endpoint, world.database)
	const env = { HOME: join(world.directory, 'nobody'), XDG_DATA_HOME: join(world.directory, 'no-data') }
	expect(await world.runOnDatabase(['restore', 'latest'], { env })).toMatchObject({ code: 0 })
	expect(differences(before, await world.picture())).toEqual([])
})
