import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteRange } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import {
	bytesOf,
	errorOf,
	giveAway,
	inOtherProcess,
	keysOf,
	newStore,
	openAt,
	openFiles,
	pathsBelow,
	pieces,
	startOtherProcess,
	textOf,
} from './directories.ts'

test('an object is a file at the path of its key, for its owner alone', async () => {
	const { root, storage } = await newStore()
	const info = await storage.put('backups/x/001/data_00.csv', pieces('hel', '', 'lo'))
	expect(info).toEqual(await storage.stat('backups/x/001/data_00.csv'))
	const body = await storage.get('backups/x/001/data_00.csv')
	expect(body.info).toEqual(info)
	expect(await textOf(body)).toBe('hello')
	expect((await stat(join(root, 'backups/x/001/data_00.csv'))).mode & 0o777).toBe(0o600)
	for (const path of ['.', 'backups', 'backups/x', 'backups/x/001', '.~unfinished'])
		expect((await stat(join(root, path))).mode & 0o777).toBe(0o700)
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
	expect(storage.location).toBe(`file://${root}`)
})

test('a put replaces; with ifAbsent it does not, and does not even open its body', async () => {
	const { root, storage } = await newStore()
	await storage.put('a', bytesOf('old'))
	await storage.put('a', bytesOf('new'))
	let opened = 0
	const body = async function* (): AsyncGenerator<Uint8Array> {
		opened++
		yield bytesOf('newer')
	}
	expect((await errorOf(storage.put('a', body, { ifAbsent: true }))).code).toBe('STORAGE_ALREADY_EXISTS')
	expect(opened).toBe(0)
	expect(await textOf(await storage.get('a'))).toBe('new')
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
})

test('of many create-only puts at once one wins, and its bytes stay', async () => {
	const { root, storage } = await newStore()
	const other = await openAt(root)
	for (let round = 0; round < 10; round++) {
		const results = await Promise.allSettled(
			Array.from({ length: 16 }, (_, nth) =>
				(nth % 2 ? storage : other).put(`race/${round}`, pieces('writer ', `${nth}`), { ifAbsent: true }),
			),
		)
		const winners = results.flatMap(({ status }, nth) => (status === 'fulfilled' ? [nth] : []))
		expect(winners).toHaveLength(1)
		for (const result of results)
			if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STORAGE_ALREADY_EXISTS' })
		expect(await textOf(await storage.get(`race/${round}`))).toBe(`writer ${winners[0]}`)
	}
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
})

test('of several processes that create one object, one wins', async () => {
	const { root, storage } = await newStore()
	const answers = await Promise.all(Array.from({ length: 4 }, () => inOtherProcess('put', root, 'a/race')))
	expect(answers.map(({ code = 'won' }) => code).toSorted()).toEqual([
		'STORAGE_ALREADY_EXISTS',
		'STORAGE_ALREADY_EXISTS',
		'STORAGE_ALREADY_EXISTS',
		'won',
	])
	expect(await textOf(await storage.get('a/race'))).toMatch(/^of \d+$/u)
})

test('what a body throws comes through as it is, whatever it looks like, and nothing is left', async () => {
	const { root, storage } = await newStore()
	await storage.put('a', bytesOf('old'))
	for (const mine of [
		new Error('mine'),
		Object.assign(new Error('mine'), { code: 'ENOENT', syscall: 'open' }),
		Object.assign(new Error('mine'), { code: 'ECONNRESET', syscall: 'read' }),
		undefined,
	])
		for (const key of ['a', 'b']) {
			const put = storage.put(key, async function* () {
				yield bytesOf('new')
				throw mine
			})
			await expect(put.catch((error: unknown) => ({ error }))).resolves.toEqual({ error: mine })
		}
	expect(await textOf(await storage.get('a'))).toBe('old')
	expect(await keysOf(storage)).toEqual(['a'])
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
	expect(await openFiles(root)).toEqual([])
})

