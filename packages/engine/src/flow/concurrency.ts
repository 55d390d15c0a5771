import { BackupError, type Storage } from '@ydbackup/core'

const DEFAULT = 4

const REQUESTS = 16

/** How many small requests are made at once: they cost a wait each and no memory. */
export function requestConcurrency(storage: Storage): number {
	return Math.max(1, Math.min(REQUESTS, storage.capabilities.maxConcurrency))
}

/** How many data files are worked on at once: as asked, within what the store can serve. */
export function chooseConcurrency(asked: number | undefined, storage: Storage): number {
	if (asked !== undefined && (!Number.isSafeInteger(asked) || asked < 1)) {
		throw new BackupError('CONFIG_INVALID', `concurrency ${asked} is not a whole number of at least 1`, {
			advice: `leave it out to have ${DEFAULT}`,
		})
	}
	return Math.max(1, Math.min(asked ?? DEFAULT, storage.capabilities.maxConcurrency))
}
