import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { Repository } from '../src/index.ts'
import { changed, errorOf, keysOf, newRepository, transient } from './stores.ts'

test('a repository is one object, and opens as what was made', async () => {
	const storage = openMemory()
	const made = await newRepository(storage)
	expect(await keysOf(storage)).toEqual(['ydbackup.json'])
	const opened = await Repository.open(storage)
	expect(opened.header).toEqual(made.header)
	expect(opened.header.createdAt).toBe('2026-11-23T02:15:30.500Z')
	expect(opened.header.id).toMatch(/^[0-9a-z]{10}$/u)
	expect((await newRepository()).header.id).not.toBe(made.header.id)
})

test('a repository is not made twice, and the first one stays', async () => {
	const storage = openMemory()
	const { header } = await newRepository(storage)
	expect((await errorOf(Repository.init(storage))).code).toBe('REPOSITORY_EXISTS')
	expect((await Repository.open(storage)).header).toEqual(header)
})

test('a location with other things in it is refused, naming some, and left alone', async () => {
	const storage = openMemory()
	const names = ['a.txt', 'photos/1.jpg', 'photos/2.jpg', 'z.txt']
	for (const key of names) await storage.put(key, Buffer.from('x'))
	const error = await errorOf(Repository.init(storage))
	expect(error.code).toBe('REPOSITORY_EXISTS')
	expect(error.message).toContain('a.txt, photos/1.jpg, photos/2.jpg, …')
	expect(await keysOf(storage)).toEqual(names)
})

test('of many that make a repository at once, one does', async () => {
	const storage = openMemory()
	const results = await Promise.allSettled(Array.from({ length: 16 }, () => Repository.init(storage)))
	const made = results.filter((result) => result.status === 'fulfilled')
	expect(made).toHaveLength(1)
	for (const result of results) {
		if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'REPOSITORY_EXISTS' })
	}
	expect((await Repository.open(storage)).header).toEqual(made[0]!.value.header)
})

test('an answer that is lost after the header was stored is no failure', async () => {
	const memory = openMemory()
	const storage = changed(memory, {
		put: async (...call) => {
			await memory.put(...call)
			throw transient()
		},
	})
	const { header } = await Repository.init(storage)
	expect((await Repository.open(memory)).header).toEqual(header)
})

test('a store that takes the header and does not have it is caught', async () => {
	const storage = changed(openMemory(), { put: async (key) => ({ key, size: 0 }) })
	expect((await errorOf(Repository.init(storage))).code).toBe('OBJECT_MISSING')
})

test('a store that changes what it takes is caught', async () => {
	const memory = openMemory()
	const storage = changed(memory, { put: (key) => memory.put(key, Buffer.from('{}')) })
	expect((await errorOf(Repository.init(storage))).code).toBe('REPOSITORY_EXISTS')
})

test('where there is no repository, it says so and how to make one', async () => {
	const error = await errorOf(Repository.open(openMemory()))
	expect(error.code).toBe('REPOSITORY_NOT_FOUND')
	expect(error.message).toContain('memory:')
	expect(error.advice).toContain('ydbackup repo init')
})

test.for<[string, string]>([
	['{"ydbackup":"repository","version":2}', 'REPOSITORY_VERSION'],
	['{"ydbackup":"rep', 'REPOSITORY_DAMAGED'],
	['', 'REPOSITORY_DAMAGED'],
	['x'.repeat(1_000_000), 'REPOSITORY_DAMAGED'],
])('the header %s is %s', async ([text, code]) => {
	const storage = openMemory()
	await storage.put('ydbackup.json', Buffer.from(text))
	expect((await errorOf(Repository.open(storage))).code).toBe(code)
})

test('what the store says comes through: no permission is not "no repository"', async () => {
	const storage = changed(openMemory(), { get: () => Promise.reject(transient()) })
	expect((await errorOf(Repository.open(storage))).code).toBe('STORAGE_TRANSIENT')
})
