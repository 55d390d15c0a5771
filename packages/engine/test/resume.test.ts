import { Repository } from '@ydbackup/catalog'
import { BackupError, type Storage } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { resumeBackup, type ResumeBackupOptions, type ResumedBackupResult } from '../src/index.ts'
import { intercept, type Interceptions } from './intercept.ts'
import { keyOf, rowFrame, rowsUpTo } from './row-bytes.ts'
import { createWorld, seeded, TOOL, World } from './world.ts'

const KEY = { name: 'test', getKey: () => Promise.resolve(Buffer.alloc(32, 7)) }

function resume(world: World, id: string, options: Partial<ResumeBackupOptions> = {}): Promise<ResumedBackupResult> {
	const { database: source, repository } = world
	return resumeBackup({ source, repository, id, tool: TOOL, onEvent: (event) => world.events.push(event), ...options })
}

/** Leases of a process that has died end by time; here at once. */
async function timePasses({ storage }: World): Promise<void> {
	for await (const { key } of storage.list('leases/')) await storage.delete(key)
}

/** What two backups of the same rows have in common, wherever they were made. */
function essence({ id, objects, files, counts }: Manifest): unknown {
	return JSON.parse(JSON.stringify({ objects, files, counts }).replaceAll(id, 'ID'))
}

/** Stops a backup at its n-th read of rows. */
async function stopAt(world: World, read: number, options: Parameters<World['backup']>[0] = {}): Promise<string> {
	const stop = new AbortController()
	let reads = 0
	world.database.faults.before = (call) => {
		if (call === 'read' && ++reads >= read) stop.abort(new Error('Ctrl-C'))
	}
	const error = await world
		.backup({ concurrency: 1, signal: stop.signal, ...options })
		.catch((reason: unknown) => reason)
	delete world.database.faults.before
	expect(error).toMatchObject({ code: 'INTERRUPTED' })
	const [run] = await world.repository.runs()
	expect((error as BackupError).advice).toContain(`ydbackup backup resume ${run!.id}`)
	return run!.id
}

/** The store of a process that ends behind its n-th put. */
function mortal(storage: Storage, nth: number): { readonly storage: Storage; puts(): number } {
	let puts = 0
	const alive = (): void => {
		if (puts >= nth) throw new BackupError('STORAGE_PERMANENT', 'the process is dead')
	}
	const calls: Interceptions = {
		async put(key, body, options, next) {
			alive()
			const info = await next(key, body, options)
			puts++
			return info
		},
		async get(key, options, next) {
			alive()
			return next(key, options)
		},
		async stat(key, next) {
			alive()
			return next(key)
		},
		async delete(key, next) {
			alive()
			return next(key)
		},
	}
	return { storage: intercept(storage, calls), puts: () => puts }
}

test('a stopped backup goes on as the same backup, with the parts that were done, of the same moment', async () => {
	const whole = (await (await createWorld()).backup()).manifest!
	for (const read of [1, 2, 4, 6]) {
		const world = await createWorld()
		const id = await stopAt(world, read)
		// What changes meanwhile is not in the copies.
		world.database.putRows('plain', rowsUpTo(5, 9000).map(rowFrame))
		const result = await resume(world, id)
		expect(result).toMatchObject({ id, resumed: { run: id, kept: 'parts' } })
		expect(result.resumed.parts).toBe(read - 1)
		expect(essence(result.manifest!)).toEqual(essence(whole))
		expect(await world.verify('full')).toMatchObject({ findings: [] })
		expect(await world.keys('runs/')).toEqual([])
		expect(await world.keys('leases/')).toEqual([])
		expect([...world.database.copies]).toEqual([])
	}
})

test('objects that are read live are taken by the resume too', async () => {
	const world = await createWorld()
	world.database.addObject('live', 'topic', { form: 'message', message: [] })
	const { objects } = (await world.backup()).manifest!
	const id = await stopAt(world, 3)
	const result = await resume(world, id)
	expect(result.manifest!.objects.map(({ path, kind }) => `${kind} ${path}`)).toEqual(
		objects.map(({ path, kind }) => `${kind} ${path}`),
	)
	expect(objects.some(({ kind }) => kind === 'topic')).toBe(true)
})

test('a resume that is stopped is resumed', async () => {
	const world = await createWorld()
	const id = await stopAt(world, 2)
	for (let read = 1; read < 3; read++) {
		const stop = new AbortController()
		let reads = 0
		world.database.faults.before = (call) => {
			if (call === 'read' && ++reads > 1) stop.abort(new Error('Ctrl-C'))
		}
		await expect(resume(world, id, { concurrency: 1, signal: stop.signal })).rejects.toMatchObject({
			code: 'INTERRUPTED',
			advice: expect.stringContaining(`resume ${id}`),
		})
	}
	delete world.database.faults.before
	expect(await resume(world, id)).toMatchObject({ id, resumed: { parts: 3 } })
	expect(await world.verify('full')).toMatchObject({ findings: [] })
})

