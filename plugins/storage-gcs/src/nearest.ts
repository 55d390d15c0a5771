/** The candidate that was most likely meant; undefined when none is near. */
export function nearestOf(typed: string, candidates: readonly string[]): string | undefined {
	const limit = Math.max(2, Math.ceil(typed.length / 4))
	return candidates
		.map((name) => ({ name, distance: distanceOf(typed, name) }))
		.filter(({ distance }) => distance <= limit)
		.sort((a, b) => a.distance - b.distance)[0]?.name
}

/** Levenshtein's distance. */
function distanceOf(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, at) => at)
	for (let i = 1; i <= a.length; i++) {
		const next = [i]
		for (let j = 1; j <= b.length; j++)
			next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
		row = next
	}
	return row[b.length]!
}
