/** How much is done: `quick` takes a minute on a usual store, `full` some minutes, `soak` hours. */
export type Level = 'quick' | 'full' | 'soak'

/** The amounts of a level. Times are in milliseconds, sizes in bytes. */
export interface Plan {
	/** Bound of one claim. */
	readonly claimMs: number
	/** Within this a call that was aborted, or a store that is disposed of, must be over. */
	readonly settleMs: number
	/** How long an object is held to prove retention. */
	readonly holdMs: number
	/** An object that does not fit into one request of a usual store. */
	readonly largeBytes: number
	/** How many keys the prefixes have that are listed; each count once. */
	readonly listed: readonly number[]
	/** Create-only puts that race for one key, and how many such races there are. */
	readonly raceClients: number
	readonly raceRounds: number
	/** How long the mixed workload runs; 0 for not at all. */
	readonly workloadMs: number
	/** Size of the object that must not be held in memory; 0 for not at all. */
	readonly memoryBytes: number
	/** How long one figure of the speed is measured; 0 for not at all. */
	readonly speedMs: number
	/** At how many calls in flight it is measured, ascending; a store that takes fewer is measured at its most. */
	readonly speedWidths: readonly number[]
}

const MIB = 2 ** 20

export const PLANS: Readonly<Record<Level, Plan>> = {
	quick: {
		claimMs: 60_000,
		settleMs: 5000,
		holdMs: 10_000,
		largeBytes: 2 * MIB + 1,
		listed: [0, 1, 1001],
		raceClients: 8,
		raceRounds: 5,
		workloadMs: 0,
		memoryBytes: 0,
		speedMs: 1000,
		speedWidths: [1, 4, 16],
	},
	full: {
		claimMs: 300_000,
		settleMs: 5000,
		holdMs: 10_000,
		largeBytes: 17 * MIB + 1,
		listed: [0, 1, 999, 1000, 1001],
		raceClients: 32,
		raceRounds: 25,
		workloadMs: 10_000,
		memoryBytes: 256 * MIB,
		speedMs: 3000,
		speedWidths: [1, 4, 16],
	},
	soak: {
		claimMs: 3_600_000,
		settleMs: 5000,
		holdMs: 30_000,
		largeBytes: 129 * MIB + 1,
		listed: [0, 1, 999, 1000, 1001, 2500, 10_000],
		raceClients: 32,
		raceRounds: 200,
		workloadMs: 600_000,
		memoryBytes: 2048 * MIB,
		speedMs: 10_000,
		speedWidths: [1, 4, 16, 64],
	},
}
