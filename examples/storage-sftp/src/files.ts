import { BackupError, throwIfInterrupted } from '@ydbackup/core'
import type { Client, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2'
import { STATUS, statusOf } from './failure.ts'

/** Longest wait for one answer: a sync of a large file on a slow disk takes its time. */
const ANSWER_MS = 120_000
const CLOSE_MS = 2000

type Done<T> = (error: Error | null | undefined, value?: T) => void

/**
 * The files of a server, through one connection: each request of SFTP as a promise that is over when its answer came, when the
 * connection is lost (`STORAGE_TRANSIENT`), or after two minutes. Other failures have the server's status as their `code`.
 */
export class Files implements AsyncDisposable {
	readonly #client: Client
	readonly #sftp: SFTPWrapper
	readonly #shown: string
	readonly #waiting = new Set<(error: unknown) => void>()
	#lost: BackupError | undefined

	constructor(client: Client, sftp: SFTPWrapper, shown: string) {
		this.#client = client
		this.#sftp = sftp
		this.#shown = shown
		let why = 'the server closed it'
		const note = (error: Error): unknown => (why = error.message)
		client.removeAllListeners('error').removeAllListeners('close')
		client.on('error', note).on('close', () => this.#lose(why))
		sftp.on('error', note).on('close', () => this.#lose(why))
	}

	get isLost(): boolean {
		return this.#lost !== undefined
	}

	#lose(why: string): void {
		this.#lost ??= new BackupError('STORAGE_TRANSIENT', `the connection to ${this.#shown} was lost: ${why}`, {
			retry: 'later',
			advice: 'check the server and what is between',
		})
		this.#client.destroy()
		for (const reject of this.#waiting) reject(this.#lost)
		this.#waiting.clear()
	}

	#request<T = void>(start: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<T> {
		return new Promise((resolve, reject) => {
			if (this.#lost) return reject(this.#lost)
			const timer = setTimeout(() => this.#lose(`no answer within ${ANSWER_MS / 1000} s`), ANSWER_MS)
			const failed = (error: unknown): void => {
				clearTimeout(timer)
				reject(error)
			}
			this.#waiting.add(failed)
			const done: Done<T> = (error, value) => {
				// Without a status it is the client's own: it lost the connection, and will say so at once.
				if (error && statusOf(error) === undefined) return this.#lose(error.message)
				if (!this.#waiting.delete(failed)) return
				clearTimeout(timer)
				if (error) reject(error)
				else resolve(value as T)
			}
			try {
				start(this.#sftp, done)
			} catch (error) {
				// The client throws for an extension that the server does not offer.
				done(Object.assign(error as Error, { code: STATUS.OP_UNSUPPORTED }))
			}
		})
	}

	/** `r`, or `wx`: a new file that only the user may read. */
	open(path: string, mode: 'r' | 'wx'): Promise<Buffer> {
		return this.#request((sftp, done: Done<Buffer>) => sftp.open(path, mode, mode === 'r' ? {} : { mode: 0o600 }, done))
	}

	close(handle: Buffer): Promise<void> {
		return this.#request((sftp, done) => sftp.close(handle, done))
	}

	/** How many bytes came; 0 at the end of the file. */
	read(handle: Buffer, into: Buffer, offset: number, position: number): Promise<number> {
		return this.#request((sftp, done: Done<number>) =>
			sftp.read(handle, into, offset, into.length - offset, position, done),
		)
	}

	/** The bytes stay as they are until it is over: of many, the client sends the second part when the first one is written. */
	write(handle: Buffer, bytes: Buffer, position: number): Promise<void> {
		return this.#request((sftp, done) => sftp.write(handle, bytes, 0, bytes.length, position, (error) => done(error)))
	}

	fstat(handle: Buffer): Promise<Stats> {
		return this.#request((sftp, done: Done<Stats>) => sftp.fstat(handle, done))
	}

	lstat(path: string): Promise<Stats> {
		return this.#request((sftp, done: Done<Stats>) => sftp.lstat(path, done))
	}

	/** Follows links. */
	stat(path: string): Promise<Stats> {
		return this.#request((sftp, done: Done<Stats>) => sftp.stat(path, done))
	}

	/** What is in a directory. */
	async names(path: string, signal?: AbortSignal): Promise<FileEntryWithStats[]> {
		const handle = await this.#request((sftp, done: Done<Buffer>) => sftp.opendir(path, done))
		const entries: FileEntryWithStats[] = []
		try {
			for (;;) {
				throwIfInterrupted(signal, `reading the directory ${path}`)
				for (const entry of await this.#request((sftp, done: Done<FileEntryWithStats[]>) => sftp.readdir(handle, done)))
					entries.push(entry)
			}
		} catch (error) {
			if (statusOf(error) !== STATUS.EOF) throw error
		} finally {
			void this.close(handle).catch(() => undefined)
		}
		return entries
	}

	realpath(path: string): Promise<string> {
		return this.#request((sftp, done: Done<string>) => sftp.realpath(path, done))
	}

	mkdir(path: string): Promise<void> {
		return this.#request((sftp, done) => sftp.mkdir(path, { mode: 0o700 }, done))
	}

	unlink(path: string): Promise<void> {
		return this.#request((sftp, done) => sftp.unlink(path, done))
	}

	rename(from: string, to: string): Promise<void> {
		return this.#request((sftp, done) => sftp.rename(from, to, done))
	}

	posixRename(from: string, to: string): Promise<void> {
		return this.#request((sftp, done) => sftp.ext_openssh_rename(from, to, done))
	}

	link(from: string, to: string): Promise<void> {
		return this.#request((sftp, done) => sftp.ext_openssh_hardlink(from, to, done))
	}

	sync(handle: Buffer): Promise<void> {
		return this.#request((sftp, done) => sftp.ext_openssh_fsync(handle, (error) => done(error)))
	}

	/** Whether a block and a file are left to the user; undefined where the server does not say. */
	async hasRoom(path: string): Promise<boolean | undefined> {
		const answer = this.#request((sftp, done: Done<Readonly<Record<string, unknown>>>) =>
			sftp.ext_openssh_statvfs(path, done),
		)
		const found = await answer.catch(() => undefined)
		if (!found) return undefined
		const [blocks, size, files, freeFiles] = ['f_bavail', 'f_frsize', 'f_files', 'f_favail'].map((name) =>
			Number(found[name]),
		)
		// A page is not always handed out to the last byte. Some file systems do not count files.
		return blocks! * size! >= 65_536 && (files === 0 || freeFiles! > 0)
	}

	/** Ends the connection, within two seconds. */
	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#lost) return
		const closed = new Promise<void>((resolve) => this.#client.once('close', () => resolve()))
		this.#client.end()
		const { promise: late, resolve } = Promise.withResolvers<void>()
		const timer = setTimeout(resolve, CLOSE_MS)
		await Promise.race([closed, late])
		clearTimeout(timer)
		this.#lose('it was closed')
	}
}
