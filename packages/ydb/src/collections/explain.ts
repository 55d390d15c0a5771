import { BackupError } from '@ydbackup/core'

/**
 * What to do about the server's words. They are advice alone: nothing branches on them, and words that are not known keep the advice they
 * had. Source: texts of `ydb/core/tx/schemeshard` (collections, incremental backup), not verified against a server.
 */
const ADVICE: readonly (readonly [words: RegExp, advice: string])[] = [
	[
		/collections are disabled/iu,
		'backup collections are switched off in this cluster: an administrator can set feature_flags.enable_backup_service',
	],
	[
		/(?:mismatched input|extraneous input|unexpected token|no viable alternative).*(?:BACKUP|INCREMENTAL|COLLECTION)/isu,
		'this server does not know the statement: backup collections need YDB 26.2 or newer',
	],
	[
		/incremental backup is disabled on this collection/iu,
		'it was created without --incremental, and collections cannot be changed: create another one with it',
	],
	[
		/continuous backup stream is not found/iu,
		'a table has no stream of changes: no full backup was taken yet, or the table was made or restored after it. Take a full backup',
	],
	[
		/under operation|multiple modifications|another operation/iu,
		'another operation works on the collection or on one of its tables: wait until it is done',
	],
	[
		/async/iu,
		'a table with an asynchronous index cannot be in incremental backups: drop the index, or leave the table out',
	],
	[/path exist/iu, 'something of that name is there already'],
	[/must be placed/iu, 'give the bare name of the collection, without a path'],
	[/path does not exist|not found|check failed/iu, 'see that the collection and all of its tables are there'],
]

/** The same error, with what to do about it where that is known. */
export function explained(error: BackupError): BackupError {
	const { code, message, retry, reason } = error
	const advice = error.advice ?? ADVICE.find(([words]) => words.test(message))?.[1]
	return new BackupError(code, message, {
		retry,
		cause: error,
		...(advice !== undefined && { advice }),
		...(reason !== undefined && { reason }),
	})
}
