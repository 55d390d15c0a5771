import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isBackupError, PRIMITIVE_TYPES, type PrimitiveName, type YdbType } from '@ydbackup/core'
import { readVarint, varintEnd } from '@ydbackup/rows'
import { expect, test } from 'vitest'
import { createCsvEncoder } from '../src/csv/encoder.ts'
import { createCsvParser } from '../src/csv/parser.ts'
import { chunk, integer, NULL, optional, primitive, rowsOf, schemaOf, type ValueInit, wide } from './csv-model.ts'

const FIXTURES = join(import.meta.dirname, 'fixtures')

interface WriteCase {
	readonly id: string
	readonly type: string
	readonly value?: string | null
	readonly value_hex?: string
	readonly stored?: string
	readonly csv: string
	readonly recommended_csv?: string
	readonly csv_older_table?: string
}
interface ReadCase {
	readonly id: string
	readonly types: readonly string[]
	readonly csv: string
	readonly values?: readonly (string | null)[]
	readonly error?: string
}
const cases = JSON.parse(readFileSync(join(FIXTURES, 'native-dump/csv-cases.json'), 'utf8')) as {
	write: WriteCase[]
	read: ReadCase[]
	parse_error_text: { data: string[] }
}

function typeOf(spelling: string): YdbType {
	const [, item] = /^Optional<(.*)>$/.exec(spelling) ?? []
	if (item !== undefined) return optional(typeOf(item))
	const [, precision, scale] = /^Decimal\((\d+),(\d+)\)$/.exec(spelling) ?? []
	if (precision !== undefined) return { kind: 'decimal', precision: Number(precision), scale: Number(scale) }
	if (spelling === 'Pg(int4)') return { kind: 'pg', name: 'pgint4', oid: 23, modifier: '' }
	const name = spelling.replace(' NOT NULL', '')
	if (!(name in PRIMITIVE_TYPES)) throw new Error(`no type ${spelling}`)
	return primitive(name as PrimitiveName)
}

/** The value of a case, from its own words. */
function valueOf({ type, value, value_hex, stored }: WriteCase): ValueInit {
	const name = type.replace(/^Optional<(.*)>$/, '$1')
	if (value === null) return NULL.init
	const bytes = value_hex === undefined ? Buffer.from(value ?? '') : Buffer.from(value_hex, 'hex')
	const number = BigInt(/^-?\d+$/.test(stored ?? value ?? '') ? (stored ?? value)! : 0)
	if (name === 'Bool') return { value: { case: 'boolValue', value: value === 'true' } }
	if (name === 'Float' || name === 'Double') {
		const words: Record<string, number> = { inf: Infinity, '-inf': -Infinity, nan: Number.NaN, '-nan': Number.NaN }
		const float = words[value!] ?? Number(value)
		return { value: { case: name === 'Float' ? 'floatValue' : 'doubleValue', value: float } }
	}
	if (name.startsWith('Decimal')) {
		const [high, low] = /high_128 (\d+),? low_128 (\d+)|^/.exec(stored ?? '')!.slice(1)
		if (high !== undefined) return wide((BigInt(high) << 64n) | BigInt(low!))
		const [whole, fraction] = value!.split('.')
		return wide(BigInt(whole! + (fraction ?? '').padEnd(9, '0')))
	}
	if (name === 'Uuid') {
		const hex = value!.replaceAll('-', '')
		const sixteen = Buffer.from(hex.replace(/^(..)(..)(..)(..)(..)(..)(..)(..)/, '$4$3$2$1$6$5$8$7'), 'hex')
		return { value: { case: 'low128', value: sixteen.readBigUInt64LE(0) }, high128: sixteen.readBigUInt64LE(8) }
	}
	if (['Date', 'Datetime', 'Uint8', 'Uint16', 'Uint32'].includes(name)) return integer('uint32Value', number)
	if (['Int8', 'Int16', 'Int32', 'Date32'].includes(name)) return integer('int32Value', number)
	if (['Uint64', 'Timestamp'].includes(name)) return integer('uint64Value', number)
	if (/^(?:Int64|Interval|.*64)$/.test(name)) return integer('int64Value', number)
	if (name === 'String' || name === 'Yson') return { value: { case: 'bytesValue', value: bytes } }
	return { value: { case: 'textValue', value: bytes.toString('utf8') } }
}

// Void is no type of a column.
const written = cases.write.filter((one) => one.type !== 'Void')

test('the cases of the native dump are all there', () => {
	expect(written.length).toBeGreaterThan(70)
	expect(cases.read.length).toBeGreaterThan(15)
})

