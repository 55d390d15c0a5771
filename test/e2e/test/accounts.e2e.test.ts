import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startEmulator } from '@ydbackup/emulator'
import { Statements } from '../../../packages/ydb/test/support/statements.ts'
import { scratch } from '../src/scratch.ts'
import { type Ran, ydbackup } from '../src/ydbackup.ts'

const HASH = JSON.stringify({
	hash: Buffer.alloc(32, 7).toString('base64'),
	salt: Buffer.alloc(16, 3).toString('base64'),
	type: 'argon2id',
})
const ROOT = { auth: { users: { root: '1234' } } }

interface Server extends AsyncDisposable {
	run(words: readonly string[], user?: string): Promise<Ran>
	sql(...statements: string[]): Promise<unknown[][]>
}

/** A database with users, and the command as its administrator. */
async function server(repo: string): Promise<Server> {
	const statements = new Statements()
	const emulator = await startEmulator({ ...ROOT, onQuery: statements.onQuery })
	const endpoint = `grpc://127.0.0.1:${emulator.port}`
	const run: Server['run'] = (words, user = 'root') =>
		ydbackup([...words, '--json'], {
			env: {
				YDBACKUP_REPO: repo,
				YDB_ENDPOINT: endpoint,
				YDB_DATABASE: emulator.database,
				YDB_USER: user,
				YDB_PASSWORD: user === 'root' ? '1234' : 'secret',
			},
		})
	return {
		run,
		async sql(...statements) {
			const { openQueriesAs } = await import('../src/queries.ts')
			await using queries = await openQueriesAs(endpoint, emulator.database, { user: 'root', password: '1234' })
			let rows: unknown[][] = []
			for (const statement of statements) rows = await queries.run(statement)
			return rows
		},
		async [Symbol.asyncDispose]() {
			await emulator.close()
			statements.check()
		},
	}
}

const SETUP = [
	`CREATE USER ann HASH '${HASH}'`,
	"CREATE USER bob PASSWORD 'secret' NOLOGIN",
	'CREATE USER eve',
	'CREATE GROUP staff',
	'CREATE GROUP empty',
	'ALTER GROUP staff ADD USER ann, bob',
	'GRANT SELECT ROW ON `/local` TO staff',
	'CREATE TABLE t (id Uint64, PRIMARY KEY (id))',
	'UPSERT INTO t (id) VALUES (1)',
	'GRANT SELECT ROW ON `/local/t` TO ann',
]

const WHO = 'SELECT Sid, IsEnabled, PasswordHash FROM `.sys/auth_users` WHERE Sid != "root"u ORDER BY Sid'
const MEMBERS = 'SELECT GroupSid, MemberSid FROM `.sys/auth_group_members` ORDER BY GroupSid, MemberSid'
const RIGHTS = 'SELECT Path, Sid, Permission FROM `.sys/auth_permissions` ORDER BY Path, Sid, Permission'
const state = async (at: Server): Promise<unknown> => [await at.sql(WHO), await at.sql(MEMBERS), await at.sql(RIGHTS)]

test(
	'users, groups, memberships and rights come back in another database, and nothing shows a hash',
	{ timeout: 120_000 },
	async () => {
		await using place = await scratch()
		const repo = join(place.path, 'repo')
		await using first = await server(repo)
		await first.sql(...SETUP)
		await first.run(['repo', 'init'])
		const made = await first.run(['backup', 'create', '--with-accounts'])
		expect(made).toMatchObject({ code: 0, result: { accounts: { users: 4, groups: 2 } } })
		expect(made.result.warnings).toEqual([{ message: expect.stringContaining('not encrypted') }])
		const shown = await first.run(['backup', 'show', 'latest'])
		const secret = JSON.parse(HASH).hash as string
		for (const { stdout, stderr } of [made, shown]) expect(`${stdout}${stderr}`).not.toContain(secret)
		const [id] = await readdir(join(repo, 'catalog'))
		expect(await readFile(join(repo, 'catalog', id!, 'manifest.json'), 'utf8')).not.toContain(secret)
		const kept = join(repo, 'catalog', id!, 'objects.json')
		expect(await readFile(kept, 'utf8')).toContain(secret)
		expect((await stat(kept)).mode & 0o777).toBe(0o600)
		expect(await first.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })

		await using second = await server(repo)
		await second.sql("CREATE USER eve PASSWORD 'other'", 'CREATE GROUP staff')
		const plan = await second.run(['restore', 'latest', '--with-accounts', '--dry-run'])
		expect(plan.result.accounts).toEqual({
			users: [
				{ name: 'ann', action: 'create' },
				{ name: 'bob', action: 'create' },
				{ name: 'eve', action: 'exists' },
				{ name: 'root', action: 'exists' },
			],
			groups: [
				{ name: 'empty', action: 'create' },
				{ name: 'staff', action: 'exists' },
			],
			members: 2,
		})
		expect(await second.run(['restore', 'latest', '--with-accounts', '--verify-data'])).toMatchObject({
			code: 0,
			result: { outcome: 'complete' },
		})
		const [users, ...others] = (await state(first)) as unknown[][][]
		const [found, ...rest] = (await state(second)) as unknown[][][]
		expect(rest).toEqual(others)
		// Who existed keeps the password.
		expect(found!.filter(([name]) => name !== 'eve')).toEqual(users!.filter(([name]) => name !== 'eve'))
		expect(found!.find(([name]) => name === 'eve')).not.toEqual(users!.find(([name]) => name === 'eve'))
		const again = await second.run(['restore', 'latest', '--with-accounts', '--existing', 'merge'])
		expect(again.result.accounts).toMatchObject({ members: 0 })
	},
)

