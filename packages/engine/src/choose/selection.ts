import { compileGlob, type PathPattern } from './glob.ts'
import { isWithin, relativePath } from './object-path.ts'

export interface SelectionOptions {
	/** Objects, with everything below them. Absolute or relative to the database. */
	readonly paths?: readonly string[] | undefined
	/** Patterns; see {@link compileGlob}. Absolute or relative to the database. */
	readonly include?: readonly string[] | undefined
	readonly exclude?: readonly string[] | undefined
}

/** What somebody chose: in one of `paths` (or there are none), and matched by an `include` (or there are none), and by no `exclude`. */
export interface Selection {
	readonly paths: readonly string[]
	readonly isEverything: boolean
	takes(path: string): boolean
	/** Patterns and paths that matched nothing of all that was asked about. */
	unused(): { readonly paths: string[]; readonly patterns: string[] }
}

export function createSelection(options: SelectionOptions, database: string): Selection {
	const paths = (options.paths ?? []).map((path) => relativePath(path, database, 'path'))
	const include = (options.include ?? []).map((glob) => compileGlob(relativeGlob(glob, database)))
	const exclude = (options.exclude ?? []).map((glob) => compileGlob(relativeGlob(glob, database)))
	const usedPaths = new Set<string>()
	const used = new Set<PathPattern>()

	function anyOf(patterns: readonly PathPattern[], path: string): boolean {
		let isMatched = false
		for (const pattern of patterns) {
			if (!pattern.matches(path)) continue
			used.add(pattern)
			isMatched = true
		}
		return isMatched
	}

	return {
		paths,
		isEverything: paths.length + include.length + exclude.length === 0,
		takes(path) {
			const tops = paths.filter((top) => isWithin(path, top))
			for (const top of tops) usedPaths.add(top)
			if (paths.length > 0 && tops.length === 0) return false
			const isIncluded = anyOf(include, path) || include.length === 0
			return !anyOf(exclude, path) && isIncluded
		},
		unused() {
			return {
				paths: paths.filter((path) => path !== '' && !usedPaths.has(path)),
				patterns: [...include, ...exclude].filter((pattern) => !used.has(pattern)).map((pattern) => pattern.source),
			}
		},
	}
}

function relativeGlob(glob: string, database: string): string {
	return glob.startsWith('/') ? relativePath(glob, database, 'pattern') : glob
}
