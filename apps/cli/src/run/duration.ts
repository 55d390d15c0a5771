import { BackupError } from '@ydbackup/core'

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 }
const MOST_MS = 36_500 * 86_400_000

/** `36h`, `30d`, `8w` in milliseconds. Months have no fixed length, and are no unit. */
export function parseDuration(text: string, flag: string): number {
	const [, count, unit] = /^(\d{1,7})([hdw])$/u.exec(text) ?? []
	const milliseconds = Number(count) * (UNITS[unit ?? ''] ?? Number.NaN)
	if (milliseconds > 0 && milliseconds <= MOST_MS) return milliseconds
	throw new BackupError('CONFIG_INVALID', `${flag} ${JSON.stringify(text.slice(0, 100))} is no length of time`, {
		advice: 'write hours, days or weeks, for example 36h, 30d or 8w',
	})
}
