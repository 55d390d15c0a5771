import { cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { differences } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { schemePb, writeFiles } from '../src/dump.ts'
import { createWorld } from '../src/world.ts'

const OWNER = 'actions {\n  change_owner: "root@builtin"\n}\n'
const SET = 'actions {\n  set {\n    subject: "alice"\n    permission_names: "ydb.generic.read"\n  }\n}\n'

test('a directory of ydb tools dump is restored: tables, empty directories, rights of old SDKs, rows of any file', async () => {
	await using world = await createWorld()
	const from = await writeFiles(`${world.directory}/dump`, {
		'series/scheme.pb': schemePb({ id: 'UINT64', title: 'UTF8', score: 'DOUBLE' }, 'id'),
		'series/permissions.pb': OWNER + SET,
		'series/data_00.csv': '1,"%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82",nan\n3,"a^b",-inf\n',
		'series/data_01.csv': '2,"a%5eb",null\n',
		'dir/none/permissions.pb': OWNER,
		'dir/none/empty_dir': '',
		'dir/permissions.pb': OWNER + SET,
		'dir/void/scheme.pb': schemePb({ id: 'UINT32' }, 'id'),
		'dir/void/data_00.csv': '',
		'odd name (1)/scheme.pb': schemePb({ id: 'UINT32' }, 'id'),
		'odd name (1)/data_00.csv': '7\n',
	})
	const { code, result, error } = await world.runOnDatabase(['restore', '--from', from, '--verify-data'])
	expect(error).toBeUndefined()
	expect(code).toBe(0)
	expect(result).toMatchObject({ from: { layout: 'dump', location: from }, outcome: 'complete', rows: 4 })
	const picture = await world.picture()
	expect(Array.from(picture.keys()).toSorted()).toEqual(['dir', 'dir/none', 'dir/void', 'odd name (1)', 'series'])
	expect(picture.get('series')).toMatchObject({ rows: 3, owner: 'root@builtin', grants: ['alice: ydb.generic.read'] })
})

test('a dump that is not finished, or not there, is refused and nothing is created', async () => {
	await using world = await createWorld()
	const from = await writeFiles(`${world.directory}/dump`, {
		't/scheme.pb': schemePb({ id: 'UINT32' }, 'id'),
		't/data_00.csv': '7\n',
		'later/incomplete': '',
	})
	const unfinished = await world.runOnDatabase(['restore', '--from', from])
	expect(unfinished).toMatchObject({ code: 3, error: { code: 'FORMAT_INVALID' } })
	expect(unfinished.error.message).toContain('later/incomplete')
	expect((await world.picture()).size).toBe(0)
	expect(await world.runOnDatabase(['restore', '--from', `${from}/nothing`])).toMatchObject({ code: 4 })
	expect(await world.runOnDatabase(['restore', 'latest', '--from', from])).toMatchObject({ code: 2 })
	expect(await world.runOnDatabase(['restore', '--from', from, '--repo', from])).toMatchObject({ code: 2 })
})

test('a link in a dump is refused, wherever it leads', async () => {
	await using world = await createWorld()
	const from = await writeFiles(`${world.directory}/dump`, { 't/scheme.pb': schemePb({ id: 'UINT32' }, 'id') })
	await symlink('/etc/hostname', join(from, 't/data_00.csv'))
	const { code, error } = await world.runOnDatabase(['restore', '--from', from])
	expect(code).toBe(7)
	expect(error.message).toContain('t/data_00.csv is neither a file nor a directory')
	expect((await world.picture()).size).toBe(0)
})

test('what is not restored is named and ends with 9; rows are merged into tables that exist, whose rights stay', async () => {
	await using world = await createWorld()
	const from = await writeFiles(`${world.directory}/dump`, {
		'folder/table/scheme.pb': schemePb(
			{ id: 'UINT32', number: 'UINT64', string: 'STRING' },
			'id',
			'columns {\n  name: "fixed_point"\n  type {\n    optional_type {\n      item {\n        decimal_type {\n          precision: 22\n          scale: 9\n        }\n      }\n    }\n  }\n}\nnovelty_of_tomorrow {\n  x: 1\n}\n',
		),
		'folder/table/data_00.csv': '2,6,"pen",2.4\n3,null,"pineapple",3.5\n5,12,null,512.6\n7,15,"pen",null\n',
		'view/create_view.sql':
			'-- database: "/local"\n-- backup root: "/local"\nCREATE VIEW IF NOT EXISTS `view` AS SELECT 1;',
	})
	const first = await world.runOnDatabase(['restore', '--from', from, '--to', 'restored'])
	expect(first).toMatchObject({ code: 9, error: { code: 'PARTIAL' }, result: { outcome: 'partial', rows: 4 } })
	expect(first.result.problems).toEqual([
		{ path: 'restored/folder/table', message: expect.stringContaining('novelty_of_tomorrow') },
		// Without security_invoker it is refused, as by YDB.
		{ path: 'restored/view', message: expect.stringContaining('the view was not restored') },
	])
	const before = await world.picture()
	const merge = [
		'restore',
		'--from',
		from,
		'--to',
		'restored',
		'--exclude',
		'view',
		'--existing',
		'merge',
		'--data-only',
	]
	expect(await world.runOnDatabase(merge)).toMatchObject({ code: 0, result: { outcome: 'complete', rows: 4 } })
	expect(differences(before, await world.picture())).toEqual([])
	expect(await world.runOnDatabase(['restore', '--from', from, '--to', 'restored'])).toMatchObject({ code: 5 })
})

test('our own backup is an export of YDB: without its manifest it is restored from its folder, from any prefix', async () => {
	await using world = await createWorld()
	await world.seed(700)
	await world.run(['repo', 'init'])
	const { result } = await world.runOnDatabase(['backup', 'create'])
	const before = await world.picture()
	await cp(join(world.repo, 'backups', result.id), join(world.directory, 'bare/001'), { recursive: true })
	await dropEverything(world.endpoint, world.database)
	const restored = await world.runOnDatabase(['restore', '--from', join(world.directory, 'bare/001'), '--verify-data'])
	expect(restored).toMatchObject({ code: 0, result: { from: { layout: 'export' }, rows: result.rows } })
	// An export has no directories of its own: empty ones and their rights are in our manifest alone.
	const lost = differences(before, await world.picture()).filter(
		(line) => before.get(line.split(':')[0]!)?.kind === 'table',
	)
	expect(lost).toEqual([])
})
