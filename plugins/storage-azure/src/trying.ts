import { setTimeout as sleep } from 'node:timers/promises'
import { BackupError, interruption, throwIfInterrupted } from '@ydbackup/core'
import { BLOCKS_LOST } from './failure.ts'

const TRIES = 4
const FIRST_PAUSE_MS = 200
/** Longer than this nobody waits in here: the caller knows better. */
const BUDGET_MS = 30_000

/** One thing that is being done, and who may stop it. */
export interface Task {
	/** For example `write a/b in az://backups`; follows `cannot` and `stopped while trying to`. */
	readonly doing: string
	readonly signal: AbortSignal | undefined
}

const stopped = ({ doing }: Task): string => `trying to ${doing}`

/** Throws when the task was stopped. */
export function throwIfStopped(task: Task): void {
	throwIfInterrupted(task.signal, stopped(task))
}

/**
 * Waits for an answer, and no longer than the bound: then, or when the task is stopped, the signal that the work was given
 * aborts, and nobody waits for the work to notice.
 */
export function answered<T>(task: Task, timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
	const { signal } = task
	return new Promise((resolve, reject) => {
		const control = new AbortController()
		const settle = (): void => {
			clearTimeout(timer)
			signal?.removeEventListener('abort', onAbort)
		}
		const giveUp = (error: BackupError): void => {
			settle()
			reject(error)
			control.abort(error)
		}
		const onAbort = (): void => giveUp(interruption(signal!, stopped(task)))
		const timer = setTimeout(() => giveUp(silence(task, timeoutMs)), timeoutMs)
		if (signal?.aborted) return onAbort()
		signal?.addEventListener('abort', onAbort, { once: true })
		work(control.signal).finally(settle).then(resolve, reject)
	})
}

export function silence({ doing }: Task, timeoutMs: number): BackupError {
	return new BackupError('STORAGE_TRANSIENT', `cannot ${doing}: no answer within ${timeoutMs / 1000} s`, {
		retry: 'later',
		reason: 'timeout',
		advice: 'check the endpoint and the network, or add a longer ?timeout= in seconds',
	})
}

/** Makes a request again while that may help, a few times and for half a minute at most. */
export async function trying<T>(
	task: Task,
	toError: (error: unknown) => BackupError,
	request: () => Promise<T>,
): Promise<T> {
	const begin = performance.now()
	for (let attempt = 1; ; attempt++) {
		try {
			return await request()
		} catch (error) {
			const failure = toError(error)
			await pauseAfter(failure, attempt, begin, task)
		}
	}
}

/** Waits before the next try, or throws the failure when there is none. */
export async function pauseAfter(failure: BackupError, attempt: number, begin: number, task: Task): Promise<void> {
	throwIfStopped(task)
	if (failure.retry === 'no' || failure.reason === BLOCKS_LOST || attempt >= TRIES) throw failure
	const own =
		failure.retry === 'same' && attempt === 1 ? 0 : FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random())
	const wait = Math.max(own, failure.retryAfterMs ?? 0)
	if (performance.now() - begin + wait > BUDGET_MS) throw failure
	await sleep(wait, undefined, task.signal ? { signal: task.signal } : {}).catch((error: unknown) => {
		if (!task.signal?.aborted) throw error
	})
	throwIfStopped(task)
}

/** A signal that aborts so many milliseconds after another one. */
export function later(signal: AbortSignal | undefined, milliseconds: number): Disposable & { signal: AbortSignal } {
	const control = new AbortController()
	let timer: NodeJS.Timeout | undefined
	const onAbort = (): void => {
		timer = setTimeout(() => control.abort(signal?.reason), milliseconds)
	}
	if (signal?.aborted) onAbort()
	else signal?.addEventListener('abort', onAbort, { once: true })
	return {
		signal: control.signal,
		[Symbol.dispose]() {
			clearTimeout(timer)
			signal?.removeEventListener('abort', onAbort)
		},
	}
}
