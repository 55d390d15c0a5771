import { BackupError } from '@ydbackup/core'
import { isRelativePath } from '../layout/metadata.ts'

/** Files of a folder and their sizes. */
export type FolderFiles = ReadonlyMap<string, number>

/** About a hundred thousand tables with a dozen files each: some hundred MiB of names. */
const MOST_FILES = 1_500_000

/** The files of a store by the folder they lie in. Keys are hostile: what leads elsewhere is refused, and so is more than memory should hold. */
export class FolderTree {
	readonly #folders: Map<string, Map<string, number>> = new Map()
	#files = 0

	/** Errors: `FORMAT_INVALID` naming the key. */
	add(key: string, size: number): void {
		if (!isRelativePath(key)) throw refused(`${JSON.stringify(key.slice(0, 300))} is no path of a file`)
		if (++this.#files > MOST_FILES) throw refused(`there are more than ${MOST_FILES} files`)
		const cut = key.lastIndexOf('/')
		const folder = this.#open(cut < 0 ? '' : key.slice(0, cut))
		folder.set(key.slice(cut + 1), size)
	}

	get size(): number {
		return this.#files
	}

	/** Empty for a folder that is not there. */
	files(folder: string): FolderFiles {
		return this.#folders.get(folder) ?? NO_FILES
	}

	/** Every folder that has a file in it or below it, a parent before its children; the root is the empty path. */
	*folders(): Generator<[string, FolderFiles], void, undefined> {
		for (const path of Array.from(this.#folders.keys()).toSorted(byNames)) yield [path, this.files(path)]
	}

	/** The folder and its parents. */
	#open(path: string): Map<string, number> {
		const known = this.#folders.get(path)
		if (known !== undefined) return known
		const created = new Map<string, number>()
		this.#folders.set(path, created)
		if (path !== '') this.#open(path.slice(0, Math.max(0, path.lastIndexOf('/'))))
		return created
	}
}

const NO_FILES: FolderFiles = new Map()

/** Name by name, so that everything below a folder follows it at once. */
function byNames(a: string, b: string): number {
	const [left, right] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')]
	return left < right ? -1 : left > right ? 1 : 0
}

function refused(what: string): BackupError {
	return new BackupError('FORMAT_INVALID', what, { advice: 'this is no dump of YDB: look at what lies there' })
}
