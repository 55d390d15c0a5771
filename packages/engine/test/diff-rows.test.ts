import { type Change, isBackupError, type RowChunk, type TableSchema, type YdbType } from '@ydbackup/core'
import { parseProtoText } from '@ydbackup/format'
import {
	chunkFromFrames,
	concatBytes,
	createKeyReader,
	lengthDelimited,
	RowHash,
	TAG_ITEMS,
	valueFromText,
} from '@ydbackup/rows'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Balance, type RowTotals } from '../src/changes/balance.ts'
import { diffRows } from '../src/changes/diff-rows.ts'

type Values = Readonly<Record<string, string>>
type Rows = ReadonlyMap<number, Values>

const NULL = 'null_flag_value: NULL_VALUE'
const type = (name: 'Utf8' | 'Double' | 'Int64' | 'Uint64'): YdbType => ({ kind: 'primitive', name })
const optional = (name: 'Utf8' | 'Double' | 'Int64'): YdbType => ({ kind: 'optional', item: type(name) })
const BEFORE: TableSchema = {
	columns: [
		{ name: 'id', type: type('Uint64') },
		{ name: 'name', type: optional('Utf8') },
		{ name: 'weight', type: optional('Double') },
		{ name: 'gone', type: optional('Utf8') },
	],
	primaryKey: ['id'],
}
/** Another order, one column gone, one new, one of another type. */
const ALTERED: TableSchema = {
	columns: [
		{ name: 'weight', type: optional('Int64') },
		{ name: 'fresh', type: optional('Utf8') },
		{ name: 'name', type: optional('Utf8') },
		{ name: 'id', type: type('Uint64') },
	],
	primaryKey: ['id'],
}

const cell = (text: string): Uint8Array => valueFromText(parseProtoText(text, 'a cell'))
const item = (text: string): Uint8Array => lengthDelimited(TAG_ITEMS, cell(text))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const keyHex = (id: number): string => hex(item(`uint64_value: ${id}`))

async function* chunks(schema: TableSchema, rows: Rows, size: number): AsyncGenerator<RowChunk> {
	const frames = [...rows]
		.toSorted(([a], [b]) => a - b)
		.map(([id, values]) =>
			lengthDelimited(
				TAG_ITEMS,
				concatBytes(
					schema.columns.map(({ name }) => item(name === 'id' ? `uint64_value: ${id}` : (values[name] ?? NULL))),
				),
			),
		)
	for (let at = 0; at < frames.length; at += size) {
		const some = frames.slice(at, at + size)
		yield chunkFromFrames(concatBytes(some), some.length, createKeyReader(schema))
	}
}

async function changesOf(before: Rows, after: Rows, schema: TableSchema, sizes = [3, 4]): Promise<Change[]> {
	const found: Change[] = []
	const old = { schema: BEFORE, chunks: chunks(BEFORE, before, sizes[0]!) }
	const now = { schema, chunks: chunks(schema, after, sizes[1]!) }
	for await (const batch of diffRows('t', old, now)) found.push(...batch)
	return found
}

/** Applies changes to rows by the words of the contract, with the columns of `schema`; all in hexadecimal. */
function apply(before: Rows, changes: readonly Change[], schema: TableSchema): Map<string, Values> {
	const names = schema.columns.map(({ name }) => name).filter((name) => name !== 'id')
	const kept = names.filter((name) =>
		BEFORE.columns.some(
			(column) =>
				column.name === name &&
				JSON.stringify(column.type) === JSON.stringify(schema.columns.find((each) => each.name === name)!.type),
		),
	)
	const empty = Object.fromEntries(names.map((name) => [name, hex(cell(NULL))]))
	const state = new Map<string, Values>()
	for (const [id, values] of before) {
		const known = Object.fromEntries(kept.map((name) => [name, hex(cell(values[name] ?? NULL))]))
		state.set(keyHex(id), { ...empty, ...known })
	}
	for (const change of changes) {
		const key = hex(change.key)
		if (change.op === 'erase') state.delete(key)
		else {
			const start = change.op === 'replace' ? empty : (state.get(key) ?? empty)
			state.set(key, { ...start, ...Object.fromEntries(change.columns.map(({ name, value }) => [name, hex(value)])) })
		}
	}
	return state
}

