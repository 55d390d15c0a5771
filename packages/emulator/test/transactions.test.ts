import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { create } from '@bufbuild/protobuf'
import {
	ExecMode,
	type ExecuteQueryRequest,
	type ExecuteQueryResponsePart,
	StatsMode,
	type TransactionControl,
	TransactionControlSchema,
} from '@ydbjs/api/query'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { Client, withSdk } from './clients.ts'

let emulator: Emulator
let client: Client
let other: Client
const SUCCESS = 400000
const BAD_REQUEST = 400010
const ABORTED = 400040
const GENERIC_ERROR = 400080
const BAD_SESSION = 400100
const NOT_FOUND = 400140
const SESSION_BUSY = 400190

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
	other = await Client.open(emulator)
	await client.rows('CREATE TABLE a (id Uint64 NOT NULL, v Int32, PRIMARY KEY (id))')
	await client.rows('CREATE TABLE b (id Uint64 NOT NULL, v Int32, PRIMARY KEY (id))')
})

beforeEach(async () => {
	await client.rows(
		'DELETE FROM a; DELETE FROM b; UPSERT INTO a (id, v) VALUES (1, 1), (2, 2); UPSERT INTO b (id, v) VALUES (1, 1)',
	)
})

afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await other[Symbol.asyncDispose]()
	await emulator.close()
})

type Request = Partial<Omit<ExecuteQueryRequest, '$typeName' | '$unknown'>>
type Mode = 'serializableReadWrite' | 'snapshotReadOnly' | 'onlineReadOnly' | 'staleReadOnly'

function begin(mode: Mode, commitTx: boolean): TransactionControl {
	const value = { txMode: { case: mode, value: {} } as never }
	return create(TransactionControlSchema, { commitTx, txSelector: { case: 'beginTx', value } })
}

async function parts(text: string, more: Request = {}): Promise<ExecuteQueryResponsePart[]> {
	const out: ExecuteQueryResponsePart[] = []
	const query = { case: 'queryContent' as const, value: { syntax: 1, text } }
	const { sessionId } = client
	for await (const part of client.service.executeQuery({
		sessionId,
		execMode: ExecMode.EXECUTE,
		query,
		...more,
	} as Request))
		out.push(part)
	return out
}

test.each<Mode>(['snapshotReadOnly', 'onlineReadOnly', 'staleReadOnly'])(
	'%s reads, and refuses to write',
	async (mode) => {
		const [read] = await parts('SELECT COUNT(*) FROM a', { txControl: begin(mode, true) })
		expect(read!.status).toBe(SUCCESS)
		const [write] = await parts('UPSERT INTO a (id, v) VALUES (9, 9)', { txControl: begin(mode, true) })
		expect([write!.status, write!.issues[0]!.issueCode, write!.issues[0]!.message]).toEqual([
			GENERIC_ERROR,
			2008,
			"Operation 'Upsert' can't be performed in read only transaction",
		])
		expect(await client.rows('SELECT COUNT(*) FROM a')).toEqual([[2]])
	},
)

test.each<[Mode, number]>([
	['serializableReadWrite', SUCCESS],
	['snapshotReadOnly', SUCCESS],
	['onlineReadOnly', BAD_REQUEST],
	['staleReadOnly', BAD_REQUEST],
])('%s over several calls: %i', async (mode, status) => {
	const [first] = await parts('SELECT 1', { txControl: begin(mode, false) })
	expect(first!.status).toBe(status)
	const txSettings = { txMode: { case: mode, value: {} } as never }
	const begun = await client.service.beginTransaction({ sessionId: client.sessionId, txSettings })
	expect(begun.status).toBe(status)
	for (const id of [first!.txMeta?.id, begun.txMeta?.id])
		if (id) await client.service.rollbackTransaction({ sessionId: client.sessionId, txId: id })
})

test('a snapshot is of one moment for all tables, and is never aborted', async () => {
	const [first] = await parts('SELECT v FROM a WHERE id = 1', { txControl: begin('snapshotReadOnly', false) })
	const txId = first!.txMeta!.id
	await other.rows('UPSERT INTO a (id, v) VALUES (1, 100); UPSERT INTO b (id, v) VALUES (1, 100)')
	const seen = await client.query('SELECT v FROM a WHERE id = 1; SELECT v FROM b WHERE id = 1', {}, { id: txId })
	expect(seen.sets.map(({ rows }) => rows[0]!.items[0]!.value.value)).toEqual([1, 1])
	const written = await client.query('DELETE FROM b', {}, { id: txId })
	expect([written.status, written.issue.code]).toEqual([GENERIC_ERROR, 2008])
	// The failure ended it.
	expect((await client.query('SELECT 1', {}, { id: txId })).status).toBe(NOT_FOUND)
})

