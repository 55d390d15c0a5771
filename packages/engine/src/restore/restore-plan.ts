import { BackupError, type DefinedKind, type SourceObject } from '@ydbackup/core'
import { isDefined, isTable, type ManifestObject } from '@ydbackup/format'

import { type KindFilter, kindName } from '../choose/kind-filter.ts'
import { ancestorsOf, comparePaths, isObjectPath } from '../choose/object-path.ts'
import type { PathMapping } from '../choose/path-mapping.ts'
import { assertIncluded, type Selection, unusedExcludes } from '../choose/selection.ts'

/** An object of the backup and the place where it goes; both relative to their databases. */
export interface RestoreItem {
	readonly path: string
	readonly target: string
	/** The object's folder in the backup; undefined for a directory. */
	readonly prefix: string | undefined
}

export interface ObjectItem extends RestoreItem {
	readonly kind: DefinedKind
}

export interface RestoreChoice {
	readonly tables: readonly RestoreItem[]
	readonly objects: readonly ObjectItem[]
	/** Whether the changefeeds of the tables are restored too. */
	readonly changefeeds: boolean
	/** In an order in which parents come before their children. */
	readonly directories: readonly RestoreItem[]
	readonly warnings: readonly string[]
}

/**
 * Chooses what to restore and where. A directory is restored when it is chosen itself, or when something chosen goes below its
 * target. Errors: `PATH_NOT_FOUND` when nothing is chosen, `CONFIG_INVALID` when two objects would go to one place.
 */
export function chooseRestore(
	title: string,
	objects: readonly ManifestObject[],
	selection: Selection,
	mapping: PathMapping,
	kinds: KindFilter,
): RestoreChoice {
	// The database itself is there, and its rights are given by themselves.
	const items = objects
		.filter(({ path }) => path !== '')
		.map((object): RestoreItem & { readonly kind: ManifestObject['kind'] } => ({
			path: object.path,
			target: mapping(object.path),
			prefix: object.prefix,
			kind: object.kind,
		}))
	const taken = items.filter((item) => selection.takes(item.path) && kinds.takes(kindName(item.kind)))
	const tables = taken.filter((item) => isTable(item) && item.kind !== 'index-changes')
	const defined = taken.filter(isDefined)
	const chosen = new Set(taken.filter((item) => item.kind === 'directory'))
	const needed = new Set([...tables, ...defined, ...chosen].flatMap((item) => ancestorsOf(item.target)))
	const directories = items.filter((item) => item.kind === 'directory' && (chosen.has(item) || needed.has(item.target)))

	if (items.length > 0) assertIncluded(selection, title)
	if (tables.length + defined.length + directories.length === 0 && items.length > 0) {
		throw new BackupError('PATH_NOT_FOUND', `nothing in ${title} matches`, {
			advice: `it holds ${objects.length} objects: look at them with backup show, or with a dry run of all`,
		})
	}
	assertTargets([...directories, ...tables, ...defined])
	return {
		tables: tables.map(itemOf).toSorted(byTarget),
		objects: defined.map((item) => ({ ...itemOf(item), kind: item.kind })).toSorted(byTarget),
		changefeeds: kinds.takes('changefeed'),
		directories: directories.map(itemOf).toSorted(byTarget),
		warnings: unusedExcludes(selection, title),
	}
}

/** Every path of the target that must be looked at before anything is written. */
export function pathsToProbe(choice: RestoreChoice): string[] {
	const paths = new Set<string>()
	for (const { target } of [...choice.directories, ...choice.tables, ...choice.objects]) {
		for (const path of ancestorsOf(target)) paths.add(path)
		paths.add(target)
	}
	return Array.from(paths).toSorted(comparePaths)
}

export interface ConflictRules {
	readonly existing: 'fail' | 'merge' | 'replace'
	readonly dataOnly: boolean
	/** Paths in the backup of tables that are stored by columns. */
	readonly columnTables: ReadonlySet<string>
}

/** What stands in the way of a restore, each as one fragment; empty when nothing does. */
export function findConflicts(
	choice: RestoreChoice,
	found: ReadonlyMap<string, SourceObject>,
	rules: ConflictRules,
): { readonly taken: string[]; readonly missing: string[] } {
	const taken = new Set<string>()
	const missing: string[] = []
	const objects = rules.dataOnly ? [] : choice.objects
	for (const { target } of [...choice.directories, ...choice.tables, ...objects]) {
		for (const path of ancestorsOf(target)) {
			const object = found.get(path)
			if (object !== undefined && object.kind !== 'directory') taken.add(`${path} is a ${nameOf(object)}`)
		}
	}
	for (const { target } of choice.directories) {
		const object = found.get(target)
		if (object !== undefined && object.kind !== 'directory') taken.add(`${target} is a ${nameOf(object)}`)
	}
	for (const { path, target } of choice.tables) {
		const kind = rules.columnTables.has(path) ? 'column-table' : 'row-table'
		const object = found.get(target)
		if (object === undefined) {
			if (rules.dataOnly) missing.push(target)
		} else if (object.kind !== kind) {
			taken.add(`${target} is a ${nameOf(object)}`)
		} else if (rules.existing === 'fail' && !rules.dataOnly) {
			taken.add(target)
		}
	}
	for (const { target, kind } of objects) {
		const object = found.get(target)
		if (object === undefined) continue
		if (object.kind !== kind) taken.add(`${target} is a ${nameOf(object)}`)
		else if (rules.existing === 'fail') taken.add(target)
	}
	return { taken: Array.from(taken), missing }
}

function nameOf(object: SourceObject): string {
	return object.kind === 'unknown' ? object.serverKind : object.kind
}

function assertTargets(items: readonly (RestoreItem & { readonly kind: string })[]): void {
	const byPath = new Map<string, RestoreItem & { readonly kind: string }>()
	for (const item of items) {
		if (!isObjectPath(item.target)) {
			throw new BackupError('CONFIG_INVALID', `${item.path} cannot go to ${JSON.stringify(item.target)}`, {
				advice: 'map it to a path below the database',
			})
		}
		const other = byPath.get(item.target)
		// Two directories may fall together: the first one's rights stay.
		if (other !== undefined && !(other.kind === 'directory' && item.kind === 'directory')) {
			throw new BackupError('CONFIG_INVALID', `${other.path} and ${item.path} would both go to ${item.target}`, {
				advice: 'map them to different places',
			})
		}
		byPath.set(item.target, other ?? item)
	}
	for (const item of items) {
		for (const path of ancestorsOf(item.target)) {
			const above = byPath.get(path)
			if (above === undefined || above.kind === 'directory') continue
			throw new BackupError(
				'CONFIG_INVALID',
				`${item.path} would go below ${path}, which is the ${kindName(above.kind)} ${above.path}`,
				{
					advice: 'map them to different places',
				},
			)
		}
	}
}

function itemOf({ path, target, prefix }: RestoreItem): RestoreItem {
	return { path, target, prefix }
}

function byTarget(a: RestoreItem, b: RestoreItem): number {
	return comparePaths(a.target, b.target)
}
