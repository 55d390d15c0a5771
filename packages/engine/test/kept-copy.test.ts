import { KEPT_COPY, workDirectoryOf } from '@ydbackup/catalog'
import { BackupError, type ClusterTransfers, type Storage } from '@ydbackup/core'
import { layout, parseProtoText } from '@ydbackup/format'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import {
	type BackupOptions,
	type BackupResult,
	collectGarbage,
	type CollectGarbageOptions,
	deleteBackups,
	pruneBackups,
	resumeBackup,
	type ResumedBackupResult,
} from '../src/index.ts'
import { FakeDatabase } from './fake-database.ts'
import { intercept } from './intercept.ts'
import { keyOf, rowFrame, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, TOOL, type World } from './world.ts'

const KEY = { name: 'test', getKey: () => Promise.resolve(Buffer.alloc(32, 7)) }

/** Takes backups a second apart each, as their names need it. */
function backups(world: World): (more?: Partial<BackupOptions>) => Promise<BackupResult> {
	let second = 0
	return (more) => world.backup({ clock: () => new Date(Date.UTC(2026, 10, 23, 2, 15, second++)), ...more })
}

const nameOf = ({ repository }: World, id: string): string => workDirectoryOf(repository.header, id)

/** Keys of data files that were read, of one world's storage. */
function watched(): { readonly storage: Storage; readonly read: string[] } {
	const read: string[] = []
	const storage = intercept(openMemory(), {
		get: (key, options, next) => {
			if (key.includes('/data_') && !key.endsWith('.sha256')) read.push(key)
			return next(key, options)
		},
	})
	return { storage, read }
}

async function restored(world: World, id: string, options: object = {}): Promise<Record<string, unknown>> {
	const target = new FakeDatabase('/local')
	expect(await world.restore(target, { id, verifyData: true, ...options })).toMatchObject({ outcome: 'complete' })
	return target.picture()
}

function truth(world: World): Record<string, unknown> {
	const all = Object.entries(world.database.picture())
	return Object.fromEntries(all.filter(([, node]) => (node as { kind: string }).kind !== 'resource-pool'))
}

function change({ database }: World, round: number): void {
	database.putRows('dir/sub/split', [rowFrame([5, `five ${round}`, round]), rowFrame([1000 + round, 'new', 1])])
	database.deleteRow('dir/sub/split', keyOf(7 + round))
}

function collect(world: World, options: Partial<CollectGarbageOptions> = {}): ReturnType<typeof collectGarbage> {
	const { database: source, repository } = world
	const database = { source, transfers: undefined as unknown as ClusterTransfers }
	return collectGarbage({ repository, database, settleMs: 0, tool: TOOL, ...options })
}

test('an increment reads the copy that its parent kept, drops it, and keeps its own; no data file is read', async () => {
	const { storage, read } = watched()
	const world = await createWorld(storage)
	const take = backups(world)
	const pictures = [truth(world)]
	const full = await take({ keepCopy: true })
	expect(full).toMatchObject({ keptCopy: `/local/${nameOf(world, full.id)}`, manifest: { keptCopy: true } })
	expect(full.fromCopy).toBeUndefined()
	expect([...world.database.copies]).toEqual([nameOf(world, full.id)])
	expect(await world.repository.runs()).toEqual([])

	change(world, 1)
	pictures.push(truth(world))
	const one = await take({ parent: 'latest', keepCopy: true })
	expect(one).toMatchObject({ fromCopy: 3, warnings: [{ path: 'dir/pool' }] })
	expect([...world.database.copies]).toEqual([nameOf(world, one.id)])
	change(world, 2)
	pictures.push(truth(world))
	const two = await take({ parent: 'latest' })
	expect(two.fromCopy).toBe(3)
	expect(two.keptCopy).toBeUndefined()
	expect(read).toEqual([])
	expect([...world.database.copies]).toEqual([])

	change(world, 3)
	pictures.push(truth(world))
	const three = await take({ parent: 'latest' })
	expect(three).toMatchObject({ fromCopy: 0, warnings: [{ path: 'dir/pool' }] })
	expect(read).not.toEqual([])
	expect(await world.verify('full')).toMatchObject({ ok: true })
	for (const [at, { id }] of [full, one, two, three].entries())
		expect(await restored(world, id), `link ${at}`).toEqual(pictures[at])
})

test('the increment is byte for byte the one that the repository alone gives', async () => {
	const essence = async (keepCopy: boolean): Promise<unknown> => {
		const world = await createWorld()
		const take = backups(world)
		await take({ keepCopy })
		change(world, 1)
		const { id, manifest } = await take({ parent: 'latest' })
		const { objects, files, counts } = manifest!
		return JSON.parse(JSON.stringify({ objects, files, counts }).replaceAll(id, 'ID'))
	}
	expect(await essence(true)).toEqual(await essence(false))
})

