import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
	Entry_Type as Type,
	EntrySchema,
	ListDirectoryRequestSchema,
	ListDirectoryResponseSchema,
	ListDirectoryResultSchema,
} from '@ydbjs/api/scheme'
import { expect, test as serially } from 'vitest'
import { kindOf, spellKind } from '../src/scheme/kinds.ts'
import { PLAIN, schemeOf } from './support/tables.ts'
import { errorOf } from './support/error-of.ts'
import { collect, listed, makeTable, startWorld, type World } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

const directories = (world: World, ...paths: readonly string[]): Promise<unknown> =>
	Promise.all(paths.map((path) => world.direct.sink.createDirectory(path)))

test('parents before children, siblings in order of their bytes', async () => {
	await using world = await startWorld()
	const { direct, ydb } = world
	for (const path of ['b/t', 'b/a/t', 'a', 'B', 'é', 'z', 'b.c']) await direct.sink.createTable(path, schemeOf(PLAIN))
	const objects = await collect(ydb.source.list())
	expect(objects.map(({ path, kind }) => `${path} ${kind}`)).toEqual([
		'B row-table',
		'a row-table',
		'b directory',
		'b/a directory',
		'b/a/t row-table',
		'b/t row-table',
		'b.c row-table',
		'z row-table',
		'é row-table',
	])
	expect(objects[0]).toMatchObject({ serverKind: 'TABLE', permissions: [{ name: 'actions' }] })
})

test('what is never a user’s is left out; export-… only at the root, and only as a directory', async () => {
	await using world = await startWorld()
	await directories(
		world,
		'export-1/x',
		'a/export-1',
		'.metadata/x',
		'.tmp',
		'.backups/collections',
		'~work',
		'a/~work/x',
		'a/.sys',
		'.user',
	)
	await makeTable(world.direct.sink, '~table', 0)
	await makeTable(world.direct.sink, 'export-table', 0)
	await makeTable(world.direct.sink, '.tmp-table', 0)
	expect(await listed(world.ydb.source.list())).toEqual(['.tmp-table', '.user', 'a', 'a/export-1', 'export-table'])
	expect([...world.proxy.calls]).toContainEqual(['ListDirectory', 4])
})

test('odd names', async () => {
	await using world = await startWorld()
	const odd = [
		'__proto__',
		'constructor',
		'"quoted"',
		"it's",
		'back`tick',
		'back\\slash',
		'with space',
		' ',
		'ключ',
		'表',
		'👍',
		'%2F',
		'..a',
		'new\nline',
		'x'.repeat(255),
	]
	for (const name of odd) {
		await directories(world, name)
		await makeTable(world.direct.sink, `${name}/${name}`, 3)
	}
	const expected = odd
		.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
		.flatMap((name) => [name, `${name}/${name}`])
	expect(await listed(world.ydb.source.list())).toEqual(expected)
	for (const name of odd) {
		const path = `${name}/${name}`
		expect(await world.ydb.sink.find(path), name).toMatchObject({ path, kind: 'row-table' })
		expect(await world.ydb.sink.countRows(path), name).toBe(3n)
	}
})

test('trees as deep as YDB has them, and wide ones', async () => {
	await using world = await startWorld()
	const deep = Array.from({ length: 31 }, (_, at) => `d${at}`).join('/')
	await directories(world, deep, ...Array.from({ length: 200 }, (_, at) => `wide/${String(at).padStart(3, '0')}`))
	const paths = await listed(world.ydb.source.list())
	expect(paths).toHaveLength(31 + 1 + 200)
	expect(paths).toContain(deep)
	expect(paths.slice(-200)).toEqual(Array.from({ length: 200 }, (_, at) => `wide/${String(at).padStart(3, '0')}`))
})

test('a directory that vanishes after its parent was listed has nothing below it', async () => {
	await using world = await startWorld()
	await directories(world, 'a/b/c', 'b', 'c/d')
	world.proxy.rules.set('ListDirectory', async ({ request, forward, reply }) => {
		if (fromBinary(ListDirectoryRequestSchema, request).path === '/local/a/b') {
			await world.direct.sink.removeDirectory('a/b/c')
			await world.direct.sink.removeDirectory('a/b')
		}
		reply((await forward()).messages)
	})
	expect(await listed(world.ydb.source.list())).toEqual(['a', 'a/b', 'b', 'c', 'c/d'])
})

