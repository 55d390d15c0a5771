import type { ConformanceOptions } from './options.ts'
import { PLANS } from './plan.ts'
import { claimsFor, startSession } from './session.ts'

/** What a test runner gives. */
export interface Runner {
	group(name: string, body: () => void): void
	/** Registers a test. `skip` ends it as skipped. */
	test(
		name: string,
		timeoutMs: number,
		body: (test: { readonly signal?: AbortSignal; skip(reason: string): void }) => Promise<void>,
	): void
	after(timeoutMs: number, body: () => Promise<void>): void
}

const MARGIN_MS = 10_000
const CLEANUP_MS = 130_000

/** Registers a test for each claim of the level, and the clean-up after them. */
export function register(runner: Runner, name: string, options: ConformanceOptions): void {
	const bound = { ...PLANS[options.level ?? 'quick'], ...options.plan }.claimMs + MARGIN_MS
	runner.group(name, () => {
		const session = startSession(options)
		for (const claim of claimsFor(options.level)) {
			runner.test(`${claim.id}: ${claim.title}`, bound, async ({ signal, skip }) => {
				const { outcome, detail = '' } = await session.check(claim, signal)
				if (outcome === 'failed') throw new Error(`${claim.id}: ${detail}`)
				if (outcome === 'skipped') skip(detail)
			})
		}
		runner.after(CLEANUP_MS, async () => {
			const { left, problem } = await session.finish()
			if (left.length > 0) throw new Error(`the clean-up left ${left.join(', ')}${problem ? ` (${problem})` : ''}`)
		})
	})
}
