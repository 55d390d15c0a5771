import * as Args from '@oclif/core/args'
import type { Repository } from '@ydbackup/catalog'
import { BackupError } from '@ydbackup/core'
import { parseTime } from '../run/time.ts'

const ID = /^\d{8}T\d{6}Z-[a-z0-9]+$/

/** An id as `backup list` shows it, or `latest`. Anything else never becomes a part of a storage key. */
export function parseId(text: string): string {
	if (text === 'latest' || ID.test(text)) return text
	throw new BackupError('CONFIG_INVALID', `${JSON.stringify(text.slice(0, 100))} is not the id of a backup`, {
		advice: 'ids look like 20261123T021530Z-k3f9; ydbackup backup list shows them; latest is the newest',
	})
}

/** As {@link parseId}, but `latest` is refused: what it means changes while one looks. */
export function parseExactId(text: string): string {
	if (text !== 'latest') return parseId(text)
	throw new BackupError('CONFIG_INVALID', 'latest is no id', {
		advice: 'name the backup; ydbackup backup list shows ids',
	})
}

const description = 'id of the backup, or latest'

export const optionalId = Args.string({ default: 'latest', ignoreStdin: true, description })
export const idUnlessAt = Args.string({ ignoreStdin: true, description: `${description}; or give --at` })

/** A backup by id, or the newest one that was taken at or before a time. */
export type WantedBackup = { readonly id: string } | { readonly at: Date }

/** Exactly one of an id and a time. */
export function parseWanted(id: string | undefined, at: string | undefined): WantedBackup {
	if ((id === undefined) === (at === undefined)) {
		throw new BackupError('CONFIG_INVALID', id === undefined ? 'no backup is named' : 'an id and --at are both given', {
			advice: 'give the id of a backup, or latest, or --at with a time',
		})
	}
	if (at === undefined) return { id: parseId(id!) }
	return { at: parseTime(at) }
}

export async function idOf(
	repository: Repository,
	wanted: WantedBackup,
	signal: AbortSignal | undefined,
): Promise<string> {
	if ('id' in wanted) return wanted.id
	return (await repository.readAt(wanted.at, { signal })).manifest.id
}
