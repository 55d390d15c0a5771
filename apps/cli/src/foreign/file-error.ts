import { BackupError, type ErrorCode, isBackupError } from '@ydbackup/core'

const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
	ENOENT: ['STORAGE_NOT_FOUND', 'look whether the path is right'],
	ENOTDIR: ['STORAGE_PERMANENT', 'give a directory'],
	EEXIST: ['STORAGE_ALREADY_EXISTS', 'nothing is overwritten: give another directory'],
	EACCES: ['STORAGE_PERMISSION', 'run as a user who may, or change the rights of the directory'],
	EPERM: ['STORAGE_PERMISSION', 'run as a user who may, or change the rights of the directory'],
	EROFS: ['STORAGE_PERMISSION', 'give a place that can be written to'],
	ENOSPC: ['STORAGE_QUOTA', 'make room, or give another place'],
	EDQUOT: ['STORAGE_QUOTA', 'make room, or give another place'],
	ENAMETOOLONG: ['STORAGE_PERMANENT', 'the file system does not take names of this length: use another one'],
}

/** What the file system says, as one of our errors; ours stay as they are. */
export function fileError(error: unknown, doing: string): unknown {
	if (isBackupError(error) || !(error instanceof Error)) return error
	const { code } = error as NodeJS.ErrnoException
	const known = code === undefined ? undefined : CODES[code]
	if (known === undefined && code === undefined) return error
	const [errorCode, advice] = known ?? (['STORAGE_PERMANENT', 'see what the system says about it'] as const)
	return new BackupError(errorCode, `${doing}: ${error.message}`, { advice, cause: error })
}
