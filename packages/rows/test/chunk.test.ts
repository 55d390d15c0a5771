import { isBackupError } from '@ydbackup/core'
import { chunkFromFrames, createKeyReader, takeRows } from '@ydbackup/rows'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { cellsToBytes, frames, resultSet, row, SCHEMA } from './model.ts'

const key = createKeyReader(SCHEMA)

test('rows of a result become the list that the official schema writes, with the keys of the first and the last', () => {
	fc.assert(
		fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), (rows) => {
			const message = resultSet(rows)
			const chunk = takeRows(message, { start: 0, end: message.length }, key)
			expect(Buffer.from(chunk!.bytes)).toEqual(Buffer.from(frames(rows)))
			expect(chunk!.rows).toBe(rows.length)
			expect(Buffer.from(chunk!.firstKey)).toEqual(Buffer.from(cellsToBytes([rows[0]![5]!, rows[0]![0]!])))
			const last = rows.at(-1)!
			expect(Buffer.from(chunk!.lastKey)).toEqual(Buffer.from(cellsToBytes([last[5]!, last[0]!])))
		}),
	)
})

test('a result without rows is no chunk', () => {
	const message = resultSet([])
	expect(takeRows(message, { start: 0, end: message.length }, key)).toBeUndefined()
})

test('keys do not share memory with the message', () => {
	const [only] = fc.sample(row, { numRuns: 1, seed: 1 })
	const message = resultSet([only!])
	const { firstKey } = takeRows(message, { start: 0, end: message.length }, key)!
	const before = Buffer.from(firstKey).toString('hex')
	message.fill(0)
	expect(Buffer.from(firstKey).toString('hex')).toBe(before)
})

test('rows with something between them are refused: they could not be spliced', () => {
	const [one, two] = fc.sample(row, { numRuns: 2, seed: 2 })
	const message = Buffer.concat([resultSet([one!]), resultSet([two!])])
	expect(() => takeRows(message, { start: 0, end: message.length }, key)).toThrow(/side by side/)
})

test('a result that is cut anywhere inside its rows is refused, never read as fewer rows', () => {
	const rows = fc.sample(row, { numRuns: 3, seed: 3 })
	const whole = resultSet(rows)
	const starts = new Set([0, 1, 2, 3].map((count) => resultSet(rows.slice(0, count)).length))
	const head = resultSet([]).length
	for (let end = head; end < whole.length; end++) {
		const message = Buffer.from(whole.subarray(0, end))
		if (starts.has(end)) continue
		try {
			takeRows(message, { start: 0, end }, key)
			expect.unreachable(`cut at ${end}`)
		} catch (error) {
			expect(isBackupError(error, 'DATABASE_REFUSED')).toBe(true)
		}
	}
})

test('bytes changed at random are read or refused, but never hang and never throw anything else', () => {
	const whole = resultSet(fc.sample(row, { numRuns: 3, seed: 4 }))
	fc.assert(
		fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
			const message = Buffer.from(whole)
			message[at] = byte
			try {
				takeRows(message, { start: 0, end: message.length }, key)
			} catch (error) {
				expect(isBackupError(error)).toBe(true)
			}
		}),
		{ numRuns: 500 },
	)
})

test('frames make a chunk only when they are as many rows as promised, whole, and nothing else', () => {
	const rows = fc.sample(row, { numRuns: 3, seed: 5 })
	const bytes = frames(rows)
	expect(chunkFromFrames(bytes, 3, key).rows).toBe(3)
	expect(() => chunkFromFrames(bytes, 2, key)).toThrow(/3 rows where 2/)
	expect(() => chunkFromFrames(bytes.subarray(0, -1), 3, key)).toThrow(/cut off/)
	expect(() => chunkFromFrames(resultSet(rows), 3, key)).toThrow(/something else/)
	expect(() => chunkFromFrames(new Uint8Array(0), 0, key)).toThrow(/0 rows/)
})

test('a key column that is not among the columns is refused', () => {
	expect(() => createKeyReader({ ...SCHEMA, primaryKey: ['nobody'] })).toThrow(/"nobody"/)
})

test('a Uuid that ReadTable spells as sixteen bytes has the key of requests', () => {
	const sixteen = Buffer.from('30a3995bef041a4f9b64ba6d5f44ea00', 'hex')
	const schema = { columns: [SCHEMA.columns[5]!], primaryKey: ['tag'] }
	const message = resultSet([[{ value: { case: 'bytesValue', value: sixteen } }]])
	const chunk = takeRows(message, { start: 0, end: message.length }, createKeyReader(schema))!
	const halves = {
		value: { case: 'low128', value: sixteen.readBigUInt64LE(0) },
		high128: sixteen.readBigUInt64LE(8),
	} as const
	expect(Buffer.from(chunk.firstKey)).toEqual(Buffer.from(cellsToBytes([halves])))
})
