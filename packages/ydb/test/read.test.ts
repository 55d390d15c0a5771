import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type ReadTableResponse, ReadTableResponseSchema } from '@ydbjs/api/table'
import { ValueSchema } from '@ydbjs/api/value'
import type { KeyRange, PrimitiveName } from '@ydbackup/core'
import { describe, expect, test } from 'vitest'
import {
	chunkOf,
	keyOf,
	NULL,
	optional,
	PLAIN_SCHEMA,
	plainRows,
	primitive,
	rowFrame,
	schemeOf,
	text,
	type TypeInit,
	uint64,
	type ValueInit,
} from './support/tables.ts'
import { errorOf } from './support/error-of.ts'
import { collect, drained, makeTable, startWorld, type World } from './support/world.ts'

const value = (field: string, content: unknown): ValueInit => ({ value: { case: field, value: content } }) as ValueInit
const bytes = (content: string): ValueInit => value('bytesValue', Buffer.from(content))
const cell = (id: number): object => create(ValueSchema, uint64(id))
const halves = (low: bigint, high: bigint): ValueInit => ({ value: { case: 'low128', value: low }, high128: high })

/** Every type with values at its limits, in the spelling that the server answers with. */
const VALUES: readonly (readonly [PrimitiveName | 'Decimal', readonly ValueInit[]])[] = [
	['Bool', [true, false].map((v) => value('boolValue', v))],
	['Int8', [-128, 127].map((v) => value('int32Value', v))],
	['Uint8', [0, 255].map((v) => value('uint32Value', v))],
	['Int16', [-32_768, 32_767].map((v) => value('int32Value', v))],
	['Uint16', [0, 65_535].map((v) => value('uint32Value', v))],
	['Int32', [-(2 ** 31), 2 ** 31 - 1].map((v) => value('int32Value', v))],
	['Uint32', [0, 2 ** 32 - 1].map((v) => value('uint32Value', v))],
	['Int64', [-(2n ** 63n), 2n ** 63n - 1n].map((v) => value('int64Value', v))],
	['Uint64', [0n, 2n ** 64n - 1n].map((v) => value('uint64Value', v))],
	['Float', [-0, 3.4028234663852886e38, Infinity, NaN].map((v) => value('floatValue', v))],
	['Double', [-0, 5e-324, -Infinity, NaN, 0.1].map((v) => value('doubleValue', v))],
	['Date', [0, 49_672].map((v) => value('uint32Value', v))],
	['Datetime', [0, 4_291_747_199].map((v) => value('uint32Value', v))],
	['Timestamp', [0n, 4_291_747_199_999_999n].map((v) => value('uint64Value', v))],
	['Interval', [-4_291_747_199_999_999n, 1n].map((v) => value('int64Value', v))],
	['Date32', [-53_375_809, 53_375_807].map((v) => value('int32Value', v))],
	['Datetime64', [-4_611_669_897_600n, -1n].map((v) => value('int64Value', v))],
	['Timestamp64', [-4_611_669_897_600_000_000n, -1n].map((v) => value('int64Value', v))],
	['Interval64', [-9_223_339_708_799_999_999n, 1n].map((v) => value('int64Value', v))],
	['String', ['', '\0\n"%', 'x'.repeat(300)].map(bytes)],
	['Utf8', ['', 'ключ 👍', '\u2028\0'].map(text)],
	['Yson', ['{a=1}', '[1;2]'].map(bytes)],
	['Json', ['{ "b": 1, "a": [ ] }', 'null'].map(text)],
	['Uuid', [halves(1n, 2n), halves(2n ** 64n - 1n, 2n ** 64n - 1n)]],
	['JsonDocument', ['{"a":1}', '[]'].map(text)],
	['Decimal', [halves(1n, 1n), halves(2n ** 64n - 1n, 2n ** 64n - 1n)]],
]

const typeOf = (name: PrimitiveName | 'Decimal'): TypeInit =>
	name === 'Decimal' ? { type: { case: 'decimalType', value: { precision: 35, scale: 5 } } } : primitive(name)