const TAMPERED: readonly [how: string, tamper: (copies: FakeDatabase) => void][] = [
	['a row written', (copies) => copies.putRows('plain', [rowFrame([1, 'somebody was here', 1])])],
	['a row deleted', (copies) => copies.deleteRow('plain', keyOf(1000))],
	['a row added', (copies) => copies.putRows('none', [rowFrame([1, null, 0])])],
	[
		'as many others',
		(copies) => (copies.deleteRow('plain', keyOf(1000)), copies.putRows('plain', [rowFrame([1, 'x', 1])])),
	],
]

for (const [how, tamper] of TAMPERED) {
	for (const encryption of [undefined, { keys: [KEY] }]) {
		test(`a copy that was tampered with (${how}${encryption ? ', encrypted' : ''}) is found, dropped, and not compared with`, async () => {
			const world = await createWorld()
			const take = backups(world)
			const full = await take({ keepCopy: true, encryption })
			change(world, 1)
			const expected = truth(world)
			tamper(world.database.copiesIn(nameOf(world, full.id)))
			const { id, fromCopy, warnings } = await take({ parent: 'latest', encryption })
			expect(fromCopy).toBe(0)
			const said = warnings.map(({ message }) => message).join('\n')
			expect(said).toContain(`/local/${nameOf(world, full.id)}`)
			expect(said).toContain(`does not hold the rows that ${full.id} counted and hashed; it is dropped`)
			expect([...world.database.copies]).toEqual([])
			expect(await world.repository.runs()).toEqual([])
			expect(await world.repository.ids()).toEqual([full.id, id])
			expect(await restored(world, id, encryption)).toEqual(expected)
			expect(
				(await world.keys())
					.filter((key) => key.startsWith('backups/'))
					.every((key) => key.includes(full.id) || key.includes(id)),
			).toBe(true)
		})
	}
}

test('a copy that is of no use and cannot be dropped fails the run, with nothing listed', async () => {
	const world = await createWorld()
	const take = backups(world)
	const full = await take({ keepCopy: true })
	world.database.copiesIn(nameOf(world, full.id)).putRows('plain', [rowFrame([1, 'x', 1])])
	world.database.faults.before = (call, path) => {
		if (call === 'drop' && path.includes(full.id)) throw new BackupError('DATABASE_PERMISSION', 'not yours')
	}
	await expect(take({ parent: 'latest' })).rejects.toMatchObject({
		code: 'COPIES_GONE',
		advice: expect.stringContaining(`drop the tables in /local/${nameOf(world, full.id)}`),
	})
	expect(await world.repository.ids()).toEqual([full.id])
})

test('a copy that is gone, cannot be read, or has other columns is warned of, and the repository is read', async () => {
	const cases: [how: RegExp, break_: (world: World, name: string) => void][] = [
		[/is not there/u, ({ database }, name) => database.copies.delete(name)],
		[/has other columns/u, ({ database }, name) => database.copiesIn(name).addTable('plain', OTHER, [])],
		[
			/not yours/u,
			({ database }) => {
				database.faults.before = (call) => {
					if (call === 'openCopies') throw new BackupError('DATABASE_PERMISSION', 'not yours')
				}
			},
		],
	]
	for (const [how, spoil] of cases) {
		const world = await createWorld()
		const take = backups(world)
		const full = await take({ keepCopy: true })
		spoil(world, nameOf(world, full.id))
		change(world, 1)
		const { id, fromCopy, warnings } = await take({ parent: 'latest' })
		expect(fromCopy).toBe(0)
		expect(warnings.map(({ message }) => message)).toContainEqual(expect.stringMatching(how))
		expect(await restored(world, id)).toEqual(truth(world))
		expect([...world.database.copies]).toEqual([])
	}
})

const OTHER = parseProtoText(
	`columns { name: "id" type { type_id: UINT64 } not_null: true }
	columns { name: "name" type { optional_type { item { type_id: UTF8 } } } }
	primary_key: "id"`,
	'a scheme',
)

test('a copy that goes while it is read makes the backup begin anew', async () => {
	const world = await createWorld()
	const take = backups(world)
	const full = await take({ keepCopy: true })
	change(world, 1)
	world.database.faults.before = (call, path) => {
		if (call === 'read' && path === 'plain' && world.database.copies.delete(nameOf(world, full.id)))
			throw new BackupError('PATH_NOT_FOUND', 'the table is gone')
	}
	const { id, fromCopy, warnings } = await take({ parent: 'latest' })
	expect(fromCopy).toBe(0)
	expect(warnings.map(({ message }) => message)).toContainEqual(expect.stringContaining('cannot be read'))
	expect(await restored(world, id)).toEqual(truth(world))
	expect(await world.repository.runs()).toEqual([])
})

