import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import { STATUS } from '../src/error.ts'
import { REFUSALS } from '../src/yql/errors.ts'
import { Client } from './clients.ts'

let emulator: Emulator
let client: Client

beforeAll(async () => {
	emulator = await startEmulator()
	client = await Client.open(emulator)
	await client.rows('CREATE TABLE refusals (id Uint32 NOT NULL, s String NOT NULL, v Int32, PRIMARY KEY (id))')
	await client.rows('UPSERT INTO refusals (id, s, v) VALUES (1, "x", 5)')
})

afterAll(async () => {
	await client[Symbol.asyncDispose]()
	await emulator.close()
})

test.each(REFUSALS)('$query is refused as the table says', async ({ query, status, issueCode, message, typed }) => {
	const answer = await client.query(query)
	expect(answer.message).toContain(message)
	expect([answer.status, answer.issue.code]).toEqual([STATUS[status], issueCode])
	expect(answer.typed).toBe(typed ?? false)
})
