import { randomUUID } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, lstat, open, opendir, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
	assertKey,
	BackupError,
	type CallOptions,
	type Capabilities,
	type GetOptions,
	isKey,
	isKeyPrefix,
	type ListOptions,
	type ObjectBody,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { untilAborted } from '@ydbackup/core/driver-kit'
import { readBytes, writeBody } from './bodies.ts'
import {
	ifAbsence,
	isAbsence,
	makeDirectories,
	makeDirectory,
	removeEmptyDirectories,
	symbolicLink,
} from './directories.ts'
import { storageError } from './failure.ts'
import { makeRoot } from './root.ts'
import { syncDirectory } from './sync.ts'

/** Where bodies are written before they have their name. A dot and a tilde: `~` is in no key, so no key can reach it. */
const UNFINISHED = '.~unfinished'
/** How often directories are made again that others take away. */
const TRIES = 20
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

export interface DirectoryStorageOptions {
	/** Absolute path. */
	readonly root: string
	/** Whether the root exists. One that does not is created by the first put; one that did and is gone is never created again. */
	readonly isThere: boolean
	readonly capabilities: Capabilities
}

/**
 * A directory as a store: one file per object, at the path of its key.
 *
 * Nothing outside of the directory is ever touched: a symbolic link below the root is followed by no call, and every call that
 * meets one fails, so that a listing is never short of what is behind it. The root itself may be one.
 */
export class DirectoryStorage implements Storage {
	readonly location: string
	readonly capabilities: Capabilities
	readonly #root: string
	#isThere: boolean

	constructor({ root, isThere, capabilities }: DirectoryStorageOptions) {
		this.#root = root
		this.#isThere = isThere
		this.location = `file://${root}`
		this.capabilities = capabilities
	}

