import { type KeyBytes, spellType } from '@ydbackup/core'
import { createKeyComparator, createRowKeyComparator, isInRange, showKey } from '@ydbackup/rows'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cell, cellsToBytes, compareCells, KEY_TYPES, NULL, optional, primitive } from './model.ts'

const bytesOf = (cells: readonly Cell[]): KeyBytes => cellsToBytes(cells.map((cell) => cell.init))

for (const { type, cell } of KEY_TYPES) {
	test(`keys of ${spellType(type)} have the order of their values, NULL first`, () => {
		const compare = createKeyComparator([optional(type)])
		const any = fc.oneof({ weight: 9, arbitrary: cell }, { weight: 1, arbitrary: fc.constant(NULL) })
		fc.assert(
			fc.property(any, any, (a, b) => {
				expect(Math.sign(compare(bytesOf([a]), bytesOf([b])))).toBe(Math.sign(compareCells(a, b)))
				expect(compare(bytesOf([a]), bytesOf([a]))).toBe(0)
			}),
			{ numRuns: 300 },
		)
	})
}

/** Two rows of the same columns, the second with the beginning of the first; how long a beginning of a key is; and which columns make a key. */
const twoRows = fc.array(fc.constantFrom(...KEY_TYPES), { minLength: 1, maxLength: 4 }).chain((types) =>
	fc
		.record({
			types: fc.constant(types.map((one) => optional(one.type))),
			a: fc.tuple(...types.map((one) => one.cell)),
			b: fc.tuple(...types.map((one) => one.cell)),
			shared: fc.nat(types.length),
			cut: fc.nat(types.length),
			key: fc.shuffledSubarray([...types.keys()], { minLength: 1 }),
		})
		.map(({ b, shared, ...row }) => ({ ...row, mixed: [...row.a.slice(0, shared), ...b.slice(shared)] })),
)

test('keys of several columns compare column by column, and a beginning stands before what it begins', () => {
	fc.assert(
		fc.property(twoRows, ({ types, a, mixed, cut }) => {
			const compare = createKeyComparator(types)
			const order = a.map((cell, at) => compareCells(cell, mixed[at]!)).find((one) => one !== 0) ?? 0
			expect(Math.sign(compare(bytesOf(a), bytesOf(mixed)))).toBe(Math.sign(order))
			const prefix = bytesOf(a.slice(0, cut))
			expect(Math.sign(compare(prefix, bytesOf(a)))).toBe(cut < a.length ? -1 : 0)
			expect(Math.sign(compare(bytesOf(a), prefix))).toBe(cut < a.length ? 1 : 0)
		}),
		{ numRuns: 300 },
	)
})

test('the key of a row compares as the key itself does, wherever its columns stand and whatever lies around', () => {
	fc.assert(
		fc.property(twoRows, ({ types, a, mixed, key }) => {
			const compare = createRowKeyComparator({
				columns: types.map((type, at) => ({ name: `c${at}`, type })),
				primaryKey: key.map((at) => `c${at}`),
			})
			const keyOf = (cells: readonly Cell[]): KeyBytes => bytesOf(key.map((at) => cells[at]!))
			const payload = bytesOf(a)
			const chunk = Buffer.concat([Buffer.alloc(3, 0x62), payload, Buffer.alloc(5, 0x62)])
			const expected = createKeyComparator(key.map((at) => types[at]!))(keyOf(a), keyOf(mixed))
			expect(Math.sign(compare(chunk, 3, 3 + payload.length, keyOf(mixed)))).toBe(Math.sign(expected))
		}),
		{ numRuns: 500 },
	)
})

