import { create } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { constants, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { ImportFromS3SettingsSchema } from '@ydbjs/api/import'
import { CreateTableRequestSchema } from '@ydbjs/api/table'
import { DescribeTopicResultSchema } from '@ydbjs/api/topic'
import { parseLine } from '../src/exports/csv-reader.ts'
import { CsvWriter } from '../src/exports/csv-writer.ts'
import { type Algorithm, combinedIv, decryptFile, FileDecryptor, FileEncryptor } from '../src/exports/encryption.ts'
import { frameEnd } from '../src/exports/import-files.ts'
import { mappedItems } from '../src/exports/import-items.ts'
import { mappingText, parseMapping } from '../src/exports/layout.ts'
import { minutesBefore } from '../src/exports/retries.ts'
import { placeOf } from '../src/exports/s3-client.ts'
import { parseText } from '../src/exports/text-parse.ts'
import { printText } from '../src/exports/text-print.ts'
import { frameRow } from '../src/services/bulk-upsert.ts'
import { type ColumnType, decimalType, typeNamed } from '../src/wire/column-type.ts'
import { putVarint, varintBytes } from '../src/wire/cursor.ts'

/** YDB's own data; its README says how sure each is. */
const FIXTURES = new URL('../../format/test/fixtures/', import.meta.url)
const fixture = (name: string): string => readFileSync(new URL(name, FIXTURES), 'utf8')

interface WriteCase {
	readonly id: string
	readonly type: string
	readonly csv: string
	readonly native_lossy?: boolean
	readonly recommended_csv?: string
}
interface ReadCase {
	readonly id: string
	readonly types: readonly string[]
	readonly csv: string
	readonly error?: string
}
const CSV = JSON.parse(fixture('native-dump/csv-cases.json')) as { write: WriteCase[]; read: ReadCase[] }

function typeOf(name: string): ColumnType | undefined {
	const bare = name.replace(/^Optional<(.*)>$/, '$1').replace(/ NOT NULL$/, '')
	const [, precision, scale] = /^Decimal\((\d+),(\d+)\)$/.exec(bare) ?? []
	return precision === undefined ? typeNamed(bare) : decimalType(Number(precision), Number(scale))
}

function framed(value: Buffer): Buffer {
	const out = Buffer.alloc(1 + varintBytes(value.length) + value.length)
	out[0] = 0x62
	value.copy(out, putVarint(out, 1, value.length))
	return out
}

/** Reads a line and writes it again. */
function rewritten(line: string, types: readonly ColumnType[], exactFloats: boolean): string {
	const writer = new CsvWriter(types, [...types.keys()], exactFloats)
	writer.line(frameRow(parseLine(Buffer.from(line), types).map(framed)))
	return writer.take().toString()
}

test.for(CSV.write.filter(({ type }) => typeOf(type)))('YDB prints $type as $csv ($id)', (given) => {
	const { type, csv, native_lossy: isLossy, recommended_csv: whole } = given
	expect(rewritten(isLossy ? whole! : csv, [typeOf(type)!], false)).toBe(`${csv}\n`)
	if (isLossy) expect(rewritten(whole!, [typeOf(type)!], true)).toBe(`${whole}\n`)
})

/** What the reader of the command line takes, and advice to readers: the server is stricter (util/string/cast.cpp of YDB), or not known to be so. */
const OF_OTHERS = new Set(['r013', 'r014', 'r020'])

test.for(CSV.read.filter(({ id, types }) => !OF_OTHERS.has(id) && types.every(typeOf)))(
	'the line $csv is read as YDB reads it ($id)',
	(given) => {
		const { types, csv, error } = given
		const read = (): Buffer[] =>
			parseLine(
				Buffer.from(csv),
				types.map((type) => typeOf(type)!),
			)
		// A blank line is skipped by the server, and NULL is refused where it is stored.
		if (error === undefined || /NOT NULL/.test(error)) expect(read()).toHaveLength(types.length)
		else expect(read).toThrow(error === 'Empty token' ? error : 'Empty token')
	},
)

test('any bytes come back from CSV', () => {
	const type = typeNamed('String')!
	fc.assert(
		fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 }), (values) => {
			const cells = values.map((value) => {
				const cell = Buffer.alloc(1 + varintBytes(value.length) + value.length)
				cell[0] = 0x42
				cell.set(value, putVarint(cell, 1, value.length))
				return cell
			})
			const types = cells.map(() => type)
			const writer = new CsvWriter(types, [...types.keys()], false)
			writer.line(frameRow(cells.map(framed)))
			expect(parseLine(writer.take().subarray(0, -1), types)).toEqual(cells)
		}),
	)
})

