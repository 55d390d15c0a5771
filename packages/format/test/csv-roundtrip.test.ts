import { type RowChunk, spellType, type TableSchema } from '@ydbackup/core'
import { chunkFromFrames, createKeyReader, RowHash } from '@ydbackup/rows'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCsvEncoder } from '../src/csv/encoder.ts'
import { createCsvParser } from '../src/csv/parser.ts'
import { type Cell, chunk, frames, KINDS, nullable, schemaOf } from './csv-model.ts'

const encode = (schema: TableSchema, chunks: readonly RowChunk[], frameBytes = 1 << 20): Buffer => {
	const encoder = createCsvEncoder(schema, { frameBytes })
	const parts = chunks.flatMap((one) => encoder.push(one))
	return Buffer.concat([...parts, encoder.end() ?? Buffer.alloc(0)])
}
const parse = (schema: TableSchema, csv: Buffer, cuts: readonly number[] = [], chunkBytes = 1 << 18): RowChunk[] => {
	const parser = createCsvParser(schema, { file: 'data_00.csv', chunkBytes })
	const chunks: RowChunk[] = []
	let from = 0
	for (const cut of [...cuts.map((one) => one % (csv.length + 1)).toSorted((a, b) => a - b), csv.length]) {
		const piece = Buffer.from(csv.subarray(from, cut))
		chunks.push(...parser.push(piece))
		piece.fill(0)
		from = cut
	}
	return [...chunks, ...parser.end()]
}
const bytesOf = (chunks: readonly RowChunk[]): Buffer => Buffer.concat(chunks.map((one) => one.bytes))

for (const kind of [...KINDS, ...KINDS.map(nullable)]) {
	const schema = schemaOf(kind.type)
	test(`${spellType(kind.type)}: bytes → the model's CSV → the same bytes`, () => {
		fc.assert(
			fc.property(fc.array(kind.cell, { minLength: 1, maxLength: 20 }), (cells) => {
				const rows = cells.map((cell) => [cell.init])
				const csv = encode(schema, [chunk(schema, rows)])
				expect(csv.toString('latin1')).toBe(cells.map((cell) => `${cell.text}\n`).join(''))
				const back = parse(schema, csv)
				expect(bytesOf(back).equals(frames(rows))).toBe(true)
				expect(back.reduce((sum, one) => sum + one.rows, 0)).toBe(rows.length)
			}),
			{ numRuns: 40 },
		)
	})
}

const table = fc
	.array(fc.constantFrom(...KINDS, ...KINDS.map(nullable)), { minLength: 1, maxLength: 9 })
	.chain((kinds) =>
		fc.record({
			schema: fc.constant(schemaOf(...kinds.map((kind) => kind.type))),
			rows: fc.array(fc.tuple(...kinds.map((kind) => kind.cell)) as fc.Arbitrary<Cell[]>, {
				minLength: 1,
				maxLength: 12,
			}),
		}),
	)

test('tables of any columns survive any cut of chunks, frames and pushes, and so does their hash', () => {
	fc.assert(
		fc.property(
			table,
			fc.array(fc.nat()),
			fc.nat(12),
			fc.integer({ min: 1, max: 300 }),
			({ schema, rows }, cuts, at, size) => {
				const inits = rows.map((cells) => cells.map((cell) => cell.init))
				const parts = [inits.slice(0, at), inits.slice(at)].filter((part) => part.length > 0)
				const csv = encode(
					schema,
					parts.map((part) => chunk(schema, part)),
					size,
				)
				expect(csv.toString('latin1')).toBe(
					rows.map((cells) => `${cells.map((cell) => cell.text).join(',')}\n`).join(''),
				)
				const back = parse(schema, csv, cuts, size)
				expect(bytesOf(back).equals(frames(inits))).toBe(true)
				const [before, after] = [new RowHash(schema), new RowHash(schema)]
				for (const part of parts) before.add(chunk(schema, part))
				for (const one of back) after.add(one)
				expect(after.digest()).toBe(before.digest())
				for (const one of back) expect(one).toEqual(chunkFromFrames(one.bytes, one.rows, createKeyReader(schema)))
			},
		),
		{ numRuns: 100 },
	)
})
