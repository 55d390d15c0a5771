/** What `ydb import` or `ydb tools validate` would stumble over. */
export interface NativeProblem {
	/** Relative to the root of the export. */
	readonly file: string
	readonly message: string
}

/** A file that breaks a rule; caught by the check of that file. */
export class Broken extends Error {}

export function demand(holds: boolean, message: string): asserts holds {
	if (!holds) throw new Broken(message)
}
