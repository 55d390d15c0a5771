import { constants } from 'node:fs'
import { lstat, open, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import {
	BackupError,
	type Capabilities,
	type Lacking,
	type ObjectInfo,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { fileError } from './file-error.ts'

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
const READ_BYTES = 1 << 20
const LACKING: Lacking = { lacking: 'the directory is only read' }

const CAPABILITIES: Capabilities = {
	conditionalCreate: LACKING,
	strongList: true,
	orderedList: LACKING,
	rangeRead: true,
	retention: LACKING,
	serverSideCopy: LACKING,
	maxObjectBytes: Number.MAX_SAFE_INTEGER,
	maxKeyBytes: 4096,
	maxConcurrency: 16,
}

/**
 * A directory that another tool wrote, to be read. Unlike the store of a repository it shows files of every name, because dumps are named
 * after the objects of a database; and it follows no link. Errors: `STORAGE_NOT_FOUND`, `STORAGE_PERMISSION`, `STORAGE_PERMANENT`.
 */
export async function openLocalFiles(path: string): Promise<Storage> {
	const root = await realpath(path).catch((error: unknown) => {
		throw fileError(error, `cannot open ${path}`)
	})
	const refuse = async (): Promise<never> => {
		throw new BackupError('STORAGE_PERMISSION', `${root} is only read`)
	}

	async function* walk(folder: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectInfo> {
		throwIfInterrupted(signal, `listing ${root}`)
		const entries = await readdir(join(root, folder), { withFileTypes: true })
		for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
			const key = folder === '' ? entry.name : `${folder}/${entry.name}`
			const at = join(root, key)
			if (entry.isDirectory()) yield* walk(key, signal)
			else if (!entry.isFile()) throw notAFile(at)
			else yield { key, size: (await lstat(at)).size }
		}
	}

	async function* list(): AsyncGenerator<ObjectInfo> {
		try {
			yield* walk('', undefined)
		} catch (error) {
			throw fileError(error, `cannot list ${root}`)
		}
	}

	return {
		location: root,
		capabilities: CAPABILITIES,
		put: refuse,
		delete: refuse,
		async *list(prefix, { signal } = {}) {
			for await (const info of list()) {
				throwIfInterrupted(signal, `listing ${root}`)
				if (info.key.startsWith(prefix)) yield info
			}
		},
		async stat(key) {
			const found = await lstat(join(root, key)).catch(() => undefined)
			return found?.isFile() ? { key, size: found.size } : undefined
		},
		async get(key, { signal } = {}) {
			const at = join(root, key)
			const doing = `cannot read ${at}`
			try {
				// Neither a link nor a pipe that came since the listing: the one is not followed, the other is not waited for.
				const handle = await open(at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
				const found = await handle.stat()
				if (!found.isFile()) {
					await handle.close()
					throw notAFile(at)
				}
				async function* bytes(): AsyncGenerator<Uint8Array> {
					try {
						for (let offset = 0; offset < found.size;) {
							throwIfInterrupted(signal, `reading ${at}`)
							const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, found.size - offset))
							const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset)
							if (bytesRead === 0) return
							offset += bytesRead
							yield buffer.subarray(0, bytesRead)
						}
					} catch (error) {
						throw fileError(error, doing)
					} finally {
						await handle.close()
					}
				}
				return { info: { key, size: found.size }, bytes: closing(bytes(), () => handle.close()) }
			} catch (error) {
				throw fileError(error, doing)
			}
		},
		async [Symbol.asyncDispose]() {},
	}
}

/** A generator that has not begun runs no `finally`: whoever returns it before its first byte must close the file all the same. */
function closing(pieces: AsyncGenerator<Uint8Array>, close: () => Promise<void>): AsyncIterable<Uint8Array> {
	let hasBegun = false
	const iterator: AsyncIterableIterator<Uint8Array> = {
		next() {
			hasBegun = true
			return pieces.next()
		},
		async return() {
			if (!hasBegun) await close()
			hasBegun = true
			return pieces.return(undefined)
		},
		[Symbol.asyncIterator]: () => iterator,
	}
	return iterator
}

function notAFile(path: string): BackupError {
	return new BackupError('STORAGE_PERMANENT', `${path} is neither a file nor a directory`, {
		advice: 'links are not followed, because they may lead anywhere: put the files themselves in their place',
	})
}
