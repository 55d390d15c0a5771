import { openMemory, readOnly } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { errorOf, keysOf, newRepository } from './stores.ts'

const KEY = 'ab'.repeat(16)
const OTHER = 'cd'.repeat(16)
const use = (keyId: string, at: string, backup = '20261123T021530Z-k3f9') =>
	({ keyId, backup, at, by: 'restore' }) as const

test('the last day on which each key opened a backup is known, and a day is noted once', async () => {
	const storage = openMemory()
	const repository = await newRepository(storage)
	expect(await repository.keyUses()).toEqual([])
	const days = [
		'2026-11-23T10:00:00.000Z',
		'2026-11-23T23:00:00.000Z',
		'2027-01-02T00:00:00.000Z',
		'2026-12-31T00:00:00.000Z',
	]
	for (const at of days) await repository.noteKeyUse(use(KEY, at))
	await repository.noteKeyUse(use(OTHER, days[0]!))
	expect((await keysOf(storage)).filter((key) => key.startsWith('keys/'))).toEqual([
		`keys/${KEY}/20261123.json`,
		`keys/${KEY}/20261231.json`,
		`keys/${KEY}/20270102.json`,
		`keys/${OTHER}/20261123.json`,
	])
	expect(await repository.keyUses()).toEqual([use(KEY, days[2]!), use(OTHER, days[0]!)])
})

test('notes that are none, damaged, huge or of another key are left out, and stop nothing', async () => {
	const storage = openMemory()
	const repository = await newRepository(storage)
	await repository.noteKeyUse(use(KEY, '2026-11-23T10:00:00.000Z'))
	await storage.put(`keys/${OTHER}/20261124.json`, Buffer.from('{}'))
	await storage.put(`keys/${'ef'.repeat(16)}/20261124.json`, Buffer.alloc(1 << 20, 'x'))
	await storage.put('keys/someone/else/20261124.json', Buffer.from('x'))
	await storage.put('keys/note.txt', Buffer.from('x'))
	expect(await repository.keyUses()).toEqual([use(KEY, '2026-11-23T10:00:00.000Z')])
})

test('a repository that may not be written says so to whoever notes', async () => {
	const storage = openMemory()
	await newRepository(storage)
	const { Repository } = await import('../src/index.ts')
	const repository = await Repository.open(readOnly(storage))
	expect((await errorOf(repository.noteKeyUse(use(KEY, '2026-11-23T10:00:00.000Z')))).code).toMatch(/^STORAGE_/u)
	expect(await repository.keyUses()).toEqual([])
})
