import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { below, differences } from '../../../tools/demo/picture.ts'
import { load } from '../../../tools/seed/load.ts'
import { seedTables } from '../../../tools/seed/tables.ts'
import { places } from '../../object-stores/src/places.ts'
import { openQueries } from '../src/queries.ts'
import { endsSnapshots } from '../src/troubles.ts'
import { createWorld, type World } from '../src/world.ts'
import type { RunOptions } from '../src/ydbackup.ts'

const SLOW = { timeout: 180_000 }
const CREATE = ['backup', 'create', '--engine', 'cluster', '--progress', 'json']

/** Row tables, and one that the cluster does not export. */
async function seed({ endpoint, database }: World): Promise<void> {
	const tables = seedTables(50).filter(({ path }) => path !== 'all_types')
	await load({ endpoint, database }, tables, () => {})
	if (endsSnapshots) return
	await using queries = await openQueries(endpoint, database)
	await queries.run('CREATE TABLE wide (id Utf8 NOT NULL, n Utf8, PRIMARY KEY (id)) WITH (STORE = COLUMN)')
	await queries.run('UPSERT INTO wide (id, n) VALUES ("1"u, "a"u), ("2"u, "b"u)')
}

/** Of many, four at once: the export is not over for long after its first ones. */
const SLOW_PART_MS = 1_500

/** Runs a command and kills it when the cluster has written its first parts. */
async function killed(
	{ runOnDatabase, emulator }: World,
	words: readonly string[],
	options: RunOptions = {},
): Promise<void> {
	let told = ''
	let isKilled = false
	const onStart: RunOptions['onStart'] = (child) =>
		child.stderr!.on('data', (text: Buffer) => {
			told += text.toString()
			if (isKilled || !told.includes('"name":"data"')) return
			isKilled = true
			setTimeout(() => child.kill('SIGKILL'), SLOW_PART_MS + 100)
		})
	const { code, stdout } = await runOnDatabase(words, { ...options, onStart })
	expect(code, stdout).toBe(null)
	emulator.faults.slowPartMs = 0
}

test('a command that is killed in the middle of an export is gone on with, and the backup is whole', SLOW, async () => {
	await using world = await createWorld({
		faults: { operationDelayMs: 1, exactFloats: true, slowPartMs: SLOW_PART_MS },
	})
	await using place = await places.s3()
	await seed(world)
	const env = { ...place.env, YDBACKUP_REPO: place.url }
	const before = await world.picture()
	await world.run(['repo', 'init'], { env })
	await killed(world, CREATE, { env })
	const listed = await world.run(['backup', 'list'], { env })
	expect(listed.result.backups).toEqual([])
	const [{ id }] = listed.result.unfinished
	const resumed = await world.runOnDatabase(['backup', 'resume', id], { env })
	expect(resumed).toMatchObject({ code: 0, result: { id, engine: 'cluster', warnings: [] } })
	expect(await world.run(['backup', 'verify', id, '--level', 'full'], { env })).toMatchObject({ code: 0 })
	const operations = await world.runOnDatabase(['operation', 'list', 'export/s3'])
	expect(operations.result.operations).toEqual([])
	// Nothing is left to be done, and what is listed is not touched.
	const again = await world.runOnDatabase(['backup', 'resume', id], { env })
	expect(again).toMatchObject({ code: 4, error: { code: 'RUN_NOT_FOUND' } })
	expect(await world.runOnDatabase(['restore', id, '--to', 'back', '--verify-data'], { env })).toMatchObject({
		code: 0,
	})
	expect(differences(before, below(await world.picture(), 'back'))).toEqual([])
})

test(
	'an export through a bridge ends with the command that is killed, and gc removes what is left of it',
	SLOW,
	async () => {
		await using world = await createWorld({ faults: { operationDelayMs: 1, slowPartMs: SLOW_PART_MS } })
		await seed(world)
		await world.run(['repo', 'init'])
		await killed(world, [...CREATE, '--bridge-listen', '127.0.0.1:0'])
		const [{ id }] = (await world.run(['backup', 'list'])).result.unfinished
		expect((await readdir(`${world.repo}/backups/${id}`)).length).toBeGreaterThan(0)
		const resumed = await world.runOnDatabase(['backup', 'resume', id])
		expect(resumed).toMatchObject({ error: { code: 'UNSUPPORTED', message: expect.stringContaining('bridge') } })
		const collected = await world.runOnDatabase(['backup', 'gc'])
		expect(collected).toMatchObject({ code: 0, result: { outcome: 'complete' } })
		const operations = await world.runOnDatabase(['operation', 'list', 'export/s3'])
		expect(operations.result.operations).toEqual([])
		const left = await readdir(world.repo, { recursive: true, withFileTypes: true })
		// What the kill cut off while it was put is a temporary file, and stays for a day.
		const files = left.filter((one) => one.isFile() && !/^[0-9a-z]+-\d+-[0-9a-f-]{36}$/u.test(one.name))
		expect(files.map(({ name }) => name)).toEqual(['ydbackup.json'])
		expect((await world.run(['backup', 'list'])).result).toMatchObject({ backups: [], unfinished: [] })
	},
)
