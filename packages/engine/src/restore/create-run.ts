import { BackupError, type ProtoText, type SourceObject } from '@ydbackup/core'
import { parseProtoText } from '@ydbackup/format'

import type { AccountWork } from '../accounts/restore-accounts.ts'
import { UNNOTED } from '../checkpoint/progress.ts'
import { ancestorsOf, comparePaths } from '../choose/object-path.ts'
import { createMeter } from '../events/meter.ts'
import type { Reporter } from '../events/reporter.ts'
import { chooseConcurrency, mergeConcurrency } from '../flow/concurrency.ts'
import type { StoredDirectory } from '../part/contents.ts'
import type { Notes } from '../checkpoint/notes.ts'
import type { Contents } from './contents.ts'
import { orderObjects, planObject } from './order-objects.ts'
import { createReplacement } from './replacement.ts'
import type { RestoreSettings } from './restore-options.ts'
import type { RestoreItem } from './restore-plan.ts'
import type { DirectoryWork, ObjectWork, RestoreRun, TableWork } from './restore-run.ts'

export interface CreateRunOptions {
	readonly options: RestoreSettings
	readonly contents: Contents
	/** What stood in the target when the run began. */
	readonly found: ReadonlyMap<string, SourceObject>
	readonly accounts: AccountWork | undefined
	/** Tells the names of this run from those of any other. */
	readonly stamp: string
	/** Of the process that began it. */
	readonly left: Notes | undefined
	readonly reporter: Reporter
}

export function createRun({ options, contents, found, accounts, stamp, left, reporter }: CreateRunOptions): RestoreRun {
	const { storage, choice } = contents
	const stored = new Map(contents.tables.map((table) => [table.stored.path, table]))
	const rights = new Map(contents.directories.map((directory) => [directory.path, directory]))
	const tables = choice.tables.map(({ path, target }, number): TableWork => {
		const table = stored.get(path)
		if (table === undefined) throw new BackupError('INTERNAL', `${path} was checked and is not there`)
		const isReplaced = options.existing === 'replace' && found.has(target)
		const { staging, aside } = left?.tables.get(target) ?? {}
		const replaces = !isReplaced
			? undefined
			: staging !== undefined && aside !== undefined
				? { staging, aside, state: 'staged' as const }
				: createReplacement(target, stamp, number)
		return {
			stored: table.stored,
			chain: table,
			target,
			place: replaces?.staging ?? target,
			existed: found.has(target) && replaces === undefined,
			replaces,
			expected: { rows: table.stored.rows, rowHash: table.stored.rowHash },
			stage: 'waiting',
			isThere: false,
			identity: replaces === undefined ? found.get(target)?.identity : undefined,
			createdParts: [],
			isCompared: false,
			reached: undefined,
			read: new Map(),
		}
	})
	const directories = (options.dataOnly === true ? [] : firstOf(choice.directories)).map(
		({ path, target }): DirectoryWork => {
			const directory = rights.get(path) ?? { path, permissionsText: '' }
			return { stored: directory, target, existed: found.has(target) }
		},
	)
	const objects = options.dataOnly === true ? [] : planObjects(options, contents, found)
	const wanted = new Set(directories.map((work) => work.target))
	for (const { target } of [...directories, ...tables, ...objects])
		for (const path of ancestorsOf(target)) wanted.add(path)
	return {
		options,
		sink: options.sink,
		storage,
		title: contents.title,
		compression: contents.compression,
		keysUsed: contents.keysUsed,
		notes: contents.notes,
		accounts,
		reporter,
		meter: createMeter(reporter.emit, tables.length),
		concurrency: mergeConcurrency(chooseConcurrency(options.concurrency, storage), contents.backups),
		tables: tables.toSorted((a, b) => b.stored.plainBytes - a.stored.plainBytes),
		directories,
		objects,
		withChangefeeds: choice.changefeeds,
		root: rootRights(options, rights.get('')),
		newDirectories: Array.from(wanted)
			.filter((path) => !found.has(path))
			.toSorted(comparePaths),
		createdDirectories: [],
		problems: [...contents.problems],
		progress: UNNOTED,
	}
}

/** Objects as they will be created, in that order. Errors: `FORMAT_INVALID` naming the file of one. */
function planObjects(
	{ sink: { database } }: RestoreSettings,
	{ choice, objects, source }: Contents,
	found: ReadonlyMap<string, SourceObject>,
): ObjectWork[] {
	const stored = new Map(objects.map((object) => [object.path, object]))
	const restored = new Set([...choice.tables, ...choice.objects].map(({ path }) => path))
	const places = { source: source.database, database, mapping: source.mapping, restored }
	const planned = choice.objects.map(({ path, target }) => {
		const object = stored.get(path)
		if (object === undefined) throw new BackupError('INTERNAL', `${path} was checked and is not there`)
		return planObject(object, target, places)
	})
	return orderObjects(planned).map((each): ObjectWork => {
		const { stored: object, target } = each
		return {
			stored: object,
			planned: each,
			target,
			existed: found.has(target),
			stage: 'waiting',
			isThere: false,
			createdParts: [],
		}
	})
}

/** What the database itself gets, where that is asked for. Errors: `CONFIG_INVALID` when the backup has it not. */
function rootRights({ rootAcl }: RestoreSettings, stored: StoredDirectory | undefined): ProtoText | undefined {
	if (rootAcl !== true) return undefined
	if (stored !== undefined) return parseProtoText(stored.permissionsText, 'the rights of the database')
	throw new BackupError('CONFIG_INVALID', 'the backup has no owner and grants of the database itself', {
		advice: 'only backups of a whole database have them: leave root-acl out, or restore another backup',
	})
}

/** Where two directories fall together the first one's rights count. */
function firstOf(directories: readonly RestoreItem[]): RestoreItem[] {
	return Array.from(Map.groupBy(directories, (item) => item.target).values(), ([first]) => first).filter(
		(item) => item !== undefined,
	)
}
