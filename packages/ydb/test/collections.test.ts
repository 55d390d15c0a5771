import { create, toBinary } from '@bufbuild/protobuf'
import { ListOperationsResponseSchema } from '@ydbjs/api/operation'
import type { ProtoText, SnapshotSink } from '@ydbackup/core'
import { changes, parseProtoText } from '@ydbackup/format'
import { expect, test as serially } from 'vitest'
import { linkTime } from '../src/collections/link-time.ts'
import { errorOf } from './support/error-of.ts'
import { NULL, optional, PLAIN, primitive, rowFrame, schemeOf, splitAt, text, uint64 } from './support/tables.ts'
import { chunkOf } from './support/tables.ts'
import { collect, drained, makeTable, startWorld } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

const ROOT = '.backups/collections/nightly'
const FULL = `${ROOT}/20261123021500Z_full`
const INCREMENT = `${ROOT}/20261123031500Z_incremental`
const CHANGES: ProtoText = schemeOf({
	columns: [
		{ name: 'id', type: optional(primitive('Uint64')) },
		{ name: 'value', type: optional(primitive('Utf8')) },
		{ name: changes.METADATA_COLUMN, type: optional(primitive('String')) },
	],
	primaryKey: ['id'],
})

async function makeChanges(sink: SnapshotSink, path: string): Promise<void> {
	await sink.createTable(path, CHANGES)
	const { schema } = await sink.describeTable(path)
	const metadata = (isDeleted: boolean): Uint8Array =>
		changes.writeChangeMetadata({ isDeleted, states: [{ tag: 2, isNull: isDeleted, isChanged: true }] })
	const bytes = (value: Uint8Array) => ({ value: { case: 'bytesValue' as const, value } })
	const writer = await sink.openWriter(path, schema)
	await writer.write(
		chunkOf(
			[rowFrame([uint64(1), text('one'), bytes(metadata(false))]), rowFrame([uint64(2), NULL, bytes(metadata(true))])],
			schema,
		),
	)
	await writer.finish()
}

test('a collection is read from its directory: links in order, tables by the paths of their originals', async () => {
	await using world = await startWorld()
	const { sink } = world.direct
	await makeTable(sink, 'dir/t', 30)
	await makeTable(sink, `${FULL}/dir/t`, 20, [10])
	await makeTable(sink, `${FULL}/u`, 3)
	await sink.createDirectory(`${INCREMENT}/dir`)
	await makeChanges(sink, `${INCREMENT}/dir/t`)
	await makeChanges(sink, `${INCREMENT}/__ydb_backup_meta/indexes/dir/t/by_value/indexImplTable`)
	await sink.createDirectory(`${ROOT}/other`)
	const collection = world.ydb.collection('nightly')
	const links = await collection.links()
	expect(links.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
		'full 20261123021500Z_full',
		'incremental 20261123031500Z_incremental',
	])
	const full = await collection.contents(links[0]!)
	expect(full.tables.map(({ path, ranges }) => [path, ranges.length])).toEqual([
		['dir/t', 2],
		['u', 1],
	])
	const [t] = full.tables
	let rows = 0
	for (const range of t!.ranges) rows += (await drained(collection.read(links[0]!, t!, range))).rows
	expect({ rows, counted: await collection.countRows(links[0]!, t!) }).toEqual({ rows: 20, counted: 20n })
	const increment = await collection.contents(links[1]!)
	expect(increment.indexChanges.map(({ path }) => path)).toEqual([
		'__ydb_backup_meta/indexes/dir/t/by_value/indexImplTable',
	])
	expect(increment.tables.map(({ path, schema }) => [path, schema.columns.length])).toEqual([['dir/t', 3]])
	expect((await collection.live('dir/t'))?.table?.schema.columns).toHaveLength(2)
	expect((await collection.live('dir'))?.table).toBeUndefined()
	expect(await collection.live('u')).toBeUndefined()

	await collection.drop(links[1]!)
	await collection.drop(links[1]!)
	expect((await collection.links()).map(({ kind }) => kind)).toEqual(['full'])
	expect(await sink.find('dir/t')).toMatchObject({ kind: 'row-table' })
})

test('the database around a collection is told without the collection, and changefeeds without its streams', async () => {
	await using world = await startWorld()
	const { sink } = world.direct
	await makeTable(sink, 'dir/t', 3)
	await makeTable(sink, `${FULL}/dir/t`, 3)
	for (const name of ['updates', '20261123021500Z_continuousBackupImpl']) {
		const definition = parseProtoText(`name: "${name}" mode: MODE_UPDATES format: FORMAT_JSON`, 'a changefeed')
		await sink.createPart('dir/t', { kind: 'changefeed', name, definition })
	}
	const collection = world.ydb.collection('nightly')
	expect((await collect(collection.list())).map(({ path }) => path)).toEqual(['dir', 'dir/t'])
	const { parts } = await collection.describe({ path: 'dir/t', kind: 'row-table' })
	expect(parts.map(({ name }) => name)).toEqual(['updates'])
})

test('a collection that is not there is named, and so is a name that is none', async () => {
	await using world = await startWorld()
	expect(await errorOf(world.ydb.collection('nope').links())).toMatchObject({
		code: 'PATH_NOT_FOUND',
		message: expect.stringContaining('nope'),
	})
	for (const name of ['', 'a/b', '..']) expect(() => world.ydb.collection(name)).toThrow(/no name/u)
})

