import { BackupError } from '@ydbackup/core'

/** A time with its zone. One without is refused: on the night that it matters nobody knows whose it is. */
export function parseTime(text: string): Date {
	const time = new Date(text)
	if (/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(time.getTime()))
		return time
	throw new BackupError('CONFIG_INVALID', `${JSON.stringify(text.slice(0, 100))} is not a time with a zone`, {
		advice: 'write it like 2026-11-23T02:15:00Z or 2026-11-23T03:15:00+01:00',
	})
}
