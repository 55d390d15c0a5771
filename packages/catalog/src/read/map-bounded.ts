/** Maps with at most `limit` calls at a time; results in the order of the items. The first failure ends it. */
export async function mapBounded<T, R>(
	items: readonly T[],
	limit: number,
	work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
	const results: R[] = Array.from({ length: items.length })
	let next = 0
	let isFailed = false
	async function worker(): Promise<void> {
		while (next < items.length && !isFailed) {
			const index = next++
			try {
				results[index] = await work(items[index]!, index)
			} catch (error) {
				isFailed = true
				throw error
			}
		}
	}
	await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
	return results
}
