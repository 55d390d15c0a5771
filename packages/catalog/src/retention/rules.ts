/** What is kept. A backup stays when one rule keeps it. */
export interface RetentionRules {
	/** So many newest ones. */
	readonly last?: number | undefined
	/** All that are not older than this. */
	readonly withinMs?: number | undefined
	/** The newest one of each of the last so many days that have one; and so on. Days, ISO weeks, months and years are those of UTC. */
	readonly daily?: number | undefined
	readonly weekly?: number | undefined
	readonly monthly?: number | undefined
	readonly yearly?: number | undefined
}

/** A backup as rules see it. */
export interface Candidate {
	readonly id: string
	/** RFC 3339: what it shows the database as of. */
	readonly takenAt: string
}

const PERIODS: readonly (readonly [
	rule: 'daily' | 'weekly' | 'monthly' | 'yearly',
	periodOf: (time: Date) => string,
])[] = [
	['daily', (time) => time.toISOString().slice(0, 10)],
	['weekly', weekOf],
	['monthly', (time) => time.toISOString().slice(0, 7)],
	['yearly', (time) => time.toISOString().slice(0, 4)],
]

export function hasRule(rules: RetentionRules): boolean {
	return Object.values(rules).some((value: number | undefined) => value !== undefined && value > 0)
}

/**
 * Why each backup stays, by id; one that is not there is kept by no rule. Ages count from the newest candidate, or from `now` where that is
 * earlier: no clock that is wrong makes anything look older.
 */
export function applyRules(candidates: readonly Candidate[], rules: RetentionRules, now: Date): Map<string, string[]> {
	const newestFirst = sortNewestFirst(candidates)
	const reasons = new Map<string, string[]>()
	const keep = (id: string, reason: string): void => void reasons.set(id, [...(reasons.get(id) ?? []), reason])
	for (const [index, { id }] of newestFirst.slice(0, rules.last ?? 0).entries()) keep(id, `last ${index + 1}`)
	for (const [rule, periodOf] of PERIODS) {
		const seen = new Set<string>()
		for (const { id, takenAt } of newestFirst) {
			if (seen.size >= (rules[rule] ?? 0)) break
			const period = periodOf(new Date(takenAt))
			if (seen.has(period)) continue
			seen.add(period)
			keep(id, `${rule} ${period}`)
		}
	}
	const [newest] = newestFirst
	if (rules.withinMs !== undefined && newest !== undefined) {
		const since = Math.min(Date.parse(newest.takenAt), now.getTime()) - rules.withinMs
		for (const { id, takenAt } of newestFirst) if (Date.parse(takenAt) >= since) keep(id, 'recent enough')
	}
	return reasons
}

/** Of two that were taken at the same moment the one with the higher id is newer. */
export function sortNewestFirst(candidates: readonly Candidate[]): Candidate[] {
	return candidates.toSorted(
		(a, b) => Date.parse(b.takenAt) - Date.parse(a.takenAt) || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0),
	)
}

/** ISO 8601: `2026-W48`. */
function weekOf(time: Date): string {
	const thursday = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()))
	thursday.setUTCDate(thursday.getUTCDate() + 3 - ((thursday.getUTCDay() + 6) % 7))
	const year = thursday.getUTCFullYear()
	const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * 86_400_000))
	return `${year}-W${String(week).padStart(2, '0')}`
}
