import { expect, test } from 'vitest'
import { below, differences, only, type Picture } from '../../../tools/demo/picture.ts'
import { dropEverything, runStatements, theirPicture } from '../../../tools/demo/their-reader.ts'
import { places } from '../../object-stores/src/places.ts'
import { createWorld, type World } from '../src/world.ts'

/** What happens in the database before each increment. */
const LIFE: readonly (readonly string[])[] = [
	[
		'UPDATE `geo/cities` SET population = 1 WHERE id < 50;',
		'DELETE FROM `geo/cities` WHERE id >= 50 AND id < 60;',
		'CREATE TABLE `shop/orders` (id Uint64 NOT NULL, note Utf8, PRIMARY KEY (id));',
		'UPSERT INTO `shop/orders` (id, note) VALUES (1, "one"), (2, NULL), (3, "three");',
	],
	[
		'ALTER TABLE `shop/orders` ADD COLUMN amount Decimal(22, 9), DROP COLUMN note;',
		'UPSERT INTO `shop/orders` (id, amount) VALUES (2, Decimal("1.5", 22, 9)), (4, Decimal("-0.000000001", 22, 9));',
		'DROP TABLE `empty/table`;',
	],
	['ALTER TABLE `shop/orders` ADD COLUMN note Utf8;', 'DELETE FROM `all_types`;'],
]

async function chain(world: World, env: Record<string, string> = {}): Promise<{ ids: string[]; pictures: Picture[] }> {
	const { endpoint, database } = world
	await world.seed(1000)
	expect(await world.run(['repo', 'init'], { env })).toMatchObject({ code: 0 })
	const ids: string[] = []
	const pictures: Picture[] = []
	async function take(words: string[]): Promise<void> {
		const ran = await world.runOnDatabase(['backup', 'create', ...words], { env })
		expect(ran).toMatchObject({ code: 0 })
		ids.push(ran.result.id)
		pictures.push(await theirPicture(endpoint, database))
	}
	await take([])
	for (const statements of LIFE) {
		await runStatements(endpoint, database, statements)
		await take(['--incremental', '--source', 'diff'])
	}
	return { ids, pictures }
}

test('a chain of increments comes back at every link, in place and elsewhere', { timeout: 120_000 }, async () => {
	await using world = await createWorld()
	const { endpoint, database } = world
	const { ids, pictures } = await chain(world)

	const { backups } = (await world.run(['backup', 'list'])).result
	expect(
		backups.map(({ id, kind, chain: place }: never) => [id, kind, (place as { position: number }).position]),
	).toEqual(ids.map((id, at) => [id, at === 0 ? 'full' : 'incremental', at]))
	const shown = (await world.run(['backup', 'show', ids[1]!])).result
	expect(shown).toMatchObject({ parent: ids[0], kind: 'incremental' })
	const orders = shown.tables.find(({ path }: { path: string }) => path === 'shop/orders')
	expect(orders).toMatchObject({ rows: '3', rowsAfter: '3' })
	expect((await world.run(['backup', 'verify', 'latest', '--level', 'full'])).result).toMatchObject({
		ok: true,
		links: ids,
	})

	for (const [at, id] of ids.entries()) {
		await dropEverything(endpoint, database)
		const restored = await world.runOnDatabase(['restore', id, '--verify-data'])
		expect(restored, `link ${at}`).toMatchObject({ code: 0 })
		expect(differences(pictures[at]!, await theirPicture(endpoint, database)), `link ${at}`).toEqual([])
	}
	const to = ['--to', `${database}/copies`, '--include', 'geo/cities']
	expect(await world.runOnDatabase(['restore', ids[1]!, ...to])).toMatchObject({ code: 0 })
	const copied = below(await theirPicture(endpoint, database), 'copies')
	expect(differences(only(pictures[1]!, 'geo/cities'), only(copied, 'geo/cities'))).toEqual([])
})

test('an increment of an object store is read from it', { timeout: 120_000 }, async () => {
	await using place = await places.s3()
	await using world = await createWorld()
	const env = { ...place.env, YDBACKUP_REPO: place.url }
	const { pictures } = await chain(world, env)
	await dropEverything(world.endpoint, world.database)
	expect(await world.runOnDatabase(['restore', 'latest', '--verify-data'], { env })).toMatchObject({ code: 0 })
	expect(differences(pictures.at(-1)!, await theirPicture(world.endpoint, world.database))).toEqual([])
})

test('a backup is chosen by time, and wrong choices are refused with what there is', async () => {
	await using world = await createWorld()
	await world.seed(20)
	await world.run(['repo', 'init'])
	const { id, snapshotBefore } = (await world.runOnDatabase(['backup', 'create'])).result
	await dropEverything(world.endpoint, world.database)
	const early = await world.runOnDatabase(['restore', '--at', '2020-01-01T00:00:00Z'])
	expect([early.code, early.error.code]).toEqual([4, 'BACKUP_NOT_FOUND'])
	expect(early.error.advice).toContain(id)
	for (const words of [
		['--at', 'yesterday'],
		['--at', '2026-11-23T02:15:00'],
		[],
		['latest', '--at', snapshotBefore],
	]) {
		const refused = await world.runOnDatabase(['restore', ...words])
		expect([refused.code, refused.error.code], words.join(' ')).toEqual([2, 'CONFIG_INVALID'])
	}
	const later = new Date(Date.parse(snapshotBefore) + 1000).toISOString()
	const restored = await world.runOnDatabase(['restore', '--at', later])
	expect(restored).toMatchObject({ code: 0, result: { id } })
	const both = await world.runOnDatabase(['backup', 'create', '--incremental', '--path', 'geo'])
	expect([both.code, both.error.code]).toEqual([2, 'CONFIG_INVALID'])
	const alone = await world.runOnDatabase(['backup', 'create', '--parent', id])
	expect(alone.code).toBe(2)
})
