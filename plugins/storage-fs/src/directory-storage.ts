import { createHash, randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, opendir, readdir, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
	assertKey,
	BackupError,
	type Capabilities,
	interruption,
	isKey,
	type ObjectBody,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { storageError } from './failure.ts'

/** Where bodies are written before they have their name. A dot and a tilde: `~` is in no key, so no key can reach it. */
const UNFINISHED = '.~unfinished'
const READ_BYTES = 1 << 20
const { O_NOFOLLOW, O_RDONLY } = constants

async function syncDirectory(path: string): Promise<void> {
	const handle = await open(path, O_RDONLY)
	try {
		await handle.sync()
	} catch (error) {
		// Some network file systems cannot sync a directory; they say so with EINVAL.
		if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
	} finally {
		await handle.close()
	}
}

/** A directory as a store: one file per object, at the path of its key. */
export class DirectoryStorage implements Storage {
	readonly location: string
	readonly capabilities: Capabilities
	readonly #root: string

	constructor(root: string, location: string, capabilities: Capabilities) {
		this.#root = root
		this.location = location
		this.capabilities = capabilities
	}

	#path(key: string): string {
		assertKey(key)
		return join(this.#root, ...key.split('/'))
	}

	/** Throws when a symbolic link stands on the way: what it points to is not ours. */
	async #refuseLinks(key: string): Promise<void> {
		let path = this.#root
		for (const name of key.split('/').slice(0, -1)) {
			path = join(path, name)
			if ((await lstat(path)).isSymbolicLink())
				throw new BackupError('STORAGE_PERMANENT', `${path} is a symbolic link`, {
					advice: 'remove it: nothing of a repository lies outside of its directory',
				})
		}
	}

	/** Creates the directories of a key, one by one, each made durable in its parent. */
	async #makeDirectories(key: string): Promise<void> {
		let path = this.#root
		for (const name of key.split('/').slice(0, -1)) {
			const parent = path
			path = join(path, name)
			try {
				await mkdir(path, { mode: 0o700 })
				await syncDirectory(parent)
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
				const found = await lstat(path)
				if (!found.isDirectory())
					throw Object.assign(new Error(`${path} is no directory`), {
						code: found.isSymbolicLink() ? 'ELOOP' : 'ENOTDIR',
					})
			}
		}
	}

	async put(key: string, body: PutBody, options: PutOptions = {}): Promise<ObjectInfo> {
		const path = this.#path(key)
		const doing = `write ${key} in ${this.location}`
		throwIfInterrupted(options.signal, doing)
		const unfinished = join(this.#root, UNFINISHED)
		const temporary = join(unfinished, `${Date.now().toString(36)}-${process.pid}-${randomBytes(8).toString('hex')}`)
		let handle: FileHandle | undefined
		try {
			await this.#makeDirectories(key)
			await mkdir(unfinished, { mode: 0o700, recursive: true })
			handle = await open(temporary, 'wx', 0o600)
			const size = await writeBody(handle, body, key, options)
			await handle.sync()
			await handle.close()
			handle = undefined
			throwIfInterrupted(options.signal, doing)
			if (options.ifAbsent) {
				await link(temporary, path)
				await unlink(temporary)
			} else await rename(temporary, path)
			await syncDirectory(dirname(path))
			return { key, size, modifiedAt: new Date() }
		} catch (error) {
			await handle?.close().catch(() => {})
			await rm(temporary, { force: true }).catch(() => {})
			// A body's own error goes through as it is; those of the file system have a code.
			if (
				typeof (error as NodeJS.ErrnoException).syscall === 'string' ||
				(error as NodeJS.ErrnoException).code === 'ELOOP' ||
				(error as NodeJS.ErrnoException).code === 'ENOTDIR'
			)
				throw storageError(error, `cannot ${doing}`)
			throw error
		}
	}

	async get(key: string, options: Parameters<Storage['get']>[1] = {}): Promise<ObjectBody> {
		const path = this.#path(key)
		const { range, signal } = options
		const doing = `read ${key} in ${this.location}`
		throwIfInterrupted(signal, doing)
		let handle: FileHandle | undefined
		try {
			await this.#refuseLinks(key)
			handle = await open(path, O_RDONLY | O_NOFOLLOW)
			const found = await handle.stat()
			if (!found.isFile()) throw new BackupError('STORAGE_NOT_FOUND', `cannot ${doing}: it is not a file`)
			const offset = range?.offset ?? 0
			const end = range?.length === undefined ? found.size : offset + range.length
			if (
				range &&
				(!Number.isSafeInteger(offset) || offset < 0 || offset >= found.size || end < offset || end > found.size)
			)
				throw new BackupError('STORAGE_PERMANENT', `${key} has no bytes ${offset} to ${end}: it has ${found.size}`)
			const opened = handle
			handle = undefined
			return { info: infoOf(key, found), bytes: readBytes(opened, offset, end, doing, signal) }
		} catch (error) {
			throw storageError(error, `cannot ${doing}`)
		} finally {
			await handle?.close()
		}
	}

	async stat(key: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<ObjectInfo | undefined> {
		const path = this.#path(key)
		throwIfInterrupted(signal, `looking for ${key}`)
		try {
			await this.#refuseLinks(key)
			const found = await lstat(path)
			return found.isFile() ? infoOf(key, found) : undefined
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException
			if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
			throw storageError(error, `cannot look for ${key} in ${this.location}`)
		}
	}

	async *list(prefix: string, options: Parameters<Storage['list']>[1] = {}): AsyncGenerator<ObjectInfo> {
		try {
			yield* this.#walk('', prefix, options)
		} catch (error) {
			throw storageError(error, `cannot list ${prefix || 'all objects'} in ${this.location}`)
		}
	}

	/** Names of one directory at a time are held: bounded by the widest directory, not by the repository. */
	async *#walk(
		directory: string,
		prefix: string,
		options: { signal?: AbortSignal | undefined; startAfter?: string | undefined },
	): AsyncGenerator<ObjectInfo> {
		throwIfInterrupted(options.signal, `listing ${prefix}`)
		const path = join(this.#root, directory)
		const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT') return []
			throw error
		})
		// A directory sorts as its name with a slash: that is the order of the keys below it.
		const names = entries
			.filter((entry) => (entry.isDirectory() || entry.isFile()) && isKey(entry.name))
			.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
			.sort((a, b) => (a < b ? -1 : 1))
		for (const name of names) {
			const key = directory + name
			if (!key.startsWith(prefix) && !(name.endsWith('/') && prefix.startsWith(key))) continue
			const { startAfter } = options
			if (name.endsWith('/')) {
				if (startAfter === undefined || startAfter < key || startAfter.startsWith(key))
					yield* this.#walk(key, prefix, options)
				continue
			}
			if (startAfter !== undefined && key <= startAfter) continue
			throwIfInterrupted(options.signal, `listing ${prefix}`)
			const found = await lstat(join(this.#root, key)).catch(() => undefined)
			if (found?.isFile()) yield infoOf(key, found)
		}
	}

	async delete(key: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
		const path = this.#path(key)
		throwIfInterrupted(signal, `deleting ${key}`)
		try {
			await this.#refuseLinks(key)
			await unlink(path)
			await syncDirectory(dirname(path))
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException
			if (code !== 'ENOENT' && code !== 'ENOTDIR') throw storageError(error, `cannot delete ${key} in ${this.location}`)
		}
	}

	async abortStaleUploads(olderThan: Date): Promise<number> {
		const directory = join(this.#root, UNFINISHED)
		let removed = 0
		try {
			for await (const { name } of await opendir(directory)) {
				const path = join(directory, name)
				const found = await lstat(path).catch(() => undefined)
				if (!found?.isFile() || found.mtime >= olderThan) continue
				await rm(path, { force: true })
				removed++
			}
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
				throw storageError(error, `cannot remove unfinished files in ${this.location}`)
		}
		return removed
	}

	serverSideTarget(prefix: string): { kind: 'fs'; settings: { base_path: string } } {
		return { kind: 'fs', settings: { base_path: join(this.#root, prefix) } }
	}

	async [Symbol.asyncDispose](): Promise<void> {}
}

function infoOf(key: string, found: Stats): ObjectInfo {
	return { key, size: found.size, modifiedAt: found.mtime }
}

/** Writes and checks a body; throws before it could get its name. */
async function writeBody(handle: FileHandle, body: PutBody, key: string, options: PutOptions): Promise<number> {
	const hash = options.sha256 === undefined ? undefined : createHash('sha256')
	let size = 0
	const write = async (bytes: Uint8Array): Promise<void> => {
		hash?.update(bytes)
		for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten
		size += bytes.length
	}
	if (body instanceof Uint8Array) await write(body)
	else
		for await (const bytes of body()) {
			if (options.signal?.aborted) throw interruption(options.signal, `writing ${key}`)
			await write(bytes)
		}
	if (options.size !== undefined && size !== options.size)
		throw new BackupError('STORAGE_INTEGRITY', `${key} was declared with ${options.size} bytes and has ${size}`)
	if (hash && hash.digest('hex') !== options.sha256)
		throw new BackupError('STORAGE_INTEGRITY', `${key} does not have the declared sha256`)
	return size
}

async function* readBytes(
	handle: FileHandle,
	offset: number,
	end: number,
	doing: string,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
	try {
		for (let at = offset; at < end;) {
			throwIfInterrupted(signal, doing)
			const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at))
			const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
			if (bytesRead === 0)
				throw new BackupError('STORAGE_PERMANENT', `cannot ${doing}: the file became shorter while it was read`)
			at += bytesRead
			yield buffer.subarray(0, bytesRead)
		}
	} catch (error) {
		throw storageError(error, `cannot ${doing}`)
	} finally {
		await handle.close()
	}
}
