import { putProof, readProof, listProofs } from '@ydbackup/catalog'
import { decodeProof, encodeProof, type Proof } from '@ydbackup/format'
import { expect, test } from 'vitest'

import { chooseEngine, LARGE_BYTES } from '../src/cluster/choose-engine.ts'
import { classify } from '../src/cluster/classify.ts'
import { exportLadder } from '../src/cluster/export-kinds.ts'
import { partsOf } from '../src/cluster/follow.ts'
import { withProof } from '../src/index.ts'
import { createWorld, TOOL } from './world.ts'

test('auto takes the cluster only where it can write, is asked nothing else, and the tables are large', () => {
	const large = { isReachable: true, bytes: LARGE_BYTES }
	expect(chooseEngine(large)).toMatchObject({ engine: 'cluster', reason: expect.stringContaining('50.0 GiB') })
	for (const other of [
		{ ...large, bytes: LARGE_BYTES - 1 },
		{ ...large, bytes: undefined },
		{ ...large, isReachable: false },
		{ ...large, unsupported: 'no increments' },
	])
		expect(chooseEngine(other)).toMatchObject({ engine: 'client', reason: expect.stringMatching(/./u) })
})

test('files of an export are known by their names, and nothing else has a place in one', () => {
	const roleOf = (name: string) => {
		const found = classify(`backups/a/${name}`, name, 1)
		return found && [found.role, found.object, found.partition, found.openKey.slice('backups/a/'.length)]
	}
	expect(roleOf('metadata.json')).toEqual(['metadata', undefined, undefined, 'metadata.json'])
	expect(roleOf('metadata.json.sha256')).toEqual(['checksum', undefined, undefined, 'metadata.json.sha256'])
	expect(roleOf('SchemaMapping/mapping.json.enc')).toEqual([
		'mapping',
		undefined,
		undefined,
		'SchemaMapping/mapping.json',
	])
	expect(roleOf('001/data_07.csv.zst.enc')).toEqual(['data', '001', 7, '001/data_07.csv.zst'])
	expect(roleOf('001/data_100.csv')).toEqual(['data', '001', 100, '001/data_100.csv'])
	expect(roleOf('1000/scheme.pb')).toEqual(['scheme', '1000', undefined, '1000/scheme.pb'])
	expect(roleOf('001/permissions.pb')).toEqual(['permissions', '001', undefined, '001/permissions.pb'])
	expect(roleOf('001/feed/topic_description.pb')).toEqual(['topic', '001', undefined, '001/feed/topic_description.pb'])
	expect(roleOf('001/002/changefeed_description.pb.enc')?.[0]).toBe('changefeed')
	expect(roleOf('001/index/indexImplTable/scheme.pb')?.[0]).toBe('metadata')
	expect(roleOf('002/create_view.sql.enc')).toEqual(['scheme', '002', undefined, '002/create_view.sql'])
	expect(roleOf('003/create_topic.pb')?.[0]).toBe('scheme')
	for (const name of [
		'other',
		'a/scheme.pb',
		'01/scheme.pb',
		'001/other.txt',
		'001/data_1.csv',
		'001/feed/topic.pb.enc',
	])
		expect(roleOf(name), name).toBeUndefined()
})

test('a server that refuses is asked for one kind less each time, tables alone at last', () => {
	const asked = exportLadder(new Set(['topic', 'view', 'external-table', 'coordination-node'] as const))
	expect(asked.map((kinds) => [...kinds])).toEqual([
		['view', 'topic', 'external-table'],
		['view', 'topic'],
		['view'],
		[],
	])
	expect(exportLadder(new Set())).toEqual([new Set()])
})