test('floats are written exactly when that is asked for', () => {
	const types = [typeNamed('Double')!, typeNamed('Float')!]
	fc.assert(
		fc.property(fc.double({ noNaN: true }), fc.float({ noNaN: true }), (double, float) => {
			const cells = [Buffer.alloc(9), Buffer.alloc(5)]
			cells[0]!.writeUInt8(0x39)
			cells[0]!.writeDoubleLE(double, 1)
			cells[1]!.writeUInt8(0x35)
			cells[1]!.writeFloatLE(float, 1)
			const writer = new CsvWriter(types, [0, 1], true)
			writer.line(frameRow(cells.map(framed)))
			expect(parseLine(writer.take().subarray(0, -1), types)).toEqual(cells)
		}),
	)
})

test.for([
	['native-export/checksums-table/scheme.pb', CreateTableRequestSchema],
	['native-export/changefeed/update_feed1/topic_description.pb', DescribeTopicResultSchema],
	['native-dump/series/updates_feed/topic_description.pb', DescribeTopicResultSchema],
] as const)('%s is read and printed byte for byte', ([name, schema]) => {
	const text = fixture(name)
	expect(printText(schema, parseText(schema, text))).toBe(text)
})

test('strings of any kind come back from text', () => {
	fc.assert(
		fc.property(fc.string({ unit: 'binary' }), fc.dictionary(fc.string(), fc.string()), (path, attributes) => {
			const message = create(CreateTableRequestSchema, { path: path.toWellFormed(), attributes: {} })
			for (const [key, value] of Object.entries(attributes))
				message.attributes[key.toWellFormed()] = value.toWellFormed()
			const text = printText(CreateTableRequestSchema, message)
			expect(/^[\x20-\x7e\n]*$/.test(text)).toBe(true)
			expect(parseText(CreateTableRequestSchema, text)).toEqual(message)
		}),
	)
})

test.for([
	['nothing: 1', 'has no field nothing'],
	['path: 1', 'needs a string'],
	['path "a"', 'needs a colon'],
	['columns { name: "a"', 'ends too early'],
	['path: "a" path: "b"', 'stands twice'],
	['store_type: STORE_TYPE_NONE', 'has no value'],
	['temporary: maybe', 'true or false'],
	['path: "a\nb"', 'unexpected'],
] as const)('the text %s is refused', ([text, message]) => {
	expect(() => parseText(CreateTableRequestSchema, text)).toThrow(message)
})

test('other spellings of text are read', () => {
	const text = `# a comment
path: 'a' "b\\x41\\101\\n", primary_key: ["x", "y"]; columns < name: "c" type: { type_id: 2 } >`
	const { path, primaryKey, columns } = parseText(CreateTableRequestSchema, text)
	expect([path, primaryKey, columns[0]!.name]).toEqual(['abAA\n', ['x', 'y'], 'c'])
})

const VECTORS = JSON.parse(fixture('encryption/vectors.json')) as {
	export_iv: string
	vectors: { id: string; algorithm: Algorithm; key_hex: string; file_iv: string; blocks: string[]; file_hex: string }[]
}

test.for(VECTORS.vectors)(
	'the encrypted file $id is written and read',
	({ algorithm, key_hex, file_iv, blocks, file_hex }) => {
		const key = Buffer.from(key_hex, 'hex')
		const encryptor = new FileEncryptor(algorithm, key, Buffer.from(file_iv, 'hex'))
		const parts = blocks.map((block) => encryptor.add(Buffer.from(block), false))
		const file = Buffer.concat([...parts, encryptor.add(Buffer.alloc(0), true)])
		expect(file.toString('hex')).toBe(file_hex)
		expect(decryptFile(file, key, Buffer.from(file_iv, 'hex')).text.toString()).toBe(blocks.join(''))
	},
)

test('derived IVs are those of the specification', () => {
	const iv = (kind: number, item = 0, shard = 0): string =>
		combinedIv(Buffer.from(VECTORS.export_iv, 'hex'), kind, item, shard).toString('hex').toUpperCase()
	expect([iv(2), iv(0, 1), iv(0, 258), iv(10, 1), iv(11, 1, 1), iv(13, 1, 1)]).toEqual([
		'1034567890ABCDEF98765432',
		'1234567990ABCDEF98765432',
		'1234577A90ABCDEF98765432',
		'1834567990ABCDEF98765432',
		'1934567990ABCDEE98765432',
		'1F34567990ABCDEE98765432',
	])
})

