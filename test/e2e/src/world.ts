import { join } from 'node:path'
import { type Emulator, type EmulatorOptions, startEmulator } from '@ydbackup/emulator'
import { load } from '../../../tools/seed/load.ts'
import { seedTables } from '../../../tools/seed/tables.ts'
import { Statements } from '../../../packages/ydb/test/support/statements.ts'
import { ourPicture } from '../../../tools/demo/our-reader.ts'
import type { Picture } from '../../../tools/demo/picture.ts'
import { scratch } from './scratch.ts'
import { asked, under } from './troubles.ts'
import { type Ran, type RunOptions, ydbackup } from './ydbackup.ts'

/** An emulator, an empty place for a repository, and the command pointed at both. */
export interface World extends AsyncDisposable {
	readonly emulator: Emulator
	readonly endpoint: string
	readonly database: string
	readonly directory: string
	readonly repo: string
	/** `ydbackup … --json`, with the repository from the environment. */
	run(words: readonly string[], options?: RunOptions): Promise<Ran>
	/** The same with the database in the environment. */
	runOnDatabase(words: readonly string[], options?: RunOptions): Promise<Ran>
	/** Loads the demo's tables with that many cities. */
	seed(cities: number): Promise<void>
	picture(): Promise<Picture>
}

export async function createWorld(options: EmulatorOptions = {}): Promise<World> {
	const statements = new Statements()
	const faults = { ...asked.lasting, ...options.faults }
	const emulator = await startEmulator({ onQuery: statements.onQuery, ...options, faults })
	const place = await scratch()
	const repo = join(place.path, 'repo')
	const endpoint = `grpc://127.0.0.1:${emulator.port}`
	const { database } = emulator
	const run: World['run'] = (words, more = {}) =>
		under(emulator.faults, asked, () =>
			ydbackup([...words, '--json'], { ...more, env: { YDBACKUP_REPO: repo, ...more.env } }),
		)
	return {
		emulator,
		endpoint,
		database,
		directory: place.path,
		repo,
		run,
		runOnDatabase: (words, more = {}) =>
			run(words, {
				...more,
				env: { YDB_ENDPOINT: endpoint, YDB_DATABASE: database, YDB_ANONYMOUS_CREDENTIALS: '1', ...more.env },
			}),
		seed: (cities) => load({ endpoint, database }, seedTables(cities), () => {}),
		picture: () => ourPicture(endpoint, database),
		async [Symbol.asyncDispose]() {
			await emulator.close()
			await place[Symbol.asyncDispose]()
			statements.check()
		},
	}
}