test('a body of another size or hash than declared is refused, and nothing is left', async () => {
	const { root, storage } = await newStore()
	const sha256 = createHash('sha256').update('hello').digest('hex')
	for (const options of [{ size: 4 }, { size: 6 }, { sha256: sha256.replace(/./u, 'x') }])
		for (const body of [bytesOf('hello'), pieces('he', 'llo')])
			expect((await errorOf(storage.put('a', body, options))).code).toBe('STORAGE_INTEGRITY')
	expect(await keysOf(storage)).toEqual([])
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
	await storage.put('a', pieces('he', 'llo'), { size: 5, sha256 })
})

test('a body that is longer than declared is refused before it fills the disk', async () => {
	const { storage } = await newStore()
	let given = 0
	const put = storage.put(
		'a',
		async function* () {
			for (; given < 100; given++) yield new Uint8Array(1000)
		},
		{ size: 1500 },
	)
	expect((await errorOf(put)).code).toBe('STORAGE_INTEGRITY')
	expect(given).toBeLessThan(3)
})

test('a put is unseen until it is whole, and is stopped by the signal while its body is silent', async () => {
	const { root, storage } = await newStore()
	const controller = new AbortController()
	const begun = Promise.withResolvers<void>()
	const put = errorOf(
		storage.put(
			'a/b',
			async function* () {
				yield new Uint8Array(100_000)
				begun.resolve()
				await Promise.withResolvers<void>().promise
			},
			{ signal: controller.signal },
		),
	)
	await begun.promise
	expect(await storage.stat('a/b')).toBeUndefined()
	expect(await keysOf(storage)).toEqual([])
	expect(await readdir(join(root, '.~unfinished'))).toHaveLength(1)
	controller.abort()
	expect(await put).toMatchObject({ code: 'INTERRUPTED', message: expect.stringContaining('writing a/b') })
	expect(await keysOf(storage)).toEqual([])
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
	expect(await openFiles(root)).toEqual([])
})

test('a process that is killed in the middle of a put leaves nothing that is seen, and its leftovers are removed', async () => {
	const { root, storage } = await newStore()
	await storage.put('a', bytesOf('old'))
	const child = startOtherProcess('putForEver', root, 'a')
	await new Promise((resolve) => child.stdout.once('data', resolve))
	child.kill('SIGKILL')
	await new Promise((resolve) => child.once('close', resolve))
	expect(await keysOf(storage)).toEqual(['a'])
	expect(await textOf(await storage.get('a'))).toBe('old')
	const [left, ...more] = await readdir(join(root, '.~unfinished'))
	expect(more).toEqual([])
	expect(await storage.abortStaleUploads!(new Date(Date.now() - 60_000))).toBe(0)
	await utimes(join(root, '.~unfinished', left!), new Date(0), new Date(0))
	expect(await storage.abortStaleUploads!(new Date(Date.now() - 60_000))).toBe(1)
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
})

test.for<[ByteRange, string]>([
	[{ offset: 0 }, '0123456789'],
	[{ offset: 3 }, '3456789'],
	[{ offset: 3, length: 4 }, '3456'],
	[{ offset: 9, length: 1 }, '9'],
	[{ offset: 0, length: 10 }, '0123456789'],
	[{ offset: 5, length: 0 }, ''],
])('the range %j is exact', async ([range, text]) => {
	const { storage } = await newStore()
	await storage.put('a', bytesOf('0123456789'))
	const body = await storage.get('a', { range })
	expect(body.info.size).toBe(10)
	expect(await textOf(body)).toBe(text)
})

test('ranges that the object does not have are refused', async () => {
	const { root, storage } = await newStore()
	await storage.put('a', bytesOf('0123456789'))
	for (const range of [
		{ offset: 10 },
		{ offset: 10, length: 0 },
		{ offset: 11 },
		{ offset: 0, length: 11 },
		{ offset: 9, length: 2 },
		{ offset: -1 },
		{ offset: 2, length: -1 },
		{ offset: 0.5 },
		{ offset: Number.NaN },
		{ offset: 0, length: Number.NaN },
	])
		expect((await errorOf(storage.get('a', { range }))).code).toBe('STORAGE_PERMANENT')
	await storage.put('empty', pieces())
	expect(await textOf(await storage.get('empty'))).toBe('')
	expect((await errorOf(storage.get('empty', { range: { offset: 0 } }))).code).toBe('STORAGE_PERMANENT')
	expect(await openFiles(root)).toEqual([])
})

