import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { errorOf, keysOf, newRepository, noting, START } from './stores.ts'

const ID = '20261123T021530Z-k3f9'
const record = {
	database: '/local',
	workDirectory: `~ydbackup-x-${ID}`,
	startedAt: START.toISOString(),
	host: 'h',
	pid: 42,
}

test('a run is listed from its beginning to its end, with what it may have left', async () => {
	const storage = openMemory()
	const repository = await newRepository(storage)
	await repository.startRun(ID, record)
	expect(await repository.runs()).toEqual([{ id: ID, record }])
	await storage.put(`runs/${ID}/part-1.json`, Buffer.from('{}'))
	await repository.endRun(ID)
	expect(await repository.runs()).toEqual([])
	expect(await keysOf(storage)).toEqual(['ydbackup.json'])
	await repository.endRun(ID)
})

test('two runs do not share an id', async () => {
	const repository = await newRepository()
	await repository.startRun(ID, record)
	expect((await errorOf(repository.startRun(ID, { ...record, pid: 43 }))).code).toBe('BACKUP_ID_CONFLICT')
	expect((await repository.runs())[0]?.record?.pid).toBe(42)
})

test('the record of a run is deleted last, and nothing of another run is', async () => {
	const memory = openMemory()
	const { storage, calls } = noting(memory)
	const repository = await newRepository(storage)
	await repository.startRun(ID, record)
	await memory.put(`runs/${ID}/part.json`, Buffer.from('x'))
	await memory.put(`runs/${ID}/zz.json`, Buffer.from('x'))
	await memory.put(`runs/${ID}x/run.json`, Buffer.from('x'))
	calls.length = 0
	await repository.endRun(ID)
	const deletes = calls.filter((call) => call.startsWith('delete'))
	expect(deletes).toEqual([`delete runs/${ID}/part.json`, `delete runs/${ID}/zz.json`, `delete runs/${ID}/run.json`])
})

test('a record that cannot be read is listed with the reason', async () => {
	const storage = openMemory()
	const repository = await newRepository(storage)
	for (const text of ['', '{}', '{"ydbackup":"run","version":2}', 'x'.repeat(100_000)]) {
		await storage.put(`runs/${ID}/run.json`, Buffer.from(text))
		expect(await repository.runs()).toMatchObject([{ id: ID, error: { code: 'FORMAT_INVALID' } }])
	}
	await storage.put('runs/somebody/run.json', Buffer.from('x'))
	expect(await repository.runs()).toHaveLength(1)
})
