import { expect, test } from 'vitest'
import { openQueries } from '../src/queries.ts'
import { createWorld } from '../src/world.ts'

const HOUR_MS = 3_600_000
const moment = (ms: number): string => `Timestamp('${new Date(ms).toISOString()}')`

test('a dry run counts the rows that a TTL would delete at once, in full backups, in chains, and by the TTL of a table that is there', async () => {
	await using world = await createWorld()
	await using queries = await openQueries(world.endpoint, world.database)
	await queries.run(
		'CREATE TABLE log (id Uint64 NOT NULL, at Timestamp, PRIMARY KEY (id)) WITH (TTL = Interval("PT1H") ON at)',
	)
	await queries.run('CREATE TABLE plain (id Uint64 NOT NULL, PRIMARY KEY (id))')
	const now = Date.now()
	const old = moment(now - 2 * HOUR_MS)
	await queries.run(
		`UPSERT INTO log (id, at) VALUES (1ul, ${old}), (2ul, ${old}), (3ul, ${moment(now)}), (4ul, NULL), (5ul, ${moment(now + HOUR_MS)})`,
	)
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	await queries.run(`UPSERT INTO log (id, at) VALUES (3ul, ${old}), (6ul, ${old})`)
	await queries.run('DELETE FROM log WHERE id = 1ul')
	expect(await world.runOnDatabase(['backup', 'create', '--incremental'])).toMatchObject({ code: 0 })
	const { result: listed } = await world.run(['backup', 'list'])
	const full = listed.backups.find((one: { kind: string }) => one.kind === 'full').id

	const beside = ['--to', '/local/copy', '--dry-run']
	const first = await world.runOnDatabase(['restore', full, ...beside])
	expect(first.result.tables).toMatchObject([{ path: 'log', ttl: true, expired: 2, rows: 5 }, { path: 'plain' }])
	expect(first.result.tables[1]).not.toHaveProperty('expired')
	expect(first.result.warnings).toMatchObject([
		{ path: 'copy/log', message: expect.stringMatching(/^its TTL would delete 2 of its 5 rows at once: .*ttl off/) },
	])
	const chain = await world.runOnDatabase(['restore', 'latest', ...beside])
	expect(chain.result.tables[0]).toMatchObject({ expired: 3, rows: 5 })
	const off = await world.runOnDatabase(['restore', full, ...beside, '--ttl', 'off'])
	expect(off.result.tables[0]).toMatchObject({ ttl: false })
	expect(off.result).not.toHaveProperty('tables.0.expired')
	expect(off.result.warnings).toEqual([])

	// The table that is there lets rows live for three hours by now.
	await queries.run('ALTER TABLE log SET (TTL = Interval("PT3H") ON at)')
	const merged = await world.runOnDatabase(['restore', full, '--existing', 'merge', '--dry-run'])
	expect(merged.result.tables[0]).toMatchObject({ action: 'merge', expired: 0 })
	await queries.run('ALTER TABLE log SET (TTL = Interval("PT1M") ON at)')
	const soon = await world.runOnDatabase(['restore', full, '--existing', 'merge', '--dry-run'])
	expect(soon.result.tables[0]).toMatchObject({ expired: 2 })
	expect(soon.result.warnings).toContainEqual({ path: 'log', message: expect.stringContaining('switch it off before') })
})

test('a restore of a backup that is older than a TTL says so before rows are written', async () => {
	await using world = await createWorld()
	world.emulator.faults.clockOffsetMs = -50 * 24 * HOUR_MS
	await using queries = await openQueries(world.endpoint, world.database)
	await queries.run(
		'CREATE TABLE log (id Uint64 NOT NULL, at Timestamp, PRIMARY KEY (id)) WITH (TTL = Interval("P30D") ON at)',
	)
	await queries.run(`UPSERT INTO log (id, at) VALUES (1ul, ${moment(Date.now())})`)
	await world.run(['repo', 'init'])
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	const { code, result } = await world.runOnDatabase(['restore', 'latest', '--to', '/local/copy'])
	expect(code).toBe(0)
	expect(result.warnings).toMatchObject([
		{
			path: 'copy/log',
			message: expect.stringMatching(
				/^the backup is 50 days old and its TTL lets rows live for 30 days after at: .*ttl off/,
			),
		},
	])
})
