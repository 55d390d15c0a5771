import { BackupError, type ObjectKind, type ProtoText, type SourceObject } from '@ydbackup/core'

import { ancestorsOf, comparePaths } from '../choose/object-path.ts'
import type { Selection } from '../choose/selection.ts'

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
	/** Chosen ones, and every directory above something chosen. */
	readonly directories: readonly PlannedObject[]
	readonly notes: readonly Note[]
	readonly warnings: readonly string[]
}

const REASONS: Partial<Record<ObjectKind, string>> = {
	view: 'views are not taken yet',
	topic: 'topics are not taken yet, and their messages never are',
	sequence: 'sequences are taken with the column that uses them, not by themselves',
	'coordination-node': 'coordination nodes are not taken yet',
	replication: 'async replications are not taken yet',
	transfer: 'transfers are not taken yet',
	'external-table': 'external tables are not taken yet',
	'external-data-source': 'external data sources are not taken yet',
	'resource-pool': 'resource pools are not taken yet',
	'backup-collection': 'backup collections live in the cluster; their links are not shipped yet',
}

/**
 * Chooses what to back up from everything that is there. Errors: `PATH_NOT_FOUND` naming every path that was asked for and is
 * not there; `CONFIG_INVALID` when patterns leave nothing, because a backup of nothing would be believed to be one.
 */
export function planBackup(objects: readonly SourceObject[], selection: Selection): BackupPlan {
	const chosen = objects.filter((object) => selection.takes(object.path))
	const unused = selection.unused()
	const known = new Set(objects.map((object) => object.path))
	const missing = unused.paths.filter((path) => !known.has(path))
	if (missing.length > 0) {
		throw new BackupError('PATH_NOT_FOUND', `not in the database: ${missing.join(', ')}`, {
			advice: 'paths are relative to the database; check the names, which are case-sensitive',
		})
	}

	const tables = chosen.filter((object) => isTable(object))
	const needed = new Set(chosen.filter((object) => object.kind === 'directory').map((object) => object.path))
	for (const object of chosen) for (const path of ancestorsOf(object.path)) needed.add(path)
	const directories = objects.filter((object) => object.kind === 'directory' && needed.has(object.path))
	const others = chosen.filter((object) => !isTable(object) && object.kind !== 'directory')

	if (!selection.isEverything && tables.length + directories.length === 0) {
		throw new BackupError('CONFIG_INVALID', 'the paths and patterns leave nothing to back up', {
			advice: `${objects.length} objects are in the database; ${
				others.length > 0 ? `${others.length} of a kind that cannot be taken yet match` : 'none of them matches'
			}`,
		})
	}
	return {
		paths: selection.paths,
		tables: tables.map(planned).toSorted(byPath),
		directories: directories.map(planned).toSorted(byPath),
		notes: others.map(noteOf).toSorted(byPath),
		warnings: warningsOf(unused.patterns, objects.length),
	}
}

function isTable({ kind }: SourceObject): boolean {
	return kind === 'row-table' || kind === 'column-table'
}

function warningsOf(unusedPatterns: readonly string[], found: number): string[] {
	const warnings = unusedPatterns.map((pattern) => `the pattern ${pattern} matches nothing in the database`)
	if (found === 0) warnings.push('the database is empty: the backup will hold nothing')
	return warnings
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
