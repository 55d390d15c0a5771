/** Ids that somebody who typed `wanted` may have meant: those that begin like it, else the most alike, else the newest; at most `count`, newest first. */
export function nearestIds(wanted: string, ids: readonly string[], count = 3): string[] {
	const newestFirst = ids.toSorted().toReversed()
	const beginning = newestFirst.filter((id) => wanted.length > 0 && id.startsWith(wanted))
	if (beginning.length > 0) return beginning.slice(0, count)
	const alike = newestFirst
		.map((id) => ({ id, common: commonStart(id, wanted) }))
		.filter(({ common }) => common >= SAME_DAY)
		.toSorted((a, b) => b.common - a.common)
	return (alike.length > 0 ? alike.map(({ id }) => id) : newestFirst).slice(0, count)
}

/** `20261123` */
const SAME_DAY = 8

function commonStart(a: string, b: string): number {
	let length = 0
	while (length < a.length && a[length] === b[length]) length++
	return length
}
