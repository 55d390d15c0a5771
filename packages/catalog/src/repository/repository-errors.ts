import { BackupError } from '@ydbackup/core'
import { nearestIds } from '../id/nearest-ids.ts'

export function repositoryNotFound(location: string, cause: unknown): BackupError {
	return new BackupError('REPOSITORY_NOT_FOUND', `there is no repository at ${location}`, {
		advice: 'check the location; to make a new repository there, run: ydbackup repo init',
		cause,
	})
}

export function repositoryExists(location: string, cause?: unknown): BackupError {
	return new BackupError('REPOSITORY_EXISTS', `there is a repository at ${location} already`, {
		advice: 'use it as it is, or give another location',
		cause,
	})
}

export function locationTaken(location: string, keys: readonly string[], hasMore: boolean): BackupError {
	const names = `${keys.join(', ')}${hasMore ? ', …' : ''}`
	return new BackupError('REPOSITORY_EXISTS', `${location} is not empty: it holds ${names}`, {
		advice: 'give an empty location, for example a new folder or prefix below this one',
		reason: 'not-empty',
	})
}

export function backupNotFound(wanted: string, location: string, ids: readonly string[]): BackupError {
	const shown = JSON.stringify(wanted.slice(0, 100))
	if (ids.length === 0) {
		return new BackupError('BACKUP_NOT_FOUND', `there is no backup in ${location}`, {
			advice: 'check the location; backups appear when they are complete',
		})
	}
	return new BackupError('BACKUP_NOT_FOUND', `there is no backup ${shown} in ${location}`, {
		advice: `there are ${ids.length} backups, for example ${nearestIds(wanted, ids).join(', ')}`,
	})
}

export function idTaken(id: string, cause: unknown): BackupError {
	return new BackupError('BACKUP_ID_CONFLICT', `another backup was committed as ${id}`, {
		advice: 'run again: the new run takes a new id',
		reason: 'taken',
		cause,
	})
}

export function notACopy(location: string, found: string, wanted: string): BackupError {
	return new BackupError('REPOSITORY_EXISTS', `${location} holds repository ${found}, and no copy of ${wanted}`, {
		advice: 'give an empty place, or one that backups of this repository were copied to',
	})
}

export function manifestTooLarge(key: string, size: number): BackupError {
	return new BackupError('MANIFEST_INVALID', `${key} has ${size} bytes: no manifest is as large`, {
		advice: 'the manifest is not what was committed; use another backup, or another copy of this one',
	})
}

export function nothingBefore(time: Date, location: string, oldest: string | undefined): BackupError {
	return new BackupError('BACKUP_NOT_FOUND', `no backup in ${location} was taken at or before ${time.toISOString()}`, {
		advice: oldest === undefined ? 'there is no backup at all; check the location' : `the oldest one is ${oldest}`,
	})
}

export function runNotFound(id: string, location: string, runs: readonly { readonly id: string }[]): BackupError {
	return new BackupError('RUN_NOT_FOUND', `${location} has no unfinished run ${JSON.stringify(id.slice(0, 100))}`, {
		advice:
			runs.length === 0
				? 'no run is unfinished'
				: `unfinished: ${runs
						.slice(-3)
						.map((run) => run.id)
						.join(', ')}`,
	})
}
