import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
	ForgetOperationResponseSchema,
	GetOperationRequestSchema,
	GetOperationResponseSchema,
} from '@ydbjs/api/operation'
import { ExecuteQueryRequestSchema, ExecuteQueryResponsePartSchema } from '@ydbjs/api/query'
import { AlterTableRequestSchema, AlterTableResponseSchema } from '@ydbjs/api/table'
import { describe, expect, test as serially } from 'vitest'
import { toProtoText } from '../src/proto/message-text.ts'
import { PLAIN, schemeOf } from './support/tables.ts'
import { errorOf } from './support/error-of.ts'
import { makeTable, startWorld, type World } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

test('tables and directories are made and removed, again without harm', async () => {
	await using world = await startWorld()
	const { sink } = world.ydb
	await sink.createDirectory('a/b/c')
	await sink.createDirectory('a/b/c')
	await sink.createTable('a/t', schemeOf(PLAIN))
	expect(await errorOf(sink.createTable('a/t', schemeOf(PLAIN)))).toMatchObject({
		code: 'PATH_EXISTS',
		message: expect.stringContaining('create table /local/a/t'),
	})
	expect((await errorOf(sink.removeDirectory('a'))).code).toBe('DATABASE_REFUSED')
	for (let round = 0; round < 2; round++) {
		await sink.dropTable('a/t')
		for (const path of ['a/b/c', 'a/b', 'a']) await sink.removeDirectory(path)
	}
	expect(await sink.find('a')).toBeUndefined()
	expect(await errorOf(sink.describeTable('a/t'))).toMatchObject({ code: 'PATH_NOT_FOUND' })
})

test('a drop whose answer is lost is done', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 't', 1)
	let tries = 0
	world.proxy.rules.set('DropTable', async ({ forward, reply, cut }) => {
		const { messages } = await forward()
		if (tries++ === 0) cut()
		else reply(messages)
	})
	await world.ydb.sink.dropTable('t')
	expect(tries).toBe(2)
})

test('a scheme that this version cannot send is refused before it is sent', async () => {
	await using world = await startWorld()
	expect(
		await errorOf(world.ydb.sink.createTable('t', [{ name: 'nope', value: { kind: 'scalar', text: '1' } }])),
	).toMatchObject({
		code: 'FORMAT_INVALID',
	})
	expect(world.proxy.calls.get('CreateTable')).toBeUndefined()
})

test('sequences are set by a statement', async () => {
	await using world = await startWorld()
	const statements: unknown[] = []
	world.proxy.rules.set('ExecuteQuery', ({ request, reply }) => {
		statements.push((fromBinary(ExecuteQueryRequestSchema, request).query.value as { text: string }).text)
		reply([toBinary(ExecuteQueryResponsePartSchema, create(ExecuteQueryResponsePartSchema, { status: 400_000 }))])
	})
	await world.ydb.sink.setSequence!('a/t', 'id', 41n, true)
	await world.ydb.sink.setSequence!('a/t', 'id', 2n ** 62n, false)
	expect(statements).toEqual([
		'ALTER SEQUENCE `/local/a/t/_serial_column_id` RESTART WITH 42;',
		`ALTER SEQUENCE \`/local/a/t/_serial_column_id\` RESTART WITH ${2n ** 62n};`,
	])
})

describe('a change that takes long', () => {
	const change = toProtoText(
		AlterTableRequestSchema,
		create(AlterTableRequestSchema, {
			addIndexes: [{ name: 'i', indexColumns: ['value'], type: { case: 'globalIndex', value: {} } }],
		}),
	)

	/** The server says `answers` one after the other when it is asked how the change goes; the last one again and again. */
	function long(world: World, answers: readonly object[]): string[] {
		const asked: string[] = []
		const id = 'ydb://buildindex/7?id=1'
		const begun = create(AlterTableResponseSchema, { operation: { id, ready: false } })
		world.proxy.rules.set('AlterTable', ({ reply }) => reply([toBinary(AlterTableResponseSchema, begun)]))
		world.proxy.rules.set('GetOperation', ({ request, reply }) => {
			asked.push(fromBinary(GetOperationRequestSchema, request).id)
			const operation = { id, ...answers[Math.min(asked.length, answers.length) - 1] }
			reply([toBinary(GetOperationResponseSchema, create(GetOperationResponseSchema, { operation }))])
		})
		world.proxy.rules.set('ForgetOperation', ({ reply }) =>
			reply([toBinary(ForgetOperationResponseSchema, create(ForgetOperationResponseSchema, { status: 400_000 }))]),
		)
		return asked
	}

	test('is followed to its end, and forgotten', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 1)
		const asked = long(world, [{ ready: false }, { ready: false }, { ready: true, status: 400_000 }])
		await world.ydb.sink.alterTable('t', change)
		expect(asked).toEqual(Array(3).fill('ydb://buildindex/7?id=1'))
		expect(world.proxy.calls.get('AlterTable')).toBe(1)
		expect(world.proxy.calls.get('ForgetOperation')).toBe(1)
	})

	test('and fails in the end', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 1)
		long(world, [{ ready: true, status: 400_120, issues: [{ message: 'Duplicate key found', severity: 1 }] }])
		expect(await errorOf(world.ydb.sink.alterTable('t', change))).toMatchObject({
			code: 'DATABASE_REFUSED',
			message: 'cannot alter table /local/t: PRECONDITION_FAILED: Duplicate key found',
		})
		expect(world.proxy.calls.get('ForgetOperation')).toBe(1)
	})

	test('is left by a stop', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 1)
		long(world, [{ ready: false }])
		const stop = new AbortController()
		setTimeout(() => stop.abort(), 150)
		const begun = performance.now()
		expect(await errorOf(world.ydb.sink.alterTable('t', change, { signal: stop.signal }))).toMatchObject({
			code: 'INTERRUPTED',
		})
		expect(performance.now() - begun).toBeLessThan(1_000)
	})
})
