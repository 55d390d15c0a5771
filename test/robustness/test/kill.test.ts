import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openQueries } from '../../e2e/src/queries.ts'
import { createWorld, type World } from '../../e2e/src/world.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { connect } from '@ydbackup/ydb'

const DELAYS_MS = [250, 400, 550, 700, 850, 1000, 1200, 1500, 2000]

const exists = (path: string): Promise<boolean> =>
	access(path).then(
		() => true,
		() => false,
	)

/** Reads every backup whole that is listed for the first time: later runs never write to it again. */
async function proveNew(world: World, listed: readonly string[], proven: Set<string>): Promise<void> {
	for (const id of listed) {
		if (proven.has(id)) continue
		expect(await world.run(['backup', 'verify', id, '--level', 'full'])).toMatchObject({ code: 0 })
		proven.add(id)
	}
}

test('a backup that is killed at any moment is never listed nor importable, and the next one works', async () => {
	await using world = await createWorld()
	await world.seed(4000)
	await world.run(['repo', 'init'])
	world.emulator.faults.delayReadMs = 60
	const proven = new Set<string>()
	let killed = 0
	let whole = 0
	for (const delay of DELAYS_MS) {
		const { code } = await world.runOnDatabase(['backup', 'create'], {
			onStart: (child) => setTimeout(() => child.kill('SIGKILL'), delay),
		})
		if (code === null) killed++
		else whole++
		const { result } = await world.run(['backup', 'list'])
		const listed: string[] = result.backups.map(({ id }: { id: string }) => id)
		await proveNew(world, listed, proven)
		const begun = (await exists(join(world.repo, 'backups'))) ? await readdir(join(world.repo, 'backups')) : []
		for (const id of begun.filter((name) => !listed.includes(name))) {
			// The native root files come after all data; whoever has them without a manifest was killed between two puts of small files.
			if (!(await exists(join(world.repo, 'backups', id, 'metadata.json')))) continue
			const files = await readdir(join(world.repo, 'backups', id), { recursive: true })
			expect(files.filter((name) => /data_\d+\.csv/.test(name)).length).toBeGreaterThan(0)
		}
	}
	expect(killed).toBeGreaterThan(2)
	world.emulator.faults.delayReadMs = 0
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
	expect((await world.run(['backup', 'list'])).result.backups.length).toBeGreaterThanOrEqual(whole + 1)
}, 120_000)

