import { connect } from '@ydbackup/ydb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandWorld, createCommandWorld } from './support/command-world.ts'
import { ydbackup } from './support/ydbackup.ts'

let world: CommandWorld

beforeAll(async () => {
	world = await createCommandWorld({ a: 600, b: 500 })
})
afterAll(() => world[Symbol.asyncDispose]())

async function copies(): Promise<readonly string[]> {
	const { YDB_ENDPOINT: endpoint, YDB_DATABASE: path } = world.database.env
	await using ydb = await connect({ endpoint, database: path, credentials: { kind: 'anonymous' } })
	return await ydb.source.workDirectories('~ydbackup-')
}

test('of a backup that was killed nothing is left, in the store or in the database', { timeout: 120_000 }, async () => {
	const { database, env, repository, run, files } = world
	database.emulator.faults.delayReadMs = 300
	const words = ['backup', 'create', '--concurrency', '1', '--no-count', '--progress', 'json']
	const killed = await ydbackup(words, {
		env,
		onError: (text, child) => {
			// Rows have begun to move: the copies are there.
			if (/"name":"data"/u.test(text)) setTimeout(() => child.kill('SIGKILL'), 400)
		},
	})
	database.emulator.faults.delayReadMs = 0
	expect(killed.code).toBe(null)
	const left = await files()
	expect(await copies()).toHaveLength(1)
	const id = (await copies())[0]!.slice(-'20261123T021530Z-k3f9'.length)

	const dry = await ydbackup(['backup', 'gc', '--dry-run'], { env })
	expect(dry.stdout).toMatch(new RegExp(`run +${id} +would be removed`, 'u'))
	expect(await files()).toEqual(left)
	expect(await copies()).toHaveLength(1)

	const blind = await run('backup gc', repository)
	expect(blind).toMatchObject({ code: 0, document: { result: { outcome: 'complete' } } })
	expect(blind.document.result.garbage).toContainEqual(
		expect.objectContaining({ kind: 'run', name: id, state: 'kept', reason: expect.stringContaining('connect') }),
	)
	expect((await files()).filter((name) => !name.startsWith('leases/'))).toEqual(
		left.filter((name) => !name.startsWith('leases/')),
	)

	const { code, document } = await run('backup gc')
	expect({ code, garbage: document.result.garbage }).toMatchObject({
		code: 0,
		garbage: [{ kind: 'run', name: id, state: 'removed' }],
	})
	// What was being put when it was killed is an upload like any other: it goes after a day.
	expect((await files()).filter((name) => !name.startsWith('.~unfinished/'))).toEqual(['ydbackup.json'])
	expect(await copies()).toEqual([])
})
