import { assertNotDeleted, type Lease, readChain, type Repository, takeLeaseIfAllowed } from '@ydbackup/catalog'
import type { Manifest } from '@ydbackup/format'

import { openAccounts } from '../accounts/stored-accounts.ts'
import { assertImportSettings } from '../cluster/fill-by-import.ts'
import { openImport } from '../cluster/open-import.ts'
import { openChosen } from '../chain/open-chosen.ts'
import { createKindFilter } from '../choose/kind-filter.ts'
import { createMapping } from '../choose/path-mapping.ts'
import { createSelection } from '../choose/selection.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { keysOf, openBackups } from '../encryption/open-backup.ts'
import type { Reporter } from '../events/reporter.ts'
import { assertNativeSettings, planNative } from '../native/native-plan.ts'
import { restoreNatively } from '../native/restore-natively.ts'
import type { Contents } from './contents.ts'
import { restoreContents } from './restore-contents.ts'
import type { RestoreOptions, RestoreResult } from './restore-options.ts'
import { chooseRestore } from './restore-plan.ts'

/**
 * Restores a backup, or what is chosen of it: directories with their rights, tables, rows (counted, and compared where asked),
 * indexes, sequences, partitioning, TTL, owners, in this order. Everything is checked before anything is written: the backup's
 * files, and that nothing is in the way.
 *
 * After a failure or a stop, tables that this run created and that are not complete are dropped, everything else stays, and the
 * error's advice names both. Errors: `BACKUP_NOT_FOUND`, `PATH_EXISTS`, `PATH_NOT_FOUND`, `OBJECT_MISSING`, `OBJECT_DAMAGED`,
 * `MANIFEST_INVALID`, `CHAIN_BROKEN`, `BACKUP_DELETED`, `COUNT_MISMATCH`, `DATA_MISMATCH`, `INTERRUPTED`, `CONFIG_INVALID`, `UNSUPPORTED`, `KEY_REQUIRED`, `KEY_WRONG`, `KEY_UNAVAILABLE`, and those of the sink and of the store.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
	let id = options.id
	await using leases = new AsyncDisposableStack()
	const outcome = await restoreContents(options, id, async (reporter) => {
		const { repository, signal } = options
		const stored = await readChain(repository, id, { signal })
		id = stored.at(-1)!.id
		if (options.dryRun !== true) leases.use(await useBackups(repository, stored, reporter, signal))
		return openBackup(options, stored, reporter, leases)
	})
	return {
		id,
		method: options.native === undefined ? 'apply' : 'native',
		engine: options.cluster === undefined ? 'client' : 'cluster',
		...outcome,
	}
}

/** From now on nobody deletes what is restored, as long as the store lets us say so. */
async function useBackups(
	{ storage }: Repository,
	chain: readonly Manifest[],
	reporter: Reporter,
	signal: AbortSignal | undefined,
): Promise<Lease | undefined> {
	const backups = chain.map(({ id }) => id)
	const lease = await takeLeaseIfAllowed(storage, { purpose: 'restore', backups, signal }, reporter.warn)
	try {
		await assertNotDeleted(storage, backups, { signal })
		return lease
	} catch (error) {
		await lease?.release()
		throw error
	}
}

async function openBackup(
	options: RestoreOptions,
	stored: readonly Manifest[],
	reporter: Reporter,
	resources: AsyncDisposableStack,
): Promise<Contents> {
	const { repository, sink, signal, native, cluster } = options
	if (cluster !== undefined) assertImportSettings(options)
	if (native !== undefined) assertNativeSettings(options)
	const keyring = createKeyring(options.keys ?? [], signal)
	const backups = await openBackups(repository.storage, stored, keyring, signal)
	const { manifest } = backups.at(-1)!
	if (!keyring.isEmpty && manifest.encryption === undefined) {
		reporter.warn(`${manifest.id} is not encrypted, although a key is given: nothing proves who made it`)
	}
	const source = manifest.source.database
	const selection = createSelection({ include: options.include, exclude: options.exclude }, source)
	const mapping = createMapping(options, source, sink.database)
	const kinds = createKindFilter(options)
	const choice = chooseRestore(`backup ${manifest.id}`, manifest.objects, selection, mapping, kinds)
	for (const warning of choice.warnings) reporter.warn(warning)
	const { storage } = repository
	const acceptNativeDamage = options.acceptNativeDamage === true
	const chain = await openChosen({ storage, backups, choice, acceptNativeDamage, reporter, signal })
	const dryRun = options.dryRun === true
	const importing =
		cluster &&
		(await openImport({
			cluster,
			manifest,
			backups: backups.length,
			keyring,
			dryRun,
			resources,
			reporter,
			signal,
		}))
	const links = native && planNative(chain.tables, options.noAcl === true)
	return {
		title: manifest.id,
		storage,
		compression: manifest.compression,
		backups: backups.length,
		choice,
		tables: chain.tables,
		directories: chain.directories,
		objects: chain.objects,
		source: { database: source, mapping },
		accounts: chain.accounts && openAccounts(chain.accounts, `objects.json of ${manifest.id}`),
		keysUsed: keysOf(stored),
		notes: manifest.notes,
		takenAt: manifest.snapshotBefore,
		problems: [],
		...importing,
		...(native && links && { fill: (run, stalls) => restoreNatively(run, native, links, stalls) }),
	}
}
