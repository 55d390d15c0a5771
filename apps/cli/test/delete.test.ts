import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirm } from '../src/run/confirm.ts'
import { type CommandWorld, createCommandWorld } from './support/command-world.ts'
import { ydbackup } from './support/ydbackup.ts'

let world: CommandWorld

beforeAll(async () => {
	world = await createCommandWorld({ a: 60 })
})
afterAll(() => world[Symbol.asyncDispose]())

test('a backup is deleted with what builds upon it, and refused without', { timeout: 120_000 }, async () => {
	const { run, files, env } = world
	const ids: string[] = []
	for (const more of ['', ' --incremental', ' --incremental']) {
		ids.push((await run(`backup create${more}`)).document.result.id)
	}
	const before = await files()
	const cases: [words: string, exit: number, code: string][] = [
		[`${ids[1]} --yes`, 5, 'BACKUP_NEEDED'],
		[`${ids[2]}`, 2, 'CONFIG_INVALID'],
		['latest --yes', 2, 'CONFIG_INVALID'],
		[`${ids[2]} 20200101T000000Z-aaaa --yes`, 4, 'BACKUP_NOT_FOUND'],
	]
	for (const [words, exit, code] of cases) {
		const { code: ended, document } = await run(`backup delete ${words}`)
		expect({ words, exit: ended, code: document.error.code }).toEqual({ words, exit, code })
	}
	const dry = await ydbackup(['backup', 'delete', ids[1]!, '--with-dependents', '--dry-run'], { env })
	expect(dry.stdout).toContain('dry run: nothing was deleted. Would be deleted: 2 backups')
	expect(dry.stdout).toContain(ids[2])
	expect(await files()).toEqual(before)

	const done = await run(`backup delete ${ids[1]} --with-dependents --yes`)
	expect(done).toMatchObject({ code: 0, document: { result: { outcome: 'complete', dryRun: false } } })
	expect(done.document.result.backups.map(({ id }: { id: string }) => id)).toEqual([ids[2], ids[1]])
	expect((await files()).filter((name) => name.includes(ids[1]!) || name.includes(ids[2]!))).toEqual([])
	const { result } = (await run('backup list')).document
	expect(result.backups.map(({ id }: { id: string }) => id)).toEqual([ids[0]])
	expect(await run('backup verify latest --level full')).toMatchObject({ code: 0 })
})

test('only yes is an answer that deletes', async () => {
	const { signal } = new AbortController()
	async function answer(text: string | undefined): Promise<string> {
		const input = new PassThrough()
		const output = new PassThrough()
		const asked = confirm('delete it?', signal, { input, output })
		if (text === undefined) input.end()
		else input.write(text)
		return asked.then(
			() => String(output.read()),
			(error: { code: string }) => error.code,
		)
	}
	for (const yes of ['y\n', 'YES\n', ' yes \n']) expect(await answer(yes)).toBe('delete it? [y/N] ')
	for (const no of ['\n', 'n\n', 'yesterday\n', undefined]) expect(await answer(no)).toBe('INTERRUPTED')
	const stopped = confirm('delete it?', AbortSignal.abort(), { input: new PassThrough(), output: new PassThrough() })
	await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' })
})
