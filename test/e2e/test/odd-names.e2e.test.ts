import { expect, test } from 'vitest'
import { load } from '../../../tools/seed/load.ts'
import { seedTables } from '../../../tools/seed/tables.ts'
import { differences } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { createWorld } from '../src/world.ts'

const ODD = [
	'Case/table',
	'case/Table',
	'CASE/TABLE',
	'metadata.json',
	'SchemaMapping/mapping.json',
	'001',
	'scheme.pb/data_00.csv',
	'a.b-c_d',
	'with space/and "quotes" and \\ and \'',
	'таблица/表/🗂️',
	'__proto__',
	'constructor/toString',
	`long/${'n'.repeat(255)}`,
	Array.from({ length: 30 }, (_, at) => `d${at}`).join('/'),
]

test('tables with odd, long, deep and reserved names come back', async () => {
	await using world = await createWorld()
	const summary = seedTables(20).find(({ path }) => path === 'geo/summary/countries')!
	await load(world, [...seedTables(5), ...ODD.map((path) => ({ ...summary, path }))], () => {})
	const before = await world.picture()
	for (const path of ODD) expect(before.get(path)?.rows, path).toBeGreaterThan(0)
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
	await dropEverything(world.endpoint, world.database)
	expect(await world.runOnDatabase(['restore', 'latest', '--verify-data'])).toMatchObject({ code: 0 })
	expect(differences(before, await world.picture())).toEqual([])
})
