import { fromBinary } from '@bufbuild/protobuf'
import { ExecuteQueryRequestSchema } from '@ydbjs/api/query'
import type { TableSchema } from '@ydbackup/core'
import { parseProtoText } from '@ydbackup/format'
import { expect, test as serially } from 'vitest'
import { errorOf } from './support/error-of.ts'
import type { PassingCall } from './support/proxy.ts'
import { PLAIN, schemeOf } from './support/tables.ts'
import { makeTable, startWorld, type World } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

/** Calls that change something. */
const CHANGES = [
	'CreateTopic',
	'DropTopic',
	'CreateNode',
	'DropNode',
	'CreateResource',
	'CreateTable',
	'AlterTable',
	'AlterTopic',
]

/** Lets the server carry each change out and cuts the connection before its answer, once for each; counts them. */
async function losing(): Promise<World & { readonly lost: string[] }> {
	const world = await startWorld()
	const lost: string[] = []
	const known = new Set<string>()
	const lose = async ({ forward, reply, cut }: PassingCall, what: string, key: string): Promise<void> => {
		const { messages } = await forward()
		if (known.has(key)) return reply(messages)
		known.add(key)
		lost.push(what)
		cut()
	}
	for (const method of CHANGES)
		world.proxy.rules.set(method, (call) => lose(call, method, `${method} ${call.request.toString('latin1')}`))
	world.proxy.rules.set('ExecuteQuery', async (call) => {
		const text = (fromBinary(ExecuteQueryRequestSchema, call.request).query.value as { text: string }).text
		const words = /^(?:\$.*?; )?((?:CREATE|ALTER|DROP)\b[^`]*[A-Z])/u.exec(text)?.[1]
		if (words === undefined) call.reply((await call.forward()).messages)
		else await lose(call, words, text)
	})
	return Object.assign(world, { lost })
}

test('an object whose creation or drop was carried out without an answer is there, or gone, without an error', async () => {
	await using world = await losing()
	const { sink } = world.ydb
	await makeTable(world.direct.sink, 't', 1)
	await makeTable(world.direct.sink, 'u', 1)
	const texts = {
		view: 'CREATE VIEW `/local/o/view` WITH (security_invoker = TRUE) AS SELECT 1;',
		'external-data-source':
			"CREATE EXTERNAL DATA SOURCE `/local/o/source` WITH (SOURCE_TYPE = 'ObjectStorage', LOCATION = 'x');",
		'external-table':
			"CREATE EXTERNAL TABLE `/local/o/table` (a Utf8) WITH (DATA_SOURCE = '/local/o/source', LOCATION = '/');",
		replication:
			"CREATE ASYNC REPLICATION `/local/o/replica` FOR `/far/a` AS `/local/o/a` WITH (CONNECTION_STRING = 'grpc://far:1/?database=/far');",
		transfer:
			'$l = ($m) -> { return []; }; CREATE TRANSFER `/local/o/transfer` FROM `/local/t` TO `/local/u` USING $l WITH (CONSUMER = "c");',
	} as const
	const kinds = Object.keys(texts) as (keyof typeof texts)[]
	const placeOf = (kind: keyof typeof texts): string => /\/local\/(o\/\w+)/u.exec(texts[kind])![1]!
	for (const kind of kinds) await sink.createObject(placeOf(kind), kind, { form: 'statements', text: texts[kind] })
	await sink.createObject('o/topic', 'topic', { form: 'message', message: [] })
	await sink.createObject('o/node', 'coordination-node', { form: 'message', message: [] })
	const limiter = parseProtoText('resource { hierarchical_drr { max_units_per_second: 5 } }', 'a rate limiter')
	await sink.createPart('o/node', { kind: 'rate-limiter', name: 'limiter', definition: limiter })
	expect((await sink.children('o')).map(({ kind }) => kind).toSorted()).toEqual(
		[...kinds, 'coordination-node', 'topic'].toSorted(),
	)
	for (const kind of kinds.toReversed()) await sink.dropObject(placeOf(kind), kind)
	await sink.dropObject('o/topic', 'topic')
	await sink.dropObject('o/node', 'coordination-node')
	expect(await sink.children('o')).toEqual([])
	expect(world.lost).toEqual([
		'CREATE VIEW',
		'CREATE EXTERNAL DATA SOURCE',
		'CREATE EXTERNAL TABLE',
		'CREATE ASYNC REPLICATION',
		'CREATE TRANSFER',
		'CreateTopic',
		'CreateNode',
		'CreateResource',
		'DROP TRANSFER',
		'DROP ASYNC REPLICATION',
		'DROP EXTERNAL TABLE',
		'DROP EXTERNAL DATA SOURCE',
		'DROP VIEW',
		'DropTopic',
		'DropNode',
	])
})

test('something else in the place of what was to be created is no lost answer', async () => {
	await using world = await losing()
	await makeTable(world.direct.sink, 'o/view', 1)
	const text = 'CREATE VIEW `/local/o/view` WITH (security_invoker = TRUE) AS SELECT 1;'
	const error = await errorOf(world.ydb.sink.createObject('o/view', 'view', { form: 'statements', text }))
	expect(error.message).toContain('cannot create view /local/o/view')
	expect(world.lost).toEqual(['CREATE VIEW'])
})

test('a table, its indexes, changefeeds and consumers are altered once', async () => {
	await using world = await losing()
	world.emulator.faults.delayOperationsMs = 50
	const { sink } = world.ydb
	await sink.createTable('t', schemeOf(PLAIN))
	const index = 'add_indexes { name: "by_value" index_columns: "value" global_index { } }'
	await sink.alterTable('t', parseProtoText(index, 'an index'))
	const definition = parseProtoText('name: "updates" mode: MODE_UPDATES format: FORMAT_JSON', 'a changefeed')
	const topic = parseProtoText('consumers { name: "one" } consumers { name: "two" }', 'a topic')
	await sink.createPart('t', { kind: 'changefeed', name: 'updates', definition, topic })
	expect(await sink.describeTies('t')).toMatchObject({ changefeeds: ['updates'], buildingIndexes: [] })
	await sink.alterTable('t', parseProtoText('drop_changefeeds: "updates"', 'a changefeed'))
	expect(await sink.describeTies('t')).toMatchObject({ changefeeds: [] })
	expect(world.lost).toEqual(['CreateTable', 'AlterTable', 'AlterTable', 'AlterTopic', 'AlterTable'])
})

test('what is refused behind a lost answer is refused', async () => {
	await using world = await losing()
	await makeTable(world.direct.sink, 't', 1)
	const ttl = 'set_ttl_settings { date_type_column { column_name: "value" expire_after_seconds: 60 } }'
	const error = await errorOf(world.ydb.sink.alterTable('t', parseProtoText(ttl, 'a TTL')))
	expect(error).toMatchObject({ code: 'DATABASE_REFUSED' })
	expect(world.lost).toEqual(['AlterTable'])
})

test('columns are added and dropped once', async () => {
	await using world = await losing()
	await makeTable(world.direct.sink, 't', 3)
	const columns: TableSchema['columns'] = [
		{ name: 'id', type: { kind: 'primitive', name: 'Uint64' } },
		{ name: 'added', type: { kind: 'optional', item: { kind: 'primitive', name: 'Int32' } } },
	]
	await world.ydb.changeSink.adaptTable('t', { columns, primaryKey: ['id'] })
	const { schema } = await world.ydb.sink.describeTable('t')
	expect(schema.columns.map(({ name }) => name)).toEqual(['id', 'added'])
	expect(world.lost).toEqual(['ALTER TABLE'])
})

test('a collection is created and dropped once', async () => {
	await using world = await losing()
	await makeTable(world.direct.sink, 't', 1)
	const { collections } = world.ydb
	await collections.create({ name: 'nightly', tables: ['t'], isIncremental: true })
	expect(await collections.names()).toEqual(['nightly'])
	await collections.drop('nightly')
	expect(await collections.names()).toEqual([])
	expect(world.lost).toEqual(['CREATE BACKUP COLLECTION', 'DROP BACKUP COLLECTION'])
})

test('users, groups and members are made once', async () => {
	await using world = await losing()
	const { accounts } = world.ydb
	await accounts.createUser({ name: 'ann', passwordHash: '', mayLogIn: true })
	await accounts.createGroup('staff')
	await accounts.addMember('staff', 'ann')
	const { users, groups } = await accounts.read()
	expect(users.map(({ name }) => name)).toContain('ann')
	expect(groups).toContainEqual({ name: 'staff', members: ['ann'] })
	expect(world.lost).toEqual(['CREATE USER', 'CREATE GROUP', 'ALTER GROUP'])
})
