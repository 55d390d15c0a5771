import { Repository } from '@ydbackup/catalog'
import { isBackupError, type KeyProvider } from '@ydbackup/core'
import { layout, printProtoText, sha256Hex } from '@ydbackup/format'
import { openMemory } from '@ydbackup/storage'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

import {
	type DumpTarget,
	exportDump,
	restoreFrom,
	type RestoreFromOptions,
	type RestoreFromResult,
} from '../src/index.ts'
import { FakeDatabase } from './fake-database.ts'
import { permissionsOf, schemeOf } from './row-bytes.ts'
import { createWorld, World } from './world.ts'

const SCHEME = printProtoText(schemeOf())
const ROWS = ['1,"one",1.5\n', '2,null,nan\n', '3,"t%2Cwo+^",inf\n']
const EXPORT = '{"version":0}'

type Files = Readonly<Record<string, string | Uint8Array>>

async function from(
	files: Files,
	options: Partial<RestoreFromOptions> = {},
	sink: FakeDatabase = new FakeDatabase(),
): Promise<{ sink: FakeDatabase; result: RestoreFromResult }> {
	const storage = openMemory()
	for (const [key, content] of Object.entries(files)) await storage.put(key, Buffer.from(content))
	const result = await restoreFrom({ sink, storage, name: 'given', existing: 'fail', ...options })
	return { sink, result }
}

async function refusal(files: Files, options: Partial<RestoreFromOptions> = {}): Promise<string> {
	const sink = new FakeDatabase()
	const error = await from(files, options, sink).catch((thrown: unknown) => thrown)
	expect(sink.nodes.size).toBe(0)
	return isBackupError(error)
		? `${error.code} ${error.message}: ${error.advice}`
		: `no refusal: ${JSON.stringify(error)}`
}

const table = (folder: string, rows = ROWS.join('')): Files => ({
	[`${folder}/scheme.pb`]: SCHEME,
	[`${folder}/data_00.csv`]: rows,
})

test('a dump comes back: rows of all files in any order, rights of both spellings, directories full and empty', async () => {
	const { sink, result } = await from(
		{
			...table('dir/t', ROWS[2]),
			'dir/t/data_01.csv': ROWS[0]! + ROWS[1]!,
			'dir/t/permissions.pb': printProtoText(permissionsOf('alice', 'bob')),
			'dir/permissions.pb':
				'actions { change_owner: "eve" } actions { set { subject: "al" permission_names: "ydb.generic.read" } }',
			'dir/none/empty_dir': '',
			'dir/none/permissions.pb': printProtoText(permissionsOf('carol')),
		},
		{ verifyData: true },
	)
	expect(result).toMatchObject({ from: { layout: 'dump' }, outcome: 'complete', rows: 3, problems: [], notes: [] })
	expect(Array.from(sink.nodes.keys())).toEqual(['dir', 'dir/none', 'dir/t'])
	expect(sink.rowCount('dir/t')).toBe(3)
	expect(JSON.stringify(sink.picture()['dir'])).toContain('eve')
})

test('an object at the place itself takes the name of the place', async () => {
	const { sink } = await from({ 'scheme.pb': SCHEME, 'data_00.csv': ROWS[0]! }, { to: 'there' })
	expect(Array.from(sink.nodes.keys())).toEqual(['there', 'there/given'])
	const empty = await from({ empty_dir: '' })
	expect(Array.from(empty.sink.nodes.keys())).toEqual(['given'])
})

test('a dump of schemes alone has no data files, and a table without rows has an empty one', async () => {
	const { sink, result } = await from({ 'a/scheme.pb': SCHEME, ...table('b', '') })
	expect(result).toMatchObject({ outcome: 'complete', rows: 0 })
	expect([sink.rowCount('a'), sink.rowCount('b')]).toEqual([0, 0])
})

