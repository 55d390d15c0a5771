/** The candidate that was most likely meant; undefined when none is near. */
export function nearestOf(typed: string, candidates: readonly string[]): string | undefined {
	// What was typed may be of any length, and only its beginning can be near.
	const word = typed.slice(0, 100).toLowerCase()
	const longer = word.length > 2 ? candidates.find((name) => name.toLowerCase().startsWith(word)) : undefined
	if (longer !== undefined) return longer
	const limit = Math.max(2, Math.ceil(word.length / 4))
	return candidates
		.map((name) => ({ name, distance: distanceOf(word, name.toLowerCase()) }))
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