test('write skew is refused: of two transactions that read what the other writes, one aborts', async () => {
	const one = await client.query('SELECT SUM(v) FROM a', {}, { begin: true })
	const two = await other.query('SELECT SUM(v) FROM a', {}, { begin: true })
	expect((await client.query('UPSERT INTO a (id, v) VALUES (1, 10)', {}, { id: one.txId, commit: true })).status).toBe(
		SUCCESS,
	)
	const lost = await other.query('UPSERT INTO a (id, v) VALUES (2, 20)', {}, { id: two.txId, commit: true })
	expect([lost.status, lost.issue.code]).toEqual([ABORTED, 2001])
	expect(await client.rows('SELECT v FROM a ORDER BY id')).toEqual([[10], [2]])
})

test('a row that appears in a range that was read aborts too; one outside of it does not', async () => {
	const one = await client.query('SELECT COUNT(*) FROM a WHERE id < 100', {}, { begin: true })
	await other.rows('UPSERT INTO a (id, v) VALUES (500, 5)')
	expect((await client.query('UPSERT INTO b (id, v) VALUES (7, 7)', {}, { id: one.txId, commit: true })).status).toBe(
		SUCCESS,
	)
	const two = await client.query('SELECT COUNT(*) FROM a WHERE id < 100', {}, { begin: true })
	await other.rows('UPSERT INTO a (id, v) VALUES (50, 5)')
	expect((await client.query('UPSERT INTO b (id, v) VALUES (8, 8)', {}, { id: two.txId, commit: true })).status).toBe(
		ABORTED,
	)
})

test('a session does one thing at a time', async () => {
	await client.rows(
		`UPSERT INTO a SELECT id, 1 AS v FROM AS_TABLE([${Array.from({ length: 5000 }, (_, at) => `<|id: ${at}ul|>`).join()}])`,
	)
	const text = Array.from({ length: 200 }, () => 'SELECT id, v, id + 1ul FROM a;').join('')
	const answers = client.service.executeQuery({
		sessionId: client.sessionId,
		execMode: ExecMode.EXECUTE,
		responsePartLimitBytes: 64n,
		query: { case: 'queryContent', value: { syntax: 1, text } },
	})
	const session = answers[Symbol.asyncIterator]()
	expect((await session.next()).value!.status).toBe(SUCCESS)
	const busy = await client.query('SELECT 1')
	expect([busy.status, busy.message]).toEqual([SESSION_BUSY, 'Pending previous query completion'])
	await session.return!()
	await expect.poll(async () => (await client.query('SELECT 1')).status).toBe(SUCCESS)
	expect((await client.query('SELECT 1', {}, undefined, `${client.sessionId}0`)).status).toBe(BAD_SESSION)
})

test('parts of a result are as small as the client asks', async () => {
	const found = await parts('SELECT id FROM a ORDER BY id DESC', { responsePartLimitBytes: 1n })
	expect(found.map(({ resultSet }) => resultSet?.rows.length)).toEqual([1, 1])
})

test('EXPLAIN tells the tables, needs no values of parameters, and changes nothing', async () => {
	const text =
		'DECLARE $id AS Uint64; SELECT v FROM a WHERE id = $id; SELECT * FROM b; DELETE FROM a; UPSERT INTO b (id, v) VALUES ($id, 5)'
	const [answer] = await parts(text, { execMode: ExecMode.EXPLAIN })
	expect(answer!.status).toBe(SUCCESS)
	const { tables, meta, Plan } = JSON.parse(answer!.execStats!.queryPlan) as {
		meta: unknown
		Plan: { Plans: unknown[] }
		tables: { name: string; reads: { type: string }[]; writes: { type: string }[] }[]
	}
	expect(meta).toEqual({ version: '0.2', type: 'query' })
	expect(tables.map(({ name }) => name)).toEqual(['/local/a', '/local/b'])
	expect(tables[0]!.reads.map(({ type }) => type)).toEqual(['Lookup', 'FullScan'])
	expect(tables[0]!.writes.map(({ type }) => type)).toEqual(['MultiErase'])
	expect(tables[1]!.writes.map(({ type }) => type)).toEqual(['MultiUpsert'])
	expect(Plan.Plans.length).toBe(5)
	expect(await client.rows('SELECT COUNT(*) FROM a')).toEqual([[2]])
	expect(await client.rows('SELECT COUNT(*) FROM b')).toEqual([[1]])
})

