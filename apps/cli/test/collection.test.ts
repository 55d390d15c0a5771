import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Change } from '@ydbackup/core'
import { changes as format, parseProtoText, tableSchemaOf } from '@ydbackup/format'
import {
	chunkFromFrames,
	concatBytes,
	createKeyReader,
	lengthDelimited,
	TAG_ITEMS,
	valueFromText,
} from '@ydbackup/rows'
import { connect, type Ydb } from '@ydbackup/ydb'
import { type CommandWorld, createCommandWorld } from './support/command-world.ts'
import { type Ran, ydbackup } from './support/ydbackup.ts'

const ROOT = '.backups/collections/nightly'
const CHANGES = `
columns { name: "id" type { optional_type { item { type_id: UINT64 } } } }
columns { name: "name" type { optional_type { item { type_id: UTF8 } } } }
columns { name: "${format.METADATA_COLUMN}" type { optional_type { item { type_id: STRING } } } }
primary_key: "id"`

let world: CommandWorld
let ydb: Ydb

beforeAll(async () => {
	world = await createCommandWorld({ 'shop/orders': 4, users: 3, [`${ROOT}/20261123021500Z_full/users`]: 3 })
	const endpoint = world.database.env.YDB_ENDPOINT
	ydb = await connect({ endpoint, database: '/local', credentials: { kind: 'anonymous' } })
	// The directory names of tables in the helper are their values, too: the copy must hold what its original holds.
	await copyOf('shop/orders', `${ROOT}/20261123021500Z_full/shop/orders`)
})
afterAll(async () => {
	await ydb?.close()
	await world[Symbol.asyncDispose]()
})

async function copyOf(from: string, to: string): Promise<void> {
	const table = await ydb.sink.describeTable(from)
	await ydb.sink.createDirectory(to.split('/').slice(0, -1).join('/'))
	await ydb.sink.createTable(to, table.scheme)
	const writer = await ydb.sink.openWriter(to, table.schema)
	for await (const chunk of ydb.sink.read(from, table.schema, {})) await writer.write(chunk)
	await writer.finish()
}

const value = (text: string): Uint8Array => valueFromText(parseProtoText(text, 'a cell'))
const keyOf = (id: number): Uint8Array => lengthDelimited(TAG_ITEMS, value(`uint64_value: ${id}`))
const upsert = (id: number, name: string): Change => ({
	op: 'upsert',
	key: keyOf(id),
	columns: [{ name: 'name', value: value(`text_value: "${name}"`) }],
})
const erase = (id: number): Change => ({ op: 'erase', key: keyOf(id) })

async function changeTable(path: string, list: readonly Change[]): Promise<void> {
	const scheme = parseProtoText(CHANGES, 'a test')
	const schema = tableSchemaOf(scheme, path)
	await ydb.sink.createDirectory(path.split('/').slice(0, -1).join('/'))
	await ydb.sink.createTable(path, scheme)
	const write = format.createChangeWriter(schema, format.freshColumnMap(schema)).row
	const frames = list.map((change) => write(change))
	const writer = await ydb.sink.openWriter(path, schema)
	if (frames.length > 0) {
		await writer.write(chunkFromFrames(concatBytes(frames), frames.length, createKeyReader(schema)))
	}
	await writer.finish()
}

async function rowsOf(path: string): Promise<string[]> {
	const { schema } = await ydb.sink.describeTable(path)
	const rows: string[] = []
	for await (const { bytes } of ydb.sink.read(path, schema, {})) rows.push(Buffer.from(bytes).toString('latin1'))
	return rows.join('').match(/row \d+ of (?:shop\/orders|\S*users)|new|first|second/gu) ?? []
}

const run = (words: string): Promise<Ran> => world.run(words)

