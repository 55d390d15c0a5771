import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { RowStore } from '../src/store/row-store.ts'

const keyOf = (number: number): Buffer => {
	const key = Buffer.alloc(4)
	key.writeUInt32BE(number)
	return key
}
const rowOf = (number: number, size: number): Buffer => Buffer.concat([Buffer.from([0x12]), Buffer.alloc(size, number)])
const contents = (store: RowStore): [number, string][] =>
	[...store.entries()].map(({ key, row }) => [key.readUInt32BE(), row.toString('latin1')])

test('a store holds what a map would hold, and its snapshots what they held', () => {
	const change = fc.record({
		key: fc.nat(400),
		value: fc.nat(255),
		size: fc.constantFrom(1, 60, 3000, 20_000),
		gone: fc.integer({ min: 0, max: 9 }).map((n) => n < 2),
	})
	const batches = fc.array(fc.array(change, { maxLength: 40 }), { maxLength: 25 })
	fc.assert(
		fc.property(batches, (all) => {
			const store = new RowStore()
			const model = new Map<number, string>()
			const seen: [RowStore, [number, string][]][] = []
			const expected = (): [number, string][] => [...model].sort(([a], [b]) => a - b)
			for (const batch of all) {
				const last = new Map(batch.map((each) => [each.key, each]))
				const sorted = [...last.values()].sort((a, b) => a.key - b.key)
				store.apply(
					sorted.map(({ key, value, size, gone }) => ({ key: keyOf(key), row: gone ? null : rowOf(value, size) })),
				)
				for (const { key, value, size, gone } of sorted)
					if (gone) model.delete(key)
					else model.set(key, rowOf(value, size).toString('latin1'))
				expect(store.count).toBe(model.size)
				for (const { key } of sorted) expect(store.get(keyOf(key))?.toString('latin1')).toBe(model.get(key))
				seen.push([store.snapshot(), expected()])
			}
			for (const [snapshot, rows] of seen) expect(contents(snapshot)).toEqual(rows)
			const pages = [...store.scan({ from: keyOf(100), to: keyOf(300) })]
			const rows = expected().filter(([key]) => key >= 100 && key < 300)
			expect(pages.reduce((sum, { count }) => sum + count, 0)).toBe(rows.length)
			expect(pages.map(({ rows: bytes }) => bytes.toString('latin1')).join('')).toBe(
				rows.map(([, row]) => row).join(''),
			)
		}),
		{ numRuns: 60 },
	)
})

test('rows written one by one in order lie in few leaves', () => {
	const store = new RowStore()
	for (let at = 0; at < 5000; at++) store.apply([{ key: keyOf(at), row: rowOf(at, 100) }])
	expect(store.leaves.length).toBeLessThan(40)
})