test('what is not finished, ambiguous or elsewhere is refused before the database is touched', async () => {
	expect(await refusal({ ...table('t'), 'dir/incomplete': '' })).toMatch(/^FORMAT_INVALID .*dir\/incomplete/)
	expect(await refusal({ ...table('t'), 't/incomplete.csv': '' })).toMatch(/^FORMAT_INVALID .*incomplete\.csv/)
	expect(await refusal({ ...table('t'), 't/create_topic.pb': '' })).toMatch(
		/^FORMAT_INVALID .*scheme\.pb, create_topic/,
	)
	expect(await refusal({ 'ydbackup.json': '{}' })).toMatch(/^CONFIG_INVALID .*is a repository/)
	expect(await refusal({})).toMatch(/^BACKUP_NOT_FOUND /)
	expect(await refusal({ 'readme.txt': 'hello' })).toMatch(/^BACKUP_NOT_FOUND /)
	expect(await refusal({ ...table('t') }, { include: ['other'] })).toMatch(/^PATH_NOT_FOUND /)
	expect(await refusal({ 't/scheme.pb': 'columns {' })).toMatch(/t\/scheme\.pb:1/)
	expect(await refusal({ ...table('t'), 't/permissions.pb': 'actions: 5 }' })).toMatch(/t\/permissions\.pb:1/)
})

test('a damaged row is named by file, line and column, and the table is not left behind', async () => {
	const message = await refusal(table('t', `${ROWS[0]}2,"x",not-a-float\n`))
	expect(message).toMatch(/t\/data_00\.csv:2: column "weight" .*Failed to parse value "not-a-float"/)
	expect(await refusal(table('t', '1,"a",1'))).toContain('ends inside of a line')
	expect(await refusal(table('t', '1,"a",1\n\n'))).toContain('the line is empty')
})

test('files behind a gap are read, and the gap is a problem and not a silence', async () => {
	const { sink, result } = await from({ ...table('t', ROWS[0]), 't/data_02.csv': ROWS[1]! })
	expect(sink.rowCount('t')).toBe(2)
	expect(result.outcome).toBe('partial')
	expect(result.problems).toEqual([{ path: 't', message: expect.stringContaining('t/data_01.csv is not there') }])
})

test('lines that repeat a key leave fewer rows, which the result says', async () => {
	const { sink, result } = await from({ ...table('t'), 't/data_01.csv': ROWS[1]! + ROWS[0]! })
	expect(sink.rowCount('t')).toBe(3)
	expect(result).toMatchObject({ outcome: 'partial', rows: 5 })
	expect(result.problems[0]?.message).toContain('have 5 lines and the server counts 3 rows')
})

test('rows that a server lost are noticed although nobody counted them before', async () => {
	const sink = new FakeDatabase()
	sink.faults.loses = (id) => id === 2
	const { result } = await from(table('t'), {}, sink)
	expect(result.problems[0]?.message).toContain('3 lines and the server counts 2 rows')
	const exported = new FakeDatabase()
	exported.faults.loses = (id) => id === 2
	const error = await from({ ...table('t'), 't/metadata.json': EXPORT }, {}, exported).catch(
		(thrown: unknown) => thrown,
	)
	expect(isBackupError(error, 'COUNT_MISMATCH')).toBe(true)
	expect(exported.nodes.size).toBe(0)
})

test('every kind comes back, and what is not restored is named', async () => {
	const files = {
		...table('t'),
		't/feed/changefeed_description.pb': 'name: "feed"',
		't/whole/changefeed_description.pb': 'name: "whole"\nmode: MODE_UPDATES',
		't/whole/topic_description.pb': 'self { name: "x" }\nconsumers { name: "c" }',
		't/stray/thing.txt': 'x',
		'view/create_view.sql':
			'-- database: "/Root"\n-- backup root: "/Root/shop"\nCREATE VIEW `v` WITH (security_invoker = TRUE) AS SELECT * FROM `/Root/shop/t` AS a JOIN `/Root/far` AS b;',
		'old/create_view.sql': '-- backup root: "/Root/shop"\nCREATE VIEW IF NOT EXISTS `old` AS SELECT 1 FROM t;',
		'topic/create_topic.pb': 'retention_period { seconds: 1 }',
		'node/create_coordination_node.pb': '',
		'node/a/b/create_rate_limiter.pb': '',
		'cold/scheme.pb': `${SCHEME}store_type: STORE_TYPE_COLUMN\n`,
		'create_user.sql': 'CREATE USER `bob`;',
		'permissions.pb': printProtoText(permissionsOf('root')),
		'database.pb': 'path: "/Root/db"',
	}
	const { sink, result } = await from(files)
	expect(Array.from(sink.nodes.keys()).toSorted()).toEqual(['cold', 'node', 'old', 't', 'topic', 'view'])
	expect(sink.nodes.get('t')?.parts).toMatchObject([
		{ name: 'feed' },
		{ name: 'whole', topic: [{ name: 'consumers' }] },
	])
	expect(sink.nodes.get('node')?.parts).toMatchObject([{ kind: 'rate-limiter', name: 'a/b' }])
	// What was dumped goes along, what lies beside it stays in the same place of this database.
	expect(sink.nodes.get('view')?.definition).toMatchObject({
		text: 'CREATE VIEW `/local/view` WITH (security_invoker = TRUE) AS SELECT * FROM `/local/t` AS a JOIN `/local/far` AS b;\n',
	})
	expect(sink.nodes.get('old')?.definition).toMatchObject({
		text: 'CREATE VIEW IF NOT EXISTS `/local/old` AS SELECT 1 FROM t;\n',
	})
	expect(result.outcome).toBe('partial')
	expect(result.problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
		expect.stringMatching(/^: users and groups .*create_user\.sql/),
		expect.stringMatching(/^: owner and grants of the database itself/),
		expect.stringMatching(/^cold: its rows are not in the files/),
		expect.stringMatching(/^t: its changefeed feed has no t\/feed\/topic_description\.pb/),
	])
	expect(result.warnings.map(({ message }) => message)).toContainEqual(expect.stringContaining('stray'))
	expect((await from(files, { include: ['t'], exclude: ['t/feed'], dataOnly: false })).result.problems).toHaveLength(1)
	const dry = await from(files, { dryRun: true })
	expect(dry.sink.nodes.size).toBe(0)
	expect(dry.result.problems).toHaveLength(4)
	expect(dry.result.tables).toMatchObject([{ path: 'cold' }, { path: 't', action: 'create', rows: undefined }])
})

