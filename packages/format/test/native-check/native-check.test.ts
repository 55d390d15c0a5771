import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'

import { expect, test } from 'vitest'

import { checkNativeExport, type NativeCheckOptions } from '../../src/index.ts'

type Files = Record<string, string | Buffer>

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

async function check(files: Files, options: NativeCheckOptions = {}): Promise<string[]> {
	const all = new Map(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes)]))
	const { problems } = await checkNativeExport(
		{
			async *list() {
				for (const [name, bytes] of all) yield { name, size: bytes.length }
			},
			async *read(name) {
				const bytes = all.get(name)!
				// In odd pieces, so that nothing leans on their borders.
				for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
			},
		},
		options,
	)
	return problems.map(({ file, message }) => `${file} ${message}`)
}

const SCHEME = `columns { name: "id" type { type_id: UINT64 } }
columns { name: "name" type { optional_type { item { type_id: UTF8 } } } }
primary_key: "id"
partition_at_keys { split_points {
  type { tuple_type { elements { optional_type { item { type_id: UINT64 } } } } }
  value { items { uint64_value: 100 } }
} }
`
const PLAIN: Files = {
	'metadata.json': '{"kind":"SimpleExportV0","checksum":"sha256"}',
	'SchemaMapping/metadata.json': '{"kind":"SchemaMappingV0"}',
	'SchemaMapping/mapping.json': '{"exportedObjects":{"dir/t":{"exportPrefix":"001"}}}',
	'001/metadata.json': '{"version":1,"permissions":1,"changefeeds":[]}',
	'001/permissions.pb': 'actions {\n  change_owner: "root@builtin"\n}\n',
	'001/scheme.pb': SCHEME,
	'001/data_00.csv': '1,"a"\n99,null\n',
	'001/data_01.csv': '100,"%D0%9F+x"\n',
}

/** With the sidecars that belong to it; `after` changes what is there then. */
function sound(change: Files = {}, after: Record<string, string | Buffer | undefined> = {}): Files {
	const files = { ...PLAIN, ...change }
	const sidecars = Object.entries(files).map(([name, bytes]) => [
		`${name}.sha256`,
		`${sha256(bytes)} ${name.split('/').at(-1)}`,
	])
	const all = { ...files, ...Object.fromEntries(sidecars), ...after } as Files
	return Object.fromEntries(Object.entries(all).filter(([, bytes]) => (bytes as unknown) !== undefined))
}

/** The same with data files of zstd frames. */
function packed(frames: readonly string[], sum = frames.join('')): Files {
	const files = sound({ 'metadata.json': '{"kind":"SimpleExportV0","compression":"zstd-1","checksum":"sha256"}' })
	const { '001/data_00.csv': _, ...rest } = files
	return {
		...rest,
		'001/data_00.csv.zst': Buffer.concat(frames.map((frame) => zstdCompressSync(Buffer.from(frame)))),
		'001/data_00.csv.sha256': sha256(sum),
	}
}

test('a sound export has no problem, with and without checksums, compression and rows', async () => {
	expect(await check(sound())).toEqual([])
	expect(await check(sound(), { schemeOnly: true })).toEqual([])
	expect(
		await check({ ...PLAIN, 'metadata.json': '{"kind":"SimpleExportV0"}', '001/metadata.json': '{"version":0}' }),
	).toEqual([])
	expect(await check(packed(['1,"a"\n2,"b"\n', '3,null\n']))).toEqual([])
	expect(await check(packed([]))).toEqual([])
	expect(await check(sound({ '001/data_00.csv': '' }))).toEqual([])
})

