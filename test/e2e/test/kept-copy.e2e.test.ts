import { expect, test } from 'vitest'
import { differences, type Picture } from '../../../tools/demo/picture.ts'
import { dropEverything, runStatements } from '../../../tools/demo/their-reader.ts'
import { createWorld, type World } from '../src/world.ts'
import type { Ran } from '../src/ydbackup.ts'

const CHANGES = (round: number): string[] => [
	`UPDATE \`geo/cities\` SET population = ${round} WHERE id < 40;`,
	`DELETE FROM \`geo/cities\` WHERE id >= ${20 * round} AND id < ${20 * round + 5};`,
	`CREATE TABLE \`shop/orders_${round}\` (id Uint64 NOT NULL, note Utf8, PRIMARY KEY (id));`,
	`UPSERT INTO \`shop/orders_${round}\` (id, note) VALUES (1, "one"), (2, NULL);`,
]

async function create(world: World, words: readonly string[]): Promise<Ran['result']> {
	const ran = await world.runOnDatabase(['backup', 'create', ...words])
	expect(ran, words.join(' ')).toMatchObject({ code: 0 })
	return ran.result
}

const INCREMENT = ['--incremental', '--keep-copy']

/** Copies that are in the database, by the id of their backup. */
async function copies({ database, endpoint }: World): Promise<string[]> {
	const { connect } = await import('@ydbackup/ydb')
	await using ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
	return (await ydb.source.workDirectories('~ydbackup-')).map((name) => name.split('-').slice(2).join('-'))
}

const relative = ({ keptCopy, database }: Ran['result']): string => keptCopy.slice(database.length + 1)

const copyOf = (wanted: string, { tables }: Ran['result']): string =>
	String(tables.findIndex(({ path }: { path: string }) => path === wanted) + 1).padStart(5, '0')

const said = ({ warnings }: Ran['result']): string =>
	warnings.map(({ message }: { message: string }) => message).join('\n')

test(
	'increments against kept copies: every link comes back, and one copy is there at a time',
	{ timeout: 120_000 },
	async () => {
		await using world = await createWorld()
		const { endpoint, database } = world
		await world.seed(300)
		await world.run(['repo', 'init'])
		const ids: string[] = []
		const pictures: Picture[] = []
		const link = async (words: readonly string[]): Promise<Ran['result']> => {
			pictures.push(await world.picture())
			const result = await create(world, words)
			ids.push(result.id)
			return result
		}
		const dry = await world.runOnDatabase(['backup', 'create', '--keep-copy', '--dry-run'])
		expect(dry.result).toMatchObject({ dryRun: true, keepCopy: true })
		expect(await copies(world)).toEqual([])

		const full = await link(['--keep-copy'])
		expect(full.keptCopy).toMatch(new RegExp(`^${database}/~ydbackup-[a-z0-9]+-${full.id}$`, 'u'))
		expect(await copies(world)).toEqual([full.id])
		expect((await world.run(['backup', 'show', full.id])).result.keptCopy).toBe(full.keptCopy)
		await runStatements(endpoint, database, CHANGES(1))
		const one = await link(INCREMENT)
		expect(one.fromCopy).toBe(full.tables.length)
		expect(await copies(world)).toEqual([one.id])
		await runStatements(endpoint, database, CHANGES(2))
		// A message holds other rows than one of the copy.
		world.emulator.faults.readChunkRows = 7
		const two = await link(INCREMENT)
		expect(two.fromCopy).toBe(one.tables.length)
		world.emulator.faults.readChunkRows = undefined

		// Somebody writes into the copy.
		const cities = `${relative(two)}/${copyOf('geo/cities', two)}`
		await runStatements(endpoint, database, [...CHANGES(3), `DELETE FROM \`${cities}\` WHERE id >= 40;`])
		const three = await link(INCREMENT)
		expect(three.fromCopy).toBe(0)
		expect(said(three)).toMatch(/does not hold the rows that .* it is dropped, and the backup begins anew/u)
		expect(await copies(world)).toEqual([three.id])

		// Somebody drops it.
		await runStatements(
			endpoint,
			database,
			three.tables.map(({ path }: { path: string }) => `DROP TABLE \`${relative(three)}/${copyOf(path, three)}\`;`),
		)
		const four = await link(['--incremental'])
		expect(said(four)).toContain('has no copy of')
		expect(four).not.toHaveProperty('keptCopy')
		expect(await copies(world)).toEqual([])

		const report = await world.run(['backup', 'verify', 'latest', '--level', 'full'])
		expect(report).toMatchObject({ code: 0, result: { ok: true, links: ids } })
		for (const [at, id] of ids.entries()) {
			await dropEverything(endpoint, database)
			expect(await world.runOnDatabase(['restore', id, '--verify-data'])).toMatchObject({ code: 0 })
			expect(differences(pictures[at]!, await world.picture()), `link ${at}`).toEqual([])
		}
	},
)

test('a deleted backup takes its copy with it, or names it for gc; gc leaves those of listed backups', async () => {
	await using world = await createWorld()
	await world.seed(50)
	await world.run(['repo', 'init'])
	const first = await create(world, ['--keep-copy'])
	const second = await create(world, ['--keep-copy'])
	const third = await create(world, ['--keep-copy'])
	expect(await copies(world)).toEqual([first.id, second.id, third.id])
	expect((await world.runOnDatabase(['backup', 'gc'])).result.garbage).toEqual([])
	expect(await copies(world)).toEqual([first.id, second.id, third.id])

	expect(await world.runOnDatabase(['backup', 'delete', first.id, '--yes'])).toMatchObject({ code: 0 })
	expect(await copies(world)).toEqual([second.id, third.id])
	const alone = await world.run(['backup', 'delete', second.id, '--yes'])
	expect(alone).toMatchObject({ code: 0, result: { backups: [{ id: second.id, state: 'deleted', copy: {} }] } })
	expect(said(alone.result)).toContain(second.keptCopy)
	expect((await world.run(['backup', 'list'])).result).toMatchObject({
		unfinished: [{ id: second.id, kind: 'kept-copy' }],
	})
	const collected = await world.runOnDatabase(['backup', 'gc'])
	expect(collected.result.garbage).toMatchObject([{ kind: 'run', name: second.id, state: 'removed' }])
	expect(await copies(world)).toEqual([third.id])
})

test('the cluster keeps no copy, and copies are not taken into backups', async () => {
	await using world = await createWorld()
	await world.seed(20)
	await world.run(['repo', 'init'])
	const refused = await world.runOnDatabase(['backup', 'create', '--engine', 'cluster', '--keep-copy'])
	expect(refused).toMatchObject({ code: 2, error: { code: 'CONFIG_INVALID' } })
	expect(refused.error.message).toContain('--keep-copy')
	const first = await create(world, ['--keep-copy'])
	const second = await create(world, [])
	expect(second.tables.map(({ path }: { path: string }) => path)).toEqual(
		first.tables.map(({ path }: { path: string }) => path),
	)
	expect(JSON.stringify(second.directories)).not.toContain('~')
})
