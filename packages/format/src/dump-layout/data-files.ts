import type { FolderFiles } from './folder-tree.ts'
import { readDataName } from './names.ts'

export interface FoundData {
	readonly number: number
	readonly name: string
	readonly size: number
	readonly isCompressed: boolean
}

export interface FoundDataFiles {
	/** In the order of their numbers; all of them, also behind a gap. */
	readonly files: readonly FoundData[]
	/** Numbers below the last one that have no file. YDB's own restore stops at the first of them without a word. */
	readonly missing: readonly number[]
	/** Data files that cannot be read: encrypted, or of another format. */
	readonly unreadable: readonly string[]
	/** A second file of a number, which is left out: `.csv` comes before `.csv.zst`, as YDB's importer looks for them. */
	readonly second: readonly string[]
	/** Names that look like data files and are none, such as `data_1.csv`: YDB reads none of them. */
	readonly strange: readonly string[]
}

const MOST_MISSING = 1000

/** The data files among the files of a table's folder. */
export function findDataFiles(files: FolderFiles): FoundDataFiles {
	const found = new Map<number, FoundData>()
	const unreadable: string[] = []
	const second: string[] = []
	const strange: string[] = []
	for (const [name, size] of files) {
		const data = readDataName(name)
		if (data === undefined) {
			if (/^data_.*(?:csv|parquet)/u.test(name) && !name.endsWith('.sha256')) strange.push(name)
			continue
		}
		const { number, suffix } = data
		if (suffix !== '.csv' && suffix !== '.csv.zst') {
			unreadable.push(name)
			continue
		}
		const one = { number, name, size, isCompressed: suffix === '.csv.zst' }
		const other = found.get(number)
		if (other === undefined || other.isCompressed) found.set(number, one)
		if (other !== undefined) second.push(other.isCompressed ? other.name : name)
	}
	const sorted = Array.from(found.values()).toSorted((a, b) => a.number - b.number)
	const missing: number[] = []
	const end = (sorted.at(-1)?.number ?? -1) + 1
	for (let number = 0; number < end && missing.length < MOST_MISSING; number++) {
		if (!found.has(number)) missing.push(number)
	}
	return { files: sorted, missing, unreadable: unreadable.toSorted(), second, strange: strange.toSorted() }
}