test(
	'collection ship that is killed at any moment lists whole links only, and goes on where it was',
	{ timeout: 180_000 },
	async () => {
		await using world = await createWorld({ faults: { operationDelayMs: 1 } })
		await using queries = await openQueries(world.endpoint, world.database)
		await world.seed(3000)
		await world.run(['repo', 'init'])
		const inCluster = (words: string): ReturnType<typeof world.run> =>
			world.runOnDatabase(['collection', ...words.split(' ')], { env: { YDBACKUP_REPO: undefined } })
		expect(await inCluster('create c --table geo/cities --table all_types --incremental')).toMatchObject({ code: 0 })
		const rows = async (path: string): Promise<string> =>
			JSON.stringify(
				await queries.run(`SELECT COUNT(*), SUM(population), MAX(id) FROM \`${path}\``),
				(_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
			)
		const truths: string[] = []
		for (let link = 0; link < 4; link++) {
			truths.push(await rows('geo/cities'))
			expect(await inCluster(`backup c${link === 0 ? '' : ' --incremental'}`)).toMatchObject({ code: 0 })
			await queries.run(`UPDATE \`geo/cities\` SET population = population + 7 WHERE id % 3 = ${link % 3}`)
			await queries.run(`DELETE FROM \`geo/cities\` WHERE id % 11 = ${link}`)
		}
		world.emulator.faults.delayReadMs = 40
		const proven = new Set<string>()
		let killed = 0
		for (const delay of DELAYS_MS) {
			const { code } = await world.runOnDatabase(['collection', 'ship', 'c'], {
				onStart: (child) => setTimeout(() => child.kill('SIGKILL'), delay),
			})
			if (code === null) killed++
			const listed = (await world.run(['backup', 'list'])).result.backups as { id: string }[]
			await proveNew(
				world,
				listed.map(({ id }) => id),
				proven,
			)
		}
		expect(killed).toBeGreaterThan(1)
		world.emulator.faults.delayReadMs = 0
		expect(await world.runOnDatabase(['collection', 'ship', 'c'])).toMatchObject({
			code: 0,
			result: { outcome: 'complete' },
		})
		const { backups } = (await world.run(['backup', 'list'])).result
		expect(backups.map(({ collection }: { collection: { name: string } }) => collection.name)).toEqual([
			'c',
			'c',
			'c',
			'c',
		])
		for (const [at, { id }] of (backups as { id: string }[]).entries()) {
			expect(await world.runOnDatabase(['restore', id, '--to', `/local/back${at}`])).toMatchObject({ code: 0 })
			expect(await rows(`back${at}/geo/cities`), `link ${at}`).toBe(truths[at])
		}
		// What killed runs left is gone.
		const ids = new Set((backups as { id: string }[]).map(({ id }) => id))
		const left = (await readdir(join(world.repo, 'backups'), { recursive: true, withFileTypes: true }))
			.filter((entry) => entry.isFile() && ![...ids].some((id) => entry.parentPath.includes(id)))
			.map(({ name, parentPath }) => join(parentPath, name))
		expect(left).toEqual([])
	},
)

test(
	'a restore that is killed again and again is gone on with to the same rows, also in the place of tables',
	{ timeout: 180_000 },
	async () => {
		await using world = await createWorld({ faults: { operationDelayMs: 20 } })
		await using queries = await openQueries(world.endpoint, world.database)
		await world.seed(3000)
		await world.run(['repo', 'init'])
		expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
		const truth = await world.picture()
		const ways = [
			['restore', 'latest', '--verify-data', '--resume'],
			['restore', 'latest', '--include', 'geo/cities', '--existing', 'replace', '--resume'],
		]
		let killed = 0
		for (const [way, words] of ways.entries()) {
			if (way === 0) await dropEverything(world.endpoint, world.database)
			else await queries.run('DELETE FROM `geo/cities` WHERE id % 3 = 1')
			world.emulator.faults.delayQueryMs = 120
			let isDone = false
			for (const delay of [350, 450, 550, 650, 800, 1000, 1300, 1700]) {
				if (isDone) break
				const { code, result, error } = await world.runOnDatabase(words, {
					onStart: (child) => setTimeout(() => child.kill('SIGKILL'), delay),
				})
				if (code === null) killed++
				// The one before was killed behind its last step: all is there, and nothing is left to go on with.
				else if (error?.code === 'PATH_EXISTS') expect(await world.picture()).toEqual(truth)
				else expect(result, JSON.stringify(error)).toMatchObject({ outcome: 'complete' })
				isDone = code !== null
			}
			world.emulator.faults.delayQueryMs = 0
			if (!isDone) {
				const { code, result, error } = await world.runOnDatabase(words)
				expect(code, JSON.stringify([result, error])).toBe(0)
			}
			expect(await world.picture()).toEqual(truth)
		}
		expect(killed).toBeGreaterThan(2)
		await using ydb = await connect({
			endpoint: world.endpoint,
			database: world.database,
			credentials: { kind: 'anonymous' },
		})
		const left = (await ydb.sink.children('')).map(({ path }) => path).filter((path) => path.startsWith('~'))
		expect(left).toEqual([])
	},
)

test(
	"a restore that is killed at any moment, its own or the cluster's, leaves what can be told and removed, and the next one is whole",
	{ timeout: 180_000 },
	async () => {
		await using world = await createWorld({ faults: { operationDelayMs: 30, alterMembers: true } })
		await using queries = await openQueries(world.endpoint, world.database)
		await world.seed(3000)
		await world.run(['repo', 'init'])
		const rows = async (): Promise<string> =>
			JSON.stringify(
				await queries.run('SELECT COUNT(*), SUM(population), MAX(id) FROM `geo/cities`'),
				(_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
			)
		const collection = (...words: string[]): ReturnType<typeof world.run> =>
			world.runOnDatabase(['collection', ...words])
		expect(await collection('create', 'c', '--table', 'geo/cities', '--incremental')).toMatchObject({ code: 0 })
		expect(await collection('backup', 'c')).toMatchObject({ code: 0 })
		await queries.run('UPDATE `geo/cities` SET population = population + 7 WHERE id % 3 = 1')
		await queries.run('DELETE FROM `geo/cities` WHERE id % 11 = 1')
		const truth = await rows()
		expect(await collection('backup', 'c', '--incremental')).toMatchObject({ code: 0 })
		expect(await collection('drop', 'c', '--with-links')).toMatchObject({ code: 0 })
		const dropTable = (): Promise<unknown> => queries.run('DROP TABLE `geo/cities`').catch(() => undefined)
		let killed = 0
		for (const method of ['native', 'apply']) {
			const restore = ['restore', 'latest', '--method', method]
			for (const delay of [300, 450, 650, 900]) {
				await dropTable()
				const { code } = await world.runOnDatabase(restore, {
					onStart: (child) => setTimeout(() => child.kill('SIGKILL'), delay),
				})
				if (code === null) killed++
				const { collections } = (await collection('list')).result
				for (const { name } of collections as { name: string }[]) {
					expect(name).toMatch(/^ydbackup_restore_/u)
					// The server may still be at work on it.
					await expect
						.poll(async () => (await collection('drop', name, '--with-links')).code, { timeout: 10_000 })
						.toBe(0)
				}
			}
			await dropTable()
			expect(await world.runOnDatabase(restore)).toMatchObject({ code: 0, result: { outcome: 'complete' } })
			expect(await rows()).toBe(truth)
		}
		expect(killed).toBeGreaterThan(2)
	},
)
