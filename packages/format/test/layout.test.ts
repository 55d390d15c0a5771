import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { checksumFile, layout, parseChecksumFile, sha256Hex } from '../src/index.ts'

const exported = join(import.meta.dirname, 'fixtures/native-export')
const misc = JSON.parse(readFileSync(join(exported, 'misc.json'), 'utf8')) as Record<
	string,
	{ text: string; sha256: string }
>
const mappings = JSON.parse(readFileSync(join(exported, 'mapping-cases.json'), 'utf8')) as {
	mappings: Record<string, unknown>
}
const file = (name: string): Buffer => readFileSync(join(exported, 'checksums-table', name))
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const string = (value: Uint8Array): string => Buffer.from(value).toString()

test('metadata.json of a table is what the server writes, byte for byte', () => {
	const snapshotVts = [5_000_004, 281_474_976_710_758] as const
	expect(Buffer.from(layout.itemMetadata({ version: 1, permissions: true, snapshotVts }))).toEqual(
		file('metadata.json'),
	)
	const without = layout.itemMetadata({ version: 1, permissions: false, snapshotVts })
	expect(sha256Hex(without)).toBe(misc['table_metadata_permissions_off']!.sha256)
})

test('metadata.json without a snapshot time holds no empty entry', () => {
	expect(string(layout.itemMetadata({ version: 1, permissions: true }))).toBe(
		'{"version":1,"permissions":1,"changefeeds":[]}',
	)
	expect(string(layout.itemMetadata({ version: 0 }))).toBe('{"version":0,"changefeeds":[]}')
})

test('root and mapping metadata are what the server writes, byte for byte', () => {
	expect(string(layout.rootMetadata({ checksum: false }))).toBe(misc['root_metadata']!.text)
	expect(string(layout.rootMetadata({ compression: 'zstd-1' }))).toBe(
		'{"kind":"SimpleExportV0","compression":"zstd-1","checksum":"sha256"}',
	)
	expect(string(layout.rootMetadata({ compression: 'none' }))).toBe('{"kind":"SimpleExportV0","checksum":"sha256"}')
	expect(sha256Hex(layout.schemaMappingMetadata())).toBe(misc['schema_mapping_metadata']!.sha256)
})

test('checksum files are what the server writes, byte for byte', () => {
	for (const name of ['data_00.csv', 'metadata.json', 'permissions.pb', 'scheme.pb']) {
		const hex = sha256Hex(file(name))
		expect(Buffer.from(checksumFile(name, hex))).toEqual(file(layout.checksumName(name)))
		expect(parseChecksumFile(file(layout.checksumName(name)), name)).toBe(hex)
	}
})

test('checksum files are read with and without a name, and nothing else is taken for one', () => {
	const hex = 'ab'.repeat(32)
	for (const text of [hex, `${hex} x`, `${hex}  x\n`, `${hex}\n`, hex.toUpperCase()]) {
		expect(parseChecksumFile(Buffer.from(text), 'f')).toBe(hex)
	}
	for (const text of ['', ' ', hex.slice(1), `${hex}a`, `x${hex.slice(1)}`, `${hex} ${'x'.repeat(5000)}`]) {
		expect(() => parseChecksumFile(Buffer.from(text), 'f.sha256')).toThrow('f.sha256 holds no SHA-256')
	}
})

test('a checksum file is named after the plain file', () => {
	expect(layout.checksumName('data_00.csv.zst')).toBe('data_00.csv.sha256')
	expect(layout.checksumName('data_00.csv.zst.enc')).toBe('data_00.csv.sha256')
	expect(layout.checksumName('metadata.json.enc')).toBe('metadata.json.sha256')
})

test('numbers in names have as many digits as they need', () => {
	expect([1, 99, 1000].map(layout.itemPrefix)).toEqual(['001', '099', '1000'])
	expect(layout.dataName(0, 'none')).toBe('data_00.csv')
	expect(layout.dataName(123, 'zstd-1')).toBe('data_123.csv.zst')
})

test('a mapping keeps order and names, also those that objects of JavaScript treat as special', () => {
	const items = ['b', '10', '2', '__proto__', 'constructor', 'dir/Tab "x"\\'].map((path, index) => ({
		path,
		exportPrefix: layout.itemPrefix(index + 1),
	}))
	const bytes = layout.schemaMapping(items)
	expect(string(bytes)).toContain('{"exportedObjects":{"b":{"exportPrefix":"001"},"10":{"exportPrefix":"002"},"2":')
	const read = layout.readSchemaMapping(bytes, 'm')
	expect(read).toHaveLength(items.length)
	expect(read).toEqual(expect.arrayContaining(items))
	expect(({} as Record<string, unknown>)['exportPrefix']).toBeUndefined()
})

