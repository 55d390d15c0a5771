import { BackupError } from '@ydbackup/core'

import { isWithin, relativePath } from './object-path.ts'

export interface MappingOptions {
	/** Everything goes below this directory, unless `map` says otherwise. Absolute or relative to the target database. */
	readonly to?: string | undefined
	/** Pairs of source and target: the object of that path, with everything below it, goes there. The longest source wins. */
	readonly map?: readonly (readonly [from: string, to: string])[] | undefined
}

/** Where an object of a backup goes. Both paths are relative to their databases. */
export type PathMapping = (path: string) => string

/** Errors: `CONFIG_INVALID` for a pair that cannot be, naming it. */
export function createMapping(options: MappingOptions, source: string, target: string): PathMapping {
	const to = options.to === undefined ? '' : relativePath(options.to, target, 'target')
	const pairs = (options.map ?? []).map(([from, mapped]) => ({
		from: relativePath(from, source, 'source'),
		to: relativePath(mapped, target, 'target'),
	}))
	const sources = new Set<string>()
	for (const { from } of pairs) {
		if (sources.has(from)) {
			throw new BackupError('CONFIG_INVALID', `${from || source} is mapped twice`, { advice: 'keep one of the pairs' })
		}
		sources.add(from)
	}
	pairs.sort((a, b) => b.from.length - a.from.length)
	return (path) => {
		const pair = pairs.find(({ from }) => isWithin(path, from))
		if (pair === undefined) return join(to, path)
		return join(pair.to, pair.from === '' ? path : path.slice(pair.from.length + 1))
	}
}

function join(top: string, rest: string): string {
	return top === '' ? rest : rest === '' ? top : `${top}/${rest}`
}
