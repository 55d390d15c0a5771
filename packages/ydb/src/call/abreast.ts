const ABREAST = 16

/** Calls with at most sixteen under way; results in order. The first error wins, after all that were begun have ended. */
export async function forEachAbreast<T, R>(
	items: readonly T[],
	work: (item: T, at: number) => Promise<R>,
	afterError: 'stop' | 'go on' = 'stop',
): Promise<R[]> {
	const results: R[] = []
	let next = 0
	let failed: { readonly error: unknown } | undefined
	const isOver = (): boolean => next >= items.length || (failed !== undefined && afterError === 'stop')
	const worker = async (): Promise<void> => {
		while (!isOver()) {
			const at = next++
			try {
				results[at] = await work(items[at]!, at)
			} catch (error) {
				failed ??= { error }
			}
		}
	}
	await Promise.all(Array.from({ length: Math.min(ABREAST, items.length) }, worker))
	if (failed) throw failed.error
	return results
}
