import { setTimeout as sleep } from 'node:timers/promises'
import {
	BackupError,
	isBackupError,
	type ObjectBody,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { releasing, untilAborted } from '@ydbackup/core/driver-kit'
import { leave, sha256Of } from './streams.ts'

export interface RetryingOptions {
	/** How long one call may go on failing, in milliseconds, from its first failure; 60 s by default. A budget of time, never a number of tries. */
	readonly budgetMs?: number
	/** Hears of each failure that is tried again. */
	readonly onRetry?: (retry: { readonly what: string; readonly reason: BackupError }) => void
	/** Waits; replaced by tests. */
	readonly pause?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>
	readonly now?: () => number
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

const pauseFor = async (milliseconds: number, signal: AbortSignal | undefined): Promise<void> => {
	await sleep(milliseconds, undefined, signal ? { signal } : {}).catch((error: unknown) => {
		if (!signal?.aborted) throw error
	})
}

/** What speaks about the store and may be tried again. What a body throws, of a database for example, speaks about something else. */
function mayHelp(error: unknown): error is BackupError {
	return isBackupError(error) && error.retry !== 'no' && error.code.startsWith('STORAGE_')
}

/**
 * Makes whole calls again while their error says that this may help, within a budget of time: puts by opening their body again,
 * reads and listings from where they broke off. A create-only put that meets an object after an attempt whose answer was lost
 * reads it back: equal bytes are its own success, other bytes the conflict.
 */
export function retrying(storage: Storage, options: RetryingOptions = {}): Storage {
	const { budgetMs = 60_000, onRetry, pause = pauseFor, now = () => performance.now() } = options

	/** Waits before another try, or throws the error when there is none left. */
	function patience(
		what: string,
		signal: AbortSignal | undefined,
	): { failed(error: unknown): Promise<void>; succeeded(): void } {
		let since: number | undefined
		let wait = FIRST_PAUSE_MS
		return {
			async failed(error) {
				since ??= now()
				if (!mayHelp(error)) throw error
				throwIfInterrupted(signal, `trying to ${what}`)
				const { retryAfterMs: asked = 0 } = error
				const next = Math.max(
					Number.isFinite(asked) ? asked : 0,
					error.retry === 'same' && wait === FIRST_PAUSE_MS ? 0 : wait * (0.5 + Math.random()),
				)
				if (now() - since + next > budgetMs) throw error
				onRetry?.({ what, reason: error })
				await pause(next, signal)
				throwIfInterrupted(signal, `waiting to ${what} again`)
				wait = Math.min(wait * 2, LONGEST_PAUSE_MS)
			},
			succeeded() {
				since = undefined
				wait = FIRST_PAUSE_MS
			},
		}
	}

	async function call<T>(
		what: string,
		signal: AbortSignal | undefined,
		work: (attempt: number) => Promise<T>,
	): Promise<T> {
		const { failed } = patience(what, signal)
		for (let attempt = 1; ; attempt++) {
			try {
				return await work(attempt)
			} catch (error) {
				await failed(error)
			}
		}
	}

	/** A body that is opened again behind the last byte that was handed on. */
	async function* resumed(
		key: string,
		first: ObjectBody,
		from: number,
		end: number,
		signal: AbortSignal | undefined,
	): AsyncGenerator<Uint8Array> {
		const { failed, succeeded } = patience(`read ${key}`, signal)
		let at = from
		let body: ObjectBody | undefined = first
		for (;;) {
			try {
				body ??= await storage.get(key, { signal, range: { offset: at, length: end - at } })
				for await (const bytes of body.bytes) {
					if (at + bytes.length > end)
						throw new BackupError(
							'STORAGE_INTEGRITY',
							`${key} came with more bytes than the ${end - from} of its range`,
						)
					at += bytes.length
					succeeded()
					yield bytes
				}
				if (at !== end) throw new BackupError('STORAGE_INTEGRITY', `${key} ended ${end - at} bytes early`)
				return
			} catch (error) {
				body = undefined
				await failed(error)
				if (at === end) return
			}
		}
	}

	/** Whether the object that a create-only put met is the one that an earlier attempt of it wrote. */
	async function settle(key: string, body: PutBody, more: PutOptions, conflict: BackupError): Promise<ObjectInfo> {
		const { signal } = more
		const size = body instanceof Uint8Array ? body.length : more.size
		const found = await wrapped.stat(key, { signal }).catch(() => undefined)
		throwIfInterrupted(signal, `reading ${key} back`)
		if (found === undefined || (size !== undefined && size !== found.size)) throw conflict
		const open =
			body instanceof Uint8Array
				? async function* () {
						yield body
					}
				: body
		const ours = more.sha256 ?? (await sha256Of(untilAborted(open(), signal, `reading ${key} back`)))
		const theirs = await wrapped
			.get(key, { signal })
			.then(({ bytes }) => sha256Of(bytes))
			.catch(() => undefined)
		throwIfInterrupted(signal, `reading ${key} back`)
		if (ours !== theirs) throw conflict
		return found
	}

	const wrapped: Storage = {
		...(storage.copy && {
			copy: (from, to, more) => call(`copy ${from}`, more?.signal, () => storage.copy!(from, to, more)),
		}),
		...(storage.extendRetention && {
			extendRetention: (key, until, more) =>
				call(`hold ${key}`, more?.signal, () => storage.extendRetention!(key, until, more)),
		}),
		...(storage.abortStaleUploads && {
			abortStaleUploads: (olderThan, more) =>
				call('remove stale uploads', more?.signal, () => storage.abortStaleUploads!(olderThan, more)),
		}),
		...(storage.serverSideTarget && { serverSideTarget: (prefix) => storage.serverSideTarget!(prefix) }),
		location: storage.location,
		capabilities: storage.capabilities,
		put: (key, body, more = {}) =>
			call(`write ${key}`, more.signal, async (attempt) => {
				try {
					return await storage.put(key, body, more)
				} catch (error) {
					if (attempt === 1 || !more.ifAbsent || !isBackupError(error, 'STORAGE_ALREADY_EXISTS')) throw error
					return settle(key, body, more, error)
				}
			}),
		async get(key, more = {}) {
			const { signal, range } = more
			const body = await call(`read ${key}`, signal, () => storage.get(key, more))
			if (storage.capabilities.rangeRead !== true) return body
			const from = range?.offset ?? 0
			const end = range?.length === undefined ? body.info.size : from + range.length
			return {
				info: body.info,
				bytes: releasing(resumed(key, body, from, end, signal), () => leave(body.bytes)),
			}
		},
		stat: (key, more) => call(`look for ${key}`, more?.signal, () => storage.stat(key, more)),
		async *list(prefix, more = {}) {
			const { failed, succeeded } = patience(`list ${prefix}`, more.signal)
			let { startAfter } = more
			for (;;) {
				let begun = false
				try {
					for await (const info of storage.list(prefix, { ...more, startAfter })) {
						begun = true
						startAfter = info.key
						succeeded()
						yield info
					}
					return
				} catch (error) {
					// Where keys come in no order, a listing that has begun cannot be continued without losing or repeating keys.
					if (begun && storage.capabilities.orderedList !== true) throw error
					await failed(error)
				}
			}
		},
		delete: (key, more) => call(`delete ${key}`, more?.signal, () => storage.delete(key, more)),
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
	return wrapped
}