test('raw bytes are what was written, for every type, and go through a restore unchanged', async () => {
	await using world = await startWorld()
	const { sink } = world.ydb
	const scheme = schemeOf({
		columns: [
			...VALUES.map(([name]) => ({ name: `c_${name}`, type: optional(typeOf(name)) })),
			{ name: 'id', type: primitive('Uint64'), notNull: true },
		],
		primaryKey: ['id'],
	})
	const rows = Array.from({ length: 6 }, (_, at) =>
		rowFrame([...VALUES.map(([, values]) => (at === 5 ? NULL : values[at % values.length]!)), uint64(at)]),
	)
	for (const path of ['first', 'second']) await sink.createTable(path, scheme)
	const { schema } = await sink.describeTable('first')
	let [target, chunk] = ['first', chunkOf(rows, schema)]
	for (;;) {
		const writer = await sink.openWriter(target, schema)
		await writer.write(chunk)
		await writer.finish()
		const read = await collect(sink.read(target, schema, {}))
		expect(Buffer.concat(read.map((each) => each.bytes))).toEqual(Buffer.concat(rows))
		if (target === 'second') break
		;[target, chunk] = ['second', read[0]!]
	}
})

describe('ranges', () => {
	test('of partitions cover every row exactly once', async () => {
		await using world = await startWorld({ faults: { readChunkRows: 7 } })
		const { sink } = world.ydb
		for (const [at, splits] of [
			[],
			[50],
			[0, 1, 2],
			[10, 20, 99],
			[100, 200],
			Array.from({ length: 60 }, (_, key) => key + 20),
		].entries()) {
			await makeTable(sink, `t${at}`, 100, splits)
			const { ranges, schema } = await sink.describeTable(`t${at}`)
			expect(ranges).toHaveLength(splits.length + 1)
			const parts = []
			for (const range of ranges) parts.push((await drained(sink.read(`t${at}`, schema, range))).bytes)
			expect(Buffer.concat(parts)).toEqual(Buffer.concat(plainRows(0, 100)))
		}
	})

	test('bounds are met to the row', async () => {
		await using world = await startWorld()
		await makeTable(world.ydb.sink, 't', 10)
		const ids = async (range: KeyRange): Promise<string> => {
			const chunks = await collect(world.ydb.sink.read('t', PLAIN_SCHEMA, range))
			return chunks.length === 0
				? 'none'
				: `${Buffer.from(chunks[0]!.firstKey).readBigUInt64LE(3)}-${Buffer.from(chunks.at(-1)!.lastKey).readBigUInt64LE(3)}`
		}
		const at = (id: number, inclusive: boolean): KeyRange['from'] => ({ key: keyOf(uint64(id)), inclusive })
		expect(await ids({ from: at(3, true), to: at(5, true) })).toBe('3-5')
		expect(await ids({ from: at(3, false), to: at(5, false) })).toBe('4-4')
		expect(await ids({ from: at(9, false) })).toBe('none')
		expect(await ids({ to: at(0, false) })).toBe('none')
		expect(await ids({ from: at(7, true) })).toBe('7-9')
	})

	test('keys of several columns, with NULL, and bounds that are the beginning of a key', async () => {
		await using world = await startWorld({ faults: { readChunkRows: 3 } })
		const { sink } = world.ydb
		const tuple: TypeInit = { type: { case: 'tupleType', value: { elements: [optional(primitive('Utf8'))] } } }
		await sink.createTable(
			't',
			schemeOf({
				columns: [
					{ name: 'v', type: optional(primitive('Utf8')) },
					{ name: 'b', type: optional(primitive('Int32')) },
					{ name: 'a', type: optional(primitive('Utf8')) },
				],
				primaryKey: ['a', 'b'],
				partitions: {
					case: 'partitionAtKeys',
					value: { splitPoints: [{ type: tuple, value: { items: [text('m')] } }] },
				},
			}),
		)
		const rows = [NULL, text(''), text('l'), text('m'), text('z'.repeat(200))].flatMap((a) =>
			[NULL, value('int32Value', -5), value('int32Value', 5)].map((b) => rowFrame([text('v'), b, a])),
		)
		const { schema, ranges } = await sink.describeTable('t')
		const writer = await sink.openWriter('t', schema)
		await writer.write(chunkOf(rows, schema))
		await writer.finish()
		world.emulator.faults.breakReadAfterRows = 4
		world.emulator.faults.breakReadTimes = 3
		const parts = []
		for (const range of ranges) parts.push(await drained(sink.read('t', schema, range)))
		expect(parts.map((part) => part.rows)).toEqual([9, 6])
		expect(Buffer.concat(parts.map((part) => part.bytes))).toEqual(Buffer.concat(rows))
	})
})

