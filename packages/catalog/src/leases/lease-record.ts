import { BackupError } from '@ydbackup/core'
import { canonicalJson, Fields, parseJson } from '@ydbackup/format'

import type { Owner } from './owner.ts'

/** What its owner does: words for people, but for `delete`, which two may not do to one backup. */
export type LeasePurpose = 'backup' | 'restore' | 'delete' | 'copy' | 'read'

/** `leases/<token>/<renewal>.json`: who is at work with which backups. */
export interface LeaseRecord {
	readonly purpose: LeasePurpose
	/** Ids of the backups that must stay as they are, or that are being written or deleted. */
	readonly backups: readonly string[]
	readonly owner: Owner
	/** RFC 3339, by the owner's clock. */
	readonly at: string
	/** It ends so long after the store wrote it. */
	readonly ttlMs: number
}

const PURPOSES: readonly LeasePurpose[] = ['backup', 'restore', 'delete', 'copy']

export const MAX_LEASE_BYTES: number = 1 << 20

/** Longer leases are taken for as long as this: nothing may wait for a dead process for days. */
const LONGEST_MS = 60 * 60_000

export function encodeLease({ purpose, backups, owner, at, ttlMs }: LeaseRecord): Uint8Array {
	const { host, pid, scope } = owner
	return Buffer.from(
		canonicalJson({ ydbackup: 'lease', version: 1, purpose, backups, owner: { host, pid, scope }, at, ttlMs }),
	)
}

/** Errors: `FORMAT_INVALID` naming `where`. */
export function decodeLease(bytes: Uint8Array, where: string): LeaseRecord {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('FORMAT_INVALID', `${where} ${what}`, {
			advice: 'it ends by itself, ten minutes after it was written',
			cause,
		})
	}
	const fields = new Fields(parseJson(bytes, { maxBytes: MAX_LEASE_BYTES }, complain), '', complain)
	if (fields.text('ydbackup') !== 'lease') throw complain('is no lease')
	if (fields.count('version') !== 1) throw complain('was written by a newer version')
	const owner = fields.fields('owner')
	const scope = owner.textIf('scope')
	const purpose = fields.text('purpose')
	return {
		purpose: PURPOSES.find((known) => known === purpose) ?? 'read',
		backups: fields.texts('backups', { max: 64 }),
		owner: { host: owner.text('host'), pid: owner.count('pid'), ...(scope === undefined ? {} : { scope }) },
		at: fields.text('at', { max: 40, like: [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u, 'time'] }),
		ttlMs: Math.min(fields.count('ttlMs'), LONGEST_MS),
	}
}
