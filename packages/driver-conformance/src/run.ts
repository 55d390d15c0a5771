import { DRIVER_CONTRACT } from '@ydbackup/core'
import { described } from './expect.ts'
import type { RunOptions } from './options.ts'
import type { ClaimReport, ConformanceReport, Speed } from './report.ts'
import { deniedText, hindrance } from './rights.ts'
import { claimsFor, startSession } from './session.ts'
import { measureSpeed, recommend } from './speed.ts'

/**
 * Proves a storage driver on a store, or shows where it breaks the contract. Everything happens below a prefix of its own, which
 * is removed at the end, also when the run fails or is stopped. Nothing else of the store is read, listed or changed.
 *
 * Throws only when the store cannot be opened: with the driver's error. A claim that does not hold is an outcome.
 */
export async function runConformance(options: RunOptions): Promise<ConformanceReport> {
	const { level = 'quick', signal = new AbortController().signal, driver, onProgress } = options
	const begun = performance.now()
	const startedAt = new Date().toISOString()
	const session = startSession(options)
	const claims: ClaimReport[] = []
	let speed: Speed[] | undefined
	let speedProblem: string | undefined
	let cleanup: ConformanceReport['cleanup'] | undefined
	try {
		const { location, capabilities } = await session.opened()
		const denied = await session.rights()
		const planned = claimsFor(level)
		for (const claim of planned) {
			if (signal.aborted) break
			const report = await session.check(claim)
			// What a stop cuts off has neither passed nor failed.
			if (signal.aborted && report.outcome === 'failed') break
			claims.push(report)
			onProgress?.({ claim: report, done: claims.length, total: planned.length })
		}
		const hindered = hindrance(denied)
		if (hindered !== undefined) speedProblem = hindered
		else if (session.plan.speedMs > 0 && !signal.aborted) {
			try {
				const time = AbortSignal.any([signal, AbortSignal.timeout(session.plan.claimMs)])
				const { speedMs: ms, speedWidths: widths } = session.plan
				speed = await measureSpeed(await session.room('speed', time), { ms, widths, signal: time })
			} catch (error) {
				speedProblem = session.hide(described(error))
			}
		}
		cleanup = await session.finish()
		const count = (outcome: ClaimReport['outcome']): number =>
			claims.filter((claim) => claim.outcome === outcome).length
		const counts = { passed: count('passed'), failed: count('failed'), skipped: count('skipped') }
		const recommended = speed && recommend(speed)
		return {
			contract: DRIVER_CONTRACT,
			...(driver && { driver }),
			location: session.hide(location),
			capabilities,
			level,
			startedAt,
			ms: Math.round(performance.now() - begun),
			isConforming:
				counts.failed === 0 &&
				claims.length === planned.length &&
				cleanup.left.length === 0 &&
				deniedText(denied) === undefined,
			counts,
			claims,
			...(speed && { speed }),
			...(recommended && { recommended }),
			...(speedProblem !== undefined && { speedProblem }),
			...(deniedText(denied) !== undefined && { denied }),
			cleanup,
			...(claims.length < planned.length && {
				stopped: `stopped after ${claims.length} of ${planned.length} claims`,
			}),
		}
	} finally {
		if (!cleanup) await session.finish()
	}
}