for (const one of written) {
	test(`${one.id}: ${one.type} ${one.value ?? one.value_hex} is written as YDB writes it, and read back`, () => {
		const schema = schemaOf(typeOf(one.type))
		const rows = [[valueOf(one)]]
		const encoder = createCsvEncoder(schema)
		expect(encoder.push(chunk(schema, rows))).toEqual([])
		const csv = Buffer.from(encoder.end()!)
		expect(csv.toString()).toBe(`${one.recommended_csv ?? one.csv}\n`)
		for (const text of [csv.toString(), `${one.csv_older_table ?? csv.toString().trimEnd()}\n`]) {
			const parser = createCsvParser(schema, { file: 'data_00.csv' })
			parser.push(Buffer.from(text))
			const [back] = parser.end()
			expect(Buffer.from(back!.bytes)).toEqual(Buffer.from(chunk(schema, rows).bytes))
		}
	})
}

for (const one of cases.read) {
	const refused = one.error !== undefined || one.id === 'r020'
	test(`${one.id}: ${one.types.join(', ')}: ${JSON.stringify(one.csv)} is ${refused ? 'refused' : 'read'}`, () => {
		const schema = schemaOf(...one.types.map(typeOf))
		const parser = createCsvParser(schema, { file: 'data_00.csv' })
		const read = (): ReturnType<typeof rowsOf> => rowsOf([...parser.push(Buffer.from(`${one.csv}\n`)), ...parser.end()])
		if (refused) {
			expect(read).toThrow(/data_00\.csv:1: column "c\d" \(/)
			if (one.error === 'Empty token') expect(read).toThrow(/Empty token/)
			return
		}
		const cells = read()[0]!.map((cell, at) => {
			const { case: field, value } = cell.value
			if (field === 'nullFlagValue') return null
			if (field === 'bytesValue') return Buffer.from(value).toString()
			if (one.types[at] === 'Date') return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10)
			if (field === 'low128') return one.values![at]
			return String(value).replace('NaN', 'nan').replace('Infinity', 'inf')
		})
		expect(cells).toEqual(one.values)
	})
}

test('the data file of a real export is read and written back to its last byte', () => {
	const csv = readFileSync(join(FIXTURES, 'native-export/checksums-table/data_00.csv'))
	const schema = schemaOf(optional(primitive('Utf8')), optional(primitive('Utf8')))
	const parser = createCsvParser(schema, { file: 'data_00.csv' })
	const chunks = [...parser.push(csv), ...parser.end()]
	expect(rowsOf(chunks)[0]!.map((cell) => cell.value.value)).toEqual(['\u0001\0\0\0', '\u0001\0\0\0'])
	const encoder = createCsvEncoder(schema)
	for (const one of chunks) encoder.push(one)
	expect(Buffer.from(encoder.end()!).equals(csv)).toBe(true)
})

test('an error names file, line, column and value as YDB does', () => {
	const schema = { columns: [{ name: 'ColFloat', type: primitive('Float') }], primaryKey: ['ColFloat'] }
	const parser = createCsvParser(schema, { file: 'data_00.csv' })
	const csv = `${'1\n'.repeat(41)}not-a-float\n`
	const [where, what] = cases.parse_error_text.data
	try {
		parser.push(Buffer.from(csv))
		expect.unreachable()
	} catch (error) {
		expect(isBackupError(error, 'FORMAT_INVALID')).toBe(true)
		expect((error as Error).message).toContain(where)
		expect((error as Error).message).toContain(what)
		expect((error as Error).message).toContain('column "ColFloat"')
	}
})

test('a Uuid that ReadTable sends as sixteen bytes is written like any other, and read back as requests need it', () => {
	const schema = schemaOf(primitive('Uuid'))
	const sixteen = Buffer.from('30a3995bef041a4f9b64ba6d5f44ea00', 'hex')
	const encoder = createCsvEncoder(schema)
	encoder.push(chunk(schema, [[{ value: { case: 'bytesValue', value: sixteen } }]]))
	const csv = Buffer.from(encoder.end()!)
	expect(csv.toString()).toBe('5b99a330-04ef-4f1a-9b64-ba6d5f44ea00\n')
	const parser = createCsvParser(schema, { file: 'x' })
	parser.push(csv)
	const { bytes } = parser.end()[0]!
	readVarint(bytes, 1, bytes.length)
	expect(Buffer.from(bytes).subarray(varintEnd + 3, varintEnd + 11)).toEqual(sixteen.subarray(0, 8))
	expect(Buffer.from(bytes).subarray(varintEnd + 13)).toEqual(sixteen.subarray(8))
})
