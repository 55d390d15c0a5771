import { BackupError, ERROR_CODES, interruption, isBackupError } from '@ydbackup/core'
import { expect, test } from 'vitest'

test('an error of another copy of the package is told by its brand, not by its class', async () => {
	const url = new URL('../src/errors/backup-error.ts?second-copy', import.meta.url).href
	const other = (await import(/* @vite-ignore */ url)) as typeof import('../src/errors/backup-error.ts')
	const error = new other.BackupError('OBJECT_MISSING', 'gone')
	expect(error instanceof BackupError).toBe(false)
	expect(isBackupError(error)).toBe(true)
	expect(isBackupError(error, 'OBJECT_MISSING')).toBe(true)
	expect(isBackupError(error, 'OBJECT_DAMAGED')).toBe(false)
})

test('a look-alike is not an error of ours', () => {
	expect(isBackupError(Object.assign(new Error('x'), { code: 'OBJECT_MISSING' }))).toBe(false)
	expect(isBackupError(undefined)).toBe(false)
})

test('every code has a kind', () => {
	const kinds = ['unexpected', 'usage', 'damaged', 'not-found', 'conflict', 'database', 'storage', 'permission']
	for (const [code, kind] of Object.entries(ERROR_CODES)) {
		expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
		expect([...kinds, 'partial', 'interrupted']).toContain(kind)
	}
})

test('an interruption keeps the error that a signal carries', () => {
	const reason = new BackupError('DEADLINE_EXCEEDED', 'too slow')
	expect(interruption(AbortSignal.abort(reason), 'waiting')).toBe(reason)
	expect(interruption(AbortSignal.abort(), 'reading t').code).toBe('INTERRUPTED')
})