test('requests in the files do not decide where things go or how long they live', async () => {
	const { sink } = await from({
		't/scheme.pb': `path: "/other/place"\nsession_id: "x"\ntemporary: true\n${SCHEME}`,
		't/permissions.pb': `path: "/other"\n${printProtoText(permissionsOf('alice'))}`,
		't/data_00.csv': ROWS[0]!,
	})
	expect(Array.from(sink.nodes.keys())).toEqual(['t'])
	const text = JSON.stringify(sink.picture())
	expect(text).not.toMatch(/other|temporary|session_id/)
})

test('settings that the target does not know are left out and named', async () => {
	const sink = new FakeDatabase()
	const known = (tree: ReturnType<typeof schemeOf>): ReturnType<typeof schemeOf> =>
		tree.filter(({ name }) => name !== 'novelty')
	const { result } = await from(
		{ 't/scheme.pb': `${SCHEME}novelty: 7\n`, 't/data_00.csv': ROWS[0]! },
		{},
		Object.assign(sink, {
			knownPart: (_: string, tree: ReturnType<typeof schemeOf>) => ({ known: known(tree), unknown: ['novelty'] }),
		}),
	)
	expect(result.problems).toEqual([
		{ path: 't', message: expect.stringContaining('settings novelty are not restored') },
	])
	expect(JSON.stringify(sink.picture())).not.toContain('novelty')
})

test('existing tables keep scheme and rights, and take the rows only when that is asked for', async () => {
	const first = await from(table('t', ROWS[0]))
	const error = await from(table('t'), {}, first.sink).catch((thrown: unknown) => thrown)
	expect(isBackupError(error, 'PATH_EXISTS')).toBe(true)
	await from(
		{ ...table('t', ROWS[1]), 't/permissions.pb': printProtoText(permissionsOf('eve')) },
		{ existing: 'merge' },
		first.sink,
	)
	expect(first.sink.rowCount('t')).toBe(2)
	expect(JSON.stringify(first.sink.picture())).not.toContain('eve')
})

const GOLDEN = new URL('../../format/test/fixtures/native-export/', import.meta.url)
const golden = (path: string): Buffer => readFileSync(new URL(path, GOLDEN))
const GOLDEN_TABLE = ['metadata.json', 'scheme.pb', 'permissions.pb', 'data_00.csv'].flatMap((name) => [
	name,
	`${name}.sha256`,
])

/** A table of the server's own tests, byte for byte, in an export of either style. */
function goldenExport(prefix: string): Record<string, Uint8Array> {
	return Object.fromEntries(GOLDEN_TABLE.map((name) => [`${prefix}/${name}`, golden(`checksums-table/${name}`)]))
}

