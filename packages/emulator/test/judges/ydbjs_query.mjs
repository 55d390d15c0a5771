// `@ydbjs/query`, the query client of the official JavaScript SDK, talks to the emulator as a program of its own.
//
//   node ydbjs_query.mjs PLAIN AUTH TLS CA    three endpoints (grpc://, grpc://, grpcs://) and the certificate of the third
//
// Started by .ci/ydb-judges, beside the packages that it imports.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { StaticCredentialsProvider } from '@ydbjs/auth/static'
import { Driver } from '@ydbjs/core'
import { query } from '@ydbjs/query'

const [plain, auth, tls, ca] = process.argv.slice(2)
const databases = { plain: `${plain}/local`, auth: `${auth}/local`, tls: `${tls}/local` }

/** The status that a query is refused with. */
async function refused(status, pending) {
	await assert.rejects(
		async () => await pending,
		(error) => {
			// What fails within a transaction is the cause of its failure.
			assert.equal((error.cause ?? error).code, status, String(error))
			return true
		},
	)
}

/** The client deletes its sessions behind the back of who closes it, and ends the process when that fails: it stays open to the end. */
async function withSql(connection, options, work) {
	const driver = new Driver(connection, options)
	await driver.ready(AbortSignal.timeout(10_000))
	await work(query(driver))
}

const judges = {
	async 'values, parameters and several results'() {
		await withSql(databases.plain, {}, async (sql) => {
			assert.deepEqual(await sql`SELECT 1 AS id; SELECT 'x'u AS t`, [[{ id: 1 }], [{ t: 'x' }]])
			assert.deepEqual(await sql`SELECT ${'text'} AS t, ${true} AS b, ${12n} AS n`, [[{ t: 'text', b: true, n: 12n }]])
			const rows = [{ id: 2n }, { id: 1n }]
			assert.deepEqual(await sql`SELECT * FROM AS_TABLE(${rows}) ORDER BY id`, [[{ id: 1n }, { id: 2n }]])
		})
	},
	async 'scheme and rows by statements'() {
		await withSql(databases.plain, {}, async (sql) => {
			// The client takes fields of rows for Optional: YDB refuses them for columns that are NOT NULL.
			await sql`CREATE TABLE judged (id Int64, name Utf8, PRIMARY KEY (id), INDEX by_name GLOBAL ON (name))`
			await sql`UPSERT INTO judged SELECT * FROM AS_TABLE(${[
				{ id: 1n, name: 'one' },
				{ id: 2n, name: 'two' },
			]})`
			assert.deepEqual(await sql`SELECT id FROM judged VIEW by_name WHERE name = ${'two'}`, [[{ id: 2n }]])
			await sql`ALTER TABLE judged ADD COLUMN note Utf8`
			await sql`UPDATE judged SET note = ${'seen'} WHERE id = ${1n}`
			assert.deepEqual(await sql`SELECT note FROM judged ORDER BY id`, [[{ note: 'seen' }, { note: null }]])
		})
	},
	async 'errors by their status'() {
		await withSql(databases.plain, {}, async (sql) => {
			await refused(400_080, sql`SELEC 1`)
			await refused(400_070, sql`SELECT * FROM nowhere`)
			await refused(400_120, sql`INSERT INTO judged (id) VALUES (1)`)
		})
	},
	async 'transactions, rolled back, and tried again when they are aborted'() {
		await withSql(databases.plain, {}, async (sql) => {
			await assert.rejects(
				sql.begin(async (tx) => {
					await tx`UPSERT INTO judged (id, name) VALUES (3, 'three'u)`
					throw new Error('stop')
				}),
			)
			assert.deepEqual(await sql`SELECT COUNT(*) AS n FROM judged`, [[{ n: 2n }]])
			// What is called within a transaction belongs to it: the other writer is somebody outside of it.
			const [read, changed] = [Promise.withResolvers(), Promise.withResolvers()]
			const other = read.promise.then(() => sql`UPDATE judged SET name = 'between'u WHERE id = 1`)
			other.then(changed.resolve, changed.reject)
			let attempts = 0
			await sql.begin({ idempotent: true }, async (tx) => {
				attempts++
				const [[{ name }]] = await tx`SELECT name FROM judged WHERE id = 1`
				read.resolve()
				await changed.promise
				await tx`UPDATE judged SET name = ${`${name}!`} WHERE id = 1`
			})
			assert.deepEqual([attempts, await sql`SELECT name FROM judged WHERE id = 1`], [2, [[{ name: 'between!' }]]])
			await refused(
				400_080,
				sql.begin({ isolation: 'snapshotReadOnly' }, async (tx) => void (await tx`DELETE FROM judged`)),
			)
		})
	},
	async 'user and password'() {
		const login = (password) => ({
			credentialsProvider: new StaticCredentialsProvider({ username: 'root', password }, databases.auth),
		})
		await withSql(databases.auth, login('1234'), async (sql) =>
			assert.deepEqual(await sql`SELECT 1 AS a`, [[{ a: 1 }]]),
		)
		await assert.rejects(withSql(databases.auth, login('wrong'), async () => {}))
	},
	async TLS() {
		const secureOptions = { ca: readFileSync(ca) }
		await withSql(databases.tls, { secureOptions }, async (sql) =>
			assert.deepEqual(await sql`SELECT 1 AS a`, [[{ a: 1 }]]),
		)
	},
}

let failed = 0
for (const [name, judge] of Object.entries(judges))
	try {
		await judge()
		console.log(`  ok      ${name}`)
	} catch (error) {
		failed++
		console.log(`  FAILED  ${name}`, error, JSON.stringify(error.issues ?? ''))
	}
console.log(`@ydbjs/query: ${Object.keys(judges).length - failed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
