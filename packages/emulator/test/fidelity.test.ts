// The tables of fidelity: what they claim is sent or names the test that does, and nothing of the sources is missing in them.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CmsServiceDefinition } from '@ydbjs/api/cms'
import { CoordinationServiceDefinition } from '@ydbjs/api/coordination'
import { MonitoringServiceDefinition } from '@ydbjs/api/monitoring'
import { RateLimiterServiceDefinition } from '@ydbjs/api/rate-limiter'
import { ScriptingServiceDefinition } from '@ydbjs/api/scripting'
import { TableServiceDefinition } from '@ydbjs/api/table'
import { TopicServiceDefinition } from '@ydbjs/api/topic'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Status } from 'nice-grpc'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writtenRefusals } from '../../../tools/fidelity/sources.ts'
import { FIDELITY } from '../src/fidelity/index.ts'
import { ISSUE_CODES } from '../src/fidelity/issue-codes.ts'
import { READ_TEXTS } from '../src/fidelity/texts.ts'
import { LIMITS } from '../src/limits.ts'
import { Client } from './clients.ts'

const SOURCES = join(import.meta.dirname, '../src')
const written = writtenRefusals(SOURCES)
let emulator: Emulator
let client: Client

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
	await client.rows('CREATE TABLE t (id Int32, v Int32, PRIMARY KEY (id))')
	await client.rows('CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1')
})
afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
})

test.each(FIDELITY.flatMap(({ behaviour, refused }) => (refused ? [[behaviour, refused] as const] : [])))(
	'refused by name: %s',
	async (_, { query, text }) => {
		const { status, message } = await client.query(query)
		expect(message).toContain(text)
		expect(status).toBe(400_180)
	},
)

test('the tests that the table names are there, and what is verified names one', () => {
	for (const { behaviour, grade, test: named, refused } of FIDELITY) {
		if (named === undefined) {
			expect(refused !== undefined || /^(guess|unknown|unsupported)$/.test(grade), behaviour).toBe(true)
			continue
		}
		const [file, title] = named.split(/: (.*)/s)
		expect(readFileSync(join(import.meta.dirname, file!), 'utf8'), behaviour).toContain(
			`'${title!.replaceAll("'", "\\'")}`,
		)
	}
})

test('every status and issue code of the sources stands in the table, and no other', () => {
	const pairs = new Set(written.flatMap(({ status, code }) => (status === undefined ? [] : [`${status} ${code}`])))
	expect(written.length).toBeGreaterThan(250)
	expect(ISSUE_CODES.map(({ status, code }) => `${status} ${code}`).sort()).toEqual([...pairs].sort())
})

test('texts that were read are texts of the sources', () => {
	for (const beginning of Object.keys(READ_TEXTS))
		expect(
			written.some(({ text }) => text.startsWith(beginning)),
			beginning,
		).toBe(true)
})

/** Numbers that are the emulator's own business, and no limit of YDB. */
const OWN = {
	'control-server.ts': 'the largest request to the control endpoint',
	'exports/encryption.ts': 'sizes that the format of encrypted exports sets',
	'exports/listing.ts': 'the largest page of a listing',
	'exports/retries.ts': 'how long an operation tries again',
	'yql/key-range.ts': 'when a list of keys becomes a scan',
}

test('limits stand in the table of limits only', () => {
	const found = globSync('**/*.ts', { cwd: SOURCES }).filter((file) =>
		/const (?:MOST|MAX|LIMIT)\w*(?:: \w+)? = [\d_]/.test(readFileSync(join(SOURCES, file), 'utf8')),
	)
	expect(found.map((file) => file.replaceAll('\\', '/')).sort()).toEqual(Object.keys(OWN))
	const all = globSync('**/*.ts', { cwd: SOURCES })
		.map((file) => readFileSync(join(SOURCES, file), 'utf8'))
		.join('')
	for (const name of Object.keys(LIMITS)) expect(all, name).toMatch(new RegExp(`(?:LIMITS|limits)\\.${name}\\b`))
})

test('services that are not emulated say so by name', async () => {
	const { driver } = client
	const table = driver.createClient(TableServiceDefinition)
	const first = async (stream: AsyncIterable<unknown>): Promise<void> => {
		for await (const _ of stream) return
	}
	/** A client that says nothing, and does not end. */
	const over = new AbortController()
	const nothing = {
		[Symbol.asyncIterator]: () => ({
			next: () =>
				new Promise<{ done: true; value: undefined }>((resolve) =>
					over.signal.addEventListener('abort', () => resolve({ done: true, value: undefined })),
				),
		}),
	}
	for (const [name, call] of [
		['ReadRows', () => table.readRows({ path: '/local/t' })],
		['StreamExecuteScanQuery', () => first(table.streamExecuteScanQuery({}))],
		['StreamRead', () => first(driver.createClient(TopicServiceDefinition).streamRead(nothing))],
		['StreamWrite', () => first(driver.createClient(TopicServiceDefinition).streamWrite(nothing))],
		['Session', () => first(driver.createClient(CoordinationServiceDefinition).session(nothing))],
		['AcquireResource', () => driver.createClient(RateLimiterServiceDefinition).acquireResource({})],
		['ExecuteScript', () => client.service.executeScript({})],
		['ListDatabases', () => driver.createClient(CmsServiceDefinition).listDatabases({})],
		['SelfCheck', () => driver.createClient(MonitoringServiceDefinition).selfCheck({})],
		['ExecuteYql', () => driver.createClient(ScriptingServiceDefinition).executeYql({})],
	] as const) {
		const error = await call().then(
			() => undefined,
			(reason: unknown) => reason as { code: number; details: string },
		)
		expect([error?.code, error?.details], name).toEqual([
			Status.UNIMPLEMENTED,
			expect.stringContaining(`/${name} is not emulated`),
		])
	}
	over.abort()
})

test('CreateTable refuses profiles and temporary tables, BulkUpsert takes rows only', async () => {
	const table = client.driver.createClient(TableServiceDefinition)
	const columns = [{ name: 'id', type: { type: { case: 'typeId' as const, value: 1 } } }]
	const spec = { path: '/local/x', columns, primaryKey: ['id'] }
	for (const { operation } of [
		await table.createTable({ ...spec, profile: { presetName: 'default' } }),
		await table.createTable({ ...spec, temporary: true }),
		await table.bulkUpsert({
			table: '/local/t',
			data: Buffer.from('1,2\n'),
			dataFormat: { case: 'csvSettings', value: {} },
		}),
	])
		expect([operation!.status, operation!.issues[0]!.message]).toEqual([400_180, expect.stringMatching(/not emulated/)])
})
