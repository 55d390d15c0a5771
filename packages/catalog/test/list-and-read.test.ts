import { BackupError, type Storage } from '@ydbackup/core'
import { encodeManifest, encodeObjects, type ManifestFile, sha256Hex } from '@ydbackup/format'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { Repository } from '../src/index.ts'
import { changed, denied, errorOf, manifestOf, newRepository, noting, START } from './stores.ts'

const IDS = ['20261121T000000Z-aaaa', '20261122T000000Z-bbbb', '20261123T000000Z-cccc'] as const
const key = (id: string): string => `catalog/${id}/manifest.json`

async function three(now?: () => Date): Promise<{ repository: Repository; memory: Storage }> {
	const memory = openMemory(now === undefined ? {} : { now })
	const repository = await newRepository(memory)
	for (const id of [IDS[1], IDS[0], IDS[2]]) await repository.commit(manifestOf(repository, id))
	return { repository, memory }
}

test('backups are listed, the newest last', async () => {
	const { repository } = await three()
	expect((await repository.list()).map((entry) => entry.manifest?.id)).toEqual(IDS)
	expect((await repository.list({ newest: 2 })).map((entry) => entry.id)).toEqual(IDS.slice(1))
	expect(await (await newRepository()).list()).toEqual([])
})

test('a store that lists in any order changes nothing', async () => {
	const { memory } = await three()
	const storage = changed(memory, {
		async *list(prefix, options) {
			const all = []
			for await (const info of memory.list(prefix, options)) all.push(info)
			yield* all.toReversed()
		},
	})
	expect((await (await Repository.open(storage)).list()).map((entry) => entry.id)).toEqual(IDS)
})

test('a damaged manifest is listed as damaged, and the others as they are', async () => {
	const { repository, memory } = await three()
	const bytes = (await repository.read(IDS[1])).bytes
	const flipped = Buffer.from(bytes)
	flipped[200]! ^= 1
	for (const damaged of [flipped, bytes.subarray(0, 100), Buffer.alloc(0), Buffer.alloc(5000, '[')]) {
		await memory.put(key(IDS[1]), damaged)
		const entries = await repository.list()
		expect(entries.map((entry) => entry.id)).toEqual(IDS)
		expect(entries.map((entry) => entry.error?.code)).toEqual([undefined, 'MANIFEST_INVALID', undefined])
	}
	await memory.put(key(IDS[1]), Buffer.from('{"ydbackup":"manifest","version":2}'))
	expect((await repository.list())[1]?.error?.code).toBe('MANIFEST_VERSION')
})

test('a manifest of another backup or another repository is not believed', async () => {
	const { repository, memory } = await three()
	await memory.put(key(IDS[1]), (await repository.read(IDS[0])).bytes)
	expect((await errorOf(repository.read(IDS[1]))).message).toContain(`it is of backup ${IDS[0]}`)
	const foreign = { ...manifestOf(repository, IDS[1]), repository: 'another123' }
	await memory.put(key(IDS[1]), encodeManifest(foreign))
	expect((await repository.list())[1]?.error?.message).toContain('it is of repository another123')
})

test('what somebody else put into the catalog is shown, and never read as a backup', async () => {
	const { repository, memory } = await three()
	await memory.put('catalog/holiday/manifest.json', Buffer.from('x'))
	await memory.put('catalog/20261124T000000Z-dddd/objects.json', Buffer.from('{}'))
	await memory.put('catalog/20261124T000000Z-eeee/deep/manifest.json', Buffer.from('{}'))
	await memory.put('catalog/manifest.json', Buffer.from('{}'))
	const entries = await repository.list()
	expect(entries.map((entry) => entry.id)).toEqual([...IDS, 'holiday'])
	expect(entries.at(-1)?.error?.code).toBe('MANIFEST_INVALID')
	expect(await repository.ids()).toEqual(IDS)
	expect((await repository.read('latest')).manifest.id).toBe(IDS[2])
})

test('a backup that is deleted while the list is read is left out', async () => {
	const { memory } = await three()
	const storage = changed(memory, {
		get: (name, options) =>
			name === key(IDS[1]) ? Promise.reject(new BackupError('STORAGE_NOT_FOUND', 'gone')) : memory.get(name, options),
	})
	const entries = await (await Repository.open(storage)).list()
	expect(entries.map((entry) => entry.id)).toEqual([IDS[0], IDS[2]])
})

test('a store that fails makes the list fail: half a list is no list', async () => {
	const { memory } = await three()
	const storage = changed(memory, {
		get: (name, options) => (name === key(IDS[1]) ? Promise.reject(denied()) : memory.get(name, options)),
	})
	expect((await errorOf((await Repository.open(storage)).list())).code).toBe('STORAGE_PERMISSION')
})

