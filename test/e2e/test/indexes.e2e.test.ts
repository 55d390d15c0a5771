import { create } from '@bufbuild/protobuf'
import { AlterTableRequestSchema, TableServiceDefinition } from '@ydbjs/api/table'
import { Driver } from '@ydbjs/core'
import { expect, test } from 'vitest'
import { printProtoText } from '@ydbackup/format'
import { connect } from '@ydbackup/ydb'
import { differences } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { createWorld, type World } from '../src/world.ts'

/** With an index that must follow at once bulk writes are refused. */
async function addIndex({ endpoint, database }: World, path: string, column: string): Promise<void> {
	const driver = new Driver(`${endpoint}${database}`, { 'ydb.sdk.enable_discovery': false })
	try {
		await driver.ready(AbortSignal.timeout(10_000))
		const addIndexes = [
			{ name: `by_${column}`, indexColumns: [column], type: { case: 'globalIndex' as const, value: {} } },
		]
		const request = create(AlterTableRequestSchema, { path: `${database}/${path}`, addIndexes })
		const { operation } = await driver.createClient(TableServiceDefinition).alterTable(request)
		expect(operation?.issues).toEqual([])
	} finally {
		driver.close()
	}
}

async function schemeOf({ endpoint, database }: World, path: string): Promise<string> {
	await using ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
	return printProtoText((await ydb.sink.describeTable(path)).scheme)
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
