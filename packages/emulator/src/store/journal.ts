import { type FileHandle, mkdir, open } from 'node:fs/promises'
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

const WINDOW = 4 << 20

/** Reads pieces of a file that follow each other, whatever its size. Undefined: the file ends before the piece does. */
function windowed(file: FileHandle, size: number): (at: number, length: number) => Promise<Buffer | undefined> {
	let window: Buffer = Buffer.alloc(0)
	let start = 0
	return async (at, length) => {
		if (at + length > size) return undefined
		if (at < start || at + length > start + window.length) {
			window = Buffer.allocUnsafeSlow(Math.min(Math.max(WINDOW, length), size - at))
			start = at
			for (let filled = 0; filled < window.length;) {
				const { bytesRead } = await file.read(window, filled, window.length - filled, at + filled)
				if (bytesRead === 0) return undefined
				filled += bytesRead
			}
		}
		return window.subarray(at - start, at - start + length)
	}
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
		const { size } = await file.stat()
		const read = windowed(file, size)
		let at = MAGIC.length
		if (size === 0) await file.appendFile(MAGIC)
		else if ((await read(0, MAGIC.length))?.toString('latin1') !== MAGIC) {
			await file.close()
			throw new Error(`${path} was not written by this version of ydb-emulator; use another data directory`)
		}
		for (;;) {
			const lengths = await read(at, HEAD_BYTES)
			if (!lengths) break
			const head = lengths.readUInt32LE(0)
			const crc = lengths.readUInt32LE(8)
			const content = await read(at + HEAD_BYTES, head + lengths.readUInt32LE(4))
			if (!content || crc32(content) !== crc) break
			const { method, user } = JSON.parse(content.toString('utf8', 0, head)) as { method: string; user: string }
			await replay(method, user, content.subarray(head))
			at += HEAD_BYTES + content.length
		}
		// What follows the last whole record was never acknowledged.
		if (size > at) await file.truncate(at)
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
