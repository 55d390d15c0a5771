import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt'
import { ExecuteQueryRequestSchema, ExecuteQueryResponsePartSchema } from '@ydbjs/api/query'
import { BulkUpsertRequestSchema, DescribeTableResponseSchema, DescribeTableResultSchema } from '@ydbjs/api/table'
import { BackupError, type RowChunk, type WriteProgress } from '@ydbackup/core'
import { describe, expect, test as serially, vi } from 'vitest'
import { allowsBulk } from '../src/write/open-writer.ts'
import { windowWriter } from '../src/write/table-writer.ts'
import { chunkOf, optional, PLAIN, PLAIN_SCHEMA, plainRows, primitive, schemeOf } from './support/tables.ts'
import { errorOf } from './support/error-of.ts'
import { drained, makeTable, startWorld, type World } from './support/world.ts'

// Most of their time is waiting.
const test = serially.concurrent

const chunks = (count: number, rows = 10): RowChunk[] =>
	Array.from({ length: count }, (_, at) => chunkOf(plainRows(at * rows, (at + 1) * rows)))

async function stored(world: World, path: string): Promise<Buffer> {
	return (await drained(world.direct.sink.read(path, PLAIN_SCHEMA, {}))).bytes
}

test('requests are the official ones, spliced around the bytes of the rows', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 't', 0)
	const requests: Buffer[] = []
	world.proxy.rules.set('BulkUpsert', async ({ request, forward, reply }) => {
		requests.push(request)
		reply((await forward()).messages)
	})
	const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA)
	const [chunk] = chunks(1)
	const before = Buffer.from(chunk!.bytes)
	await writer.write(chunk!)
	await writer.finish()
	const request = fromBinary(BulkUpsertRequestSchema, requests[0]!)
	expect(request).toMatchObject({
		table: '/local/t',
		rows: { type: { type: { case: 'listType' } }, value: { items: { length: 10 } } },
	})
	expect(Buffer.from(toBinary(BulkUpsertRequestSchema, request))).toEqual(requests[0])
	expect(requests[0]!.includes(before)).toBe(true)
	expect(Buffer.from(chunk!.bytes)).toEqual(before)
	expect(await stored(world, 't')).toEqual(before)
})

test('many chunks at once: what is told as written is what was written', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 't', 0)
	const told: WriteProgress[] = []
	const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA, { onWritten: (progress) => told.push(progress) })
	const all = chunks(60)
	await Promise.all(all.map((chunk) => writer.write(chunk)))
	await writer.finish()
	expect(told.reduce((sum, { rows }) => sum + rows, 0)).toBe(600)
	expect(told.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(all.reduce((sum, { bytes }) => sum + bytes.length, 0))
	expect((await stored(world, 't')).equals(Buffer.concat(all.map(({ bytes }) => bytes)))).toBe(true)
})

test('a row is told as written when the server says so, and not before', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 't', 0)
	const { promise: held, resolve: go } = Promise.withResolvers<void>()
	world.proxy.rules.set('BulkUpsert', async ({ forward, reply }) => {
		await held
		reply((await forward()).messages)
	})
	let told = 0
	const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA, { onWritten: ({ rows }) => (told += rows) })
	await writer.write(chunks(1)[0]!)
	await new Promise((resolve) => setTimeout(resolve, 50))
	expect(told).toBe(0)
	go()
	await writer.finish()
	expect(told).toBe(10)
	expect((await errorOf(writer.write(chunks(1)[0]!))).message).toBe('the writer of /local/t is closed')
})

test('writing again changes nothing; an answer that is lost is written again', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 't', 0)
	let lost = 0
	world.proxy.rules.set('BulkUpsert', async ({ forward, reply, cut }) => {
		const { messages } = await forward()
		if (lost++ % 3 === 0 && lost < 10) cut()
		else reply(messages)
	})
	const reasons: unknown[] = []
	const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA, { onRetry: (reason) => reasons.push(reason) })
	const all = chunks(12)
	for (const chunk of all) await writer.write(chunk)
	await writer.finish()
	expect(reasons.length).toBeGreaterThan(0)
	expect(await stored(world, 't')).toEqual(Buffer.concat(all.map(({ bytes }) => bytes)))
})

