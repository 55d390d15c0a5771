/**
 * Runs jobs with bounded concurrency, in order of the list. After the first failure no further job starts, the signal given to
 * the running ones aborts, and all of them are awaited: when this settles, nothing of it runs any more. Throws the first failure.
 */
export async function runAll<T>(
	jobs: Iterable<T>,
	concurrency: number,
	signal: AbortSignal | undefined,
	run: (job: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
	const stop = new AbortController()
	const failures: unknown[] = []
	const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
	const iterator = jobs[Symbol.iterator]()

	async function work(): Promise<void> {
		while (!both.aborted) {
			const next = iterator.next()
			if (next.done === true) return
			try {
				await run(next.value, both)
			} catch (error) {
				failures.push(error)
				stop.abort(error)
				return
			}
		}
	}

	await Promise.all(Array.from({ length: Math.max(1, concurrency) }, work))
	if (failures.length > 0) throw failures[0]
	if (signal?.aborted) throw signal.reason
}
