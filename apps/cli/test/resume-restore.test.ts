import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, startDatabase } from './support/database.ts'
import { mistakesOf, readSchema } from './support/schema-check.ts'
import { type Ran, ydbackup } from './support/ydbackup.ts'

let database: Database
let directory: string
let env: NodeJS.ProcessEnv

beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydbackup-resume-'))
	database = await startDatabase({ a: 600, b: 500, c: 400 })
	env = { ...database.env, YDBACKUP_REPO: join(directory, 'repo') }
	await run('repo init')
	expect(await run('backup create')).toMatchObject({ code: 0 })
})
afterAll(async () => {
	await database?.[Symbol.asyncDispose]()
	await rm(directory, { recursive: true, force: true })
})

async function run(words: string): Promise<Ran> {
	const ran = await ydbackup([...words.split(' '), '--json'], { env })
	const { command } = ran.document
	expect(mistakesOf(readSchema(`${command.replaceAll(' ', '-')}.json`), ran.document), ran.stdout).toEqual([])
	return ran
}

test(
	'a restore that is stopped or killed is named by the next one, and gone on with by the same command and --resume',
	{ timeout: 90_000 },
	async () => {
		for (const signal of ['SIGINT', 'SIGKILL'] as const) {
			const words = `restore latest --to /local/${signal} --verify-data --concurrency 1`
			// The server is slow to count, which comes behind the rows of each table.
			database.emulator.faults.delayQueryMs = 1500
			let isSent = false
			const stopped = await ydbackup([...words.split(' '), '--progress', 'json'], {
				env,
				onError: (text, child) => {
					if (isSent || !/"name":"data"/u.test(text)) return
					isSent = true
					setTimeout(() => child.kill(signal), 300)
				},
			})
			database.emulator.faults.delayQueryMs = 0
			expect(stopped.code, stopped.stderr).toBe(signal === 'SIGINT' ? 130 : null)
			if (signal === 'SIGINT') expect(stopped.stderr).toMatch(/--resume.*not complete: SIGINT\/a/su)

			const again = await run(words)
			expect(again).toMatchObject({ code: 5, document: { error: { code: 'PATH_EXISTS' } } })
			expect(again.document.error.advice).toContain('--resume')
			if (signal === 'SIGKILL') {
				expect(await run(`${words} --resume --ttl off`)).toMatchObject({ code: 5 })
				const dry = await run(`${words} --resume --dry-run`)
				expect(dry.document.result).toMatchObject({ dryRun: true, resumed: {} })
			}

			const resumed = await run(`${words} --resume`)
			expect(resumed).toMatchObject({ code: 0, document: { result: { rows: 1500, resumed: {} } } })
			const { tables } = resumed.document.result
			expect(tables.map(({ isCompared }: { isCompared: boolean }) => isCompared)).toEqual([true, true, true])
		}
		// Nothing is left to go on with.
		const over = await run('restore latest --to /local/SIGKILL --resume')
		expect(over).toMatchObject({ code: 5, document: { error: { code: 'PATH_EXISTS' } } })
		expect(over.document.error.message).not.toContain('did not end')
	},
)
