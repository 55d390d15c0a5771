import { spawnSync } from 'node:child_process'
import { link, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import { bytesOf, errorOf, keysOf, newStore, openFiles, pathsBelow, textOf } from './directories.ts'

test.each([
	'',
	'..',
	'../outside/x',
	'a/../../outside/x',
	'a/..',
	'.',
	'./a',
	'/etc/passwd',
	'a//b',
	'a/',
	'a\0b',
	'..\\outside',
	'C:\\x',
	'a b',
	'ü',
	'a?b',
	'%2e%2e/x',
	'~/x',
	'.~unfinished/x',
	'x'.repeat(513),
])('%j is no key: every call refuses it and touches nothing', async (key) => {
	const { root, storage, outside } = await newStore()
	await storage.put('a/b', bytesOf('x'))
	await mkdir(outside)
	await writeFile(join(outside, 'x'), 'theirs')
	const before = await pathsBelow(join(root, '..'))
	for (const work of [
		() => storage.put(key, bytesOf('y')),
		() => storage.put(key, bytesOf('y'), { ifAbsent: true }),
		() => storage.get(key),
		() => storage.stat(key),
		() => storage.delete(key),
	])
		expect((await errorOf(work())).code).toBe('STORAGE_PERMANENT')
	expect(await pathsBelow(join(root, '..'))).toEqual(before)
	expect(await readFile(join(outside, 'x'), 'utf8')).toBe('theirs')
})

test('a prefix that no key can have is refused, and leads nowhere', async () => {
	const { storage } = await newStore()
	for (const prefix of ['/', '../', '../outside', 'a/../', 'a//', 'a b', '.~']) {
		expect((await errorOf(keysOf(storage, prefix))).code).toBe('STORAGE_PERMANENT')
		expect(() => storage.serverSideTarget!(prefix)).toThrow('is not the beginning of a key')
	}
	expect(storage.serverSideTarget!('backups/x')?.settings).toEqual({
		base_path: join(storage.location.slice('file://'.length), 'backups/x'),
	})
})

async function linked(): Promise<Awaited<ReturnType<typeof newStore>>> {
	const store = await newStore()
	await store.storage.put('real/a', bytesOf('ours'))
	await mkdir(store.outside)
	await writeFile(join(store.outside, 'x'), 'theirs')
	await symlink(store.outside, join(store.root, 'directory'))
	await symlink(join(store.outside, 'x'), join(store.root, 'real/file'))
	await symlink(join(store.outside, 'none'), join(store.root, 'real/nowhere'))
	return store
}

test.each(['directory/x', 'directory/new', 'directory/deep/new', 'directory', 'real/file', 'real/nowhere'])(
	'%s leads through a link: every call refuses it, and says which link',
	async (key) => {
		const { root, storage, outside } = await linked()
		for (const work of [
			() => storage.put(key, bytesOf('y')),
			() => storage.put(key, bytesOf('y'), { ifAbsent: true }),
			() => storage.get(key),
			() => storage.stat(key),
			() => storage.delete(key),
		])
			expect(await errorOf(work())).toMatchObject({
				code: 'STORAGE_PERMANENT',
				message: expect.stringMatching(/(directory|real\/file|real\/nowhere) is a symbolic link/u),
				advice: expect.stringContaining('remove it'),
			})
		expect(await pathsBelow(outside)).toEqual(['x'])
		expect(await readFile(join(outside, 'x'), 'utf8')).toBe('theirs')
		expect(await readlink(join(root, 'directory'))).toBe(outside)
		expect(await readlink(join(root, 'real/file'))).toBe(join(outside, 'x'))
		expect(await openFiles(outside)).toEqual([])
	},
)

test('a listing that meets a link fails: it would be short of what is behind it', async () => {
	const { root, storage } = await linked()
	for (const prefix of ['', 'd', 'directory/', 'directory/x', 'real/', 'real/f'])
		expect(await errorOf(keysOf(storage, prefix))).toMatchObject({
			code: 'STORAGE_PERMANENT',
			message: expect.stringContaining('is a symbolic link'),
		})
	expect(await keysOf(storage, 'real/a')).toEqual(['real/a'])
	await rm(join(root, 'directory'))
	await rename(join(root, 'real/file'), join(root, 'no key'))
	await rm(join(root, 'real/nowhere'))
	expect(await keysOf(storage)).toEqual(['real/a'])
})

test('unfinished bodies are not written through a link, nor are files behind it removed as stale', async () => {
	const { root, storage, outside } = await linked()
	await rm(join(root, '.~unfinished'), { recursive: true })
	await symlink(outside, join(root, '.~unfinished'))
	for (const work of [
		() => storage.put('b', bytesOf('y')),
		() => storage.abortStaleUploads!(new Date(Date.now() + 1000)),
	])
		expect(await errorOf(work())).toMatchObject({
			code: 'STORAGE_PERMANENT',
			message: expect.stringContaining('.~unfinished is a symbolic link'),
		})
	expect(await pathsBelow(outside)).toEqual(['x'])
})

test('a pipe is no object, and nobody waits for its writer', async ({ skip }) => {
	const { root, storage } = await newStore()
	await storage.put('a', bytesOf('x'))
	if (spawnSync('mkfifo', [join(root, 'pipe')]).status !== 0) skip('mkfifo is missing')
	expect(await storage.stat('pipe')).toBeUndefined()
	expect((await errorOf(storage.get('pipe'))).code).toBe('STORAGE_NOT_FOUND')
	expect(await keysOf(storage)).toEqual(['a'])
	expect((await errorOf(storage.put('pipe', bytesOf('x')))).code).toBe('STORAGE_PERMANENT')
})

test('replacing an object leaves other names of its file alone', async () => {
	const { root, storage, outside } = await newStore()
	await storage.put('a', bytesOf('old'))
	await link(join(root, 'a'), outside)
	await storage.put('a', bytesOf('new'))
	expect(await readFile(outside, 'utf8')).toBe('old')
	expect(await textOf(await storage.get('a'))).toBe('new')
})
