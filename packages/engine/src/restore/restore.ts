import { readChain } from '@ydbackup/catalog'
import type { Manifest } from '@ydbackup/format'

import { openChain, type OpenedChain } from '../chain/open-chain.ts'
import { createMapping } from '../choose/path-mapping.ts'
import { createSelection } from '../choose/selection.ts'
import type { Reporter } from '../events/reporter.ts'
import { errorOf } from '../part/finding.ts'
import { type Contents, restoreContents } from './restore-contents.ts'
import type { RestoreOptions, RestoreResult } from './restore-options.ts'
import { chooseRestore, type RestoreChoice } from './restore-plan.ts'

/**
 * Restores a backup, or what is chosen of it: directories with their rights, tables, rows (counted, and compared where asked),
 * indexes, sequences, partitioning, TTL, owners, in this order. Everything is checked before anything is written: the backup's
 * files, and that nothing is in the way.
 *
 * After a failure or a stop, tables that this run created and that are not complete are dropped, everything else stays, and the
 * error's advice names both. Errors: `BACKUP_NOT_FOUND`, `PATH_EXISTS`, `PATH_NOT_FOUND`, `OBJECT_MISSING`, `OBJECT_DAMAGED`,
 * `MANIFEST_INVALID`, `CHAIN_BROKEN`, `COUNT_MISMATCH`, `DATA_MISMATCH`, `INTERRUPTED`, `CONFIG_INVALID`, and those of the sink and of the store.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
	let id = options.id
	const outcome = await restoreContents(options, id, async (reporter) => {
		const contents = await openBackup(options, reporter)
		id = contents.title
		return contents
	})
	return { id, ...outcome }
}

async function openBackup(options: RestoreOptions, reporter: Reporter): Promise<Contents> {
	const { repository, sink, signal } = options
	const manifests = await readChain(repository, options.id, { signal })
	const manifest = manifests.at(-1)!
	const source = manifest.source.database
	const selection = createSelection({ include: options.include, exclude: options.exclude }, source)
	const mapping = createMapping(options, source, sink.database)
	const choice = chooseRestore(`backup ${manifest.id}`, manifest.objects, selection, mapping)
	for (const warning of choice.warnings) reporter.warn(warning)
	const chain = await checkBackup(manifests, choice, options, reporter)
	return {
		title: manifest.id,
		storage: repository.storage,
		compression: manifest.compression,
		backups: manifests.length,
		choice,
		tables: chain.tables,
		directories: chain.directories,
		notes: manifest.notes,
		problems: [],
	}
}

async function checkBackup(
	manifests: readonly Manifest[],
	choice: RestoreChoice,
	options: RestoreOptions,
	reporter: Reporter,
): Promise<OpenedChain> {
	const { storage } = options.repository
	const { id } = manifests.at(-1)!
	const others = manifests.length > 1 ? ` and the ${manifests.length - 1} that it builds upon` : ''
	reporter.phase('check', `looking at the objects of ${id}${others}`)
	const chain = await openChain({
		storage,
		manifests,
		tables: new Set(choice.tables.flatMap((item) => item.prefix ?? [])),
		level: 'contents',
		signal: options.signal,
	})
	const fatal = chain.findings.filter((finding) => finding.severity === 'data' || options.acceptNativeDamage !== true)
	if (fatal.length > 0) throw errorOf(fatal, id)
	for (const finding of chain.findings) reporter.warn(finding.message, finding.path)
	return chain
}