test('of a table whose columns changed, the former rows are read from the repository', async () => {
	const world = await createWorld()
	const take = backups(world)
	await take({ keepCopy: true })
	world.database.addTable('plain', OTHER, [])
	world.database.addTable('fresh', schemeOf(), rowsUpTo(3))
	change(world, 1)
	const { id, fromCopy, tables } = await take({ parent: 'latest' })
	expect([fromCopy, tables.length]).toEqual([2, 4])
	expect(await restored(world, id)).toEqual(truth(world))
})

test('a backup without row tables keeps nothing, which is said', async () => {
	const world = await createWorld()
	for (const path of ['none', 'plain', 'dir/sub/split']) world.database.nodes.delete(path)
	const { keptCopy, manifest, warnings } = await world.backup({ keepCopy: true })
	expect([keptCopy, manifest!.keptCopy]).toEqual([undefined, undefined])
	expect(warnings.map(({ message }) => message)).toContainEqual(expect.stringContaining('has no row table'))
	expect([...world.database.copies]).toEqual([])
})

/** Stops a backup at its n-th read of rows. */
async function stopped(world: World, options: Partial<BackupOptions>): Promise<string> {
	const stop = new AbortController()
	let reads = 0
	world.database.faults.before = (call) => {
		if (call === 'read' && ++reads === 2) stop.abort(new Error('Ctrl-C'))
	}
	await expect(world.backup({ concurrency: 1, signal: stop.signal, ...options })).rejects.toMatchObject({
		code: 'INTERRUPTED',
	})
	delete world.database.faults.before
	return (await world.repository.runs())[0]!.id
}

function resume(world: World, id: string, keys: (typeof KEY)[] = []): Promise<ResumedBackupResult> {
	const { database: source, repository } = world
	return resumeBackup({ source, repository, id, keys, tool: TOOL })
}

test('a run that was stopped keeps its copy when it is gone on with, and an encrypted one says why it does not', async () => {
	const world = await createWorld()
	const id = await stopped(world, { keepCopy: true })
	expect(await resume(world, id)).toMatchObject({ id, keptCopy: `/local/${nameOf(world, id)}` })
	expect([...world.database.copies]).toEqual([nameOf(world, id)])
	change(world, 1)
	const next = await stopped(world, { parent: id, keepCopy: true })
	expect(await resume(world, next)).toMatchObject({ id: next, fromCopy: 3 })
	expect([...world.database.copies]).toEqual([nameOf(world, next)])
	expect(await restored(world, next)).toEqual(truth(world))

	const other = await createWorld()
	const run = await stopped(other, { keepCopy: true, encryption: { keys: [KEY] } })
	const { keptCopy, warnings } = await resume(other, run, [KEY])
	expect(keptCopy).toBeUndefined()
	expect(warnings.map(({ message }) => message)).toContainEqual(expect.stringContaining('bear the name of the run'))
	expect([...other.database.copies]).toEqual([])
})

test('a resumed run whose parent was tampered with takes another backup', async () => {
	const world = await createWorld()
	const full = await world.backup({ keepCopy: true })
	change(world, 1)
	const id = await stopped(world, { parent: full.id })
	world.database.copiesIn(nameOf(world, full.id)).putRows('plain', [rowFrame([1, 'x', 1])])
	const result = await resume(world, id)
	expect(result).toMatchObject({ fromCopy: 0, resumed: { kept: 'nothing' } })
	expect([...world.database.copies]).toEqual([])
	expect(await restored(world, result.id)).toEqual(truth(world))
})

