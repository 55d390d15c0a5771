import type { UnknownField } from '@bufbuild/protobuf'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ExportServiceDefinition } from '@ydbjs/api/export'
import { ImportServiceDefinition } from '@ydbjs/api/import'
import { untrusted } from './certificate.ts'
import { Client, credentials } from './clients.ts'
import { exportMetadata, World } from './store.ts'

const TABLE = `CREATE TABLE t (id Uint64, name Utf8, score Double, PRIMARY KEY (id)) WITH (PARTITION_AT_KEYS = (10, 20))`
const ROWS = `UPSERT INTO t (id, name, score) VALUES (1, 'one, "two"', 1.5), (10, NULL, -2.25), (15, 'привет', NULL), (25, '', 0.5)`

test('a table goes to a store and comes back under another name', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	const started = await world.startExport({ items: [{ sourcePath: '/local/t', destinationPrefix: 'backup/t' }] })
	expect([started.status, started.ready, started.result !== undefined]).toEqual([400_000, false, true])
	expect(started.id).toMatch(/^ydb:\/\/export\/6\?id=\d+&kind=s3$/)
	const ended = await world.ended(started)
	const { progress, itemsProgress, settings } = exportMetadata(ended)
	expect([progress, itemsProgress[0]!.partsTotal, itemsProgress[0]!.partsCompleted]).toEqual([3, 3, 3])
	expect([settings!.accessKey, settings!.secretKey]).toEqual(['', ''])
	expect(world.keys()).toEqual(
		['data_00.csv', 'data_01.csv', 'data_02.csv', 'metadata.json', 'permissions.pb', 'scheme.pb']
			.flatMap((name) => [`backup/t/${name}`, `backup/t/${name}.sha256`])
			.toSorted(),
	)
	expect(world.text('backup/t/data_01.csv')).toBe('10,null,-2.25\n15,"%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82",null\n')
	await world.import({
		items: [{ Source: { case: 'sourcePrefix', value: 'backup/t' }, destinationPath: '/local/back/t' }],
	})
	const select = (path: string): Promise<unknown[][]> =>
		world.client.rows(`SELECT id, name, score FROM \`${path}\` ORDER BY id`)
	expect(await select('back/t')).toEqual(await select('t'))
	expect(world.emulator.control.partitions('/local/back/t')).toBe(3)
})

test('an export with a common prefix is imported by its mapping, encrypted and compressed too', async () => {
	await using world = await World.start()
	await world.run(
		TABLE,
		ROWS,
		'CREATE TABLE `dir/other` (id Uint32 NOT NULL, PRIMARY KEY (id))',
		'UPSERT INTO `dir/other` (id) VALUES (7)',
	)
	const key = Buffer.from('Key is big enough to be 32 bytes')
	const encryptionSettings = {
		encryptionAlgorithm: 'chacha20-poly1305',
		Key: { case: 'symmetricKey' as const, value: { key } },
	}
	await world.export({ destinationPrefix: 'plain/' })
	await world.export({ destinationPrefix: 'closed', compression: 'zstd-1', encryptionSettings })
	expect(world.text('plain/metadata.json')).toBe('{"kind":"SimpleExportV0","checksum":"sha256"}')
	expect(world.text('plain/SchemaMapping/mapping.json')).toBe(
		'{"exportedObjects":{"t":{"exportPrefix":"t"},"dir/other":{"exportPrefix":"dir/other"}}}',
	)
	expect(world.text('closed/metadata.json')).toBe(
		'{"kind":"SimpleExportV0","compression":"zstd-1","encryption":"ChaCha20-Poly1305","checksum":"sha256"}',
	)
	expect(world.keys('closed/002/')).toContain('closed/002/data_00.csv.zst.enc')
	await world.import({ sourcePrefix: 'plain', destinationPath: '/local/one' })
	await world.import({ sourcePrefix: 'closed', destinationPath: '/local/two', encryptionSettings })
	const rows = (path: string): Promise<unknown[][]> => world.client.rows(`SELECT * FROM \`${path}\``)
	for (const name of ['t', 'dir/other'])
		for (const copy of ['one', 'two']) expect(await rows(`${copy}/${name}`)).toEqual(await rows(name))
})

