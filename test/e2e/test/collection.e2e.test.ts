import { randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openQueries, type Queries } from '../src/queries.ts'
import type { Ran } from '../src/ydbackup.ts'
import { createWorld, type World } from '../src/world.ts'

const CREATE =
	'CREATE TABLE `shop/orders` (id Uint64 NOT NULL, state Utf8, total Int64, PRIMARY KEY (id), INDEX by_state GLOBAL ON (state))'
const USERS = 'CREATE TABLE users (name Utf8, mail Utf8, PRIMARY KEY (name))'

interface Life extends World {
	readonly queries: Queries
	/** `ydbackup collection … --json` that must succeed. */
	collection(words: string): Promise<Ran['result']>
	/** The same that must not. */
	refused(words: string): Promise<{ code: number | null; error: Ran['error']; result: Ran['result'] }>
	/** The rows of both tables below a path, as text. */
	rows(below?: string): Promise<string>
}

async function begin(faults: Partial<World['emulator']['faults']> = {}): Promise<Life> {
	const world = await createWorld({ faults: { operationDelayMs: 5, ...faults } })
	const queries = await openQueries(world.endpoint, world.database)
	// A repository of the environment would be shipped to.
	const collection = (words: string): Promise<Ran> =>
		world.runOnDatabase(['collection', ...words.split(' ')], { env: { YDBACKUP_REPO: undefined } })
	await world.run(['repo', 'init'])
	await queries.run(CREATE)
	await queries.run(USERS)
	await queries.run("UPSERT INTO `shop/orders` (id, state, total) VALUES (1, 'new', 10), (2, 'new', 20), (3, NULL, 30)")
	await queries.run("UPSERT INTO users (name, mail) VALUES ('ada', 'a@x'), (NULL, 'nobody')")
	return {
		...world,
		queries,
		async collection(words) {
			const { code, result, stderr } = await collection(words)
			expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' })
			return result
		},
		async refused(words) {
			const { code, error, result } = await collection(words)
			expect(code).not.toBe(0)
			return { code, error, result }
		},
		rows: async (below = '') =>
			JSON.stringify(
				[
					await queries.run(`SELECT id, state, total FROM \`${below}shop/orders\` ORDER BY id`),
					await queries.run(`SELECT name, mail FROM \`${below}users\` ORDER BY name`),
				],
				(_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
			),
		async [Symbol.asyncDispose]() {
			await queries[Symbol.asyncDispose]()
			await world[Symbol.asyncDispose]()
		},
	}
}

const TWO = '--table shop/orders --table /local/users'

test.concurrent(
	'the life of a collection: made, backed up, shipped, restored to every link, pruned and dropped',
	{ timeout: 300_000 },
	async () => {
		await using life = await begin()
		const { queries } = life
		expect(await life.collection('list')).toEqual({ database: '/local', collections: [] })
		expect(await life.collection(`create nightly ${TWO} --incremental`)).toMatchObject({
			collection: 'nightly',
			tables: ['shop/orders', 'users'],
			isIncremental: true,
		})
		expect(await life.refused(`create nightly ${TWO}`)).toMatchObject({ error: { code: 'PATH_EXISTS' } })
		expect((await life.collection('show nightly')).obstacle).toMatchObject({ code: 'CHAIN_BROKEN', reason: 'gap' })
		expect((await life.refused('backup nightly --incremental')).error).toMatchObject({
			code: 'CHAIN_BROKEN',
			advice: expect.stringContaining('--full-if-needed'),
		})

		const truths = [await life.rows()]
		const first = await life.collection(`backup nightly --incremental --full-if-needed --repo ${life.repo}`)
		expect(first).toMatchObject({
			kind: 'full',
			reason: expect.stringContaining('no backup'),
			shipped: { outcome: 'complete' },
		})
		await queries.run("UPSERT INTO `shop/orders` (id, state) VALUES (1, 'paid')")
		await queries.run('DELETE FROM `shop/orders` WHERE id = 2')
		truths.push(await life.rows())
		const second = await life.collection(`backup nightly --incremental --repo ${life.repo}`)
		expect(second).toMatchObject({ kind: 'incremental', tables: ['shop/orders', 'users'] })
		await queries.run("REPLACE INTO users (name) VALUES ('ada'), ('bob')")
		await queries.run('DELETE FROM users WHERE name IS NULL')
		await queries.run('DELETE FROM `shop/orders` ON (id) VALUES (99)')
		truths.push(await life.rows())
		// Inside the cluster only, and shipped afterwards.
		expect(await life.collection('backup nightly --incremental')).not.toHaveProperty('shipped')
		const { links } = await life.collection(`show nightly --repo ${life.repo} --count`)
		expect(
			links.map(({ kind, state, rows, backup }: Record<string, unknown>) => [kind, state, rows, backup !== undefined]),
		).toEqual([
			['full', 'complete', 5, true],
			['incremental', 'complete', 2, true],
			['incremental', 'complete', 4, false],
		])
		await life.collection(`ship nightly --repo ${life.repo}`)
		const { backups } = (await life.run(['backup', 'list'])).result
		const ids: string[] = backups.map(({ id }: { id: string }) => id)
		expect(ids).toHaveLength(3)

		for (const [at, id] of ids.entries()) {
			expect(await life.run(['backup', 'verify', id, '--level', 'full'])).toMatchObject({ code: 0 })
			const { code, stderr } = await life.runOnDatabase(['restore', id, '--to', `/local/back${at}`])
			expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
			expect(await life.rows(`back${at}/`), `link ${at}`).toBe(truths[at])
		}

		expect((await life.refused('drop nightly')).error).toMatchObject({ code: 'CONFIG_INVALID' })
		expect((await life.collection('show nightly')).obstacle).toBeUndefined()
		await life.collection('backup nightly')
		expect(await life.collection(`prune nightly --repo ${life.repo}`)).toMatchObject({ outcome: 'complete' })
		const left = await life.collection(`show nightly --repo ${life.repo}`)
		expect({ here: left.links.length, shippedOnly: left.shippedOnly.length }).toEqual({ here: 1, shippedOnly: 3 })
		expect((await life.refused(`drop nightly --repo ${life.repo}`)).error.message).toContain('not in the repository')
		expect(await life.collection('drop nightly --with-links --dry-run')).toMatchObject({ dryRun: true, links: [{}] })
		expect((await life.collection('list')).collections).toMatchObject([{ name: 'nightly', fulls: 1, increments: 0 }])
		await life.collection('drop nightly --with-links')
		expect((await life.collection('list')).collections).toEqual([])
		expect(await life.rows()).toBe(truths[2])
	},
)

test.concurrent('what the server would refuse is refused with what to do', { timeout: 300_000 }, async () => {
	await using life = await begin()
	const { queries, emulator } = life
	const message = async (words: string): Promise<string> => {
		const { error } = await life.refused(words)
		return `${error.code} ${error.message} ${error.advice ?? ''}`
	}
	expect(await message('create c --table nope')).toMatch(/^PATH_NOT_FOUND .*nope/)
	expect(await message('create c --table shop')).toMatch(/^PATH_NOT_FOUND .*no row table/)
	expect(await message('create c --table users --omit-indexes')).toMatch(/^CONFIG_INVALID .*--incremental/)
	expect(await message('create a/b --table users')).toMatch(/^CONFIG_INVALID .*bare name/)
	await queries.run('CREATE TABLE lazy (id Uint64 NOT NULL, a Utf8, PRIMARY KEY (id), INDEX i GLOBAL ASYNC ON (a))')
	expect(await message('create c --table lazy --incremental')).toMatch(/^UNSUPPORTED .*asynchronous/)
	emulator.faults.collectionsDisabled = true
	expect(await message(`create c ${TWO}`)).toMatch(/DATABASE_REFUSED .*enable_backup_service/)
	emulator.faults.collectionsDisabled = false
	await life.collection(`create c ${TWO} --incremental`)
	await life.collection('create plain --table users')
	await life.collection('backup plain')
	expect(await message('backup plain --incremental')).toMatch(/DATABASE_REFUSED .*cannot be changed/)
	await life.collection('backup c')
	await life.collection('backup c --incremental')
	expect(await message('create d --table users --incremental')).toMatch(
		/^CONFIG_INVALID .*users is in the collection c/,
	)
	expect(await message('backup nope')).toMatch(/^PATH_NOT_FOUND/)
	expect(await message('show nope')).toMatch(/^PATH_NOT_FOUND/)
	expect(await message('drop nope')).toMatch(/^PATH_NOT_FOUND/)

	// A table that was dropped and made again has no stream of changes.
	await queries.run('DROP TABLE users')
	expect(await message('backup c --incremental')).toMatch(/^CHAIN_BROKEN .*users/)
	await queries.run(USERS)
	expect(await message('backup c --incremental')).toMatch(/DATABASE_REFUSED .*full backup/)
	const { kind, warnings } = await life.collection('backup c --incremental --full-if-needed')
	const ofTheTool = warnings.filter(
		({ message: told }: { message: string }) => !told.startsWith('the answer of the server was lost'),
	)
	expect({ kind, warnings: ofTheTool }).toMatchObject({
		kind: 'full',
		warnings: [{ message: expect.stringContaining('stream') }],
	})
})

test.concurrent(
	'a backup is followed to its true end: failed, late, expired, or its answer lost',
	{ timeout: 300_000 },
	async () => {
		await using life = await begin()
		const { emulator } = life
		await life.collection(`create c ${TWO} --incremental`)
		await life.collection('backup c')
		emulator.faults.failOperations = 1
		expect((await life.refused('backup c --incremental')).error).toMatchObject({ code: 'CHAIN_BROKEN' })
		// The chain is broken for good.
		expect((await life.refused('backup c --incremental')).error.message).toContain('could not write')
		expect(await life.collection('backup c --incremental --full-if-needed')).toMatchObject({ kind: 'full' })
		emulator.faults.stuckOperations = true
		expect((await life.refused('backup c --incremental --wait 1')).error).toMatchObject({
			code: 'DEADLINE_EXCEEDED',
			retry: 'later',
		})
		expect((await life.collection('show c')).links.at(-1)).toMatchObject({ state: 'running' })
		expect((await life.refused('backup c --incremental')).error.message).toContain('still writing')
		emulator.faults.stuckOperations = false
		await life.collection('backup c --incremental')
		// Of the server's clock, which is a day ahead now.
		expect((await life.collection('show c --stream-hours 1')).obstacle).toBeUndefined()
	},
)

test.concurrent('two runs in one second: one of them waits for the next', { timeout: 300_000 }, async () => {
	await using life = await begin()
	await life.collection(`create c ${TWO} --incremental`)
	const both = await Promise.all([
		life.runOnDatabase(['collection', 'backup', 'c'], { env: { YDBACKUP_REPO: undefined } }),
		life.runOnDatabase(['collection', 'backup', 'c'], { env: { YDBACKUP_REPO: undefined } }),
	])
	// Each has its link, or is told of the other.
	for (const { code, error, result } of both)
		if (code === 0) expect(result.tables).toEqual(['shop/orders', 'users'])
		else expect(error).toMatchObject({ code: 'CHAIN_BROKEN', message: expect.stringContaining('somebody else') })
	const { links } = await life.collection('show c')
	expect(links.length).toBeGreaterThanOrEqual(1)
	expect(new Set(links.map(({ name }: { name: string }) => name)).size).toBe(links.length)
})

test.concurrent(
	'links are shipped encrypted, and need the key for all that follows',
	{ timeout: 300_000 },
	async () => {
		await using life = await begin()
		const { queries } = life
		const key = join(life.directory, 'key')
		await writeFile(key, randomBytes(32), { mode: 0o600 })
		const sealed = `--repo ${life.repo} --encryption-key file:${key}`
		await life.collection(`create c ${TWO} --incremental`)
		expect(await life.collection(`backup c ${sealed}`)).toMatchObject({ shipped: { outcome: 'complete' } })
		await queries.run("UPSERT INTO `shop/orders` (id, state) VALUES (1, 'paid')")
		const truth = await life.rows()
		await life.collection('backup c --incremental')
		expect((await life.refused(`ship c --repo ${life.repo}`)).error).toMatchObject({ code: 'KEY_REQUIRED' })
		const { links, keysUsed } = await life.collection(`ship c ${sealed}`)
		expect({ states: links.map(({ state }: { state: string }) => state), keys: keysUsed.length }).toEqual({
			states: ['present', 'shipped'],
			keys: 1,
		})
		for (const name of await readdir(life.repo, { recursive: true }))
			expect(name, 'no name of a table is told').not.toMatch(/orders|users/u)
		const words = ['--encryption-key', `file:${key}`]
		expect(await life.run(['backup', 'verify', 'latest', '--level', 'full', ...words])).toMatchObject({ code: 0 })
		expect(await life.runOnDatabase(['restore', 'latest', '--to', '/local/back', ...words])).toMatchObject({ code: 0 })
		expect(await life.rows('back/')).toBe(truth)
		await life.collection(`backup c ${sealed}`)
		expect((await life.refused(`prune c --repo ${life.repo}`)).code).toBe(9)
		expect(await life.collection(`prune c ${sealed}`)).toMatchObject({ outcome: 'complete' })
	},
)

test.concurrent(
	"the cluster's own RESTORE, of a collection that stands and of an encrypted chain",
	{ timeout: 300_000 },
	async () => {
		await using life = await begin()
		const { queries } = life
		const key = join(life.directory, 'key')
		await writeFile(key, randomBytes(32), { mode: 0o600 })
		const sealed = ['--encryption-key', `file:${key}`]
		await life.collection(`create c ${TWO} --incremental`)
		await life.collection(`backup c --repo ${life.repo} ${sealed.join(' ')}`)
		const before = await life.rows()
		await queries.run("UPSERT INTO `shop/orders` (id, state) VALUES (1, 'paid')")
		await queries.run('DELETE FROM users WHERE name IS NULL')
		await life.collection(`backup c --incremental --repo ${life.repo} ${sealed.join(' ')}`)
		const truth = await life.rows()
		const dropAll = async (): Promise<void> => {
			await queries.run('DROP TABLE `shop/orders`')
			await queries.run('DROP TABLE users')
		}
		expect((await life.refused('restore c')).error).toMatchObject({ code: 'PATH_EXISTS' })
		await dropAll()
		expect(await life.collection('restore c --dry-run')).toMatchObject({ dryRun: true, links: { length: 2 } })
		expect(await life.collection('restore c')).toMatchObject({
			tables: [
				{ path: 'shop/orders', rows: 3 },
				{ path: 'users', rows: 1 },
			],
		})
		expect(await life.rows()).toBe(truth)
		await life.collection('drop c --with-links')

		const [full] = (await life.run(['backup', 'list'])).result.backups
		const restore = (id: string, ...more: string[]): Promise<Ran> =>
			life.runOnDatabase(['restore', id, '--method', 'native', ...sealed, ...more])
		expect(await restore('latest', '--to', '/local/x')).toMatchObject({ code: 2, error: { code: 'CONFIG_INVALID' } })
		expect(await restore('latest')).toMatchObject({ code: 5, error: { code: 'PATH_EXISTS' } })
		await dropAll()
		expect(await restore('latest', '--dry-run')).toMatchObject({ code: 0, result: { dryRun: true, method: 'native' } })
		expect(await restore('latest')).toMatchObject({ code: 0, result: { method: 'native', warnings: [] } })
		expect(await life.rows()).toBe(truth)
		await dropAll()
		expect(await restore(full.id)).toMatchObject({ code: 0, result: { outcome: 'complete' } })
		expect(await life.rows()).toBe(before)
		expect((await life.collection('list')).collections).toEqual([])
	},
)