test('large objects come in pieces, and pieces of many sizes go in', async () => {
	const { storage } = await newStore()
	const bytes = Buffer.alloc(3_500_001)
	for (let at = 0; at < bytes.length; at += 7) bytes[at] = at % 251
	await storage.put('a', async function* () {
		for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 5) % 300_007)
			yield bytes.subarray(at, at + size)
	})
	const got: Uint8Array[] = []
	for await (const part of (await storage.get('a', { range: { offset: 1_000_000 } })).bytes) got.push(part)
	expect(got.length).toBeGreaterThan(1)
	expect(Buffer.concat(got).equals(bytes.subarray(1_000_000))).toBe(true)
})

test('a file that becomes shorter while it is read is an error, never a short object', async () => {
	const { root, storage } = await newStore()
	await storage.put('a', new Uint8Array(3_000_000))
	const read = async (): Promise<void> => {
		for await (const _ of (await storage.get('a')).bytes) await truncate(join(root, 'a'), 1_000_000)
	}
	expect(await errorOf(read())).toMatchObject({
		code: 'STORAGE_PERMANENT',
		message: expect.stringContaining('shorter'),
	})
	expect(await openFiles(root)).toEqual([])
})

test('a reader that goes away closes the file, before the first byte too', async () => {
	const { root, storage } = await newStore()
	await storage.put('a', new Uint8Array(3_000_000))
	for await (const _ of (await storage.get('a')).bytes) break
	await (await storage.get('a')).bytes[Symbol.asyncIterator]().return?.()
	expect(await openFiles(root)).toEqual([])
})

test('an aborted signal stops every call, and a read between two pieces', async () => {
	const { root, storage } = await newStore()
	await storage.put('a', new Uint8Array(3_000_000))
	const signal = AbortSignal.abort()
	for (const work of [
		() => storage.put('b', bytesOf('x'), { signal }),
		() => storage.get('a', { signal }),
		() => storage.stat('a', { signal }),
		() => keysOf(storage, '', { signal }),
		() => storage.delete('a', { signal }),
	])
		expect((await errorOf(work())).code).toBe('INTERRUPTED')
	const controller = new AbortController()
	const read = async (): Promise<void> => {
		for await (const _ of (await storage.get('a', { signal: controller.signal })).bytes) controller.abort()
	}
	expect((await errorOf(read())).code).toBe('INTERRUPTED')
	expect(await keysOf(storage)).toEqual(['a'])
	expect(await openFiles(root)).toEqual([])
})

test('absence is a value of stat, an error of get, and no error of delete', async () => {
	const { storage } = await newStore()
	await storage.put('a/b', bytesOf('x'))
	for (const key of ['none', 'none/none', 'a', 'a/b/c', 'a/b/c/d', 'x'.repeat(300), `a/${'x'.repeat(300)}`]) {
		expect(await storage.stat(key)).toBeUndefined()
		expect((await errorOf(storage.get(key))).code).toBe('STORAGE_NOT_FOUND')
		await storage.delete(key)
	}
	await storage.delete('a/b')
	await storage.delete('a/b')
	expect(await keysOf(storage)).toEqual([])
})

test('an object where a directory must be, the reverse, and a name too long are said clearly', async () => {
	const { storage } = await newStore()
	await storage.put('a/b', bytesOf('x'))
	for (const [key, ifAbsent, advice] of [
		['a/b/c', false, 'a file stands'],
		['a', false, 'a directory stands'],
		['a', true, 'a directory stands'],
		['x'.repeat(300), false, 'shorter'],
	] as const)
		expect(await errorOf(storage.put(key, bytesOf('y'), { ifAbsent }))).toMatchObject({
			code: 'STORAGE_PERMANENT',
			advice: expect.stringContaining(advice),
		})
	expect(await keysOf(storage)).toEqual(['a/b'])
})

