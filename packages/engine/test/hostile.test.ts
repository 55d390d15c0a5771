import { isBackupError } from '@ydbackup/core'
import {
	compressFrame,
	encodeManifest,
	encodeObjects,
	type Manifest,
	type ManifestFile,
	sha256Hex,
} from '@ydbackup/format'
import { beforeAll, expect, test } from 'vitest'

import { FakeDatabase } from './fake-database.ts'
import { createWorld, type World } from './world.ts'

/** A manifest as an attacker or a bug would write it: its seal is right, its content is not. */
type Forgery = (manifest: Manifest) => Omit<Manifest, 'sha256'>

let template: World
let whole: Manifest

beforeAll(async () => {
	template = await createWorld()
	const { manifest } = await template.backup()
	if (manifest !== undefined) whole = manifest
})

async function forge(change: Forgery, objects: ReadonlyMap<string, Uint8Array> = new Map()): Promise<World> {
	const world = await createWorld()
	const repository = world.repository.header.id
	for (const key of (await template.keys()).filter((one) => one !== 'ydbackup.json')) {
		await world.storage.put(key, objects.get(key) ?? (await template.bytes(key)))
	}
	const { sha256: _, ...forged } = { sha256: '', ...change(whole) }
	await world.storage.put(`catalog/${whole.id}/manifest.json`, encodeManifest({ ...forged, repository }))
	return world
}

/** What verify and restore make of a backup. */
async function judge(world: World): Promise<{ verify: boolean; restore: unknown; created: number }> {
	const { id } = whole
	const report = await world.verify('full', id)
	const target = new FakeDatabase()
	const error = await world.restore(target, { id }).catch((thrown: unknown) => thrown)
	return { verify: report.ok, restore: isBackupError(error) ? error.kind : error, created: target.nodes.size }
}

const REFUSED = { verify: false, restore: 'damaged', created: 0 }

function withFile(manifest: Manifest, end: string, change: (file: ManifestFile) => Partial<ManifestFile>): Manifest {
	return {
		...manifest,
		files: manifest.files.map((file) => (file.key.endsWith(end) ? { ...file, ...change(file) } : file)),
	}
}

function withTable(manifest: Manifest, path: string, change: object): Manifest {
	return { ...manifest, objects: manifest.objects.map((one) => (one.path === path ? { ...one, ...change } : one)) }
}

test('a manifest that is only written again is accepted', async () => {
	const world = await forge((manifest) => manifest)
	expect(await world.verify('full', whole.id)).toMatchObject({ ok: true, findings: [] })
	await world.restore(new FakeDatabase(), { id: whole.id, verifyData: true })
})

test.each<[string, Forgery]>([
	['a path that leads up', (m) => withTable(m, 'plain', { path: '../plain' })],
	['an absolute path', (m) => withTable(m, 'plain', { path: '/local/plain' })],
	['a path with NUL', (m) => withTable(m, 'plain', { path: 'pla\0in' })],
	[
		'a key outside of the backup',
		(m) => withFile(m, '003/data_00.csv.zst', () => ({ key: 'backups/other/003/data_00.csv.zst' })),
	],
	['a key that leads up', (m) => withFile(m, '003/scheme.pb', () => ({ key: `backups/${m.id}/003/../001/scheme.pb` }))],
	['a size beyond all', (m) => withFile(m, '003/data_00.csv.zst', () => ({ size: Number.MAX_SAFE_INTEGER }))],
	['a negative size', (m) => withFile(m, '003/data_00.csv.zst', () => ({ size: -1 }))],
	['rows that do not add up', (m) => withTable(m, 'plain', { rows: '121' })],
	['absurd numbers of rows', (m) => withTable(m, 'plain', { rows: '9'.repeat(30) })],
	['hashes that do not add up', (m) => withTable(m, 'plain', { rowHash: `rh1:${'0'.repeat(32)}` })],
	['a hash of rows that is none', (m) => withFile(m, '003/data_00.csv.zst', () => ({ rowHash: 'md5:1' }))],
	['more partitions than files', (m) => withTable(m, 'dir/sub/split', { partitions: 1_000_000_000 })],
	['partitions that are not numbered', (m) => withFile(m, '001/data_03.csv.zst', () => ({ partition: 7 }))],
	['a table without a folder', (m) => withTable(m, 'plain', { prefix: undefined })],
	['two tables in one folder', (m) => withTable(m, 'plain', { prefix: '001' })],
	['no scheme', (m) => withFile(m, '003/scheme.pb', () => ({ role: 'metadata' as const }))],
	[
		'no objects.json',
		(m) => ({
			...m,
			files: m.files.filter((file) => file.role !== 'objects'),
			counts: { ...m.counts, files: m.counts.files - 1 },
		}),
	],
	['directories that objects.json does not have', (m) => withTable(m, 'dir/empty', { path: 'dir/other' })],
	['another compression', (m) => ({ ...m, compression: 'none' })],
])('a manifest with %s is refused before anything is written', async (_, change) => {
	expect(await judge(await forge(change))).toEqual(REFUSED)
})

test('a data file that swells beyond what the manifest says is stopped, however small it is on storage', async () => {
	const bomb = await compressFrame(Buffer.alloc(48 << 20, '1,"a",0\n'), 'zstd-1')
	expect(bomb.length).toBeLessThan(64 << 10)
	const end = '003/data_00.csv.zst'
	const key = `backups/${whole.id}/${end}`
	const world = await forge(
		(m) => withFile(m, end, () => ({ size: bomb.length, sha256: sha256Hex(bomb) })),
		new Map([[key, bomb]]),
	)
	const report = await world.verify('full', whole.id)
	expect(report.findings).toMatchObject([{ key, code: 'OBJECT_DAMAGED', path: 'plain' }])
	const target = new FakeDatabase()
	await expect(world.restore(target, { id: whole.id, concurrency: 1 })).rejects.toMatchObject({ kind: 'damaged' })
	expect(target.nodes.has('plain')).toBe(false)
})

test('an objects.json whose rights cannot be read is found before anything is written', async () => {
	const key = `catalog/${whole.id}/objects.json`
	const directories = ['dir', 'dir/empty', 'dir/sub'].map((path) => ({ path, permissions: 'actions { change_owner: ' }))
	const bytes = encodeObjects({ version: 1, directories })
	const same = { size: bytes.length, plainSize: bytes.length, sha256: sha256Hex(bytes), plainSha256: sha256Hex(bytes) }
	const world = await forge((m) => withFile(m, 'objects.json', () => same), new Map([[key, bytes]]))
	expect(await judge(world)).toEqual(REFUSED)
})

test('a scheme that asks for other columns than the rows have is found', async () => {
	const end = '003/scheme.pb'
	const key = `backups/${whole.id}/${end}`
	const text = Buffer.from(await template.bytes(key))
		.toString()
		.replace('UTF8', 'INT32')
	const bytes = Buffer.from(text)
	const hashes = {
		size: bytes.length,
		plainSize: bytes.length,
		sha256: sha256Hex(bytes),
		plainSha256: sha256Hex(bytes),
	}
	const world = await forge((m) => withFile(m, end, () => hashes), new Map([[key, bytes]]))
	const report = await world.verify('full', whole.id)
	expect(report.findings.some((finding) => finding.path === 'plain' && finding.severity === 'data')).toBe(true)
	const target = new FakeDatabase()
	await expect(world.restore(target, { id: whole.id })).rejects.toMatchObject({ kind: 'damaged' })
	expect(target.nodes.has('plain')).toBe(false)
})
