import { isBackupError } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { dumpLayout } from '../src/index.ts'

function treeOf(paths: Readonly<Record<string, number>> | readonly string[]): dumpLayout.FolderTree {
	const tree = new dumpLayout.FolderTree()
	const entries = Array.isArray(paths) ? paths.map((path: string) => [path, 1] as const) : Object.entries(paths)
	for (const [path, size] of entries) tree.add(path, size as number)
	return tree
}

function refusal(work: () => unknown): string {
	try {
		work()
	} catch (error) {
		if (isBackupError(error, 'FORMAT_INVALID')) return error.message
		throw error
	}
	return 'nothing was refused'
}

const found = (paths: readonly string[]): [string, string][] =>
	dumpLayout.findObjects(treeOf(paths)).objects.map(({ kind, folder }) => [folder, kind])

test('the layout of the documentation is read: three tables, one with a changefeed', () => {
	const { objects, directories } = dumpLayout.findObjects(
		treeOf([
			...['episodes', 'seasons', 'series'].flatMap((name) =>
				['data_00.csv', 'permissions.pb', 'scheme.pb'].map((file) => `${name}/${file}`),
			),
			'series/updates_feed/changefeed_description.pb',
			'series/updates_feed/topic_description.pb',
		]),
	)
	expect(objects.map(({ folder, changefeeds }) => [folder, changefeeds])).toEqual([
		['episodes', []],
		['seasons', []],
		['series', ['updates_feed']],
	])
	expect(directories).toEqual([])
})

test('each marker makes its folder one object, and folders within it are parts of it', () => {
	expect(
		found([
			'a/create_view.sql',
			'b/create_topic.pb',
			'c/create_coordination_node.pb',
			'c/quota/disk/create_rate_limiter.pb',
			'd/create_async_replication.sql',
			'e/create_transfer.sql',
			'f/create_external_data_source.sql',
			'g/create_external_table.sql',
			'h/empty_dir',
			'Root/db/database.pb',
			'Root/db/create_user.sql',
			't/scheme.pb',
			't/by_name/indexImplTable/scheme.pb',
			't/by_name/indexImplTable/data_00.csv',
		]),
	).toEqual([
		['Root/db', 'database'],
		['a', 'view'],
		['b', 'topic'],
		['c', 'coordination-node'],
		['d', 'replication'],
		['e', 'transfer'],
		['f', 'external-data-source'],
		['g', 'external-table'],
		['h', 'empty-directory'],
		['t', 'table'],
	])
})

test('a folder whose name begins with that of an object is not within it', () => {
	expect(found(['a/scheme.pb', 'a-b/scheme.pb', 'a.b/c/scheme.pb', 'a b/scheme.pb'])).toEqual([
		['a', 'table'],
		['a b', 'table'],
		['a-b', 'table'],
		['a.b/c', 'table'],
	])
})

test('an unfinished folder anywhere refuses the whole dump, also within an object', () => {
	expect(refusal(() => found(['t/scheme.pb', 'u/x/incomplete']))).toContain('u/x/incomplete')
	expect(refusal(() => found(['t/scheme.pb', 't/incomplete.csv']))).toContain('t/incomplete.csv')
	expect(refusal(() => found(['t/scheme.pb', 't/feed/incomplete']))).toContain('t/feed/incomplete')
	expect(refusal(() => found(['incomplete', 't/scheme.pb']))).toContain('incomplete')
})

test('a folder of two objects is refused, and all such are named', () => {
	const message = refusal(() => found(['t/scheme.pb', 't/empty_dir', 'v/create_view.sql', 'v/create_topic.pb']))
	expect(message).toMatch(/t \(scheme\.pb, empty_dir\).*v \(create_view\.sql, create_topic\.pb\)/)
})

test('paths that lead elsewhere are refused before anything is made of them', () => {
	for (const path of [
		'../up/scheme.pb',
		'a/../../scheme.pb',
		'/etc/scheme.pb',
		'a//scheme.pb',
		'a/./scheme.pb',
		'a\0/scheme.pb',
	]) {
		expect(
			refusal(() => treeOf([path])),
			path,
		).toContain('no path')
	}
})