test(
	'the chain of a collection is shipped, listed, verified, restored to each link, and pruned in the cluster',
	{ timeout: 120_000 },
	async () => {
		const link = async (hour: number, orders: readonly Change[], users: readonly Change[]): Promise<void> => {
			const at = `${ROOT}/202611230${hour}1500Z_incremental`
			await changeTable(`${at}/shop/orders`, orders)
			await changeTable(`${at}/users`, users)
		}
		await link(3, [upsert(1, 'first'), erase(99)], [])
		await link(4, [upsert(1, 'second'), upsert(7, 'new'), erase(0)], [erase(2)])

		expect((await run('collection ship nightly --dry-run')).document.result.links).toHaveLength(3)
		const shipped = await run('collection ship nightly --label why=test')
		expect(shipped).toMatchObject({ code: 0 })
		const { result } = shipped.document
		expect(result.links.map(({ state, rows }: { state: string; rows: number }) => [state, rows])).toEqual([
			['shipped', 7],
			['shipped', 2],
			['shipped', 4],
		])
		const ids: string[] = result.links.map(({ id }: { id: string }) => id)

		expect((await run('backup list')).document.result.backups).toMatchObject(
			ids.map((id, at) => ({ id, collection: { name: 'nightly' }, chain: { root: ids[0], position: at } })),
		)
		expect((await run('backup show latest')).document.result).toMatchObject({ collection: { name: 'nightly' } })
		expect((await ydbackup(['backup', 'show', 'latest'], { env: world.env })).stdout).toMatch(
			/not known[^]*20261123041500Z_incremental|20261123041500Z_incremental[^]*not known/u,
		)
		expect(await run('backup verify latest --level full')).toMatchObject({ code: 0 })

		const expected = [
			['row 0 of shop/orders', 'row 1 of shop/orders', 'row 2 of shop/orders', 'row 3 of shop/orders'],
			['row 0 of shop/orders', 'first', 'row 2 of shop/orders', 'row 3 of shop/orders'],
			['second', 'row 2 of shop/orders', 'row 3 of shop/orders', 'new'],
		]
		for (const [at, id] of ids.entries()) {
			expect(await run(`restore ${id} --to /local/at${at} --verify-data`)).toMatchObject({ code: 0 })
			expect(await rowsOf(`at${at}/shop/orders`)).toEqual(expected[at])
			expect(await rowsOf(`at${at}/users`)).toHaveLength(at === 2 ? 2 : 3)
		}
		const again = await run('collection ship nightly')
		expect(again.document.result.links.map(({ state }: { state: string }) => state)).toEqual([
			'earlier',
			'earlier',
			'present',
		])

		// A link without one of its change tables, and a new chain.
		await changeTable(`${ROOT}/20261123051500Z_incremental/users`, [])
		const partial = await run('collection ship nightly')
		expect(partial).toMatchObject({ code: 9, document: { error: { code: 'PARTIAL' } } })
		expect(partial.document.result.links.at(-1)).toMatchObject({
			state: 'refused',
			reason: { code: 'CHAIN_BROKEN', message: expect.stringContaining('shop/orders') },
		})
		for (const path of ['users', 'shop/orders']) await copyOf(path, `${ROOT}/20261124021500Z_full/${path}`)
		const behind = await run('collection ship nightly')
		expect(behind).toMatchObject({ code: 9 })
		expect(behind.document.result.links.at(-1)).toMatchObject({ state: 'shipped', kind: 'full' })
		expect(await run('collection ship nightly')).toMatchObject({ code: 0 })
		const kept = await run('collection prune nightly')
		expect(kept).toMatchObject({ code: 9 })
		expect(kept.document.result.chains).toMatchObject([
			{ state: 'refused', reason: expect.stringContaining('20261123051500Z_incremental') },
			{ state: 'kept' },
		])
		await ydb.sink.dropTable(`${ROOT}/20261123051500Z_incremental/users`)
		await ydb.sink.removeDirectory(`${ROOT}/20261123051500Z_incremental`)
		expect((await run('collection prune nightly --dry-run')).document.result.chains).toMatchObject([
			{ state: 'dropped' },
			{ state: 'kept' },
		])
		expect(await run('collection prune nightly')).toMatchObject({ code: 0 })
		expect((await ydb.collection('nightly').links()).map(({ name }) => name)).toEqual(['20261124021500Z_full'])
		expect(await run('collection ship nope')).toMatchObject({
			code: 4,
			document: { error: { code: 'PATH_NOT_FOUND' } },
		})
	},
)
