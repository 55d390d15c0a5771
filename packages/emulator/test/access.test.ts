import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CoordinationServiceDefinition } from '@ydbjs/api/coordination'
import { RateLimiterServiceDefinition } from '@ydbjs/api/rate-limiter'
import { DescribePathResultSchema, type Entry, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import { TableServiceDefinition } from '@ydbjs/api/table'
import { TopicServiceDefinition } from '@ydbjs/api/topic'
import { AccessTokenCredentialsProvider } from '@ydbjs/auth/access-token'
import { Driver } from '@ydbjs/core'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client, credentials, sdk, withSdk } from './clients.ts'

const UNAUTHORIZED = 400020
let directory = ''
let emulator: Emulator
let root: Client
const opened: Client[] = []

/** A token, or an error. */
const login = async (user: string, password: string): Promise<string> =>
	(await credentials(emulator, user, password)).getToken()

async function as(user: string, password = 'secret'): Promise<Client> {
	const client = await Client.open(emulator, await credentials(emulator, user, password))
	opened.push(client)
	return client
}

async function start(): Promise<void> {
	for (const client of opened.splice(0)) await client[Symbol.asyncDispose]()
	await emulator?.close()
	emulator = await startEmulator({ dataDir: directory, auth: { users: { root: '1234' } } })
	root = await as('root', '1234')
}

beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydb-emulator-access-'))
	await start()
	await root.rows('CREATE TABLE `d/t` (id Uint64, v Utf8, PRIMARY KEY (id))')
	await root.rows('UPSERT INTO `d/t` (id, v) VALUES (1, "x")')
	for (const name of ['reader', 'writer', 'nobody', 'boss']) await root.rows(`CREATE USER ${name} PASSWORD 'secret'`)
})
afterAll(async () => {
	for (const client of opened) await client[Symbol.asyncDispose]()
	await emulator.close()
	await rm(directory, { recursive: true, force: true })
})

async function entry(client: Client, path: string): Promise<Entry | string> {
	const { operation } = await client.driver.createClient(SchemeServiceDefinition).describePath({ path })
	if (operation?.status !== 400000) return `${operation?.status} ${operation?.issues[0]?.message}`
	return anyUnpack(operation.result!, DescribePathResultSchema)!.self!
}

async function read(client: Client, path: string): Promise<string> {
	for await (const { status, issues } of client.driver.createClient(TableServiceDefinition).streamReadTable({ path }))
		return `${status} ${issues[0]?.message ?? ''}`
	return ''
}

test('without a right to see it, a table is not there; with that only, its rows are denied', async () => {
	const nobody = await as('nobody')
	expect(await entry(nobody, '/local/d/t')).toBe(`${UNAUTHORIZED} Access denied`)
	const hidden = await nobody.query('SELECT * FROM `d/t`')
	expect([hidden.status, hidden.issue.code]).toEqual([400070, 2003])
	expect(hidden.message).toContain('it does not exist or you do not have access permissions')
	await root.rows('GRANT DESCRIBE SCHEMA ON `d/t` TO nobody')
	const denied = await nobody.query('SELECT * FROM `d/t`')
	expect([denied.status, denied.issue.code, denied.message]).toEqual([
		400040,
		2028,
		'Failed to resolve table `/local/d/t` status: AccessDenied.',
	])
	expect(await read(nobody, '/local/d/t')).toBe(`${UNAUTHORIZED} Got AccessDenied response from TxProxy`)
	await root.rows("REVOKE 'ydb.granular.describe_schema' ON `d/t` FROM nobody")
	expect(await entry(nobody, '/local/d/t')).toBe(`${UNAUTHORIZED} Access denied`)
})

test('rights are inherited; each statement needs its own', async () => {
	await root.rows("GRANT 'ydb.generic.read' ON `d` TO reader")
	const reader = await as('reader')
	expect(await reader.rows('SELECT id FROM `d/t`')).toEqual([[1]])
	expect(await read(reader, '/local/d/t')).toContain('400000')
	for (const text of [
		'UPSERT INTO `d/t` (id) VALUES (2)',
		'DELETE FROM `d/t`',
		'UPDATE `d/t` SET v = "y"',
		'INSERT INTO `d/t` (id) SELECT 5 AS id',
	])
		expect((await reader.query(text)).issue.code, text).toBe(2028)
	for (const text of ['ALTER TABLE `d/t` ADD COLUMN z Int32', 'DROP TABLE `d/t`'])
		expect(await reader.query(text), text).toMatchObject({
			status: UNAUTHORIZED,
			issue: { code: 200000, message: 'Access denied for reader to path /local/d/t' },
		})
	expect((await reader.query('CREATE TABLE `d/e/n` (id Uint64, PRIMARY KEY (id))')).message).toBe(
		'Access denied for reader to path /local/d',
	)
	const tables = reader.driver.createClient(TableServiceDefinition)
	const copied = await tables.copyTables({ tables: [{ sourcePath: '/local/d/t', destinationPath: '/local/d/c' }] })
	expect(copied.operation?.status).toBe(UNAUTHORIZED)
	const topic = await reader.driver.createClient(TopicServiceDefinition).createTopic({ path: '/local/d/topic' })
	expect(topic.operation?.status).toBe(UNAUTHORIZED)
	await root.rows('GRANT UPDATE ROW, CREATE TABLE, CREATE QUEUE ON d TO reader')
	await reader.rows('UPSERT INTO `d/t` (id, v) VALUES (2, "w")')
	expect((await reader.query('DELETE FROM `d/t` WHERE id = 2')).issue.code).toBe(2028)
	await reader.rows('CREATE TABLE `d/e/n` (id Uint64, PRIMARY KEY (id))')
	// What one creates one owns.
	await reader.rows('ALTER TABLE `d/e/n` ADD COLUMN z Int32')
	expect(await entry(root, '/local/d/e/n')).toMatchObject({ owner: 'reader' })
	await reader.rows('DROP TABLE `d/e/n`')
})

