import { type ErrorCode, isBackupError, type ObjectBody, type PutBody, type Storage } from '@ydbackup/core'
import { releasing } from '@ydbackup/core/driver-kit'
import { leave } from './streams.ts'

export type StorageOperation =
	| 'put'
	| 'get'
	| 'stat'
	| 'list'
	| 'delete'
	| 'copy'
	| 'extendRetention'
	| 'abortStaleUploads'

/** One call that is over. It names the object and nothing of what is in it; of an error it has the code alone. */
export interface StorageCall {
	readonly operation: StorageOperation
	/** The key; of `list` the prefix; of `copy` the new key; of `abortStaleUploads` nothing. */
	readonly key: string
	/** Bytes of bodies that went through this process, those of a put's failed attempts inside the driver too. */
	readonly bytes: number
	/** From the call to its end. Of `get` and `list` that is the end of the stream, so the reader's own time is in it. */
	readonly ms: number
	/** `left`: the reader of a `get` or a `list` went away before the end. */
	readonly outcome: 'done' | 'left' | 'failed'
	/** Of a failure that has one; what a body throws need not. */
	readonly code: ErrorCode | undefined
}

export interface ObservingOptions {
	/** Hears of each call once, when it is over. It must not throw: the call would fail by it. */
	readonly onCall: (call: StorageCall) => void
	/** A clock in milliseconds. */
	readonly now?: () => number
}

interface Watch {
	bytes: number
	done(): void
	left(): void
	failed(error: unknown): void
}

/** Tells of each call to a store: what, on which key, how many bytes, how long, how it ended. Changes nothing about the calls. */
export function observing(storage: Storage, { onCall, now = () => performance.now() }: ObservingOptions): Storage {
	function watch(operation: StorageOperation, key: string): Watch {
		const begun = now()
		let isOver = false
		const tell = (outcome: StorageCall['outcome'], code?: ErrorCode): void => {
			if (isOver) return
			isOver = true
			onCall({ operation, key, bytes: it.bytes, ms: now() - begun, outcome, code })
		}
		const it: Watch = {
			bytes: 0,
			done: () => tell('done'),
			left: () => tell('left'),
			failed: (error) => tell('failed', isBackupError(error) ? error.code : undefined),
		}
		return it
	}

	async function call<T>(
		operation: StorageOperation,
		key: string,
		work: (watched: Watch) => Promise<T>,
		isOverLater = false,
	): Promise<T> {
		const watched = watch(operation, key)
		let result: T
		try {
			result = await work(watched)
		} catch (error) {
			watched.failed(error)
			throw error
		}
		if (!isOverLater) watched.done()
		return result
	}

	return {
		...(storage.copy && {
			copy: (from, to, options) => call('copy', to, () => storage.copy!(from, to, options)),
		}),
		...(storage.extendRetention && {
			extendRetention: (key, until, options) =>
				call('extendRetention', key, () => storage.extendRetention!(key, until, options)),
		}),
		...(storage.abortStaleUploads && {
			abortStaleUploads: (olderThan, options) =>
				call('abortStaleUploads', '', () => storage.abortStaleUploads!(olderThan, options)),
		}),
		...(storage.serverSideTarget && { serverSideTarget: (prefix) => storage.serverSideTarget!(prefix) }),
		location: storage.location,
		capabilities: storage.capabilities,
		put: (key, body, options) =>
			call('put', key, async (watched) => {
				const info = await storage.put(key, counted(body, watched), options)
				if (body instanceof Uint8Array) watched.bytes = body.length
				return info
			}),
		get: (key, options) =>
			call(
				'get',
				key,
				async (watched): Promise<ObjectBody> => {
					const { info, bytes } = await storage.get(key, options)
					const stream = watchedStream(bytes, watched, (piece) => piece.length)
					return {
						info,
						bytes: releasing(stream, () => {
							watched.left()
							return leave(bytes)
						}),
					}
				},
				true,
			),
		stat: (key, options) => call('stat', key, () => storage.stat(key, options)),
		async *list(prefix, options) {
			yield* watchedStream(storage.list(prefix, options), watch('list', prefix), () => 0)
		},
		delete: (key, options) => call('delete', key, () => storage.delete(key, options)),
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
}

function counted(body: PutBody, watched: Watch): PutBody {
	if (body instanceof Uint8Array) return body
	return async function* () {
		for await (const bytes of body()) {
			watched.bytes += bytes.length
			yield bytes
		}
	}
}

async function* watchedStream<T>(
	stream: AsyncIterable<T>,
	watched: Watch,
	sizeOf: (item: T) => number,
): AsyncGenerator<T> {
	try {
		for await (const item of stream) {
			watched.bytes += sizeOf(item)
			yield item
		}
		watched.done()
	} catch (error) {
		watched.failed(error)
		throw error
	} finally {
		watched.left()
	}
}