test('a copy has the settings of its original only as long as that has the same columns', async () => {
	await using world = await startWorld()
	const { sink } = world.direct
	const attributes = { why: 'test' }
	await sink.createTable('same', schemeOf({ ...PLAIN, attributes }))
	await sink.createTable('other', schemeOf({ ...PLAIN, columns: [PLAIN.columns![0]!], attributes }))
	for (const path of ['same', 'other']) {
		await sink.createTable(`${FULL}/${path}`, schemeOf({ ...PLAIN, partitions: splitAt(5) }))
	}
	const collection = world.ydb.collection('nightly')
	const [link] = await collection.links()
	const { tables } = await collection.contents(link!)
	const has = (scheme: ProtoText): boolean => scheme.some(({ name }) => name === 'attributes')
	expect(tables.map(({ path, scheme, ranges }) => [path, has(scheme), ranges.length])).toEqual([
		['other', false, 2],
		['same', true, 2],
	])
})

test('a link is complete when the operation that writes it has succeeded, and no other one can be its own', async () => {
	await using world = await startWorld()
	const { sink } = world.direct
	await sink.createDirectory(`${ROOT}/20261123021500Z_full`)
	await sink.createDirectory(`${ROOT}/20261123031500Z_incremental`)
	await sink.createDirectory(`${ROOT}/20261123041500Z_incremental`)
	let operations: { id: string; ready: boolean; status: number }[] = []
	world.proxy.rules.set('ListOperations', async ({ reply }) => {
		const answer = create(ListOperationsResponseSchema, { status: 400000, operations })
		reply([toBinary(ListOperationsResponseSchema, answer)])
	})
	const collection = world.ydb.collection('nightly')
	const [full, first, second] = await collection.links()
	const progress = (): Promise<string[]> =>
		Promise.all([full!, first!, second!].map((link) => collection.progress(link)))
	expect(await progress()).toEqual(['complete', 'complete', 'complete'])
	operations = [{ id: 'ydb://incbackup/11?id=99999999', ready: false, status: 400000 }]
	expect(await progress()).toEqual(['complete', 'complete', 'running'])
	// A failed one is ready too.
	operations = [{ id: 'ydb://incbackup/11?id=99999999', ready: true, status: 400080 }]
	expect(await progress()).toEqual(['complete', 'complete', 'complete'])
})

test('a RESTORE is followed by the operations that were not there before it', async () => {
	await using world = await startWorld()
	const { sink } = world.direct
	await makeTable(sink, 'dir/t', 3)
	const { collections } = world.ydb
	await collections.create({ name: 'nightly', tables: ['dir/t'], isIncremental: false })
	await collections.backup('nightly', 'full')
	await sink.dropTable('dir/t')
	/** Field 2 of the metadata is the percentage. Source: `ydb/public/api/protos/draft/ydb_backup.proto`. */
	const metadata = (...value: number[]) => ({
		typeUrl: 'type.googleapis.com/Ydb.Backup.RestoreMetadata',
		value: Uint8Array.from(value),
	})
	const old = { id: 'ydb://restore/12?id=1', ready: true, status: 400080 }
	let operations: Record<string, unknown>[] = [old]
	world.proxy.rules.set('ListOperations', async ({ reply }) => {
		const answer = create(ListOperationsResponseSchema, { status: 400000, operations: operations as never })
		reply([toBinary(ListOperationsResponseSchema, answer)])
	})
	const restored = await collections.restore('nightly')
	// Where the server lists none it is done when the statement is answered; that of somebody else before it counts for nothing.
	expect(await restored.progress()).toEqual({ state: 'complete' })
	const own = { id: 'ydb://restore/12?id=2', ready: false, status: 400000, metadata: metadata(0x08, 2, 0x10, 34) }
	operations = [own, old]
	expect(await restored.progress()).toEqual({ state: 'running', percent: 34 })
	operations = [{ ...own, metadata: metadata(0x10) }, old]
	expect(await restored.progress()).toEqual({ state: 'running', percent: undefined })
	operations = [{ ...own, ready: true }, old]
	expect(await restored.progress()).toEqual({ state: 'complete' })
	const issues = [{ message: 'Restore deadline exceeded', severity: 1 }]
	operations = [{ ...own, ready: true, status: 400090, issues }, old]
	expect(await restored.progress()).toMatchObject({
		state: 'failed',
		reason: expect.stringContaining('Restore deadline exceeded'),
	})
	expect(await errorOf(collections.restore('nightly'))).toMatchObject({ code: 'DATABASE_REFUSED' })
	expect(await errorOf(collections.restore('nope'))).toMatchObject({ code: 'PATH_NOT_FOUND' })
})

test('the time of a link is as sure as the server lets it be', () => {
	const stamp = Date.UTC(2026, 10, 23, 2, 15, 0)
	const now = Date.UTC(2026, 11, 1)
	const name = '20261123021500Z_full'
	const hours = (count: number): number => count * 3_600_000
	const sure = { after: '2026-11-23T02:14:51.000000Z', before: '2026-11-23T02:15:31.000000Z', clock: 'server' }
	expect(linkTime(name, stamp + 1000, now)).toEqual(sure)
	// A server in Moscow: its stamp is three hours ahead.
	expect(linkTime('20261123051500Z_full', stamp + 1000, now)).toEqual(sure)
	const unsure = { after: '2026-11-22T12:15:00.000000Z', before: '2026-11-23T14:15:00.000000Z', clock: 'client' }
	expect(linkTime(name, 7, now)).toEqual(unsure)
	// Imported later.
	expect(linkTime(name, stamp + hours(100), now)).toEqual(unsure)
	expect(linkTime(name, 7, stamp + hours(1))).toMatchObject({ before: '2026-11-23T03:15:00.000000Z' })
	expect(linkTime('backup_001_full', stamp, now)).toMatchObject({
		after: '1970-01-01T00:00:00.000000Z',
		clock: 'client',
	})
})