describe('a stream that breaks goes on behind the last row that was handed on', () => {
	test('wherever it breaks between messages', async () => {
		await using world = await startWorld({ faults: { readChunkRows: 3 } })
		await makeTable(world.ydb.sink, 't', 20)
		for (let rows = 0; rows <= 20; rows++) {
			world.emulator.faults.breakReadAfterRows = rows
			world.emulator.faults.breakReadTimes = 1
			const reasons: unknown[] = []
			const onRestart = (reason: unknown): void => void reasons.push(reason)
			const read = await drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {}, { onRestart }))
			expect(read.bytes).toEqual(Buffer.concat(plainRows(0, 20)))
			expect(reasons).toHaveLength(rows < 20 ? 1 : 0)
			if (rows < 20) expect(reasons[0]).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
		}
	})

	test('wherever it breaks inside of a message', async () => {
		await using world = await startWorld({ faults: { readChunkRows: 4 } })
		await makeTable(world.ydb.sink, 't', 12, [], () => 'x')
		const all = Buffer.concat(plainRows(0, 12, () => 'x'))
		let cutAt = 0
		let cuts = 0
		world.proxy.rules.set('StreamReadTable', async ({ forward, reply, cutInside }) => {
			const { messages } = await forward()
			if (cuts-- > 0) cutInside(messages, cutAt)
			else reply(messages)
		})
		for (cutAt = 1; cutAt < 400; cutAt += 23) {
			cuts = 1
			expect((await drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {}))).bytes).toEqual(all)
			expect(cuts).toBeLessThan(1)
		}
	})

	test('again and again, as long as rows come', async () => {
		await using world = await startWorld({ faults: { readChunkRows: 1, breakReadAfterRows: 1 } })
		await makeTable(world.ydb.sink, 't', 15)
		world.emulator.faults.breakReadTimes = 15
		let restarts = 0
		const read = await drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {}, { onRestart: () => restarts++ }))
		expect(read.bytes).toEqual(Buffer.concat(plainRows(0, 15)))
		expect(restarts).toBe(14)
	})

	test('when the server refuses in the middle of it', async () => {
		await using world = await startWorld({ faults: { readChunkRows: 5 } })
		await makeTable(world.ydb.sink, 't', 20)
		const refusal = (status: number): Uint8Array =>
			toBinary(
				ReadTableResponseSchema,
				create(ReadTableResponseSchema, { status, issues: [{ message: 'says the test', severity: 1 }] }),
			)
		let status = 400_060
		let tries = 0
		world.proxy.rules.set('StreamReadTable', async ({ forward, reply }) => {
			const { messages } = await forward()
			reply(tries++ === 0 ? [messages[0]!, refusal(status)] : messages)
		})
		expect((await drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {}))).rows).toBe(20)
		;[status, tries] = [400_080, 0]
		expect(await errorOf(drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {})))).toMatchObject({
			code: 'DATABASE_REFUSED',
			message: 'cannot read table /local/t: GENERIC_ERROR: says the test',
		})
		expect(tries).toBe(1)
	})

	test('a table that is gone is not waited for', async () => {
		await using world = await startWorld()
		expect(await errorOf(drained(world.ydb.sink.read('gone', PLAIN_SCHEMA, {})))).toMatchObject({
			code: 'PATH_NOT_FOUND',
		})
	})
})

test('messages without rows are passed over', async () => {
	await using world = await startWorld({ faults: { readChunkRows: 2, emptyMessages: true } })
	await makeTable(world.ydb.sink, 't', 20)
	await makeTable(world.ydb.sink, 'empty', 0)
	const read = await drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {}))
	expect(read.bytes).toEqual(Buffer.concat(plainRows(0, 20)))
	expect(await drained(world.ydb.sink.read('empty', PLAIN_SCHEMA, {}))).toMatchObject({ rows: 0, chunks: 0 })
})

test('the same range read twice at once yields the same rows', async () => {
	await using world = await startWorld({ faults: { readChunkRows: 9 } })
	await makeTable(world.ydb.sink, 't', 200)
	const [one, other] = await Promise.all([1, 2].map(() => drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {}))))
	expect(one!.bytes).toEqual(other!.bytes)
	expect(one!.rows).toBe(200)
})

