import { expect, test } from 'vitest'
import { startEmulator } from '@ydbackup/emulator'
import { REFUSALS } from '../src/refusals.ts'
import { Client } from './clients.ts'

test.each(REFUSALS.map((refusal) => [refusal.statements.at(-1)!, refusal] as const))(
	'refused as the table of refusals says: %s',
	async (last, { statements, status, issueCode, text, origin }) => {
		await using emulator = await startEmulator()
		await using client = await Client.open(emulator)
		for (const statement of statements.slice(0, -1)) await client.rows(statement)
		const answer = await client.query(last)
		expect(answer.message).toContain(text)
		expect([answer.status, answer.issue.code]).toEqual([status, issueCode])
		expect(origin === 'guess' || origin.verified.length > 0).toBe(true)
	},
)