function mapped(objects: Readonly<Record<string, string>>, sidecars = true): Record<string, string> {
	const exportedObjects = Object.fromEntries(
		Object.entries(objects).map(([path, exportPrefix]) => [path, { exportPrefix }]),
	)
	const files: Record<string, string> = {
		'metadata.json': sidecars ? '{"kind":"SimpleExportV0","checksum":"sha256"}' : '{"kind":"SimpleExportV0"}',
		'SchemaMapping/metadata.json': '{"kind":"SchemaMappingV0"}',
		'SchemaMapping/mapping.json': JSON.stringify({ exportedObjects }),
	}
	// The server's own tests have hashes without a name for these.
	const hashes = Object.entries(files).map(([key, text]) => [`${key}.sha256`, sha256Hex(Buffer.from(text))])
	return sidecars ? { ...files, ...Object.fromEntries(hashes) } : files
}

test("the server's own export is restored in both styles, byte for byte as its tests have it", async () => {
	for (const files of [{ ...goldenExport('001'), ...mapped({ 'dir/Table': '001' }) }, goldenExport('dir/Table')]) {
		const { sink, result } = await from(files, { verifyData: true })
		expect(result).toMatchObject({
			from: { layout: 'export' },
			outcome: 'complete',
			rows: 1,
			problems: [],
			warnings: [],
		})
		expect(sink.rowCount('dir/Table')).toBe(1)
		expect(JSON.stringify(sink.picture()['dir/Table'])).toContain('root@builtin')
	}
})

test('a flipped byte of any file with a hash is found, before the rows are there for good', async () => {
	const whole = { ...goldenExport('001'), ...mapped({ t: '001' }) }
	for (const key of [
		'001/scheme.pb',
		'001/permissions.pb',
		'001/data_00.csv',
		'001/metadata.json',
		'SchemaMapping/mapping.json',
	]) {
		const bytes = Buffer.from(whole[key]!)
		bytes[bytes.length - 3]! ^= 1
		expect(await refusal({ ...whole, [key]: bytes }), key).toMatch(/^(OBJECT_DAMAGED|FORMAT_INVALID) /)
	}
})

test('a missing sidecar stops the restore unless that is accepted; version 0 has none', async () => {
	const { '001/data_00.csv.sha256': _, ...files } = { ...goldenExport('001'), ...mapped({ t: '001' }) }
	expect(await refusal(files)).toContain('001/data_00.csv.sha256 is not on storage')
	expect((await from(files, { acceptNativeDamage: true })).sink.rowCount('t')).toBe(1)
	const bare = { ...table('001'), '001/metadata.json': EXPORT, ...mapped({ t: '001' }, false) }
	expect((await from(bare)).result).toMatchObject({ outcome: 'complete', rows: 3 })
})

test('what an export lacks is refused: data files, rights that it promises, folders that it names, its own root', async () => {
	const base = { '001/metadata.json': EXPORT, '001/scheme.pb': SCHEME, ...mapped({ t: '001' }, false) }
	expect(await refusal(base)).toContain('001/data_00.csv is not on storage')
	expect(await refusal({ ...base, '001/data_00.csv': '', '001/data_02.csv': '' })).toContain('001/data_01.csv is not')
	const split = { ...base, '001/data_00.csv': ROWS[0]!, '001/scheme.pb': printProtoText(schemeOf({ splits: [2] })) }
	expect(await refusal(split)).toContain('it makes 2 partitions, and there are 1 data files')
	expect((await from(split, { acceptNativeDamage: true })).sink.rowCount('t')).toBe(1)
	const promised = { ...base, '001/data_00.csv': '', '001/metadata.json': '{"version":0,"permissions":1}' }
	expect(await refusal(promised)).toContain('001/permissions.pb is not on storage')
	expect(await refusal({ ...base, ...mapped({ t: '002' }, false) })).toContain('002/scheme.pb is not on storage')
	const half = { ...base, '001/data_00.csv': ROWS[0]!, ...mapped({ t: '001', gone: '002' }, false) }
	expect(await refusal(half)).toContain('leave out gone')
	expect((await from(half, { exclude: ['gone'] })).sink.rowCount('t')).toBe(1)
	const rootless = Object.fromEntries(Object.entries(base).filter(([key]) => key !== 'metadata.json'))
	expect(await refusal(rootless)).toContain('has a SchemaMapping and no metadata.json')
	expect(await refusal({ ...base, 'metadata.json': '{"kind":"SimpleExportV0","encryption":"AES-512"}' })).toMatch(
		/^UNSUPPORTED .*encrypted with AES-512, which is not known/,
	)
	expect(await refusal({ ...base, '001/data_00.parquet': 'x' })).toContain('cannot be read')
	expect(await refusal({ ...base, ...mapped({ '../t': '001' }, false) })).toContain('no path of an object')
	expect(await refusal({ ...base, ...mapped({ t: '../001' }, false) })).toContain('no relative path')
})

