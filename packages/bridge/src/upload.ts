import { createHash, randomBytes } from 'node:crypto'
import type { ObjectInfo, Storage } from '@ydbackup/core'
import type { Body } from './body.ts'
import type { ByteBudget } from './byte-budget.ts'
import { S3Error, s3ErrorOf } from './s3-error.ts'

/** What a request may wait for its turn, in milliseconds, before its sender is told to come again. */
export const HOLD_MS = 20_000
/** Buffered bodies of one upload: one that the store takes, and the next. */
const MOST_QUEUED = 2

export interface UploadOptions {
	readonly storage: Storage
	readonly key: string
	readonly budget: ByteBudget
	/** Puts that may run at once, each counted as one. */
	readonly slots: ByteBudget
}

interface Part {
	readonly etag: string
	readonly sha256: string
}

/** What a put has left on storage. */
export interface Stored {
	readonly info: ObjectInfo
	readonly etag: string
	/** Lower-case hex. */
	readonly sha256: string
}

/**
 * A multipart upload, piped into one put. Stores need not know parts: they are taken in the order of their numbers, and whoever comes
 * early waits unread. Each is read whole and checked before the store sees a byte of it, so that a connection that breaks costs nothing.
 */
export class Upload {
	readonly id: string = randomBytes(16).toString('hex')
	readonly key: string
	readonly #options: UploadOptions
	readonly #parts: Part[] = []
	readonly #queue: Body[] = []
	readonly #whole = createHash('sha256')
	readonly #stop = new AbortController()
	readonly #waiters = new Set<() => void>()
	#isReading = false
	#isEnded = false
	#failure: unknown
	#put: Promise<ObjectInfo> | undefined
	#completed: Promise<Stored> | undefined

	constructor(options: UploadOptions) {
		this.#options = options
		this.key = options.key
	}

	/** Takes a part and gives its ETag. One that was taken before must be the same again. Errors: {@link S3Error}. */
	async receive(number: number, size: number, read: () => Promise<Body>): Promise<string> {
		const { budget, slots } = this.#options
		if (size > budget.limit) throw new S3Error('EntityTooLarge', `a part may have ${budget.limit} bytes at most`)
		const until = performance.now() + HOLD_MS
		const isTurn = (): boolean =>
			number <= this.#parts.length ||
			(number === this.#parts.length + 1 && !this.#isReading && this.#queue.length < MOST_QUEUED)
		while (!isTurn()) await this.#change(until)
		this.#assertOpen()
		const isNew = number > this.#parts.length
		if (isNew) this.#isReading = true
		try {
			if (this.#put === undefined && !(await slots.take(1, until - performance.now(), this.#stop.signal))) throw busy()
			try {
				if (!(await budget.take(size, until - performance.now(), this.#stop.signal))) throw busy()
				return isNew ? await this.#add(size, read) : await this.#compare(number, size, read)
			} finally {
				// Until the store is asked, the place is lent only.
				if (this.#put === undefined) slots.give(1)
			}
		} finally {
			if (isNew) this.#isReading = false
			this.#changed()
		}
	}

	/** Ends the object. May be asked again, by whoever missed the answer. Errors: {@link S3Error}. */
	async complete(listed: readonly { readonly number: number; readonly etag: string }[]): Promise<Stored> {
		const isWhole =
			listed.length === this.#parts.length &&
			listed.every(({ number, etag }, at) => number === at + 1 && etag === this.#parts[at]?.etag)
		if (listed.length === 0 || !isWhole) throw new S3Error('InvalidPart', 'these are not the parts that were uploaded')
		this.#completed ??= this.#finish()
		return this.#completed
	}

	/** Gives it up: nothing is stored. */
	async abort(reason: string): Promise<void> {
		this.#fail(new S3Error('NoSuchUpload', reason))
		await this.#put?.catch(() => undefined)
	}

	async #finish(): Promise<Stored> {
		this.#isEnded = true
		this.#changed()
		try {
			const info = await this.#put!
			const etag = `${this.#parts.at(-1)!.etag.slice(0, 32)}-${this.#parts.length}`
			return { info, etag, sha256: this.#whole.digest('hex') }
		} catch (error) {
			throw s3ErrorOf(this.#failure ?? error)
		}
	}

	async #add(size: number, read: () => Promise<Body>): Promise<string> {
		const { budget } = this.#options
		let body: Body
		try {
			body = await read()
			this.#assertOpen()
		} catch (error) {
			budget.give(size)
			throw error
		}
		const etag = body.sha256.slice(0, 32)
		this.#parts.push({ etag, sha256: body.sha256 })
		this.#queue.push(body)
		this.#put ??= this.#start()
		this.#changed()
		return etag
	}

	async #compare(number: number, size: number, read: () => Promise<Body>): Promise<string> {
		try {
			const { sha256 } = await read()
			const known = this.#parts[number - 1]!
			if (sha256 === known.sha256) return known.etag
		} finally {
			this.#options.budget.give(size)
		}
		// Its first bytes are on their way to the store already.
		const failure = new S3Error('InvalidPart', `part ${number} was sent again with other bytes`)
		this.#fail(failure)
		throw failure
	}

	#start(): Promise<ObjectInfo> {
		const { storage, slots } = this.#options
		let isOpened = false
		const open = (): AsyncIterable<Uint8Array> => {
			if (isOpened) throw new S3Error('InternalError', 'the bytes of an upload are there once only')
			isOpened = true
			return this.#bytes()
		}
		const put = storage.put(this.key, open, { signal: this.#stop.signal }).finally(() => slots.give(1))
		put.catch((error: unknown) => this.#fail(error))
		return put
	}

	async *#bytes(): AsyncGenerator<Uint8Array, void, undefined> {
		for (;;) {
			const part = this.#queue[0]
			if (part === undefined) {
				if (this.#isEnded) return
				await this.#change(Number.POSITIVE_INFINITY)
				continue
			}
			for (const chunk of part.chunks) {
				this.#whole.update(chunk)
				yield chunk
			}
			// A failure has given all of the queue back.
			if (this.#queue.shift() === part) this.#options.budget.give(part.size)
			this.#changed()
		}
	}

	#assertOpen(): void {
		if (this.#failure !== undefined) throw s3ErrorOf(this.#failure)
		if (this.#isEnded) throw new S3Error('NoSuchUpload', 'the upload is complete')
	}

	#fail(failure: unknown): void {
		if (this.#failure !== undefined) return
		this.#failure = failure
		for (const { size } of this.#queue.splice(0)) this.#options.budget.give(size)
		this.#stop.abort(failure)
		this.#changed()
	}

	/** Resolves when something has changed. Errors: `SlowDown` when nothing does in time; the upload's own failure. */
	async #change(until: number): Promise<void> {
		this.#assertNotFailed()
		const { promise, resolve } = Promise.withResolvers<void>()
		this.#waiters.add(resolve)
		const timer = Number.isFinite(until) ? setTimeout(resolve, Math.max(0, until - performance.now())) : undefined
		try {
			await promise
		} finally {
			clearTimeout(timer)
			this.#waiters.delete(resolve)
		}
		this.#assertNotFailed()
		if (performance.now() >= until) throw busy()
	}

	#assertNotFailed(): void {
		if (this.#failure !== undefined) throw s3ErrorOf(this.#failure)
	}

	#changed(): void {
		for (const wake of [...this.#waiters]) wake()
	}
}

function busy(): S3Error {
	return new S3Error('SlowDown', 'the store takes no more at the moment')
}
