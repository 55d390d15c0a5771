// Hears what the tool sends and compares with STATEMENTS.md, which names the page of YDB's documentation for each.
import { Driver } from '@ydbjs/core'
import { ExecMode, QueryServiceDefinition, Syntax } from '@ydbjs/api/query'
import type { Change, ChangedColumn, TableSchema } from '@ydbackup/core'
import { create, toBinary } from '@bufbuild/protobuf'
import { ValueSchema } from '@ydbjs/api/value'
import { startEmulator } from '@ydbackup/emulator'
import { connect } from '@ydbackup/ydb'
import { expect, test } from 'vitest'
import { committedStatements, normalised, Statements } from './support/statements.ts'
import {
	chunkOf,
	keyOf,
	NULL,
	optional,
	PLAIN,
	plainRows,
	primitive,
	schemeOf,
	text,
	uint64,
} from './support/tables.ts'
import { makeTable, startWorld } from './support/world.ts'

test('names, numbers and texts are left out', () => {
	expect(normalised("UPSERT INTO `a\\`b` (`x`, `y`)\n SELECT -1.5 'it\\'s', 2;")).toEqual([
		"UPSERT INTO `…` (`…`) SELECT 0 '…', 0;",
	])
	expect(normalised('ALTER TABLE `t` ADD COLUMN `a` Decimal(22, 9), DROP COLUMN `b`;')).toEqual([
		'ALTER TABLE `…` ADD COLUMN `…` T;',
		'ALTER TABLE `…` DROP COLUMN `…`;',
	])
})

test('every statement that is sent stands in the list, and every one of the list is sent', async () => {
	const statements = new Statements()
	await using world = await startWorld({ onQuery: statements.onQuery, faults: { operationDelayMs: 0 } })
	const { direct: ydb, emulator } = world
	using user = new Driver(emulator.connectionString, { 'ydb.sdk.enable_discovery': false })
	const run = async (query: string): Promise<void> => {
		const value = { syntax: Syntax.YQL_V1, text: query }
		const parts = user
			.createClient(QueryServiceDefinition)
			.executeQuery({ execMode: ExecMode.EXECUTE, query: { case: 'queryContent', value } })
		for await (const { status, issues } of parts) expect([status, issues[0]?.message]).toEqual([400_000, undefined])
	}

	await ydb.serverVersion()
	await makeTable(ydb.sink, 't', 3)
	const snapshot = await ydb.source.take({ tables: ['t'], workDirectory: '~work' })
	for (const table of snapshot.tables) await snapshot.countRows(table)
	await snapshot.drop()

	// Column tables are read page by page, behind the last key.
	await run('CREATE TABLE x (k Utf8 NOT NULL, v Uint64, PRIMARY KEY (k)) WITH (STORE = COLUMN)')
	await run('CREATE TABLE y (k Timestamp NOT NULL, l Uint64 NOT NULL, PRIMARY KEY (k, l)) WITH (STORE = COLUMN)')
	await run("UPSERT INTO x (k, v) VALUES ('a'u, 1ul)")
	await run("UPSERT INTO y (k, l) VALUES (Timestamp('2026-01-01T00:00:00Z'), 1ul)")
	const columns = await ydb.source.take({ tables: [], columnTables: ['x', 'y'], workDirectory: '~work' })
	for (const table of columns.tables) {
		await columns.countRows(table)
		for (const range of table.ranges) for await (const { rows } of columns.read(table, range)) expect(rows).toBe(1)
	}
	await columns.drop()

	// Bulk writes are refused for a table with such an index.
	await run('CREATE TABLE u (id Uint64 NOT NULL, value Utf8, PRIMARY KEY (id), INDEX i GLOBAL UNIQUE ON (value))')
	const writer = await ydb.sink.openWriter('u', (await ydb.sink.describeTable('u')).schema)
	await writer.write(chunkOf(plainRows(0, 3)))
	await writer.finish()
	await run('CREATE TABLE s (id Serial, PRIMARY KEY (id))')
	await ydb.sink.setSequence!('s', 'id', 41n, true)
	expect(await ydb.sink.largestValue!('s', 'id')).toBeUndefined()
	expect(await ydb.sink.largestValue!('t', 'id')).toBe(2n)

	await links(ydb)
	await objects(ydb)
	await accounts(statements)
	const { collections } = ydb
	for (const spec of [
		{ name: 'c', tables: ['t'], isIncremental: true },
		{ name: 'd', tables: ['t', 'u'], isIncremental: true, omitIndexes: true },
	])
		await collections.create(spec)
	await collections.backup('c', 'full')
	emulator.faults.clockOffsetMs += 1000
	await collections.backup('c', 'incremental')
	await run('DROP TABLE t')
	await collections.restore('c')
	await collections.drop('d')

	statements.check()
	expect([...statements.heard].sort()).toEqual(committedStatements().sort())
})

