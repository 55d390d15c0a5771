import type { Capabilities } from '@ydbackup/core'
import type { ClaimGroup } from './claim.ts'
import type { Denied } from './rights.ts'
import type { Level } from './plan.ts'

/** How one claim ended. */
export interface ClaimReport {
	readonly id: string
	readonly group: ClaimGroup
	readonly title: string
	readonly outcome: 'passed' | 'failed' | 'skipped'
	readonly ms: number
	/** Of `failed`: what was seen. Of `skipped`: why. */
	readonly detail?: string
}

/** One measurement. */
export interface Speed {
	readonly inFlight: number
	/** Milliseconds for one object of 1 KiB: the middle one, and the one that 95 of 100 are not above. */
	readonly putMs: Latency
	readonly getMs: Latency
	/** Millions of bytes in a second, with objects of 4 MiB. */
	readonly putMBps: number
	readonly getMBps: number
}

export interface Latency {
	readonly p50: number
	readonly p95: number
}

export interface Recommended {
	/** Fewest requests in flight that come within a tenth of the best put throughput, and of the best get throughput. */
	readonly putsInFlight: number
	readonly getsInFlight: number
}

export interface Cleanup {
	readonly removed: number
	/** Keys that are still there, at most ten of them; the run's prefix is in each. */
	readonly left: readonly string[]
	readonly problem?: string
}

/** What a run found. It is plain data, without secrets. */
export interface ConformanceReport {
	readonly contract: number
	readonly driver?: { readonly name: string; readonly version?: string }
	readonly location: string
	/** As probed by the store. */
	readonly capabilities: Capabilities
	readonly level: Level
	/** ISO 8601, UTC. */
	readonly startedAt: string
	readonly ms: number
	/** No claim failed, all were tried or skipped for a reason, and nothing was left behind. */
	readonly isConforming: boolean
	readonly counts: { readonly passed: number; readonly failed: number; readonly skipped: number }
	readonly claims: readonly ClaimReport[]
	readonly speed?: readonly Speed[]
	readonly recommended?: Recommended
	/** Why there is no speed. */
	readonly speedProblem?: string
	/** Calls that the store refuses to these credentials, with its words: what needs them was skipped, and nothing is proven by it. */
	readonly denied?: Denied
	readonly cleanup: Cleanup
	/** Why the run ended before all claims were tried. */
	readonly stopped?: string
}
