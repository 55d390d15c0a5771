import { BackupError } from '@ydbackup/core'

/** `20261123T021530Z-k3f9`: sorts by time, UTC, unique by its last four letters and digits. */
export interface BackupIdParts {
	/** To the second. */
	readonly time: Date
	readonly suffix: string
}

const ID = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-([0-9a-z]{4})$/u
const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'
const SUFFIXES = DIGITS.length ** 4

/** The parts of an id; undefined for a text that is none, also for times that no calendar has. */
export function parseBackupId(text: string): BackupIdParts | undefined {
	const found = ID.exec(text)
	if (found === null) return undefined
	const [, year, month, day, hour, minute, second, suffix] = found
	const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
	if (Number.isNaN(time.getTime()) || stamp(time) !== text.slice(0, -5)) return undefined
	return { time, suffix: suffix! }
}

/** `random` is from 0 to below 1. */
export function formatBackupId(now: Date, random: number): string {
	return `${stamp(now)}-${suffixOf(Math.floor(random * SUFFIXES))}`
}

/** In the order of time: negative when `a` is older. */
export function compareBackupIds(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0
}

/**
 * An id for a backup that starts now, above the newest that exists. `BACKUP_ID_CONFLICT` when the clock says that it is earlier than the
 * newest one: ids would no longer sort by time.
 */
export function nextBackupId(now: Date, newest: string | undefined, random: number): string {
	const id = formatBackupId(now, random)
	if (newest === undefined || id > newest) return id
	if (stamp(now) !== newest.slice(0, -5)) {
		throw new BackupError(
			'BACKUP_ID_CONFLICT',
			`the clock says ${now.toISOString()}, and backup ${newest} exists already`,
			{
				advice:
					'set the clock of this machine, or of the one that made that backup; if that backup is a mistake, delete it',
				reason: 'clock',
			},
		)
	}
	const taken = Number.parseInt(newest.slice(-4), 36)
	const free = SUFFIXES - 1 - taken
	if (free < 1) {
		throw new BackupError('BACKUP_ID_CONFLICT', `no id is free in this second above ${newest}`, {
			retry: 'later',
			retryAfterMs: 1000,
			advice: 'try again in a second',
			reason: 'second-full',
		})
	}
	return `${stamp(now)}-${suffixOf(taken + 1 + Math.floor(random * free))}`
}

function stamp(time: Date): string {
	return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/gu, '')}Z`
}

function suffixOf(number: number): string {
	return number.toString(36).padStart(4, '0')
}
