import {
	type Accounts,
	BackupError,
	interruption,
	isBackupError,
	type ProtoText,
	type SourceObject,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { type Compression, parseProtoText } from '@ydbackup/format'

import {
	type AccountWork,
	changeDatabaseOwner,
	openAccountWork,
	restoreAccounts,
} from '../accounts/restore-accounts.ts'
import type { Note } from '../backup/backup-plan.ts'
import type { ChainTable } from '../chain/open-chain.ts'
import { ancestorsOf, comparePaths } from '../choose/object-path.ts'
import type { PathMapping } from '../choose/path-mapping.ts'
import { createMeter } from '../events/meter.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { type StallWatch, watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency, mergeConcurrency } from '../flow/concurrency.ts'
import { isColumnTable } from '../part/column-table.ts'
import { openScheme, type StoredDirectory } from '../part/contents.ts'
import type { StoredObject } from '../part/stored-object.ts'
import { checkSecrets } from './check-secrets.ts'
import { checkExistingTables, checkTargets } from './check-targets.ts'
import { countExpired, warnOfAge } from './count-expired.ts'
import { checkTies, type TiedTable, warnOfRivals } from './check-ties.ts'
import { changeOwners, createDirectories, createTables } from './create-objects.ts'
import { finishTables, switchTtlOn } from './finish-tables.ts'
import { giveUp } from './give-up.ts'
import { orderObjects, planObject } from './order-objects.ts'
import { addChangefeeds, createObjects } from './restore-objects.ts'
import type { Problem, RestoreOutcome, RestoreSettings } from './restore-options.ts'
import type { RestoreChoice, RestoreItem } from './restore-plan.ts'
import { createReplacement, replacementStamp } from './replacement.ts'
import { assertReplaceable, dropFormer, nameLeftovers, swapTables } from './replace-tables.ts'
import { resultOf } from './restore-result.ts'
import type { DirectoryWork, ObjectWork, RestoreRun, TableWork } from './restore-run.ts'
import { writeRows } from './write-rows.ts'

const STALL_LIMIT_MS = 30 * 60_000

/** What is to be restored, checked as far as it can be without the target, from wherever it comes. */
export interface Contents {
	/** The backup, for messages. */
	readonly title: string
	readonly storage: Storage
	/** Of files that do not say their own. */
	readonly compression: Compression
	/** How many backups each row may be put together from. */
	readonly backups: number
	readonly choice: RestoreChoice
	/** All that `choice` has, at least. */
	readonly tables: readonly ChainTable[]
	readonly directories: readonly StoredDirectory[]
	/** All that `choice` has, at least. */
	readonly objects: readonly StoredObject[]
	/** What statements are rewritten by: the database that they are from, and where its paths go. */
	readonly source: { readonly database: string; readonly mapping: PathMapping }
	/** Undefined when it has none. */
	readonly accounts?: Accounts | undefined
	/** Ids of the keys that opened it. */
	readonly keysUsed: readonly string[]
	readonly notes: readonly Note[]
	/** RFC 3339: when the rows were as they are. Undefined when the files do not say it. */
	readonly takenAt?: string | undefined
	/** What is there and will not be restored. */
	readonly problems: readonly Problem[]
	/** Brings tables and rows back in another way than by writing them. */
	readonly fill?: ((run: RestoreRun, stalls: StallWatch) => Promise<void>) | undefined
	/** `fill` brings back also what comes after rows: indexes, sequences, settings, TTLs. */
	readonly fillsAll?: boolean | undefined
}

/** Restores what `open` gives: the way that every restore goes. */
export async function restoreContents(
	options: RestoreSettings,
	title: string,
	open: (reporter: Reporter) => Promise<Contents>,
): Promise<RestoreOutcome> {
	const startedAt = performance.now()
	const { sink, signal } = options
	if (options.schemeOnly === true && options.dataOnly === true) {
		throw new BackupError('CONFIG_INVALID', 'a restore of schemes only and of rows only restores nothing', {
			advice: 'keep one of the two',
		})
	}
	assertReplaceable(options)
	const reporter = createReporter(options.onEvent)
	try {
		throwIfInterrupted(signal, 'starting the restore')
		const contents = await open(reporter)
		for (const { path, message } of contents.problems) reporter.warn(message, path)
		reporter.phase('check', `looking at the target ${sink.database}`)
		const found = await checkTargets(sink, contents.choice, columnTablesOf(contents), options)
		const accounts = await openAccountWork(contents.title, contents.accounts, options)
		const run = createRun(options, contents, found, accounts, reporter)
		const existing = run.tables.filter((work) => work.existed)
		await checkExistingTables(sink, existing, options, reporter.warn)
		await checkTies(
			sink,
			run.tables.flatMap((work) => tiedTable(work, found)),
			options,
			reporter.warn,
		)
		warnOfRivals(run.objects, contents.source.database !== sink.database, reporter.warn)
		await checkSecrets(run)
		await nameLeftovers(run)
		throwIfInterrupted(signal, 'checking the target')
		if (options.dryRun === true) await look(run)
		else {
			warnOfAge(run, contents.takenAt)
			await write(run, contents)
		}
		return resultOf(run, Math.round(performance.now() - startedAt))
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `restoring ${title}`)
		throw error
	}
}