test('lists in the order of bytes, below a prefix and after a key', async () => {
	const { storage } = await newStore()
	const keys = ['B', 'a-b', 'a/b', 'a/bc/d', 'a0', 'a.b/c', 'foo/x', 'foobar/x', 'foo-', '.hidden/..x', '...', 'a=b']
	for (const key of keys) await storage.put(key, bytesOf(key))
	const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
	expect(await keysOf(storage)).toEqual(sorted)
	for (const prefix of ['a', 'a/', 'a/b', 'foo', 'foo/', 'none', 'none/none', 'a/b/', '.'])
		expect(await keysOf(storage, prefix)).toEqual(sorted.filter((key) => key.startsWith(prefix)))
	for (const startAfter of ['', 'a', 'a/', 'a/b', 'a/bc/d', 'foo', 'foo/', 'zzz'])
		expect(await keysOf(storage, '', { startAfter })).toEqual(sorted.filter((key) => key > startAfter))
	for await (const info of storage.list('foo')) expect(info).toEqual(await storage.stat(info.key))
})

test('lists 2500 keys of one directory', async () => {
	const { root, storage } = await newStore()
	const keys = Array.from({ length: 2500 }, (_, nth) => `many/${nth}`)
	await mkdir(join(root, 'many'), { recursive: true })
	await Promise.all(keys.map((key) => writeFile(join(root, key), 'x')))
	expect(await keysOf(storage)).toEqual(keys.toSorted())
	expect(await keysOf(storage, 'many/2', { startAfter: 'many/20' })).toEqual(
		keys.filter((key) => key.startsWith('many/2') && key > 'many/20').toSorted(),
	)
})

test('what is no object is not listed: leftovers, names that are no keys, empty directories, pipes', async () => {
	const { root, storage } = await newStore()
	await storage.put('a/b', bytesOf('x'))
	await writeFile(join(root, '.~unfinished/left'), 'x')
	for (const name of ['with space', 'ünïcode', 'a~', 'back\\slash', 'a?q=1', 'new\nline'])
		await writeFile(join(root, name), 'x')
	await mkdir(join(root, 'empty/below'), { recursive: true })
	await mkdir(join(root, 'odd name'))
	await writeFile(join(root, 'odd name/x'), 'x')
	const deep = Array.from({ length: 5 }, () => 'd'.repeat(120)).join('/')
	await mkdir(join(root, deep), { recursive: true })
	await writeFile(join(root, deep, 'x'), 'x')
	expect(await keysOf(storage)).toEqual(['a/b'])
})

test('keys that differ by case are two objects where the file system tells them apart', async ({ skip }) => {
	const { root, storage } = await newStore()
	await storage.put('aa', bytesOf('lower'))
	if ((await stat(join(root, 'AA')).catch(() => undefined)) !== undefined) skip('this file system ignores case')
	await storage.put('AA', bytesOf('upper'), { ifAbsent: true })
	expect(await textOf(await storage.get('aa'))).toBe('lower')
	expect(await keysOf(storage)).toEqual(['AA', 'aa'])
})

