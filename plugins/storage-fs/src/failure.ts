import { BackupError, type ErrorCode, isBackupError, type Retry } from '@ydbackup/core'

const KINDS: Record<string, readonly [code: ErrorCode, retry: Retry, advice: string]> = {
	ENOENT: ['STORAGE_NOT_FOUND', 'no', 'check that the repository was not moved'],
	EEXIST: ['STORAGE_ALREADY_EXISTS', 'no', 'objects are never rewritten'],
	EACCES: ['STORAGE_PERMISSION', 'no', 'give this user the right to use the directory'],
	EPERM: ['STORAGE_PERMISSION', 'no', 'give this user the right to use the directory'],
	EROFS: ['STORAGE_PERMISSION', 'no', 'the file system is read-only'],
	ENOSPC: ['STORAGE_QUOTA', 'no', 'make room on the file system'],
	EDQUOT: ['STORAGE_QUOTA', 'no', 'raise the quota of this user'],
	EFBIG: ['STORAGE_QUOTA', 'no', 'the file system or a limit of this process does not allow files of this size'],
	EMFILE: ['STORAGE_TRANSIENT', 'later', 'raise the limit of open files'],
	ENFILE: ['STORAGE_TRANSIENT', 'later', 'raise the limit of open files'],
	EAGAIN: ['STORAGE_TRANSIENT', 'later', 'try again'],
	EBUSY: ['STORAGE_TRANSIENT', 'later', 'try again'],
	EINTR: ['STORAGE_TRANSIENT', 'same', 'try again'],
	ETIMEDOUT: ['STORAGE_TRANSIENT', 'later', 'check the network file system'],
	ESTALE: ['STORAGE_TRANSIENT', 'later', 'check the network file system'],
	EIO: ['STORAGE_PERMANENT', 'no', 'check the disk'],
	EXDEV: ['STORAGE_PERMANENT', 'no', 'keep the whole repository on one file system'],
	ENOTDIR: ['STORAGE_PERMANENT', 'no', 'a file stands where a directory must be'],
	EISDIR: ['STORAGE_PERMANENT', 'no', 'a directory stands where an object must be'],
	ELOOP: ['STORAGE_PERMANENT', 'no', 'a symbolic link stands inside the repository: remove it'],
	ENAMETOOLONG: ['STORAGE_PERMANENT', 'no', 'use a shorter path for the repository'],
}

/** What file systems without hard links say to them: FAT, some network and user-space ones. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** The error of the contract for an error of the file system. */
export function storageError(error: unknown, doing: string): BackupError {
	if (isBackupError(error)) return error
	const { code = '', message = String(error), syscall } = (error ?? {}) as NodeJS.ErrnoException
	if (syscall === 'link' && NO_LINKS.has(code))
		return new BackupError('STORAGE_UNSUPPORTED', `${doing}: the file system has no hard links (${code})`, {
			advice: 'keep the repository on a file system with hard links: create-only writes need them',
			cause: error,
		})
	const known = KINDS[code]
	if (known) return new BackupError(known[0], `${doing}: ${code}`, { retry: known[1], advice: known[2], cause: error })
	return new BackupError('STORAGE_PERMANENT', `${doing}: ${message}`, { cause: error })
}