test('wherever a process dies after its manifest, gc and resume leave the kept copy and drop that of the parent', async () => {
	for (const clean of ['gc', 'resume'] as const) {
		for (const dead of ['leave', 'drop parent', 'end'] as const) {
			const world = await createWorld()
			const take = backups(world)
			const full = await take({ keepCopy: true })
			change(world, 1)
			const end = world.repository.endRun.bind(world.repository)
			world.repository.endRun = () => Promise.reject(new Error('the process is dead'))
			world.database.faults.before = (call) => {
				if ((dead === 'leave' && call === 'leave') || (dead !== 'end' && call === 'drop')) throw new Error('dead')
			}
			const { id } = await take({ parent: full.id, keepCopy: true })
			delete world.database.faults.before
			world.repository.endRun = end
			expect((await world.repository.runs()).map((run) => run.id)).toEqual([id])
			if (clean === 'resume') await expect(resume(world, id)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
			else
				expect(await collect(world)).toMatchObject({
					garbage: [
						{ kind: 'run', name: id, state: 'removed', reason: expect.stringContaining('the copy that it keeps') },
					],
				})
			expect([...world.database.copies]).toEqual([nameOf(world, id)])
			expect(await world.repository.runs()).toEqual([])
			change(world, 2)
			expect(await take({ parent: id })).toMatchObject({ fromCopy: 3 })
		}
	}
})

test('a deleted backup takes its copy with it, or leaves a note for gc where no database is at hand', async () => {
	for (const how of ['delete', 'prune'] as const) {
		for (const isAtHand of [true, false]) {
			const world = await createWorld()
			const { database, repository } = world
			const take = backups(world)
			const { id } = await take({ keepCopy: true })
			const kept = (await take({ keepCopy: true })).id
			const openSource = isAtHand ? async () => database : undefined
			const common = { repository, openSource, settleMs: 0 }
			const { warnings } =
				how === 'delete'
					? await deleteBackups({ ...common, ids: [id] })
					: await pruneBackups({ ...common, rules: { last: 1 } })
			expect(await repository.ids()).toEqual([kept])
			const directories = [nameOf(world, id), nameOf(world, kept)]
			expect([...database.copies]).toEqual(isAtHand ? directories.slice(1) : directories)
			if (!isAtHand) {
				expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining(`/local/${nameOf(world, id)}`)])
				expect(await repository.runs()).toMatchObject([{ id, record: { kind: KEPT_COPY } }])
				await expect(resume(world, id)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
				expect(await collect(world, { database: undefined })).toMatchObject({ garbage: [{ name: id, state: 'kept' }] })
				expect(await collect(world)).toMatchObject({
					garbage: [{ name: id, state: 'removed', reason: 'the copy of a deleted backup' }],
				})
			}
			expect([...database.copies]).toEqual([nameOf(world, kept)])
			expect(await repository.runs()).toEqual([])
			expect(await collect(world)).toMatchObject({ garbage: [] })
			expect((await world.keys()).filter((key) => key.includes(id))).toEqual([])
		}
	}
})

test('a database that cannot be reached keeps nobody from deleting', async () => {
	const world = await createWorld()
	const { id } = await world.backup({ keepCopy: true })
	const openSource = () => Promise.reject(new BackupError('DATABASE_UNREACHABLE', 'nobody answers'))
	const { repository } = world
	const { backups: gone, warnings } = await deleteBackups({ repository, ids: [id], openSource, settleMs: 0 })
	expect(gone).toMatchObject([{ state: 'deleted', copy: { workDirectory: nameOf(world, id) } }])
	expect(warnings).toMatchObject([{ message: expect.stringContaining('nobody answers') }])
	expect(await collect(world)).toMatchObject({ garbage: [{ kind: 'run', name: id, state: 'removed' }] })
})

test('behind whichever delete a process dies that deletes a backup, its copy is found again', async () => {
	for (let nth = 0; nth < 40; nth++) {
		const whole = await createWorld()
		const { id } = await backups(whole)({ keepCopy: true, paths: ['none'] })
		let deletes = 0
		const mortal = intercept(whole.storage, {
			async delete(key, next) {
				if (deletes === nth) throw new BackupError('STORAGE_PERMANENT', 'the process is dead')
				deletes++
				return next(key)
			},
		})
		const { Repository } = await import('@ydbackup/catalog')
		const repository = await Repository.open(mortal)
		const died = await deleteBackups({
			repository,
			ids: [id],
			settleMs: 0,
			openSource: async () => whole.database,
		}).then(
			() => false,
			() => true,
		)
		for await (const { key } of whole.storage.list('leases/')) await whole.storage.delete(key)
		// The first may be of a delete that was not begun, and the second deletes what is doomed.
		await collect(whole)
		await collect(whole)
		const isListed = (await whole.storage.stat(layout.manifestKey(id))) !== undefined
		expect([...whole.database.copies], `delete ${nth}`).toEqual(isListed ? [nameOf(whole, id)] : [])
		expect(await whole.repository.runs()).toEqual([])
		if (!died) return
	}
	expect.unreachable()
})

test('copies that nothing speaks of are named and left alone', async () => {
	const world = await createWorld()
	const { id } = await world.backup({ keepCopy: true })
	await world.storage.delete(layout.manifestKey(id))
	world.database.copies.add('~ydbackup-another-20261123T021530Z-k3f9')
	expect(await collect(world)).toMatchObject({
		outcome: 'complete',
		garbage: [{ kind: 'copies', name: `/local/${nameOf(world, id)}`, state: 'kept' }],
	})
	expect(world.database.copies.size).toBe(2)
})
