import { type BackupError, isBackupError } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { canonicalJson, decodeManifest, encodeManifest, type JsonValue, parseJson, sha256Hex } from '../src/index.ts'
import { type Loose, looseManifest, sampleManifest } from './sample-manifest.ts'

const WHERE = 'catalog/x/manifest.json'

function refusal(bytes: Uint8Array): BackupError {
	try {
		decodeManifest(bytes, WHERE)
	} catch (error) {
		if (isBackupError(error)) return error
		throw error
	}
	throw new Error('it was accepted')
}
/** A manifest that was changed by somebody who can compute hashes. */
function forged(change: (manifest: Loose) => void): Uint8Array {
	const manifest = looseManifest()
	change(manifest)
	return encodeManifest(manifest)
}

test('a manifest comes back as it was', () => {
	const bytes = encodeManifest(sampleManifest())
	const { sha256, ...rest } = decodeManifest(bytes, WHERE)
	expect(rest).toStrictEqual(sampleManifest())
	expect(sha256).toMatch(/^[0-9a-f]{64}$/u)
	expect(encodeManifest(rest)).toEqual(bytes)
})

test('the hash is of the canonical JSON without it, so that anybody can check it', () => {
	const value = JSON.parse(Buffer.from(encodeManifest(sampleManifest())).toString()) as Record<string, JsonValue>
	const { sha256, ...rest } = value
	expect(sha256Hex(Buffer.from(canonicalJson(rest)))).toBe(sha256)
})

test('the order in which fields were set changes nothing', () => {
	const reversed = Object.fromEntries(Object.entries(sampleManifest()).toReversed()) as unknown as Loose
	expect(encodeManifest(reversed)).toEqual(encodeManifest(sampleManifest()))
	expect(encodeManifest({ ...sampleManifest(), parent: undefined })).toEqual(encodeManifest(sampleManifest()))
})

test('every flipped bit of a manifest is seen', () => {
	const bytes = Buffer.from(encodeManifest(sampleManifest()))
	for (let bit = 0; bit < bytes.length * 8; bit += 3) {
		const damaged = Buffer.from(bytes)
		damaged[bit >> 3]! ^= 1 << (bit & 7)
		expect(['MANIFEST_INVALID', 'MANIFEST_VERSION']).toContain(refusal(damaged).code)
	}
})

test('every cut and every byte too many is seen', () => {
	const bytes = Buffer.from(encodeManifest(sampleManifest()))
	for (let length = 0; length < bytes.length; length += 7) {
		expect(refusal(bytes.subarray(0, length)).code).toBe('MANIFEST_INVALID')
	}
	for (const tail of ['\n', ' ', '{}', '\0']) {
		expect(refusal(Buffer.concat([bytes, Buffer.from(tail)])).code).toBe('MANIFEST_INVALID')
	}
})

test('another spelling of the same content is refused: there is one manifest, not many', () => {
	const text = Buffer.from(encodeManifest(sampleManifest())).toString()
	const pretty = JSON.stringify(JSON.parse(text), undefined, 1)
	for (const other of [
		pretty,
		text.replace('"full"', String.raw`"\u0066ull"`),
		text.replace('"size":100', '"size":1e2'),
	]) {
		expect(refusal(Buffer.from(other)).message).toContain('not spelt as it was written')
	}
})

test('a key that is there twice is refused, whichever of the two a reader would take', () => {
	const text = Buffer.from(encodeManifest(sampleManifest())).toString()
	expect(refusal(Buffer.from(text.replace('{', '{"id":"x",'))).message).toContain('twice')
})

test('fields that a newer minor version wrote are ignored, and still covered by the hash', () => {
	const bytes = forged((manifest) => {
		manifest.brandNew = { deep: [1, 'x', null, true] }
		manifest.files[0].brandNew = 5
		manifest.objects[0].brandNew = null
	})
	expect(decodeManifest(bytes, WHERE).files).toEqual(sampleManifest().files)
	const changed = Buffer.from(Buffer.from(bytes).toString().replace('"deep":[1', '"deep":[2'))
	expect(refusal(changed).message).toContain('SHA-256')
})

test('what only a newer version can know is refused as newer, not as damaged', () => {
	const changes: ((manifest: Loose) => void)[] = [
		(manifest) => (manifest.version = 2),
		(manifest) => (manifest.kind = 'differential'),
		(manifest) => (manifest.layout = 'native-export-2'),
		(manifest) => (manifest.compression = 'brotli-5'),
		(manifest) => (manifest.objects[0].kind = 'hologram'),
		(manifest) => (manifest.files[0].role = 'view'),
		(manifest) => (manifest.files[0].provenance = 'rumour'),
		(manifest) => (manifest.clock = 'sundial'),
	]
	for (const change of changes) expect(refusal(forged(change)).code, String(change)).toBe('MANIFEST_VERSION')
})

