import { spawnSync } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupError } from '@ydbackup/core'
import { expect, onTestFinished, test } from 'vitest'

import { storageError } from '../src/failure.ts'
import { bytesOf, errorOf, keysOf, newDirectory, openAt, openFiles, textOf } from './directories.ts'

test.for([
	['ENOENT', 'open', 'STORAGE_NOT_FOUND', 'no'],
	['EEXIST', 'link', 'STORAGE_ALREADY_EXISTS', 'no'],
	['EACCES', 'open', 'STORAGE_PERMISSION', 'no'],
	['EPERM', 'unlink', 'STORAGE_PERMISSION', 'no'],
	['EROFS', 'open', 'STORAGE_PERMISSION', 'no'],
	['ENOSPC', 'write', 'STORAGE_QUOTA', 'no'],
	['EDQUOT', 'write', 'STORAGE_QUOTA', 'no'],
	['EMFILE', 'open', 'STORAGE_TRANSIENT', 'later'],
	['ESTALE', 'read', 'STORAGE_TRANSIENT', 'later'],
	['EINTR', 'read', 'STORAGE_TRANSIENT', 'same'],
	['EIO', 'read', 'STORAGE_PERMANENT', 'no'],
	['EXDEV', 'rename', 'STORAGE_PERMANENT', 'no'],
	['ELOOP', 'open', 'STORAGE_PERMANENT', 'no'],
	['EPERM', 'link', 'STORAGE_UNSUPPORTED', 'no'],
	['ENOTSUP', 'link', 'STORAGE_UNSUPPORTED', 'no'],
])('%s of %s is %s, retry %s, with advice', ([code, syscall, expected, retry]) => {
	const cause = Object.assign(new Error('of the system'), { code, syscall })
	const error = storageError(cause, 'cannot write a')
	expect(error).toMatchObject({ code: expected, retry, cause, advice: expect.stringMatching(/./u) })
	expect(error.message).toMatch(new RegExp(`^cannot write a: .*${code}`, 'u'))
})

test('an error without a code that is known is permanent, and one of ours stays itself', () => {
	expect(storageError(new Error('odd'), 'cannot write a')).toMatchObject({
		code: 'STORAGE_PERMANENT',
		message: 'cannot write a: odd',
	})
	expect(storageError(undefined, 'cannot write a').code).toBe('STORAGE_PERMANENT')
	const mine = new BackupError('STORAGE_INTEGRITY', 'mine')
	expect(storageError(mine, 'cannot write a')).toBe(mine)
})

test('a full file system is said clearly, leaves nothing, and does not stop deleting', async ({ skip }) => {
	const root = join(await newDirectory(), 'small')
	await mkdir(root)
	if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', root]).status !== 0)
		skip('a small file system can be mounted by root alone')
	onTestFinished(() => void spawnSync('umount', ['-l', root]))
	const storage = await openAt(root)
	await storage.put('old', bytesOf('x'))
	const endless = async function* (): AsyncGenerator<Uint8Array> {
		for (let nth = 0; nth < 100; nth++) yield new Uint8Array(65_536)
	}
	for (const body of [endless, new Uint8Array(1_000_000)])
		expect(await errorOf(storage.put('big/one', body))).toMatchObject({
			code: 'STORAGE_QUOTA',
			retry: 'no',
			message: expect.stringContaining('big/one'),
			advice: expect.stringContaining('make room'),
		})
	expect(await keysOf(storage)).toEqual(['old'])
	expect(await readdir(join(root, '.~unfinished'))).toEqual([])
	expect(await openFiles(root)).toEqual([])
	const again = await openAt(root)
	await again.put('small', bytesOf('fits'))
	expect(await textOf(await again.get('small'))).toBe('fits')
	await again.delete('old')
	expect(await keysOf(again)).toEqual(['small'])
})