	/** What stands at the path of a key; nothing where that is no file. */
	async #lookUp(key: string): Promise<Stats | undefined> {
		let path = this.#root
		let found: Stats | undefined
		for (const name of key.split('/')) {
			path = join(path, name)
			try {
				found = await lstat(path)
			} catch (error) {
				if (isAbsence(error)) return undefined
				throw error
			}
			if (found.isSymbolicLink()) throw symbolicLink(path)
		}
		return found?.isFile() ? found : undefined
	}

	/** Does what needs the directories of a key, and makes them anew when somebody who deleted the last object in one has taken it away. */
	async #inDirectories<T>(key: string, work: () => Promise<T>, wereMade = false): Promise<T> {
		for (let tries = 1; ; tries++) {
			try {
				if (!this.#isThere) await makeRoot(this.#root)
				this.#isThere = true
				if (!wereMade || tries > 1) await makeDirectories(this.#root, key)
				return await work()
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === TRIES) throw error
			}
		}
	}

	async put(key: string, body: PutBody, options: PutOptions = {}): Promise<ObjectInfo> {
		assertKey(key)
		const { ifAbsent, signal } = options
		const doing = `write ${key} in ${this.location}`
		throwIfInterrupted(signal, `writing ${key}`)
		const path = join(this.#root, key)
		const unfinished = join(this.#root, UNFINISHED)
		const temporary = join(unfinished, `${Date.now().toString(36)}-${process.pid}-${randomUUID()}`)
		let handle: FileHandle | undefined
		let isOfBody = false
		async function* pieces(open: () => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
			try {
				yield* untilAborted(open(), signal, `writing ${key}`)
			} catch (error) {
				isOfBody = true
				throw error
			}
		}
		try {
			handle = await this.#inDirectories(key, async () => {
				await refuseTaken(path, ifAbsent === true)
				await makeDirectory(unfinished)
				return open(temporary, 'wx', 0o600)
			})
			await writeBody(handle, body instanceof Uint8Array ? [body] : pieces(body), key, options)
			await handle.sync()
			const written = await handle.stat()
			await handle.close()
			handle = undefined
			throwIfInterrupted(signal, `writing ${key}`)
			await this.#inDirectories(key, () => (ifAbsent ? link(temporary, path) : rename(temporary, path)), true)
			if (ifAbsent) {
				// The object has its name; what is left of the other one is hidden, and removed as stale some day.
				await unlink(temporary).catch(() => undefined)
			}
			// Who has deleted it since may have taken its directory with it.
			await syncDirectory(dirname(path)).catch(ifAbsence(undefined))
			return infoOf(key, written)
		} catch (error) {
			await handle?.close().catch(() => undefined)
			await rm(temporary, { force: true }).catch(() => undefined)
			await removeEmptyDirectories(this.#root, key)
			throw isOfBody ? error : storageError(error, `cannot ${doing}`)
		}
	}

	async get(key: string, { range, signal }: GetOptions = {}): Promise<ObjectBody> {
		assertKey(key)
		throwIfInterrupted(signal, `reading ${key}`)
		const doing = `read ${key} in ${this.location}`
		let handle: FileHandle | undefined
		try {
			if (!(await this.#lookUp(key))) throw notFound(doing)
			// Neither a link nor a pipe that came since: the one is not followed, the other is not waited for.
			handle = await open(join(this.#root, key), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
			const found = await handle.stat()
			if (!found.isFile()) throw notFound(doing)
			const { size } = found
			const offset = range?.offset ?? 0
			const end = range?.length === undefined ? size : offset + range.length
			const isWithin = [offset, end].every(Number.isSafeInteger) && 0 <= offset && offset <= end && end <= size
			if (range && (!isWithin || offset === size))
				throw new BackupError('STORAGE_PERMANENT', `${key} has no bytes ${offset} to ${end}: it has ${size}`)
			const opened = handle
			handle = undefined
			return { info: infoOf(key, found), bytes: readBytes(opened, { offset, end, doing, signal }) }
		} catch (error) {
			throw storageError(error, `cannot ${doing}`)
		} finally {
			await handle?.close()
		}
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
		assertKey(key)
		throwIfInterrupted(signal, `looking for ${key}`)
		try {
			const found = await this.#lookUp(key)
			return found && infoOf(key, found)
		} catch (error) {
			throw storageError(error, `cannot look for ${key} in ${this.location}`)
		}
	}

	async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
		assertPrefix(prefix)
		try {
			yield* this.#walk('', prefix, options)
		} catch (error) {
			throw storageError(error, `cannot list ${prefix || 'all objects'} in ${this.location}`)
		}
	}

	/** Names of one directory at a time are held: bounded by the widest directory, not by the repository. */
	async *#walk(directory: string, prefix: string, options: ListOptions): AsyncGenerator<ObjectInfo> {
		const { signal, startAfter } = options
		throwIfInterrupted(signal, `listing ${prefix}`)
		for (const name of await this.#names(directory)) {
			const key = directory + name
			if (!key.startsWith(prefix) && !prefix.startsWith(`${key}/`.replace('//', '/'))) continue
			if (name.endsWith('/')) {
				if (startAfter === undefined || startAfter < key || startAfter.startsWith(key))
					yield* this.#walk(key, prefix, options)
				continue
			}
			throwIfInterrupted(signal, `listing ${prefix}`)
			const path = join(this.#root, key)
			const found = await lstat(path).catch(ifAbsence(undefined))
			if (found?.isSymbolicLink()) throw symbolicLink(path)
			const isWanted = key.startsWith(prefix) && (startAfter === undefined || key > startAfter)
			if (isWanted && found?.isFile() && isKey(key)) yield infoOf(key, found)
		}
	}

	/** Names in a directory that can stand in keys; a directory sorts as its name with a slash, which is the order of the keys below it. */
	async #names(directory: string): Promise<string[]> {
		const mayBeGone = directory !== '' || !this.#isThere
		const entries = await readdir(join(this.#root, directory), { withFileTypes: true }).catch((error: unknown) => {
			if (mayBeGone) return ifAbsence([])(error)
			throw error
		})
		return entries
			.filter(({ name }) => isKey(name))
			.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
			.sort((a, b) => (a < b ? -1 : 1))
	}

	async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key)
		throwIfInterrupted(signal, `deleting ${key}`)
		const path = join(this.#root, key)
		try {
			if (await this.#lookUp(key)) {
				await unlink(path).catch(ifAbsence(undefined))
				await syncDirectory(dirname(path)).catch(ifAbsence(undefined))
			}
			await removeEmptyDirectories(this.#root, key)
		} catch (error) {
			throw storageError(error, `cannot delete ${key} in ${this.location}`)
		}
	}

	async abortStaleUploads(olderThan: Date, { signal }: CallOptions = {}): Promise<number> {
		const directory = join(this.#root, UNFINISHED)
		let removed = 0
		try {
			const there = await lstat(directory).catch(ifAbsence(undefined))
			if (there === undefined) return 0
			if (there.isSymbolicLink()) throw symbolicLink(directory)
			for await (const { name } of await opendir(directory)) {
				throwIfInterrupted(signal, 'removing unfinished files')
				const path = join(directory, name)
				const found = await lstat(path).catch(ifAbsence(undefined))
				if (!found?.isFile() || found.mtime >= olderThan) continue
				await rm(path, { force: true })
				removed++
			}
		} catch (error) {
			throw storageError(error, `cannot remove unfinished files in ${this.location}`)
		}
		return removed
	}

	serverSideTarget(prefix: string): { kind: 'fs'; settings: { base_path: string } } {
		assertPrefix(prefix)
		return { kind: 'fs', settings: { base_path: join(this.#root, prefix) } }
	}

	async [Symbol.asyncDispose](): Promise<void> {
		// Not when another process has something in it.
		await rmdir(join(this.#root, UNFINISHED)).catch(() => undefined)
	}
}

function infoOf(key: string, found: Stats): ObjectInfo {
	return { key, size: found.size, modifiedAt: found.mtime }
}

function assertPrefix(prefix: string): void {
	if (!isKeyPrefix(prefix))
		throw new BackupError(
			'STORAGE_PERMANENT',
			`${JSON.stringify(prefix.slice(0, 600))} is not the beginning of a key`,
			{
				advice: 'keys consist of letters, digits and ._=- in segments divided by /, without . and .. segments',
			},
		)
}

function notFound(doing: string): BackupError {
	return new BackupError('STORAGE_NOT_FOUND', `cannot ${doing}: there is no such object`)
}

/** Throws when the place of an object is taken by what is none, and for a create-only put by another object: before its body is read. */
async function refuseTaken(path: string, ifAbsent: boolean): Promise<void> {
	const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
		if (error.code !== 'ENOENT') throw error
	})
	if (!found) return
	if (found.isSymbolicLink()) throw symbolicLink(path)
	if (!found.isFile()) throw Object.assign(new Error(`${path} is no file`), { code: 'EISDIR' })
	if (ifAbsent) throw Object.assign(new Error(`${path} exists`), { code: 'EEXIST' })
}
