import { BackupError } from '@ydbackup/core'
import { dumpLayout, printProtoText, type StoredAccounts } from '@ydbackup/format'

import type { Note } from '../backup/backup-plan.ts'
import type { DumpTarget } from '../export/export-options.ts'
import { readSmall } from '../foreign/read-small.ts'
import type { ForeignFiles } from '../foreign/foreign-files.ts'
import { openAccounts } from './stored-accounts.ts'

/** The accounts of a database dump; undefined when it is none. Errors: `FORMAT_INVALID` naming file and line. */
export async function readDumpAccounts(
	files: ForeignFiles,
	signal: AbortSignal | undefined,
): Promise<StoredAccounts | undefined> {
	const root = files.tree.files('')
	const names = dumpLayout.ACCOUNTS.filter((name) => root.has(name))
	if (names.length === 0) return undefined
	const texts: Record<string, Uint8Array> = {}
	for (const name of names)
		texts[name] = (root.get(name) ?? 0) === 0 ? new Uint8Array(0) : await readSmall(files, name, signal)
	const hasRights = (root.get(dumpLayout.PERMISSIONS) ?? 0) > 0
	const rights = hasRights ? await readSmall(files, dumpLayout.PERMISSIONS, signal) : new Uint8Array(0)
	return { ...dumpLayout.readAccounts(texts), permissions: Buffer.from(rights).toString('utf8') }
}

/** Writes what makes a dump one of a whole database. Gives what of the accounts it cannot hold. */
export async function writeDatabaseFiles(
	target: DumpTarget,
	database: string,
	accounts: StoredAccounts,
): Promise<Note[]> {
	const { permissions } = openAccounts(accounts, 'objects.json (accounts)')
	await target.writeFile(dumpLayout.DATABASE, [Buffer.from(`path: ${JSON.stringify(database)}\n`)])
	for (const [name, bytes] of Object.entries(dumpLayout.writeAccounts(accounts))) await target.writeFile(name, [bytes])
	await target.writeFile(dumpLayout.PERMISSIONS, [Buffer.from(printProtoText(permissions))])
	return dumpLayout.unwritableAccounts(accounts).map((path) => ({
		path,
		kind: 'account',
		reason: "YDB's own dump holds names of lower-case letters and digits only",
	}))
}

/** Errors: `CONFIG_INVALID`. */
export function assertAccounts(id: string, accounts: StoredAccounts | undefined): StoredAccounts {
	if (accounts !== undefined) return accounts
	throw new BackupError('CONFIG_INVALID', `${id} holds no users and groups, and a dump of a database has them`, {
		advice: 'export it as a dump of its objects, or take a backup with accounts',
	})
}