describe('a server that is overloaded', () => {
	test('is written to all the same', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 0)
		world.emulator.faults.overloadBulkUpsertTimes = 12
		const reasons: unknown[] = []
		const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA, { onRetry: (reason) => reasons.push(reason) })
		for (const chunk of chunks(20)) await writer.write(chunk)
		await writer.finish()
		expect(reasons).toHaveLength(12)
		expect(reasons[0]).toMatchObject({ retry: 'later', reason: 'OVERLOADED' })
		expect(await world.direct.sink.countRows('t')).toBe(200n)
	})

	test('has fewer requests at once, and more again when it recovers', async () => {
		const seen = new Set<RowChunk>()
		let live = 0
		let refusals = 4
		// All that are on their way end together: what is begun in between is all that the writer would begin.
		const waiting: (() => void)[] = []
		const beat = setInterval(() => {
			for (const go of waiting.splice(0)) go()
		}, 2)
		/** How many chunks were on their way when each one began. */
		const beside: number[] = []
		const writer = windowWriter(
			'/local/t',
			async (chunk) => {
				if (!seen.has(chunk)) beside.push(live++)
				seen.add(chunk)
				await new Promise<void>((resolve) => waiting.push(resolve))
				if (refusals-- > 0) throw new BackupError('DATABASE_REFUSED', 'OVERLOADED', { retry: 'later' })
				live--
			},
			{},
		)
		for (const chunk of chunks(200, 1)) await writer.write(chunk)
		await writer.finish()
		clearInterval(beat)
		expect(beside.slice(0, 5)).toEqual([0, 1, 2, 3, expect.any(Number)])
		expect(Math.max(...beside.slice(4, 8))).toBeLessThanOrEqual(2)
		expect(Math.max(...beside)).toBeGreaterThan(4)
		expect(Math.max(...beside)).toBeLessThan(16)
	})

	test('for longer than the time that is given ends it, with what was waited for', async () => {
		const refuse = (): Promise<never> =>
			Promise.reject(
				new BackupError('DATABASE_UNREACHABLE', 'cannot write to table /local/t: UNAVAILABLE', { retry: 'later' }),
			)
		const writer = windowWriter('/local/t', refuse, {}, 200)
		const begun = performance.now()
		const writing = (async () => {
			for (const chunk of chunks(9)) await writer.write(chunk)
		})()
		expect(await errorOf(writing)).toMatchObject({
			code: 'DATABASE_UNREACHABLE',
			message: 'cannot write to table /local/t: UNAVAILABLE (given up after 0.2 s)',
		})
		expect((await errorOf(writer.finish())).message).toContain('given up')
		expect(performance.now() - begun).toBeLessThan(1_500)
	})
})

describe('sizes', () => {
	test('a row of several MiB goes there and back', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 2, [], () => 'x'.repeat(3 << 20))
		expect((await stored(world, 't')).length).toBeGreaterThan(6 << 20)
	})

	test.each([
		'Received message larger than max (9 vs 8)',
		'SERVER: Received message larger than max (9 vs. 8)',
		'Attempted to send message with a size larger than 8',
	])('what is more than a side takes is refused at once: %s', async (words) => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 0)
		world.proxy.rules.set('BulkUpsert', ({ reply }) => reply([], 8, words))
		const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA)
		await writer.write(chunks(1)[0]!)
		expect(await errorOf(writer.finish())).toMatchObject({
			code: 'DATABASE_REFUSED',
			message: `cannot write to table /local/t: ${words}`,
		})
		expect(world.proxy.calls.get('BulkUpsert')).toBe(1)
	})
})

