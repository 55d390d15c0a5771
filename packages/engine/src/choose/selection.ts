import { BackupError } from '@ydbackup/core'

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
	unused(): { readonly paths: string[]; readonly include: string[]; readonly exclude: string[] }
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
			const unusedOf = (patterns: readonly PathPattern[]): string[] =>
				patterns.filter((pattern) => !used.has(pattern)).map(({ source }) => source)
			return {
				paths: paths.filter((path) => path !== '' && !usedPaths.has(path)),
				include: unusedOf(include),
				exclude: unusedOf(exclude),
			}
		},
	}
}

const LITERAL =
	'* and ** and ? are the only wildcards, names are case-sensitive, and a pattern is matched from the database down: **/name finds a name anywhere'

/** Somebody asked for it and would believe to have it. Errors: `PATH_NOT_FOUND` naming every pattern that chose nothing. */
export function assertIncluded(selection: Selection, where: string): void {
	const { include } = selection.unused()
	if (include.length === 0) return
	throw new BackupError(
		'PATH_NOT_FOUND',
		`nothing in ${where} matches ${include.map((pattern) => pattern || "''").join(', ')}`,
		{ advice: LITERAL },
	)
}

export const unusedExcludes = (selection: Selection, where: string): string[] =>
	selection.unused().exclude.map((pattern) => `the pattern ${pattern} excludes nothing: nothing in ${where} matches it`)

function relativeGlob(glob: string, database: string): string {
	if (!glob.startsWith('/')) return glob
	const relative = relativePath(glob, database, 'pattern')
	return relative === '' ? '**' : relative
}