test('mappings of the server are read, with and without encryption', () => {
	expect(layout.readSchemaMapping(json(mappings.mappings['plain']), 'm')).toEqual([
		{ path: 'dir1/Table1', exportPrefix: 'prefix1' },
		{ path: 'dir2/Table2', exportPrefix: 'prefix2' },
		{ path: 'dir1/dir2/Table3', exportPrefix: 'prefix/prefix3' },
	])
	expect(layout.readSchemaMapping(json(mappings.mappings['encrypted']), 'm')[2]?.iv).toBe('1234567890ABCDEF98765432')
	expect(layout.readSchemaMapping(json(mappings.mappings['empty']), 'm')).toEqual([])
})

test.for<[string, string]>([
	['{"exportedObjects":{"a":{"exportPrefix":"../x"}}}', 'no relative path'],
	['{"exportedObjects":{"a":{"exportPrefix":"/x"}}}', 'no relative path'],
	['{"exportedObjects":{"a":{"exportPrefix":""}}}', 'no relative path'],
	['{"exportedObjects":{"../a":{"exportPrefix":"1"}}}', 'no path of an object'],
	['{"exportedObjects":{"/a":{"exportPrefix":"1"}}}', 'no path of an object'],
	['{"exportedObjects":{"a":{"exportPrefix":"1"},"a":{"exportPrefix":"2"}}}', 'twice'],
	['{"exportedObjects":{"a":{"exportPrefix":"1"},"\\u0061":{"exportPrefix":"2"}}}', 'twice'],
	['{"exportedObjects":{"__proto__":{"exportPrefix":"1"},"__proto__":{"exportPrefix":"2"}}}', 'twice'],
	['{"exportedObjects":{"a":{"exportPrefix":"1"},"b":{"exportPrefix":"1"}}}', 'another object'],
	['{"exportedObjects":{"a":{"exportPrefix":"1","iv":"00"}}}', 'no IV'],
	[
		'{"exportedObjects":{"a":{"exportPrefix":"1","iv":"1234567890ABCDEF98765432"},"b":{"exportPrefix":"2"}}}',
		'some objects only',
	],
	[
		'{"exportedObjects":{"a":{"exportPrefix":"1"},"b":{"exportPrefix":"2","iv":"1234567890ABCDEF98765432"}}}',
		'some objects only',
	],
	['{"exportedObjects":{"a":{}}}', 'exportPrefix, which is missing'],
	['{"exportedObjects":[]}', 'no object'],
	['{"exportedObjects":null}', 'no object'],
	['{}', 'no object'],
	['[]', 'no object'],
	['', 'not JSON'],
	['{"exportedObjects":{}', 'not JSON'],
])('the mapping %s is refused', ([source, message]) => {
	expect(() => layout.readSchemaMapping(Buffer.from(source), 'mapping.json')).toThrow(message)
	expect(() => layout.readSchemaMapping(Buffer.from(source), 'mapping.json')).toThrow(/^mapping\.json /u)
})

test('metadata.json of a table is read in any order, with keys that nobody knows yet', () => {
	expect(layout.readItemMetadata(json({ version: 0 }), 'm')).toEqual({
		checksums: false,
		permissions: undefined,
		changefeeds: undefined,
		indexes: undefined,
	})
	expect(layout.readItemMetadata(json({}), 'm').checksums).toBe(true)
	const full = {
		new_key: [1, { a: 2 }],
		changefeeds: [{ prefix: '001', name: 'feed' }],
		permissions: 1,
		indexes: [{ export_prefix: 'i/indexImplTable', impl_table_prefix: 'i/indexImplTable' }],
		full_backups: [{ snapshot_vts: [1, 2] }],
		version: 1,
	}
	expect(layout.readItemMetadata(json(full), 'm')).toEqual({
		checksums: true,
		permissions: true,
		changefeeds: [{ prefix: '001', name: 'feed' }],
		indexes: [{ exportPrefix: 'i/indexImplTable', implTablePrefix: 'i/indexImplTable' }],
	})
	expect(layout.readItemMetadata(file('metadata.json'), 'm').permissions).toBe(true)
	expect(() => layout.readItemMetadata(json({ version: 2 }), 'm')).toThrow('version')
	expect(() => layout.readItemMetadata(json({ version: '1' }), 'm')).toThrow('version')
	expect(() => layout.readItemMetadata(json({ changefeeds: [{ prefix: '../..', name: 'x' }] }), 'm')).toThrow(
		'changefeeds',
	)
})

test('root metadata of an unknown kind or checksum is refused', () => {
	expect(layout.readRootMetadata(json({ checksum: 'sha256', kind: 'SimpleExportV0', more: 1 }), 'm')).toEqual({
		compression: undefined,
		encryption: undefined,
		checksum: true,
	})
	expect(() => layout.readRootMetadata(json({ kind: 'SimpleExportV1' }), 'm')).toThrow('SimpleExportV1')
	expect(() => layout.readRootMetadata(json({ kind: 'SimpleExportV0', checksum: 'md5' }), 'm')).toThrow('md5')
	expect(() => layout.readSchemaMappingMetadata(json({ kind: 'x' }), 'm')).toThrow('kind')
	layout.readSchemaMappingMetadata(layout.schemaMappingMetadata(), 'm')
})
