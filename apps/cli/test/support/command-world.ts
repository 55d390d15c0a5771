import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Database, startDatabase } from './database.ts'
import { mistakesOf, readSchema } from './schema-check.ts'
import { type Ran, ydbackup } from './ydbackup.ts'

/** `ydbackup … --json`; the document must keep the schema of its command. */
export async function runChecked(words: string, env: NodeJS.ProcessEnv): Promise<Ran> {
	const ran = await ydbackup([...words.split(' '), '--json'], { env })
	const { command } = ran.document
	// Of words that are no command there is no schema.
	if (command !== '')
		expect(mistakesOf(readSchema(`${command.replaceAll(' ', '-')}.json`), ran.document), ran.stdout).toEqual([])
	return ran
}

/** An emulator with tables, a repository beside it, and the command pointed at both. */
export interface CommandWorld extends AsyncDisposable {
	readonly database: Database
	/** The repository alone. */
	readonly repository: { readonly YDBACKUP_REPO: string }
	/** The repository and the database. */
	readonly env: NodeJS.ProcessEnv
	run(words: string, env?: NodeJS.ProcessEnv): Promise<Ran>
	/** All files of the repository, relative to it. */
	files(): Promise<string[]>
}

export async function createCommandWorld(rows: Readonly<Record<string, number>>): Promise<CommandWorld> {
	const directory = await mkdtemp(join(tmpdir(), 'ydbackup-command-'))
	const database = await startDatabase(rows)
	const repo = join(directory, 'repo')
	const repository = { YDBACKUP_REPO: repo }
	const env = { ...database.env, ...repository }
	expect(await runChecked('repo init', env)).toMatchObject({ code: 0 })
	return {
		database,
		repository,
		env,
		run: (words, other = env) => runChecked(words, other),
		async files() {
			const all = await readdir(repo, { recursive: true, withFileTypes: true })
			return all
				.filter((one) => one.isFile())
				.map((one) => join(one.parentPath, one.name).slice(repo.length + 1))
				.toSorted()
		},
		async [Symbol.asyncDispose]() {
			await database[Symbol.asyncDispose]()
			await rm(directory, { recursive: true, force: true })
		},
	}
}
