import type { Warning } from '../events/reporter.ts'

/** Something that nobody will finish. */
export interface Garbage {
	/**
	 * `deletion`: of a backup, that was cut off; `copies`: a work directory in the database that no run and no backup speaks of; `uploads`: begun and
	 * not completed within a day.
	 */
	readonly kind: 'run' | 'deletion' | 'copies' | 'lease' | 'uploads'
	/** The id of a run or backup, the path of a directory, the token of a lease; of uploads how many. */
	readonly name: string
	/** `kept`: somebody may need it, or it is not known; `failed`: it should go, and could not. In a dry run what would go is `removed`. */
	readonly state: 'removed' | 'kept' | 'failed'
	readonly reason: string
	/** That were deleted; of exports by the cluster they are not counted. */
	readonly objects: number
}

export interface CollectGarbageResult {
	readonly dryRun: boolean
	/** `partial` when something failed. */
	readonly outcome: 'complete' | 'partial'
	readonly garbage: readonly Garbage[]
	readonly warnings: readonly Warning[]
}
