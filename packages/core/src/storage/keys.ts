import { BackupError } from '../errors/backup-error.ts'

/** Longest key that every store takes, in bytes. */
export const MAX_KEY_BYTES = 512

const KEY = /^[A-Za-z0-9._=-]+(?:\/[A-Za-z0-9._=-]+)*$/

/** Whether a string is a key of the contract: known characters, no empty, `.` or `..` segment, at most 512 bytes. */
export function isKey(key: string): boolean {
	return key.length <= MAX_KEY_BYTES && KEY.test(key) && !key.split('/').some((part) => part === '.' || part === '..')
}

/** Throws `STORAGE_PERMANENT` for a string that is no key: hostile or mistaken, it must not reach a store. */
export function assertKey(key: string): void {
	if (isKey(key)) return
	throw new BackupError('STORAGE_PERMANENT', `${JSON.stringify(key.slice(0, 600))} is not a storage key`, {
		advice:
			'keys consist of letters, digits and ._=- in segments divided by /, without . and .. segments, up to 512 bytes',
	})
}

/** Whether a string can be the beginning of keys; it may be empty and may end inside a segment or with a slash. */
export function isKeyPrefix(prefix: string): boolean {
	if (prefix === '') return true
	return isKey(prefix.endsWith('/') ? `${prefix}x` : prefix) || (isKey(`${prefix}x`) && prefix.length < MAX_KEY_BYTES)
}
