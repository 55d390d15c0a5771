import { BackupError } from '@ydbackup/core'
import type { FolderFiles, FolderTree } from './folder-tree.ts'
import {
	CHANGEFEED,
	DATABASE,
	type FoundKind,
	INCOMPLETE,
	INCOMPLETE_DATA,
	MARKERS,
	RATE_LIMITER,
	SCHEME,
} from './names.ts'

/** An object that a folder of the tree holds. */
export interface FoundObject {
	readonly kind: FoundKind
	/** Empty for the root. */
	readonly folder: string
	/** The file that says what it is. */
	readonly marker: string
	readonly files: FolderFiles
	/** Of a table: its changefeeds by name. */
	readonly changefeeds: readonly string[]
	/** Of a table: `index/implTable`, whose rows an export may hold. */
	readonly indexTables: readonly string[]
	/** Of a coordination node: paths of its resources. */
	readonly rateLimiters: readonly string[]
	/** Folders within that are nothing we know. */
	readonly strange: readonly string[]
}

export interface FoundDirectory {
	readonly folder: string
	readonly files: FolderFiles
}

export interface FoundTree {
	readonly objects: readonly FoundObject[]
	/** Folders that hold objects or rights and are no object, without the root; parents first. */
	readonly directories: readonly FoundDirectory[]
}

type Draft = {
	-readonly [Name in keyof FoundObject]: FoundObject[Name] extends readonly string[] ? string[] : FoundObject[Name]
}

/**
 * What the folders of a `ydb tools dump`, or of a native export without a mapping, are. Folders within an object are parts of it
 * (changefeeds, resources, rows of indexes) and no objects. Errors: `FORMAT_INVALID` for a dump that is not finished, which YDB's own
 * restore refuses as a whole too, and for a folder that would be two things, naming all of them.
 */
export function findObjects(tree: FolderTree): FoundTree {
	const objects: Draft[] = []
	const directories: FoundDirectory[] = []
	const unfinished: string[] = []
	const ambiguous: string[] = []
	let open: Draft | undefined
	for (const [folder, files] of tree.folders()) {
		if (files.has(INCOMPLETE)) unfinished.push(under(folder, INCOMPLETE))
		if (files.has(INCOMPLETE_DATA)) unfinished.push(under(folder, INCOMPLETE_DATA))
		if (open !== undefined && (open.folder === '' || folder.startsWith(`${open.folder}/`))) {
			addPart(open, folder, files)
			continue
		}
		open = undefined
		const markers = Array.from(MARKERS.keys()).filter((name) => files.has(name))
		if (folder !== '' && files.has(DATABASE)) markers.push(DATABASE)
		if (markers.length > 1) ambiguous.push(`${folder || 'the folder itself'} (${markers.join(', ')})`)
		const marker = markers[0]
		if (marker === undefined) {
			if (folder !== '') directories.push({ folder, files })
			continue
		}
		open = draft(folder, files, marker)
		objects.push(open)
	}
	if (unfinished.length > 0) throw notFinished(unfinished)
	if (ambiguous.length > 0) {
		throw new BackupError('FORMAT_INVALID', `folders that would be several objects at once: ${shown(ambiguous)}`, {
			advice: 'one folder holds one object: move the others out, or take the dump again',
		})
	}
	return { objects, directories }
}

/** One folder as an object, as the mapping of an export names it; undefined when it holds none that we know. Errors: as {@link findObjects}. */
export function findObject(tree: FolderTree, folder: string, below: readonly string[]): FoundObject | undefined {
	const files = tree.files(folder)
	const markers = Array.from(MARKERS.keys()).filter((name) => files.has(name))
	if (files.has(INCOMPLETE) || files.has(INCOMPLETE_DATA)) throw notFinished([under(folder, INCOMPLETE)])
	if (markers[0] === undefined) return undefined
	const object = draft(folder, files, markers[0])
	for (const one of below) addPart(object, one, tree.files(one))
	return object
}

function draft(folder: string, files: FolderFiles, marker: string): Draft {
	const kind = MARKERS.get(marker) ?? 'database'
	return { kind, folder, marker, files, changefeeds: [], indexTables: [], rateLimiters: [], strange: [] }
}

function addPart(object: Draft, folder: string, files: FolderFiles): void {
	const name = object.folder === '' ? folder : folder.slice(object.folder.length + 1)
	const depth = name.split('/').length
	// It is there only because of what lies below it.
	if (files.size === 0) return
	if (object.kind === 'table' && depth === 1 && files.has(CHANGEFEED)) object.changefeeds.push(name)
	else if (object.kind === 'table' && depth === 2 && files.has(SCHEME)) object.indexTables.push(name)
	else if (object.kind === 'coordination-node' && files.has(RATE_LIMITER)) object.rateLimiters.push(name)
	else object.strange.push(name)
}

function notFinished(files: readonly string[]): BackupError {
	return new BackupError('FORMAT_INVALID', `the dump is not finished: ${shown(files)}`, {
		advice: 'whoever wrote it was stopped or still writes: wait for it, or take the dump again; nothing was restored',
	})
}

function under(folder: string, name: string): string {
	return folder === '' ? name : `${folder}/${name}`
}

const SHOWN = 10

function shown(names: readonly string[]): string {
	const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''
	return `${names.slice(0, SHOWN).join(', ')}${more}`
}