const FIXTURES = new URL('../../format/test/fixtures/native-export/', import.meta.url)
const fixture = (name: string): string => readFileSync(new URL(name, FIXTURES), 'utf8')
const PLAIN_SETTINGS = 'WITH (AUTO_PARTITIONING_BY_SIZE = DISABLED)'

test('an export of the table of a test of YDB is that of YDB, byte for byte', async () => {
	await using world = await World.start()
	await world.run(
		`CREATE TABLE t (key Utf8, value Utf8, PRIMARY KEY (key)) ${PLAIN_SETTINGS}`,
		String.raw`UPSERT INTO t (key, value) VALUES ('\x01\x00\x00\x00'u, '\x01\x00\x00\x00'u)`,
	)
	await world.export({ items: [{ sourcePath: 't', destinationPrefix: '' }], destinationPrefix: 'x' })
	for (const name of ['data_00.csv', 'scheme.pb', 'permissions.pb']) {
		expect(world.text(`x/t/${name}`)).toBe(fixture(`checksums-table/${name}`))
		expect(world.text(`x/t/${name}.sha256`)).toBe(fixture(`checksums-table/${name}.sha256`))
	}
	const anyMoment = (text: string): string => text.replace(/\[\d+,\d+\]/, '[]')
	expect(anyMoment(world.text('x/t/metadata.json'))).toBe(anyMoment(fixture('checksums-table/metadata.json')))
	expect(world.text('x/SchemaMapping/metadata.json.sha256')).toBe(
		'e8720a2604812082a37e8e54926537fecbbf076014e764c5533adf0e33f1c72e',
	)
})

test('a changefeed is described as in a test of YDB, and comes back with its consumers', async () => {
	await using world = await World.start()
	await world.run(
		'CREATE TABLE t (key Utf8, value Utf8, PRIMARY KEY (key))',
		"ALTER TABLE t ADD CHANGEFEED update_feed1 WITH (MODE = 'UPDATES', FORMAT = 'JSON')",
	)
	await world.export({ destinationPrefix: 'x' })
	for (const name of ['changefeed_description.pb', 'topic_description.pb'])
		expect(world.text(`x/t/update_feed1/${name}`)).toBe(fixture(`changefeed/update_feed1/${name}`))
	await world.run('ALTER TOPIC `t/update_feed1` ADD CONSUMER reader')
	await world.export({ destinationPrefix: 'y' })
	await world.import({ sourcePrefix: 'y', destinationPath: '/local/back' })
	await world.export({ destinationPrefix: 'z', sourcePath: '/local/back' })
	for (const name of ['changefeed_description.pb', 'topic_description.pb'])
		expect(world.text(`z/t/update_feed1/${name}`)).toBe(world.text(`y/t/update_feed1/${name}`))
})

/** One of each kind that an export takes. */
const KINDS = [
	`CREATE TABLE \`dir/full\` (id Serial, at Timestamp, a Utf8 FAMILY cold, b Int32 NOT NULL DEFAULT 7, PRIMARY KEY (id),
		INDEX by_a GLOBAL SYNC ON (a) COVER (b), INDEX by_b GLOBAL ASYNC ON (b), FAMILY cold (COMPRESSION = "lz4"))
		WITH (TTL = Interval("PT1H") ON at, AUTO_PARTITIONING_BY_LOAD = ENABLED, KEY_BLOOM_FILTER = ENABLED)`,
	'INSERT INTO `dir/full` (a) VALUES ("x"), ("y")',
	'CREATE TABLE lone (id Uint64, a Utf8, PRIMARY KEY (id), INDEX one GLOBAL UNIQUE ON (a))',
	'CREATE TABLE wide (id Uint64 NOT NULL, a Utf8, PRIMARY KEY (id)) WITH (STORE = COLUMN)',
	'CREATE VIEW `dir/view` WITH (security_invoker = TRUE) AS SELECT * FROM `dir/full`',
	'PRAGMA TablePathPrefix = "/local/dir"; CREATE VIEW other WITH (security_invoker = TRUE) AS SELECT * FROM full',
	'CREATE TOPIC `dir/topic` (CONSUMER a, CONSUMER b WITH (important = true)) WITH (min_active_partitions = 3, retention_period = Interval("PT2H"))',
	'CREATE EXTERNAL DATA SOURCE source WITH (SOURCE_TYPE = "ObjectStorage", LOCATION = "http://host/bucket/", AUTH_METHOD = "NONE")',
	'CREATE EXTERNAL TABLE outside (a Utf8 NOT NULL, b Int32) WITH (DATA_SOURCE = "source", LOCATION = "f.csv", FORMAT = "csv_with_names")',
	"CREATE ASYNC REPLICATION copy FOR `/remote/a` AS `/local/replica` WITH (CONNECTION_STRING = 'grpc://host:2136/?database=/remote', TOKEN_SECRET_NAME = 'secret')",
	"CREATE TRANSFER move FROM `dir/topic` TO lone USING ($m) -> { RETURN [<| id: $m._offset |>]; } WITH (FLUSH_INTERVAL = Interval('PT1S'))",
	'GRANT SELECT ROW ON `/local/dir/full` TO `bob@builtin`',
]

