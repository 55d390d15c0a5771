import { readChain } from '@ydbackup/catalog'
import { BackupError, interruption, isBackupError, throwIfInterrupted, type SourceObject } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import { openChain, type OpenedChain } from '../chain/open-chain.ts'
import { ancestorsOf, comparePaths } from '../choose/object-path.ts'
import { createMapping } from '../choose/path-mapping.ts'
import { createSelection } from '../choose/selection.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { type OpenedBackup, openBackups } from '../encryption/open-backup.ts'
import { createMeter } from '../events/meter.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency, mergeConcurrency } from '../flow/concurrency.ts'
import { errorOf } from '../part/finding.ts'
import { checkExistingTables, checkTargets } from './check-targets.ts'
import { changeOwners, createDirectories, createTables } from './create-objects.ts'
import { finishTables, switchTtlOn } from './finish-tables.ts'
import { giveUp } from './give-up.ts'
import type { RestoreOptions, RestoreResult } from './restore-options.ts'
import { chooseRestore, type RestoreChoice, type RestoreItem } from './restore-plan.ts'
import { resultOf } from './restore-result.ts'
import type { DirectoryWork, RestoreRun, TableWork } from './restore-run.ts'
import { writeRows } from './write-rows.ts'

const STALL_LIMIT_MS = 30 * 60_000

