import { BackupError, type DefinedKind, isBackupError } from '@ydbackup/core'

/**
 * Kinds beside tables that exports of YDB take, in the order in which versions have learnt them. Coordination nodes are not among them: one
 * version in between wrote them, with one nonce for all rate limiters of an encrypted one, and newer ones do not name them. Source: `IsItemSupportedInExport`
 * of `rpc_export.cpp`, `schemeshard_export_uploaders.cpp`, `validate.cpp` of the CLI.
 */
export const EXPORTED_KINDS: readonly DefinedKind[] = [
	'view',
	'topic',
	'replication',
	'transfer',
	'external-data-source',
	'external-table',
]

/** What to ask for, and with each refusal for less: servers say by no status which kind it was that they do not know. */
export function exportLadder(kinds: ReadonlySet<DefinedKind>): ReadonlySet<DefinedKind>[] {
	const present = EXPORTED_KINDS.filter((kind) => kinds.has(kind))
	return Array.from({ length: present.length + 1 }, (_, dropped) => new Set(present.slice(0, present.length - dropped)))
}

/** Whether a start was refused in a way in which servers refuse kinds that they do not export. */
export function mayBeAboutKinds(error: unknown): error is BackupError {
	return isBackupError(error, 'UNSUPPORTED') || isBackupError(error, 'DATABASE_REFUSED')
}
