import { BackupError, isBackupError, type ProtoText } from '@ydbackup/core'
import { parseProtoText } from '@ydbackup/format'

import { reasonText } from '../events/reporter.ts'
import { runAll } from '../flow/run-all.ts'
import { openPermissions, openScheme } from '../part/contents.ts'
import type { DirectoryWork, RestoreRun, TableWork } from './restore-run.ts'
import { storageNeeds, withoutPools, withoutStorage } from './storage-pools.ts'
import { splitPermissions } from './split-permissions.ts'
import { splitScheme } from './split-scheme.ts'

const CREATES_AT_ONCE = 4

/** Directories, parents first, each with its rights at once. Directories that were there keep theirs. */
export async function createDirectories(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	const { sink, reporter } = run
	const works = new Map(run.directories.map((work) => [work.target, work]))
	if (run.root !== undefined && run.options.noAcl !== true) await grant(run, '', run.root, signal)
	if (run.newDirectories.length > 0) reporter.phase('directories', `creating ${run.newDirectories.length} directories`)
	for (const target of run.newDirectories) {
		await sink.createDirectory(target, { signal })
		run.createdDirectories.push(target)
		const work = works.get(target)
		if (work !== undefined) await grant(run, target, directoryPermissions(work), signal)
	}
}

/** Tables without rows, indexes and TTL, each with its rights at once. */
export async function createTables(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	const tables = run.tables.filter((work) => !work.existed && work.stage === 'waiting')
	if (tables.length > 0) run.reporter.phase('tables', `creating ${tables.length} tables`)
	await runAll(tables, CREATES_AT_ONCE, signal, async (work, stop) => createTable(run, work, stop))
}

async function createTable(run: RestoreRun, work: TableWork, signal: AbortSignal): Promise<void> {
	const { create } = splitScheme(openScheme(work.stored).scheme)
	if (!work.isThere) {
		work.stage = 'creating'
		try {
			await createWhereverItFits(run, work.place, create, signal)
		} catch (error) {
			// Somebody else's table: it must not be taken for ours when the run is given up.
			if (isBackupError(error, 'PATH_EXISTS')) work.stage = 'waiting'
			throw error
		}
	}
	work.stage = 'created'
	await grant(run, work.place, openPermissions(work.stored), signal)
	await run.progress.created(run, work)
}

/** A cluster that lacks the backup's kinds of storage must not stand between people and their data: then its default serves. */
export async function createWhereverItFits(
	run: RestoreRun,
	target: string,
	create: ProtoText,
	signal: AbortSignal,
): Promise<void> {
	const wish = run.options.storageSettings ?? 'adapt'
	const first = wish === 'drop' ? withoutStorage(create) : create
	try {
		await run.sink.createTable(target, first, { signal })
	} catch (error) {
		if (wish !== 'adapt' || !isBackupError(error, 'DATABASE_REFUSED') || storageNeeds(create).length === 0) throw error
		const left = await createWithLess(run, target, create, signal)
		// It was not for the storage: the first answer is the one that says why.
		if (left === undefined) throw error
		addProblem(
			run,
			target,
			`it is on the default storage, without ${left}, because its own was refused: ${reasonText(error)}`,
		)
	}
}

/** With as many of its settings as the database takes. Gives what was left out; undefined when that does not help. */
async function createWithLess(
	{ sink }: RestoreRun,
	target: string,
	create: ProtoText,
	signal: AbortSignal,
): Promise<string | undefined> {
	for (const less of [withoutPools(create), withoutStorage(create)]) {
		if (less === undefined) continue
		try {
			await sink.createTable(target, less, { signal })
			const kept = new Set(storageNeeds(less))
			return storageNeeds(create)
				.filter((need) => !kept.has(need))
				.join(', ')
		} catch (error) {
			if (!isBackupError(error, 'DATABASE_REFUSED')) throw error
		}
	}
	return undefined
}

/** Gives an object its rights, but for the owner. */
export async function grant(
	run: RestoreRun,
	target: string,
	permissions: ProtoText,
	signal: AbortSignal | undefined,
): Promise<void> {
	if (run.options.noAcl === true) return
	const { grants, isClosed } = splitPermissions(permissions)
	if (grants.length === 0) return
	try {
		await run.sink.setPermissions(target, grants, { signal })
	} catch (error) {
		if (signal?.aborted === true) throw error
		if (isClosed) {
			throw new BackupError(
				'DATABASE_PERMISSION',
				`${target} would stand open: its rights could not be set: ${reasonText(error)}`,
				{
					advice: 'restore as a user who may set rights, or without rights (no-acl) to a place that is closed',
					cause: error,
				},
			)
		}
		addProblem(run, target, `its rights could not be set: ${reasonText(error)}`)
	}
}

/** Owners come last of all: with his ownership the restoring user may lose the right to do the rest. Children before parents. */
export async function changeOwners(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	if (run.options.noAcl === true) return
	const tables = run.tables.filter((work) => !work.existed)
	const directories = run.directories.filter((work) => !work.existed).toReversed()
	const objects = run.objects.filter((work) => work.stage === 'finished')
	if (tables.length + directories.length + objects.length > 0)
		run.reporter.phase('permissions', 'giving objects to their owners')
	await runAll(tables, CREATES_AT_ONCE, signal, async (work, stop) => {
		await changeOwner(run, work.target, openPermissions(work.stored), stop)
	})
	await runAll(objects, CREATES_AT_ONCE, signal, async (work, stop) => {
		await changeOwner(run, work.target, work.stored.permissions, stop)
	})
	for (const work of directories) await changeOwner(run, work.target, directoryPermissions(work), signal)
	if (run.root !== undefined) await changeOwner(run, '', run.root, signal)
}

async function changeOwner(
	run: RestoreRun,
	target: string,
	permissions: ProtoText,
	signal: AbortSignal | undefined,
): Promise<void> {
	const { owner } = splitPermissions(permissions)
	if (owner.length === 0) return
	try {
		await run.sink.setPermissions(target, owner, { signal })
	} catch (error) {
		if (signal?.aborted === true) throw error
		addProblem(run, target, `its owner could not be set: ${reasonText(error)}`)
	}
}

function directoryPermissions(work: DirectoryWork): ProtoText {
	return parseProtoText(work.stored.permissionsText, `objects.json (${work.stored.path})`)
}

/** Something that was not restored, although the rows are there. */
export function addProblem(run: RestoreRun, path: string, message: string): void {
	// A step that was cut off is begun again, and meets the same.
	if (run.problems.some((one) => one.path === path && one.message === message)) return
	run.problems.push({ path, message })
	run.reporter.warn(message, path)
}
