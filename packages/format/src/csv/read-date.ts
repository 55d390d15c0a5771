/** ISO 8601 as YDB's parser takes it: date alone, without separators, a space for the T, fractions of any length, offsets. */
const ISO =
	/^(\d{4})-?(\d{2})-?(\d{2})(?:[Tt ](\d{2}):?(\d{2})(?::?(\d{2})(?:\.(\d+))?)?(?:[Zz]|([-+])(\d{2}):?(\d{2})?)?)?$/

/** The moment that {@link readInstant} read last: whole seconds since 1970, and microseconds within the second. */
export const instant: Float64Array = new Float64Array(2)

/** The words of the date that was read last, and its day: rows of one day often stand together. */
const cached = new Int32Array(3)
let cachedDay = Number.NaN

/** Reads a moment into {@link instant}; false when b[p, end) is none, or before 1970. `view` is over the bytes of `b`. */
export function readInstant(b: Buffer, view: DataView, p: number, end: number): boolean {
	if (end - p !== 27) return readOdd(b, p, end)
	// Word by word: digits and separators stand where they must when the masks match.
	const w0 = view.getInt32(p, true)
	const w1 = view.getInt32(p + 4, true)
	const w2 = view.getInt32(p + 8, true)
	const w3 = view.getInt32(p + 11, true)
	const w4 = view.getInt32(p + 14, true)
	const w5 = view.getInt32(p + 17, true)
	const w6 = view.getInt32(p + 20, true)
	const w7 = view.getInt32(p + 23, true)
	const shape =
		((w1 & 0xff00_00ff) ^ 0x2d00_002d) |
		((w2 & 0xff_0000) ^ 0x54_0000) |
		((w3 & 0xff_0000) ^ 0x3a_0000) |
		((w4 & 0xff_0000) ^ 0x3a_0000) |
		((w5 & 0xff_0000) ^ 0x2e_0000) |
		((w7 & 0xff00_0000) ^ 0x5a00_0000)
	if (shape !== 0) return readOdd(b, p, end)
	if (w0 !== cached[0] || w1 !== cached[1] || ((w2 ^ cached[2]!) & 0xffff) !== 0 || cachedDay !== cachedDay) {
		if (!isDigits(w0) || !isDigits(((w1 >>> 8) & 0xffff) | 0x3030_0000) || !isDigits((w2 & 0xffff) | 0x3030_0000))
			return false
		const day = dayOf(two(w0) * 100 + two(w0 >>> 16), two(w1 >>> 8), two(w2))
		if (day !== day) return false
		cached[0] = w0
		cached[1] = w1
		cached[2] = w2
		cachedDay = day
	}
	if (!isDigits((w3 & 0xffff) | (w4 << 16)) || !isDigits((w5 & 0xffff) | 0x3030_0000)) return false
	if (!isDigits(w6) || !isDigits((w7 & 0xff_ffff) | 0x3000_0000)) return false
	instant[1] = two(w6) * 10_000 + two(w6 >>> 16) * 100 + two(w7 >>> 8)
	return setSeconds(cachedDay, two(w3), two(w4), two(w5)) && instant[0]! >= 0
}

/** True when all four bytes are ASCII digits. */
function isDigits(word: number): boolean {
	return ((word & 0xf0f0_f0f0) ^ 0x3030_3030) === 0 && ((word + 0x0606_0606) & 0xf0f0_f0f0) === 0x3030_3030
}

/** The number in the two lowest bytes. */
function two(word: number): number {
	return (word & 15) * 10 + ((word >>> 8) & 15)
}

function setSeconds(day: number, hour: number, minute: number, second: number): boolean {
	instant[0] = day * 86_400 + hour * 3600 + minute * 60 + second
	return hour < 24 && minute < 60 && second < 60
}

/** Days since 1970-01-01, or NaN for a date that does not exist. */
function dayOf(year: number, month: number, date: number): number {
	if (month < 1 || month > 12 || date < 1 || (date > 28 && date > daysIn(year, month))) return Number.NaN
	// Howard Hinnant's days_from_civil.
	const y = month <= 2 ? year - 1 : year
	const era = Math.floor(y / 400)
	const yoe = y - era * 400
	const doy = (((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0) + date - 1
	return era * 146_097 + yoe * 365 + (yoe >> 2) - ((yoe / 100) | 0) + doy - 719_468
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
	const day = dayOf(year!, month!, date!)
	if (day !== day || !setSeconds(day, hour!, minute!, second!)) return false
	instant[0]! += match[8] === '-' ? offset : -offset
	instant[1] = Number((match[7] ?? '').slice(0, 6).padEnd(6, '0'))
	return instant[0]! >= 0
}
