import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
	FieldDescriptorProto_Label as Label,
	FieldDescriptorProto_Type as Type,
	FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'
import { ValueSchema } from '@ydbjs/api/value'
import { type Change, isBackupError, type TableSchema, type YdbType } from '@ydbackup/core'
import { chunkFromFrames, concatBytes, createKeyReader } from '@ydbackup/rows'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
	changeTableSchema,
	createChangeReader,
	createChangeWriter,
	createColumnMapper,
	freshColumnMap,
	METADATA_COLUMN,
	readChangeMetadata,
	valueColumns,
	writeChangeMetadata,
} from '../../src/changes/changes.ts'

/** `ydb/core/protos/datashard_backup.proto`, as a witness that shares nothing with our reader. */
const TChangeMetadata = ((): DescMessage => {
	const field = (name: string, number: number, type: Type, typeName = '', label = Label.OPTIONAL): object => ({
		name,
		number,
		type,
		typeName,
		label,
	})
	const registry = createFileRegistry(
		create(FileDescriptorSetSchema, {
			file: [
				{
					name: 'datashard_backup.proto',
					package: 'NKikimrBackup',
					syntax: 'proto2',
					messageType: [
						{
							name: 'TChangeMetadata',
							field: [
								field('ColumnStates', 1, Type.MESSAGE, '.NKikimrBackup.TChangeMetadata.TColumnState', Label.REPEATED),
								field('IsDeleted', 2, Type.BOOL),
							],
							nestedType: [
								{
									name: 'TColumnState',
									field: [
										field('Tag', 1, Type.UINT32),
										field('IsNull', 2, Type.BOOL),
										field('IsChanged', 3, Type.BOOL),
									],
								},
							],
						},
					],
				},
			],
		}),
	)
	return registry.getMessage('NKikimrBackup.TChangeMetadata')!
})()

type Plain = { ColumnStates: { Tag: number; IsNull: boolean; IsChanged: boolean }[]; IsDeleted: boolean }
const protoOf = (
	isDeleted: boolean,
	states: readonly [tag: number, isNull: boolean, isChanged: boolean][],
): Uint8Array =>
	toBinary(
		TChangeMetadata,
		create(TChangeMetadata, {
			IsDeleted: isDeleted,
			ColumnStates: states.map(([Tag, IsNull, IsChanged]) => ({ Tag, IsNull, IsChanged })),
		} as never),
	)

const optional = (name: 'Int64' | 'Utf8' | 'String'): YdbType => ({
	kind: 'optional',
	item: { kind: 'primitive', name },
})
const table: TableSchema = {
	columns: [
		{ name: 'a', type: optional('Utf8') },
		{ name: 'id', type: { kind: 'primitive', name: 'Int64' } },
		{ name: 'b', type: optional('Int64') },
		{ name: 'c', type: optional('String') },
	],
	primaryKey: ['id'],
}
const changeTable = changeTableSchema(table)
const map = new Map([
	[7, 'a'],
	[9, 'b'],
	[124, 'c'],
])

const value = (init: Parameters<typeof create<typeof ValueSchema>>[1]): Uint8Array =>
	toBinary(ValueSchema, create(ValueSchema, init))
const NULL = value({ value: { case: 'nullFlagValue', value: 0 } })
const text = (string: string): Uint8Array => value({ value: { case: 'textValue', value: string } })
const number = (id: bigint): Uint8Array => value({ value: { case: 'int64Value', value: id } })
const bytes = (raw: Uint8Array): Uint8Array => value({ value: { case: 'bytesValue', value: raw } })
const item = (cell: Uint8Array): Uint8Array =>
	toBinary(ValueSchema, create(ValueSchema, { items: [fromBinary(ValueSchema, cell)] }))
const keyOf = (id: bigint): Uint8Array => item(number(id))

