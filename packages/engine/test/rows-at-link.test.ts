import { type Change, isBackupError, type RowChunk, type TableSchema, type YdbType } from '@ydbackup/core'
import { changes as changeFormat, parseProtoText } from '@ydbackup/format'
import {
	chunkFromFrames,
	concatBytes,
	createKeyReader,
	lengthDelimited,
	readVarint,
	TAG_ITEMS,
	valueFromText,
	varintEnd,
} from '@ydbackup/rows'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type LinkOfTable, rowsAtLink } from '../src/changes/rows-at-link.ts'

const NULL = 'null_flag_value: NULL_VALUE'
const optional = (name: 'Utf8' | 'Int64'): YdbType => ({ kind: 'optional', item: { kind: 'primitive', name } })
/** A table with a key of two columns that do not stand first, and value columns by name and type. */
const schemaOf = (columns: Readonly<Record<string, 'Utf8' | 'Int64'>>): TableSchema => ({
	columns: [
		...Object.entries(columns).map(([name, type]) => ({ name, type: optional(type) })),
		{ name: 'k2', type: optional('Utf8') },
		{ name: 'id', type: { kind: 'primitive' as const, name: 'Uint64' as const } },
	],
	primaryKey: ['id', 'k2'],
})
const cell = (text: string): Uint8Array => valueFromText(parseProtoText(text, 'a cell'))
const item = (text: string): Uint8Array => lengthDelimited(TAG_ITEMS, cell(text))
const k2 = (id: number): string => (id % 3 === 0 ? NULL : 'text_value: "k"')
const key = (id: number): Uint8Array => concatBytes([item(`uint64_value: ${id}`), item(k2(id))])
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

type Values = Readonly<Record<string, string>>
type Rows = ReadonlyMap<number, Values>

async function* chunks(schema: TableSchema, rows: Rows, size: number): AsyncGenerator<RowChunk> {
	const frames = [...rows]
		.toSorted(([a], [b]) => a - b)
		.map(([id, values]) =>
			lengthDelimited(
				TAG_ITEMS,
				concatBytes(
					schema.columns.map(({ name }) =>
						item(name === 'id' ? `uint64_value: ${id}` : name === 'k2' ? k2(id) : (values[name] ?? NULL)),
					),
				),
			),
		)
	for (let at = 0; at < frames.length; at += size) {
		const some = frames.slice(at, at + size)
		yield chunkFromFrames(concatBytes(some), some.length, createKeyReader(schema))
	}
}

function linesOf({ bytes }: RowChunk): string[] {
	const lines: string[] = []
	for (let p = 0; p < bytes.length;) {
		const length = readVarint(bytes, p + 1, bytes.length)
		const end = varintEnd + length
		lines.push(hex(bytes.subarray(p, end)))
		p = end
	}
	return lines
}

async function lines(rows: AsyncIterable<RowChunk>): Promise<string[]> {
	const found: string[] = []
	for await (const chunk of rows) found.push(...linesOf(chunk))
	return found
}

interface Step {
	readonly columns: Readonly<Record<string, 'Utf8' | 'Int64'>>
	readonly changes: ReadonlyMap<number, { readonly op: 'upsert' | 'replace' | 'erase'; readonly values: Values }>
}

/** Changes as rows of a change table, so many in a chunk. */
function linkOf(schema: TableSchema, all: readonly Change[], size: number, onEnd = (): void => {}): LinkOfTable {
	const table = changeFormat.changeTableSchema(schema)
	const map = changeFormat.freshColumnMap(table)
	const write = changeFormat.createChangeWriter(table, map).row
	async function* tableChunks(): AsyncGenerator<RowChunk> {
		try {
			for (let at = 0; at < all.length; at += size) {
				const frames = all.slice(at, at + size).map(write)
				yield chunkFromFrames(concatBytes(frames), frames.length, createKeyReader(table))
			}
		} finally {
			onEnd()
		}
	}
	return { schema, changes: { chunks: tableChunks(), reader: changeFormat.createChangeReader('t', table, map) } }
}

function stepLink({ columns, changes }: Step, size: number): LinkOfTable {
	const all = [...changes]
		.toSorted(([a], [b]) => a - b)
		.map(([id, { op, values }]): Change =>
			op === 'erase'
				? { op, key: key(id) }
				: { op, key: key(id), columns: Object.entries(values).map(([name, text]) => ({ name, value: cell(text) })) },
		)
	return linkOf(schemaOf(columns), all, size)
}

/** The truth: what a database would hold after each step. */
function replay(base: Rows, baseColumns: Step['columns'], steps: readonly Step[]): Map<number, Values> {
	let columns = baseColumns
	let state = new Map(base)
	for (const step of steps) {
		const stays = (name: string): boolean => step.columns[name] !== undefined && step.columns[name] === columns[name]
		state = new Map(
			[...state].map(([id, values]) => [
				id,
				Object.fromEntries(Object.entries(values).filter(([name]) => stays(name))),
			]),
		)
		columns = step.columns
		for (const [id, { op, values }] of step.changes) {
			if (op === 'erase') state.delete(id)
			else state.set(id, op === 'replace' ? values : { ...state.get(id), ...values })
		}
	}
	return state
}

const valueOf = (type: 'Utf8' | 'Int64'): fc.Arbitrary<string> =>
	type === 'Utf8'
		? fc.constantFrom(NULL, 'text_value: "a"', 'text_value: ""')
		: fc.constantFrom(NULL, 'int64_value: 1', 'int64_value: -7')
