import { PAIRS } from './write-integer.ts'

const DAY = 86_400

/** Year, month and day of each day since 1970, filled on demand: year << 9 | month << 5 | day. */
const DAYS = new Int32Array(49_673)

/** Howard Hinnant's civil_from_days, for days that are not negative. */
function splitDay(day: number): number {
	const z = day + 719_468
	const era = (z / 146_097) | 0
	const doe = z - era * 146_097
	const yoe = ((doe - ((doe / 1460) | 0) + ((doe / 36_524) | 0) - ((doe / 146_096) | 0)) / 365) | 0
	const doy = doe - (365 * yoe + (yoe >> 2) - ((yoe / 100) | 0))
	const mp = ((5 * doy + 2) / 153) | 0
	const date = doy - (((153 * mp + 2) / 5) | 0) + 1
	const month = mp < 10 ? mp + 3 : mp - 9
	const year = yoe + era * 400 + (month <= 2 ? 1 : 0)
	return (year << 9) | (month << 5) | date
}

/** A moment as `YYYY-MM-DDThh:mm:ss.ffffffZ`: 27 bytes, and one more that is overwritten later. */
export function writeInstant(out: DataView, q: number, day: number, second: number, micros: number): number {
	let date = DAYS[day]!
	if (date === 0) date = DAYS[day] = splitDay(day)
	const year = date >> 9
	const century = (year / 100) | 0
	const hour = (second / 3600) | 0
	const rest = second - hour * 3600
	const minute = (rest / 60) | 0
	const high = (micros / 10_000) | 0
	const low = micros - high * 10_000
	const middle = (low / 100) | 0
	out.setInt32(q, PAIRS[century]! | (PAIRS[year - century * 100]! << 16), true)
	out.setInt32(q + 4, 0x2d00_002d | (PAIRS[(date >> 5) & 15]! << 8), true)
	out.setInt32(q + 8, PAIRS[date & 31]! | 0x54_0000, true)
	out.setInt32(q + 11, PAIRS[hour]! | 0x3a_0000, true)
	out.setInt32(q + 14, PAIRS[minute]! | 0x3a_0000, true)
	out.setInt32(q + 17, PAIRS[rest - minute * 60]! | 0x2e_0000, true)
	out.setInt32(q + 20, PAIRS[high]! | (PAIRS[middle]! << 16), true)
	out.setInt32(q + 24, PAIRS[low - middle * 100]! | 0x5a_0000, true)
	return q + 27
}

export function writeSeconds(out: DataView, q: number, seconds: number): number {
	const day = Math.floor(seconds / DAY)
	return writeInstant(out, q, day, seconds - day * DAY, 0)
}

export function writeMicros(out: DataView, q: number, micros: number): number {
	let seconds = Math.floor(micros / 1_000_000)
	let rest = micros - seconds * 1_000_000
	if (rest < 0) {
		seconds--
		rest += 1_000_000
	}
	const day = Math.floor(seconds / DAY)
	return writeInstant(out, q, day, seconds - day * DAY, rest)
}