/**
 * Restores a backup, or what is chosen of it: directories with their rights, tables, rows (counted, and compared where asked),
 * indexes, sequences, partitioning, TTL, owners, in this order. Everything is checked before anything is written: the backup's
 * files, and that nothing is in the way.
 *
 * After a failure or a stop, tables that this run created and that are not complete are dropped, everything else stays, and the
 * error's advice names both. Errors: `BACKUP_NOT_FOUND`, `PATH_EXISTS`, `PATH_NOT_FOUND`, `OBJECT_MISSING`, `OBJECT_DAMAGED`,
 * `MANIFEST_INVALID`, `CHAIN_BROKEN`, `COUNT_MISMATCH`, `DATA_MISMATCH`, `INTERRUPTED`, `CONFIG_INVALID`, `KEY_REQUIRED`, `KEY_WRONG`, `KEY_UNAVAILABLE`, and those of the sink and of the store.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
	const startedAt = performance.now()
	const { repository, sink, signal } = options
	if (options.schemeOnly === true && options.dataOnly === true) {
		throw new BackupError('CONFIG_INVALID', 'a restore of schemes only and of rows only restores nothing', {
			advice: 'keep one of the two',
		})
	}
	const reporter = createReporter(options.onEvent)
	try {
		throwIfInterrupted(signal, 'starting the restore')
		const keyring = createKeyring(options.keys ?? [], signal)
		const stored = await readChain(repository, options.id, { signal })
		const backups = await openBackups(repository.storage, stored, keyring, signal)
		const { manifest } = backups.at(-1)!
		if (!keyring.isEmpty && manifest.encryption === undefined) {
			reporter.warn(`${manifest.id} is not encrypted, although a key is given: nothing proves who made it`)
		}
		const source = manifest.source.database
		const selection = createSelection({ include: options.include, exclude: options.exclude }, source)
		const choice = chooseRestore(manifest, selection, createMapping(options, source, sink.database))
		for (const warning of choice.warnings) reporter.warn(warning)

		const chain = await checkBackup(backups, choice, options, reporter)
		reporter.phase('check', `looking at the target ${sink.database}`)
		const found = await checkTargets(sink, choice, options)
		const run = createRun({ options, manifest, choice, chain, found, reporter })
		await checkExistingTables(
			sink,
			run.tables.filter((work) => work.existed),
			options,
			reporter.warn,
		)
		throwIfInterrupted(signal, 'checking the target')
		if (options.dryRun !== true) await write(run)
		return resultOf(run, Math.round(performance.now() - startedAt))
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `restoring ${options.id}`)
		throw error
	}
}

async function checkBackup(
	backups: readonly OpenedBackup[],
	choice: RestoreChoice,
	options: RestoreOptions,
	reporter: Reporter,
): Promise<OpenedChain> {
	const { storage } = options.repository
	const { id } = backups.at(-1)!.manifest
	const others = backups.length > 1 ? ` and the ${backups.length - 1} that it builds upon` : ''
	reporter.phase('check', `looking at the objects of ${id}${others}`)
	const chain = await openChain({
		storage,
		backups,
		tables: new Set(choice.tables.flatMap((item) => item.prefix ?? [])),
		level: 'contents',
		signal: options.signal,
	})
	const fatal = chain.findings.filter((finding) => finding.severity === 'data' || options.acceptNativeDamage !== true)
	if (fatal.length > 0) throw errorOf(fatal, id)
	for (const finding of chain.findings) reporter.warn(finding.message, finding.path)
	return chain
}

interface Ingredients {
	readonly options: RestoreOptions
	readonly manifest: Manifest
	readonly choice: RestoreChoice
	readonly chain: OpenedChain
	readonly found: ReadonlyMap<string, SourceObject>
	readonly reporter: Reporter
}

function createRun({ options, manifest, choice, chain, found, reporter }: Ingredients): RestoreRun {
	const { storage } = options.repository
	const stored = new Map(chain.tables.map((table) => [table.stored.path, table]))
	const rights = new Map(chain.directories.map((directory) => [directory.path, directory]))
	const tables = choice.tables.map(({ path, target }): TableWork => {
		const table = stored.get(path)
		if (table === undefined) throw new BackupError('INTERNAL', `${path} was checked and is not there`)
		return {
			stored: table.stored,
			chain: table,
			target,
			existed: found.has(target),
			stage: 'waiting',
			isCompared: false,
		}
	})
	const directories = (options.dataOnly === true ? [] : firstOf(choice.directories)).map(
		({ path, target }): DirectoryWork => {
			const directory = rights.get(path) ?? { path, permissionsText: '' }
			return { stored: directory, target, existed: found.has(target) }
		},
	)
	const wanted = new Set(directories.map((work) => work.target))
	for (const { target } of [...directories, ...tables]) for (const path of ancestorsOf(target)) wanted.add(path)
	return {
		options,
		sink: options.sink,
		storage,
		manifest,
		manifests: chain.manifests,
		reporter,
		meter: createMeter(reporter.emit, tables.length),
		concurrency: mergeConcurrency(chooseConcurrency(options.concurrency, storage), chain.manifests.length),
		tables: tables.toSorted((a, b) => b.stored.plainBytes - a.stored.plainBytes),
		directories,
		newDirectories: Array.from(wanted)
			.filter((path) => !found.has(path))
			.toSorted(comparePaths),
		createdDirectories: [],
		problems: [],
	}
}

/** Where two directories fall together the first one's rights count. */
function firstOf(directories: readonly RestoreItem[]): RestoreItem[] {
	return Array.from(Map.groupBy(directories, (item) => item.target).values(), ([first]) => first).filter(
		(item) => item !== undefined,
	)
}

async function write(run: RestoreRun): Promise<void> {
	const { options, meter, reporter } = run
	const { signal } = options
	const hasRows = options.schemeOnly !== true
	meter.expect({
		rows: run.tables.reduce((sum, work) => sum + work.stored.rows, 0),
		bytes: run.tables.reduce((sum, work) => sum + work.stored.plainBytes, 0),
	})
	try {
		if (options.dataOnly !== true) {
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
			await writeRows(run, stalls)
		} else {
			for (const work of run.tables) work.stage = 'filled'
		}
		await finishTables(run, signal)
		await switchTtlOn(run, signal)
		await changeOwners(run, signal)
		for (const work of run.tables) work.stage = 'finished'
	} catch (error) {
		throw await giveUp(run, error)
	}
}
