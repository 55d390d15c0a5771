/**
 * Makes a call that ends when the signal does, or after some time. Unlike `AbortSignal.timeout` and `any`, nothing of it is left
 * when the call has ended: a restore makes hundreds of calls a second, each with a bound of minutes.
 */
export async function bounded<T>(
	signal: AbortSignal | undefined,
	milliseconds: number,
	call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const stop = new AbortController()
	const give = (): void => stop.abort(signal?.reason)
	if (signal?.aborted) give()
	signal?.addEventListener('abort', give, { once: true })
	const timer = setTimeout(() => stop.abort(new DOMException('no answer in time', 'TimeoutError')), milliseconds)
	try {
		return await call(stop.signal)
	} finally {
		clearTimeout(timer)
		signal?.removeEventListener('abort', give)
	}
}

/** What others wait for, too, waited for no longer than the signal allows. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
	if (!signal) return work
	const { promise, reject } = Promise.withResolvers<never>()
	const leave = (): void => reject(signal.reason)
	if (signal.aborted) leave()
	signal.addEventListener('abort', leave, { once: true })
	try {
		return await Promise.race([work, promise])
	} finally {
		signal.removeEventListener('abort', leave)
	}
}
