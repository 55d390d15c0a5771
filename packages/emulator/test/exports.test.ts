import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { exportMetadata, World } from './store.ts'

const TABLE = `CREATE TABLE t (id Uint64, name Utf8, score Double, PRIMARY KEY (id)) WITH (PARTITION_AT_KEYS = (10, 20))`
const ROWS = `UPSERT INTO t (id, name, score) VALUES (1, 'one, "two"', 1.5), (10, NULL, -2.25), (15, 'привет', NULL), (25, '', 0.5)`

test('a table goes to a store and comes back under another name', async () => {
	await using world = await World.start()
	await world.run(TABLE, ROWS)
	const started = await world.startExport({ items: [{ sourcePath: '/local/t', destinationPrefix: 'backup/t' }] })
	expect([started.status, started.ready]).toEqual([400_000, false])
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

test("an export of the table of YDB's own test is that of YDB, byte for byte", async () => {
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

test("a changefeed is described as in YDB's own test, and comes back with its consumers", async () => {
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