test('every kind of object goes out and comes back the same', async () => {
	await using world = await World.start()
	await world.run(...KINDS)
	await world.export({ destinationPrefix: 'x' })
	expect(world.keys('x/').filter((key) => /create_|scheme/.test(key) && !key.endsWith('sha256'))).toEqual([
		'x/copy/create_async_replication.sql',
		'x/dir/full/scheme.pb',
		'x/dir/other/create_view.sql',
		'x/dir/topic/create_topic.pb',
		'x/dir/view/create_view.sql',
		'x/lone/scheme.pb',
		'x/move/create_transfer.sql',
		'x/outside/create_external_table.sql',
		'x/source/create_external_data_source.sql',
		'x/wide/scheme.pb',
	])
	await world.import({ sourcePrefix: 'x', destinationPath: '/local/back' })
	await world.export({ destinationPrefix: 'y', sourcePath: '/local/back' })
	expect(world.keys('y/').map((key) => key.slice(2))).toEqual(world.keys('x/').map((key) => key.slice(2)))
	for (const key of world.keys('x/').filter((each) => /\.(?:pb|sql|csv)$/.test(each)))
		expect(world.text(key.replace(/^x/, 'y')), key).toBe(world.text(key))
	expect(await world.client.rows('SELECT id FROM `back/dir/full` VIEW by_a WHERE a = "y"')).toEqual([[2]])
	// The sequence goes on where it was.
	await world.run('INSERT INTO `back/dir/full` (a) VALUES ("z")')
	expect(await world.client.rows('SELECT MAX(id) FROM `back/dir/full`')).toEqual([[3]])
	await world.import({ sourcePrefix: 'x', destinationPath: '/local/bare', noAcl: true })
	await world.export({ destinationPrefix: 'z', sourcePath: '/local/bare' })
	expect(world.text('z/dir/full/permissions.pb')).not.toContain('bob')
})

test('an older server refuses kinds that it does not know by name, passes over them in directories, and leaves changefeeds out', async () => {
	await using world = await World.start()
	await world.run(...KINDS)
	Object.assign(world.emulator.faults, { exportedKinds: 'table,view', withoutChangefeeds: true })
	const refused = await world.startExport({
		destinationPrefix: 'x',
		items: [{ sourcePath: 'dir/topic', destinationPrefix: '' }],
	})
	expect([refused.status, refused.issues[0]?.message]).toEqual([
		400_180,
		'Item "/local/dir/topic" is not supported in export',
	])
	await world.export({ destinationPrefix: 'x' })
	const files = world.keys('x/').filter((key) => /create_|scheme|changefeed/.test(key) && !key.endsWith('sha256'))
	expect(files).toEqual([
		'x/dir/full/scheme.pb',
		'x/dir/other/create_view.sql',
		'x/dir/view/create_view.sql',
		'x/lone/scheme.pb',
		'x/wide/scheme.pb',
	])
	expect(world.text('x/dir/full/metadata.json')).toContain('"changefeeds":[]')
})

const varint = (no: number, value: number): UnknownField => ({ no, wireType: 0, data: Uint8Array.of(value) })
const text = (no: number, value: string): UnknownField => ({
	no,
	wireType: 2,
	data: Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]),
})