const spelt = (rows: Rows, schema: TableSchema): Map<string, Values> =>
	apply(
		new Map(),
		[...rows].map(([id, values]) => ({
			op: 'replace' as const,
			key: item(`uint64_value: ${id}`),
			columns: schema.columns
				.filter(({ name }) => name !== 'id')
				.map(({ name }) => ({ name, value: cell(values[name] ?? NULL) })),
		})),
		schema,
	)

const texts = fc.constantFrom(NULL, 'text_value: "a"', 'text_value: ""', 'text_value: "\\303\\266"')
const rowsOf = (weights: fc.Arbitrary<string>): fc.Arbitrary<Rows> =>
	fc
		.array(fc.tuple(fc.nat(40), fc.record({ name: texts, weight: weights, gone: texts, fresh: texts })), {
			maxLength: 40,
		})
		.map((pairs) => new Map(pairs))
const doubles = fc.constantFrom(NULL, 'double_value: 1', 'double_value: -0', 'double_value: 0', 'double_value: nan')
const numbers = fc.constantFrom(NULL, 'int64_value: 1', 'int64_value: -1')
const size = fc.integer({ min: 1, max: 50 })

test('applying the difference to the old rows gives the new ones', async () => {
	await fc.assert(
		fc.asyncProperty(rowsOf(doubles), rowsOf(doubles), size, size, async (before, after, one, other) => {
			const changes = await changesOf(before, after, BEFORE, [one, other])
			expect(apply(before, changes, BEFORE)).toEqual(spelt(after, BEFORE))
		}),
	)
})

test('so it does when columns were added, dropped, moved and given another type', async () => {
	await fc.assert(
		fc.asyncProperty(rowsOf(doubles), rowsOf(numbers), size, size, async (before, after, one, other) => {
			const changes = await changesOf(before, after, ALTERED, [one, other])
			expect(apply(before, changes, ALTERED)).toEqual(spelt(after, ALTERED))
		}),
	)
})

test('a comparison balances, and does not when a row of the old ones was not compared', async () => {
	const totals = async (rows: Rows): Promise<RowTotals> => {
		const hash = new RowHash(BEFORE)
		for await (const chunk of chunks(BEFORE, rows, 1000)) hash.add(chunk)
		return { rows: hash.rows, rowHash: hash.digest() }
	}
	await fc.assert(
		fc.asyncProperty(rowsOf(doubles), rowsOf(doubles), size, size, async (before, after, one, other) => {
			const balance = new Balance(BEFORE)
			const old = { schema: BEFORE, chunks: chunks(BEFORE, before, one) }
			const now = { schema: BEFORE, chunks: chunks(BEFORE, after, other) }
			for await (const _ of diffRows('t', old, now, balance)) continue
			expect(balance.isEven(await totals(before), await totals(after))).toBe(true)
			const more = new Map([...before, [99, { name: 'text_value: "lost"' }]])
			expect(balance.isEven(await totals(more), await totals(after))).toBe(false)
			expect(balance.isEven(await totals(before), await totals(new Map([...after, [99, {}]])))).toBe(false)
		}),
	)
})

test('changes come in key order, one for each row that differs, and name what differs alone', async () => {
	const base: Values = { name: 'text_value: "a"', weight: 'double_value: 1', gone: NULL }
	const before = new Map([1, 2, 3, 4].map((id) => [id, base]))
	const after = new Map<number, Values>([
		[0, base],
		[1, base],
		[3, { ...base, weight: NULL }],
		[4, { ...base, gone: 'text_value: "x"' }],
		[9, base],
	])
	const changes = await changesOf(before, after, BEFORE)
	expect(
		changes.map((change) => [
			hex(change.key),
			change.op,
			'columns' in change && change.columns.map(({ name }) => name),
		]),
	).toEqual([
		[keyHex(0), 'replace', ['name', 'weight', 'gone']],
		[keyHex(2), 'erase', false],
		[keyHex(3), 'upsert', ['weight']],
		[keyHex(4), 'upsert', ['gone']],
		[keyHex(9), 'replace', ['name', 'weight', 'gone']],
	])
	expect(await changesOf(after, after, BEFORE)).toEqual([])
	expect(await changesOf(new Map(), new Map(), BEFORE)).toEqual([])
})