test(
	'with a key the hashes are encrypted, and a backup without accounts gives none',
	{ timeout: 120_000 },
	async () => {
		await using place = await scratch()
		const repo = join(place.path, 'repo')
		const key = join(place.path, 'key')
		await writeFile(key, Buffer.alloc(32, 9))
		await using at = await server(repo)
		await at.sql(...SETUP)
		await at.run(['repo', 'init'])
		expect(await at.run(['backup', 'create'])).toMatchObject({ code: 0 })
		const none = await at.run(['restore', 'latest', '--with-accounts', '--to', '/local/x'])
		expect({ code: none.code, error: none.error.code }).toEqual({ code: 2, error: 'CONFIG_INVALID' })
		const sealed = await at.run(['backup', 'create', '--with-accounts', '--encryption-key', `file:${key}`])
		expect(sealed).toMatchObject({ code: 0, result: { warnings: [] } })
		const id = (await readdir(join(repo, 'catalog'))).toSorted().at(-1)!
		for (const name of await readdir(join(repo, 'catalog', id)))
			expect((await readFile(join(repo, 'catalog', id, name))).includes('argon2id'), name).toBe(false)
		await using other = await server(repo)
		expect(await other.run(['restore', 'latest', '--with-accounts', '--encryption-key', `file:${key}`])).toMatchObject({
			code: 0,
			result: { accounts: { members: 2 } },
		})
	},
)

test(
	'a dump of a whole database goes out and comes in, and what is no account statement is refused',
	{ timeout: 120_000 },
	async () => {
		await using place = await scratch()
		const repo = join(place.path, 'repo')
		const dump = join(place.path, 'dump')
		await using first = await server(repo)
		await first.sql(...SETUP)
		await first.run(['repo', 'init'])
		expect(await first.run(['backup', 'create', '--with-accounts'])).toMatchObject({ code: 0 })
		expect(await first.run(['backup', 'export', 'latest', '--to', dump, '--database'])).toMatchObject({ code: 0 })
		const text = (name: string): Promise<string> => readFile(join(dump, name), 'utf8')
		expect((await readdir(dump)).toSorted()).toEqual([
			'alter_group.sql',
			'create_group.sql',
			'create_user.sql',
			'database.pb',
			'permissions.pb',
			't',
		])
		expect(await text('database.pb')).toBe('path: "/local"\n')
		expect(await text('create_group.sql')).toBe('CREATE GROUP `empty`;\nCREATE GROUP `staff`;\n')
		expect(await text('alter_group.sql')).toBe(
			'ALTER GROUP `staff` ADD USER `ann`;\nALTER GROUP `staff` ADD USER `bob`;\n',
		)
		const users = (await text('create_user.sql')).split('\n')
		expect(users).toContain(`CREATE USER \`ann\` HASH '${HASH}';`)
		expect(users).toContain('ALTER USER `bob` NOLOGIN;')
		expect((await stat(join(dump, 'create_user.sql'))).mode & 0o777).toBe(0o600)

		await using second = await server(repo)
		const left = await second.run(['restore', '--from', dump, '--to', '/local/plain'])
		expect({ code: left.code, problems: left.result.problems.length }).toEqual({ code: 9, problems: 2 })
		expect(await second.run(['restore', '--from', dump, '--with-accounts', '--verify-data'])).toMatchObject({ code: 0 })
		expect(await second.sql(MEMBERS)).toEqual(await first.sql(MEMBERS))
		const logins = `${WHO.replace(', PasswordHash', '')}`
		expect(await second.sql(logins)).toEqual(await first.sql(logins))
		expect(await second.sql(RIGHTS)).toEqual(expect.arrayContaining(await first.sql(RIGHTS)))

		const bad = join(place.path, 'bad')
		await mkdir(bad)
		await cp(dump, bad, { recursive: true })
		await writeFile(join(bad, 'create_user.sql'), `CREATE USER \`x\` HASH 'secret'; DROP TABLE t;\n`)
		const refused = await second.run(['restore', '--from', bad, '--with-accounts', '--to', '/local/bad'])
		expect({ code: refused.code, error: refused.error.code }).toEqual({ code: 3, error: 'FORMAT_INVALID' })
		expect(refused.error.message).toContain('create_user.sql:1')
		expect(`${refused.stdout}${refused.stderr}`).not.toContain('secret')
		await second.sql("CREATE USER tom PASSWORD 'secret'", 'GRANT ALL ON `/local` TO tom')
		const denied = await second.run(['backup', 'create', '--with-accounts'], 'tom')
		expect({ code: denied.code, error: denied.error?.code }).toEqual({ code: 8, error: 'DATABASE_PERMISSION' })
	},
)
