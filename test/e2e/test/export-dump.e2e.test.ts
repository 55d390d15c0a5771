import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { differences, only } from '../../../tools/demo/picture.ts'
import { dropEverything, runStatements, theirPicture } from '../../../tools/demo/their-reader.ts'
import { places } from '../../object-stores/src/places.ts'
import { createWorld } from '../src/world.ts'

test(
	'backup, export as a dump, and restore from it: every row, scheme and right is back',
	{ timeout: 120_000 },
	async () => {
		await using world = await createWorld()
		await world.seed(2000)
		await world.run(['repo', 'init'])
		await world.runOnDatabase(['backup', 'create'])
		const before = await theirPicture(world.endpoint, world.database)
		const to = join(world.directory, 'dumps/one')
		const exported = await world.run(['backup', 'export', 'latest', '--layout', 'dump', '--to', to])
		expect(exported).toMatchObject({ code: 0, result: { layout: 'dump', location: to } })
		expect((await stat(join(to, 'geo/cities/data_00.csv'))).mode & 0o777).toBe(0o600)
		expect((await stat(join(to, 'geo'))).mode & 0o777).toBe(0o700)
		const names = await readdir(to, { recursive: true })
		expect(names.filter((name) => name.includes('incomplete'))).toEqual([])
		expect((await readdir(join(to, 'geo/cities'))).toSorted()).toEqual(['data_00.csv', 'permissions.pb', 'scheme.pb'])
		expect(names).toContain('empty/directory/empty_dir')

		await dropEverything(world.endpoint, world.database)
		const restored = await world.runOnDatabase(['restore', '--from', to, '--verify-data'])
		expect(restored).toMatchObject({ code: 0, result: { outcome: 'complete', rows: exported.result.rows } })
		expect(differences(before, await theirPicture(world.endpoint, world.database))).toEqual([])
	},
)

test('the table of the functional test of ydb tools dump has the same bytes', async () => {
	await using world = await createWorld()
	await runStatements(world.endpoint, world.database, [
		'CREATE TABLE `folder/table` (id Uint32, number Uint64, string String, fixed_point Decimal(22,9), PRIMARY KEY(id));',
		'UPSERT INTO `folder/table` (id, number, string, fixed_point) VALUES (2, 6, "pen", CAST("2.4" AS Decimal(22,9))), (3, NULL, "pineapple", CAST("3.5" AS Decimal(22,9))), (5, 12, NULL, CAST("512.6" AS Decimal(22,9))), (7, 15, "pen", NULL);',
	])
	await world.run(['repo', 'init'])
	await world.runOnDatabase(['backup', 'create'])
	const to = join(world.directory, 'dump')
	expect(await world.run(['backup', 'export', '--to', to, '--include', 'folder/table'])).toMatchObject({ code: 0 })
	expect(await readFile(join(to, 'folder/table/data_00.csv'), 'utf8')).toBe(
		'2,6,"pen",2.4\n3,null,"pineapple",3.5\n5,12,null,512.6\n7,15,"pen",null\n',
	)
})

test('a directory that holds anything is refused and left as it was; a stopped export is not restored', async () => {
	await using world = await createWorld()
	await world.seed(300)
	await world.run(['repo', 'init'])
	const { result } = await world.runOnDatabase(['backup', 'create'])
	await writeFile(join(world.directory, 'mine'), 'mine')
	const refused = await world.run(['backup', 'export', '--to', world.directory])
	expect(refused).toMatchObject({ code: 5, error: { code: 'STORAGE_ALREADY_EXISTS' } })
	expect(await readFile(join(world.directory, 'mine'), 'utf8')).toBe('mine')

	const folder = join(world.repo, 'backups', result.id)
	const data = (await readdir(folder, { recursive: true })).find((name) => name.endsWith('.csv.zst'))!
	const bytes = await readFile(join(folder, data))
	bytes[bytes.length >> 1]! ^= 1
	await writeFile(join(folder, data), bytes)
	const to = join(world.directory, 'broken')
	const broken = await world.run(['backup', 'export', '--to', to])
	expect(broken).toMatchObject({ code: 3, error: { code: 'OBJECT_DAMAGED' } })
	expect(broken.error.advice).toContain('left unfinished')
	expect(await readdir(to)).toContain('incomplete')
	await dropEverything(world.endpoint, world.database)
	expect(await world.runOnDatabase(['restore', '--from', to])).toMatchObject({ code: 3 })
	expect((await world.picture()).size).toBe(0)
})

test(
	'a backup in S3 is restored from its folder without its manifest, and written as a dump',
	{ timeout: 120_000 },
	async () => {
		const open = Object.entries(places).find(([name]) => /s3/iu.test(name))![1]
		await using place = await open()
		await using world = await createWorld()
		await world.seed(500)
		const env = { ...place.env, YDBACKUP_REPO: place.url }
		await world.run(['repo', 'init'], { env })
		const { result } = await world.runOnDatabase(['backup', 'create'], { env })
		const before = await world.picture()
		await dropEverything(world.endpoint, world.database)
		const [base, query] = place.url.split('?')
		const from = `${base!.replace(/\/$/u, '')}/backups/${result.id}${query === undefined ? '' : `?${query}`}`
		const restored = await world.runOnDatabase(['restore', '--from', from, '--verify-data'], { env: place.env })
		expect(restored).toMatchObject({ code: 0, result: { from: { layout: 'export' }, rows: result.rows } })
		const after = await world.picture()
		expect(differences(only(before, 'geo/cities'), only(after, 'geo/cities'))).toEqual([])
		const to = join(world.directory, 'dump')
		expect(await world.run(['backup', 'export', '--to', to], { env })).toMatchObject({ code: 0 })
		expect(await world.runOnDatabase(['restore', '--from', to, '--to', 'copy'], { env: place.env })).toMatchObject({
			code: 0,
		})
	},
)
