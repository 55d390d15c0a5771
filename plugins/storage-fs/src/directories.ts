import { lstat, mkdir, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BackupError } from '@ydbackup/core'
import { sharing } from './sharing.ts'
import { syncDirectory } from './sync.ts'

/** Creates the directories of a key, one by one, each made durable in its parent. */
export async function makeDirectories(root: string, key: string): Promise<void> {
	let path = root
	for (const name of key.split('/').slice(0, -1)) {
		const parent = path
		path = join(path, name)
		if (await makeDirectory(path)) await syncDirectory(parent)
	}
}

/** Takes away the directories of a key that are empty, the root never: other stores have none, and a deleted backup should leave nothing. */
export async function removeEmptyDirectories(root: string, key: string): Promise<void> {
	for (let path = dirname(join(root, key)); path !== root; path = dirname(path)) {
		try {
			await rmdir(path)
		} catch {
			// Somebody has put something into it, or it may not be removed: an empty directory is no object.
			return
		}
		await syncDirectory(dirname(path)).catch(ifAbsence(undefined))
	}
}

/** True when the directory is new. It is looked for first: most are there, and a mkdir that fails costs more. */
export const makeDirectory: (path: string) => Promise<boolean> = sharing(async (path: string): Promise<boolean> => {
	let found = await lstat(path).catch(ifAbsence(undefined))
	if (found === undefined) {
		try {
			await mkdir(path, { mode: 0o700 })
			return true
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
			found = await lstat(path)
		}
	}
	if (found.isSymbolicLink()) throw symbolicLink(path)
	if (!found.isDirectory()) throw Object.assign(new Error(`${path} is no directory`), { code: 'ENOTDIR' })
	return false
})

/** What the file system says where nothing is, and where nothing can be. */
export function isAbsence(error: unknown): boolean {
	return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')
}

export function ifAbsence<T>(value: T): (error: unknown) => T {
	return (error) => {
		if (isAbsence(error)) return value
		throw error
	}
}

export function symbolicLink(path: string): BackupError {
	return new BackupError('STORAGE_PERMANENT', `${path} is a symbolic link`, {
		advice: 'remove it: nothing of a repository lies outside of its directory',
	})
}
