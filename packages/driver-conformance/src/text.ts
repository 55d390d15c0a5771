import type { ConformanceReport } from './report.ts'

const SIGNS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const

/** A report for people: the claims by group, then the speed and what to do with it. */
export function reportText(report: ConformanceReport): string {
	const { driver, location, level, counts, claims, speed = [], recommended, cleanup } = report
	const name = driver ? `${driver.name}${driver.version === undefined ? '' : ` ${driver.version}`}` : 'driver'
	const width = Math.max(0, ...claims.map(({ id }) => id.length))
	const lines = [`${name} at ${location}, level ${level}`, '']
	for (const { id, title, outcome, ms, detail } of claims) {
		const time = ms >= 1000 ? ` (${(ms / 1000).toFixed(1)} s)` : ''
		lines.push(`${SIGNS[outcome]} ${id.padEnd(width)}  ${title}${time}`)
		if (detail !== undefined) lines.push(`${' '.repeat(width + 7)}${detail}`)
	}
	if (speed.length > 0) {
		lines.push('', 'IN FLIGHT   PUT 1 KiB p50/p95   GET 1 KiB p50/p95    PUT MB/s    GET MB/s')
		for (const { inFlight, putMs, getMs, putMBps, getMBps } of speed)
			lines.push(
				[
					String(inFlight).padStart(9),
					`${putMs.p50}/${putMs.p95} ms`.padStart(19),
					`${getMs.p50}/${getMs.p95} ms`.padStart(19),
					putMBps.toFixed(1).padStart(11),
					getMBps.toFixed(1).padStart(11),
				].join(' '),
			)
	}
	if (report.speedProblem !== undefined) lines.push('', `speed was not measured: ${report.speedProblem}`)
	lines.push('')
	if (recommended)
		lines.push(`recommended: ${recommended.putsInFlight} puts and ${recommended.getsInFlight} gets in flight`)
	if (cleanup.left.length > 0) lines.push(`left behind: ${cleanup.left.join(', ')}`)
	if (cleanup.problem !== undefined) lines.push(`clean-up: ${cleanup.problem}`)
	for (const [right, why] of Object.entries(report.denied ?? {})) lines.push(`the credentials may not ${right}: ${why}`)
	if (report.stopped !== undefined) lines.push(report.stopped)
	lines.push(
		`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped: the driver ${report.isConforming ? 'keeps the contract' : counts.failed > 0 || (report.stopped === undefined && report.denied === undefined) ? 'breaks the contract' : 'was not tried to the end'}`,
	)
	return `${lines.join('\n')}\n`
}
