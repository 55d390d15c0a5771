import { interruption, throwIfInterrupted } from '@ydbackup/core'

/** A promise that is not waited for any longer when the signal aborts. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, doing: string): Promise<T> {
	if (!signal) return work
	// Nobody may be left to hear of its failure.
	work.catch(() => undefined)
	throwIfInterrupted(signal, doing)
	return new Promise((resolve, reject) => {
		const abort = (): void => reject(interruption(signal, doing))
		signal.addEventListener('abort', abort, { once: true })
		void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
	})
}

/** A stream that is left at once when the signal aborts, even while its source is silent. */
export async function* untilAborted<T>(
	stream: AsyncIterable<T>,
	signal: AbortSignal | undefined,
	doing: string,
): AsyncGenerator<T> {
	const iterator = stream[Symbol.asyncIterator]()
	let isOver = false
	try {
		for (;;) {
			throwIfInterrupted(signal, doing)
			const next = await unlessAborted(iterator.next(), signal, doing)
			isOver = next.done === true
			if (next.done) return
			yield next.value
		}
	} finally {
		const left = isOver ? undefined : iterator.return?.()
		// A silent source may answer to its return as late as to its next: nobody waits for it then.
		if (signal?.aborted) void left?.catch(() => undefined)
		else await left
	}
}