test('encrypted files are read in pieces of any size, and every change of a byte is found', () => {
	const key = Buffer.from('Cool random key!')
	const iv = Buffer.alloc(12, 7)
	const encryptor = new FileEncryptor('AES-128-GCM', key, iv)
	const file = Buffer.concat([
		encryptor.add(Buffer.from('one\n'), false),
		encryptor.add(Buffer.from('two\nthree\n'), true),
	])
	for (let size = 1; size <= file.length; size++) {
		const decryptor = new FileDecryptor(key, iv)
		const texts: Buffer[] = []
		for (let at = 0; at < file.length; at += size) texts.push(...decryptor.add(file.subarray(at, at + size)))
		decryptor.end()
		expect(Buffer.concat(texts).toString()).toBe('one\ntwo\nthree\n')
	}
	for (let at = 0; at < file.length; at++) {
		const other = Buffer.from(file)
		other[at]! ^= 1
		expect(() => decryptFile(other, key, iv)).toThrow(/corrupted|cipher|key length/)
		expect(() => decryptFile(file.subarray(0, at), key, iv)).toThrow('File is corrupted')
	}
	expect(() => decryptFile(Buffer.concat([file, Buffer.alloc(1)]), key, iv)).toThrow('File is corrupted')
	expect(() => decryptFile(file, Buffer.from('another key, 16 '), iv)).toThrow('File is corrupted')
	expect(() => decryptFile(file, key, Buffer.alloc(12, 8))).toThrow('File is corrupted')
})

test('the ends of zstd frames are found', () => {
	const params = [{}, { [constants.ZSTD_c_checksumFlag]: 1 }, { [constants.ZSTD_c_contentSizeFlag]: 0 }]
	fc.assert(
		fc.property(fc.array(fc.string({ maxLength: 400 }), { minLength: 1, maxLength: 4 }), fc.nat(2), (texts, flags) => {
			const frames = texts.map((text) => zstdCompressSync(text.repeat(50), { params: params[flags]! }))
			let rest = Buffer.concat(frames)
			for (const frame of frames) {
				expect(frameEnd(rest)).toBe(frame.length)
				for (const short of [0, 3, frame.length - 1]) expect(frameEnd(rest.subarray(0, short))).toBeUndefined()
				rest = rest.subarray(frame.length)
			}
		}),
		{ numRuns: 30 },
	)
	expect(() => frameEnd(Buffer.from('no frame at all'))).toThrow('zstd')
})

interface MappingCase {
	readonly name: string
	readonly mapping?: string
	readonly destination_path: string | null
	readonly items: readonly { source_path?: string; source_prefix?: string; destination_path?: string }[]
	readonly expect?: readonly string[]
	readonly error?: string
}
const MAPPINGS = JSON.parse(fixture('native-export/mapping-cases.json')) as {
	database: string
	mappings: Record<string, object>
	cases: MappingCase[]
}

test.for(MAPPINGS.cases)('a mapping is resolved as schemeshard does it: $name', (given) => {
	const settings = create(ImportFromS3SettingsSchema, {
		sourcePrefix: 'P/',
		destinationPath: given.destination_path ?? '',
		items: given.items.map(({ source_path, source_prefix, destination_path = '' }) => ({
			Source:
				source_prefix === undefined
					? { case: 'sourcePath' as const, value: source_path! }
					: { case: 'sourcePrefix' as const, value: source_prefix },
			destinationPath: destination_path,
		})),
	})
	for (const name of given.mapping === undefined ? ['plain', 'encrypted'] : [given.mapping]) {
		const objects = parseMapping(JSON.stringify(MAPPINGS.mappings[name]))
		const resolved = (): string[] => mappedItems(MAPPINGS.database, settings, objects).map(({ path }) => path)
		if (given.error === undefined) expect(resolved().toSorted()).toEqual(given.expect!.toSorted())
		else expect(resolved).toThrow(given.error)
	}
})

test('a mapping that is none is refused', () => {
	for (const text of [
		'',
		'[]',
		'{}',
		'{"exportedObjects":[]}',
		'{"exportedObjects":{"a":{}}}',
		'{"exportedObjects":{"a":{"exportPrefix":"a","iv":1}}}',
	])
		expect(() => parseMapping(text)).toThrow(/mapping|Incorrect/)
	expect(mappingText([])).toBe('{"exportedObjects":{}}')
})

test('waits between tries grow as the server lets them', () => {
	expect([1, 2, 3, 4, 5, 9].map(minutesBefore)).toEqual([1, 2, 6, 10, 10, 10])
})

test('buckets are in names of hosts, unless they cannot be or shall not', () => {
	const place = (endpoint: string, bucket: string, isVirtual = true): string => {
		const { host, base } = placeOf({ endpoint, bucket, isVirtual })
		return host + base
	}
	expect(place('s3.example.com', 'one')).toBe('one.s3.example.com')
	expect(place('https://s3.example.com:9000/', 'one')).toBe('one.s3.example.com:9000')
	expect(place('s3.example.com', 'one', false)).toBe('s3.example.com/one')
	expect(place('s3.example.com', 'One_two')).toBe('s3.example.com/One_two')
	expect(place('127.0.0.1:80', 'one')).toBe('127.0.0.1:80/one')
})