test('VALIDATE checks names and types, and says nothing', async () => {
	const [good] = await parts('UPSERT INTO a (id, v) VALUES (77, 7)', { execMode: ExecMode.VALIDATE })
	expect([good!.status, good!.resultSet, good!.execStats]).toEqual([SUCCESS, undefined, undefined])
	const [bad] = await parts('SELECT none FROM a', { execMode: ExecMode.VALIDATE })
	expect(bad!.status).toBe(GENERIC_ERROR)
	const [unwritten] = await parts('CREATE TABLE never (id Uint64, PRIMARY KEY (id))', { execMode: ExecMode.VALIDATE })
	expect(unwritten!.status).toBe(SUCCESS)
	expect((await client.query('SELECT 1 FROM never')).status).not.toBe(SUCCESS)
	expect(await client.rows('SELECT COUNT(*) FROM a WHERE id = 77')).toEqual([[0]])
})

test('statistics count rows and bytes, and bring the plan when asked for more', async () => {
	const text = 'SELECT v FROM a; UPDATE a SET v = 5 WHERE id = 1; DELETE FROM b; SELECT COUNT(*) FROM a'
	const of = async (statsMode: StatsMode): Promise<ExecuteQueryResponsePart['execStats']> =>
		(await parts(text, { statsMode })).at(-1)!.execStats
	expect(await of(StatsMode.NONE)).toBeUndefined()
	await client.rows('UPSERT INTO b (id, v) VALUES (1, 1)')
	const basic = (await of(StatsMode.BASIC))!
	const access = basic.queryPhases[0]!.tableAccess
	expect(access.map(({ name }) => name)).toEqual(['/local/a', '/local/b'])
	expect([access[0]!.reads!.rows, access[0]!.updates!.rows, access[1]!.deletes!.rows]).toEqual([5n, 1n, 1n])
	expect(access[0]!.reads!.bytes).toBeGreaterThan(0n)
	expect(basic.totalDurationUs).toBeGreaterThan(0n)
	expect(basic.queryPlan).toBe('')
	const full = (await of(StatsMode.FULL))!
	expect(JSON.parse(full.queryPlan)).toHaveProperty('Plan')
})

test('ydb-sdk: explain, a truncated result, its transactions, and the hint to close a session', async () => {
	await client.rows(
		`UPSERT INTO a SELECT id, 1 AS v FROM AS_TABLE([${Array.from({ length: 1500 }, (_, at) => `<|id: ${at}ul|>`).join()}])`,
	)
	await withSdk(emulator, async (driver) => {
		await driver.tableClient.withSession(async (session) => {
			const { queryPlan } = await session.explainQuery('SELECT * FROM a WHERE id > 5')
			expect(JSON.parse(queryPlan)).toMatchObject({ tables: [{ name: '/local/a', reads: [{ type: 'Scan' }] }] })
			const { resultSets } = await session.executeQuery('SELECT id FROM a; SELECT id FROM a LIMIT 1000')
			expect(resultSets.map(({ rows, truncated }) => [rows?.length, truncated])).toEqual([
				[1000, true],
				[1000, false],
			])
			const refused = session.executeQuery('DELETE FROM a', {}, { beginTx: { onlineReadOnly: {} }, commitTx: true })
			await expect(refused).rejects.toThrow("Operation 'Delete' can't be performed in read only transaction")
			const { id } = await session.beginTransaction({ serializableReadWrite: {} })
			await session.executeQuery('UPSERT INTO b (id, v) VALUES (70, 1)', {}, { txId: id! })
			await session.rollbackTransaction({ txId: id! })
			expect(await client.rows('SELECT COUNT(*) FROM b WHERE id = 70')).toEqual([[0]])
			expect(session.isClosing()).toBe(false)
			emulator.faults.sessionCloseHint = true
			await session.executeQuery('SELECT 1')
			emulator.faults.sessionCloseHint = false
			expect(session.isClosing()).toBe(true)
		})
	})
})
