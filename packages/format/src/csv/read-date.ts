/** ISO 8601 as YDB's parser takes it: date alone, without separators, a space for the T, fractions of any length, offsets. */
const ISO =
	/^(\d{4})-?(\d{2})-?(\d{2})(?:[Tt ](\d{2}):?(\d{2})(?::?(\d{2})(?:\.(\d+))?)?(?:[Zz]|([-+])(\d{2}):?(\d{2})?)?)?$/

/** The moment that {@link readInstant} read last: whole seconds since 1970, and microseconds within the second. */
export let seconds = 0
export let micros = 0

/** Reads a moment; false when the text is none, or before 1970. */
export function readInstant(b: Buffer, p: number, end: number): boolean {
	if (end - p !== 27 || b[p + 26] !== 90 || b[p + 19] !== 46 || b[p + 10] !== 84) return readOdd(b, p, end)
	if (b[p + 4] !== 45 || b[p + 7] !== 45 || b[p + 13] !== 58 || b[p + 16] !== 58) return readOdd(b, p, end)
	bad = 0
	const year = pair(b, p) * 100 + pair(b, p + 2)
	const month = pair(b, p + 5)
	const date = pair(b, p + 8)
	const hour = pair(b, p + 11)
	const minute = pair(b, p + 14)
	const second = pair(b, p + 17)
	micros = pair(b, p + 20) * 10_000 + pair(b, p + 22) * 100 + pair(b, p + 24)
	return bad === 0 && setSeconds(year, month, date, hour, minute, second) && seconds >= 0
}

let bad = 0

function pair(b: Buffer, p: number): number {
	const tens = b[p]! - 48
	const ones = b[p + 1]! - 48
	// Negative numbers and numbers above 9 leave a bit behind.
	bad |= tens | ones | (9 - tens) | (9 - ones)
	bad &= -2_147_483_648
	return tens * 10 + ones
}

function setSeconds(year: number, month: number, date: number, hour: number, minute: number, second: number): boolean {
	if (month < 1 || month > 12 || date < 1 || hour > 23 || minute > 59 || second > 59) return false
	if (date > 28 && date > daysIn(year, month)) return false
	// Howard Hinnant's days_from_civil.
	const y = month <= 2 ? year - 1 : year
	const era = Math.floor(y / 400)
	const yoe = y - era * 400
	const doy = (((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0) + date - 1
	const day = era * 146_097 + yoe * 365 + (yoe >> 2) - ((yoe / 100) | 0) + doy - 719_468
	seconds = day * 86_400 + hour * 3600 + minute * 60 + second
	return true
}

function daysIn(year: number, month: number): number {
	if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
	return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function readOdd(b: Buffer, p: number, end: number): boolean {
	if (end - p > 64) return false
	const match = ISO.exec(b.toString('latin1', p, end))
	if (match === null) return false
	const [year, month, date, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0))
	const offset = Number(match[9] ?? 0) * 3600 + Number(match[10] ?? 0) * 60
	if (!setSeconds(year!, month!, date!, hour!, minute!, second!)) return false
	seconds += match[8] === '-' ? offset : -offset
	micros = Number((match[7] ?? '').slice(0, 6).padEnd(6, '0'))
	return seconds >= 0
}
