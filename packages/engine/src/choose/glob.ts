/** A compiled pattern over paths relative to the database. */
export interface PathPattern {
	readonly source: string
	matches(path: string): boolean
}

/**
 * Compiles a pattern: `*` stands for any characters within one name, `?` for one character, `**` for any number of names, and
 * everything else for itself (brackets and braces too, which are legal in names). It is matched against the whole path from
 * the database down, case-sensitively; to find a name at any depth begin with `**` and a slash. What it matches is taken with
 * everything below it: `logs` and `logs` followed by slash and `**` choose the same tables.
 */
export function compileGlob(source: string): PathPattern {
	const segments = source.split('/').filter((segment) => segment !== '')
	return { source, matches: (path) => matchesSegments(segments, path.split('/')) }
}

/** Whether the pattern matches the path or one of its beginnings. Linear in memory: a row of the table of both lengths. */
function matchesSegments(pattern: readonly string[], path: readonly string[]): boolean {
	// reach[i]: the first i names of the path are matched by the pattern read so far
	let reach = path.map(() => false)
	reach = [true, ...reach]
	for (const part of pattern) {
		const next = reach.map(() => false)
		for (let index = 0; index < reach.length; index++) {
			if (part === '**') next[index] = reach[index] === true || (index > 0 && next[index - 1] === true)
			else if (index > 0) next[index] = reach[index - 1] === true && matchesName(part, path[index - 1] ?? '')
		}
		reach = next
	}
	return reach.some((isReached, index) => isReached && index > 0)
}

function matchesName(pattern: string, name: string): boolean {
	const wanted = Array.from(pattern)
	const given = Array.from(name)
	let at = 0
	let star = -1
	let starredFrom = 0
	let index = 0
	while (index < given.length) {
		if (at < wanted.length && (wanted[at] === '?' || (wanted[at] === given[index] && wanted[at] !== '*'))) {
			at++
			index++
		} else if (wanted[at] === '*') {
			star = at++
			starredFrom = index
		} else if (star >= 0) {
			at = star + 1
			index = ++starredFrom
		} else {
			return false
		}
	}
	while (wanted[at] === '*') at++
	return at === wanted.length
}
