/** A capability that is absent, with the reason a person should read. */
export interface Lacking {
	readonly lacking: string
}

/**
 * What a store can do. A driver value *claims* them, for documentation and planning; an opened {@link Storage} *has* them,
 * after its probe. `true` (or a number) is a promise that the conformance kit tests; `{ lacking }` says why not.
 */
export interface Capabilities {
	/**
	 * `put` with `ifAbsent` is atomic across all clients. Without it, repositories rely on unique names and on a lease
	 * with a settle delay.
	 */
	readonly conditionalCreate: true | Lacking
	/** `list`, `stat` and `get` see every finished put and delete at once, from any connection. Without it nothing is pruned. */
	readonly strongList: true | Lacking
	/** `list` yields keys in ascending order of their bytes. */
	readonly orderedList: true | Lacking
	/** `get` with a range reads only that range. Without it whole objects are read. */
	readonly rangeRead: true | Lacking
	/** Objects can be held until a date (`retainUntil`, `extendRetention`). */
	readonly retention: true | Lacking
	/** Objects can be copied inside the store (`copy`). */
	readonly serverSideCopy: true | Lacking
	/** Largest object, in bytes. */
	readonly maxObjectBytes: number
	/** Longest key, in bytes; at least 512. */
	readonly maxKeyBytes: number
	/** Most requests that may usefully be in flight at once. */
	readonly maxConcurrency: number
}
