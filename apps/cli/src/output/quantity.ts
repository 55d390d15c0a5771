const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const

/** 1,234,567 */
export function spellCount(count: number | bigint): string {
	// Not Intl: loading its data takes half as long as starting Node.
	return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}

/** Decimal units with three digits: 999 B, 1.23 kB, 45.6 MB. */
export function spellBytes(bytes: number): string {
	if (bytes < 1000) return `${Math.round(bytes)} B`
	let value = bytes / 1000
	let unit = 0
	while (value >= 999.5 && unit < UNITS.length - 1) {
		value /= 1000
		unit++
	}
	return `${value.toPrecision(3).replace(/e.*$/, '')} ${UNITS[unit]}`
}

/** Megabytes a second, as people compare them with disks and networks: 0.42, 7.5, 183 MB/s. */
export function spellRate(bytesPerSecond: number): string {
	const rate = bytesPerSecond / 1e6
	return `${rate >= 100 ? rate.toFixed(0) : rate.toFixed(rate >= 1 ? 1 : 2)} MB/s`
}

/** 0.4 s, 12 s, 3m05s, 2h07m, 4d03h. */
export function spellDuration(milliseconds: number): string {
	const seconds = milliseconds / 1000
	if (seconds < 10) return `${seconds.toFixed(1)} s`
	const whole = Math.round(seconds)
	const pad = (value: number): string => String(value).padStart(2, '0')
	if (whole < 60) return `${whole} s`
	if (whole < 3600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`
	const minutes = Math.floor(whole / 60)
	if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${pad(minutes % 60)}m`
	const hours = Math.floor(minutes / 60)
	return `${Math.floor(hours / 24)}d${pad(hours % 24)}h`
}

/** How long ago, in the largest unit that says enough: 40 s, 12 min, 5 h, 3 days. */
export function spellAge(milliseconds: number): string {
	const seconds = Math.max(0, Math.round(milliseconds / 1000))
	if (seconds < 60) return `${seconds} s`
	const minutes = Math.floor(seconds / 60)
	if (minutes < 60) return `${minutes} min`
	const hours = Math.floor(minutes / 60)
	if (hours < 48) return `${hours} h`
	return `${Math.floor(hours / 24)} days`
}

/** A moment to the second, UTC: 2026-11-23 02:15:30Z. */
export function spellTime(rfc3339: string): string {
	return `${rfc3339.slice(0, 10)} ${rfc3339.slice(11, 19)}Z`
}