test('index data go out on demand, and are taken when they are there and wanted', async () => {
	await using world = await World.start()
	await world.run(...KINDS.slice(0, 2))
	await world.export({ destinationPrefix: 'x', unknown: [varint(16, 1)] })
	expect(world.text('x/dir/full/by_a/indexImplTable/data_00.csv')).toBe('"x",1,7\n"y",2,7\n')
	expect(JSON.parse(world.text('x/dir/full/metadata.json'))).toMatchObject({
		indexes: [
			{ export_prefix: 'by_a/indexImplTable', impl_table_prefix: 'by_a/indexImplTable' },
			{ export_prefix: 'by_b/indexImplTable', impl_table_prefix: 'by_b/indexImplTable' },
		],
	})
	const settings = (to: string, mode: number): never =>
		({ sourcePrefix: 'x', destinationPath: `/local/${to}`, unknown: [varint(16, mode)] }) as never
	await world.import(settings('read', 2))
	await world.export({ destinationPrefix: 'y', items: [{ sourcePath: 'dir', destinationPrefix: '' }] })
	expect(world.keys('y/').filter((key) => key.includes('indexImplTable'))).toEqual([])
	const from = (mode: number): never => ({ ...(settings(`from${mode}`, mode) as object), sourcePrefix: 'y' }) as never
	await world.import(from(1))
	await world.import(from(3))
	const ended = await world.ended(await world.startImport(from(2)))
	expect([ended.status, ended.issues[0]!.message]).toEqual([400_160, expect.stringContaining('cannot find')])
	world.store.seed('bucket', 'x/dir/full/by_a/indexImplTable/data_00.csv', Buffer.from('"x"\n'))
	expect((await world.ended(await world.startImport(settings('wrong', 3)))).status).toBe(400_160)
	await world.import(settings('built', 1))
})

test('expressions leave objects out; directories are expanded, but for the system and other exports', async () => {
	await using world = await World.start()
	await world.run(
		...['a', 'dir/b', 'dir/sub/c', 'export-1/d', '~hidden/e', 'dir/export-2/f', '.backups/g'].map(
			(path) => `CREATE TABLE \`${path}\` (id Uint64, PRIMARY KEY (id))`,
		),
	)
	const schemes = (prefix: string): string[] =>
		world
			.keys(prefix)
			.filter((key) => key.endsWith('/scheme.pb'))
			.map((key) => key.slice(prefix.length + 1, -10))
	await world.export({ destinationPrefix: 'all' })
	expect(schemes('all')).toEqual(['.backups/g', 'a', 'dir/b', 'dir/export-2/f', 'dir/sub/c'])
	await world.export({ destinationPrefix: 'some', unknown: [text(17, '^dir/sub'), text(17, '^\\.')] })
	expect(schemes('some')).toEqual(['a', 'dir/b', 'dir/export-2/f'])
	await world.export({ items: [{ sourcePath: '/local/dir', destinationPrefix: 'items' }] })
	expect(schemes('items')).toEqual(['b', 'export-2/f', 'sub/c'])
	expect(world.keys('items/metadata.json')).toEqual([])
	await world.import({
		sourcePrefix: 'all',
		destinationPath: '/local/less',
		unknown: [text(17, 'sub|backups')],
	})
	expect(await world.children('/local/less/dir')).toEqual(['b', 'export-2'])
})

