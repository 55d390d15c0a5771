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

/** Streams of a chain's files that may be open at once: each holds a few frames of 1 MiB. */
const STREAMS_AT_ONCE = 24

/** Tables that are put together at once from a chain of so many backups: each keeps one stream open for every backup. */
export function mergeConcurrency(concurrency: number, backups: number): number {
	return backups === 1 ? concurrency : Math.max(1, Math.min(concurrency, Math.floor(STREAMS_AT_ONCE / backups)))
}
