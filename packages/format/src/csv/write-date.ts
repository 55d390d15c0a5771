const DAY = 86_400

let cachedDay = -1
const cachedText = new Uint8Array(11)
cachedText[4] = cachedText[7] = 45
cachedText[10] = 84

/** Days since 1970-01-01 as `YYYY-MM-DDT`. Rows of one day often stand together, so the last day's text is kept. */
function writeDay(out: Uint8Array, q: number, day: number): number {
	if (day !== cachedDay) {
		// Howard Hinnant's civil_from_days, for days that are not negative.
		const z = day + 719_468
		const era = (z / 146_097) | 0
		const doe = z - era * 146_097
		const yoe = ((doe - ((doe / 1460) | 0) + ((doe / 36_524) | 0) - ((doe / 146_096) | 0)) / 365) | 0
		const doy = doe - (365 * yoe + (yoe >> 2) - ((yoe / 100) | 0))
		const mp = ((5 * doy + 2) / 153) | 0
		const date = doy - (((153 * mp + 2) / 5) | 0) + 1
		const month = mp < 10 ? mp + 3 : mp - 9
		const year = yoe + era * 400 + (month <= 2 ? 1 : 0)
		const century = (year / 100) | 0
		writePair(cachedText, 0, century)
		writePair(cachedText, 2, year - century * 100)
		writePair(cachedText, 5, month)
		writePair(cachedText, 8, date)
		cachedDay = day
	}
	for (let i = 0; i < 11; i++) out[q + i] = cachedText[i]!
	return q + 11
}

function writePair(out: Uint8Array, q: number, value: number): void {
	const tens = (value / 10) | 0
	out[q] = 48 + tens
	out[q + 1] = 48 + (value - tens * 10)
}

/** A moment as `YYYY-MM-DDThh:mm:ss.ffffffZ`: 27 bytes. */
export function writeInstant(out: Uint8Array, q: number, day: number, second: number, micros: number): number {
	q = writeDay(out, q, day)
	const hour = (second / 3600) | 0
	const rest = second - hour * 3600
	const minute = (rest / 60) | 0
	writePair(out, q, hour)
	out[q + 2] = 58
	writePair(out, q + 3, minute)
	out[q + 5] = 58
	writePair(out, q + 6, rest - minute * 60)
	out[q + 8] = 46
	const high = (micros / 10_000) | 0
	const low = micros - high * 10_000
	const middle = (low / 100) | 0
	writePair(out, q + 9, high)
	writePair(out, q + 11, middle)
	writePair(out, q + 13, low - middle * 100)
	out[q + 15] = 90
	return q + 16
}

export function writeSeconds(out: Uint8Array, q: number, seconds: number): number {
	const day = (seconds / DAY) | 0
	return writeInstant(out, q, day, seconds - day * DAY, 0)
}

export function writeMicros(out: Uint8Array, q: number, micros: number): number {
	let seconds = Math.floor(micros / 1_000_000)
	let rest = micros - seconds * 1_000_000
	if (rest < 0) {
		seconds--
		rest += 1_000_000
	}
	const day = (seconds / DAY) | 0
	return writeInstant(out, q, day, seconds - day * DAY, rest)
}
