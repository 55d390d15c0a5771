import { asked } from '../../test/e2e/src/troubles.ts'

/** What a reader saw at a path: everything that a backup must bring back. */
export interface Sight {
	readonly kind: 'directory' | 'table'
	readonly owner: string
	readonly grants: readonly string[]
	readonly columns?: readonly string[]
	readonly primaryKey?: readonly string[]
	readonly partitions?: number
	readonly rows?: number
	readonly bytes?: number
	/** SHA-256 over the bytes of all rows, in key order. */
	readonly sha256?: string
}

/** A whole database as one reader saw it, by path relative to the database. */
export type Picture = ReadonlyMap<string, Sight>

/** Every difference of two pictures, in words. Where partitions move, their number is what it was when somebody looked. */
export function differences(
	before: Picture,
	after: Picture,
	{ partitionsMove = asked.passing.splitEveryRows !== undefined } = {},
): string[] {
	const found: string[] = []
	for (const path of new Set([...before.keys(), ...after.keys()])) {
		const was = before.get(path)
		const is = after.get(path)
		if (!was || !is) {
			found.push(`${path}: ${was ? 'is gone' : 'was not there'}`)
			continue
		}
		for (const name of [
			'kind',
			'owner',
			'grants',
			'columns',
			'primaryKey',
			'partitions',
			'rows',
			'bytes',
			'sha256',
		] as const) {
			if (partitionsMove && name === 'partitions') continue
			const [a, b] = [JSON.stringify(was[name]), JSON.stringify(is[name])]
			if (a !== b) found.push(`${path}: ${name} was ${a}, is ${b}`)
		}
	}
	return found
}

/** The part of a picture below a directory, with paths relative to it; the directory itself left out. */
export function below(picture: Picture, directory: string): Picture {
	const prefix = `${directory}/`
	return new Map(
		[...picture].filter(([path]) => path.startsWith(prefix)).map(([path, sight]) => [path.slice(prefix.length), sight]),
	)
}

export function only(picture: Picture, path: string): Picture {
	return new Map([...picture].filter(([at]) => at === path))
}

export function totals(picture: Picture): { tables: number; rows: number; bytes: number } {
	const sum = { tables: 0, rows: 0, bytes: 0 }
	for (const { kind, rows = 0, bytes = 0 } of picture.values()) {
		if (kind === 'table') sum.tables++
		sum.rows += rows
		sum.bytes += bytes
	}
	return sum
}
