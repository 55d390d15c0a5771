import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDuration } from '../src/run/duration.ts'
import { type Database, startDatabase } from './support/database.ts'
import { mistakesOf, readSchema } from './support/schema-check.ts'
import { type Ran, ydbackup } from './support/ydbackup.ts'

let database: Database
let directory: string
let env: NodeJS.ProcessEnv

beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydbackup-prune-'))
	database = await startDatabase({ a: 60 })
	env = { ...database.env, YDBACKUP_REPO: join(directory, 'repo') }
	await run('repo', 'init')
})
afterAll(async () => {
	await database?.[Symbol.asyncDispose]()
	await rm(directory, { recursive: true, force: true })
})

async function run(...words: string[]): Promise<Ran> {
	const ran = await ydbackup(
		[...words.flatMap((word) => (word.includes('"') ? word.slice(1, -1) : word.split(' '))), '--json'],
		{
			env,
		},
	)
	const { command } = ran.document
	expect(mistakesOf(readSchema(`${command.replaceAll(' ', '-')}.json`), ran.document), ran.stdout).toEqual([])
	return ran
}

test('old chains go by rules, and a backup that is held stays until it is released', { timeout: 120_000 }, async () => {
	const ids: string[] = []
	for (const more of ['', ' --incremental', '']) ids.push((await run(`backup create${more}`)).document.result.id)
	const hold = await run(`backup hold ${ids[1]} --for 90d --reason`, '"an audit"')
	expect(hold).toMatchObject({ code: 0, document: { result: { id: ids[1], reason: 'an audit' } } })
	const shown = await ydbackup(['backup', 'show', ids[1]!], { env })
	expect(shown.stdout).toMatch(/held\s+until .*: an audit/u)
	const refused = await run(`backup delete ${ids[1]} --yes`)
	expect(refused).toMatchObject({ code: 5, document: { error: { code: 'BACKUP_NEEDED' } } })
	expect(refused.document.error).toMatchObject({
		message: expect.stringContaining('(an audit)'),
		advice: expect.stringContaining('backup release'),
	})
	const kept = await run('backup prune --keep-last 1 --yes')
	expect(kept.document.result).toMatchObject({ deleted: 0, outcome: 'complete' })

	const released = await run(`backup release ${ids[1]}`)
	expect(released.document.result.holds).toMatchObject([{ reason: 'an audit' }])
	const cases: [words: string, exit: number][] = [
		['backup prune --keep-last 1', 2],
		['backup prune --yes', 2],
		[`backup hold ${ids[0]} --until 2020-01-01T00:00:00Z`, 2],
		['backup release 20200101T000000Z-aaaa', 4],
	]
	for (const [words, exit] of cases) expect({ words, exit: (await run(words)).code }).toEqual({ words, exit })
	const dry = await ydbackup(['backup', 'prune', '--keep-last', '1', '--dry-run'], { env })
	expect(dry.stdout).toContain('Would be deleted: 2 of 3 backups')
	expect(dry.stdout).toMatch(new RegExp(`${ids[1]}.*would be deleted +no rule keeps it`, 'u'))

	const done = await run('backup prune --keep-last 1 --keep-within 1h --label why=other --yes')
	expect(done.document.result).toMatchObject({ deleted: 0 })
	const pruned = await run('backup prune --keep-last 1 --yes')
	expect(pruned).toMatchObject({ code: 0, document: { result: { deleted: 2, outcome: 'complete' } } })
	expect((await run('backup list')).document.result.backups).toMatchObject([{ id: ids[2] }])
	expect(await run('backup verify latest --level full')).toMatchObject({ code: 0 })
	const files = await readdir(join(directory, 'repo'), { recursive: true })
	expect(files.filter((name) => name.includes(ids[0]!) || name.includes(ids[1]!))).toEqual([])
})

test('lengths of time are hours, days and weeks', () => {
	expect(['36h', '30d', '8w'].map((text) => parseDuration(text, '--for') / 3_600_000)).toEqual([36, 720, 1344])
	for (const text of ['', '0d', '-1d', '1', 'd', '1.5d', '1m', '3months', '9999999w', '1d ', '１d']) {
		expect(() => parseDuration(text, '--for'), text).toThrow(/is no length of time/u)
	}
})