const BROKEN: readonly (readonly [claim: string, files: Files, problem: RegExp])[] = [
	['no root', sound({}, { 'metadata.json': undefined }), /metadata\.json is not there/u],
	['another kind', sound({ 'metadata.json': '{"kind":"SimpleExportV1"}' }), /has the kind/u],
	[
		'another checksum',
		sound({ 'metadata.json': '{"kind":"SimpleExportV0","checksum":"md5"}' }),
		/checksum that is none/u,
	],
	['no mapping', sound({}, { 'SchemaMapping/mapping.json': undefined }), /mapping\.json is not there/u],
	['an empty mapping', sound({ 'SchemaMapping/mapping.json': '{"exportedObjects":{}}' }), /nothing to do/u],
	['a mapping of another kind', sound({ 'SchemaMapping/metadata.json': '{"kind":"x"}' }), /not known/u],
	[
		'two objects in one folder',
		sound({
			'SchemaMapping/mapping.json': '{"exportedObjects":{"a":{"exportPrefix":"001"},"b":{"exportPrefix":"001"}}}',
		}),
		/twice/u,
	],
	['an empty file', sound({ '001/metadata.json': '' }), /001\/metadata\.json is empty/u],
	['no sidecar', sound({}, { '001/scheme.pb.sha256': undefined }), /has no 001\/scheme\.pb\.sha256/u],
	[
		'a sidecar with a line end and no name',
		sound({}, { '001/data_00.csv.sha256': `${sha256(PLAIN['001/data_00.csv']!)}\n` }),
		/holds no SHA-256/u,
	],
	['another hash', sound({}, { '001/data_01.csv': '101,"b"\n' }), /its sidecar has/u],
	['checksums that an item denies', sound({ '001/metadata.json': '{"version":0}' }), /no checksums/u],
	[
		'permissions that are not there',
		sound({}, { '001/permissions.pb': undefined, '001/permissions.pb.sha256': undefined }),
		/permissions\.pb is not there/u,
	],
	['no scheme', sound({}, { '001/scheme.pb': undefined, '001/scheme.pb.sha256': undefined }), /no scheme file/u],
	['a scheme that is none', sound({ '001/scheme.pb': 'columns {' }), /without an end/u],
	[
		'a column without a type',
		sound({ '001/scheme.pb': SCHEME.replace('type { type_id: UINT64 }', '') }),
		/without a type/u,
	],
	[
		'a key that is no column',
		sound({ '001/scheme.pb': SCHEME.replace('primary_key: "id"', 'primary_key: "ie"') }),
		/no column/u,
	],
	['no key', sound({ '001/scheme.pb': SCHEME.replace('primary_key: "id"', '') }), /no primary key/u],
	[
		'a data file too few',
		sound({}, { '001/data_01.csv': undefined, '001/data_01.csv.sha256': undefined }),
		/2 partitions, and 1 data/u,
	],
	['a data file too many', sound({ '001/data_02.csv': '' }), /2 partitions, and 3 data/u],
	[
		'a gap in the numbers',
		sound({ '001/data_02.csv': '' }, { '001/data_01.csv': undefined, '001/data_01.csv.sha256': undefined }),
		/no data file of partition 1/u,
	],
	['a partition twice', sound({}, { '001/data_00.csv.zst': '' }), /two data files/u],
	['an odd name', sound({}, { '001/data_1.csv': '' }), /no name of a data file/u],
	['a file of nobody', sound({}, { 'notes.txt': 'x' }), /notes\.txt belongs to nothing/u],
	['no last line end', sound({ '001/data_00.csv': '1,"a"' }), /does not end with a line end/u],
	['an empty line', sound({ '001/data_00.csv': '1,"a"\n\n' }), /line 2 is empty/u],
	['a value too many', sound({ '001/data_00.csv': '1,"a",2\n' }), /3 values for 2/u],
	['a text that is not quoted', sound({ '001/data_00.csv': '1,a\n' }), /not quoted/u],
	['a text that is not escaped', sound({ '001/data_00.csv': '1,"a b"\n' }), /not quoted and escaped/u],
	['null in a column that has none', sound({ '001/data_00.csv': 'null,"a"\n' }), /cannot be null/u],
	['a number that is too large', sound({ '001/data_00.csv': '18446744073709551616,"a"\n' }), /too large/u],
	['a key above its partition', sound({ '001/data_00.csv': '100,"a"\n' }), /line 1 has a key above/u],
	['a key below its partition', sound({ '001/data_01.csv': '99,"a"\n' }), /line 1 has a key below/u],
	['a frame that ends within a row', packed(['1,"a"\n2,', '"b"\n']), /zstd frame that does not end with a row/u],
	[
		'a frame that is cut off',
		{ ...packed(['1,"a"\n']), '001/data_00.csv.zst': zstdCompressSync(Buffer.from('1,"a"\n')).subarray(0, -2) },
		/cut off/u,
	],
	['what is no frame', { ...packed([]), '001/data_00.csv.zst': Buffer.from('1,"a"\n2,"b"\n') }, /no zstd frame/u],
	[
		'a changefeed without its files',
		sound({ '001/metadata.json': '{"version":1,"changefeeds":[{"prefix":"feed","name":"feed"}]}' }),
		/changefeed_description\.pb is not there/u,
	],
]

test.for(BROKEN)('%s is found', async ([, files, problem]) => {
	const problems = await check(files)
	expect(
		problems.filter((one) => problem.test(one)),
		problems.join('\n'),
	).not.toEqual([])
})

test('what YDB wrote is sound', async () => {
	const folder = join(import.meta.dirname, '../fixtures/native-export/checksums-table')
	const table = Object.fromEntries(readdirSync(folder).map((name) => [`001/${name}`, readFileSync(join(folder, name))]))
	const own = (name: string, text: string): Files => ({ [name]: text, [`${name}.sha256`]: sha256(text) })
	const files = {
		...own('metadata.json', PLAIN['metadata.json'] as string),
		...own('SchemaMapping/metadata.json', PLAIN['SchemaMapping/metadata.json'] as string),
		...own('SchemaMapping/mapping.json', PLAIN['SchemaMapping/mapping.json'] as string),
		...table,
	}
	expect(await check(files)).toEqual([])
})

test('the checker shares no code with the writer', () => {
	const folder = join(import.meta.dirname, '../../src/native-check')
	for (const name of readdirSync(folder)) {
		for (const [, from] of readFileSync(join(folder, name), 'utf8').matchAll(/from '([^']+)'/gu)) {
			expect(from, name).toMatch(/^(?:node:|\.\/)/u)
		}
	}
})
