import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeAll, lose } from '../src/objects.ts'
import { openQueries } from '../src/queries.ts'
import { createWorld, type World } from '../src/world.ts'
import type { Ran } from '../src/ydbackup.ts'

type Described = Record<string, unknown>

let world: World
const ids: string[] = []
/** All that was in `dir` when each link was shipped. */
const before: Described[] = []
let sealed: string
let key: string[]

beforeAll(async () => {
	world = await createWorld()
	await using queries = await openQueries(world.endpoint, world.database)
	await queries.run('CREATE TABLE other (id Uint64 NOT NULL, PRIMARY KEY (id))')
	await queries.run('CREATE TABLE `dir/orders` (id Uint64 NOT NULL, city Utf8, PRIMARY KEY (id))')
	await queries.run(
		'ALTER TABLE `dir/orders` ADD CHANGEFEED updates WITH (MODE = "NEW_IMAGE", FORMAT = "JSON", RETENTION_PERIOD = Interval("PT2H"))',
	)
	await queries.run('ALTER TOPIC `dir/orders/updates` ADD CONSUMER billing WITH (important = TRUE)')
	await queries.run(view('dir/views/cities', 'SELECT city FROM `/local/dir/orders`'))
	await queries.run(view('elsewhere/unrelated', 'SELECT id FROM `/local/other`'))
	await queries.run('UPSERT INTO `dir/orders` (id, city) VALUES (1, "Riga"), (2, "Oslo")')
	await succeeding(['repo', 'init'])
	await succeeding(['collection', 'create', 'c', '--table', 'dir/orders', '--incremental'])
	await link()
	await queries.run('ALTER TOPIC `dir/orders/updates` ADD CONSUMER search')
	await queries.run(view('dir/views/a_over', 'SELECT city FROM `/local/dir/views/cities`'))
	await queries.run(
		view('dir/views/both', 'SELECT o.city FROM `/local/dir/orders` AS o JOIN `/local/other` AS t ON o.id = t.id'),
	)
	await queries.run('UPSERT INTO `dir/orders` (id, city) VALUES (3, "Bergen")')
	await link('--incremental')

	await writeFile(join(world.directory, 'key'), Buffer.alloc(32, 7))
	key = ['--encryption-key', `file:${join(world.directory, 'key')}`]
	sealed = join(world.directory, 'sealed')
	await succeeding(['repo', 'init', '--repo', sealed])
	await succeeding(['collection', 'ship', 'c', '--repo', sealed, ...key])
	// While a collection stands its tables cannot be altered.
	await succeeding(['collection', 'drop', 'c', '--with-links'])
}, 120_000)
afterAll(() => world[Symbol.asyncDispose]())

const view = (path: string, select: string): string =>
	`CREATE VIEW \`${path}\` WITH (security_invoker = TRUE) AS ${select}`

async function succeeding(words: readonly string[]): Promise<Ran['result']> {
	const { code, result, stderr } = await world.runOnDatabase(words)
	expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' })
	return result
}

async function link(...words: string[]): Promise<void> {
	const { shipped } = await succeeding(['collection', 'backup', 'c', '--repo', world.repo, ...words])
	ids.push(shipped.links.at(-1).id)
	before.push(await described('dir'))
}

/** As plain JSON, and as if it were in `/local/dir`: names are as long, because lengths stand in what is compared. */
async function described(top: string): Promise<Described> {
	const all = await describeAll(world.endpoint, world.database, top)
	const text = JSON.stringify(all, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
	return JSON.parse(text.replaceAll(`/local/${top}`, '/local/dir')) as Described
}

async function cities(top: string): Promise<unknown> {
	await using queries = await openQueries(world.endpoint, world.database)
	return await queries.run(`SELECT city FROM \`${top}/orders\` ORDER BY city`)
}

const kindsIn = ({ objects }: Ran['result']): string[] =>
	objects.map(({ kind, path, parts }: { kind: string; path: string; parts: number }) => `${kind} ${path} ${parts}`)

test(
	'a link carries changefeeds and views of its tables, and says when they were read',
	{ timeout: 60_000 },
	async () => {
		const wanted = [
			['view dir/views/cities 0'],
			['view dir/views/a_over 0', 'view dir/views/both 0', 'view dir/views/cities 0'],
		]
		const tables = ['row-table dir/orders 1', 'change-table dir/orders 1']
		for (const [at, id] of ids.entries()) {
			const shown = await succeeding(['backup', 'show', id])
			expect(kindsIn(shown)).toEqual([tables[at], ...wanted[at]!])
			for (const { readAt } of shown.objects) expect(readAt).toBe(shown.collection.schemesReadAt)
			expect(shown.directories).toEqual(['dir', 'dir/views'])
			expect(shown.notes).toEqual([])
			expect((await succeeding(['backup', 'verify', id, '--level', 'full'])).findings).toEqual([])
		}
	},
)

test('lost and restored at each link: equal, in place and elsewhere', { timeout: 120_000 }, async () => {
	const rows = [
		[['Oslo'], ['Riga']],
		[['Bergen'], ['Oslo'], ['Riga']],
	]
	for (const [at, id] of ids.entries()) {
		await lose(world.endpoint, world.database, 'dir')
		expect((await succeeding(['restore', id, '--verify-data'])).problems).toEqual([])
		expect(await described('dir')).toEqual(before[at])
		expect(await cities('dir')).toEqual(rows[at])
		const top = `et${at}`
		const moved = await succeeding(['restore', id, '--map', `/local/dir=/local/${top}`])
		expect(moved.problems).toEqual([])
		expect(await described(top)).toEqual(before[at])
		expect(await cities(top)).toEqual(rows[at])
	}
})

test("the cluster's own RESTORE brings rows, and the objects follow", { timeout: 60_000 }, async () => {
	await lose(world.endpoint, world.database, 'dir')
	const { problems } = await succeeding(['restore', ids[1]!, '--method', 'native'])
	expect(problems).toEqual([])
	expect(await described('dir')).toEqual(before[1])
})

test('by kind, and from encrypted links', { timeout: 60_000 }, async () => {
	const bare = await succeeding([
		'restore', ids[1]!, '--exclude-kind', 'view,changefeed', '--map', '/local/dir=/local/bare',
	]) // oxfmt-ignore
	expect(bare).toMatchObject({ objects: [], tables: [{ changefeeds: [] }] })
	const views = await succeeding(['restore', ids[1]!, '--kind', 'view', '--map', '/local/dir=/local/alone'])
	expect(views).toMatchObject({ tables: [], problems: [] })
	expect(views.objects.map(({ target }: { target: string }) => target).toSorted()).toEqual([
		'alone/views/a_over',
		'alone/views/both',
		'alone/views/cities',
	])

	expect(await succeeding(['backup', 'verify', 'latest', '--repo', sealed, '--level', 'full', ...key])).toMatchObject({
		ok: true,
	})
	const words = ['--repo', sealed, '--map', '/local/dir=/local/opn', ...key]
	expect((await succeeding(['restore', 'latest', ...words])).problems).toEqual([])
	expect(await described('opn')).toEqual(before[1])
})
