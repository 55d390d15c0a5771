import { BackupError, isBackupError } from '@ydbackup/core'

import { shownNames } from '../events/shown-names.ts'
import { isWithin, relativePath } from '../choose/object-path.ts'
import { runAll } from '../flow/run-all.ts'
import type { ObjectWork, RestoreRun } from './restore-run.ts'

const FINDS_AT_ONCE = 8

/**
 * Looks for the secrets that objects name, before anything is touched. Those with a path stand in the scheme like other objects. YDB lets nobody look for those with a
 * name alone: they are named as warnings. Errors: `PATH_NOT_FOUND` naming all that are not there, and who needs them.
 */
export async function checkSecrets(run: RestoreRun): Promise<void> {
	const { sink, reporter, options } = run
	const missing: string[] = []
	await runAll(neededSecrets(run.objects), FINDS_AT_ONCE, options.signal, async ([secret, needing], signal) => {
		const by = needing.join(', ')
		if (isWithin(secret, sink.database) && secret !== sink.database) {
			try {
				const found = await sink.find(relativePath(secret, sink.database, 'secret'), { signal })
				if (found === undefined) missing.push(`${secret} (for ${by})`)
				return
			} catch (error) {
				if (!isBackupError(error, 'DATABASE_PERMISSION')) throw error
			}
		}
		reporter.warn(
			`nobody can look whether the secret ${secret} exists: without it the database refuses ${by}`,
			needing[0],
		)
	})
	if (missing.length === 0) return
	throw new BackupError('PATH_NOT_FOUND', `secrets are not in ${sink.database}: ${shownNames(missing.toSorted())}`, {
		advice:
			'nothing was written: secrets are in no backup. Create them first, or leave out what needs them with exclude',
	})
}

/** By secret: the targets of the objects that are to be created and need it. */
function neededSecrets(objects: readonly ObjectWork[]): [secret: string, needing: string[]][] {
	const all = objects
		.filter(({ existed }) => !existed)
		.flatMap(({ planned, target }) => planned.secrets.map((secret) => ({ secret, target })))
	return Array.from(
		Map.groupBy(all, ({ secret }) => secret),
		([secret, uses]) => [secret, Array.from(new Set(uses.map(({ target }) => target)))],
	)
}