test('objects of any shape of tree are found again at their paths, and their ancestors are directories', () => {
	const name = fc
		.stringMatching(/^[a-z ._-]{1,6}$/)
		.filter((text) => text !== '.' && text !== '..' && text !== 'incomplete')
	const paths = fc.uniqueArray(
		fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
		{ maxLength: 12 },
	)
	fc.assert(
		fc.property(paths, (all) => {
			const tables = all.filter((path) => !all.some((other) => path.startsWith(`${other}/`))).toSorted()
			const tree = dumpLayout.findObjects(
				treeOf(tables.flatMap((path) => [`${path}/data_00.csv`, `${path}/scheme.pb`])),
			)
			expect(tree.objects.map(({ folder }) => folder).toSorted()).toEqual(tables)
			const above = new Set(
				tables.flatMap((path) => path.split('/').map((_, at, names) => names.slice(0, at).join('/'))).filter(Boolean),
			)
			expect(tree.directories.map(({ folder }) => folder).toSorted()).toEqual([...above].toSorted())
		}),
	)
})

test('data files are those of the numbering, gaps and strangers are named, and .csv comes before .csv.zst', () => {
	const data = dumpLayout.findDataFiles(
		treeOf({
			'data_00.csv': 5,
			'data_01.csv.zst': 6,
			'data_02.csv.zst': 7,
			'data_02.csv': 8,
			'data_04.csv': 9,
			'data_100.csv': 10,
			'data_5.csv': 1,
			'data_099.csv': 1,
			'data_07.parquet': 1,
			'data_00.csv.sha256': 1,
			'database.pb': 1,
		}).files(''),
	)
	expect(data.files.map(({ name, size }) => [name, size])).toEqual([
		['data_00.csv', 5],
		['data_01.csv.zst', 6],
		['data_02.csv', 8],
		['data_04.csv', 9],
		['data_100.csv', 10],
	])
	expect(data.missing.slice(0, 2)).toEqual([3, 5])
	expect(data.second).toEqual(['data_02.csv.zst'])
	expect(data.strange).toEqual(['data_099.csv', 'data_5.csv'])
	expect(data.unreadable).toEqual(['data_07.parquet'])
})

test('a number of a data file goes through its name and back', () => {
	fc.assert(
		fc.property(fc.nat(999_999_999), (number) => {
			expect(dumpLayout.readDataName(dumpLayout.dumpDataName(number))).toEqual({ number, suffix: '.csv' })
		}),
	)
	expect(dumpLayout.readDataName('data_-1.csv') ?? dumpLayout.readDataName('data_0.csv')).toBeUndefined()
})

test('the comments of statements are read in their old and in their new form, and without any', () => {
	const view = 'CREATE VIEW IF NOT EXISTS `v` WITH (security_invoker = TRUE) AS\nSELECT 1;\n'
	const read = (text: string): unknown => dumpLayout.readSqlFile(Buffer.from(text), 'v/create_view.sql')
	expect(read(`-- backup root: "/Root/dir"\n${view}`)).toEqual({ database: undefined, root: '/Root/dir', text: view })
	expect(read(`-- database: "/Root"\n-- backup root: "/Root/dir"\n${view}`)).toEqual({
		database: '/Root',
		root: '/Root/dir',
		text: view,
	})
	expect(read(`-- database: "/MyRoot"\nCREATE EXTERNAL DATA SOURCE IF NOT EXISTS \`D\`\nWITH (\n);`)).toMatchObject({
		database: '/MyRoot',
		root: undefined,
	})
	expect(read(view)).toEqual({ database: undefined, root: undefined, text: view })
	expect(read(`-- a person's remark\n-- database: "/Root"\n${view}`)).toMatchObject({ database: undefined })
	expect(refusal(() => read('-- database: "/Root"\n'))).toContain('no CREATE statement')
	expect(refusal(() => dumpLayout.readSqlFile(Uint8Array.of(0xff), 'x.sql'))).toContain('not UTF-8')
})

test('names that the layout uses are no names for a folder of an object', () => {
	for (const name of [
		'scheme.pb',
		'data_00.csv',
		'incomplete',
		'empty_dir',
		'permissions.pb',
		'database.pb',
		'create_view.sql',
	]) {
		expect(dumpLayout.isReservedName(name), name).toBe(true)
	}
	expect(dumpLayout.isReservedName('data_0.csv') || dumpLayout.isReservedName('scheme')).toBe(false)
})