describe('rows that do not rise strictly are refused, naming table and key', () => {
	const change = (world: World, how: (answer: ReadTableResponse, at: number) => void): void => {
		world.proxy.rules.set('StreamReadTable', async ({ forward, reply }) => {
			const { messages } = await forward()
			reply(
				messages.map((message, at) => {
					const answer = fromBinary(ReadTableResponseSchema, message)
					how(answer, at)
					return toBinary(ReadTableResponseSchema, answer)
				}),
			)
		})
	}
	const rowsOf = (answer: ReadTableResponse): unknown[] => answer.result!.resultSet!.rows
	const from5: KeyRange = { from: { key: keyOf(uint64(5)), inclusive: true } }

	test.each<[string, KeyRange, (answer: ReadTableResponse, at: number) => void, string]>([
		[
			'two rows in the middle of a message change places',
			{},
			(answer, at) => at === 1 && rowsOf(answer).splice(1, 2, ...rowsOf(answer).slice(1, 3).toReversed()),
			'(11) not after the key of the row before it',
		],
		[
			'a row in the middle of a message comes twice',
			{},
			(answer, at) => at === 0 && rowsOf(answer).splice(4, 0, rowsOf(answer)[4]),
			'(4) not after the key of the row before it',
		],
		[
			'the last row of a message comes again in the next',
			{},
			(answer, at) => at === 1 && rowsOf(answer).unshift(create(ValueSchema, { items: [cell(9), cell(0)] } as never)),
			'(9) after (9)',
		],
		['a message comes late', {}, (answer, at) => at === 1 && rowsOf(answer).splice(0, 9), ''],
		[
			'a row before the range',
			from5,
			(answer, at) => at === 0 && rowsOf(answer).unshift(create(ValueSchema, { items: [cell(4), cell(0)] } as never)),
			'(4) outside of the range that was asked for',
		],
		[
			'a row behind the range',
			{ to: { key: keyOf(uint64(10)), inclusive: false } },
			(answer, at) => at === 0 && rowsOf(answer).push(create(ValueSchema, { items: [cell(10), cell(0)] } as never)),
			'(10) outside of the range that was asked for',
		],
	])('%s', async (_, range, how, words) => {
		await using world = await startWorld({ faults: { readChunkRows: 10 } })
		await makeTable(world.direct.sink, 't', 30)
		change(world, how)
		if (words === '') {
			// Rows that are left out are nothing that a stream could tell: they are counted.
			expect((await drained(world.ydb.sink.read('t', PLAIN_SCHEMA, range))).rows).toBe(21)
			return
		}
		const error = await errorOf(drained(world.ydb.sink.read('t', PLAIN_SCHEMA, range)))
		expect(error).toMatchObject({ code: 'ROWS_OUT_OF_ORDER', message: `table /local/t yields key ${words}` })
	})
})