const HOSTILE: [string, (manifest: Loose) => void, RegExp][] = [
	['another kind of file', (m) => (m.ydbackup = 'repository'), /no manifest/u],
	['a version that is no number', (m) => (m.version = '1'), /version/u],
	['no files', (m) => delete m.files, /files, which is missing/u],
	['files that are no array', (m) => (m.files = { length: 3 }), /no array/u],
	['a file that is null', (m) => (m.files[1] = null), /files\[1\]/u],
	['a key that climbs', (m) => (m.files[0].key = `backups/${m.id}/001/../../../etc/passwd`), /no key below/u],
	['an absolute key', (m) => (m.files[0].key = '/etc/passwd'), /no key below/u],
	[
		'a key of another backup',
		(m) => (m.files[0].key = 'backups/20261123T021530Z-aaaa/001/data_00.csv.zst'),
		/no key below/u,
	],
	['a key of another folder', (m) => (m.files[0].key = `backups/${m.id}/002/data_00.csv.zst`), /no key below/u],
	['a key that only begins alike', (m) => (m.files[0].key = `backups/${m.id}/0012/data_00.csv.zst`), /no key below/u],
	['a key with odd characters', (m) => (m.files[0].key = `backups/${m.id}/001/a b`), /no key below/u],
	['a key as long as a book', (m) => (m.files[0].key = `backups/${m.id}/001/${'a'.repeat(600)}`), /no key below/u],
	['a key twice', (m) => (m.files[1].key = m.files[0].key), /file .* twice/u],
	['a partition twice', (m) => (m.files[1].partition = 0), /partition .* twice/u],
	['a data file of no partition', (m) => delete m.files[0].partition, /no partition/u],
	[
		'a file of no object',
		(m) => {
			m.files[2].object = '009'
			m.files[2].key = `backups/${m.id}/009/scheme.pb`
		},
		/no object/u,
	],
	['a negative size', (m) => (m.files[0].size = -1), /whole number/u],
	['a size with a fraction', (m) => (m.files[0].size = 1.5), /whole number/u],
	['a size above 2^53', (m) => (m.files[0].size = 2 ** 53), /whole number/u],
	['a size that is text', (m) => (m.files[0].size = '100'), /whole number/u],
	['rows below zero', (m) => (m.files[0].rows = -3), /whole number/u],
	['rows of a table with a sign', (m) => (m.objects[1].rows = '-7'), /number of rows/u],
	['rows of a table with a fraction', (m) => (m.objects[1].rows = '7.5'), /number of rows/u],
	['rows of a table as a number', (m) => (m.objects[1].rows = 7), /no text/u],
	['rows of absurd length', (m) => (m.objects[1].rows = '9'.repeat(1000)), /number of rows/u],
	['a short hash', (m) => (m.files[0].sha256 = 'abcd'), /no SHA-256/u],
	['a hash in capitals', (m) => (m.files[0].sha256 = 'AB'.repeat(32)), /no SHA-256/u],
	['a hash with a line end', (m) => (m.files[0].sha256 = `${'ab'.repeat(32)}\n`), /no SHA-256/u],
	['a path that climbs', (m) => (m.objects[1].path = 'dir/../../etc'), /no path/u],
	['an absolute path', (m) => (m.objects[1].path = '/local/t'), /no path/u],
	['a path with an empty name', (m) => (m.objects[1].path = 'dir//t'), /no path/u],
	['a path with NUL', (m) => (m.objects[1].path = 'dir/\0t'), /no path/u],
	['a table without a path', (m) => (m.objects[1].path = ''), /no path/u],
	['a path of half a character', (m) => (m.objects[1].path = 'dir/\ud800'), /Unicode/u],
	['a path twice', (m) => (m.objects[1].path = 'dir'), /object "dir" twice/u],
	['a folder that climbs', (m) => (m.objects[1].prefix = '..'), /folder/u],
	['a table without a folder', (m) => delete m.objects[1].prefix, /without a folder|no object/u],
	['a directory with a folder', (m) => (m.objects[0].prefix = '002'), /with a folder/u],
	['a wrong count of files', (m) => (m.counts.files = 4_000_000), /counts 4000000 files and lists 3/u],
	['a wrong count of tables', (m) => (m.counts.tables = 2), /tables/u],
	['an id that climbs', (m) => (m.id = '../../x'), /id/u],
	['a repository that climbs', (m) => (m.repository = 'a/b'), /repository/u],
	['labels that are no texts', (m) => (m.labels = { a: { b: 1 } }), /labels/u],
	['labels that are an array', (m) => (m.labels = ['a']), /labels/u],
	['paths that climb', (m) => (m.paths = ['a/../..']), /paths/u],
	['a time that is none', (m) => (m.snapshotAfter = 'yesterday'), /snapshotAfter/u],
	['a time of another zone', (m) => (m.createdAt = '2026-11-23T02:15:30+03:00'), /createdAt/u],
	[
		'a full backup with a parent',
		(m) => (m.parent = { id: 'x', manifestSha256: 'ab'.repeat(32) }),
		/full and has a parent/u,
	],
	['an increment without a parent', (m) => (m.kind = 'incremental'), /no parent/u],
	[
		'its own child',
		(m) => {
			m.kind = 'incremental'
			m.parent = { id: m.id, manifestSha256: 'ab'.repeat(32) }
		},
		/own parent/u,
	],
	['a flag that is a text', (m) => (m.objects[1].countedByServer = 'false'), /neither true nor false/u],
	['an endless reason', (m) => (m.notes[0].reason = 'x'.repeat(100_000)), /longer than/u],
]

