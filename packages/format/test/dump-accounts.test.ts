import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { dumpLayout } from '../src/index.ts'

const HASH = '{"hash":"p4ffeMug=","salt":"U+tzBtgo==","type":"argon2id"}'

test('accounts are written as YDB writes them, one statement a line', () => {
	const files = dumpLayout.writeAccounts({
		users: [
			{ name: 'ann', passwordHash: HASH, mayLogIn: true },
			{ name: 'bob', passwordHash: '', mayLogIn: false },
			{ name: 'Bad Name', passwordHash: '', mayLogIn: true },
		],
		groups: [
			{ name: 'staff', members: ['ann', 'svc@as'] },
			{ name: 'none', members: [] },
		],
	})
	const texts = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString()]))
	expect(texts).toEqual({
		'create_user.sql': `CREATE USER \`ann\` HASH '${HASH}';\nCREATE USER \`bob\`;\nALTER USER \`bob\` NOLOGIN;\n`,
		'create_group.sql': 'CREATE GROUP `staff`;\nCREATE GROUP `none`;\n',
		'alter_group.sql': 'ALTER GROUP `staff` ADD USER `ann`;\nALTER GROUP `staff` ADD USER `svc@as`;\n',
	})
})

test('what is written is read again, whatever hashes and members are called', () => {
	const name = fc.stringMatching(/^[a-z0-9]{1,8}$/u)
	const odd = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/[\r\n]/u.test(text))
	const users = fc.uniqueArray(fc.record({ name, passwordHash: odd, mayLogIn: fc.boolean() }), {
		selector: (user) => user.name,
	})
	const groups = fc.uniqueArray(fc.record({ name, members: fc.uniqueArray(odd) }), { selector: (group) => group.name })
	fc.assert(
		fc.property(users, groups, (all, groupsOfAll) => {
			const accounts = { users: all, groups: groupsOfAll }
			expect(dumpLayout.readAccounts(dumpLayout.writeAccounts(accounts))).toEqual(accounts)
		}),
	)
})

test('nothing but the statements of a dump is read, and the error does not show the line', () => {
	for (const line of [
		"CREATE USER `a` HASH 'secret'; DROP TABLE t;",
		'CREATE USER a;',
		"CREATE USER `a` PASSWORD 'secret';",
		"create user `a` hash 'secret';",
		'ALTER USER `unknown` NOLOGIN;',
		'GRANT ALL ON `/local` TO `secret`;',
		"CREATE USER `a` HASH 'sec`ret",
	]) {
		const read = (): unknown =>
			dumpLayout.readAccounts({ 'create_user.sql': Buffer.from(`CREATE USER \`ok\`;\n\n${line}\n`) })
		expect(read, line).toThrow(/create_user\.sql:3 is no statement/u)
		expect(read, line).not.toThrow(/secret/u)
	}
})
