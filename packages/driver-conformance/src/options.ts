import type { Storage } from '@ydbackup/core'
import type { Level, Plan } from './plan.ts'
import type { ClaimReport } from './report.ts'

/** Opens a store. */
export type OpenStore = (options: { readonly signal: AbortSignal }) => Promise<Storage>

export interface ConformanceOptions {
	/** Opens the store that is tried, always the same one; each call makes a connection of its own. Up to six are open at once. */
	readonly open: OpenStore
	/** `quick` by default. */
	readonly level?: Level
	/** Replaces amounts of the level. */
	readonly plan?: Partial<Plan>
	/** For the report. */
	readonly driver?: { readonly name: string; readonly version?: string }
	/** Strings that no error and no location may show: the credentials in use. They are in no report either. */
	readonly secrets?: readonly string[]
	/** Opens the same store with credentials that it does not know. It may throw, or what it opens must refuse. */
	readonly openRefused?: OpenStore
	/** Opens the same store with credentials that may read and not write. */
	readonly openReadOnly?: OpenStore
	/** Opens another store, of another driver: a repository is copied from there to here and back. Without it the copy stays in this store. */
	readonly openOther?: OpenStore
	/** Where another process can open the same store: it is killed in the middle of a put. */
	readonly process?: {
		/** URL of a module whose default export is a `StorageDriver`. */
		readonly driver: string
		/** Location for it. The process has the environment variables of this one. */
		readonly location: string
	}
	/** The store is in the memory of this process, so that nothing can be said about the driver's own use of it. */
	readonly isInProcess?: boolean
	/** Stops the run within seconds; what it wrote is removed nevertheless. */
	readonly signal?: AbortSignal
}

export interface RunOptions extends ConformanceOptions {
	/** Hears of each claim when it is over. */
	readonly onProgress?: (progress: {
		readonly claim: ClaimReport
		readonly done: number
		readonly total: number
	}) => void
}
