import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, startDatabase } from './support/database.ts'
import { runChecked } from './support/command-world.ts'
import { type Ran, ydbackup } from './support/ydbackup.ts'

let database: Database

beforeAll(async () => {
	database = await startDatabase({ users: 3 })
	for (const words of [
		'collection create nightly --table users --incremental',
		'collection backup nightly',
		'collection backup nightly --incremental',
	])
		expect(await run(words)).toMatchObject({ code: 0 })
})
afterAll(async () => {
	await database?.[Symbol.asyncDispose]()
})

const run = (words: string): Promise<Ran> => runChecked(words, database.env)

test('operations are listed, shown, and forgotten; what cannot be cancelled is told so', async () => {
	const { operations } = (await run('operation list incbackup')).document.result
	expect(operations).toMatchObject([{ state: 'done', progress: 'DONE', percent: 100, items: [] }])
	const { id } = operations[0]
	expect((await run(`operation show ${id}`)).document.result).toMatchObject({ id, state: 'done' })
	expect(await run(`operation cancel ${id}`)).toMatchObject({ code: 2, document: { error: { code: 'UNSUPPORTED' } } })
	expect((await run(`operation forget ${id}`)).document.result).toMatchObject({ id, action: 'forgotten' })
	expect(await run(`operation forget ${id}`)).toMatchObject({ code: 0 })
	expect(await run(`operation show ${id}`)).toMatchObject({
		code: 4,
		document: { error: { code: 'OPERATION_NOT_FOUND', advice: expect.stringContaining('operation list') } },
	})
	expect((await run('operation list incbackup')).document.result.operations).toEqual([])
})

test('people see a table; an id that a shell has cut is refused before anything is asked', async () => {
	const shown = await ydbackup(['operation', 'list', 'restore'], { env: database.env })
	expect(shown).toMatchObject({ code: 0, stdout: 'no operations of kind restore in /local\n' })
	expect(await run('operation show 281474976788395')).toMatchObject({
		code: 2,
		document: { error: { code: 'CONFIG_INVALID' } },
	})
})
