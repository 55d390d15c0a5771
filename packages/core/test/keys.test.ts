import { assertKey, isBackupError, isKey, isKeyPrefix } from '@ydbackup/core'
import { expect, test } from 'vitest'

test.each(['a', 'backups/20261123T021530Z-k3f9/001/data_00.csv.zst', 'a=b/c_d-e.f', '...', 'x'.repeat(512)])(
	'%s is a key',
	(key) => {
		expect(isKey(key)).toBe(true)
	},
)

test.each([
	'',
	'/a',
	'a/',
	'a//b',
	'../a',
	'a/../b',
	'a/.',
	'a b',
	'a\0',
	'a\\b',
	'ä',
	'a?q=1',
	'a%2f',
	'x'.repeat(513),
])('%j is no key', (key) => {
	expect(isKey(key)).toBe(false)
	expect(() => assertKey(key)).toThrow(expect.toSatisfy((error) => isBackupError(error, 'STORAGE_PERMANENT')))
})

test('a prefix may be empty, end with a slash or stop inside a segment', () => {
	for (const prefix of ['', 'a/', 'a/b', 'catalog/2026']) expect(isKeyPrefix(prefix)).toBe(true)
	for (const prefix of ['/', '../', 'a//', 'a/../']) expect(isKeyPrefix(prefix)).toBe(false)
})