test('what an export holds is listed in pages', async () => {
	await using world = await World.start()
	await world.run(...['b', 'dir/a', 'dir/c'].map((path) => `CREATE TABLE \`${path}\` (id Uint64, PRIMARY KEY (id))`))
	const encryptionSettings = {
		encryptionAlgorithm: 'AES-128-GCM',
		Key: { case: 'symmetricKey', value: { key: Buffer.from('Cool random key!') } },
	} as const
	await world.export({ destinationPrefix: 'x' })
	await world.export({ destinationPrefix: 'closed', encryptionSettings })
	await world.export({
		items: [
			{ sourcePath: 'dir', destinationPrefix: 'items/one' },
			{ sourcePath: 'b', destinationPrefix: 'items/two' },
		],
	})
	expect(await world.listObjects({ prefix: 'x' })).toEqual({ items: ['b=b', 'dir/a=dir/a', 'dir/c=dir/c'], next: '' })
	expect(await world.listObjects({ prefix: 'x/' }, 2)).toEqual({ items: ['b=b', 'dir/a=dir/a'], next: '2' })
	expect(await world.listObjects({ prefix: 'x' }, 2, '2')).toEqual({ items: ['dir/c=dir/c'], next: '' })
	expect((await world.listObjects({ prefix: 'x', items: [{ path: 'dir' }] })).items).toEqual([
		'dir/a=dir/a',
		'dir/c=dir/c',
	])
	expect((await world.listObjects({ prefix: 'closed', encryptionSettings })).items).toEqual([
		'b=001',
		'dir/a=002',
		'dir/c=003',
	])
	expect((await world.listObjects({ prefix: 'items' })).items).toEqual(['one/a=one/a', 'one/c=one/c', 'two=two'])
	await expect(world.listObjects({ prefix: '' })).rejects.toThrow('Empty S3 prefix specified')
	await expect(world.listObjects({ prefix: 'x' }, 2, 'two')).rejects.toThrow('Failed to parse page token')
	await expect(world.listObjects({ prefix: 'x', bucket: 'none' })).rejects.toThrow('NoSuchBucket')
})

test('large partitions go in parts, each a whole frame of whole lines; the storage class is asked for', async () => {
	await using world = await World.start({ faults: { exportPartBytes: 10_000 } }, { minPartBytes: 1 })
	await world.run('CREATE TABLE t (id Uint64, name String, PRIMARY KEY (id))')
	const values = Array.from({ length: 20 }, (_, at) => `(${at}, "${`${at} `.repeat(1000)}")`)
	await world.run(`UPSERT INTO t (id, name) VALUES ${values.join(', ')}`)
	await world.export({ destinationPrefix: 'x', storageClass: 3 })
	await world.export({ destinationPrefix: 'y', compression: 'zstd' })
	const asked = (operation: string): number =>
		world.store.requests.filter((each) => each.operation === operation).length
	expect([asked('CreateMultipartUpload'), asked('CompleteMultipartUpload')]).toEqual([1, 1])
	expect(asked('UploadPart')).toBeGreaterThan(3)
	expect(world.store.uploads('bucket')).toBe(0)
	for (const { operation, headers } of world.store.requests)
		if (operation === 'CreateMultipartUpload') expect(headers['x-amz-storage-class']).toBe('STANDARD_IA')
	for (const from of ['x', 'y']) {
		await world.import({ sourcePrefix: from, destinationPath: `/local/${from}` })
		expect(await world.client.rows(`SELECT * FROM \`${from}/t\``)).toEqual(await world.client.rows('SELECT * FROM t'))
	}
	world.store.fault({ kind: 'error', code: 'AccessDenied', operation: 'UploadPart', skip: 2 })
	expect((await world.ended(await world.startExport({ destinationPrefix: 'z' }))).status).toBe(400_160)
	expect(world.store.uploads('bucket')).toBe(0)
})

test('a store with a certificate of its own is reached when its authority is known', async () => {
	await using world = await World.start({ storeCa: untrusted.cert }, { tls: untrusted })
	await world.run(TABLE, ROWS)
	await world.export({ destinationPrefix: 'x' })
	expect(world.keys('x/t/data_00.csv')).toHaveLength(2)
})

test('rights on the database and on every object are needed', async () => {
	await using world = await World.start({ auth: { users: { root: '' } } }, {}, 'root')
	await world.run(TABLE, "CREATE USER bob PASSWORD 'x'", "GRANT 'ydb.generic.read' ON `/local` TO bob")
	const bob = await Client.open(world.emulator, await credentials(world.emulator, 'bob'))
	try {
		const { operation: exported } = await bob.driver
			.createClient(ExportServiceDefinition)
			.exportToS3({ settings: { ...world.place, destinationPrefix: 'x' } as never })
		expect(exported!.status).toBe(400_000)
		await world.ended(exported!)
		const { operation: imported } = await bob.driver
			.createClient(ImportServiceDefinition)
			.importFromS3({ settings: { ...world.place, sourcePrefix: 'x' } as never })
		expect(imported!.status).toBe(400_020)
	} finally {
		await bob[Symbol.asyncDispose]()
	}
})
