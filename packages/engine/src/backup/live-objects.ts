import {
	type DefinedKind,
	isBackupError,
	type ObjectPart,
	type ProtoText,
	type SchemeObject,
	type SnapshotSource,
} from '@ydbackup/core'
import { yql } from '@ydbackup/format'

import type { Reporter } from '../events/reporter.ts'
import { reasonText } from '../events/reporter.ts'
import { runAll } from '../flow/run-all.ts'
import { printDefinition, readDefinition } from '../objects/definition-text.ts'
import type { BackupPlan, Note } from './backup-plan.ts'

const DESCRIBED_AT_ONCE = 8

/** An object with what makes it, as the repository keeps it. */
export interface LiveObject {
	readonly path: string
	readonly kind: DefinedKind
	readonly permissions: ProtoText
	/** The text of the file that makes it. */
	readonly text: string
	readonly parts: readonly ObjectPart[]
}

/** What a backup takes beside its snapshot: as it was when it was looked at, each at another moment. */
export interface LiveObjects {
	/** RFC 3339, by the client's clock: when the first was read. */
	readonly readAt: string
	/** In the order of their paths. */
	readonly objects: readonly LiveObject[]
	/** By the path of a table. */
	readonly changefeeds: ReadonlyMap<string, readonly ObjectPart[]>
	readonly notes: readonly Note[]
}

export interface ReadLiveOptions {
	readonly source: Pick<SnapshotSource, 'describe' | 'database'>
	readonly plan: Pick<BackupPlan, 'objects' | 'tables' | 'changefeeds'>
	readonly reporter: Reporter
	readonly now: () => Date
	/** Leave out with a note what may not be read, instead of failing. */
	readonly skipForbidden?: boolean | undefined
	readonly signal: AbortSignal | undefined
}

/**
 * Reads every chosen object that no snapshot holds, the changefeeds of the chosen tables, and what of these tables no snapshot can take. What is gone meanwhile, and what this
 * server or this version cannot tell, is left out with a note. Errors: those of the source, `DATABASE_PERMISSION` among them.
 */
export async function readLiveObjects(options: ReadLiveOptions): Promise<LiveObjects> {
	const { source, plan, reporter, signal, skipForbidden = false } = options
	const readAt = options.now().toISOString()
	const notes: Note[] = []
	const objects = new Map<string, LiveObject>()
	const changefeeds = new Map<string, readonly ObjectPart[]>()
	if (plan.objects.length > 0) reporter.phase('objects', `reading ${plan.objects.length} objects that are no tables`)
	await runAll(plan.objects, DESCRIBED_AT_ONCE, signal, async ({ path, kind, permissions }, stop) => {
		const found = await describe(path, kind, stop)
		const text = found && textOf(found, kind)
		if (found === undefined || text === undefined) return
		objects.set(path, { path, kind, permissions, text, parts: found.parts })
		for (const what of found.lacking) note(path, kind, `not taken with it: ${what}`)
	})
	await runAll(plan.tables, DESCRIBED_AT_ONCE, signal, async ({ path }, stop) => {
		const { parts = [], lacking = [] } = (await describe(path, 'row-table', stop)) ?? {}
		if (parts.length > 0 && plan.changefeeds) changefeeds.set(path, parts)
		for (const what of lacking) note(path, 'row-table', `not taken with it: ${what}`)
	})
	return {
		readAt,
		objects: plan.objects.flatMap(({ path }) => objects.get(path) ?? []),
		changefeeds,
		notes: notes.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)),
	}

	function note(path: string, kind: string, reason: string): void {
		notes.push({ path, kind, reason })
		reporter.warn(reason, path)
	}

	async function describe(
		path: string,
		kind: DefinedKind | 'row-table',
		stop: AbortSignal,
	): Promise<SchemeObject | undefined> {
		try {
			return await source.describe({ path, kind }, { signal: stop })
		} catch (error) {
			if (isBackupError(error, 'PATH_NOT_FOUND')) {
				if (kind !== 'row-table') note(path, kind, 'not taken: it was dropped while the backup ran')
			} else if (isBackupError(error, 'UNSUPPORTED') || (skipForbidden && isBackupError(error, 'DATABASE_PERMISSION')))
				note(path, kind, `${kind === 'row-table' ? 'its changefeeds were not' : 'not'} taken: ${reasonText(error)}`)
			else throw error
			return undefined
		}
	}

	/** A text that a restore could not use must be found now, not on the day of the restore. */
	function textOf({ path, definition }: SchemeObject, kind: DefinedKind): string | undefined {
		if (definition === undefined) return undefined
		const name = path.slice(path.lastIndexOf('/') + 1)
		try {
			const whole =
				kind === 'view' && definition.form === 'statements'
					? { ...definition, text: yql.viewStatement(name, definition.text, path) }
					: definition
			const text = printDefinition(whole, { database: source.database, root: source.database })
			readDefinition(Buffer.from(text), kind, path)
			return text
		} catch (error) {
			if (!isBackupError(error, 'FORMAT_INVALID')) throw error
			note(path, kind, `not taken: this version does not understand what makes it: ${reasonText(error)}`)
			return undefined
		}
	}
}