test('parts of an operation are added up, and an object without parts is not done', () => {
	const items = [
		{ partsDone: 2, partsTotal: 3 },
		{ partsDone: 1, partsTotal: 1 },
		{ partsDone: 0, partsTotal: 0 },
	]
	const operation = { id: 'x', state: 'running', progress: undefined, percent: undefined, failure: undefined } as const
	expect(partsOf({ ...operation, items })).toEqual({ partsDone: 3, partsTotal: 4, tablesDone: 1, tablesTotal: 3 })
})

function without<T extends object>(record: T, names: readonly string[]): T {
	return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name))) as T
}

test('a proof fills in what a manifest leaves open, and nothing else of it is believed', async () => {
	const world = await createWorld()
	await world.backup()
	const { manifest } = await world.repository.read('latest')
	const open = {
		...manifest,
		objects: manifest.objects.map((object) => without(object, ['rows', 'rowHash'])),
		files: manifest.files.map((file) =>
			file.role === 'data' ? without(file, ['rows', 'rowHash', 'sha256', 'plainSize']) : file,
		),
	}
	const files = manifest.files.flatMap(({ role, key, sha256, plainSize, plainSha256, rows, rowHash }) =>
		role === 'data'
			? [{ key, sha256: sha256!, plainSize: plainSize!, plainSha256: plainSha256!, rows: rows!, rowHash: rowHash! }]
			: [],
	)
	const proof: Proof = {
		backup: manifest.id,
		manifestSha256: manifest.sha256,
		at: '2026-11-23T02:15:30.000Z',
		tool: TOOL,
		files,
	}
	const tables = ({ objects }: typeof manifest) =>
		objects
			.filter(({ prefix }) => prefix !== undefined)
			.map(({ path, rows, rowHash, plainBytes }) => [path, rows, rowHash, plainBytes])
	expect(withProof(open, proof).files).toEqual(manifest.files)
	expect(tables(withProof(open, proof))).toEqual(tables(manifest))
	// What the manifest says counts, whatever a proof says.
	const liar = { ...proof, files: files.map((file) => ({ ...file, rows: file.rows + 1, sha256: '0'.repeat(64) })) }
	expect(withProof(manifest, liar)).toEqual(manifest)
	expect(withProof(open, { ...proof, files: files.slice(1) })).toEqual(open)
	expect(withProof(open, { ...proof, files: files.map((file) => ({ ...file, rowHash: 'none' })) })).toEqual(open)
})

test('the newest proof of exactly this manifest counts; damaged and foreign ones are passed over', async () => {
	const world = await createWorld()
	await world.backup()
	const { manifest } = await world.repository.read('latest')
	const { storage } = world
	const proof = (at: string, more: Partial<Proof> = {}): Proof => ({
		backup: manifest.id,
		manifestSha256: manifest.sha256,
		at,
		tool: TOOL,
		files: [],
		...more,
	})
	expect(await readProof(storage, manifest)).toBeUndefined()
	await putProof(storage, proof('2026-11-23T02:15:30.000Z'))
	await putProof(storage, proof('2026-11-24T02:15:30.000Z'))
	await putProof(storage, proof('2026-11-25T02:15:30.000Z', { manifestSha256: '0'.repeat(64) }))
	await storage.put(`catalog/${manifest.id}/proof-20261126T000000Z-00000000.json`, Buffer.from('{'))
	expect(await readProof(storage, manifest)).toMatchObject({ at: '2026-11-24T02:15:30.000Z' })
	expect((await listProofs(storage)).get(manifest.id)).toEqual(new Date('2026-11-26T00:00:00Z'))
	expect((await world.repository.list()).map(({ id }) => id)).toEqual([manifest.id])
	const bytes = encodeProof(proof('2026-11-23T02:15:30.000Z'))
	for (const [from, to] of [
		['"version":1', '"version":2'],
		['"proof"', '"other"'],
		['"at":"2026', '"at":"never'],
	] as const)
		expect(() => decodeProof(Buffer.from(bytes.toString().replace(from, to)), 'x')).toThrow(
			expect.objectContaining({ code: 'FORMAT_INVALID' }),
		)
})
