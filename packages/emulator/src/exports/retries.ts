import { setTimeout as sleep } from 'node:timers/promises'
import { StoreError } from './s3-client.ts'

/** Longest wait, in minutes. Source: retry policy of exports and imports (schemeshard_export_uploaders.cpp, export_s3_uploader.cpp). */
const MOST_MINUTES = 10

export interface Persistence {
	/** `number_of_retries` of the request. */
	readonly retries: number
	/** Milliseconds that a minute of waiting takes. */
	readonly minuteMs: () => number
	readonly signal: AbortSignal
	/** Data paths wait up to twice as long, by chance. */
	readonly isSpread?: boolean
}

/** The server's waits: they start at one minute, and each is the one before it times the number of tries. */
export function minutesBefore(attempt: number): number {
	let minutes = 1
	for (let at = 2; at <= attempt; at++) minutes = Math.min(minutes * at, MOST_MINUTES)
	return minutes
}

/** Tries until it works, the store refuses for good, the retries are used up or the signal aborts. */
export async function persistently<T>(
	work: () => Promise<T>,
	{ retries, minuteMs, signal, isSpread }: Persistence,
): Promise<T> {
	for (let attempt = 1; ; attempt++)
		try {
			signal.throwIfAborted()
			return await work()
		} catch (error) {
			if (!(error instanceof StoreError) || !error.mayRetry || attempt > retries) throw error
			const ms = minutesBefore(attempt) * minuteMs() * (isSpread ? 1 + Math.random() : 1)
			await sleep(ms, undefined, { signal })
		}
}