/** A row as a server would send it: cells in the order of the change table's columns. */
const row = (cells: Record<string, Uint8Array>): Uint8Array =>
	toBinary(
		ValueSchema,
		create(ValueSchema, {
			items: [{ items: changeTable.columns.map(({ name }) => fromBinary(ValueSchema, cells[name] ?? NULL)) }],
		}),
	)
const chunk = (rows: readonly Uint8Array[]): ReturnType<typeof chunkFromFrames> =>
	chunkFromFrames(concatBytes(rows), rows.length, createKeyReader(changeTable))
const codeOf = (work: () => unknown): unknown => {
	try {
		work()
	} catch (error) {
		return isBackupError(error) ? [error.code, error.reason] : error
	}
	return 'nothing thrown'
}

test('metadata is read and written as protobuf reads and writes it', () => {
	const state = fc.tuple(fc.nat(2 ** 32 - 1), fc.boolean(), fc.boolean())
	fc.assert(
		fc.property(fc.boolean(), fc.array(state, { maxLength: 40 }), (isDeleted, states) => {
			const ours = { isDeleted, states: states.map(([tag, isNull, isChanged]) => ({ tag, isNull, isChanged })) }
			expect(readChangeMetadata(protoOf(isDeleted, states))).toEqual(ours)
			const theirs = fromBinary(TChangeMetadata, writeChangeMetadata(ours)) as unknown as Plain
			expect(theirs.IsDeleted).toBe(isDeleted)
			expect(theirs.ColumnStates.map(({ Tag, IsNull, IsChanged }) => [Tag, IsNull, IsChanged])).toEqual(states)
		}),
	)
})

test('metadata that was cut or is something else is refused, never half read', () => {
	const whole = protoOf(false, [
		[300, false, true],
		[301, true, true],
	])
	for (let length = 1; length < whole.length; length++) {
		const cut = whole.subarray(0, length)
		const outcome = codeOf(() => readChangeMetadata(cut))
		// A cut between fields is a shorter message: it cannot be told apart, and the ids that are missing then are refused by the map.
		if (outcome === 'nothing thrown') expect(readChangeMetadata(cut).states.length).toBeLessThan(3)
		else expect(outcome).toEqual(['FORMAT_INVALID', undefined])
	}
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
			const outcome = codeOf(() => readChangeMetadata(noise))
			expect(outcome === 'nothing thrown' || (Array.isArray(outcome) && outcome[0] === 'FORMAT_INVALID')).toBe(true)
		}),
	)
})

test('an update names the columns that changed, a replace all of them, an erase none', () => {
	const changes = createChangeReader('t', changeTable, map).read(
		chunk([
			row({
				id: number(1n),
				b: number(5n),
				[METADATA_COLUMN]: bytes(
					protoOf(false, [
						[124, false, false],
						[9, false, true],
						[7, true, true],
					]),
				),
			}),
			row({
				id: number(2n),
				a: text('x'),
				[METADATA_COLUMN]: bytes(
					protoOf(false, [
						[7, false, true],
						[9, true, true],
						[124, true, true],
					]),
				),
			}),
			row({
				id: number(3n),
				[METADATA_COLUMN]: bytes(
					protoOf(true, [
						[7, true, true],
						[9, true, true],
						[124, true, true],
					]),
				),
			}),
		]),
	)
	expect(changes).toEqual([
		{
			op: 'upsert',
			key: keyOf(1n),
			columns: [
				{ name: 'a', value: NULL },
				{ name: 'b', value: number(5n) },
			],
		},
		{
			op: 'replace',
			key: keyOf(2n),
			columns: [
				{ name: 'a', value: text('x') },
				{ name: 'b', value: NULL },
				{ name: 'c', value: NULL },
			],
		},
		{ op: 'erase', key: keyOf(3n) },
	])
})

