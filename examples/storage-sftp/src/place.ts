import { posix } from 'node:path'
import { BackupError } from '@ydbackup/core'
import { STATUS, statusOf, storageError } from './failure.ts'
import type { Files } from './files.ts'

export interface Place {
	/** Absolute path of the repository's directory. */
	readonly root: string
	/** Whether it is there. One that is not is made by the first put. */
	readonly isThere: boolean
	/** The directory itself, or the nearest one above it that is there. */
	readonly nearest: string
}

/** Finds the directory of a repository; creates nothing. */
export async function findPlace(files: Files, path: string, shown: string): Promise<Place> {
	const doing = `cannot open ${shown}`
	try {
		const root = path.startsWith('/') ? path : posix.join(await files.realpath('.'), path)
		for (let at = root; ; at = posix.dirname(at)) {
			const found = await files.stat(at).catch((error: unknown) => {
				const status = statusOf(error)
				// Above it stands a file, perhaps; the way up finds which one.
				if ((status !== STATUS.NO_SUCH_FILE && status !== STATUS.FAILURE) || at === '/') throw error
			})
			if (found?.isDirectory()) return { root, isThere: at === root, nearest: at }
			if (found)
				throw new BackupError('LOCATION_INVALID', `${doing}: ${at} is no directory`, {
					advice: 'choose a directory, or a path that does not exist yet',
				})
		}
	} catch (error) {
		throw storageError(error, doing)
	}
}
