import type { CollectionLink } from '@ydbackup/core'

const NAME = /_(full|incremental)$/u
const STAMP = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z_/u
const HOUR = 3_600_000
const QUARTER = HOUR / 4
const MICROS = '000Z'

/** The kind of a collection's child by its name; undefined for what is no link. */
export function linkKind(name: string): CollectionLink['kind'] | undefined {
	return NAME.exec(name)?.[1] as CollectionLink['kind'] | undefined
}

/**
 * When a link was taken. The stamp of its name ends in `Z` and is the local time of the server all the same, so it alone is right to
 * within the time zones of the earth. `createdAt` is when its directory was made, by the server's own clock (milliseconds); an import makes
 * it anew, so it counts only where it and the stamp are apart by a time zone, which are whole quarters of an hour. Neither is verified
 * against a server.
 */
export function linkTime(
	name: string,
	createdAt: number,
	now: number,
): Pick<CollectionLink, 'after' | 'before' | 'clock'> {
	const stamp = stampOf(name)
	const spell = (time: number): string => new Date(Math.max(0, time)).toISOString().replace('Z', MICROS)
	if (stamp === undefined) return { after: spell(0), before: spell(now), clock: 'client' }
	const apart = stamp - createdAt
	const isZone = apart >= -12 * HOUR - QUARTER && apart <= 14 * HOUR + QUARTER
	const late = Math.round(apart / QUARTER) * QUARTER - apart
	if (isZone && late >= -2_000 && late <= 3_000)
		return { after: spell(createdAt - 10_000), before: spell(createdAt + 30_000), clock: 'server' }
	return { after: spell(stamp - 14 * HOUR), before: spell(Math.min(stamp + 12 * HOUR, now)), clock: 'client' }
}

function stampOf(name: string): number | undefined {
	const found = STAMP.exec(name)
	if (found === null) return undefined
	const [, year, month, day, hour, minute, second] = found
	const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
	return Number.isNaN(time) ? undefined : time
}