test('a backup that is not there is refused with those that are', async () => {
	const { repository } = await three()
	for (const [wanted, named] of [
		['20261122T000000Z-bbbx', IDS[1]],
		['20261121', IDS[0]],
		['yesterday', IDS[2]],
		['../../etc/passwd', IDS[2]],
		['', IDS[2]],
	] as const) {
		const error = await errorOf(repository.read(wanted))
		expect(error.code).toBe('BACKUP_NOT_FOUND')
		expect(error.advice).toContain(named)
	}
	const none = await errorOf((await newRepository()).read('latest'))
	expect(none.code).toBe('BACKUP_NOT_FOUND')
})

test('an id that is none never reaches the store', async () => {
	const { memory } = await three()
	const { storage, calls } = noting(memory)
	const repository = await Repository.open(storage)
	calls.length = 0
	await errorOf(repository.read('../../etc/passwd'))
	expect(calls).toEqual(['list catalog/', 'list tombstones/'])
})

test('reading a backup by its id is one get', async () => {
	const { memory } = await three()
	const { storage, calls } = noting(memory)
	const repository = await Repository.open(storage)
	calls.length = 0
	await repository.read(IDS[0])
	expect(calls).toEqual([`get ${key(IDS[0])}`])
})

test('latest is the newest, and a damaged newest is never passed over in silence', async () => {
	const { repository, memory } = await three()
	expect((await repository.read('latest')).manifest.id).toBe(IDS[2])
	await memory.put(key(IDS[2]), Buffer.from('{}'))
	const error = await errorOf(repository.read('latest'))
	expect(error.code).toBe('MANIFEST_INVALID')
	expect(error.message).toContain(IDS[2])
	expect(error.advice).toContain(IDS[1])
})

test('latest is the newest snapshot: a run that began earlier may have taken it later', async () => {
	let now = START
	const memory = openMemory({ now: () => now })
	const repository = await newRepository(memory)
	const early = manifestOf(repository, '20261123T021530Z-aaaa', {
		snapshotAfter: '2026-11-23T03:00:00Z',
		snapshotBefore: '2026-11-23T03:00:01Z',
	})
	const late = manifestOf(repository, '20261123T021600Z-bbbb', {
		snapshotAfter: '2026-11-23T02:17:00Z',
		snapshotBefore: '2026-11-23T02:17:01Z',
	})
	await repository.commit(late)
	now = new Date('2026-11-23T03:30:00Z')
	await repository.commit(early)
	expect((await repository.read('latest')).manifest.id).toBe(early.id)
})

test('latest reads one manifest, not all of them', async () => {
	const { memory } = await three(() => new Date('2026-11-20T00:00:00Z'))
	const { storage, calls } = noting(memory)
	const repository = await Repository.open(storage)
	calls.length = 0
	await repository.read('latest')
	expect(calls).toEqual(['list catalog/', 'list tombstones/', `get ${key(IDS[2])}`])
})

test('objects.json is read as the manifest lists it, and only so', async () => {
	const memory = openMemory()
	const repository = await newRepository(memory)
	const id = IDS[0]
	const name = `catalog/${id}/objects.json`
	const objects = { version: 1 as const, directories: [{ path: 'dir', permissions: '' }] }
	const bytes = encodeObjects(objects)
	const sha256 = sha256Hex(bytes)
	const size = bytes.length
	const file: ManifestFile = {
		key: name,
		size,
		sha256,
		plainSize: size,
		plainSha256: sha256,
		role: 'objects',
		provenance: 'read-back',
	}
	const counts = { tables: 0, directories: 0, rows: '0', plainBytes: 0, storedBytes: 0, files: 1 }
	const manifest = await repository.commit(manifestOf(repository, id, { files: [file], counts }))

	expect((await errorOf(repository.readObjects(manifest))).code).toBe('OBJECT_MISSING')
	await memory.put(name, bytes)
	expect(await repository.readObjects(manifest)).toEqual(objects)
	for (const other of [
		Buffer.concat([bytes, Buffer.from(' ')]),
		bytes.subarray(1),
		Buffer.from(bytes).fill(0x20, 0, 1),
	]) {
		await memory.put(name, other)
		expect((await errorOf(repository.readObjects(manifest))).code).toBe('OBJECT_DAMAGED')
	}
})

test('a time chooses by what the manifests say, also when the clock of the database is days behind that of the ids', async () => {
	const repository = await newRepository()
	const taken = ['2026-11-18T00:00:00Z', '2026-11-19T00:00:00Z', '2026-11-20T00:00:00Z']
	for (const [at, id] of IDS.entries()) {
		const moment = { snapshotAfter: taken[at]!, snapshotBefore: taken[at]!, clock: 'server' as const }
		await repository.commit({ ...manifestOf(repository, id), ...moment })
	}
	for (const [at, id] of IDS.entries())
		expect((await repository.readAt(new Date(Date.parse(taken[at]!) + 1000))).manifest.id).toBe(id)
	expect((await errorOf(repository.readAt(new Date('2026-11-17T00:00:00Z')))).code).toBe('BACKUP_NOT_FOUND')
})