test('a Uuid compares by its stored bytes in either spelling', () => {
	const compare = createKeyComparator([primitive('Uuid')])
	const low = Buffer.from('00000000000000010000000000000000', 'hex')
	const high = Buffer.from('00000000000000010000000000000001', 'hex')
	const asBytes = (value: Buffer): KeyBytes => cellsToBytes([{ value: { case: 'bytesValue', value } }])
	const asHalves = (value: Buffer): KeyBytes =>
		cellsToBytes([{ value: { case: 'low128', value: value.readBigUInt64LE(0) }, high128: value.readBigUInt64LE(8) }])
	expect(compare(asBytes(low), asHalves(low))).toBe(0)
	expect(compare(asBytes(low), asHalves(high))).toBeLessThan(0)
	expect(compare(asHalves(high), asBytes(low))).toBeGreaterThan(0)
})

test('types whose order is not known are refused instead of guessed', () => {
	expect(() => createKeyComparator([{ kind: 'unknown', spelling: 'List<Int32>' }])).toThrow(/List<Int32>/)
	expect(() => createKeyComparator([{ kind: 'pg', name: 'pginterval', oid: 1186, modifier: '' }])).toThrow(/interval/)
})

test('broken keys are refused', () => {
	const compare = createKeyComparator([primitive('Uint64')])
	const good = cellsToBytes([{ value: { case: 'uint64Value', value: 1n } }])
	expect(() => compare(good, good.subarray(0, -1))).toThrow(/cut off/)
	expect(() => compare(Buffer.concat([good, good]), Buffer.concat([good, good]))).toThrow(/more than 1/)
})

test('ranges take their bounds as promised, and a beginning as the point before all keys that it begins', () => {
	const types = [primitive('Uint64'), optional(primitive('Utf8'))]
	const compare = createKeyComparator(types)
	const key = (id: bigint, name?: string): KeyBytes =>
		cellsToBytes([
			{ value: { case: 'uint64Value', value: id } },
			...(name === undefined ? [] : [{ value: { case: 'textValue', value: name } as const }]),
		])
	expect(isInRange(key(1n, 'a'), {}, compare)).toBe(true)
	expect(isInRange(key(1n, 'a'), { from: { key: key(1n, 'a'), inclusive: true } }, compare)).toBe(true)
	expect(isInRange(key(1n, 'a'), { from: { key: key(1n, 'a'), inclusive: false } }, compare)).toBe(false)
	expect(isInRange(key(1n, 'a'), { to: { key: key(1n, 'a'), inclusive: true } }, compare)).toBe(true)
	expect(isInRange(key(1n, 'a'), { to: { key: key(1n, 'a'), inclusive: false } }, compare)).toBe(false)
	for (const inclusive of [true, false]) {
		expect(isInRange(key(1n, 'a'), { from: { key: key(1n), inclusive } }, compare)).toBe(true)
		expect(isInRange(key(1n, 'a'), { to: { key: key(1n), inclusive } }, compare)).toBe(false)
	}
})

test('keys are shown to people in short', () => {
	const types = [
		primitive('Uint64'),
		optional(primitive('Utf8')),
		primitive('Date'),
		primitive('Uuid'),
		primitive('String'),
	]
	const sixteen = Buffer.from('30a3995bef041a4f9b64ba6d5f44ea00', 'hex')
	const key = cellsToBytes([
		{ value: { case: 'uint64Value', value: 2n ** 64n - 1n } },
		NULL.init,
		{ value: { case: 'uint32Value', value: 17_966 } },
		{ value: { case: 'low128', value: sixteen.readBigUInt64LE(0) }, high128: sixteen.readBigUInt64LE(8) },
		{ value: { case: 'bytesValue', value: Buffer.alloc(200, 0xff) } },
	])
	const shown = showKey(key, types)
	expect(shown).toMatch(/^\(18446744073709551615, NULL, 2019-03-11, 5b99a330-04ef-4f1a-9b64-ba6d5f44ea00, 0xff/)
	expect(shown.length).toBeLessThan(300)
	expect(showKey(key.subarray(0, 5), types)).toBe('(unreadable)')
	const long = cellsToBytes([{ value: { case: 'textValue', value: 'Ж'.repeat(100) } }])
	expect(showKey(long, [primitive('Utf8')])).toContain('200 bytes')
})
