import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandWorld, createCommandWorld } from './support/command-world.ts'
import { ydbackup } from './support/ydbackup.ts'

let world: CommandWorld

beforeAll(async () => {
	world = await createCommandWorld({ a: 600, b: 500, c: 400 })
})
afterAll(() => world[Symbol.asyncDispose]())

test(
	'the message after a stop or a kill names the command that goes on, and that makes the backup whole',
	{ timeout: 90_000 },
	async () => {
		const { database, env, run } = world
		for (const signal of ['SIGINT', 'SIGKILL'] as const) {
			database.emulator.faults.delayReadMs = 300
			const stopped = await ydbackup(['backup', 'create', '--concurrency', '1', '--no-count', '--progress', 'json'], {
				env,
				onError: (text, child) => {
					// Rows have begun to move: the copies are there.
					if (/"name":"data"/u.test(text)) setTimeout(() => child.kill(signal), 400)
				},
			})
			database.emulator.faults.delayReadMs = 0
			expect(stopped.code).toBe(signal === 'SIGINT' ? 130 : null)
			const { document } = await run('backup list')
			const [left] = document.result.unfinished
			expect(left).toMatchObject({ state: 'left', kind: 'backup', database: '/local' })
			if (signal === 'SIGINT') expect(stopped.stderr).toContain(`ydbackup backup resume ${left.id};`)
			const listed = await ydbackup(['backup', 'list'], { env })
			expect(listed.stdout).toContain(`go on with ydbackup backup resume ${left.id}`)
			const resumed = await run(`backup resume ${left.id}`)
			expect(resumed).toMatchObject({ code: 0 })
			expect(resumed.document.result).toMatchObject({ id: left.id, rows: 1500, resumed: { kept: 'parts' } })
			expect(await run(`backup verify ${left.id} --level full`)).toMatchObject({ code: 0 })
			expect((await run('backup list')).document.result.unfinished).toEqual([])
			const again = await run(`backup resume ${left.id}`)
			expect(again).toMatchObject({ code: 4, document: { error: { code: 'RUN_NOT_FOUND' } } })
		}
	},
)