describe('memory', () => {
	const big =
		(mib: number) =>
		async (world: World): Promise<void> => {
			await makeTable(world.direct.sink, 't', mib * 16, [], () => 'x'.repeat(65_500))
		}

	test('a consumer that is slow holds the server', async () => {
		await using world = await startWorld()
		await big(24)(world)
		const rows = world.ydb.sink.read('t', PLAIN_SCHEMA, {})[Symbol.asyncIterator]()
		await rows.next()
		let seen = -1
		while (seen !== world.proxy.bytesDown) {
			seen = world.proxy.bytesDown
			await new Promise((resolve) => setTimeout(resolve, 150))
		}
		// Sixteen messages in the client, the window of the stream, and what the proxy's own sockets hold.
		expect(seen).toBeLessThan(16 << 20)
		let count = 1
		while (!(await rows.next()).done) count++
		expect(count).toBeGreaterThan(40)
		expect(world.proxy.bytesDown).toBeGreaterThan(22 << 20)
	})

	test('streams wait for each other when the bytes of all are lent', async () => {
		await using world = await startWorld({}, { byteBudget: 16 << 20 })
		await makeTable(world.direct.sink, 't', 100)
		const { sink } = world.ydb
		const open = (): AsyncIterator<unknown> => sink.read('t', PLAIN_SCHEMA, {})[Symbol.asyncIterator]()
		const [first, second, third] = [open(), open(), open()] as const
		await Promise.all([first.next(), second.next()])
		let isThird = false
		const next = third.next().then((found) => ((isThird = true), found))
		await new Promise((resolve) => setTimeout(resolve, 50))
		expect(isThird).toBe(false)
		expect(world.proxy.calls.get('StreamReadTable')).toBe(2)
		await first.return!()
		expect((await next).done).toBe(false)
		await Promise.all([second.return!(), third.return!()])
	})

	test('wide rows take more, so that fewer streams run at once', async () => {
		await using world = await startWorld({}, { byteBudget: 64 << 20 })
		const { sink } = world.ydb
		await makeTable(world.direct.sink, 't', 12, [3, 6, 9], () => 'x'.repeat(2 << 20))
		const { ranges, schema } = await sink.describeTable('t')
		let running = 0
		let most = 0
		const parts = await Promise.all(
			ranges.map(async (range) => {
				const found: Buffer[] = []
				for await (const chunk of sink.read('t', schema, range)) {
					most = Math.max(most, ++running)
					await new Promise((resolve) => setTimeout(resolve, 20))
					running--
					found.push(Buffer.from(chunk.bytes))
				}
				return Buffer.concat(found)
			}),
		)
		expect(Buffer.concat(parts).equals(Buffer.concat(plainRows(0, 12, () => 'x'.repeat(2 << 20))))).toBe(true)
		// Sixteen messages of two MiB each are half of the budget.
		expect(most).toBeLessThanOrEqual(2)
		expect(world.proxy.calls.get('StreamReadTable')).toBe(8)
	})
})

describe('a stop', () => {
	test.each(['CreateSession', 'StreamReadTable'])('while %s is not answered', async (method) => {
		await using world = await startWorld()
		await makeTable(world.direct.sink, 't', 5)
		const stop = new AbortController()
		world.proxy.rules.set(method, ({ closed }) => {
			stop.abort()
			return closed
		})
		const begun = performance.now()
		const error = await errorOf(drained(world.ydb.sink.read('t', PLAIN_SCHEMA, {}, { signal: stop.signal })))
		expect(error).toMatchObject({ code: 'INTERRUPTED', message: 'stopped while read table /local/t' })
		expect(performance.now() - begun).toBeLessThan(5_000)
	})

	test('in the middle of rows, and nothing comes after it', async () => {
		await using world = await startWorld({ faults: { readChunkRows: 1 } })
		await makeTable(world.direct.sink, 't', 50)
		const stop = new AbortController()
		let rows = 0
		const error = await errorOf(
			(async () => {
				for await (const chunk of world.ydb.sink.read('t', PLAIN_SCHEMA, {}, { signal: stop.signal })) {
					rows += chunk.rows
					if (rows === 5) stop.abort()
				}
			})(),
		)
		expect(error.code).toBe('INTERRUPTED')
		expect(rows).toBe(5)
	})

	test('who leaves a stream gives its bytes and its call back', async () => {
		await using world = await startWorld({ faults: { delayReadMs: 20, readChunkRows: 1 } }, { byteBudget: 4 << 20 })
		await makeTable(world.direct.sink, 't', 50)
		for (let round = 0; round < 5; round++)
			for await (const chunk of world.ydb.sink.read('t', PLAIN_SCHEMA, {})) {
				expect(chunk.rows).toBe(1)
				break
			}
		expect(world.proxy.calls.get('StreamReadTable')).toBe(5)
		await expect.poll(() => world.proxy.calls.get('DeleteSession')).toBe(5)
	})
})

test('rows are counted by the server', async () => {
	await using world = await startWorld()
	await makeTable(world.ydb.sink, 'dir/odd `name`', 17)
	expect(await world.ydb.sink.countRows('dir/odd `name`')).toBe(17n)
	expect(await errorOf(world.ydb.sink.countRows('gone'))).toMatchObject({ code: 'PATH_NOT_FOUND' })
	world.proxy.rules.set('ExecuteQuery', ({ closed }) => closed)
	const stop = new AbortController()
	setTimeout(() => stop.abort(), 50)
	const begun = performance.now()
	expect(await errorOf(world.ydb.sink.countRows('gone', { signal: stop.signal }))).toMatchObject({
		code: 'INTERRUPTED',
	})
	expect(performance.now() - begun).toBeLessThan(1_000)
})
