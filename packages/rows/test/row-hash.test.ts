import { create, toBinary } from '@bufbuild/protobuf'
import { RowHash } from '@ydbackup/rows'
import { ValueSchema } from '@ydbjs/api/value'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { mixRow } from '../src/mix.ts'
import { frames, row, SCHEMA, type ValueInit } from './model.ts'

const digestOf = (rows: readonly (readonly ValueInit[])[]): string => {
	const hash = new RowHash(SCHEMA)
	hash.add({ bytes: frames(rows) })
	return hash.digest()
}

/** A row that differs from all that `row` can make: their texts end before. */
const other = (rows: ValueInit[][], at: number): ValueInit[][] =>
	rows.map((cells, index) =>
		index === at ? cells.with(1, { value: { case: 'textValue', value: 'x'.repeat(201) } }) : cells,
	)

test('the row hash is MurmurHash3_x86_128', () => {
	const words = (text: string): string => {
		const sum = new Float64Array(4)
		// What lies around a row is not of it.
		const bytes = new TextEncoder().encode(`#####${text}#####`)
		mixRow(new DataView(bytes.buffer), 5, bytes.length - 5, sum)
		return Array.from(sum, (word) => word.toString(16).padStart(8, '0')).join('')
	}
	expect(words("I will not buy this tobacconist's, it is scratched.")).toBe('9b5b7ba2ef3f7866889adeaf00f3f98e')
	expect(words('')).toBe('0'.repeat(32))
	// From the Python package mmh3: `hash_bytes(text, 0, x64arch=False)`.
	const golden = new Map([
		[1, '312658d4d32cba11d32cba11d32cba11'],
		[2, 'ee15ba685ea9dec05ea9dec05ea9dec0'],
		[3, '41d0bf79d27be85ed27be85ed27be85e'],
		[4, '00251e65aa6e1ea2aa6e1ea2aa6e1ea2'],
		[5, '392b67e0b9c452b8bfcc773cbfcc773c'],
		[6, '02910834fa14aab42b714bbf2b714bbf'],
		[7, 'a09f763b35527f9cddf6976eddf6976e'],
		[8, '66b6c80ac96f1f6d6d8a09806d8a0980'],
		[9, 'bac5d673cbc4cff3deb68d0969c8528f'],
		[10, '9bf1477a73c5b1aa852e56f2dff305b6'],
		[11, '0c71da9eab63cd6f41612928a3768855'],
		[12, 'c628765f4e4398a8ebb5df5e5b59e222'],
		[13, 'e3c36e462fda1565cea4d9577990934f'],
		[14, '08bcd16f0f9b125b364ee8974772cb63'],
		[15, 'cad356cfebdbe4935f9fcb222cc8a286'],
		[16, '05af2e9885dc9f007a560e931005cf2a'],
		[17, '315057c366c13ca3828c6941b7707639'],
		[18, 'a01994e4d6fefc25d4b9e5913bc95ca5'],
		[19, '22b291f7a35dd0df051704eacff851ea'],
		[20, 'fe38a09401810b9f6bb2453038b2aba5'],
		[31, '9756d6dd03ee8189b6d1f56e23a827f6'],
		[43, '2f1583c3ecee2c675d7bf66ce5e91d2c'],
	])
	const text = 'The quick brown fox jumps over the lazy dog'
	expect(new Map(golden.keys().map((length) => [length, words(text.slice(0, length))]))).toEqual(golden)
})

test('order, chunks and parts make no difference to the digest', () => {
	fc.assert(
		fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), fc.nat(12), fc.integer(), (rows, cut, seed) => {
			const whole = digestOf(rows)
			const shuffled = fc.sample(fc.shuffledSubarray(rows, { minLength: rows.length }), { numRuns: 1, seed })[0]!
			expect(digestOf(shuffled)).toBe(whole)
			const first = new RowHash(SCHEMA)
			const second = new RowHash(SCHEMA)
			first.add({ bytes: frames(rows.slice(0, cut)) })
			second.add({ bytes: frames(rows.slice(cut)) })
			const sum = new RowHash(SCHEMA)
			sum.addDigest(first.digest(), first.rows)
			sum.merge(second)
			expect(sum.digest()).toBe(whole)
			expect(sum.rows).toBe(rows.length)
		}),
	)
})

test('one row changed, lost or doubled makes another digest', () => {
	fc.assert(
		fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), fc.nat(), (rows, pick) => {
			const at = pick % rows.length
			const whole = digestOf(rows)
			expect(digestOf(other(rows, at))).not.toBe(whole)
			expect(digestOf(rows.toSpliced(at, 1))).not.toBe(whole)
			expect(digestOf([...rows, rows[at]!])).not.toBe(whole)
			expect(digestOf([...rows, rows[at]!, rows[at]!])).not.toBe(whole)
		}),
	)
})

