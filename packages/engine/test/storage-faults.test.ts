import { setTimeout as sleep } from 'node:timers/promises'

import { Repository } from '@ydbackup/catalog'
import { BackupError, type PutBody, type Storage } from '@ydbackup/core'
import { openMemory, retrying } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { FakeDatabase } from './fake-database.ts'
import { intercept, type Interceptions } from './intercept.ts'
import { rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, seeded, World } from './world.ts'

const MANIFEST = /^catalog\/.*\/manifest\.json$/u

interface Broken {
	/** Sees the store as it is. */
	readonly world: World
	/** Sees it through the faults. */
	readonly broken: World
	readonly puts: string[]
}

/** A repository whose backups go through a store with faults; the n-th put of a backup is the one that fails. */
async function breakPuts(
	nth: number,
	fail: (key: string, body: PutBody, put: Storage['put']) => ReturnType<Storage['put']>,
): Promise<Broken> {
	const puts: string[] = []
	return breakStore({
		puts,
		put(key, body, options, next) {
			puts.push(key)
			return puts.length === nth ? fail(key, body, next) : next(key, body, options)
		},
	})
}

async function breakStore(calls: Interceptions & { puts?: string[] }): Promise<Broken> {
	const storage = openMemory()
	const world = new World(seeded(), storage, await Repository.init(storage))
	const faulty = intercept(storage, calls)
	const broken = new World(world.database, faulty, await Repository.open(faulty))
	return { world, broken, puts: calls.puts ?? [] }
}

async function countPuts(): Promise<number> {
	const { broken, puts } = await breakPuts(0, () => Promise.reject(new Error('never')))
	await broken.backup({ concurrency: 1 })
	return puts.length
}

async function drain(body: PutBody): Promise<Buffer> {
	if (body instanceof Uint8Array) return Buffer.from(body)
	const chunks: Uint8Array[] = []
	for await (const chunk of body()) chunks.push(chunk)
	return Buffer.concat(chunks)
}

test('whichever put fails, the run ends with that error, nothing is listed or importable, and copies are gone', async () => {
	const count = await countPuts()
	expect(count).toBeGreaterThan(30)
	for (let nth = 1; nth <= count; nth++) {
		const failure = new BackupError('STORAGE_PERMANENT', `put ${nth} fails`)
		const { world, broken } = await breakPuts(nth, () => Promise.reject(failure))
		await expect(broken.backup({ concurrency: 1 })).rejects.toBe(failure)
		expect(await world.repository.list()).toEqual([])
		expect(await world.keys('backups/')).toEqual([])
		expect(await world.keys('runs/')).toEqual([])
		expect([...world.database.copies]).toEqual([])
	}
})

test('a store that says yes and stores nothing, or half, is found whichever object it is', async () => {
	const count = await countPuts()
	for (let nth = 1; nth <= count; nth++) {
		for (const share of [0, 0.5]) {
			let lost = ''
			const { world, broken } = await breakPuts(nth, async (key, body, put) => {
				lost = key
				const bytes = await drain(body)
				if (share > 0) await put(key, bytes.subarray(0, bytes.length * share))
				return { key, size: bytes.length }
			})
			const outcome = await broken.backup({ concurrency: 1 }).catch((error: unknown) => error)
			const isEmptyTable = lost.includes('/002/data_') && share > 0
			// A lease is no part of the backup, nor is what a run notes for the case that it is cut off.
			if (isEmptyTable || /^(?:leases\/|runs\/.*\/(?:request|snapshot|parts))/u.test(lost)) continue
			expect(outcome, lost).toBeInstanceOf(Error)
			expect((outcome as BackupError).kind, lost).toMatch(/^(?:damaged|conflict)$/u)
			expect((outcome as Error).message).toContain(
				MANIFEST.test(lost) || lost.startsWith('runs/') ? lost.split('/')[1] : lost,
			)
			const whole = (await world.repository.list()).filter((entry) => entry.error === undefined)
			expect(whole).toEqual([])
		}
	}
})

