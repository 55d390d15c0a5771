import { mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import driver from '../src/index.ts'
import { directoryOf } from '../src/location.ts'
import { bytesOf, errorOf, giveAway, inOtherProcess, keysOf, newDirectory, openAt, textOf } from './directories.ts'

test.for<[string, string]>([
	['file:///srv/backups', '/srv/backups'],
	['file:///srv/backups/', '/srv/backups'],
	['file:///srv/backups///', '/srv/backups'],
	['file://localhost/srv/backups', '/srv/backups'],
	['file:///srv/a%20b/%23%25%3F', '/srv/a b/#%?'],
	['file:///srv/%D0%B1', '/srv/б'],
	['file:///srv/x/../y', '/srv/y'],
	['file:///', '/'],
	['file:////', '/'],
])('%s is %s', ([url, path]) => {
	expect(directoryOf(new URL(url))).toBe(path)
})

test.for<[string, string]>([
	['file://nas/srv', 'host nas'],
	['file:///srv?region=x', 'region'],
	['file:///srv#part', 'fragment'],
	['file:///srv/a%2Fb', 'encoded slash'],
	['file:///srv/a%00b', 'NUL'],
	['file:///srv/a%zz', 'not encoded'],
	['s3://bucket/x', 'scheme'],
])('%s is refused', async ([url, why]) => {
	const error = await errorOf(driver.open(new URL(url), { environment: {}, writable: true }))
	expect(error).toMatchObject({ code: 'LOCATION_INVALID', message: expect.stringContaining(why) })
	expect(error.advice).toContain('file:///')
})

test('neither what it shows nor what it says has a secret of the URL in it', async () => {
	for (const url of ['file:///srv/x?token=canary', 'file:///srv/x#canary', 'file:///srv/x?token=canary#canary']) {
		expect(driver.redact(new URL(url))).toBe('file:///srv/x')
		const error = await errorOf(driver.open(new URL(url), { environment: {}, writable: false }))
		expect(`${error.message} ${error.advice} ${String(error.cause)}`).not.toContain('canary')
	}
	expect(driver.redact(new URL('acme://user:canary@host/x?key=canary'))).not.toContain('canary')
})

test('opening creates nothing; the first put creates the directory, for its owner alone', async () => {
	const directory = await newDirectory()
	const root = join(directory, 'new/deep')
	const storage = await openAt(root)
	expect(await keysOf(storage)).toEqual([])
	expect(await storage.stat('a')).toBeUndefined()
	expect((await errorOf(storage.get('a'))).code).toBe('STORAGE_NOT_FOUND')
	await storage.delete('a')
	expect(await storage.abortStaleUploads!(new Date())).toBe(0)
	expect(await readdir(directory)).toEqual([])
	await Promise.all(['a', 'b', 'c/d'].map((key) => storage.put(key, bytesOf(key))))
	expect(await keysOf(await openAt(root, false))).toEqual(['a', 'b', 'c/d'])
	for (const path of ['new', 'new/deep']) expect((await stat(join(directory, path))).mode & 0o777).toBe(0o700)
})

test('a directory that was there and is gone is not made again, nor taken for an empty one', async () => {
	const root = join(await newDirectory(), 'root')
	const storage = await openAt(root)
	await storage.put('a', bytesOf('x'))
	await rm(root, { recursive: true })
	expect(await errorOf(storage.put('b', bytesOf('x')))).toMatchObject({
		code: 'STORAGE_NOT_FOUND',
		advice: expect.stringContaining('moved'),
	})
	expect((await errorOf(keysOf(storage))).code).toBe('STORAGE_NOT_FOUND')
	await expect(stat(root)).rejects.toThrow('ENOENT')
})

test('a file, a way through a file and a link to nowhere are no directories', async () => {
	const directory = await newDirectory()
	await writeFile(join(directory, 'file'), 'x')
	await symlink(join(directory, 'none'), join(directory, 'link'))
	for (const writable of [true, false])
		for (const path of ['file', 'file/below', 'file/far/below', 'link', 'link/below'])
			expect(await errorOf(openAt(join(directory, path), writable))).toMatchObject({
				code: 'LOCATION_INVALID',
				message: expect.stringContaining(join(directory, path.split('/')[0]!)),
				advice: expect.stringContaining('choose a directory'),
			})
})

test('the directory itself may be reached through a link', async () => {
	const directory = await newDirectory()
	await mkdir(join(directory, 'real'))
	await symlink(join(directory, 'real'), join(directory, 'link'))
	const storage = await openAt(join(directory, 'link'))
	await storage.put('a/b', bytesOf('hello'))
	expect(await textOf(await (await openAt(join(directory, 'real'))).get('a/b'))).toBe('hello')
})

test('rights that are missing are found when it is opened', async () => {
	const directory = await newDirectory()
	await giveAway(directory)
	for (const [name, mode] of [
		['closed', 0o000],
		['readable', 0o500],
	] as const) {
		await mkdir(join(directory, name), { mode })
		await giveAway(join(directory, name))
	}
	const at = (name: string): string => join(directory, name)
	const refused = { code: 'STORAGE_PERMISSION', advice: expect.stringContaining('right') }
	expect(await inOtherProcess('open', at('closed'), '', true)).toMatchObject(refused)
	expect(await inOtherProcess('openToRead', at('closed'), '', true)).toMatchObject(refused)
	expect(await inOtherProcess('open', at('readable'), '', true)).toMatchObject(refused)
	expect(await inOtherProcess('openToRead', at('readable'), '', true)).toEqual({})
	expect(await inOtherProcess('open', at('readable/new'), '', true)).toMatchObject(refused)
	expect(await inOtherProcess('open', at('new'), '', true)).toEqual({})
})