const columnsOf: fc.Arbitrary<Step['columns']> = fc
	.uniqueArray(fc.constantFrom('a', 'b', 'c'))
	.chain((names) =>
		fc.record(Object.fromEntries(names.map((name) => [name, fc.constantFrom('Utf8' as const, 'Int64' as const)]))),
	)
const valuesOf = (columns: Step['columns'], some: boolean): fc.Arbitrary<Values> =>
	fc.record(
		Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, valueOf(type)])),
		some ? { requiredKeys: [] } : {},
	) as fc.Arbitrary<Values>
const mapOf = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Map<number, T>> =>
	fc.array(fc.tuple(fc.nat(60), value), { maxLength: 40 }).map((pairs) => new Map(pairs))
const step: fc.Arbitrary<Step> = columnsOf.chain((columns) =>
	fc.record({
		columns: fc.constant(columns),
		changes: mapOf(
			fc.oneof(
				fc.record({ op: fc.constant('erase' as const), values: fc.constant({}) }),
				fc.record({ op: fc.constantFrom('upsert' as const, 'replace' as const), values: valuesOf(columns, true) }),
			),
		),
	}),
)
const size = fc.integer({ min: 1, max: 30 })

test('rows at a link are those that the database had then, whatever changed in rows and columns', async () => {
	await fc.assert(
		fc.asyncProperty(
			columnsOf.chain((columns) => fc.record({ columns: fc.constant(columns), rows: mapOf(valuesOf(columns, false)) })),
			fc.array(step, { maxLength: 5 }),
			fc.record({ rows: size, changes: size }),
			async (base, steps, sizes) => {
				const last = schemaOf(steps.at(-1)?.columns ?? base.columns)
				const full = { schema: schemaOf(base.columns), chunks: chunks(schemaOf(base.columns), base.rows, sizes.rows) }
				const links = steps.map((each) => stepLink(each, sizes.changes))
				const found = await lines(rowsAtLink('t', full, links, last))
				const truth = replay(base.rows, base.columns, steps)
				expect(found).toEqual(await lines(chunks(last, truth, 1000)))
			},
		),
		{ numRuns: 300 },
	)
})

test('a table that joined the chain later has the rows of its links alone', async () => {
	const columns = { a: 'Utf8' } as const
	const added: Step = { columns, changes: new Map([[1, { op: 'replace', values: { a: 'text_value: "x"' } }]]) }
	const gone: Step = {
		columns,
		changes: new Map([
			[1, { op: 'erase', values: {} }],
			[4, { op: 'erase', values: {} }],
		]),
	}
	const links = (...steps: Step[]) => steps.map((each) => stepLink(each, 9))
	const rowsOf = (...steps: Step[]): Promise<string[]> =>
		lines(rowsAtLink('t', undefined, links(...steps), schemaOf(columns)))
	expect(await rowsOf(added)).toHaveLength(1)
	expect(await rowsOf(added, gone)).toEqual([])
})

test('chunks that no change touches pass as they are', async () => {
	const columns = { a: 'Utf8' } as const
	const schema = schemaOf(columns)
	const rows = new Map(Array.from({ length: 100 }, (_, id) => [id, { a: 'text_value: "v"' }] as const))
	const given: RowChunk[] = []
	async function* watched(): AsyncGenerator<RowChunk> {
		for await (const chunk of chunks(schema, rows, 10)) {
			given.push(chunk)
			yield chunk
		}
	}
	const changes: Step = { columns, changes: new Map([[55, { op: 'upsert', values: { a: NULL } }]]) }
	const found: RowChunk[] = []
	for await (const chunk of rowsAtLink('t', { schema, chunks: watched() }, [stepLink(changes, 1)], schema))
		found.push(chunk)
	expect(found.filter((chunk) => given.includes(chunk))).toHaveLength(9)
	expect(found.reduce((sum, { rows: count }) => sum + count, 0)).toBe(100)
})

test('a row without a value that it must have says that a change is missing', async () => {
	const must: TableSchema = {
		columns: [
			{ name: 'id', type: { kind: 'primitive', name: 'Uint64' } },
			{ name: 'k2', type: optional('Utf8') },
			{ name: 'm', type: { kind: 'primitive', name: 'Int64' } },
		],
		primaryKey: ['id', 'k2'],
	}
	const links = [linkOf(must, [{ op: 'upsert', key: key(1), columns: [] }], 1)]
	const error: unknown = await lines(rowsAtLink('t', undefined, links, must)).catch((thrown: unknown) => thrown)
	expect(isBackupError(error, 'CHAIN_BROKEN') && error.reason).toBe('gap')
})

test('changes and rows out of order are refused, and all streams are closed when the reader leaves', async () => {
	const columns = { a: 'Utf8' } as const
	const schema = schemaOf(columns)
	let closed = 0
	const erases = (...ids: number[]): LinkOfTable =>
		linkOf(
			schema,
			ids.map((id) => ({ op: 'erase', key: key(id) })),
			1,
			() => closed++,
		)
	await expect(lines(rowsAtLink('t', undefined, [erases(2, 1)], schema))).rejects.toMatchObject({
		code: 'ROWS_OUT_OF_ORDER',
	})
	const rows = new Map(Array.from({ length: 100 }, (_, id) => [id, {}] as const))
	const full = { schema, chunks: chunks(schema, rows, 10) }
	const links = [erases(1, 5), erases(90)]
	for await (const _ of rowsAtLink('t', full, links, schema)) break
	expect(closed).toBe(3)
})