test('a value in a cell that is marked unchanged is counted as suspect and not applied', () => {
	const reader = createChangeReader('t', changeTable, map)
	const states = protoOf(false, [
		[7, false, false],
		[9, false, true],
		[124, false, false],
	])
	const changes = reader.read(
		chunk([row({ id: number(1n), a: text('lost?'), b: number(2n), [METADATA_COLUMN]: bytes(states) })]),
	)
	expect(changes).toEqual([{ op: 'upsert', key: keyOf(1n), columns: [{ name: 'b', value: number(2n) }] }])
	expect(reader.suspects).toBe(1)
})

test('metadata without column states means the row as it stands, as in the reader of YDB', () => {
	for (const metadata of [NULL, bytes(protoOf(false, [])), bytes(new Uint8Array())]) {
		const changes = createChangeReader('t', changeTable, map).read(
			chunk([row({ id: number(1n), a: text('x'), [METADATA_COLUMN]: metadata })]),
		)
		expect(changes).toMatchObject([
			{ op: 'replace', columns: [{ value: text('x') }, { value: NULL }, { value: NULL }] },
		])
	}
})

test('an id that no column is known for is refused instead of guessed', () => {
	const states = protoOf(false, [[8, false, true]])
	const read = (): unknown =>
		createChangeReader('t', changeTable, map).read(chunk([row({ id: number(1n), [METADATA_COLUMN]: bytes(states) })]))
	expect(codeOf(read)).toEqual(['CHAIN_BROKEN', 'ambiguous'])
})

test('tables without metadata, and those of older servers, are refused by name', () => {
	expect(codeOf(() => createChangeReader('t', table, map))).toEqual(['FORMAT_INVALID', undefined])
	const old = {
		...table,
		columns: [...table.columns, { name: '__ydb_incrBackupImpl_deleted', type: optional('Int64') }],
	}
	expect(codeOf(() => createChangeReader('t', old, map))).toEqual(['UNSUPPORTED', undefined])
})

test('ids are paired with columns by their order, whatever the order in which changes name them', () => {
	const columns = valueColumns(changeTable)
	expect(columns).toEqual(['a', 'b', 'c'])
	fc.assert(
		fc.property(
			fc.uniqueArray(fc.nat(500), { minLength: 3, maxLength: 3 }),
			fc.array(fc.nat(5), { minLength: 1, maxLength: 8 }),
			(tags, orders) => {
				const mapper = createColumnMapper('t', columns)
				for (const order of orders) {
					const shuffled = tags.toSorted((a, b) => ((a * 31 + order) % 7) - ((b * 31 + order) % 7))
					mapper.add({ isDeleted: false, states: shuffled.map((tag) => ({ tag, isNull: false, isChanged: true })) })
				}
				const [a, b, c] = tags.toSorted((x, y) => x - y)
				expect([...mapper.finish()!]).toEqual([
					[a, 'a'],
					[b, 'b'],
					[c, 'c'],
				])
			},
		),
	)
})

test('a map is refused when ids and columns do not agree, and not needed when nothing changed', () => {
	const states = (
		...tags: number[]
	): { isDeleted: boolean; states: { tag: number; isNull: boolean; isChanged: boolean }[] } => ({
		isDeleted: false,
		states: tags.map((tag) => ({ tag, isNull: false, isChanged: true })),
	})
	const mapped = (...changes: ReturnType<typeof states>[]) => {
		const mapper = createColumnMapper('t', ['a', 'b', 'c'])
		for (const change of changes) mapper.add(change)
		return mapper.finish()
	}
	const ambiguous = ['CHAIN_BROKEN', 'ambiguous']
	expect(mapped()).toBeUndefined()
	expect(mapped({ isDeleted: false, states: [] })).toBeUndefined()
	expect(codeOf(() => mapped(states(1, 2)))).toEqual(ambiguous)
	expect(codeOf(() => mapped(states(1, 2, 3, 4)))).toEqual(ambiguous)
	expect(codeOf(() => mapped(states(1, 2, 3), states(1, 2, 4)))).toEqual(ambiguous)
	expect(codeOf(() => mapped(states(1, 2, 3), states(1, 2)))).toEqual(ambiguous)
	expect(codeOf(() => mapped(states(1, 2, 2)))).toEqual(ambiguous)
	// The columns of a table that lost column 2 long ago.
	expect([...mapped(states(5, 3, 4))!]).toEqual([
		[3, 'a'],
		[4, 'b'],
		[5, 'c'],
	])
})

