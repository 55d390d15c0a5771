import type { Accounts } from '@ydbackup/core'
import { parseProtoText, printProtoText, type StoredAccounts } from '@ydbackup/format'

/** Accounts as `objects.json` keeps them: with the hashes of passwords, and so in no other file, result or message. */
export function storeAccounts({ users, groups, permissions }: Accounts): StoredAccounts {
	return { users, groups, permissions: printProtoText(permissions, { unknownFields: 'keep' }) }
}

export function openAccounts({ users, groups, permissions }: StoredAccounts, where: string): Accounts {
	return { users, groups, permissions: parseProtoText(permissions, where) }
}
