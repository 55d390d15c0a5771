import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { parseProtoText } from '@ydbackup/format'
import { connect, type Ydb } from '@ydbackup/ydb'
import { openQueriesAs } from '../src/queries.ts'
import { scratch } from '../src/scratch.ts'
import { type Ran, ydbackup } from '../src/ydbackup.ts'

const ADMIN = { user: 'root', password: '1234' }

interface Place extends AsyncDisposable {
	readonly ydb: Ydb
	/** As `root` unless said otherwise. */
	run(words: readonly string[], user?: string): Promise<Ran>
	sql(...statements: string[]): Promise<unknown[][]>
	/** The tables and directories of the database, each with its rows. */
	state(): Promise<Record<string, unknown>>
}

/** A database in which `op` may read and write everything but what is taken from him. */
async function createPlace(): Promise<Place> {
	const emulator: Emulator = await startEmulator({ auth: { users: { root: '1234' } } })
	const directory = await scratch()
	const { database } = emulator
	const endpoint = `grpc://127.0.0.1:${emulator.port}`
	const ydb = await connect({ endpoint, database, credentials: { kind: 'static', ...ADMIN } })
	const sql: Place['sql'] = async (...statements) => {
		await using queries = await openQueriesAs(endpoint, database, ADMIN)
		let rows: unknown[][] = []
		for (const statement of statements) rows = await queries.run(statement)
		return rows
	}
	await sql(
		"CREATE USER op PASSWORD 'secret'",
		'GRANT CONNECT, SELECT ON `/local` TO op',
		'CREATE TABLE `open/a` (id Uint64 NOT NULL, PRIMARY KEY (id))',
		'CREATE TABLE `shut/b` (id Uint64 NOT NULL, PRIMARY KEY (id))',
		'UPSERT INTO `open/a` (id) VALUES (1ul), (2ul)',
		'UPSERT INTO `shut/b` (id) VALUES (1ul), (2ul)',
	)
	return {
		ydb,
		sql,
		run: (words, user = 'root') =>
			ydbackup([...words, '--json'], {
				env: {
					YDBACKUP_REPO: join(directory.path, 'repo'),
					YDB_ENDPOINT: endpoint,
					YDB_DATABASE: database,
					YDB_USER: user,
					YDB_PASSWORD: user === 'root' ? '1234' : 'secret',
				},
			}),
		async state() {
			const found: Record<string, unknown> = {}
			const open = ['']
			for (const path of open)
				for (const child of await ydb.sink.children(path)) {
					if (child.path === '.sys') continue
					if (child.kind === 'directory') open.push(child.path)
					found[child.path] = child.kind === 'row-table' ? await ydb.sink.countRows(child.path) : child.kind
				}
			return found
		},
		async [Symbol.asyncDispose]() {
			await ydb[Symbol.asyncDispose]()
			await emulator.close()
			await directory[Symbol.asyncDispose]()
		},
	}
}

/** Nobody has a right at a path but those to whom it is given there, and administrators. */
const shut = (ydb: Ydb, path: string): Promise<void> =>
	ydb.sink.setPermissions(path, parseProtoText('interrupt_inheritance: true', 'a test'))

test('a backup by somebody who may not see or read one table names it, exits with 8 and leaves nothing; without it all is well', async () => {
	await using place = await createPlace()
	const { ydb, run, sql } = place
	await sql('GRANT CREATE TABLE, CREATE DIRECTORY, REMOVE SCHEMA, ALTER SCHEMA ON `/local` TO op')
	await run(['repo', 'init'])
	await shut(ydb, 'shut/b')
	const before = await place.state()

	const unseen = await run(['backup', 'create'], 'op')
	expect(unseen).toMatchObject({ code: 8, error: { code: 'DATABASE_PERMISSION' } })
	expect(unseen.error.message).toContain('/local/shut/b')
	await sql('GRANT DESCRIBE SCHEMA ON `/local/shut/b` TO op')
	const unread = await run(['backup', 'create'], 'op')
	expect(unread).toMatchObject({ code: 8, error: { code: 'DATABASE_PERMISSION' } })
	expect(unread.error.message).toContain('/local/shut/b')
	expect(await place.state()).toEqual(before)
	const nothing = await run(['backup', 'list'])
	expect(nothing.result).toMatchObject({ backups: [] })

	const rest = await run(['backup', 'create', '--exclude', 'shut/b'], 'op')
	expect(rest).toMatchObject({ code: 0, result: { tables: [{ path: 'open/a', rows: 2 }] } })
	expect(await place.state()).toEqual(before)
})

test('a restore by somebody who may not create, or not in one directory, or not write, exits with 8 and leaves nothing half', async () => {
	await using place = await createPlace()
	const { ydb, run, sql } = place
	await run(['repo', 'init'])
	expect(await run(['backup', 'create'])).toMatchObject({ code: 0 })
	await sql('CREATE TABLE `copy/shut/mine` (id Uint64 NOT NULL, PRIMARY KEY (id))')
	await shut(ydb, 'copy/shut')
	const before = await place.state()
	const copy = ['restore', 'latest', '--to', '/local/copy']

	const reader = await run(copy, 'op')
	expect(reader).toMatchObject({ code: 8, error: { code: 'DATABASE_PERMISSION' } })
	expect(await place.state()).toEqual(before)

	await sql('GRANT INSERT ON `/local` TO op', 'GRANT DESCRIBE SCHEMA ON `/local/copy/shut` TO op')
	const writer = await run(copy, 'op')
	expect(writer).toMatchObject({ code: 8, error: { code: 'DATABASE_PERMISSION' } })
	expect(writer.error.message).toContain('/local/copy/shut/b')
	// What is whole may stay, and the message says so; nothing is half.
	const { 'copy/open': _, 'copy/open/a': whole, ...after } = await place.state()
	expect(after).toEqual(before)
	expect([undefined, 2n]).toContain(whole)

	await sql('DELETE FROM `open/a` WHERE id = 2ul')
	await shut(ydb, 'open/a')
	await sql('GRANT DESCRIBE SCHEMA, SELECT ROW ON `/local/open/a` TO op')
	const merged = await run(['restore', 'latest', '--include', 'open/a', '--existing', 'merge'], 'op')
	expect(merged).toMatchObject({ code: 8, error: { code: 'DATABASE_PERMISSION' } })
	expect(merged.error.message).toContain('/local/open/a')
	expect(await ydb.sink.countRows('open/a')).toBe(1n)
})

test('a restore by somebody who may not give rights on the database ends with all rows and exit 9', async () => {
	await using place = await createPlace()
	const { run, sql } = place
	await sql('GRANT SELECT ROW ON `/local` TO op', 'GRANT INSERT ON `/local` TO op')
	await run(['repo', 'init'])
	expect(await run(['backup', 'create'])).toMatchObject({ code: 0 })
	const partial = await run(['restore', 'latest', '--to', '/local/copy', '--root-acl'], 'op')
	expect(partial).toMatchObject({ code: 9, error: { code: 'PARTIAL' } })
	const { problems, tables } = partial.result
	expect(problems).toContainEqual({ path: '', message: expect.stringMatching(/rights could not be set/) })
	expect(tables.map(({ rows }: { rows: number }) => rows)).toEqual([2, 2])
})
