/** Does the work for each item, for so many at a time: most of what a command does is wait. */
export async function atOnce<T>(count: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
	const left = [...items]
	await Promise.all(
		Array.from({ length: count }, async () => {
			for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
		}),
	)
}
