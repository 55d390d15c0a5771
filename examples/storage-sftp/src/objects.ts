import { BackupError, type ObjectInfo } from '@ydbackup/core'

export function infoOf(key: string, { size, mtime }: { readonly size: number; readonly mtime: number }): ObjectInfo {
	return { key, size, modifiedAt: new Date(mtime * 1000) }
}

export function notFound(doing: string): BackupError {
	return new BackupError('STORAGE_NOT_FOUND', `cannot ${doing}: there is no such object`)
}

export function symbolicLink(path: string): BackupError {
	return new BackupError('STORAGE_PERMANENT', `${path} is a symbolic link`, {
		advice: 'remove it: nothing of a repository lies outside of its directory',
	})
}