test('a database that vanishes is no empty one', async () => {
	await using world = await startWorld()
	world.proxy.rules.set('ListDirectory', ({ reply }) => {
		const issues = [{ message: 'no such path', issueCode: 200_200, severity: 1 }]
		const operation = { ready: true, status: 400_070, issues }
		reply([toBinary(ListDirectoryResponseSchema, create(ListDirectoryResponseSchema, { operation }))])
	})
	expect(await errorOf(listed(world.ydb.source.list()))).toMatchObject({ code: 'PATH_NOT_FOUND' })
})

test('a server that fails now and then is asked again', async () => {
	await using world = await startWorld()
	await directories(world, 'a/b', 'c')
	world.emulator.faults.unavailableTimes = 5
	expect(await listed(world.ydb.source.list())).toEqual(['a', 'a/b', 'c'])
})

test('kinds that this version does not know are named', async () => {
	await using world = await startWorld()
	const kinds = [Type.VIEW, Type.TOPIC, Type.COLUMN_TABLE, Type.COLUMN_STORE, 23, 99]
	world.proxy.rules.set('ListDirectory', async ({ forward, reply }) => {
		const { operation } = fromBinary(ListDirectoryResponseSchema, (await forward()).messages[0]!)
		const result = anyUnpack(operation!.result!, ListDirectoryResultSchema)!
		result.children = kinds.map((type, at) => create(EntrySchema, { name: `n${at}`, type: type as Type }))
		operation!.result = anyPack(ListDirectoryResultSchema, result)
		reply([toBinary(ListDirectoryResponseSchema, create(ListDirectoryResponseSchema, { operation: operation! }))])
	})
	const objects = await collect(world.ydb.source.list())
	expect(objects.map(({ kind, serverKind }) => `${kind} ${serverKind}`)).toEqual([
		'view VIEW',
		'topic TOPIC',
		'column-table COLUMN_TABLE',
		'unknown COLUMN_STORE',
		'transfer entry type 23',
		'unknown entry type 99',
	])
	expect(kindOf(Type.TABLE)).toBe('row-table')
	expect(spellKind(1_000)).toBe('entry type 1000')
})

test('a stop ends the walk at once', async () => {
	await using world = await startWorld()
	await directories(world, 'a/b')
	world.proxy.rules.set('ListDirectory', ({ closed }) => closed)
	const stop = new AbortController()
	setTimeout(() => stop.abort(), 50)
	const begun = performance.now()
	expect(await errorOf(listed(world.ydb.source.list({ signal: stop.signal })))).toMatchObject({ code: 'INTERRUPTED' })
	expect(performance.now() - begun).toBeLessThan(1_000)
})

test('who stops listening early leaves nothing running', async () => {
	await using world = await startWorld()
	await directories(world, ...Array.from({ length: 50 }, (_, at) => `d${String(at).padStart(2, '0')}/x`))
	for await (const { path } of world.ydb.source.list()) if (path === 'd01') break
	await new Promise((resolve) => setTimeout(resolve, 100))
	expect(world.proxy.calls.get('ListDirectory')).toBeLessThan(10)
})

test('permissions are told as they are set, owner first', async () => {
	await using world = await startWorld()
	const { ydb } = world
	await directories(world, 'a')
	const action = (name: string, fields: [string, string][]): never =>
		({
			name: 'actions',
			value: {
				kind: 'message',
				fields: [
					{
						name,
						value:
							name === 'change_owner'
								? bytes(fields[0]![1])
								: { kind: 'message', fields: fields.map(([key, value]) => ({ name: key, value: bytes(value) })) },
					},
				],
			},
		}) as never
	const bytes = (value: string): object => ({ kind: 'bytes', bytes: new TextEncoder().encode(value) })
	const wanted = [
		action('change_owner', [['', 'alice@builtin']]),
		action('grant', [
			['subject', 'bob@builtin'],
			['permission_names', 'ydb.generic.read'],
			['permission_names', 'ydb.generic.write'],
		]),
	]
	await ydb.sink.setPermissions('a', wanted)
	expect((await ydb.sink.find('a'))?.permissions).toEqual(wanted)
	expect(await ydb.sink.find('nope')).toBeUndefined()
	expect(await ydb.sink.find('a/b/c')).toBeUndefined()
})
