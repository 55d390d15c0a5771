import type { FileHandle } from 'node:fs/promises'
import { createFile, frame, sizeOf, syncDirectory, writeAll } from './records.ts'
import { dirname } from 'node:path'

type Waiting =
	| { readonly buffers: Buffer[]; readonly done: () => void; readonly failed: (error: unknown) => void }
	| { readonly next: string; readonly done: () => void; readonly failed: (error: unknown) => void }

/**
 * Writes acknowledged changes, in order. A change is acknowledged when it is on the disk; changes that wait at the same time share one flush.
 */
export class Journal {
	#file: FileHandle
	#waiting: Waiting[] = []
	#flushing: Promise<void> | undefined
	/** After a failed write nothing more is accepted: what came behind a torn record would be lost at the next start. */
	#broken: unknown
	/** Bytes handed over since the file began. */
	size: number

	constructor(file: FileHandle, size: number) {
		this.#file = file
		this.size = size
	}

	append(method: string, user: string, request: Uint8Array): Promise<void> {
		const buffers = frame({ method, user }, [Buffer.from(request.buffer, request.byteOffset, request.byteLength)])
		this.size += sizeOf(buffers)
		return this.#enqueue({ buffers })
	}

	/** Everything so far stays in the file before; what follows goes to a new one. Done when both are so on the disk. */
	switchTo(path: string): Promise<void> {
		this.size = 0
		return this.#enqueue({ next: path })
	}

	#enqueue(item: { buffers: Buffer[] } | { next: string }): Promise<void> {
		if (this.#broken !== undefined) return Promise.reject(this.#broken as Error)
		const { promise, resolve, reject } = Promise.withResolvers<void>()
		this.#waiting.push({ ...item, done: resolve, failed: reject })
		this.#flushing ??= this.#flush()
		return promise
	}

	async #write(group: readonly Waiting[]): Promise<void> {
		let buffers: Buffer[] = []
		let done: (() => void)[] = []
		const flush = async (): Promise<void> => {
			if (buffers.length > 0) {
				await writeAll(this.#file, buffers)
				await this.#file.datasync()
			}
			for (const each of done) each()
			buffers = []
			done = []
		}
		for (const item of group) {
			if ('buffers' in item) buffers.push(...item.buffers)
			else {
				await flush()
				const file = await createFile(item.next)
				await file.datasync()
				await syncDirectory(dirname(item.next))
				await this.#file.close()
				this.#file = file
			}
			done.push(item.done)
		}
		await flush()
	}

	async #flush(): Promise<void> {
		while (this.#waiting.length > 0) {
			const group = this.#waiting
			this.#waiting = []
			try {
				await this.#write(group)
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
