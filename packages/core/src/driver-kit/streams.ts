import { interruption, throwIfInterrupted } from '../errors/backup-error.ts'

/** A stream that is left at once when the signal aborts, even while its source is silent. */
export async function* untilAborted<T>(
	stream: AsyncIterable<T>,
	signal: AbortSignal | undefined,
	doing: string,
): AsyncGenerator<T> {
	if (!signal) return yield* stream
	const iterator = stream[Symbol.asyncIterator]()
	let isOver = false
	try {
		for (;;) {
			throwIfInterrupted(signal, doing)
			const next = await orAborted(iterator.next(), signal, doing)
			isOver = next.done === true
			if (next.done) return
			yield next.value
		}
	} finally {
		// A silent source may answer to its return as late as to its next: nobody waits for it.
		if (!isOver) void iterator.return?.().catch(() => undefined)
	}
}

/**
 * Waits for what cannot be stopped, but no longer than the signal allows. One promise for each wait: a race against one that lives
 * longer would keep everything that was waited for in memory.
 */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, doing: string): Promise<T> {
	if (!signal) return work
	return new Promise((resolve, reject) => {
		const abort = (): void => reject(interruption(signal, doing))
		if (signal.aborted) abort()
		else signal.addEventListener('abort', abort, { once: true })
		void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
	})
}

/** The same stream, for a reader who may leave before the first item: a generator that has not begun runs no `finally`. */
export function releasing<T>(stream: AsyncGenerator<T>, release: () => unknown): AsyncIterable<T> {
	let hasBegun = false
	const iterator: AsyncIterableIterator<T> = {
		next: () => {
			hasBegun = true
			return stream.next()
		},
		async return() {
			if (!hasBegun) await release()
			hasBegun = true
			return stream.return(undefined)
		},
		[Symbol.asyncIterator]: () => iterator,
	}
	return iterator
}
