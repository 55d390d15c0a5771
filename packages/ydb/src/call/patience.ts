import { setTimeout as sleep } from 'node:timers/promises'
import { BackupError, interruption, throwIfInterrupted } from '@ydbackup/core'
import { callError } from './failure.ts'

export interface PatienceOptions {
	/** What is done, for messages: a verb phrase such as `describe table x`. */
	readonly doing: string
	readonly signal?: AbortSignal | undefined
	/** How long one thing may go on failing, in milliseconds, from its first failure; two minutes by default. Never a number of tries. */
	readonly budgetMs?: number
	readonly onRetry?: ((reason: BackupError) => void) | undefined
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 5_000
const DEFAULT_BUDGET_MS = 120_000

/** Decides about one thing that may fail and be tried again: waits, or throws. */
export class Patience {
	readonly #options: PatienceOptions
	#since: number | undefined
	#pause = FIRST_PAUSE_MS

	constructor(options: PatienceOptions) {
		this.#options = options
	}

	/** Progress was made: the budget begins anew. */
	reset(): void {
		this.#since = undefined
		this.#pause = FIRST_PAUSE_MS
	}

	/** Returns when the thing may be tried again; throws when it may not. */
	async failed(thrown: unknown): Promise<void> {
		const { doing, signal, budgetMs = DEFAULT_BUDGET_MS, onRetry } = this.#options
		if (signal?.aborted) throw interruption(signal, doing)
		const error = callError(thrown, doing)
		this.#since ??= performance.now()
		const next = error.retry === 'same' && this.#pause === FIRST_PAUSE_MS ? 0 : this.#pause * (0.5 + Math.random())
		if (error.retry === 'no') throw error
		if (performance.now() - this.#since + next > budgetMs) throw givenUp(error, budgetMs)
		onRetry?.(error)
		await sleep(next, undefined, signal ? { signal } : {}).catch(() => throwIfInterrupted(signal, doing))
		this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS)
	}
}

/** The last error, which says what was waited for, and how long that was. */
function givenUp(error: BackupError, budgetMs: number): BackupError {
	const { code, retry, advice, retryAfterMs, reason } = error
	return new BackupError(code, `${error.message} (given up after ${budgetMs / 1000} s)`, {
		retry,
		cause: error,
		...(advice !== undefined && { advice }),
		...(retryAfterMs !== undefined && { retryAfterMs }),
		...(reason !== undefined && { reason }),
	})
}

/** Does something, again while its error says that this may help, within a budget of time. */
export async function patiently<T>(
	options: PatienceOptions,
	work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
	const patience = new Patience(options)
	for (;;) {
		throwIfInterrupted(options.signal, options.doing)
		try {
			return await work(options.signal)
		} catch (error) {
			await patience.failed(error)
		}
	}
}
