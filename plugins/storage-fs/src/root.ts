import { constants } from 'node:fs'
import { access, lstat, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BackupError } from '@ydbackup/core'
import { storageError } from './failure.ts'
import { syncDirectory } from './sync.ts'

const { R_OK, W_OK, X_OK } = constants

/**
 * Whether the directory of a repository is there. It is not created here: the first put does that. Throws when it could not
 * be used or, with `writable`, not be created.
 */
export async function checkRoot(root: string, writable: boolean): Promise<boolean> {
	for (let path = root; ; path = dirname(path)) {
		try {
			if (!(await stat(path)).isDirectory()) throw notDirectory(path, 'it is a file')
			if (path === root) await access(path, writable ? R_OK | W_OK | X_OK : R_OK | X_OK)
			else if (writable) await access(path, W_OK | X_OK)
			return path === root
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException
			// Above it stands a file; the way up finds which one.
			if (code !== 'ENOENT' && code !== 'ENOTDIR') throw storageError(error, `cannot open the directory ${root}`)
			if ((await lstat(path).catch(() => undefined))?.isSymbolicLink())
				throw notDirectory(path, 'it is a symbolic link that leads nowhere', error)
			if (path === dirname(path)) throw storageError(error, `cannot open the directory ${root}`)
		}
	}
}

function notDirectory(path: string, why: string, cause?: unknown): BackupError {
	return new BackupError('LOCATION_INVALID', `${path} is not a directory: ${why}`, {
		advice: 'choose a directory, or a path that does not exist yet',
		cause,
	})
}

/** Creates the directory of a repository, and what is missing above it. */
export async function makeRoot(root: string): Promise<void> {
	const first = await mkdir(root, { recursive: true, mode: 0o700 })
	if (first === undefined) return
	for (let path = root; path.length >= first.length; path = dirname(path)) await syncDirectory(dirname(path))
}