test('rights that are missing are an error of every call, never absence or a shorter list', async () => {
	const { root, storage } = await newStore()
	for (const key of ['closed/a', 'noentry/a', 'frozen/a', 'file']) await storage.put(key, bytesOf('x'))
	for (const path of [
		'.',
		'.~unfinished',
		'closed',
		'noentry',
		'frozen',
		'closed/a',
		'noentry/a',
		'frozen/a',
		'file',
		'..',
	])
		await giveAway(join(root, path))
	await chmod(join(root, 'closed'), 0o000)
	await chmod(join(root, 'noentry'), 0o600)
	await chmod(join(root, 'frozen'), 0o500)
	await chmod(join(root, 'file'), 0o000)
	for (const [operation, key] of [
		['stat', 'closed/a'],
		['get', 'closed/a'],
		['get', 'file'],
		['put', 'frozen/b'],
		['put', 'closed/b'],
		['delete', 'frozen/a'],
		['delete', 'closed/a'],
		['list', 'closed/'],
		['list', 'noentry/'],
		['list', ''],
	] as const)
		expect(await inOtherProcess(operation, root, key, true), `${operation} ${key}`).toMatchObject({
			code: 'STORAGE_PERMISSION',
			advice: expect.stringContaining('right'),
		})
	expect(await inOtherProcess('list', root, 'frozen/', true)).toEqual({ value: ['frozen/a'] })
	for (const path of ['closed', 'noentry', 'frozen']) await chmod(join(root, path), 0o700)
	expect(await keysOf(storage)).toEqual(['closed/a', 'file', 'frozen/a', 'noentry/a'])
})

test('every key that is one goes in and comes back, and is listed in order', async () => {
	const letter = fc.constantFrom(...'aAbB09._=-')
	const segment = fc.string({ unit: letter, minLength: 1, maxLength: 12 }).filter((it) => it !== '.' && it !== '..')
	const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
	const isBelow = (one: string, other: string): boolean => one.startsWith(`${other}/`)
	const keys = fc
		.uniqueArray(key, { minLength: 1, maxLength: 8, selector: (one) => one.toLowerCase() })
		.filter((all) => !all.some((one) => all.some((other) => isBelow(one.toLowerCase(), other.toLowerCase()))))
	await fc.assert(
		fc.asyncProperty(keys, key, async (all, startAfter) => {
			const { root, storage } = await newStore()
			for (const one of all) await storage.put(one, bytesOf(one), { ifAbsent: true })
			for (const one of all) expect(await textOf(await storage.get(one))).toBe(one)
			const sorted = all.toSorted((a, b) => (a < b ? -1 : 1))
			expect(await keysOf(storage)).toEqual(sorted)
			expect(await keysOf(storage, '', { startAfter })).toEqual(sorted.filter((one) => one > startAfter))
			for (const one of all) {
				const prefix = one.slice(0, Math.ceil(one.length / 2))
				expect(await keysOf(storage, prefix)).toEqual(sorted.filter((other) => other.startsWith(prefix)))
			}
			for (const one of all) await storage.delete(one)
			expect(await keysOf(storage)).toEqual([])
			expect((await pathsBelow(root)).length).toBeGreaterThan(0)
		}),
		{ numRuns: 40 },
	)
})

test('a directory goes with its last object, and the root stays', async () => {
	const { root, storage } = await newStore()
	for (const key of ['a/b/c', 'a/d', 'e']) await storage.put(key, bytesOf(key))
	await storage.delete('a/b/c')
	expect(await pathsBelow(root)).toEqual(['.~unfinished', 'a', 'a/d', 'e'])
	await storage.delete('a/d')
	await storage.delete('e')
	await storage[Symbol.asyncDispose]()
	expect(await pathsBelow(root)).toEqual([])
	await storage.put('a/b/c', bytesOf('again'))
	expect(await textOf(await storage.get('a/b/c'))).toBe('again')
})

test('who deletes the last object of a directory does not disturb who puts the next one there', async () => {
	const { root, storage } = await newStore()
	const stores = [storage, await openAt(root), await openAt(root)]
	await Promise.all(
		Array.from({ length: 12 }, async (_, writer) => {
			for (let round = 0; round < 25; round++) {
				const key = `x/y/z${writer % 2}/${writer}`
				await stores[writer % 3]!.put(key, bytesOf(key), { ifAbsent: writer % 4 < 2 })
				expect(await textOf(await storage.get(key))).toBe(key)
				await stores[(writer + 1) % 3]!.delete(key)
			}
		}),
	)
	expect(await pathsBelow(root)).toEqual(['.~unfinished'])
})