const columns = fc
	.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 })
	.chain((names) =>
		fc.tuple(
			...names.map((name) =>
				fc
					.oneof(
						fc.constant(NULL),
						fc.constant(name === 'b' ? number(3n) : name === 'a' ? text('v') : bytes(new Uint8Array([0, 34, 10, 255]))),
					)
					.map((cell) => ({ name, value: cell })),
			),
		),
	)
const change: fc.Arbitrary<Change> = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).chain((id) => {
	const key = keyOf(id)
	return fc.oneof(
		fc.constant<Change>({ op: 'erase', key }),
		columns.map((named): Change => ({ op: 'upsert', key, columns: named })),
		columns.map((named): Change => ({ op: 'replace', key, columns: named })),
	)
})

/** What a change leaves of a row, by the words of the contract in core. */
function applied(
	before: Record<string, string> | undefined,
	{ op, ...rest }: Change,
): Record<string, string> | undefined {
	if (op === 'erase') return undefined
	const empty = Object.fromEntries(['a', 'b', 'c'].map((name) => [name, Buffer.from(NULL).toString('hex')]))
	const start = op === 'replace' ? empty : (before ?? empty)
	const named = 'columns' in rest ? rest.columns : []
	return {
		...start,
		...Object.fromEntries(named.map(({ name, value: cell }) => [name, Buffer.from(cell).toString('hex')])),
	}
}

test('what is written of a change and read again leaves the same row', () => {
	const fresh = freshColumnMap(changeTable)
	expect([...fresh]).toEqual([
		[1, 'a'],
		[3, 'b'],
		[4, 'c'],
	])
	const before = { a: 'aa', b: 'bb', c: 'cc' }
	fc.assert(
		fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), fc.constantFrom(fresh, map), (changes, ids) => {
			const write = createChangeWriter(changeTable, ids).row
			const written = chunk(changes.map((each) => write(each)))
			const reader = createChangeReader('t', changeTable, ids)
			const read = reader.read(written)
			expect(reader.suspects).toBe(0)
			expect(read.map(({ key }) => Buffer.from(key).toString('hex'))).toEqual(
				changes.map(({ key }) => Buffer.from(key).toString('hex')),
			)
			for (const [index, each] of changes.entries()) {
				expect(applied(before, read[index]!)).toEqual(applied(before, each))
				expect(applied(undefined, read[index]!)).toEqual(applied(undefined, each))
			}
			const mapper = createColumnMapper('t', valueColumns(changeTable))
			for (const metadata of reader.metadata(written)) mapper.add(metadata)
			expect([...mapper.finish()!]).toEqual([...ids])
		}),
	)
})

test('rows that were cut or hold something else are damage', () => {
	const good = row({ id: number(1n), [METADATA_COLUMN]: bytes(protoOf(true, [])) })
	const whole = chunk([good])
	for (const broken of [
		row({ id: number(1n), [METADATA_COLUMN]: text('no bytes') }),
		row({ id: number(1n), [METADATA_COLUMN]: bytes(new Uint8Array([0x0a, 0x7f])) }),
	])
		expect(codeOf(() => createChangeReader('t', changeTable, map).read(chunk([broken])))).toEqual([
			'FORMAT_INVALID',
			undefined,
		])
	const narrower = { ...changeTable, columns: changeTable.columns.toSpliced(2, 1) }
	expect(codeOf(() => createChangeReader('t', narrower, map).read(whole))).toEqual(['FORMAT_INVALID', undefined])
})
