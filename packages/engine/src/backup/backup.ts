import { type Accounts, interruption, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import { type Compression, parseCompression } from '@ydbackup/format'

import { linkSnapshot } from '../chain/link-snapshot.ts'
import type { OpenedChain } from '../chain/open-chain.ts'
import { dropKeptCopy, openParentCopy } from '../chain/parent-copy.ts'
import { createKindFilter } from '../choose/kind-filter.ts'
import { createSelection } from '../choose/selection.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { keysOf } from '../encryption/open-backup.ts'
import { openSeals } from '../encryption/open-seal.ts'
import { encryptionOf, type Seal } from '../encryption/seal.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { collect } from '../flow/collect.ts'
import { chooseConcurrency } from '../flow/concurrency.ts'
import { type BackupPlan, planBackup } from './backup-plan.ts'
import type { BackupOptions, BackupResult } from './backup-options.ts'
import type { RunRequest } from '../resume/journal-files.ts'
import { createRun, type Increment } from './backup-run.ts'
import { abandonRun } from './abandon-run.ts'
import { readLiveObjects } from './live-objects.ts'
import { openParent } from './open-parent.ts'
import { dropsUselessCopy, settleCopies } from './settle-copies.ts'
import { takeSnapshot } from './take-snapshot.ts'
import { countsOf, writeBackup } from './write-backup.ts'

/**
 * Takes a backup, full or of what changed since a `parent`: one consistent snapshot of the chosen tables, every partition streamed to storage, everything read back,
 * and the manifest last. It resolves when the backup is listed; a run that throws has left nothing that is.
 *
 * When stopped by `signal` it throws `INTERRUPTED` and keeps copies and objects (unless `discardOnInterrupt`); after any other
 * failure copies and objects are removed. What could not be removed stands in a warning. Errors: those of the source and of the
 * store, `PATH_NOT_FOUND`, `CONFIG_INVALID`, `COUNT_MISMATCH`, `OBJECT_MISSING`, `OBJECT_DAMAGED`, `BACKUP_ID_CONFLICT`,
 * `BACKUP_NOT_FOUND` and `CHAIN_BROKEN` for the parent; `KEY_WRONG`, `KEY_REQUIRED`, `KEY_UNAVAILABLE` before anything is written.
 */
export async function backup(asked: BackupOptions): Promise<BackupResult> {
	const startedAt = performance.now()
	const reporter = createReporter(asked.onEvent)
	const keyring = createKeyring(asked.encryption?.keys ?? [], asked.signal)
	const seal = (await openSeals(asked.encryption, keyring, asked.signal))?.()
	const { parent, options } = await openParent(asked, keyring, reporter)
	const compression = parseCompression(options.compression ?? 'zstd-1')
	const concurrency = chooseConcurrency(options.concurrency, options.repository.storage)
	const isDry = options.dryRun === true
	const [plan, increment] = await Promise.all([
		makePlan(options, reporter),
		parent && !isDry ? incrementOf(parent, options, reporter) : undefined,
	])
	const accounts = await options.accounts?.read({ signal: options.signal })
	if (accounts && seal === undefined) reporter.warn('it will hold hashes of passwords, and it is not encrypted')
	if (isDry) return await dryResult(options, plan, { seal, accounts, reporter, startedAt })

	const run = await createRun({
		options,
		reporter,
		compression,
		concurrency,
		seal,
		accounts,
		increment,
	})
	try {
		const { source, signal } = options
		await run.journal?.request(requestOf(options, compression, seal, parent?.manifests.at(-1)?.id))
		const taken = await takeSnapshot(run, source, plan, () => makePlan(options, reporter))
		if (run.snapshot?.copies !== undefined) await run.journal?.snapshot(taken, run.snapshot)
		run.live = await readLiveObjects({ source, plan: taken, reporter, now: run.now, signal })
		const result = await writeBackup(run, taken)
		await settleCopies(run, result.keptCopy !== undefined)
		return { ...result, warnings: reporter.warnings, elapsedMs: Math.round(performance.now() - startedAt) }
	} catch (error) {
		const failure = await abandonRun(run, error)
		if (!(await dropsUselessCopy(run, failure))) throw failure
	} finally {
		await run.lease.release()
	}
	// There is no copy any more: the second time, the parent is read from the repository.
	const { warnings, ...result } = await backup(asked)
	return {
		...result,
		warnings: [...reporter.warnings, ...warnings],
		elapsedMs: Math.round(performance.now() - startedAt),
	}
}

/** What changed since a chain ended, found by comparing rows. */
export async function incrementOf(
	parent: OpenedChain,
	{ source, repository: { storage, header }, signal }: Pick<BackupOptions, 'source' | 'repository' | 'signal'>,
	reporter: Reporter,
): Promise<Increment> {
	const copy = await openParentCopy(parent, { source, header, reporter, signal })
	const last = parent.manifests.at(-1)!
	return {
		parent: last,
		ancestors: parent.manifests.map(({ id }) => id),
		keysUsed: keysOf(parent.manifests),
		dropCopy: last.keptCopy === true ? (by) => dropKeptCopy(source, header, last, { signal: by }) : undefined,
		open: (snapshot, touch) => linkSnapshot({ snapshot, parent, storage, copy, touch }),
	}
}

function requestOf(
	{ paths = [], include = [], exclude = [], labels = {}, countRows = true, keepCopy = false, ...rest }: BackupOptions,
	compression: Compression,
	seal: Seal | undefined,
	parent: string | undefined,
): RunRequest {
	const { kinds, excludeKinds, accounts } = rest
	return {
		parent,
		paths,
		include,
		exclude,
		kinds,
		excludeKinds,
		accounts: accounts !== undefined,
		labels,
		compression,
		countRows,
		keepCopy,
		algorithm: seal?.algorithm,
	}
}

export async function makePlan(
	options: Pick<
		BackupOptions,
		'source' | 'paths' | 'include' | 'exclude' | 'kinds' | 'excludeKinds' | 'parent' | 'signal'
	>,
	reporter: Reporter,
): Promise<BackupPlan> {
	const { source, signal } = options
	throwIfInterrupted(signal, 'starting the backup')
	reporter.phase('list', `listing ${source.database}`)
	const selection = createSelection(options, source.database)
	const kinds = createKindFilter(options)
	try {
		const [objects, root] = await Promise.all([collect(source.list({ signal })), source.root({ signal })])
		throwIfInterrupted(signal, 'listing the database')
		const plan = planBackup(objects, selection, kinds, root, options.parent !== undefined)
		for (const warning of plan.warnings) reporter.warn(warning)
		for (const note of plan.notes) reporter.warn(`not in the backup: ${note.reason}`, note.path)
		return plan
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, 'listing the database')
		throw error
	}
}

interface DryFacts {
	readonly seal: Pick<Seal, 'key' | 'algorithm'> | undefined
	readonly accounts: Accounts | undefined
	readonly reporter: Reporter
	readonly startedAt: number
}

export async function dryResult(
	options: Omit<BackupOptions, 'parent'>,
	plan: BackupPlan,
	{ seal, accounts, reporter, startedAt }: DryFacts,
): Promise<BackupResult> {
	return {
		id: await options.repository.newBackupId((options.clock ?? ((): Date => new Date()))()),
		dryRun: true,
		database: options.source.database,
		tables: plan.tables.map(({ path }) => ({ path, rows: 0, partitions: 0, plainBytes: 0, storedBytes: 0 })),
		objects: plan.objects.map(({ path, kind }) => ({ path, kind, parts: [] })),
		directories: plan.directories.map(({ path }) => path),
		encryption: encryptionOf(seal),
		keysUsed: [],
		accounts: countsOf(accounts),
		notes: plan.notes,
		warnings: reporter.warnings,
		rows: 0,
		plainBytes: 0,
		storedBytes: 0,
		files: 0,
		elapsedMs: Math.round(performance.now() - startedAt),
		manifest: undefined,
	}
}
