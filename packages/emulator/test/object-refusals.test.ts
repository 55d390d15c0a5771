import { expect, test } from 'vitest'
import { startEmulator } from '@ydbackup/emulator'
import { REFUSALS } from '../src/refusals.ts'
import { Client, credentials } from './clients.ts'

test.each(REFUSALS.map((refusal) => [refusal.statements.at(-1)!, refusal] as const))(
	'refused as the table of refusals says: %s',
	async (last, { statements, byUser, status, issueCode, text, origin }) => {
		await using emulator = await startEmulator(byUser ? { auth: { users: { root: 'x' } } } : {})
		await using client = await Client.open(emulator, byUser ? await credentials(emulator, 'root') : undefined)
		for (const statement of statements.slice(0, -1)) await client.rows(statement)
		await using who = byUser ? await Client.open(emulator, await credentials(emulator, 'who')) : undefined
		const answer = await (who ?? client).query(last)
		expect(answer.message).toContain(text)
		expect([answer.status, answer.issue.code]).toEqual([status, issueCode])
		expect(origin === 'guess' || origin.verified.length > 0).toBe(true)
	},
)
