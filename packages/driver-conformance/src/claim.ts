import type { Capabilities, Storage } from '@ydbackup/core'
import type { ConformanceOptions } from './options.ts'
import type { Plan } from './plan.ts'

export type ClaimGroup =
	| 'contract'
	| 'keys'
	| 'list'
	| 'range'
	| 'atomicity'
	| 'conditional-create'
	| 'consistency'
	| 'integrity'
	| 'faults'
	| 'golden'
	| 'retention'
	| 'permissions'
	| 'resources'

/** The keys that claims about listings share: putting them is the slow part. */
export interface Listing {
	/** The store below which they are. */
	readonly store: Storage
	/** By prefix: the keys, ascending. */
	readonly keys: ReadonlyMap<string, readonly string[]>
}

/** What one claim has to work with: stores whose keys are its own, seen through several connections. */
export interface Trial {
	readonly store: Storage
	/** What stands before the claim's keys in the driver's: for the longest key. */
	readonly prefix: string
	readonly plan: Plan
	/** Aborts when the claim's time is up or the run is stopped. */
	readonly signal: AbortSignal
	/** The same keys through another connection, 1 to 4. It is shared: do not dispose of it. */
	another(index?: number): Promise<Storage>
	/** The same keys through a connection that nobody else has. */
	fresh(): Promise<Storage>
	listing(): Promise<Listing>
	/** Tells the clean-up that an object is held until then. */
	holds(until: Date): void
	/** The first secret that an error of the run has shown, and where; nothing if none has. */
	leak(): string | undefined
	readonly options: ConformanceOptions
}

/** What is known before a claim is tried. */
export interface Known {
	readonly capabilities: Capabilities
	readonly plan: Plan
	readonly options: ConformanceOptions
}

/** One thing that a driver must do. Ids are stable. */
export interface Claim {
	/** `group.name` */
	readonly id: string
	readonly group: ClaimGroup
	/** A sentence that is true of a good driver. */
	readonly title: string
	/** The lowest level that tries it; `quick` by default. */
	readonly level?: 'full'
	/** Why it cannot be tried here. */
	readonly skip?: (known: Known) => string | undefined
	/** Throws when the claim does not hold. */
	readonly check: (trial: Trial) => Promise<void>
}

type Named = Omit<Claim, 'id' | 'group'>

/** The claims of a group, by name. */
export function claimsOf(group: ClaimGroup, claims: Readonly<Record<string, Named>>): readonly Claim[] {
	return Object.entries(claims).map(([name, claim]) => Object.assign({ id: `${group}.${name}`, group }, claim))
}

/** For {@link Claim.skip}: skips where the store says that it lacks the capability. */
export function needs(
	name: 'conditionalCreate' | 'strongList' | 'orderedList' | 'rangeRead' | 'retention' | 'serverSideCopy',
): (known: Known) => string | undefined {
	return ({ capabilities }) => {
		const has = capabilities[name]
		return has === true ? undefined : `${name} is lacking: ${has.lacking}`
	}
}
