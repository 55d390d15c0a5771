import { Repository } from '@ydbackup/catalog'
import type { KeyProvider } from '@ydbackup/core'
import { copyBackup, verify, verifyNative } from '@ydbackup/engine'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'
import { type ClusterWorld, createClusterWorld } from '../src/cluster-world.ts'
import { describeAll, lose, makeEveryKind } from '../src/objects.ts'
import { openQueries } from '../src/queries.ts'

const SLOW = { timeout: 120_000 }
const KEY: KeyProvider = { name: 'test', getKey: async () => Buffer.from('Key is big enough to be 32 bytes') }
const SEALED = { encryption: { keys: [KEY] }, sendKeyInClear: true }

/** A database with every kind of object, a column table with rows among them. */
async function makeAll({ emulator }: ClusterWorld): Promise<string> {
	const endpoint = `grpc://127.0.0.1:${emulator.port}`
	await makeEveryKind(endpoint, emulator.database)
	await using queries = await openQueries(endpoint, emulator.database)
	await queries.run('CREATE TABLE `dir/wide` (id Uint64 NOT NULL, n Utf8, PRIMARY KEY (id)) WITH (STORE = COLUMN)')
	await queries.run('UPSERT INTO `dir/wide` (id, n) VALUES (1, "a"u), (2, NULL)')
	return endpoint
}

/** The cluster says of the topic of a changefeed that it does not grow, which is what saying nothing means. */
const seen = (objects: Record<string, unknown>): unknown =>
	JSON.parse(JSON.stringify(objects).replaceAll(/"maxActivePartitions":"1",|,"maxActivePartitions":"1"/gu, ''))

const rowsOf = async ({ ydb }: ClusterWorld, path: string): Promise<string> => {
	const { schema } = await ydb.sink.describeTable(path)
	let rows = ''
	for await (const { bytes } of ydb.sink.read(path, schema, {})) rows += Buffer.from(bytes).toString('hex')
	return rows
}

test.each([
	['an older server, encrypted', 's3', OLDER(), SEALED],
	['a newer server, encrypted', 's3', {}, SEALED],
	['an older server, through a bridge', 'bridge', OLDER(), {}],
] as const)(
	'every kind of object comes back from a backup by the cluster, restored by either engine: %s',
	SLOW,
	async (_, through, faults, sealed) => {
		await using world = await createClusterWorld({ through, emulator: { faults } })
		const endpoint = await makeAll(world)
		const { database } = world.emulator
		const before = await describeAll(endpoint, database, 'dir')
		const rows = await rowsOf(world, 'dir/wide')
		const made = await world.backup(sealed)
		const isOld = 'exportedKinds' in faults
		expect(made.warnings.filter(({ message }) => !message.startsWith('not taken with it')).length).toBe(isOld ? 1 : 0)
		expect(made.objects.map(({ path, kind, parts }) => [path, kind, parts.length])).toEqual([
			['dir/a_over_z', 'view', 0],
			['dir/bucket', 'external-data-source', 0],
			['dir/events', 'topic', 0],
			['dir/files', 'external-table', 0],
			['dir/locks', 'coordination-node', 3],
			['dir/named', 'view', 0],
			['dir/orders', 'row-table', 2],
			['dir/replica', 'replication', 0],
			['dir/transfer', 'transfer', 0],
			['dir/z_cities', 'view', 0],
		])
		expect(made.tables.map(({ path, rows: counted }) => [path, counted])).toEqual([
			['dir/orders', undefined],
			['dir/unique', undefined],
			['dir/wide', 2],
		])
		const keys = 'encryption' in sealed ? [KEY] : []
		expect(await world.verify({ keys })).toMatchObject({ ok: true, checked: 'contents', findings: [] })
		const native = await verifyNative({ repository: world.repository, id: made.id, level: 'full', keys })
		expect(native.findings).toEqual([])
		// A copy has what is beside, too.
		await using elsewhere = Object.assign(openMemory(), { location: 'memory:elsewhere' })
		await copyBackup({ repository: world.repository, id: made.id, to: elsewhere })
		const copied = await Repository.open(elsewhere)
		expect(await verify({ repository: copied, id: made.id, level: 'full', keys })).toMatchObject({ ok: true })

		for (const cluster of [undefined, { ...world.access, sendKeyInClear: true }]) {
			await lose(endpoint, database, 'dir')
			const restored = await world.restore({ keys, cluster, verifyData: true })
			expect([restored.problems, restored.outcome]).toEqual([[], 'complete'])
			expect(seen(await describeAll(endpoint, database, 'dir'))).toEqual(seen(before))
			expect(await rowsOf(world, 'dir/wide')).toBe(rows)
		}
	},
)

function OLDER(): { exportedKinds: string; withoutChangefeeds: boolean; withoutPermissions: boolean } {
	return { exportedKinds: 'table,view', withoutChangefeeds: true, withoutPermissions: true }
}
