import { Driver } from '@ydbjs/core'
import { AuthServiceDefinition } from '@ydbjs/api/auth'
import { DiscoveryServiceDefinition, ListEndpointsResultSchema } from '@ydbjs/api/discovery'
import { QueryServiceDefinition } from '@ydbjs/api/query'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { startEmulator } from '@ydbackup/emulator'
import { untrusted } from './certificate.ts'
import { Client, sdk, withSdk } from './clients.ts'

async function endpoints(connectionString: string): Promise<{ port: number; nodeId: number; ssl: boolean }[]> {
	const driver = new Driver(connectionString, { 'ydb.sdk.enable_discovery': false })
	try {
		await driver.ready()
		const { operation } = await driver.createClient(DiscoveryServiceDefinition).listEndpoints({ database: '/local' })
		const found = anyUnpack(operation!.result!, ListEndpointsResultSchema)!.endpoints
		return found.map(({ port, nodeId, ssl }) => ({ port, nodeId, ssl }))
	} finally {
		driver.close()
	}
}

test('discovery tells of every node that runs, and of none that does not', async () => {
	await using emulator = await startEmulator({ nodes: 3 })
	const all = await endpoints(emulator.connectionString)
	expect(all.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3])
	expect(new Set(all.map(({ port }) => port)).size).toBe(3)
	await emulator.control.stopNode(2)
	expect((await endpoints(emulator.connectionString)).map(({ nodeId }) => nodeId)).toEqual([1, 3])
	await emulator.control.startNode(2)
	expect(await endpoints(emulator.connectionString)).toEqual(all)
})

test('a session belongs to the node that made it, and ends with it', async () => {
	await using emulator = await startEmulator({ nodes: 2 })
	const second = emulator.control.nodes()[1]!.port
	await using here = await Client.open(emulator)
	await using there = await Client.open({ ...emulator, connectionString: `grpc://127.0.0.1:${second}/local` })
	expect([here.sessionId, there.sessionId].map((id) => /node_id=(\d+)/.exec(id)?.[1])).toEqual(['1', '2'])
	const { nodeId } = await there.service.createSession({})
	expect(nodeId).toBe(2n)
	await emulator.control.stopNode(2)
	expect((await here.query('SELECT 1', {}, undefined, there.sessionId)).status).toBe(400_100)
	expect(await here.rows('SELECT 1')).toEqual([[1]])
})

test('@ydbjs with discovery goes on when a node goes away and comes back', async () => {
	await using emulator = await startEmulator({ nodes: 3 })
	const driver = new Driver(emulator.connectionString, {
		'ydb.sdk.discovery_timeout_ms': 150,
		'ydb.sdk.discovery_interval_ms': 200,
	})
	try {
		await driver.ready()
		const ask = async (): Promise<bigint> =>
			(await driver.createClient(QueryServiceDefinition).createSession({}, { signal: AbortSignal.timeout(5000) }))
				.nodeId
		const seen = new Set<bigint>()
		for (let at = 0; at < 30; at++) seen.add(await ask())
		expect(seen.size).toBeGreaterThan(1)
		await emulator.control.stopNode(3)
		// This client keeps nodes that discovery no longer names: one call of three goes astray, and a second try goes elsewhere.
		for (let at = 0; at < 12; at++) expect(await ask().catch(ask)).toBeLessThan(3n)
		await emulator.control.startNode(3)
		await expect.poll(() => ask().catch(() => 0n), { timeout: 8000 }).toBe(3n)
	} finally {
		driver.close()
	}
})

test('ydb-sdk 5 finds the nodes and works on when one of them restarts', async () => {
	await using emulator = await startEmulator({ nodes: 2 })
	await withSdk(emulator, async (driver) => {
		const select = (): Promise<unknown> =>
			driver.tableClient.withSessionRetry(async (session) => (await session.executeQuery('SELECT 1 AS one')).resultSets)
		expect(await select()).toHaveLength(1)
		await emulator.control.restartNode(2, 20)
		await emulator.control.restartNode(1, 20)
		await expect.poll(() => select().catch(() => []), { timeout: 15_000, interval: 200 }).toHaveLength(1)
	})
}, 30_000)

test('with a certificate connections are encrypted, for both clients', async () => {
	const tls = { cert: untrusted.cert, key: untrusted.key }
	await using emulator = await startEmulator({
		tls,
		nodes: 2,
		advertise: 'localhost',
		auth: { users: { root: '1234' } },
	})
	expect(emulator.connectionString).toMatch(/^grpcs:\/\/localhost:/)
	const driver = new Driver(emulator.connectionString, {
		secureOptions: { ca: untrusted.cert },
		'ydb.sdk.enable_discovery': false,
	})
	try {
		await driver.ready()
		const { operation } = await driver.createClient(AuthServiceDefinition).login({ user: 'root', password: '1234' })
		expect(operation!.status).toBe(400_000)
	} finally {
		driver.close()
	}
	const stranger = new Driver(emulator.connectionString, { 'ydb.sdk.enable_discovery': false })
	await expect(stranger.ready(AbortSignal.timeout(1500))).rejects.toThrow(/abort|timeout/i)
	stranger.close()
	await using open = await startEmulator({ tls })
	const older = new sdk.Driver({
		endpoint: `grpcs://127.0.0.1:${open.port}`,
		database: '/local',
		authService: new sdk.AnonymousAuthService(),
		sslCredentials: { rootCertificates: Buffer.from(untrusted.cert) },
		logger: new sdk.SimpleLogger({ envKey: 'YDB_SDK_LOG', level: 'error' as never }),
	})
	expect(await older.ready(10_000)).toBe(true)
	expect((await older.schemeClient.listDirectory('')).children?.map(({ name }) => name)).toEqual(['.sys'])
	await older.destroy()
})