test('rows of indexes are not needed and noted, changefeeds have the names that metadata says, or those of their folders', async () => {
	const { result } = await from({
		...table('001'),
		'001/metadata.json':
			'{"version":0,"changefeeds":[{"prefix":"001","name":"one"}],"indexes":[{"export_prefix":"i/indexImplTable","impl_table_prefix":"i/indexImplTable"}],"novelty":{"x":1}}',
		'001/001/changefeed_description.pb': 'name: "one"',
		'001/001/topic_description.pb': '',
		'001/two/changefeed_description.pb': 'name: "two"',
		'001/two/topic_description.pb': '',
		'001/i/indexImplTable/scheme.pb': SCHEME,
		'001/i/indexImplTable/data_00.csv': ROWS[0]!,
		'001/i/indexImplTable/metadata.json': EXPORT,
		...mapped({ t: '001' }, false),
	})
	expect(result.problems).toEqual([])
	expect(result.tables).toMatchObject([{ changefeeds: ['one', 'two'] }])
	expect(result.notes).toEqual([{ path: 't', kind: 'index data', reason: expect.stringContaining('i/indexImplTable') }])
	expect(result.tables).toHaveLength(1)
})

const DUMP = new URL('../../format/test/fixtures/native-dump/', import.meta.url)

test("the documentation's dump goes in, and out again with the same bytes", async () => {
	const scheme = readFileSync(new URL('series/scheme.pb', DUMP))
	const rights = readFileSync(new URL('permissions/owner-and-grant.pb', DUMP))
	const rows = '1,"%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82",null,17966\n2,"",null,null\n'
	const files = {
		'series/scheme.pb': scheme,
		'series/permissions.pb': rights,
		'series/data_00.csv': rows,
		'series/updates_feed/changefeed_description.pb': 'name: "updates_feed"\n',
		'series/updates_feed/topic_description.pb': readFileSync(new URL('series/updates_feed/topic_description.pb', DUMP)),
		'old/scheme.pb': scheme,
		'old/permissions.pb': readFileSync(new URL('permissions/owner-and-set-older-sdk.pb', DUMP)),
		'old/data_00.csv': '',
	}
	const { sink, result } = await from(files, { verifyData: true })
	expect(result.problems).toEqual([])
	expect(sink.nodes.get('series')?.parts?.[0]?.topic).toHaveLength(2)
	expect(JSON.stringify(sink.picture()['old'])).toContain('alice')

	const storage = openMemory()
	const world = new World(sink, storage, await Repository.init(storage))
	await world.backup()
	const written = new Map<string, string>()
	const target: DumpTarget = {
		location: 'memory',
		prepare: async () => undefined,
		makeDirectory: async () => undefined,
		writeFile: async (path, pieces) => {
			const taken: Uint8Array[] = []
			for await (const piece of pieces) taken.push(piece)
			written.set(path, Buffer.concat(taken).toString())
		},
		removeFile: async (path) => void written.delete(path),
	}
	await exportDump({ repository: world.repository, id: 'latest', target })
	expect(Object.fromEntries(Array.from(written).filter(([path]) => path.startsWith('series/')))).toEqual({
		'series/scheme.pb': scheme.toString(),
		'series/permissions.pb': rights.toString(),
		'series/updates_feed/changefeed_description.pb': 'name: "updates_feed"\n',
		'series/updates_feed/topic_description.pb': files['series/updates_feed/topic_description.pb'].toString(),
		'series/data_00.csv': rows,
	})
})

test('a stop ends the restore, and drops what is not complete', async () => {
	const stop = new AbortController()
	const sink = new FakeDatabase()
	sink.faults.before = (call) => {
		if (call === 'write') stop.abort(new Error('enough'))
	}
	const error = await from(table('t'), { signal: stop.signal }, sink).catch((thrown: unknown) => thrown)
	expect(isBackupError(error, 'INTERRUPTED')).toBe(true)
	expect(sink.nodes.size).toBe(0)
})