test('answers that are lost do no harm where calls are made again', async () => {
	const count = await countPuts()
	for (let nth = 1; nth <= count; nth += 3) {
		const puts: string[] = []
		const storage = openMemory()
		const world = new World(seeded(), storage, await Repository.init(storage))
		const late = intercept(storage, {
			async put(key, body, options, next) {
				puts.push(key)
				const info = await next(key, body, options)
				if (puts.length === nth) throw new BackupError('STORAGE_TRANSIENT', 'the answer was lost', { retry: 'same' })
				return info
			},
		})
		const wrapped = retrying(late, { pause: async () => undefined })
		const broken = new World(world.database, wrapped, await Repository.open(wrapped))
		const result = await broken.backup({ concurrency: 1 })
		expect(await world.verify('full', result.id)).toMatchObject({ ok: true })
		expect(result.rows).toBe(420)
	}
})

test("an answer to the manifest's own put that never comes leaves the objects alone, and says so", async () => {
	const { world, broken } = await breakStore({
		put(key, body, options, next) {
			if (MANIFEST.test(key)) throw new BackupError('STORAGE_TRANSIENT', 'timed out', { retry: 'later' })
			return next(key, body, options)
		},
	})
	await expect(broken.backup()).rejects.toThrow('timed out')
	expect(await world.repository.list()).toEqual([])
	expect(broken.events.filter((event) => event.type === 'warning').at(-1)).toMatchObject({
		message: expect.stringContaining('not certain'),
	})
	const [root] = (await world.keys('backups/')).filter((key) => /^backups\/[^/]*\/metadata\.json$/u.test(key))
	expect(root).toBeDefined()
	expect([...world.database.copies]).toEqual([])
})

