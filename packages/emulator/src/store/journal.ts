import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

const MAGIC = 'ydb-emulator 1\n'
const HEAD_BYTES = 12

/** One record: lengths of head and request, crc32 of both, a JSON head, the request as it came. */
function record(method: string, user: string, request: Uint8Array): Buffer[] {
	const head = Buffer.from(JSON.stringify({ method, user }))
	const lengths = Buffer.allocUnsafe(HEAD_BYTES)
	lengths.writeUInt32LE(head.length, 0)
	lengths.writeUInt32LE(request.length, 4)
	lengths.writeUInt32LE(crc32(request, crc32(head)), 8)
	return [lengths, head, Buffer.from(request.buffer, request.byteOffset, request.byteLength)]
}

/**
 * Every acknowledged change, in order: replaying them makes the same database. A change is acknowledged when it is on the disk; changes that
 * wait at the same time share one flush.
 */
export class Journal {
	readonly #file: FileHandle
	#waiting: { buffers: Buffer[]; done: () => void; failed: (error: unknown) => void }[] = []
	#flushing: Promise<void> | undefined
	/** After a failed write nothing more is accepted: what came behind a torn record would be lost at the next start. */
	#broken: unknown

	private constructor(file: FileHandle) {
		this.#file = file
	}

	static async open(
		directory: string,
		replay: (method: string, user: string, request: Buffer) => Promise<void>,
	): Promise<Journal> {
		await mkdir(directory, { recursive: true, mode: 0o700 })
		const path = join(directory, 'journal')
		const file = await open(path, 'a+', 0o600)
		const bytes = await readFile(path)
		let at = MAGIC.length
		if (bytes.length === 0) await file.appendFile(MAGIC)
		else if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) {
			await file.close()
			throw new Error(`${path} was not written by this version of ydb-emulator; use another data directory`)
		}
		while (at + HEAD_BYTES <= bytes.length) {
			const head = bytes.readUInt32LE(at)
			const body = bytes.readUInt32LE(at + 4)
			const end = at + HEAD_BYTES + head + body
			if (end > bytes.length || crc32(bytes.subarray(at + HEAD_BYTES, end)) !== bytes.readUInt32LE(at + 8)) break
			const { method, user } = JSON.parse(bytes.toString('utf8', at + HEAD_BYTES, at + HEAD_BYTES + head)) as {
				method: string
				user: string
			}
			await replay(method, user, bytes.subarray(at + HEAD_BYTES + head, end))
			at = end
		}
		// What follows the last whole record was never acknowledged.
		if (bytes.length > at) await file.truncate(at)
		return new Journal(file)
	}

	append(method: string, user: string, request: Uint8Array): Promise<void> {
		if (this.#broken !== undefined) return Promise.reject(this.#broken as Error)
		const { promise, resolve, reject } = Promise.withResolvers<void>()
		this.#waiting.push({ buffers: record(method, user, request), done: resolve, failed: reject })
		this.#flushing ??= this.#flush()
		return promise
	}

	async #flush(): Promise<void> {
		while (this.#waiting.length > 0) {
			const group = this.#waiting
			this.#waiting = []
			try {
				await this.#file.writev(group.flatMap(({ buffers }) => buffers))
				await this.#file.datasync()
				for (const { done } of group) done()
			} catch (error) {
				this.#broken = error
				group.push(...this.#waiting.splice(0))
				for (const { failed } of group) failed(error)
			}
		}
		this.#flushing = undefined
	}

	async close(): Promise<void> {
		await this.#flushing
		await this.#file.close()
	}
}
