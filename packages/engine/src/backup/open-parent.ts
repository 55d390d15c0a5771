import { readChain } from '@ydbackup/catalog'
import { BackupError } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import { openChain, type OpenedChain } from '../chain/open-chain.ts'
import type { Keyring } from '../encryption/keyring.ts'
import { openBackups } from '../encryption/open-backup.ts'
import type { Reporter } from '../events/reporter.ts'
import { errorOf } from '../part/finding.ts'
import type { BackupOptions } from './backup-options.ts'

/**
 * Opens and checks what an increment builds upon. The options that come back choose what the parent chose: an increment of something else
 * could not be told from a drop. Errors: `CONFIG_INVALID`, `KEY_REQUIRED`, `KEY_WRONG`, `BACKUP_NOT_FOUND`, `CHAIN_BROKEN`, those of damaged files.
 */
export async function openParent(
	options: BackupOptions,
	keyring: Keyring,
	reporter: Reporter,
): Promise<{ readonly parent: OpenedChain | undefined; readonly options: BackupOptions }> {
	if (options.parent === undefined) return { parent: undefined, options }
	const { repository, source, signal } = options
	const choices = [options.paths, options.include, options.exclude, options.kinds, options.excludeKinds]
	if (choices.some((choice) => choice !== undefined && choice.length > 0)) {
		throw new BackupError(
			'CONFIG_INVALID',
			'an increment takes what its parent took: paths, patterns and kinds cannot be given',
			{
				advice: 'leave them out, or take a full backup',
			},
		)
	}
	const manifests = await readChain(repository, options.parent, { signal })
	if (keyring.isEmpty && manifests.some(({ encryption }) => encryption !== undefined)) {
		throw new BackupError(
			'KEY_REQUIRED',
			`${manifests.at(-1)!.id} builds upon an encrypted backup, and so would this one`,
			{
				advice: 'give its key by --encryption-key: an increment is encrypted as what it builds upon',
			},
		)
	}
	const backups = await openBackups(repository.storage, manifests, keyring, signal)
	const last = backups.at(-1)!.manifest
	if (last.source.database !== source.database) {
		throw new BackupError(
			'CONFIG_INVALID',
			`${last.id} is a backup of ${last.source.database}, not of ${source.database}`,
			{
				advice: 'name a backup of the same database as --parent',
			},
		)
	}
	if (last.source.collection !== undefined) {
		const { name } = last.source.collection
		reporter.warn(
			`${last.id} is a link of the backup collection ${name}; what changed since is found by comparing rows`,
		)
	}
	reporter.phase('check', `looking at the ${manifests.length} backups that the increment builds upon`)
	const parent = await openChain({ storage: repository.storage, backups, level: 'contents', signal })
	const fatal = parent.findings.filter(({ severity }) => severity === 'data')
	if (fatal.length > 0) throw errorOf(fatal, last.id)
	const patterns = (kind: string): string[] => last.notes.flatMap((note) => (note.kind === kind ? note.path : []))
	return {
		parent,
		options: {
			...options,
			paths: pathsOf(last),
			include: patterns('include'),
			exclude: patterns('exclude'),
			kinds: patterns('kind'),
			excludeKinds: patterns('exclude-kind'),
		},
	}
}

function pathsOf({ paths }: Manifest): readonly string[] | undefined {
	return paths.length === 0 ? undefined : paths
}
