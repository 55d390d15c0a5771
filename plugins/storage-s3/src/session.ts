import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { BackupError, interruption, throwIfInterrupted } from '@ydbackup/core'
import { storageError } from './failure.ts'

const ATTEMPTS = 4
const FIRST_PAUSE_MS = 100
/** A store that asks for a longer pause is not waited for here: whole calls are retried by the wrapper. */
const LONGEST_PAUSE_MS = 5000
const CLEAN_UP_MS = 3000
/** The slowest line on which a part of an upload is still waited for. */
const SLOWEST_BYTES_PER_MS = 64

export interface CallPlan {
	/** For errors, an infinitive: `write KEY in …`. */
	readonly doing: string
	readonly signal?: AbortSignal | undefined
	/** Of the request's body. */
	readonly bytes?: number
	/** 4 by default. */
	readonly attempts?: number
}

/** Sends one request. `touch` says that it makes progress, and puts off its time limit. */
export type Send<T> = (signal: AbortSignal, touch: () => void) => Promise<T>

/** A client with what every request needs: a time limit, a few retries, an end at an abort, errors of the contract without secrets. */
export class S3Session implements AsyncDisposable {
	readonly client: S3Client
	readonly timeoutMs: number
	readonly #secrets: Set<string>

	constructor(client: S3Client, timeoutMs: number, secrets: readonly string[]) {
		this.client = client
		this.timeoutMs = timeoutMs
		this.#secrets = new Set(secrets)
	}

	/** Calls until it succeeds, fails for good, or has had its attempts. Rejects at once when the signal aborts. */
	async call<T>(plan: CallPlan, send: Send<T>): Promise<T> {
		const { doing, signal, attempts = ATTEMPTS } = plan
		const began = performance.now()
		for (let attempt = 1; ; attempt++) {
			try {
				return await this.#attempt(plan, send)
			} catch (error) {
				if (signal?.aborted) throw interruption(signal, `trying to ${doing}`)
				const failure = await this.failure(error, doing)
				const { retryAfterMs = 0, retry, reason } = failure
				// The SDK takes the store's clock over from this error, and signs the next request by it.
				const isSkew = reason === 'RequestTimeTooSkewed' && attempt === 1
				const pause = Math.max(retryAfterMs, FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random()))
				const isLast = attempt >= attempts || performance.now() - began > this.timeoutMs
				if (isLast || (retry === 'no' && !isSkew) || pause > LONGEST_PAUSE_MS) throw failure
				await sleep(pause, undefined, signal ? { signal } : {}).catch(() => undefined)
				throwIfInterrupted(signal, `trying to ${doing}`)
			}
		}
	}

	async #attempt<T>({ doing, signal, bytes = 0 }: CallPlan, send: Send<T>): Promise<T> {
		throwIfInterrupted(signal, `trying to ${doing}`)
		const limitMs = this.timeoutMs + bytes / SLOWEST_BYTES_PER_MS
		const stop = new AbortController()
		let timer: NodeJS.Timeout | undefined
		let abort = (): void => undefined
		// The SDK heeds signals while a request is under way, and not while it looks for credentials.
		const stopped = new Promise<never>((_resolve, reject) => {
			abort = () => {
				stop.abort()
				reject(interruption(signal!, `trying to ${doing}`))
			}
			signal?.addEventListener('abort', abort, { once: true })
			timer = setTimeout(() => {
				stop.abort()
				reject(silence(doing, this.timeoutMs))
			}, limitMs)
		})
		try {
			return await Promise.race([send(stop.signal, () => timer?.refresh()), stopped])
		} finally {
			clearTimeout(timer)
			signal?.removeEventListener('abort', abort)
		}
	}

	/** The error of the contract for an error of a request or of its body. */
	async failure(error: unknown, doing: string): Promise<BackupError> {
		const { secretAccessKey = '', sessionToken = '' } = await this.#resolved()
		for (const secret of [secretAccessKey, sessionToken]) this.#secrets.add(secret)
		return storageError(error, doing, (text) => {
			let scrubbed = text
			for (const secret of this.#secrets) if (secret.length > 3) scrubbed = scrubbed.replaceAll(secret, '***')
			return scrubbed
		})
	}

	/** The credentials in use: they must stand in no message. */
	async #resolved(): Promise<{ secretAccessKey?: string; sessionToken?: string }> {
		const { credentials } = this.client.config
		const late = sleep(1000, {}, { ref: false })
		return Promise.race([credentials().catch(() => ({})), late])
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.client.destroy()
	}
}

/** For what is removed after a failure or an abort: it has to end soon, and what stays is removed as stale some day. */
export function briefly(): AbortSignal {
	return AbortSignal.timeout(CLEAN_UP_MS)
}

/** The error of a store that does not answer. */
export function silence(doing: string, timeoutMs: number): BackupError {
	return new BackupError('STORAGE_TRANSIENT', `cannot ${doing}: no answer within ${timeoutMs / 1000} s`, {
		retry: 'later',
		reason: 'TimeoutError',
		advice: 'check the endpoint and the network; a slow store can be given more time with ?timeoutSeconds=',
	})
}