function createRun(
	options: RestoreSettings,
	contents: Contents,
	found: ReadonlyMap<string, SourceObject>,
	accounts: AccountWork | undefined,
	reporter: Reporter,
): RestoreRun {
	const { storage, choice } = contents
	const stored = new Map(contents.tables.map((table) => [table.stored.path, table]))
	const rights = new Map(contents.directories.map((directory) => [directory.path, directory]))
	const stamp = replacementStamp(new Date(), Math.random())
	const tables = choice.tables.map(({ path, target }, number): TableWork => {
		const table = stored.get(path)
		if (table === undefined) throw new BackupError('INTERNAL', `${path} was checked and is not there`)
		const isReplaced = options.existing === 'replace' && found.has(target)
		const replaces = isReplaced ? createReplacement(target, stamp, number) : undefined
		return {
			stored: table.stored,
			chain: table,
			target,
			place: replaces?.staging ?? target,
			existed: found.has(target) && replaces === undefined,
			replaces,
			expected: { rows: table.stored.rows, rowHash: table.stored.rowHash },
			stage: 'waiting',
			createdParts: [],
			isCompared: false,
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
	}
}

function tiedTable({ target, existed, replaces }: TableWork, found: ReadonlyMap<string, SourceObject>): TiedTable[] {
	if (!existed && replaces === undefined) return []
	const isColumnTable = found.get(target)?.kind === 'column-table'
	return [{ target, isReplaced: replaces !== undefined, isColumnTable }]
}

function columnTablesOf({ tables }: Contents): Set<string> {
	return new Set(
		tables.filter(({ stored }) => isColumnTable(openScheme(stored).scheme)).map(({ stored }) => stored.path),
	)
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
		return { stored: object, planned: each, target, existed: found.has(target), stage: 'waiting', createdParts: [] }
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

/** What a dry run does beyond the checks. */
async function look(run: RestoreRun): Promise<void> {
	const { options, meter, reporter } = run
	if (options.schemeOnly === true) return
	using stalls = watchStalls({
		signal: options.signal,
		meter,
		emit: reporter.emit,
		limitMs: options.stallLimitMs ?? STALL_LIMIT_MS,
	})
	await countExpired(run, stalls)
}

async function write(run: RestoreRun, { fill, fillsAll }: Pick<Contents, 'fill' | 'fillsAll'>): Promise<void> {
	const { options, meter, reporter } = run
	const { signal } = options
	const hasRows = options.schemeOnly !== true
	const isCounted = run.tables.every((work) => work.stored.foreign === undefined)
	meter.expect({
		rows: isCounted ? run.tables.reduce((sum, work) => sum + work.stored.rows, 0) : undefined,
		bytes: run.tables.reduce((sum, work) => sum + work.stored.plainBytes, 0),
	})
	try {
		await restoreAccounts(run, signal)
		if (options.dataOnly !== true && fill === undefined) {
			await createDirectories(run, signal)
			await createTables(run, signal)
		}
		if (hasRows) {
			using stalls = watchStalls({
				signal,
				meter,
				emit: reporter.emit,
				limitMs: options.stallLimitMs ?? STALL_LIMIT_MS,
			})
			await (fill ?? writeRows)(run, stalls)
		} else {
			for (const work of run.tables) work.stage = 'filled'
		}
		if (fillsAll !== true) await finishTables(run, signal)
		await swapTables(run, signal)
		// The cluster's import brings them with their tables.
		if (fillsAll === true)
			for (const work of run.tables) work.createdParts.push(...work.stored.changefeeds.map(({ name }) => name))
		else await addChangefeeds(run, signal)
		if (options.dataOnly !== true) await createObjects(run, signal)
		if (fillsAll !== true) await switchTtlOn(run, signal)
		await changeOwners(run, signal)
		await dropFormer(run, signal)
		await changeDatabaseOwner(run, signal)
		for (const work of run.tables) work.stage = 'finished'
	} catch (error) {
		throw await giveUp(run, error)
	}
}