/** Changes of every kind, and columns that come and go. */
async function links({ sink, changeSink }: Awaited<ReturnType<typeof startWorld>>['ydb']): Promise<void> {
	await sink.createTable(
		'l',
		schemeOf({
			columns: [
				...PLAIN.columns!,
				{ name: 'must', type: primitive('Uint64'), notNull: true },
				{ name: 'gone', type: optional(primitive('Utf8')) },
			],
			primaryKey: ['id'],
		}),
	)
	const { schema } = await sink.describeTable('l')
	const columns = schema.columns.filter(({ name }) => name !== 'gone')
	const link: TableSchema = {
		...schema,
		columns: [...columns, { name: 'came', type: { kind: 'optional', item: { kind: 'primitive', name: 'Utf8' } } }],
	}
	await changeSink.adaptTable('l', link)
	const column = (name: string, value: typeof NULL): ChangedColumn => ({
		name,
		value: toBinary(ValueSchema, create(ValueSchema, value)),
	})
	const both = [column('must', uint64(1)), column('came', text('x'))]
	const changes: Change[] = [
		{ op: 'upsert', key: keyOf(uint64(1)), columns: both },
		{ op: 'upsert', key: keyOf(uint64(2)), columns: [column('came', NULL)] },
		{ op: 'replace', key: keyOf(uint64(3)), columns: both },
		{ op: 'erase', key: keyOf(uint64(4)) },
	]
	await changeSink.apply('l', link, changes)
}

/** Users with and without hashes who may log in or not, groups and their members. */
async function accounts({ onQuery }: Statements): Promise<void> {
	const password = '1234'
	await using emulator = await startEmulator({ auth: { users: { root: password } }, onQuery })
	const { database } = emulator
	const credentials = { kind: 'static' as const, user: 'root', password }
	await using ydb = await connect({ endpoint: `grpc://127.0.0.1:${emulator.port}`, database, credentials })
	const passwordHash = JSON.stringify({
		hash: Buffer.alloc(32, 7).toString('base64'),
		salt: Buffer.alloc(16, 3).toString('base64'),
		type: 'argon2id',
	})
	for (const [name, hash, mayLogIn] of [
		['ann', passwordHash, true],
		['bob', passwordHash, false],
		['eve', '', true],
		['tom', '', false],
	] as const)
		await ydb.accounts.createUser({ name, passwordHash: hash, mayLogIn })
	await ydb.accounts.createGroup('staff')
	await ydb.accounts.addMember('staff', 'ann')
	const { users, groups } = await ydb.accounts.read()
	expect(users.map(({ name, mayLogIn }) => [name, mayLogIn])).toEqual([
		['ann', true],
		['bob', false],
		['eve', true],
		['root', true],
		['tom', false],
	])
	expect(groups).toContainEqual({ name: 'staff', members: ['ann'] })
}

/** Objects that statements make, and their ends. */
async function objects({ sink }: Awaited<ReturnType<typeof startWorld>>['ydb']): Promise<void> {
	const made = [
		['view', 'CREATE VIEW IF NOT EXISTS `/local/o/view` WITH (security_invoker = TRUE) AS SELECT 1;'],
		[
			'external-data-source',
			"CREATE EXTERNAL DATA SOURCE `/local/o/source` WITH (SOURCE_TYPE = 'ObjectStorage', LOCATION = 'x');",
		],
		[
			'external-table',
			"CREATE EXTERNAL TABLE `/local/o/table` (a Utf8) WITH (DATA_SOURCE = '/local/o/source', LOCATION = '/');",
		],
		[
			'replication',
			"CREATE ASYNC REPLICATION `/local/o/replication` FOR `/far/a` AS `/local/o/a` WITH (CONNECTION_STRING = 'grpc://far:1/?database=/far');",
		],
		[
			'transfer',
			'$l = ($m) -> { return []; }; CREATE TRANSFER `/local/o/transfer` FROM `/local/t` TO `/local/u` USING $l WITH (CONSUMER = "c");',
		],
	] as const
	for (const [kind, definition] of made)
		await sink.createObject('ignored', kind, { form: 'statements', text: definition })
	for (const [kind, definition] of made.toReversed())
		await sink.dropObject(/`\/local\/(o\/\w+)`/.exec(definition)![1]!, kind)
	expect(await sink.children('o')).toEqual([])
}
