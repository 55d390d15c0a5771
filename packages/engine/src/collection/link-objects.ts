import { type CollectionSource, isBackupError, type SourceObject } from '@ydbackup/core'
import { yql } from '@ydbackup/format'

import type { Note, PlannedObject } from '../backup/backup-plan.ts'
import { type LiveObject, type LiveObjects, readLiveObjects } from '../backup/live-objects.ts'
import { ancestorsOf } from '../choose/object-path.ts'
import { reasonText, type Reporter } from '../events/reporter.ts'
import { collect } from '../flow/collect.ts'
import { readDefinition } from '../objects/definition-text.ts'

export interface LinkObjectsOptions {
	readonly source: Pick<CollectionSource, 'database' | 'list' | 'describe'>
	/** Paths of the link's tables that are in the database now. */
	readonly tables: readonly string[]
	readonly reporter: Reporter
	readonly now: () => Date
	readonly signal: AbortSignal | undefined
}

export interface LinkObjects {
	readonly objects: LiveObjects
	/** Those above the views. */
	readonly directories: readonly PlannedObject[]
}

/**
 * The changefeeds of a link's tables and the views over them, as they are now. What may not be seen is left out with a note: a link needs
 * rights on its tables alone. Errors: others of the source.
 */
export async function readLinkObjects({ source, tables, ...options }: LinkObjectsOptions): Promise<LinkObjects> {
	const { reporter, signal } = options
	const { found, notes } = await listAll(source, reporter, signal)
	const views = found.flatMap(({ path, kind, permissions }) => (kind === 'view' ? [{ path, kind, permissions }] : []))
	const plan = {
		objects: views,
		tables: tables.map((path) => ({ path, kind: 'row-table' as const, permissions: [] })),
		changefeeds: true,
	}
	const live = await readLiveObjects({ source, plan, skipForbidden: true, ...options })
	const objects = viewsOver(tables, live.objects, source.database)
	const above = new Set(objects.flatMap(({ path }) => ancestorsOf(path)))
	return {
		objects: { ...live, objects, notes: [...notes, ...live.notes] },
		directories: found.filter(({ path, kind }) => kind === 'directory' && above.has(path)),
	}
}

async function listAll(
	source: Pick<CollectionSource, 'list'>,
	reporter: Reporter,
	signal: AbortSignal | undefined,
): Promise<{ readonly found: readonly SourceObject[]; readonly notes: readonly Note[] }> {
	try {
		return { found: await collect(source.list({ signal })), notes: [] }
	} catch (error) {
		if (!isBackupError(error, 'DATABASE_PERMISSION')) throw error
		const reason = `views over the tables were not looked for: ${reasonText(error)}`
		reporter.warn(reason)
		return { found: [], notes: [{ path: '', kind: 'view', reason }] }
	}
}

/** The views that read one of the tables, or a view that does. */
export function viewsOver(
	tables: readonly string[],
	views: readonly LiveObject[],
	database: string,
): readonly LiveObject[] {
	const reads = new Map(views.map((view) => [view.path, pathsRead(view, database)]))
	const reached = new Set(tables.map((path) => `${database}/${path}`))
	for (let before = 0; before !== reached.size;) {
		before = reached.size
		for (const [path, used] of reads) if (used.some((one) => reached.has(one))) reached.add(`${database}/${path}`)
	}
	return views.filter(({ path }) => reached.has(`${database}/${path}`))
}

function pathsRead({ path, kind, text }: LiveObject, database: string): string[] {
	const { definition } = readDefinition(Buffer.from(text), kind, path)
	return definition.form === 'statements'
		? yql.pathsUsed(yql.readCreateStatement(definition.text, kind as 'view', path), database)
		: []
}
