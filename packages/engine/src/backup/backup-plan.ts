import {
	BackupError,
	DEFINED_KINDS,
	type DefinedKind,
	type ObjectKind,
	type ProtoText,
	type SourceObject,
} from '@ydbackup/core'

import { type KindFilter, kindName } from '../choose/kind-filter.ts'
import { ancestorsOf, comparePaths } from '../choose/object-path.ts'
import { assertIncluded, type Selection, unusedExcludes } from '../choose/selection.ts'

/** An object that a backup leaves out, and why; it stands in the manifest, so that nobody finds out on the day of the restore. */
export interface Note {
	readonly path: string
	readonly kind: string
	readonly reason: string
}

export interface PlannedObject {
	readonly path: string
	readonly kind: ObjectKind
	readonly permissions: ProtoText
}

/** What a backup will hold. Paths are relative to the database and in the order of their bytes. */
export interface BackupPlan {
	/** What was asked for; empty for everything. */
	readonly paths: readonly string[]
	/** Row tables and column tables. */
	readonly tables: readonly PlannedObject[]
	/** Whether the changefeeds of the tables are taken too. */
	readonly changefeeds: boolean
	/** Neither tables nor directories. */
	readonly objects: readonly (PlannedObject & { readonly kind: DefinedKind })[]
	/** Chosen ones, and every directory above something chosen; the database itself, whose path is empty, when everything is. */
	readonly directories: readonly PlannedObject[]
	readonly notes: readonly Note[]
	readonly warnings: readonly string[]
}

const REASONS: Partial<Record<ObjectKind, string>> = {
	sequence: 'sequences are taken with the column that uses them, not by themselves',
	'resource-pool': 'resource pools are not taken yet',
	'backup-collection': 'backup collections live in the cluster; their links are not shipped yet',
}

/**
 * Chooses what to back up from everything that is there. Errors: `PATH_NOT_FOUND` naming every path that was asked for and is
 * not there, and every pattern that includes nothing; `CONFIG_INVALID` when patterns leave nothing, because a backup of nothing would be believed to be one.
 */
export function planBackup(
	objects: readonly SourceObject[],
	selection: Selection,
	kinds: KindFilter,
	root?: SourceObject,
	/** The choice is that of a parent: what it had and is gone was dropped. */
	isInherited = false,
): BackupPlan {
	const chosen = objects.filter(
		(object) => selection.takes(object.path) && (kinds.takes(kindName(object.kind)) || !isKnown(object)),
	)
	const known = new Set(objects.map((object) => object.path))
	const missing = selection.unused().paths.filter((path) => !known.has(path))
	if (missing.length > 0) {
		throw new BackupError('PATH_NOT_FOUND', `not in the database: ${missing.join(', ')}`, {
			advice: 'paths are relative to the database; check the names, which are case-sensitive',
		})
	}

	if (!isInherited) assertIncluded(selection, 'the database')
	const tables = chosen.filter((object) => isTable(object))
	const needed = new Set(chosen.filter((object) => object.kind === 'directory').map((object) => object.path))
	for (const object of chosen) for (const path of ancestorsOf(object.path)) needed.add(path)
	const directories = objects.filter((object) => object.kind === 'directory' && needed.has(object.path))
	const defined = chosen.filter(isDefined)
	// What is of no kind that could be chosen was not chosen by its kind.
	const others = kinds.isEverything ? chosen.filter((object) => !isKnown(object)) : []

	if (!(selection.isEverything && kinds.isEverything) && tables.length + directories.length + defined.length === 0) {
		throw new BackupError('CONFIG_INVALID', 'the paths and patterns leave nothing to back up', {
			advice: `${objects.length} objects are in the database; ${
				others.length > 0 ? `${others.length} of a kind that cannot be taken yet match` : 'none of them matches'
			}`,
		})
	}
	return {
		paths: selection.paths,
		tables: tables.map(planned).toSorted(byPath),
		changefeeds: kinds.takes('changefeed'),
		objects: defined.map((object) => ({ ...planned(object), kind: object.kind })).toSorted(byPath),
		directories: [
			...(root && root.permissions.length > 0 && selection.isEverything && kinds.isEverything ? [root] : []),
			...directories,
		]
			.map(planned)
			.toSorted(byPath),
		notes: others.map(noteOf).toSorted(byPath),
		warnings: warningsOf(selection, objects.length),
	}
}

function isTable({ kind }: SourceObject): boolean {
	return kind === 'row-table' || kind === 'column-table'
}

function warningsOf(selection: Selection, found: number): string[] {
	const gone = selection.unused().include.map((pattern) => `the pattern ${pattern} matches nothing any more`)
	const warnings = [...gone, ...unusedExcludes(selection, 'the database')]
	if (found === 0) warnings.push('the database is empty: the backup will hold nothing')
	return warnings
}

function isDefined(object: SourceObject): object is SourceObject & { readonly kind: DefinedKind } {
	return (DEFINED_KINDS as readonly string[]).includes(object.kind)
}

function isKnown(object: SourceObject): boolean {
	return isTable(object) || object.kind === 'directory' || isDefined(object)
}

function planned(object: SourceObject): PlannedObject {
	return { path: object.path, kind: object.kind, permissions: object.permissions }
}

function noteOf(object: SourceObject): Note {
	const reason = REASONS[object.kind] ?? `this version does not know objects of kind ${object.serverKind}`
	return { path: object.path, kind: object.kind === 'unknown' ? object.serverKind : object.kind, reason }
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
	return comparePaths(a.path, b.path)
}
