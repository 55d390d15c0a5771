import { create } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import {
	AlterTableRequestSchema,
	type DescribeTableResult,
	DescribeTableResultSchema,
	type TableIndex,
	TableIndexSchema,
	TableServiceDefinition,
} from '@ydbjs/api/table'
import { Driver } from '@ydbjs/core'
import type { Client } from 'nice-grpc'
import { expect, test } from 'vitest'
import { printProtoText } from '@ydbackup/format'
import { connect } from '@ydbackup/ydb'
import { differences } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { createWorld, type World } from '../src/world.ts'

async function withTables<T>(
	{ endpoint, database }: World,
	work: (client: Client<typeof TableServiceDefinition>) => Promise<T>,
): Promise<T> {
	using driver = new Driver(`${endpoint}${database}`, { 'ydb.sdk.enable_discovery': false })
	await driver.ready(AbortSignal.timeout(10_000))
	return await work(driver.createClient(TableServiceDefinition))
}

async function alter(world: World, path: string, addIndexes: TableIndex[]): Promise<void> {
	const request = create(AlterTableRequestSchema, { path: `${world.database}/${path}`, addIndexes })
	const { operation } = await withTables(world, (client) => client.alterTable(request))
	expect(operation?.issues).toEqual([])
}

/** With an index that must follow at once bulk writes are refused. */
async function addIndex(world: World, path: string, column: string): Promise<void> {
	const type = { case: 'globalIndex' as const, value: {} }
	await alter(world, path, [create(TableIndexSchema, { name: `by_${column}`, indexColumns: [column], type })])
}

/** All of a table but the bounds of its partitions, which may move and are compared with the pictures. */
async function schemeOf({ endpoint, database }: World, path: string): Promise<string> {
	await using ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
	const { scheme } = await ydb.sink.describeTable(path)
	return printProtoText(scheme.filter(({ name }) => name !== 'partition_at_keys'))
}

test('an index that must follow at once comes back behind the rows, and rows go into such a table by statements', async () => {
	await using world = await createWorld()
	await world.seed(700)
	await addIndex(world, 'geo/cities', 'name')
	await addIndex(world, 'geo/summary/countries', 'cities')
	const before = await world.picture()
	const scheme = await schemeOf(world, 'geo/cities')
	expect(scheme).toContain('name: "by_name"')
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })

	await dropEverything(world.endpoint, world.database)
	expect(await world.runOnDatabase(['restore', 'latest', '--verify-data'])).toMatchObject({ code: 0 })
	expect(differences(before, await world.picture())).toEqual([])
	expect(await schemeOf(world, 'geo/cities')).toBe(scheme)

	await dropEverything(world.endpoint, world.database)
	expect(await world.runOnDatabase(['restore', 'latest', '--scheme-only'])).toMatchObject({ code: 0 })
	expect(await schemeOf(world, 'geo/cities')).toBe(scheme)
	expect((await world.picture()).get('geo/cities')).toMatchObject({ rows: 0 })
	const filled = await world.runOnDatabase(['restore', 'latest', '--data-only', '--existing', 'merge', '--verify-data'])
	expect(filled).toMatchObject({ code: 0 })
	expect(differences(before, await world.picture())).toEqual([])
})

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** Kinds of indexes by the numbers of their fields and their bytes, written by hand from ydb_table.proto of ydb-platform/ydb. */
const NEWER = [
	// vector_settings (3) { settings (1) { metric: SIMILARITY_COSINE, vector_type: VECTOR_TYPE_FLOAT, vector_dimension: 3 } clusters: 2, levels: 1 }
	{ name: 'near', column: 'name', index: 7, description: 9, bytes: hex('0e 1a0c 0a06 0802 1001 1803 1002 1801') },
	// fulltext_settings (2) { columns (2) { column: "name" analyzers (2) { tokenizer: STANDARD, use_filter_lowercase: true } } }
	{
		name: 'words',
		column: 'name',
		index: 8,
		description: 10,
		bytes: hex('11 120f 120d 0a04 6e616d65 1205 0802 a00601'),
	},
	// The same with relevance, and with an index of tomorrow's settings in it: field 900.
	{
		name: 'ranked',
		column: 'name',
		index: 9,
		description: 11,
		bytes: hex('14 120f 120d 0a04 6e616d65 1205 0802 a00601 a03801'),
	},
	// false_positive_probability: 0.01
	{ name: 'bloom', column: 'cities', index: 10, description: 12, bytes: hex('09 09 7b14ae47e17a843f') },
]

test('vector, full-text and Bloom indexes come back with all of their settings', async () => {
	await using world = await createWorld()
	await world.seed(200)
	const path = 'geo/cities'
	const columns = await tableColumns(world, path)
	for (const { name, index, bytes } of NEWER) {
		const added = create(TableIndexSchema, { name, indexColumns: [columns[1]!] })
		added.$unknown = [{ no: index, wireType: 2, data: bytes }]
		await alter(world, path, [added])
	}
	const before = await describedIndexes(world, path)
	expect(before).toEqual(
		NEWER.map(({ name, description, bytes }) => [name, [[description, Buffer.from(bytes).toString('hex')]]]),
	)
	const scheme = await schemeOf(world, path)
	expect(scheme).toMatch(
		/global_vector_kmeans_tree_index \{\s+vector_settings \{\s+settings \{\s+metric: SIMILARITY_COSINE/,
	)
	expect(scheme).toMatch(/global_fulltext_plain_index \{\s+fulltext_settings \{\s+columns \{\s+column: "name"/)
	const picture = await world.picture()
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })

	await dropEverything(world.endpoint, world.database)
	expect(await world.runOnDatabase(['restore', 'latest', '--verify-data'])).toMatchObject({ code: 0 })
	expect(differences(picture, await world.picture())).toEqual([])
	expect(await describedIndexes(world, path)).toEqual(before)
	expect(await schemeOf(world, path)).toBe(scheme)
})

async function describe(world: World, path: string): Promise<DescribeTableResult> {
	const { operation } = await withTables(world, (client) => client.describeTable({ path: `${world.database}/${path}` }))
	return anyUnpack(operation!.result!, DescribeTableResultSchema)!
}

async function tableColumns(world: World, path: string): Promise<string[]> {
	return (await describe(world, path)).columns.map(({ name }) => name)
}

/** Indexes with what the client package does not know of them. */
async function describedIndexes(world: World, path: string): Promise<[string, [number, string][]][]> {
	return (await describe(world, path)).indexes.map(({ name, $unknown = [] }) => [
		name,
		$unknown.map(({ no, data }) => [no, Buffer.from(data).toString('hex')]),
	])
}
