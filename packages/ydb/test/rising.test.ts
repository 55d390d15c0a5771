import type { PrimitiveName, TableSchema, YdbType } from '@ydbackup/core'
import { concatBytes, createKeyComparator, createKeyReader, keyTypes } from '@ydbackup/rows'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRiseCheck } from '../src/rows/rising.ts'
import { chunkOf, NULL, rowFrame, text, uint64, type ValueInit } from './support/tables.ts'

const column = (name: string, type: YdbType): TableSchema['columns'][number] => ({ name, type })
const primitive = (name: PrimitiveName): YdbType => ({ kind: 'primitive', name })
const optional = (item: YdbType): YdbType => ({ kind: 'optional', item })

type Field = 'uint32Value' | 'int32Value' | 'uint64Value' | 'int64Value' | 'boolValue' | 'doubleValue'
const of =
	(field: Field) =>
	(value: unknown): ValueInit =>
		({ value: { case: field, value } }) as ValueInit

const near = (limit: bigint): fc.Arbitrary<bigint> =>
	fc.oneof(
		fc.bigInt({ min: -3n, max: 3n }),
		fc.constantFrom(2n ** 31n, 2n ** 32n, -(2n ** 31n), -(2n ** 32n), 2n ** 32n + 1n),
		fc.bigInt({ min: -limit, max: limit - 1n }),
	)
const signed = (bits: bigint): fc.Arbitrary<bigint> =>
	near(2n ** (bits - 1n)).map((value) => BigInt.asIntN(Number(bits), value))
const unsigned = (bits: bigint): fc.Arbitrary<bigint> =>
	near(2n ** bits).map((value) => BigInt.asUintN(Number(bits), value))
const strings = fc.oneof(
	fc.string({ unit: fc.constantFrom('a', 'b', 'я', '\0'), maxLength: 4 }),
	fc.integer({ min: 120, max: 132 }).map((length) => 'x'.repeat(length)),
)
const halves = fc
	.tuple(unsigned(64n), fc.oneof(fc.constant(0n), unsigned(64n)))
	.map(([low, high]): ValueInit => ({ value: { case: 'low128', value: low }, high128: high }))

/** Types of keys, and values of each that are often equal, next to each other or at a limit. */
const KEYS: readonly (readonly [YdbType, fc.Arbitrary<ValueInit>])[] = [
	[primitive('Uint64'), unsigned(64n).map(of('uint64Value'))],
	[primitive('Timestamp'), unsigned(64n).map(of('uint64Value'))],
	[primitive('Int64'), signed(64n).map(of('int64Value'))],
	[primitive('Uint32'), unsigned(32n).map(Number).map(of('uint32Value'))],
	[primitive('Int32'), signed(32n).map(Number).map(of('int32Value'))],
	[primitive('Utf8'), strings.map(text)],
	[
		primitive('String'),
		strings.map((value): ValueInit => ({ value: { case: 'bytesValue', value: Buffer.from(value) } })),
	],
	[primitive('Uuid'), halves],
	[{ kind: 'decimal', precision: 35, scale: 9 }, halves],
	[primitive('Bool'), fc.boolean().map(of('boolValue'))],
	[primitive('Double'), fc.double({ noNaN: true }).map(of('doubleValue'))],
]

const anyKey = fc.constantFrom(...KEYS)

/** A table with one to three key columns anywhere among others, and rows. */
const tables = fc
	.tuple(fc.array(anyKey, { minLength: 1, maxLength: 3 }), fc.nat(2), fc.boolean())
	.chain(([keys, before, isReversed]) => {
		const cells = keys.map(([, value]) =>
			fc.oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: fc.constant(NULL) }),
		)
		const others = Array.from({ length: before }, () => strings.map(text))
		const columns = [
			...others.map((_, at) => column(`other${at}`, primitive('Utf8'))),
			...keys.map(([type], at) => column(`key${at}`, optional(type))),
			column('last', primitive('Utf8')),
		]
		const names = keys.map((_, at) => `key${at}`)
		const schema: TableSchema = { columns, primaryKey: isReversed ? names.toReversed() : names }
		return fc
			.array(fc.tuple(...others, ...cells, strings.map(text)), { minLength: 1, maxLength: 6 })
			.map((rows) => ({ schema, frames: rows.map((row) => rowFrame(row)) }))
	})

test('the check in place agrees with the order of keys, for every type', () => {
	fc.assert(
		fc.property(tables, fc.boolean(), ({ schema, frames: given }, isSorted) => {
			const compare = createKeyComparator(keyTypes(schema))
			const reader = createKeyReader(schema)
			const keyOfFrame = (frame: Uint8Array): Uint8Array => {
				const at = frame[1]! < 128 ? 2 : frame[2]! < 128 ? 3 : 4
				return reader.read(frame, at, frame.length)
			}
			const frames = isSorted ? given.toSorted((a, b) => compare(keyOfFrame(a), keyOfFrame(b))) : given
			const keys = frames.map(keyOfFrame)
			const wrong = keys.findIndex((key, at) => at > 0 && compare(keys[at - 1]!, key) >= 0)
			const bytes = concatBytes(frames)
			const found = createRiseCheck(schema)(bytes)
			expect(found && Buffer.from(reader.read(bytes, found.start, found.end)).toString('hex')).toBe(
				wrong < 0 ? undefined : Buffer.from(keys[wrong]!).toString('hex'),
			)
			if (found) expect(found.end).toBe(frames.slice(0, wrong + 1).reduce((sum, { length }) => sum + length, 0))
		}),
		{ numRuns: 2_000 },
	)
})

test('ReadTable spells Uuids as bytes: they are compared all the same', () => {
	const schema: TableSchema = { columns: [column('id', primitive('Uuid'))], primaryKey: ['id'] }
	const uuid = (first: number): Uint8Array =>
		rowFrame([{ value: { case: 'bytesValue', value: Buffer.alloc(16, first) } }])
	const check = createRiseCheck(schema)
	expect(check(concatBytes([uuid(1), uuid(2), uuid(200)]))).toBeUndefined()
	expect(check(concatBytes([uuid(1), uuid(200), uuid(2)]))).toEqual({ start: 46, end: 66 })
})

test('one check serves many chunks, and each chunk is looked at alone', () => {
	const schema: TableSchema = { columns: [column('id', primitive('Double'))], primaryKey: ['id'] }
	const row = (value: number): Uint8Array => rowFrame([of('doubleValue')(value)])
	const check = createRiseCheck(schema)
	expect(check(concatBytes([row(5), row(6)]))).toBeUndefined()
	expect(check(concatBytes([row(1), row(2), row(3)]))).toBeUndefined()
	expect(check(concatBytes([row(1), row(3), row(3)]))).toBeDefined()
})

test('broken bytes are refused and never read beyond', () => {
	const schema: TableSchema = {
		columns: [column('id', primitive('Uint64')), column('v', primitive('Utf8'))],
		primaryKey: ['id'],
	}
	const { bytes } = chunkOf([rowFrame([uint64(1), text('abc')]), rowFrame([uint64(2), text('abc')])], schema)
	const check = createRiseCheck(schema)
	fc.assert(
		fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
			const broken = Uint8Array.from(bytes)
			broken[at] = byte
			try {
				check(broken)
			} catch (error) {
				expect(error).toMatchObject({ code: 'DATABASE_REFUSED', retry: 'later' })
			}
		}),
		{ numRuns: 2_000 },
	)
})
