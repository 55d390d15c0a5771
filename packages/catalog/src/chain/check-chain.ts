import { BackupError, type ChainBreak } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'
import { compareBackupIds } from '../id/backup-id.ts'

/** The error of a chain that cannot be used up to `id`. */
export function brokenChain(id: string, reason: ChainBreak, what: string, cause?: unknown): BackupError {
	return new BackupError('CHAIN_BROKEN', `${id} cannot be used: ${what}`, {
		reason,
		advice: 'restore an earlier link, or take a full backup: a new chain begins with it',
		...(cause === undefined ? {} : { cause }),
	})
}

/**
 * Whether `child` is the link after `parent`: the parent is the very manifest that the child was made upon, it is older, and both are of
 * one database. Errors: `CHAIN_BROKEN`.
 */
export function checkLink(parent: Manifest, child: Manifest): void {
	if (child.parent === undefined || child.parent.id !== parent.id) {
		throw brokenChain(child.id, 'gap', `its parent is ${child.parent?.id ?? 'nobody'}, not ${parent.id}`)
	}
	if (child.parent.manifestSha256 !== parent.sha256) {
		throw brokenChain(
			child.id,
			'parent-damaged',
			`its parent ${parent.id} is not the backup that it was made upon (the hash of its manifest is another one)`,
		)
	}
	if (compareBackupIds(parent.id, child.id) >= 0) {
		throw brokenChain(child.id, 'parent-damaged', `its parent ${parent.id} is not older`)
	}
	if (parent.source.database !== child.source.database) {
		throw brokenChain(
			child.id,
			'parent-damaged',
			`it is of ${child.source.database}, its parent of ${parent.source.database}`,
		)
	}
}