test('folders that the mapping does not name are warned about, and nothing in them is restored', async () => {
	const { sink, result } = await from({
		...table('001'),
		'001/metadata.json': EXPORT,
		...table('002'),
		...mapped({ t: '001' }, false),
	})
	expect(Array.from(sink.nodes.keys())).toEqual(['t'])
	expect(result.warnings).toEqual([
		{ message: 'the mapping does not name the folder 002: nothing in there is restored' },
	])
})

/** An encrypted backup as an export: what lies in its folder. */
async function encryptedExport(key: Uint8Array): Promise<Record<string, Uint8Array>> {
	const world = await createWorld()
	const { id } = await world.backup({ encryption: { keys: [providerOf(key)] } })
	const files: Record<string, Uint8Array> = {}
	const root = `${layout.backupPrefix(id)}/`
	for (const name of await world.keys()) {
		if (name.startsWith(root)) files[name.slice(root.length)] = await world.bytes(name)
	}
	return files
}

const providerOf = (key: Uint8Array): KeyProvider => ({ name: 'a test', getKey: async () => Uint8Array.from(key) })

test.for([16, 32])('an encrypted export comes back with the key of %d bytes that fits, among others', async (size) => {
	const key = randomBytes(size)
	const files = await encryptedExport(key)
	expect(Object.keys(files).filter((name) => name.endsWith('.csv.zst.enc')).length).toBeGreaterThan(2)
	const keys = [providerOf(randomBytes(32)), providerOf(randomBytes(16)), providerOf(key)]
	const { sink, result } = await from(files, { keys, verifyData: true })
	const { result: open } = await from(table('t'), {})
	expect(result.keysUsed).toHaveLength(1)
	expect(open.keysUsed).toEqual([])
	const world = await createWorld()
	const expected = world.database.picture()
	for (const path of Object.keys(expected)) {
		if (result.tables.some(({ target }) => target === path)) expect(sink.picture()[path]).toEqual(expected[path])
	}
	expect(result.tables.map(({ path }) => path)).toEqual(['dir/sub/split', 'none', 'plain'])
})

test('an encrypted export is refused without its key, and every change of it before its rows are there for good', async () => {
	const key = randomBytes(32)
	const files = await encryptedExport(key)
	const keys = [providerOf(key)]
	expect(await refusal(files)).toMatch(/^KEY_REQUIRED memory.* is encrypted, and no key is given: give the key/u)
	expect(await refusal(files, { keys: [providerOf(randomBytes(32))] })).toMatch(
		/^KEY_WRONG .* not with the key [0-9a-f]{32}: /u,
	)

	const names = Object.keys(files).filter(
		(name) => name.endsWith('.enc') && /^\d{3}\/(?:scheme|permissions|metadata|data_00)/u.test(name),
	)
	const data = names.filter((name) => name.includes('data_00'))
	const schemes = names.filter((name) => name.includes('scheme'))
	expect(data.length).toBeGreaterThan(2)
	const changed = (name: string, bytes: Uint8Array): Files => ({ ...files, [name]: bytes })
	for (const [a, b] of [data, schemes] as [string, string][]) {
		expect(await refusal(changed(a, files[b]!), { keys })).toMatch(
			/it is another file: its header has the IV of another place/u,
		)
	}
	for (const name of names) {
		const flipped = Uint8Array.from(files[name]!)
		flipped[flipped.length - 1]! ^= 1
		expect(await refusal(changed(name, flipped), { keys })).toContain(`${name} does not decrypt`)
		expect(await refusal(changed(name, files[name]!.subarray(0, -20)), { keys })).toContain(`${name} does not decrypt`)
	}
	const first = 'SchemaMapping/metadata.json.enc'
	expect(await refusal(changed(first, files['SchemaMapping/mapping.json.enc']!), { keys })).toMatch(
		/SchemaMapping\/metadata\.json has kind, which is missing/u,
	)
})

test('an open file in an encrypted export is never read in place of the encrypted one', async () => {
	const key = randomBytes(32)
	const files: Record<string, Uint8Array> = await encryptedExport(key)
	const open = Object.keys(files)
		.find((name) => name.endsWith('data_00.csv.zst.enc'))!
		.replace('.zst.enc', '')
	const { result } = await from({ ...files, [open]: '9,"forged",1\n' }, { keys: [providerOf(key)], verifyData: true })
	expect(result.warnings.map(({ message }) => message)).toContain(
		`${open} is not encrypted although the export is: it is not read`,
	)
	const { result: same } = await from(files, { keys: [providerOf(key)] })
	expect(result.rows).toBe(same.rows)
})