describe('a stop', () => {
	const hang = (world: World): void => {
		world.proxy.rules.set('BulkUpsert', ({ closed }) => closed)
	}

	test('by the signal, while the window is full', async () => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 0)
		hang(world)
		const stop = new AbortController()
		const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA, { signal: stop.signal })
		setTimeout(() => stop.abort(), 50)
		const begun = performance.now()
		const error = await errorOf(
			(async () => {
				for (const chunk of chunks(30)) await writer.write(chunk)
			})(),
		)
		expect(error).toMatchObject({ code: 'INTERRUPTED', message: 'stopped while write to table /local/t' })
		expect((await errorOf(writer.finish())).name).toBe('BackupError')
		expect(performance.now() - begun).toBeLessThan(1_000)
	})

	test.each([
		['of ours', new BackupError('OBJECT_DAMAGED', 'the file is damaged'), 'OBJECT_DAMAGED'],
		['of another kind', new Error('x'), 'INTERRUPTED'],
		['of nothing', undefined, 'INTERRUPTED'],
	])('by abort with an error %s, while finishing', async (_, reason, code) => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 0)
		hang(world)
		const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA)
		await writer.write(chunks(1)[0]!)
		const finishing = errorOf(writer.finish())
		setTimeout(() => writer.abort(reason), 30)
		expect(await finishing).toMatchObject({ code })
		writer.abort(new Error('again'))
		expect(await errorOf(writer.finish())).toMatchObject({ code })
	})

	test('during the pause before another try', async () => {
		const stop = new AbortController()
		const refuse = (): Promise<never> => Promise.reject(new BackupError('DATABASE_REFUSED', 'x', { retry: 'later' }))
		const writer = windowWriter('/local/t', refuse, { signal: stop.signal })
		await writer.write(chunks(1)[0]!)
		setTimeout(() => stop.abort(), 300)
		const begun = performance.now()
		expect(await errorOf(writer.finish())).toMatchObject({ code: 'INTERRUPTED' })
		expect(performance.now() - begun).toBeLessThan(1_000)
	})
})

test('the first error is the one that is told, and the rest of the chunks is not sent', async () => {
	let sent = 0
	const writer = windowWriter(
		'/local/t',
		async () => {
			await new Promise((resolve) => setTimeout(resolve, 5))
			if (++sent === 3) throw new BackupError('DATABASE_REFUSED', 'the third is refused')
		},
		{},
	)
	const error = await errorOf(
		(async () => {
			for (const chunk of chunks(50)) await writer.write(chunk)
		})(),
	)
	expect(error.message).toBe('the third is refused')
	expect((await errorOf(writer.finish())).message).toBe('the third is refused')
	expect(sent).toBeLessThan(15)
})

test('a table that is dropped meanwhile', async () => {
	await using world = await startWorld()
	await makeTable(world.direct.sink, 't', 0)
	const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA)
	await world.direct.sink.dropTable('t')
	await writer.write(chunks(1)[0]!)
	expect(await errorOf(writer.finish())).toMatchObject({ code: 'PATH_NOT_FOUND' })
	expect(await errorOf(world.ydb.sink.openWriter('t', PLAIN_SCHEMA))).toMatchObject({ code: 'PATH_NOT_FOUND' })
})

describe('tables that do not fit the rows', () => {
	test('a column that must have a value and gets none', async () => {
		await using world = await startWorld()
		await world.direct.sink.createTable(
			't',
			schemeOf({ ...PLAIN, columns: [...PLAIN.columns!, { name: 'must', type: primitive('Bool'), notNull: true }] }),
		)
		expect(await errorOf(world.ydb.sink.openWriter('t', PLAIN_SCHEMA))).toMatchObject({
			code: 'DATABASE_REFUSED',
			message: 'table /local/t has columns that must have values and that the rows do not have: must',
		})
	})

	test('a column that is not there', async () => {
		await using world = await startWorld()
		await world.direct.sink.createTable('t', schemeOf({ columns: [PLAIN.columns![0]!], primaryKey: ['id'] }))
		expect(await errorOf(world.ydb.sink.openWriter('t', PLAIN_SCHEMA))).toMatchObject({
			message: 'table /local/t lacks columns of the rows: value',
		})
	})

	test('other columns, which may be NULL, stay as they are', async () => {
		await using world = await startWorld()
		await world.direct.sink.createTable(
			't',
			schemeOf({ ...PLAIN, columns: [...PLAIN.columns!, { name: 'more', type: optional(primitive('Bool')) }] }),
		)
		const writer = await world.ydb.sink.openWriter('t', PLAIN_SCHEMA)
		await writer.write(chunks(1)[0]!)
		await writer.finish()
		expect(await stored(world, 't')).toEqual(Buffer.from(chunks(1)[0]!.bytes))
	})
})

