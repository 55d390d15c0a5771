import { BackupError, type Capabilities, type Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { Repository } from '../src/index.ts'
import {
	after,
	broken,
	changed,
	denied,
	errorOf,
	keysOf,
	manifestOf,
	newRepository,
	noting,
	START,
	transient,
} from './stores.ts'

const ID = '20261123T021530Z-k3f9'
const KEY = `catalog/${ID}/manifest.json`

async function on(wrap: (memory: Storage) => Storage): Promise<{ repository: Repository; memory: Storage }> {
	const memory = openMemory()
	await newRepository(memory)
	return { repository: await Repository.open(wrap(memory)), memory }
}

test('a committed backup is there, for everybody', async () => {
	const { repository, memory } = await on((storage) => storage)
	const committed = await repository.commit(manifestOf(repository, ID, { labels: { env: 'prod' } }))
	const other = await Repository.open(memory)
	expect((await other.read(ID)).manifest).toEqual(committed)
	expect(await other.ids()).toEqual([ID])
})

test('a commit is one put and one get', async () => {
	const { storage, calls } = noting(openMemory())
	const repository = await newRepository(storage)
	calls.length = 0
	await repository.commit(manifestOf(repository, ID))
	expect(calls).toEqual([`put ${KEY}`, `get ${KEY}`])
})

test('the manifest is written create-only, with size and hash', async () => {
	let options: unknown
	const { repository } = await on((memory) =>
		changed(memory, { put: (key, body, given) => ((options = given), memory.put(key, body, given)) }),
	)
	await repository.commit(manifestOf(repository, ID))
	expect(options).toMatchObject({
		ifAbsent: true,
		size: expect.any(Number),
		sha256: expect.stringMatching(/^[0-9a-f]{64}$/u),
	})
})

test('the same manifest again is success: a retried put met its own success', async () => {
	const { repository } = await on((storage) => storage)
	const manifest = manifestOf(repository, ID)
	expect(await repository.commit(manifest)).toEqual(await repository.commit(manifest))
})

test('another manifest under the same id is refused, and the first one stays', async () => {
	const { repository } = await on((storage) => storage)
	const first = await repository.commit(manifestOf(repository, ID, { labels: { n: '1' } }))
	const second = manifestOf(repository, ID, { labels: { n: '2', longer: 'than the first' } })
	const error = await errorOf(repository.commit(second))
	expect(error).toMatchObject({ code: 'BACKUP_ID_CONFLICT', retry: 'no' })
	expect((await repository.read(ID)).manifest).toEqual(first)
})

test('of many that commit under one id, one does', async () => {
	const { repository } = await on((storage) => storage)
	const results = await Promise.allSettled(
		Array.from({ length: 16 }, (_, n) => repository.commit(manifestOf(repository, ID, { labels: { n: String(n) } }))),
	)
	expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
})

test('an answer that is lost after the manifest was stored is no failure', async () => {
	for (const code of [
		'STORAGE_TRANSIENT',
		'STORAGE_THROTTLED',
		'STORAGE_ALREADY_EXISTS',
		'DEADLINE_EXCEEDED',
	] as const) {
		const { repository, memory } = await on((storage) =>
			changed(storage, {
				put: async (...call) => {
					await storage.put(...call)
					throw new BackupError(code, 'late')
				},
			}),
		)
		await repository.commit(manifestOf(repository, ID))
		expect(await memory.stat(KEY)).toBeDefined()
	}
})

test('a put that failed is a failure, with the error of the store', async () => {
	for (const error of [transient(), denied(), new BackupError('STORAGE_QUOTA', 'full')]) {
		const { repository, memory } = await on((storage) => changed(storage, { put: () => Promise.reject(error) }))
		expect(await errorOf(repository.commit(manifestOf(repository, ID)))).toBe(error)
		expect(await keysOf(memory)).toEqual(['ydbackup.json'])
	}
})

test('a store that takes the manifest and does not have it is caught', async () => {
	const { repository } = await on((storage) => changed(storage, { put: async (key) => ({ key, size: 1 }) }))
	expect((await errorOf(repository.commit(manifestOf(repository, ID)))).code).toBe('OBJECT_MISSING')
})

test('a store that keeps other bytes than it took is caught', async () => {
	for (const bytes of [Buffer.from('{}'), Buffer.alloc(0), Buffer.alloc(100_000)]) {
		const { repository } = await on((storage) => changed(storage, { put: (key) => storage.put(key, bytes) }))
		expect((await errorOf(repository.commit(manifestOf(repository, ID)))).code).toBe('BACKUP_ID_CONFLICT')
	}
})

test('with rights to put alone a backup can be committed, if it says that it was not read back', async () => {
	const { repository } = await on((storage) => {
		const header = storage.get('ydbackup.json')
		return changed(storage, {
			get: (key) => (key === 'ydbackup.json' ? header : Promise.reject(denied())),
			stat: () => Promise.reject(denied()),
			list: () => {
				throw denied()
			},
		})
	})
	await repository.startRun(ID, {
		database: '/local',
		workDirectory: '~x',
		startedAt: START.toISOString(),
		host: 'h',
		pid: 1,
	})
	const unread = manifestOf(repository, ID, { readBack: 'unavailable' })
	expect((await repository.commit(unread)).id).toBe(ID)
	const read = manifestOf(repository, '20261123T021530Z-k3fa', { readBack: 'done' })
	expect((await errorOf(repository.commit(read))).code).toBe('STORAGE_PERMISSION')
})

test('without create-only, an id that is taken is seen, and equal bytes are not written again', async () => {
	const capabilities = (storage: Storage): Capabilities => ({
		...storage.capabilities,
		conditionalCreate: { lacking: 'test' },
	})
	const puts: unknown[] = []
	const { repository, memory } = await on((storage) =>
		changed(storage, {
			capabilities: capabilities(storage),
			put: (key, body, options) => (puts.push(options?.ifAbsent), storage.put(key, body, options)),
		}),
	)
	const manifest = manifestOf(repository, ID)
	await repository.commit(manifest)
	await repository.commit(manifest)
	expect(puts).toEqual([undefined])
	const error = await errorOf(repository.commit({ ...manifest, labels: { other: 'x' } }))
	expect(error.code).toBe('BACKUP_ID_CONFLICT')
	expect(await keysOf(memory)).toEqual([KEY, 'ydbackup.json'])
})

test('a store that shows objects late is waited for', async () => {
	let looks = 0
	const { repository } = await on((storage) =>
		changed(storage, {
			capabilities: { ...storage.capabilities, strongList: { lacking: 'test' } },
			get: (key, options) =>
				key === KEY && ++looks < 3
					? Promise.reject(new BackupError('STORAGE_NOT_FOUND', 'not yet'))
					: storage.get(key, options),
		}),
	)
	await repository.commit(manifestOf(repository, ID))
	expect(looks).toBe(3)
})

test('a body that breaks off is read again', async () => {
	let gets = 0
	const { repository } = await on((storage) =>
		changed(storage, {
			get: async (key, options) => {
				const body = await storage.get(key, options)
				return key === KEY && ++gets < 3 ? broken(body, 10) : body
			},
		}),
	)
	await repository.commit(manifestOf(repository, ID))
	expect(gets).toBe(3)
})

test('a manifest that could not be read again is never written', async () => {
	const { repository, memory } = await on((storage) => storage)
	const counts = { tables: 5, directories: 0, rows: '0', plainBytes: 0, storedBytes: 0, files: 0 }
	for (const change of [{ counts }, { labels: { a: '\ud800' } }, { createdAt: 'now' }]) {
		expect((await errorOf(repository.commit(manifestOf(repository, ID, change)))).code).toBe('INTERNAL')
	}
	for (const change of [{ repository: 'another123' }, { id: 'latest' }]) {
		expect((await errorOf(repository.commit(manifestOf(repository, ID, change)))).code).toBe('INTERNAL')
	}
	expect(await keysOf(memory)).toEqual(['ydbackup.json'])
})

test('a new id is above every backup, and a clock that is behind is refused', async () => {
	const { repository } = await on((storage) => storage)
	let last = ''
	for (let n = 0; n < 5; n++) {
		const id = await repository.newBackupId(after(n >> 1))
		expect(id > last).toBe(true)
		await repository.commit(manifestOf(repository, id))
		last = id
	}
	const error = await errorOf(repository.newBackupId(after(-60)))
	expect(error).toMatchObject({ code: 'BACKUP_ID_CONFLICT', reason: 'clock' })
	expect(error.message).toContain(last)
})

test('a folder with an odd name does not stop new backups', async () => {
	const { repository, memory } = await on((storage) => storage)
	await memory.put('catalog/zzzz/manifest.json', Buffer.from('x'))
	expect(await repository.newBackupId(START)).toMatch(/^20261123T021530Z-/u)
})
