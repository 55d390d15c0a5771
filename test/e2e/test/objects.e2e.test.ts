import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '@ydbackup/ydb'
import { describeAll, lose, makeEveryKind } from '../src/objects.ts'
import { openQueries } from '../src/queries.ts'
import { createWorld, type World } from '../src/world.ts'

let world: World
let before: Record<string, unknown>
let id: string

beforeAll(async () => {
	world = await createWorld()
	const { endpoint, database } = world
	await makeEveryKind(endpoint, database)
	before = await describeAll(endpoint, database, 'dir')
	await world.run(['repo', 'init'])
	const made = await world.runOnDatabase(['backup', 'create'])
	id = made.result.id
	expect(made).toMatchObject({
		code: 0,
		result: {
			objects: expect.arrayContaining([
				{ path: 'dir/locks', kind: 'coordination-node', parts: ['api', 'api/read', 'other'] },
			]),
		},
	})
}, 60_000)
afterAll(() => world[Symbol.asyncDispose]())

/** What the objects are that went to `/local/top`, as if they were in `/local/dir`. */
async function moved(top: string): Promise<Record<string, unknown>> {
	const all = await describeAll(world.endpoint, world.database, top)
	const texts = JSON.stringify(all, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
	return JSON.parse(texts.replaceAll(`/local/${top}`, '/local/dir')) as Record<string, unknown>
}

test('every kind of object: verified, shown, lost, restored in place, and equal', { timeout: 60_000 }, async () => {
	const { endpoint, database } = world
	expect(await world.run(['backup', 'verify', id, '--level', 'full'])).toMatchObject({ code: 0 })
	const native = await world.run(['backup', 'verify', id, '--layout', 'native', '--level', 'full'])
	expect(native.result.findings).toEqual([])
	const shown = await world.run(['backup', 'show', id])
	expect(shown.result.objects.map(({ kind, path }: { kind: string; path: string }) => `${kind} ${path}`)).toEqual([
		'row-table dir/orders',
		'view dir/a_over_z',
		'external-data-source dir/bucket',
		'topic dir/events',
		'external-table dir/files',
		'coordination-node dir/locks',
		'view dir/named',
		'replication dir/replica',
		'transfer dir/transfer',
		'view dir/z_cities',
	])
	expect(shown.result.objects[0].readAt).toMatch(/^20/u)
	const reasons = shown.result.notes.map(({ path, reason }: { path: string; reason: string }) => `${path}: ${reason}`)
	expect(reasons).toContain('dir/events: not taken with it: its messages, and where its consumers are in them')
	expect(reasons.join()).toContain('dir/replica: not taken with it: the value of the secret far-token')

	await lose(endpoint, database, 'dir')
	const restored = await world.runOnDatabase(['restore', id, '--verify-data'])
	expect(restored.result?.problems).toEqual([])
	expect(restored.code).toBe(0)
	expect(await describeAll(endpoint, database, 'dir')).toEqual(before)
	expect(restored.result.objects.map(({ path }: { path: string }) => path)).toEqual([
		'dir/locks',
		'dir/events',
		'dir/bucket',
		'dir/files',
		'dir/replica',
		'dir/transfer',
		'dir/named',
		'dir/z_cities',
		'dir/a_over_z',
	])
	expect(restored.result.objects.flatMap(({ secrets }: { secrets: string[] }) => secrets)).toEqual([
		'key-id',
		'key',
		'far-token',
	])
	// A second time everything is in the way, or is left as it is.
	const taken = await world.runOnDatabase(['restore', id])
	expect(taken).toMatchObject({ code: 5, error: { code: 'PATH_EXISTS' } })
	expect(taken.error.message).toContain('dir/z_cities')
	const merged = await world.runOnDatabase(['restore', id, '--existing', 'merge', '--allow-downstream-events'])
	expect(merged).toMatchObject({ code: 0, result: { outcome: 'complete' } })
	expect(merged.result.objects.every(({ action }: { action: string }) => action === 'exists')).toBe(true)
	expect(await describeAll(endpoint, database, 'dir')).toEqual(before)
})

test('to another path: what statements name follows what is restored', { timeout: 60_000 }, async () => {
	const planned = await world.runOnDatabase(['restore', id, '--to', '/local/etc', '--dry-run'])
	expect(planned.result.objects).toHaveLength(9)
	const restored = await world.runOnDatabase(['restore', id, '--map', '/local/dir=/local/etc'])
	expect(restored.result?.problems).toEqual([])
	const after = await moved('etc')
	// A view that had relative paths has absolute ones now, and says where others begin.
	for (const name of ['a_over_z', 'z_cities']) {
		expect(JSON.stringify(after[name])).toMatch(/FROM `\/local\/dir\//u)
		delete after[name]
	}
	const { a_over_z: _a, z_cities: _z, ...others } = before
	expect(after).toEqual(JSON.parse(JSON.stringify(others)))
})

test(
	'by kind: taken and restored alone; a view of what is not restored reads what is there',
	{ timeout: 60_000 },
	async () => {
		const restored = await world.runOnDatabase(['restore', id, '--kind', 'view,topic', '--to', '/local/only'])
		expect(restored).toMatchObject({ code: 0, result: { tables: [], rows: 0 } })
		const after = await describeAll(world.endpoint, world.database, 'only/dir')
		expect(Object.keys(after).toSorted()).toEqual(['a_over_z', 'events', 'named', 'z_cities'])
		expect(JSON.stringify(after['a_over_z'])).toContain(
			'TablePathPrefix = \\\"/local/only\\\";\\nSELECT city FROM `dir/z_cities`',
		)
		expect(JSON.stringify(after['z_cities'])).toContain('`/local/dir/orders`')
		const rest = await world.runOnDatabase([
		'restore', id, '--exclude-kind', 'view', '--exclude-kind', 'topic,changefeed', '--to', '/local/rest',
	]) // oxfmt-ignore
		// The transfer reads a topic that stayed where it is.
		expect(rest).toMatchObject({ code: 0 })
		expect(rest.result.tables.flatMap(({ changefeeds }: { changefeeds: string[] }) => changefeeds)).toEqual([])
		const odd = await world.runOnDatabase(['backup', 'create', '--kind', 'hologram'])
		expect(odd).toMatchObject({ code: 2, error: { code: 'CONFIG_INVALID' } })
		const created = await world.runOnDatabase(['backup', 'create', '--kind', 'view', '--path', 'dir', '--dry-run'])
		expect(created.result.objects.map(({ path }: { path: string }) => path)).toEqual([
			'dir/a_over_z',
			'dir/named',
			'dir/z_cities',
		])
	},
)

test(
	'a sequence goes on behind the numbers that rows have, also where it had not given them out',
	{ timeout: 60_000 },
	async () => {
		await using queries = await openQueries(world.endpoint, world.database)
		await queries.run('CREATE TABLE `numbers` (id Serial NOT NULL, note Utf8, PRIMARY KEY (id))')
		await queries.run('UPSERT INTO `numbers` (note) VALUES ("first")')
		await queries.run('UPSERT INTO `numbers` (id, note) VALUES (41, "by hand")')
		const created = await world.runOnDatabase(['backup', 'create', '--path', 'numbers'])
		await queries.run('DROP TABLE `numbers`')
		expect(await world.runOnDatabase(['restore', created.result.id])).toMatchObject({ code: 0 })
		await queries.run('UPSERT INTO `numbers` (note) VALUES ("next")')
		expect(await queries.run('SELECT id FROM `numbers` ORDER BY id')).toEqual([[1], [41], [42]])
		await queries.run('DROP TABLE `numbers`')
	},
)

test('as a dump of ydb tools dump and back again', { timeout: 60_000 }, async () => {
	const to = join(world.directory, 'dump')
	const exported = await world.run(['backup', 'export', id, '--to', to])
	expect(exported).toMatchObject({ code: 0 })
	expect(await readFile(join(to, 'dir/z_cities/create_view.sql'), 'utf8')).toBe(
		'-- database: "/local"\n-- backup root: "/local"\nCREATE VIEW IF NOT EXISTS `z_cities` WITH (security_invoker = TRUE) AS\nSELECT city FROM `dir/orders` WHERE note = "a;b";\n',
	)
	expect(await readFile(join(to, 'dir/locks/api/read/create_rate_limiter.pb'), 'utf8')).toContain(
		'max_units_per_second: 40',
	)
	expect(await readFile(join(to, 'dir/orders/updates/changefeed_description.pb'), 'utf8')).toContain('name: "updates"')
	await lose(world.endpoint, world.database, 'dir')
	const restored = await world.runOnDatabase(['restore', '--from', to])
	expect(restored.result?.problems).toEqual([])
	expect(restored.code).toBe(0)
	expect(await describeAll(world.endpoint, world.database, 'dir')).toEqual(before)
})

test('encrypted, and by the native files alone', { timeout: 60_000 }, async () => {
	const key = join(world.directory, 'key')
	await writeFile(key, Buffer.alloc(32, 7))
	const words = ['--encryption-key', `file:${key}`]
	const created = await world.runOnDatabase(['backup', 'create', '--path', 'dir', ...words])
	expect(created).toMatchObject({ code: 0 })
	const { id: sealed } = created.result
	expect(await world.run(['backup', 'verify', sealed, '--level', 'full'])).toMatchObject({ code: 0 })
	expect(await world.run(['backup', 'verify', sealed, '--level', 'full', ...words])).toMatchObject({ code: 0 })
	const native = await world.run(['backup', 'verify', sealed, '--layout', 'native', '--level', 'full', ...words])
	expect(native.result.findings).toEqual([])
	await lose(world.endpoint, world.database, 'dir')
	const from = join(world.repo, 'backups', sealed)
	const restored = await world.runOnDatabase(['restore', '--from', from, ...words])
	expect(restored.error).toBeUndefined()
	expect(restored.result?.problems).toEqual([])
	expect(await describeAll(world.endpoint, world.database, 'dir')).toMatchObject(
		Object.fromEntries(Object.entries(before).map(([name, { is }]: [string, any]) => [name, { is }])), // oxlint-disable-line typescript/no-explicit-any
	)
	await using queries = await openQueries(world.endpoint, world.database)
	expect(await queries.run('SELECT COUNT(*) FROM `dir/unique`')).toEqual([[2n]])
	await lose(world.endpoint, world.database, 'dir')
	expect(await world.runOnDatabase(['restore', sealed, ...words])).toMatchObject({ code: 0 })
	expect(await describeAll(world.endpoint, world.database, 'dir')).toEqual(before)
})

test('secrets that stand in the scheme are looked for before anything is touched, and those that do not are named', async () => {
	await using world = await createWorld()
	await using queries = await openQueries(world.endpoint, world.database)
	const options = 'SOURCE_TYPE = "PostgreSQL", LOCATION = "far:5432", AUTH_METHOD = "BASIC", LOGIN = "me"'
	await queries.run(
		`CREATE EXTERNAL DATA SOURCE \`dir/source\` WITH (${options}, PASSWORD_SECRET_PATH = "/local/keys/far")`,
	)
	await queries.run(
		'CREATE ASYNC REPLICATION `dir/replica` FOR `far/a` AS `dir/a` WITH (CONNECTION_STRING = "grpc://far:1/?database=/far", TOKEN_SECRET_NAME = "far-token")',
	)
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	const copy = ['restore', 'latest', '--to', '/local/copy']
	const refused = await world.runOnDatabase(copy)
	expect(refused).toMatchObject({ code: 4, error: { code: 'PATH_NOT_FOUND' } })
	expect(refused.error.message).toContain('secrets are not in /local: /local/keys/far (for copy/dir/source)')
	await using ydb = await connect({ ...world, credentials: { kind: 'anonymous' } })
	expect(await ydb.sink.find('copy')).toBeUndefined()

	// The emulator has no secrets: whatever stands at the path is one.
	await ydb.sink.createDirectory('keys/far')
	const restored = await world.runOnDatabase(copy)
	expect(restored).toMatchObject({ code: 0 })
	expect(restored.result.warnings).toMatchObject([
		{
			path: 'copy/dir/replica',
			message: 'nobody can look whether the secret far-token exists: without it the database refuses copy/dir/replica',
		},
	])
})