describe('tables whose indexes must follow at once', () => {
	test('are known by their indexes', () => {
		const of = (...cases: string[]): Parameters<typeof allowsBulk>[0] =>
			({ indexes: cases.map((name) => ({ type: { case: name } })) }) as never
		expect(allowsBulk(of())).toBe(true)
		expect(allowsBulk(of('globalAsyncIndex'))).toBe(true)
		for (const name of ['globalIndex', 'globalUniqueIndex', 'globalVectorKmeansTreeIndex', 'globalFulltextIndex'])
			expect(allowsBulk(of('globalAsyncIndex', name))).toBe(false)
		expect(allowsBulk({ indexes: [{ type: { case: undefined } }] } as never)).toBe(false)
	})

	/** A table that says that it has such an index, and what is asked of the query service. */
	async function indexed(world: World): Promise<Buffer[]> {
		await makeTable(world.direct.sink, 'odd `t', 0)
		world.proxy.rules.set('DescribeTable', async ({ forward, reply }) => {
			const { operation } = fromBinary(DescribeTableResponseSchema, (await forward()).messages[0]!)
			const result = anyUnpack(operation!.result!, DescribeTableResultSchema)!
			const index = create(DescribeTableResultSchema, {
				indexes: [{ name: 'i', indexColumns: ['value'], type: { case: 'globalIndex', value: {} } }],
			})
			result.indexes.push(...index.indexes)
			operation!.result = anyPack(DescribeTableResultSchema, result)
			reply([toBinary(DescribeTableResponseSchema, create(DescribeTableResponseSchema, { operation: operation! }))])
		})
		const asked: Buffer[] = []
		world.proxy.rules.set('ExecuteQuery', ({ request, reply }) => {
			asked.push(request)
			reply([toBinary(ExecuteQueryResponsePartSchema, create(ExecuteQueryResponsePartSchema, { status: 400_000 }))])
		})
		return asked
	}

	test('are written by statements, with the same bytes', async () => {
		await using world = await startWorld()
		const asked = await indexed(world)
		const writer = await world.ydb.sink.openWriter('odd `t', PLAIN_SCHEMA)
		for (const chunk of chunks(2)) await writer.write(chunk)
		await writer.finish()
		expect(world.proxy.calls.get('BulkUpsert')).toBeUndefined()
		expect(asked).toHaveLength(2)
		const request = fromBinary(ExecuteQueryRequestSchema, asked.toSorted((a, b) => a.length - b.length)[0]!)
		expect(request.query.value).toMatchObject({ text: 'UPSERT INTO `/local/odd \\`t` SELECT * FROM AS_TABLE($rows);' })
		expect(request.txControl).toMatchObject({ commitTx: true })
		expect(request.parameters['$rows']).toMatchObject({
			type: { type: { case: 'listType' } },
			value: { items: { length: 10 } },
		})
		expect(asked.some((each) => each.includes(Buffer.from(chunks(1)[0]!.bytes)))).toBe(true)
		await vi.waitFor(() => expect(world.proxy.calls.get('DeleteSession')).toBe(2))
	})

	test('a session that is never attached ends in time, and a stop at once', async () => {
		await using world = await startWorld()
		await indexed(world)
		world.proxy.rules.set('AttachSession', ({ closed }) => closed)
		const writer = await world.ydb.sink.openWriter('odd `t', PLAIN_SCHEMA)
		await writer.write(chunks(1)[0]!)
		setTimeout(() => writer.abort(undefined), 50)
		const begun = performance.now()
		expect(await errorOf(writer.finish())).toMatchObject({ code: 'INTERRUPTED' })
		expect(performance.now() - begun).toBeLessThan(1_000)
	})

	test('a statement that is refused', async () => {
		await using world = await startWorld()
		await indexed(world)
		const refusal = create(ExecuteQueryResponsePartSchema, {
			status: 400_120,
			issues: [{ message: 'Conflict with unique', severity: 1 }],
		})
		world.proxy.rules.set('ExecuteQuery', ({ reply }) => reply([toBinary(ExecuteQueryResponsePartSchema, refusal)]))
		const writer = await world.ydb.sink.openWriter('odd `t', PLAIN_SCHEMA)
		await writer.write(chunks(1)[0]!)
		expect(await errorOf(writer.finish())).toMatchObject({
			code: 'DATABASE_REFUSED',
			message: 'cannot write to table /local/odd `t: PRECONDITION_FAILED: Conflict with unique',
		})
	})
})
