import { expect, test } from 'vitest'
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
