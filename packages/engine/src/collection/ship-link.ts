import { BackupError, type CollectionLink, isBackupError, type ObjectKind, throwIfInterrupted } from '@ydbackup/core'
import { type Manifest, parseCompression } from '@ydbackup/format'

import { abandonRun } from '../backup/abandon-run.ts'
import type { BackupPlan, PlannedObject } from '../backup/backup-plan.ts'
import { type BackupRun, createRun, type CreateRunOptions, type Increment } from '../backup/backup-run.ts'
import { writeBackup } from '../backup/write-backup.ts'
import { ancestorsOf, comparePaths } from '../choose/object-path.ts'
import type { OpenedBackup } from '../encryption/open-backup.ts'
import type { Seal } from '../encryption/seal.ts'
import type { Reporter } from '../events/reporter.ts'
import { chooseConcurrency } from '../flow/concurrency.ts'
import { sleep } from '../flow/sleep.ts'
import { changeSnapshot, checkMembers, directorySnapshot, readLive } from './collection-link.ts'
import { runsOfThisProcess } from './dead-runs.ts'
import { readLinkObjects } from './link-objects.ts'
import type { ShipOptions } from './ship-options.ts'
import { isShippedSince, parentTables } from './shipped-links.ts'

/** What a link builds upon: the one before it, the last of `ancestors`; nothing for a full backup. */
export interface LinkBase {
	readonly parent: OpenedBackup | undefined
	readonly ancestors: readonly string[]
}

/**
 * Ships one link: a backup of its own, in the native layout of the link's directory. With a `seal`, it is encrypted. Errors: `CHAIN_BROKEN` and others that speak of the link; those of the source and of the store. After an error nothing of it is
 * left, as far as the store allows.
 */
export async function shipLink(
	options: ShipOptions,
	reporter: Reporter,
	link: CollectionLink,
	{ parent, ancestors }: LinkBase,
	seal: Seal | undefined,
): Promise<Manifest> {
	const { source, repository, signal } = options
	const { tables, indexChanges } = await source.contents(link, { signal })
	if (tables.length === 0) throw empty(link)
	const parents = parent && (await parentTables(repository.storage, parent, { signal }))
	const paths = tables.map(({ path }) => path)
	if (parents !== undefined) checkMembers(link, paths, parents.keys())

	const readAt = (options.clock?.() ?? new Date()).toISOString()
	const above = Array.from(new Set(paths.flatMap((path) => ancestorsOf(path)))).toSorted(comparePaths)
	const live = await readLive(source, [...above, ...paths], { signal })
	for (const path of paths) {
		if (live.has(path)) continue
		reporter.warn(
			`the table is not in the database any more: ${link.name} has its rows, without owner and grants`,
			path,
		)
	}
	const { objects, directories } = await readLinkObjects({
		source,
		tables: paths.filter((path) => live.get(path)?.table !== undefined),
		reporter,
		now: () => new Date(readAt),
		signal,
	})
	const planned = (path: string, kind: ObjectKind): PlannedObject => ({
		path,
		kind,
		permissions: live.get(path)?.permissions ?? [],
	})
	const extras = parent === undefined ? [] : indexChanges
	const ofIndexes = new Set(extras.map(({ path }) => path))
	const plan: BackupPlan = {
		paths: [],
		tables: [...tables, ...extras].map(({ path }) => planned(path, 'row-table')),
		directories: [
			...above.filter((path) => live.has(path)).map((path) => planned(path, 'directory')),
			...directories.filter(({ path }) => !above.includes(path)),
		].toSorted((a, b) => comparePaths(a.path, b.path)),
		changefeeds: false,
		objects: [],
		notes: [],
		warnings: [],
	}
	const increment: Increment | undefined = parent &&
		parents && {
			parent: parent.manifest,
			ancestors,
			open: (snapshot) => changeSnapshot(snapshot, parents, live, ofIndexes),
		}
	const known = new Set(await repository.ids({ signal }))
	const beforeCommit = async (): Promise<void> => {
		const of = { database: source.database, name: source.name, link: link.name }
		if (await isShippedSince(repository, of, known, { signal })) throw alreadyShipped(link)
	}
	const collection = { name: source.name, link: link.name, schemesReadAt: readAt }
	const run = await newRun(options, reporter, { increment, collection, beforeCommit, seal })
	runsOfThisProcess.add(run.id)
	try {
		run.snapshot = directorySnapshot(source, link, [...tables, ...extras])
		run.live = objects
		const { manifest } = await writeBackup(run, plan)
		await run.end()
		return manifest!
	} catch (error) {
		throw await abandonRun(run, error)
	} finally {
		await run.lease.release()
		runsOfThisProcess.delete(run.id)
	}
}

const TRIES = 3
const SECOND_MS = 1_100

/** Links of few rows follow each other within a second, in which ids may run out. */
async function newRun(
	{ source, clock, ...options }: ShipOptions,
	reporter: Reporter,
	parts: Required<Pick<CreateRunOptions, 'increment' | 'collection' | 'beforeCommit' | 'seal'>>,
): Promise<BackupRun> {
	const doing = `shipping ${parts.collection?.link}`
	for (let at = 1; ; at++) {
		throwIfInterrupted(options.signal, doing)
		try {
			return await createRun({
				options: { ...options, clock, source: { database: source.database }, discardOnInterrupt: true },
				reporter,
				compression: parseCompression(options.compression ?? 'zstd-1'),
				concurrency: chooseConcurrency(options.concurrency, options.repository.storage),
				...parts,
			})
		} catch (error) {
			const isFull = isBackupError(error, 'BACKUP_ID_CONFLICT') && error.reason !== 'clock'
			if (!isFull || at === TRIES) throw error
			await sleep(SECOND_MS, options.signal, doing)
		}
	}
}

function alreadyShipped({ name }: CollectionLink): BackupError {
	return new BackupError('BACKUP_ID_CONFLICT', `another run has shipped ${name} meanwhile`, {
		retry: 'later',
		advice: 'let one run at a time ship a collection; what the other one shipped is in the repository',
	})
}

function empty(link: CollectionLink): BackupError {
	return new BackupError('CHAIN_BROKEN', `${link.name} holds no table`, {
		reason: 'gap',
		advice: 'somebody removed its tables, or they are still to come; take a full backup of the collection',
	})
}