test('who grants needs the right to, and grants no more than they have', async () => {
	const writer = await as('writer')
	expect((await writer.query('GRANT SELECT ON `d/t` TO nobody')).status).toBe(UNAUTHORIZED)
	await root.rows('GRANT SELECT ROW, DESCRIBE SCHEMA ON `d/t` TO writer WITH GRANT OPTION')
	await writer.rows('GRANT SELECT ROW ON `d/t` TO nobody')
	expect((await writer.query('GRANT ERASE ROW ON `d/t` TO nobody')).status).toBe(UNAUTHORIZED)
	const scheme = writer.driver.createClient(SchemeServiceDefinition)
	const owner = { action: { case: 'changeOwner' as const, value: 'writer' } }
	const changed = await scheme.modifyPermissions({ path: '/local/d/t', actions: [owner] })
	expect(changed.operation?.issues[0]?.message).toBe(
		'Access denied for writer to change ownership of /local/d/t to writer',
	)
	expect((await root.query('GRANT NONSENSE ON `d/t` TO nobody')).status).toBe(400080)
	const unknown = {
		action: { case: 'grant' as const, value: { subject: 'x', permissionNames: ['ydb.generic.nonsense'] } },
	}
	const named = root.driver.createClient(SchemeServiceDefinition)
	expect((await named.modifyPermissions({ path: '/local/d/t', actions: [unknown] })).operation?.status).toBe(400010)
	await named.modifyPermissions({ path: '/local/d/t', actions: [owner] })
	await writer.rows('GRANT ALL PRIVILEGES ON `d/t` TO writer')
	expect(await entry(root, '/local/d/t')).toMatchObject({
		permissions: expect.arrayContaining([
			expect.objectContaining({ subject: 'writer', permissionNames: expect.arrayContaining(['ydb.generic.full']) }),
		]),
	})
})

test('groups give rights to members, and to groups within', async () => {
	await root.rows('CREATE GROUP insiders WITH USER nobody')
	await root.rows('CREATE GROUP all2')
	await root.rows('ALTER GROUP all2 ADD USER insiders')
	await root.rows('CREATE TABLE g (id Uint64, PRIMARY KEY (id))')
	await root.rows('GRANT SELECT ON g TO all2')
	const nobody = await as('nobody')
	expect(await nobody.rows('SELECT * FROM g')).toEqual([])
	await root.rows('ALTER GROUP insiders DROP USER nobody')
	expect((await nobody.query('SELECT * FROM g')).status).toBe(400070)
	await root.rows('ALTER GROUP insiders ADD USER nobody')
	await root.rows('DROP GROUP all2')
	expect((await nobody.query('SELECT * FROM g')).status).toBe(400070)
})

test('services ask for rights too', async () => {
	const boss = await as('boss')
	const [nodes, theirs] = [root, boss].map(({ driver }) => driver.createClient(CoordinationServiceDefinition))
	const [limits, barred] = [root, boss].map(({ driver }) => driver.createClient(RateLimiterServiceDefinition))
	const path = '/local/k'
	expect((await theirs!.createNode({ path })).operation?.status).toBe(UNAUTHORIZED)
	await nodes!.createNode({ path })
	const value = { maxUnitsPerSecond: 1 }
	const resource = { resourcePath: 'r', type: { case: 'hierarchicalDrr' as const, value } }
	await limits!.createResource({ coordinationNodePath: path, resource })
	const refused = [
		theirs!.describeNode({ path }),
		theirs!.alterNode({ path }),
		theirs!.dropNode({ path }),
		barred!.createResource({ coordinationNodePath: path, resource }),
		barred!.alterResource({ coordinationNodePath: path, resource }),
		barred!.dropResource({ coordinationNodePath: path, resourcePath: 'r' }),
		barred!.listResources({ coordinationNodePath: path }),
		barred!.describeResource({ coordinationNodePath: path, resourcePath: 'r' }),
	]
	for (const answer of refused) expect((await answer).operation?.status).toBe(UNAUTHORIZED)
	await root.rows('CREATE VIEW vw WITH (security_invoker = TRUE) AS SELECT 1')
	await root.rows('CREATE TOPIC tp')
	expect((await boss.query('DROP VIEW vw')).status).toBe(UNAUTHORIZED)
	expect((await boss.query('ALTER TOPIC tp ADD CONSUMER c')).status).toBe(UNAUTHORIZED)
	expect((await boss.query('CREATE VIEW vx WITH (security_invoker = TRUE) AS SELECT 1')).status).toBe(UNAUTHORIZED)
})