test('many changes come in bounded batches, and both sides are closed when the reader leaves', async () => {
	const rows = new Map(Array.from({ length: 2000 }, (_, id) => [id, {}] as const))
	let closed = 0
	async function* watched(schema: TableSchema, some: Rows): AsyncGenerator<RowChunk> {
		try {
			yield* chunks(schema, some, 100)
		} finally {
			closed++
		}
	}
	const diff = diffRows(
		't',
		{ schema: BEFORE, chunks: watched(BEFORE, new Map([[5000, {}]])) },
		{ schema: BEFORE, chunks: watched(BEFORE, rows) },
	)
	for await (const batch of diff) {
		expect(batch).toHaveLength(64)
		break
	}
	expect(closed).toBe(2)
	const wide = new Map(Array.from({ length: 20 }, (_, id) => [id, { name: `text_value: "${'x'.repeat(100_000)}"` }]))
	const none = { schema: BEFORE, chunks: chunks(BEFORE, new Map(), 1) }
	const sizes: number[] = []
	for await (const { length } of diffRows('t', none, { schema: BEFORE, chunks: chunks(BEFORE, wide, 7) }))
		sizes.push(length)
	expect(sizes).toEqual([3, 3, 3, 3, 3, 3, 2])
})

test('another key is a broken chain, and rows out of order are refused', async () => {
	const code = async (work: Promise<unknown>): Promise<unknown> =>
		work.then(
			() => 'nothing thrown',
			(error: unknown) => (isBackupError(error) ? [error.code, error.reason] : error),
		)
	const signed = { ...BEFORE, columns: BEFORE.columns.with(0, { name: 'id', type: type('Int64') }) }
	expect(await code(changesOf(new Map(), new Map(), signed))).toEqual(['CHAIN_BROKEN', 'schema-changed'])
	async function* backwards(): AsyncGenerator<RowChunk> {
		yield* chunks(BEFORE, new Map([[2, {}]]), 1)
		yield* chunks(BEFORE, new Map([[1, {}]]), 1)
	}
	const diff = async (): Promise<void> => {
		const old = { schema: BEFORE, chunks: chunks(BEFORE, new Map(), 1) }
		for await (const _ of diffRows('t', old, { schema: BEFORE, chunks: backwards() }));
	}
	expect(await code(diff())).toEqual(['ROWS_OUT_OF_ORDER', undefined])
})

test('a row that comes again behind rows that are the same is found out within a chunk', async () => {
	const rowsOf = (ids: readonly number[]): Promise<Uint8Array[]> =>
		Promise.all(ids.map(async (id) => (await firstOf(chunks(BEFORE, new Map([[id, {}]]), 1))).bytes))
	const firstOf = async (stream: AsyncIterable<RowChunk>): Promise<RowChunk> => {
		for await (const chunk of stream) return chunk
		throw new Error('no chunk')
	}
	const diff = async (before: readonly number[], after: readonly number[]): Promise<string> => {
		async function* one(ids: readonly number[]): AsyncGenerator<RowChunk> {
			yield chunkFromFrames(concatBytes(await rowsOf(ids)), ids.length, createKeyReader(BEFORE))
		}
		const ops: string[] = []
		const sides = [before, after].map((ids) => ({ schema: BEFORE, chunks: one(ids) }))
		try {
			for await (const batch of diffRows('t', sides[0]!, sides[1]!)) ops.push(...batch.map(({ op }) => op))
		} catch (error) {
			return isBackupError(error) ? error.code : String(error)
		}
		return ops.join()
	}
	expect(await diff([1, 2, 4, 5], [1, 2, 3, 4, 5])).toBe('replace')
	expect(await diff([1, 2, 4, 5], [1, 2, 1, 4, 5])).toBe('ROWS_OUT_OF_ORDER')
	expect(await diff([1, 2, 4, 5], [1, 2, 2, 4, 5])).toBe('ROWS_OUT_OF_ORDER')
	expect(await diff([1, 2, 3, 4], [1, 3, 2, 4])).toBe('ROWS_OUT_OF_ORDER')
	expect(await diff([1, 2, 3], [1, 2, 3, 2])).toBe('ROWS_OUT_OF_ORDER')
})
