import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import {
	assertKey,
	BackupError,
	type CallOptions,
	type Capabilities,
	type GetOptions,
	type ListOptions,
	type ObjectBody,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { orAborted, untilAborted } from '@ydbackup/core/driver-kit'
import type { Stats } from 'ssh2'
import { leave, readBytes, writeBody } from './bodies.ts'
import { STATUS, statusOf, storageError } from './failure.ts'
import type { Files } from './files.ts'
import { assertPrefix, walk } from './listing.ts'
import { infoOf, notFound, symbolicLink } from './objects.ts'
import type { Place } from './place.ts'
import { type Findings, HIDDEN } from './probe.ts'
import type { Session } from './session.ts'

/** Where bodies are written before they have their name. */
const UNFINISHED = `${HIDDEN}unfinished`
/** Directories that are known to be there; forgotten when they are more. */
const KNOWN_DIRECTORIES = 4096

export interface SftpStorageOptions {
	readonly session: Session
	readonly location: string
	readonly place: Place
	readonly findings: Findings
	readonly capabilities: Capabilities
}

/** A directory of a server as a store: one file per object, at the path of its key. */
export class SftpStorage implements Storage {
	readonly location: string
	readonly capabilities: Capabilities
	readonly #session: Session
	readonly #findings: Findings
	readonly #root: string
	readonly #nearest: string
	#isThere: boolean
	readonly #known = new Set<string>()

	constructor({ session, location, place, findings, capabilities }: SftpStorageOptions) {
		this.location = location
		this.capabilities = capabilities
		this.#session = session
		this.#findings = findings
		this.#root = place.root
		this.#nearest = place.nearest
		this.#isThere = place.isThere
	}

	#path(key: string): string {
		return posix.join(this.#root, key)
	}

	/** Work on the connection that is left when the signal aborts, with errors of the contract. */
	async #work<T>(signal: AbortSignal | undefined, doing: string, work: (files: Files) => Promise<T>): Promise<T> {
		throwIfInterrupted(signal, doing)
		try {
			const files = await this.#session.files(signal, doing)
			return await orAborted(work(files), signal, doing)
		} catch (error) {
			throw storageError(error, `cannot ${doing}`)
		}
	}

	/** What stands at the path of a key; nothing where that is no file. */
	async #lookUp(files: Files, key: string): Promise<Stats | undefined> {
		const found = await files.lstat(this.#path(key)).catch(async (error: unknown) => {
			if (await this.#isAbsence(files, key, error)) return undefined
			throw error
		})
		if (found?.isSymbolicLink()) throw symbolicLink(this.#path(key))
		return found?.isFile() ? found : undefined
	}

	/** A name that is too long, and a file where a directory would be, have no status of their own. */
	async #isAbsence(files: Files, key: string, error: unknown): Promise<boolean> {
		const status = statusOf(error)
		if (status === STATUS.NO_SUCH_FILE) return true
		if (status !== STATUS.FAILURE && status !== STATUS.BAD_MESSAGE) return false
		if (key.split('/').some((name) => name.length > 255)) return true
		for (let at = posix.dirname(key); at !== '.'; at = posix.dirname(at)) {
			const found = await files.lstat(this.#path(at)).catch(() => undefined)
			if (found) return found.isFile()
		}
		return false
	}

	/** Makes the directories of a key, and those above the repository where it was not there. */
	async #makeDirectories(files: Files, directory: string): Promise<void> {
		const from = this.#isThere ? this.#root : this.#nearest
		const names = posix.relative(from, posix.join(this.#root, directory)).split('/')
		let path = from
		for (const name of names) {
			if (name === '') continue
			const parent = path
			path = posix.join(path, name)
			if (this.#known.has(path)) continue
			if (await makeDirectory(files, path)) await this.#syncDirectory(files, parent)
			if (this.#known.size >= KNOWN_DIRECTORIES) this.#known.clear()
			this.#known.add(path)
		}
		this.#isThere = true
	}

	async #syncDirectory(files: Files, path: string): Promise<void> {
		if (!this.#findings.syncsDirectories) return
		const handle = await files.open(path, 'r')
		try {
			await files.sync(handle)
		} finally {
			leave(files, handle)
		}
	}

	async put(key: string, body: PutBody, options: PutOptions = {}): Promise<ObjectInfo> {
		assertKey(key)
		const { ifAbsent, signal } = options
		const doing = `write ${key} in ${this.location}`
		throwIfInterrupted(signal, `writing ${key}`)
		if (options.retainUntil) throw unsupported(doing, 'an SFTP server holds nothing until a date')
		const { createOnly } = this.#findings
		if (ifAbsent && createOnly !== true) throw unsupported(doing, createOnly.lacking)
		let isOfBody = false
		async function* pieces(open: () => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
			try {
				yield* untilAborted(open(), signal, `writing ${key}`)
			} catch (error) {
				isOfBody = true
				throw error
			}
		}
		const name = `${Date.now().toString(36)}-${randomBytes(12).toString('hex')}`
		const temporary = posix.join(this.#root, UNFINISHED, name)
		let files: Files | undefined
		let opening: Promise<Buffer> | undefined
		try {
			files = await this.#session.files(signal, `writing ${key}`)
			const opened = files
			const wait = <T>(work: Promise<T>): Promise<T> => orAborted(work, signal, `writing ${key}`)
			await wait(this.#refuseTaken(opened, key, ifAbsent === true))
			await wait(this.#makeDirectories(opened, posix.dirname(key)))
			await wait(this.#makeDirectories(opened, UNFINISHED))
			opening = files.open(temporary, 'wx')
			const handle = await wait(opening)
			await writeBody(files, handle, body instanceof Uint8Array ? [body] : pieces(body), key, options)
			if (this.#findings.syncsFiles) await wait(files.sync(handle))
			const written = await wait(files.fstat(handle))
			opening = undefined
			await wait(files.close(handle))
			await wait(this.#name(opened, temporary, key, ifAbsent === true))
			await wait(this.#syncDirectory(files, posix.dirname(this.#path(key))))
			return infoOf(key, written)
		} catch (error) {
			if (files) this.#clearAway(files, temporary, opening)
			throw isOfBody ? error : await this.#writeError(files, error, `cannot ${doing}`)
		}
	}

	/** In the order in which they are sent, and nobody waits: without a connection `abortStaleUploads` does it some day. */
	#clearAway(files: Files, temporary: string, opening: Promise<Buffer> | undefined): void {
		// What is known of directories may be the reason.
		this.#known.clear()
		void opening?.then((handle) => leave(files, handle)).catch(() => undefined)
		void files.unlink(temporary).catch(() => undefined)
	}

	/** Throws when the place of an object is taken by what is none, and for a create-only put by another object: before its body is read. */
	async #refuseTaken(files: Files, key: string, ifAbsent: boolean): Promise<void> {
		const found = await files.lstat(this.#path(key)).catch(async (error: unknown) => {
			if (!(await this.#isAbsence(files, key, error))) throw error
			const isTooLong = key.split('/').some((name) => name.length > 255)
			if (isTooLong) throw permanent(key, 'the server does not take names above 255 bytes', 'use shorter keys')
		})
		if (!found) return
		if (found.isSymbolicLink()) throw symbolicLink(this.#path(key))
		if (!found.isFile())
			throw permanent(key, 'a directory has its name', 'a key cannot be the beginning of others, up to a slash')
		if (ifAbsent) throw exists(key)
		if (this.#findings.replace === undefined)
			throw unsupported(`replace ${key} in ${this.location}`, 'the server has no rename that replaces')
	}

	/** Gives a whole file its name, in one step. */
	async #name(files: Files, temporary: string, key: string, ifAbsent: boolean): Promise<void> {
		const path = this.#path(key)
		if (!ifAbsent) return files[this.#findings.replace ?? 'rename'](temporary, path)
		try {
			await files.link(temporary, path)
		} catch (error) {
			// That a name is taken has no status of its own.
			if (statusOf(error) === STATUS.FAILURE && (await files.lstat(path).catch(() => undefined))) throw exists(key)
			throw error
		}
		// The object has its name; the other one is hidden, and removed as stale if that does not work.
		void files.unlink(temporary).catch(() => undefined)
	}

	/** A full disk has no status of its own in version 3 of SFTP. */
	async #writeError(files: Files | undefined, error: unknown, doing: string): Promise<BackupError> {
		if (
			files &&
			statusOf(error) === STATUS.FAILURE &&
			(await files.hasRoom(this.#isThere ? this.#root : this.#nearest)) === false
		)
			return new BackupError('STORAGE_QUOTA', `${doing}: no room is left`, {
				advice: 'make room on the server',
				cause: error,
			})
		if (statusOf(error) === STATUS.FAILURE)
			return new BackupError('STORAGE_PERMANENT', `${doing}: the server failed and does not say why`, {
				advice: 'look at the log of the server, and at the room and the quota of the user',
				cause: error,
			})
		return storageError(error, doing)
	}

	async get(key: string, { range, signal }: GetOptions = {}): Promise<ObjectBody> {
		assertKey(key)
		const doing = `read ${key} in ${this.location}`
		return this.#work(signal, doing, async (files) => {
			if (!(await this.#lookUp(files, key))) throw notFound(doing)
			const handle = await files.open(this.#path(key), 'r')
			try {
				const found = await files.fstat(handle)
				const { size } = found
				const offset = range?.offset ?? 0
				const end = range?.length === undefined ? size : offset + range.length
				const isWithin = [offset, end].every(Number.isSafeInteger) && 0 <= offset && offset <= end && end <= size
				if (range && (!isWithin || offset === size))
					throw new BackupError('STORAGE_PERMANENT', `${key} has no bytes ${offset} to ${end}: it has ${size}`)
				throwIfInterrupted(signal, doing)
				return { info: infoOf(key, found), bytes: readBytes(files, handle, { offset, end, doing, signal }) }
			} catch (error) {
				leave(files, handle)
				throw error
			}
		})
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
		assertKey(key)
		return this.#work(signal, `look for ${key} in ${this.location}`, async (files) => {
			const found = await this.#lookUp(files, key)
			return found && infoOf(key, found)
		})
	}

	async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
		assertPrefix(prefix)
		const { signal } = options
		const doing = `list ${prefix || 'all objects'} in ${this.location}`
		throwIfInterrupted(signal, doing)
		try {
			const files = await this.#session.files(signal, doing)
			yield* walk({ files, root: this.#root, isThere: this.#isThere, prefix, doing, ...options }, '')
		} catch (error) {
			throw storageError(error, `cannot ${doing}`)
		}
	}

	async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key)
		return this.#work(signal, `delete ${key} in ${this.location}`, async (files) => {
			if (!(await this.#lookUp(files, key))) return
			await files.unlink(this.#path(key)).catch((error: unknown) => {
				if (statusOf(error) !== STATUS.NO_SUCH_FILE) throw error
			})
			await this.#syncDirectory(files, posix.dirname(this.#path(key))).catch((error: unknown) => {
				if (statusOf(error) !== STATUS.NO_SUCH_FILE) throw error
			})
		})
	}

	/** Those of the probes too, which a process that was killed has left in the directory itself. */
	async abortStaleUploads(olderThan: Date, { signal }: CallOptions = {}): Promise<number> {
		return this.#work(signal, `remove unfinished files in ${this.location}`, async (files) => {
			let removed = 0
			for (const directory of [this.#root, posix.join(this.#root, UNFINISHED)]) {
				const entries = await files.names(directory, signal).catch((error: unknown) => {
					if (statusOf(error) === STATUS.NO_SUCH_FILE) return []
					throw error
				})
				for (const { filename, attrs } of entries) {
					throwIfInterrupted(signal, 'removing unfinished files')
					const isOurs = directory !== this.#root || filename.startsWith(`${HIDDEN}probe-`)
					if (!isOurs || !attrs.isFile() || attrs.mtime * 1000 >= olderThan.getTime()) continue
					await files.unlink(posix.join(directory, filename))
					removed++
				}
			}
			return removed
		})
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#session[Symbol.asyncDispose]()
	}
}

/** True when the directory is new. */
async function makeDirectory(files: Files, path: string): Promise<boolean> {
	try {
		await files.mkdir(path)
		return true
	} catch (error) {
		// That it is there has no status of its own, and some servers refuse before they look.
		const found = await files.lstat(path).catch(() => undefined)
		if (found?.isDirectory()) return false
		if (found?.isSymbolicLink()) throw symbolicLink(path)
		if (found)
			throw permanent(
				path,
				'a file has the name of a directory',
				'a key cannot be the beginning of others, up to a slash',
			)
		throw error
	}
}

function permanent(what: string, why: string, advice: string): BackupError {
	return new BackupError('STORAGE_PERMANENT', `${what} cannot be made: ${why}`, { advice })
}

function exists(key: string): BackupError {
	return new BackupError('STORAGE_ALREADY_EXISTS', `${key} exists`, { advice: 'objects are never rewritten' })
}

function unsupported(doing: string, why: string): BackupError {
	return new BackupError('STORAGE_UNSUPPORTED', `cannot ${doing}: ${why}`, {
		advice: 'use a server with the extensions of OpenSSH, on a file system with hard links',
	})
}