test.for(HOSTILE)('a manifest with %s is refused', ([, change, message]) => {
	const error = refusal(forged(change))
	expect(error.code).toBe('MANIFEST_INVALID')
	expect(error.message).toMatch(message)
	expect(error.message.startsWith(WHERE)).toBe(true)
	expect(error.message.length).toBeLessThan(1000)
})

test('names that objects of JavaScript treat as special are names like others', () => {
	const bytes = forged((manifest) => {
		manifest.labels = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}') as Loose
		manifest.objects[1].path = '__proto__/constructor'
	})
	const manifest = decodeManifest(bytes, WHERE)
	expect(Object.entries(manifest.labels)).toEqual([
		['__proto__', 'a'],
		['constructor', 'b'],
		['toString', 'c'],
	])
	expect(manifest.objects[1]?.path).toBe('__proto__/constructor')
	expect(({} as Loose).a).toBeUndefined()
	const inherited = refusal(
		forged((one) => {
			delete one.labels
			one['__proto__'] = { labels: {} }
		}),
	)
	expect(inherited.message).toContain('labels')
})

test('a key __proto__ in the text brings no fields in', () => {
	const text = canonicalJson({ ...(sampleManifest() as unknown as Record<string, JsonValue>), labels: undefined })
	const bytes = Buffer.from(text.replace('{', '{"__proto__":{"labels":{},"sha256":"x"},'))
	expect(refusal(bytes).message).toContain('sha256, which is missing')
})

test('arrays inside arrays are an error, not a stack overflow', () => {
	expect(refusal(Buffer.from('['.repeat(5_000_000))).message).toContain('inside each other')
	expect(refusal(Buffer.from('{"a":'.repeat(1_000_000))).message).toContain('inside each other')
	const deep = forged((manifest) => (manifest.more = JSON.parse('['.repeat(40) + ']'.repeat(40))))
	expect(refusal(deep).message).toContain('inside each other')
})

test('absurd numbers of values are refused before they take memory', () => {
	const before = process.memoryUsage().heapUsed
	expect(refusal(Buffer.from(`[${'{},'.repeat(10_000_000)}{}]`)).message).toContain('values')
	expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20)
	expect(() => parseJson(Buffer.alloc(100), { maxBytes: 99 }, (what) => new Error(what) as BackupError)).toThrow(
		'100 bytes',
	)
})

test('bytes that are no UTF-8, and a byte order mark, are refused', () => {
	const bytes = Buffer.from(encodeManifest(sampleManifest()))
	const at = bytes.indexOf('prod')
	bytes[at] = 0xff
	expect(refusal(bytes).message).toContain('not JSON in UTF-8')
	expect(refusal(Buffer.concat([Buffer.from('\ufeff'), encodeManifest(sampleManifest())])).code).toBe(
		'MANIFEST_INVALID',
	)
})

test('canonical JSON is one spelling that reads back', () => {
	fc.assert(
		fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
			const text = canonicalJson(value as JsonValue)
			const parsed = JSON.parse(text) as JsonValue
			expect(canonicalJson(parsed)).toBe(text)
			expect(parsed).toEqual(JSON.parse(JSON.stringify(value)))
		}),
	)
	expect(canonicalJson({ b: 1, a: [], 10: 'x', 9: null, '001': { é: 1, z: 2 } })).toBe(
		'{"001":{"z":2,"é":1},"10":"x","9":null,"a":[],"b":1}',
	)
})