test('behind whichever put its process is killed, and the next one too: a resume ends in a whole backup, and nothing is left', async () => {
	const whole = (await (await createWorld()).backup()).manifest!
	let kept = 0
	let isOver = false
	for (let nth = 2; !isOver; nth++) {
		const storage = openMemory()
		const world = new World(seeded(), storage, await Repository.init(storage))
		const die = async (work: (dying: World) => Promise<unknown>): Promise<boolean> => {
			const dying = new World(world.database, mortal(storage, nth).storage, await Repository.open(storage))
			Object.assign(dying, { repository: await Repository.open(dying.storage) })
			// A dead process drops no copies.
			world.database.faults.before = (call) => {
				if (call === 'drop') throw new BackupError('DATABASE_UNREACHABLE', 'the process is dead')
			}
			const isDone = await work(dying).then(
				() => true,
				() => false,
			)
			delete world.database.faults.before
			await timePasses(world)
			return isDone
		}
		isOver = await die((dying) => dying.backup({ concurrency: 1 }))
		const [run] = await world.repository.runs()
		if (run === undefined) continue
		if (nth % 3 === 0) await die((dying) => resume(dying, run.id, { concurrency: 1 }))
		const result = await resume(world, run.id).catch((error: BackupError) => error)
		if (result instanceof BackupError) expect(result.code, `put ${nth}`).toBe('RUN_NOT_FOUND')
		else {
			kept += result.resumed.parts
			expect(essence(result.manifest!), `put ${nth}`).toEqual(essence(whole))
		}
		if ((await world.repository.ids()).length === 0) await world.backup()
		expect(await world.repository.ids(), `put ${nth}`).toHaveLength(1)
		expect(await world.verify('full')).toMatchObject({ findings: [] })
		expect(await world.keys('runs/'), `put ${nth}`).toEqual([])
		expect([...world.database.copies], `put ${nth}`).toEqual([])
	}
	expect(kept).toBeGreaterThan(10)
}, 60_000)

test('parts are believed only by their bytes: damaged, cut and lost ones are made again, and so are those of a damaged note', async () => {
	const whole = (await (await createWorld()).backup()).manifest!
	const damages: [(world: World, key: string) => Promise<unknown>, keptParts: number][] = [
		[async ({ storage }, key) => storage.put(key, Buffer.alloc((await storage.stat(key))!.size, 1)), 2],
		[async ({ storage }, key) => storage.put(key, Buffer.alloc(3)), 2],
		[async ({ storage }, key) => storage.delete(key), 2],
		[
			async ({ storage }) => {
				for await (const { key } of storage.list('runs/')) {
					if (!key.includes('/parts-')) continue
					const note = Buffer.from(await new Response(ReadableStream.from((await storage.get(key)).bytes)).bytes())
					await storage.put(key, Buffer.from(note.toString().replaceAll(/"rows":\d+/gu, '"rows":7')))
				}
			},
			0,
		],
		[
			async ({ storage }) => {
				for await (const { key } of storage.list('runs/'))
					if (key.includes('/parts-')) await storage.put(key, Buffer.from('{"ydbackup":"run-parts","version":1,"par'))
			},
			0,
		],
		[
			async ({ storage }) => {
				for await (const { key } of storage.list('backups/')) await storage.delete(key)
			},
			0,
		],
	]
	for (const [damage, keptParts] of damages) {
		const world = await createWorld()
		const id = await stopAt(world, 4)
		const [data] = (await world.keys('backups/')).filter((key) => /data_\d+\.csv\.zst$/u.test(key))
		await damage(world, data!)
		const result = await resume(world, id)
		expect(result.resumed).toMatchObject({ kept: 'parts', parts: keptParts })
		expect(essence(result.manifest!)).toEqual(essence(whole))
		expect(await world.verify('full')).toMatchObject({ findings: [] })
	}
})

