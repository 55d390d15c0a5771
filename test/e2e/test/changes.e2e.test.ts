import { expect, test } from 'vitest'
import { connect } from '@ydbackup/ydb'
import { below, differences } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { aside, asked } from '../src/troubles.ts'
import { createWorld, type World } from '../src/world.ts'

async function drop({ emulator, endpoint, database }: World, path: string): Promise<void> {
	await aside(emulator.faults, asked, async () => {
		await using ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
		await ydb.sink.dropTable(path)
	})
}

async function ready(): Promise<World> {
	const world = await createWorld()
	await world.seed(300)
	await world.run(['repo', 'init'])
	return world
}

test('a table that is dropped between plan and copy is left out by a new plan', async () => {
	await using world = await ready()
	let calls = 0
	world.emulator.faults.onCopyTables = async () => {
		if (++calls === 1) await drop(world, 'geo/summary/countries')
	}
	const { code, result } = await world.runOnDatabase(['backup', 'create'])
	expect({ code, calls }).toEqual({ code: 0, calls: 2 })
	const paths = result.tables.map((table: { path: string }) => table.path)
	expect(paths).toContain('geo/cities')
	expect(paths).not.toContain('geo/summary/countries')
})

test('a table that was asked for and is dropped before the copy is named', async () => {
	await using world = await ready()
	world.emulator.faults.onCopyTables = async () => {
		world.emulator.faults.onCopyTables = undefined
		await drop(world, 'geo/cities')
	}
	const { code, error } = await world.runOnDatabase(['backup', 'create', '--path', 'geo/cities'])
	expect({ code, error: error.code }).toEqual({ code: 4, error: 'PATH_NOT_FOUND' })
	expect(error.message).toContain('geo/cities')
	expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
})

test('tables that vanish one after the other end the run with the name of one, and nothing is left behind', async () => {
	await using world = await ready()
	const victims = ['geo/summary/countries', 'geo/cities']
	world.emulator.faults.onCopyTables = async () => {
		const next = victims.shift()
		if (next !== undefined) await drop(world, next)
	}
	const { code, error } = await world.runOnDatabase(['backup', 'create'])
	expect(code).not.toBe(0)
	expect(error.message).toContain('geo/cities')
	expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
	expect([...(await world.picture()).keys()].filter((path) => path.startsWith('~'))).toEqual([])
})

test('what happens to the tables after the copy has no effect on the backup', async () => {
	await using world = await ready()
	const before = await world.picture()
	let dropped: Promise<unknown> | undefined
	world.emulator.faults.onReadTable = async () => {
		dropped ??= aside(world.emulator.faults, asked, () => dropEverything(world.endpoint, world.database))
		await dropped
	}
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	expect(dropped).toBeDefined()
	world.emulator.faults.onReadTable = undefined
	expect(await world.runOnDatabase(['restore', 'latest', '--to', `${world.database}/back`])).toMatchObject({ code: 0 })
	const tables = (picture: Awaited<ReturnType<World['picture']>>): Awaited<ReturnType<World['picture']>> =>
		new Map([...picture].filter(([, { kind }]) => kind === 'table'))
	expect(differences(tables(before), tables(below(await world.picture(), 'back')))).toEqual([])
})

test('a column of a type that is not known is named with its table, before anything is copied', async () => {
	await using world = await ready()
	let copies = 0
	world.emulator.faults.onCopyTables = () => void copies++
	world.emulator.faults.unknownTypeOf = 'population'
	const { code, error } = await world.runOnDatabase(['backup', 'create'])
	expect({ code, error: error.code }).toMatchObject({ error: 'TYPE_UNKNOWN' })
	expect(code).toBeGreaterThan(0)
	expect(error.message).toMatch(/geo\/cities.*population|population.*geo\/cities/)
	expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
})
