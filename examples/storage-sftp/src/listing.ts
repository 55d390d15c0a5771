import { posix } from 'node:path'
import { BackupError, isKey, isKeyPrefix, type ListOptions, type ObjectInfo, throwIfInterrupted } from '@ydbackup/core'
import { orAborted } from '@ydbackup/core/driver-kit'
import type { Stats } from 'ssh2'
import { STATUS, statusOf } from './failure.ts'
import type { Files } from './files.ts'
import { infoOf, symbolicLink } from './objects.ts'

export interface Walk extends ListOptions {
	readonly files: Files
	readonly root: string
	/** Whether the root must be there. */
	readonly isThere: boolean
	readonly prefix: string
	readonly doing: string
}

/** The objects below a directory (empty, or ending with a slash) in the order of their keys. The names of one directory a level are held. */
export async function* walk(it: Walk, directory: string): AsyncGenerator<ObjectInfo> {
	const { prefix, signal, startAfter, doing } = it
	for (const { key, attrs } of await orAborted(entriesOf(it, directory), signal, doing)) {
		if (!key.startsWith(prefix) && !(key.endsWith('/') && prefix.startsWith(key))) continue
		throwIfInterrupted(signal, doing)
		if (key.endsWith('/')) {
			if (startAfter === undefined || startAfter < key || startAfter.startsWith(key)) yield* walk(it, key)
		} else if (attrs.isSymbolicLink()) throw symbolicLink(posix.join(it.root, key))
		else if (attrs.isFile() && isKey(key) && (startAfter === undefined || key > startAfter)) yield infoOf(key, attrs)
	}
}

/** What can stand in keys; a directory sorts as its name with a slash, which is the order of the keys below it. */
async function entriesOf(
	{ files, root, isThere, signal }: Walk,
	directory: string,
): Promise<{ readonly key: string; readonly attrs: Stats }[]> {
	const found = await files.names(posix.join(root, directory), signal).catch((error: unknown) => {
		if (statusOf(error) === STATUS.NO_SUCH_FILE && (directory !== '' || !isThere)) return []
		throw error
	})
	return found
		.filter(({ filename }) => isKey(filename))
		.map(({ filename, attrs }) => ({ key: `${directory}${filename}${attrs.isDirectory() ? '/' : ''}`, attrs }))
		.sort((a, b) => (a.key < b.key ? -1 : 1))
}

export function assertPrefix(prefix: string): void {
	if (isKeyPrefix(prefix)) return
	throw new BackupError('STORAGE_PERMANENT', `${JSON.stringify(prefix.slice(0, 600))} is not the beginning of a key`, {
		advice: 'keys consist of letters, digits and ._=- in segments divided by /, without . and .. segments',
	})
}