test('without the very copies a new backup is taken, which is said, and nothing of the run is left', async () => {
	const losses: ((world: World) => Promise<unknown> | void)[] = [
		({ database }) => database.copies.clear(),
		// Another process made copies of the same name.
		async ({ database }) => {
			const [name] = database.copies
			await database.take({ tables: ['plain'], workDirectory: name! })
		},
		async ({ storage }) => {
			for await (const { key } of storage.list('runs/'))
				if (key.endsWith('snapshot.json')) await storage.put(key, Buffer.from('?'))
		},
	]
	for (const lose of losses) {
		const world = await createWorld()
		const run = await stopAt(world, 1, { labels: { why: 'test' }, paths: ['plain'] })
		await lose(world)
		const result = await resume(world, run)
		expect(result.id).not.toBe(run)
		expect(result.resumed).toMatchObject({ run, kept: 'nothing', reason: expect.any(String) })
		expect(result.manifest).toMatchObject({ labels: { why: 'test' }, paths: ['plain'] })
		expect(result.warnings.map(({ message }) => message).join()).toContain(`run ${run} cannot be gone on with`)
		expect((await world.keys()).filter((key) => key.includes(run))).toEqual([])
		expect([...world.database.copies]).toEqual([])
	}
})

test('an encrypted backup is encrypted anew from the same copies, and no file is encrypted twice with one IV', async () => {
	const world = await createWorld()
	const encryption = { keys: [KEY] }
	const id = await stopAt(world, 4, { encryption })
	// Names of tables stand nowhere in the open.
	for (const key of await world.keys('runs/')) expect(Buffer.from(await world.bytes(key)).includes('split')).toBe(false)
	const before = new Map<string, Uint8Array>()
	for (const key of await world.keys('backups/')) before.set(key, await world.bytes(key))
	world.database.putRows('plain', rowsUpTo(5, 9000).map(rowFrame))
	await expect(resume(world, id)).rejects.toMatchObject({ code: 'KEY_REQUIRED' })
	const other = { ...KEY, getKey: () => Promise.resolve(Buffer.alloc(32, 8)) }
	await expect(resume(world, id, { keys: [other] })).rejects.toMatchObject({ code: 'KEY_WRONG' })
	const result = await resume(world, id, { keys: [KEY] })
	expect(result.id).not.toBe(id)
	expect(result).toMatchObject({ rows: 420, resumed: { run: id, kept: 'copies', parts: 0 } })
	expect((await world.keys()).filter((key) => key.includes(id))).toEqual([])
	const heads = new Set(Array.from(before.values(), (bytes) => Buffer.from(bytes).subarray(0, 40).toString('hex')))
	for (const key of await world.keys('backups/')) {
		if (!key.endsWith('.enc')) continue
		expect(
			heads.has(
				Buffer.from(await world.bytes(key))
					.subarray(0, 40)
					.toString('hex'),
			),
			key,
		).toBe(false)
	}
	expect(await world.repository.runs()).toEqual([])
	expect([...world.database.copies]).toEqual([])
})

test('an increment goes on from its copies, and what it builds upon is looked at again', async () => {
	const world = await createWorld()
	const { id: parent } = await world.backup()
	world.database.deleteRow('plain', keyOf(1003))
	world.database.putRows('plain', rowsUpTo(3, 5000).map(rowFrame))
	const id = await stopAt(world, 2, { parent })
	world.database.putRows('plain', rowsUpTo(3, 6000).map(rowFrame))
	const result = await resume(world, id)
	expect(result).toMatchObject({ id, rows: 4, manifest: { kind: 'incremental', parent: { id: parent } } })
	expect(await world.verify('full')).toMatchObject({ findings: [] })
})

test('a run that is alive, of another kind, of another database or unknown is not gone on with', async () => {
	const world = await createWorld()
	let asked: unknown
	world.database.faults.before = async (call) => {
		if (call !== 'read' || asked !== undefined) return
		asked = 'once'
		const [run] = await world.repository.runs()
		asked = await resume(world, run!.id).catch((error: unknown) => error)
	}
	await world.backup()
	expect(asked).toMatchObject({ code: 'LEASED', message: expect.stringContaining('backup by process') })
	delete world.database.faults.before
	await expect(resume(world, '20260101T000000Z-aaaa')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
	await expect(resume(world, '../x')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
	const record = { database: '/local', workDirectory: '', startedAt: new Date().toISOString(), host: 'h', pid: 1 }
	await world.repository.startRun('20260101T000000Z-aaaa', { ...record, collection: 'c' })
	await world.repository.startRun('20260101T000000Z-bbbb', { ...record, kind: 'sorcery' })
	await world.repository.startRun('20260101T000000Z-cccc', { ...record, database: '/other' })
	await expect(resume(world, '20260101T000000Z-aaaa')).rejects.toMatchObject({
		code: 'UNSUPPORTED',
		advice: expect.stringContaining('collection ship c'),
	})
	await expect(resume(world, '20260101T000000Z-bbbb')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
	await expect(resume(world, '20260101T000000Z-cccc')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})
