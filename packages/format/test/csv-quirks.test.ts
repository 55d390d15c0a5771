import { isBackupError, type PrimitiveName, type TableSchema } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCsvEncoder } from '../src/csv/encoder.ts'
import { createCsvParser } from '../src/csv/parser.ts'
import { escapeText, optional, primitive, schemaOf } from './csv-model.ts'

/** A cell as the tools of one age or another write it, and as all of them mean it. */
interface Spelling {
	readonly given: string
	readonly meant: string
}

const plain = /[A-Za-z0-9!$*\-./;@_~ ]/

/** Percent-escapes, spaces and `^` in every way that a reader of form-urlencoded text takes, one choice for each byte. */
const text = fc
	.array(
		fc.tuple(
			fc.oneof(fc.constantFrom(0x20, 0x5e, 0x25, 0x2b, 0x22, 0x2c, 0x0a, 0x0d, 0x27, 0x28), fc.nat(255)),
			fc.nat(3),
		),
		{
			maxLength: 30,
		},
	)
	.map((bytes): Spelling => {
		const given = bytes.map(([byte, way]) => {
			const char = String.fromCharCode(byte)
			const hex = byte.toString(16).padStart(2, '0')
			if (way === 0) return `%${hex.toUpperCase()}`
			if (way === 1) return `%${hex}`
			// Bytes that only old tools leave bare, and those that none does but every reader takes.
			if (char === ' ') return '+'
			if (plain.test(char) || "^'()`<>[]{}|\\:;?=".includes(char)) return char
			return `%${hex.toUpperCase()}`
		})
		return { given: `"${given.join('')}"`, meant: escapeText(Uint8Array.from(bytes, ([byte]) => byte)) }
	})

const bool = fc.constantFrom<Spelling>(
	{ given: '1', meant: '1' },
	{ given: '0', meant: '0' },
	{ given: 'true', meant: '1' },
	{ given: 'False', meant: '0' },
	{ given: '7', meant: '1' },
)
const double = fc.constantFrom<Spelling>(
	{ given: 'nan', meant: 'nan' },
	{ given: '-nan', meant: 'nan' },
	{ given: 'NaN', meant: 'nan' },
	{ given: 'inf', meant: 'inf' },
	{ given: '-inf', meant: '-inf' },
	{ given: '-5012.231232', meant: '-5012.231232' },
	{ given: '1e+300', meant: '1e+300' },
	{ given: '1E300', meant: '1e+300' },
	{ given: '0.5000', meant: '0.5' },
)
const uuid = fc
	.uuid()
	.chain((id) =>
		fc.constantFrom<Spelling>(
			{ given: id, meant: id },
			{ given: `"${id}"`, meant: id },
			{ given: id.toUpperCase(), meant: id },
		),
	)
const timestamp = fc.constantFrom<Spelling>(
	{ given: '2019-03-11T16:30:44.314382Z', meant: '2019-03-11T16:30:44.314382Z' },
	{ given: '2019-03-11T16:30:44Z', meant: '2019-03-11T16:30:44.000000Z' },
	{ given: '2019-03-11', meant: '2019-03-11T00:00:00.000000Z' },
)
const integer = fc
	.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
	.map((value): Spelling => ({ given: `${value}`, meant: `${value}` }))

const COLUMNS: readonly [PrimitiveName, fc.Arbitrary<Spelling>][] = [
	['Int64', integer],
	['String', text],
	['Bool', bool],
	['Double', double],
	['Uuid', uuid],
	['Timestamp', timestamp],
]
const SCHEMA: TableSchema = schemaOf(...COLUMNS.map(([name]) => optional(primitive(name))))
const nothing: Spelling = { given: 'null', meant: 'null' }
const row = fc.tuple(...COLUMNS.map(([, cell]) => fc.oneof({ weight: 5, arbitrary: cell }, fc.constant(nothing))))

/** Reads CSV that is cut into pieces and writes it again. */
function rewritten(csv: Buffer, piece: number): string {
	const parser = createCsvParser(SCHEMA, { file: 'data_00.csv', chunkBytes: 200 })
	const encoder = createCsvEncoder(SCHEMA)
	const chunks = []
	for (let at = 0; at < csv.length; at += piece) chunks.push(...parser.push(csv.subarray(at, at + piece)))
	chunks.push(...parser.end())
	const frames = chunks.flatMap((chunk) => encoder.push(chunk))
	return Buffer.concat([...frames, encoder.end() ?? Buffer.alloc(0)]).toString('latin1')
}

test('whatever spelling a tool of YDB has used, the row is the one that it meant', () => {
	fc.assert(
		fc.property(fc.array(row, { maxLength: 20 }), fc.integer({ min: 1, max: 300 }), (rows, piece) => {
			const join = (what: keyof Spelling): string =>
				rows.map((cells) => `${cells.map((cell) => cell[what]).join(',')}\n`).join('')
			expect(rewritten(Buffer.from(join('given'), 'latin1'), piece)).toBe(join('meant'))
		}),
	)
})

/** Of text between quotes: an escape stands for its byte, a plus sign for a space, everything else for itself. */
function unescaped(given: Buffer): Buffer {
	const text = given.toString('latin1').replaceAll('+', ' ')
	const meant = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
	return Buffer.from(meant, 'latin1')
}

test('a string is the same bytes wherever in it, and how near to the end of the file, each byte stands', () => {
	const parser = createCsvParser(schemaOf(primitive('String')), { file: 'f', chunkBytes: 1 })
	const wrong: string[] = []
	const within = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x2c && byte !== 0x0a)
	for (const byte of within) {
		for (const second of [byte, 0x25, 0x2b, 0x41, 0x80, 0xff]) {
			for (let place = 0; place < 9; place++) {
				const given = Buffer.concat([
					Buffer.from('Az-~9./:;'.slice(0, place)),
					Buffer.from([byte, second]),
					Buffer.from('%4'),
				])
				const csv = Buffer.concat([Buffer.from('"'), given, Buffer.from('"\n')])
				const [chunk] = parser.push(csv)
				// Row, cell, value: a tag and a length each.
				if (Buffer.compare(chunk!.bytes.subarray(6), unescaped(given)) !== 0) wrong.push(csv.toString('latin1'))
			}
		}
	}
	expect(wrong).toEqual([])
})

test('one row with a fault among sound ones is refused with its line, wherever the file is cut', () => {
	const faults = [
		'',
		',,,,,',
		'1,"a",1,1,null',
		'1,"a",1,1,null,null,1',
		'1,a,1,1,null,null',
		'"1","a",1,1,null,null',
		'NULL,"a",1,1,null,null',
	]
	fc.assert(
		fc.property(
			fc.nat(8),
			fc.nat(8),
			fc.constantFrom(...faults),
			fc.integer({ min: 1, max: 80 }),
			(before, after, fault, piece) => {
				const sound = '5,"x",1,0.5,null,null\n'
				const csv = `${sound.repeat(before)}${fault}\n${sound.repeat(after)}`
				let message = ''
				try {
					rewritten(Buffer.from(csv), piece)
				} catch (error) {
					message = isBackupError(error, 'FORMAT_INVALID') ? error.message : String(error)
				}
				expect(message).toMatch(new RegExp(`^data_00\\.csv:${before + 1}: column "`))
			},
		),
	)
})
