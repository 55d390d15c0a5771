import { expect, test } from 'vitest'
import { openQueries } from '../src/queries.ts'
import { createWorld, type World } from '../src/world.ts'

const TABLES = [
	'a/b.c',
	'a/bxc',
	'a/[b]',
	'a/b',
	'a/{x,y}',
	'a/x',
	'Case/t',
	'case/t',
	'deep/er/logs/t',
	'logs/t',
	'таблица/表',
	'таблица/🗂️',
	'a*b/t',
	'aab/t',
]

const flags = (name: 'include' | 'exclude', patterns: readonly string[]): string[] =>
	patterns.flatMap((pattern) => [`--${name}`, pattern])

async function chosen(world: World, words: readonly string[]): Promise<string[]> {
	const { code, result, error } = await world.runOnDatabase([...words, '--dry-run'])
	expect(error).toBeUndefined()
	expect(code).toBe(0)
	return result.tables.map(({ path }: { path: string }) => path).toSorted()
}

test('patterns choose what the documentation says: brackets, braces and dots stand for themselves, and case counts', async () => {
	await using world = await createWorld()
	await using queries = await openQueries(world.endpoint, world.database)
	for (const path of TABLES) await queries.run(`CREATE TABLE \`${path}\` (id Uint64 NOT NULL, PRIMARY KEY (id))`)
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	const beside = ['restore', 'latest', '--to', '/local/copy']

	const literal = ['a/[b]', 'a/{x,y}', '/local/a/b.c', 'Case', 'таблица/?']
	const wanted = ['Case/t', 'a/[b]', 'a/b.c', 'a/{x,y}', 'таблица/表'].toSorted()
	expect(await chosen(world, [...beside, ...flags('include', literal)])).toEqual(wanted)
	expect(await chosen(world, ['backup', 'create', ...flags('include', literal)])).toEqual(wanted)

	const wide = [...flags('include', ['**/logs', '/local/a*b/**', 'таблица/**']), ...flags('exclude', ['deep/*/logs'])]
	expect(await chosen(world, [...beside, ...wide])).toEqual(
		['a*b/t', 'aab/t', 'logs/t', 'таблица/表', 'таблица/🗂️'].toSorted(),
	)
	// An absolute pattern of the whole database, and one that excludes nothing, which is said.
	const all = await world.runOnDatabase([...beside, '--dry-run', '--include', '/local', '--exclude', 'NOPE'])
	expect(all.result.tables).toHaveLength(TABLES.length)
	expect(all.result.warnings).toMatchObject([{ message: expect.stringContaining('the pattern NOPE excludes nothing') }])
})

test('a pattern that includes nothing ends the command before it does anything, and is named', async () => {
	await using world = await createWorld()
	await world.seed(50)
	await world.run(['repo', 'init'])
	const asked = flags('include', ['geo', 'GEO', '{geo,blog}', 'geo/[c]ities', 'geo/cities/x', 'ge'])
	const refused = await world.runOnDatabase(['backup', 'create', ...asked])
	expect(refused).toMatchObject({ code: 4, error: { code: 'PATH_NOT_FOUND' } })
	expect(refused.error.message).toBe('nothing in the database matches GEO, {geo,blog}, geo/[c]ities, geo/cities/x, ge')
	expect(refused.error.advice).toContain('are the only wildcards')
	expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
	const { result } = await world.runOnDatabase(['backup', 'create'])
	const restored = await world.runOnDatabase(['restore', 'latest', '--to', '/local/copy', ...asked])
	expect(restored).toMatchObject({ code: 4, error: { code: 'PATH_NOT_FOUND' } })
	expect(restored.error.message).toContain(`nothing in backup ${result.id} matches GEO,`)
	const alone = await world.runOnDatabase(['restore', 'latest', '--to', '/local/copy', '--include', 'Geo'])
	expect(alone.error).toMatchObject({ code: 'PATH_NOT_FOUND', message: `nothing in backup ${result.id} matches Geo` })
	const elsewhere = await world.runOnDatabase(['backup', 'create', '--include', '/other/geo'])
	expect(elsewhere).toMatchObject({ code: 2, error: { code: 'CONFIG_INVALID' } })
})