test('the manifest is put when every other put is over and was looked at again', async () => {
	const open = new Set<string>()
	const seen = new Set<string>()
	const done: string[] = []
	let atManifest: { open: string[]; unseen: string[] } | undefined
	const { broken } = await breakStore({
		async put(key, body, options, next) {
			if (MANIFEST.test(key)) {
				atManifest = {
					open: [...open],
					unseen: done.filter((one) => !seen.has(one) && !/^(?:runs|leases)\//.test(one)),
				}
				return next(key, body, options)
			}
			open.add(key)
			await sleep(Math.random() * 8)
			const info = await next(key, body, options)
			await sleep(Math.random() * 8)
			open.delete(key)
			done.push(key)
			return info
		},
		stat(key, next) {
			if (!open.has(key)) seen.add(key)
			return next(key)
		},
		get(key, options, next) {
			if (!open.has(key)) seen.add(key)
			return next(key, options)
		},
	})
	await broken.backup({ concurrency: 8 })
	expect(done.length).toBeGreaterThan(30)
	expect(atManifest).toEqual({ open: [], unseen: [] })
})

test('a put that is made again reads the partition again, and counts its rows once', async () => {
	let tries = 0
	const { world, broken } = await breakStore({
		async put(key, body, options, next) {
			if (!key.includes('/001/data_01') || typeof body !== 'function' || tries++ > 0) return next(key, body, options)
			for await (const chunk of body()) if (chunk.length > 0) break
			await drain(body)
			return next(key, body, options)
		},
	})
	const result = await broken.backup()
	expect(result.rows).toBe(420)
	expect(broken.events.filter((event) => event.type === 'retry')).toHaveLength(2)
	const progress = broken.events.filter((event) => event.type === 'progress')
	expect(progress.at(-1)).toMatchObject({ rows: 420 })
	expect(await world.verify('full', result.id)).toMatchObject({ ok: true })
})

test('a second reading that gives other rows than the first fails the run', async () => {
	const { world, broken } = await breakStore({
		async put(key, body, options, next) {
			if (!key.includes('/003/data_00.csv') || typeof body !== 'function') return next(key, body, options)
			await drain(body)
			world.database.faults.endReadsAfter = 100
			return next(key, body, options)
		},
	})
	await expect(broken.backup()).rejects.toMatchObject({ code: 'DATA_MISMATCH' })
	expect(await world.repository.list()).toEqual([])
})

test('with rights to put and list only a backup is made, and says that it was not read back', async () => {
	let isOpen = true
	const refuse = (): void => {
		if (!isOpen) throw new BackupError('STORAGE_PERMISSION', 'only puts')
	}
	const { world, broken } = await breakStore({
		async stat(key, next) {
			refuse()
			return next(key)
		},
		async get(key, options, next) {
			refuse()
			return next(key, options)
		},
		async delete(key, next) {
			refuse()
			return next(key)
		},
	})
	isOpen = false
	const result = await broken.backup()
	expect(result.manifest?.readBack).toBe('unavailable')
	expect(result.warnings.map((warning) => warning.message).join()).toMatch(/read back/u)
	expect(await world.verify('full', result.id)).toMatchObject({ ok: true })
})

test('objects that may not be deleted are told of, and do not hide why the run failed', async () => {
	const { world, broken } = await breakStore({
		async delete() {
			throw new BackupError('STORAGE_PERMISSION', 'held')
		},
	})
	world.database.faults.before = (call, path) => {
		if (call === 'read' && path === 'plain') throw new BackupError('DATABASE_REFUSED', 'no rows')
	}
	await expect(broken.backup({ concurrency: 1 })).rejects.toThrow('no rows')
	expect(
		broken.events
			.filter((event) => event.type === 'warning')
			.map((event) => event.message)
			.join(),
	).toMatch(/stay on storage/u)
	expect(await world.repository.list()).toEqual([])
})

test("a store's own bound on calls at once is kept", async () => {
	let running = 0
	let most = 0
	const { broken } = await breakStore({
		maxConcurrency: 2,
		async put(key, body, options, next) {
			most = Math.max(most, ++running)
			await sleep(1)
			const info = await next(key, body, options)
			running--
			return info
		},
	})
	await broken.backup({ concurrency: 16 })
	expect(most).toBe(2)
	await expect(broken.backup({ concurrency: 0 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('a restore lists nothing but the catalog and what is being deleted, and asks for each object a constant number of times', async () => {
	const calls: string[] = []
	const { world, broken } = await breakStore({
		get(key, options, next) {
			calls.push(`get ${key}`)
			return next(key, options)
		},
		stat(key, next) {
			calls.push(`stat ${key}`)
			return next(key)
		},
		list: (prefix) => calls.push(`list ${prefix}`),
	})
	const { id } = await world.backup()
	await broken.restore(new FakeDatabase(), { id })
	expect(calls.filter((call) => call.startsWith('list'))).toEqual(['list tombstones/', 'list catalog/'])
	expect(calls.filter((call) => MANIFEST.test(call.slice(4)))).toHaveLength(1)
	expect(calls.length).toBe(new Set(calls).size)
})

test('a table that changes between the check and the reading is dropped again when its file turns out damaged', async () => {
	const { world, broken } = await breakStore({
		async get(key, options, next) {
			const body = await next(key, options)
			if (!key.endsWith('/003/data_00.csv')) return body
			async function* cut(): AsyncGenerator<Uint8Array> {
				for await (const chunk of body.bytes) yield chunk.subarray(0, chunk.length - 1)
				throw new BackupError('STORAGE_PERMANENT', 'the disk is broken')
			}
			return { info: body.info, bytes: cut() }
		},
	})
	await world.backup({ compression: 'none' })
	const target = new FakeDatabase()
	await expect(broken.restore(target, { concurrency: 1 })).rejects.toMatchObject({
		code: 'STORAGE_PERMANENT',
		advice: expect.stringContaining('dropped as incomplete: plain'),
	})
	expect(target.nodes.has('plain')).toBe(false)
	expect(target.rowCount('dir/sub/split')).toBe(300)
	await expect(broken.verify('full')).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
})

test('a large table goes through in bounded memory, frame by frame', async () => {
	const rows = rowsUpTo(20_000).map(([id, , weight]) => [id, `${id}-${'wide'.repeat(100)}`, weight] as const)
	const world = await createWorld()
	for (const path of world.database.nodes.keys()) world.database.nodes.delete(path)
	world.database.addTable('wide', schemeOf(), rows)
	world.database.faults.chunkRows = 500
	let read = 0
	world.database.faults.before = () => undefined
	let taken = 0
	let most = 0
	const slow = intercept(world.storage, {
		async put(key, body, options, next) {
			if (typeof body !== 'function') return next(key, body, options)
			async function* pace(): AsyncGenerator<Uint8Array> {
				for await (const chunk of (body as () => AsyncIterable<Uint8Array>)()) {
					await sleep(5)
					taken += chunk.length
					most = Math.max(most, read - taken)
					yield chunk
				}
			}
			return next(key, pace, options)
		},
	})
	const counted = new World(world.database, slow, await Repository.open(slow))
	const result = await counted.backup({
		compression: 'none',
		onEvent(event) {
			if (event.type === 'progress') read = event.bytes
		},
	})
	expect(result.plainBytes).toBeGreaterThan(8_000_000)
	expect(most).toBeLessThan(6 << 20)
	expect(await counted.verify('full')).toMatchObject({ ok: true })
})