test('inheritance can be cut', async () => {
	await root.rows('CREATE TABLE `cut/t` (id Uint64, PRIMARY KEY (id))')
	await root.rows('GRANT SELECT ON cut TO reader')
	const reader = await as('reader')
	expect(await reader.rows('SELECT * FROM `cut/t`')).toEqual([])
	const interrupt = { inheritance: { case: 'interruptInheritance' as const, value: true } }
	await root.driver.createClient(SchemeServiceDefinition).modifyPermissions({ path: '/local/cut/t', ...interrupt })
	expect((await reader.query('SELECT * FROM `cut/t`')).status).toBe(400070)
})

test('accounts: only administrators change them, names and passwords are checked, a restart keeps them', async () => {
	const nobody = await as('nobody')
	expect((await nobody.query("CREATE USER other PASSWORD 'x'")).status).toBe(UNAUTHORIZED)
	expect((await root.query("CREATE USER Big_Name PASSWORD 'x'")).message).toContain('Name is not allowed')
	expect((await root.query("CREATE USER reader PASSWORD 'x'")).message).toContain('already exists')
	await nobody.rows("ALTER USER nobody PASSWORD 'changed'")
	await root.rows('ALTER USER boss NOLOGIN')
	await root.rows(
		`CREATE USER hashed HASH '{"hash":"p4ffeMugohqyBwyckYCK1TjJfz3LIHbKiGL+t+oEhzw=","salt":"U+tzBtgo06EBQCjlARA6Jg==","type":"argon2id"}'`,
	)
	await start()
	await expect(login('nobody', 'secret')).rejects.toThrow('400020')
	await login('nobody', 'changed')
	await expect(login('boss', 'secret')).rejects.toThrow('400020')
	await root.rows('ALTER USER boss LOGIN')
	await login('boss', 'secret')
	await expect(login('hashed', 'wrong')).rejects.toThrow('400020')
	const token = await login('nobody', 'changed')
	await root.rows('DROP USER nobody')
	await root.rows('DROP USER IF EXISTS nobody')
	expect((await root.query('DROP USER nobody')).message).toContain('not found')
	const gone = new Driver(emulator.connectionString, {
		'ydb.sdk.enable_discovery': false,
		credentialsProvider: new AccessTokenCredentialsProvider({ token }),
	})
	await expect(
		gone.createClient(SchemeServiceDefinition).listDirectory({ path: '/local' }, { signal: AbortSignal.timeout(3000) }),
	).rejects.toThrow(/UNAUTHENTICATED/)
	gone.close()
})

test('system views tell accounts, owners and rights to queries', async () => {
	await root.rows("CREATE USER told PASSWORD 'x' NOLOGIN")
	await root.rows('CREATE GROUP tellers WITH USER told')
	await root.rows('GRANT SELECT ON `d/t` TO tellers')
	expect(await root.rows('SELECT Sid, IsEnabled FROM `.sys/auth_users` WHERE Sid = "told"')).toEqual([['told', false]])
	const [[hash]] = (await root.rows('SELECT PasswordHash FROM `.sys/auth_users` WHERE Sid = "told"')) as [[string]]
	expect(JSON.parse(hash)).toMatchObject({ type: 'argon2id' })
	expect(await root.rows('SELECT * FROM `.sys/auth_group_members` WHERE GroupSid = "tellers"')).toEqual([
		['tellers', 'told'],
	])
	expect(await root.rows('SELECT Permission FROM `.sys/auth_permissions` WHERE Sid = "tellers"')).toEqual([
		['ydb.generic.read'],
	])
	expect((await root.rows('SELECT Sid FROM `.sys/auth_owners` WHERE Path = "/local/d/t"'))[0]).toEqual(['writer'])
	expect(await read(root, '/local/.sys/auth_users')).toContain('400070')
	expect((await root.query('UPSERT INTO `.sys/auth_groups` (Sid) VALUES ("x")')).status).toBe(400010)
	expect((await root.query('CREATE TABLE `.sys/mine` (id Uint64, PRIMARY KEY (id))')).status).toBe(400070)
	expect((await (await as('reader')).query('SELECT * FROM `.sys/auth_users`')).status).toBe(400070)
})

test('ydb-sdk: a user without rights is refused', () =>
	withSdk(
		emulator,
		async (driver) => {
			await driver.tableClient.withSession(async (session) => {
				await expect(session.describeTable('d/t')).rejects.toThrow(/Unauthorized|Access denied/)
				await expect(session.executeQuery('SELECT * FROM `d/t`')).rejects.toThrow(/do not have access permissions/)
			})
		},
		new sdk.StaticCredentialsAuthService('boss', 'secret', `grpc://127.0.0.1:${emulator.port}`, {} as never),
	))
