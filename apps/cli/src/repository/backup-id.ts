import * as Args from '@oclif/core/args'
import { BackupError } from '@ydbackup/core'

const ID = /^\d{8}T\d{6}Z-[a-z0-9]+$/

/** An id as `backup list` shows it, or `latest`. Anything else never becomes a part of a storage key. */
export function parseId(text: string): string {
	if (text === 'latest' || ID.test(text)) return text
	throw new BackupError('CONFIG_INVALID', `${JSON.stringify(text.slice(0, 100))} is not the id of a backup`, {
		advice: 'ids look like 20261123T021530Z-k3f9; ydbackup backup list shows them; latest is the newest',
	})
}

const description = 'id of the backup, or latest'

export const requiredId = Args.string({ required: true, ignoreStdin: true, description })
export const optionalId = Args.string({ default: 'latest', ignoreStdin: true, description })