test('one flipped bit of a cell makes another digest or is refused', () => {
	const rows = fc.sample(row, { numRuns: 2, seed: 1 }).map((cells) =>
		cells
			.with(2, { value: { case: 'doubleValue', value: 1.5 } })
			.with(3, { value: { case: 'floatValue', value: 1.5 } })
			.with(4, { value: { case: 'boolValue', value: true } }),
	)
	const bytes = frames(rows)
	const whole = digestOf(rows)
	const unseen: string[] = []
	for (let bit = 0; bit < bytes.length * 8; bit++) {
		const at = bit >> 3
		const changed = new Uint8Array(bytes)
		changed[at]! ^= 1 << (bit & 7)
		const hash = new RowHash(SCHEMA)
		try {
			hash.add({ bytes: changed })
		} catch {
			continue
		}
		if (hash.digest() === whole) unseen.push(bytes[at - 1] === 0x08 ? 'true as another number' : `tag ${changed[at]}`)
	}
	// Text under the field of bytes (tag 66) is the same text.
	expect(new Set(unseen)).toEqual(new Set(['true as another number', 'tag 66']))
})

test('a value counts, not its spelling: NaN, left out defaults, Uuid and text as bytes', () => {
	const usual: ValueInit[] = [
		{ value: { case: 'uint64Value', value: 0n } },
		{ value: { case: 'textValue', value: 'ü' } },
		{ value: { case: 'doubleValue', value: Number.NaN } },
		{ value: { case: 'floatValue', value: Number.NaN } },
		{ value: { case: 'boolValue', value: false } },
		{ value: { case: 'low128', value: 7n }, high128: 9n },
	]
	const uuid = Buffer.alloc(16)
	uuid.writeBigUInt64LE(7n)
	uuid.writeBigUInt64LE(9n, 8)
	const odd = [
		usual.with(0, {}).with(4, {}),
		usual.with(1, { value: { case: 'bytesValue', value: Buffer.from('ü') } }),
		usual.with(5, { value: { case: 'bytesValue', value: uuid } }),
	]
	for (const cells of odd) expect(digestOf([cells])).toBe(digestOf([usual]))
	const nan = Buffer.from(frames([usual]))
	const double = nan.indexOf(Buffer.from('000000000000f87f', 'hex'))
	const float = nan.indexOf(Buffer.from('350000c07f', 'hex')) + 1
	expect(Math.min(double, float)).toBeGreaterThan(0)
	nan.write('010000000000f0ff', double, 'hex')
	nan.write('010080ff', float, 'hex')
	const hash = new RowHash(SCHEMA)
	hash.add({ bytes: nan })
	expect(hash.digest()).toBe(digestOf([usual]))
})

test('minus zero is not zero, and NULL is not a default', () => {
	const [cells] = fc.sample(row, { numRuns: 1, seed: 2 })
	const zero = cells!.with(2, { value: { case: 'doubleValue', value: 0 } })
	expect(digestOf([cells!.with(2, { value: { case: 'doubleValue', value: -0 } })])).not.toBe(digestOf([zero]))
	expect(digestOf([cells!.with(2, { value: { case: 'nullFlagValue', value: 0 } })])).not.toBe(digestOf([zero]))
})

test('rows that do not fit the schema are refused', () => {
	const [cells] = fc.sample(row, { numRuns: 1, seed: 3 })
	expect(() => digestOf([cells!.slice(0, 5)])).toThrow(/5 of 6 cells/)
	expect(() => digestOf([[...cells!, cells![0]!]])).toThrow(/more than 6 cells/)
	expect(() => digestOf([cells!.with(0, { value: { case: 'textValue', value: 'no' } })])).toThrow(/field 9 where 5/)
	const bytes = toBinary(ValueSchema, create(ValueSchema, { items: [{ items: cells! }] }))
	expect(() => new RowHash(SCHEMA).add({ bytes: bytes.subarray(0, -1) })).toThrow(/cut off/)
})

test('sums carry over many rows as one addition would', () => {
	const [cells] = fc.sample(row, { numRuns: 1, seed: 4 })
	const one = BigInt(`0x${digestOf([cells!]).slice(4)}`)
	const hash = new RowHash(SCHEMA)
	const hundred = { bytes: frames(Array.from({ length: 100 }, () => cells!)) }
	for (let i = 0; i < 300; i++) hash.add(hundred)
	expect(hash.digest()).toBe(
		`rh1:${BigInt.asUintN(128, one * 30_000n)
			.toString(16)
			.padStart(32, '0')}`,
	)
	expect(() => hash.addDigest('rh1:xyz', 1)).toThrow(/no row hash/)
})
