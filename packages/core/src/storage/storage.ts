import type { Capabilities } from './capabilities.ts'

/** Every call may be abandoned: after the signal aborts it settles within a few seconds, with everything released. */
export interface CallOptions {
	readonly signal?: AbortSignal | undefined
}

export interface ObjectInfo {
	readonly key: string
	/** Bytes. */
	readonly size: number
	/** When the store says the object was written; absent where it does not say. Never compared with our own clock alone. */
	readonly modifiedAt?: Date | undefined
}

/**
 * What `put` writes: the bytes, or a function that opens the stream. The function may be called more than once, each time
 * for one whole attempt, and each stream must yield the same bytes. A one-shot stream cannot be passed: it could not be retried.
 * A piece of a stream is the driver's until it asks for the next one; then its memory is used again.
 */
export type PutBody = Uint8Array | (() => AsyncIterable<Uint8Array>)

export interface PutOptions extends CallOptions {
	/** Fail with `STORAGE_ALREADY_EXISTS` when the key exists. Needs `conditionalCreate`. */
	readonly ifAbsent?: boolean | undefined
	/** Size of the whole body in bytes, where it is known before. A body of another size is refused and nothing is stored. */
	readonly size?: number | undefined
	/** Lower-case hex of the SHA-256 of the whole body, where it is known before. A body with another hash is refused and nothing is stored. */
	readonly sha256?: string | undefined
	/** Hold the object until then. Needs `retention`. */
	readonly retainUntil?: Date | undefined
}

export interface ByteRange {
	/** First byte, from 0. */
	readonly offset: number
	/** Bytes to read; to the end when absent. */
	readonly length?: number | undefined
}

export interface GetOptions extends CallOptions {
	readonly range?: ByteRange | undefined
}

export interface ListOptions extends CallOptions {
	/** Yield only keys above this one, by bytes. */
	readonly startAfter?: string | undefined
}

/** An object that is being read. Iterate `bytes` once, to the end, or break out of the loop: either releases everything. */
export interface ObjectBody {
	readonly info: ObjectInfo
	/** Exactly the range asked for. A shorter object or a cut connection throws; it never ends early. */
	readonly bytes: AsyncIterable<Uint8Array>
}

/** Where the cluster itself could write or read the same objects (server-side export and import). */
export interface ServerSideTarget {
	readonly kind: 's3' | 'fs'
	/** Without secrets. */
	readonly settings: Readonly<Record<string, string>>
	/** Asks for the credentials at the moment of use. */
	credentials?(): Promise<Readonly<Record<string, string>>>
}

/**
 * An opened store: a flat space of immutable objects below the location it was opened with.
 *
 * Promises
 * 1. `put` is all or nothing: while it runs, and after it failed, was aborted or the process died, the key is absent or has
 *    its old complete value, seen through `get`, `stat` and `list` alike. It resolves only when the object is durable.
 * 2. After `put` or `delete` resolved, every connection sees it at once (or `strongList` is lacking).
 * 3. `ifAbsent` has exactly one winner across all clients (or `conditionalCreate` is lacking).
 * 4. Ranges are exact; a range that starts at or beyond the end, or a longer one than the object has, throws `STORAGE_PERMANENT`;
 *    an empty range (`length` 0) within the object yields nothing.
 * 5. `list` is complete or throws, however many keys there are; it yields sizes.
 * 6. `delete` of a missing key succeeds; of a held object it throws `STORAGE_PERMISSION`.
 * 7. Memory is bounded, whatever the size of objects and listings. Nothing is logged; no message holds a secret.
 * 8. Errors are BackupErrors with a `STORAGE_*` code. The driver retries buffered parts of one put or reads by itself, as its
 *    SDK does, within bounds; whole calls are retried by the wrapper, not by the driver.
 *
 * Demands on callers
 * - Keys match `[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*`, have no segment `.` or `..` and are at most 512 bytes: {@link assertKey}.
 *   They are opaque and case-sensitive.
 * - Nothing is rewritten: a store with rights to put, get and list only must do.
 */
export interface Storage extends AsyncDisposable {
	/** Where this is, fit for a person and free of secrets. */
	readonly location: string
	readonly capabilities: Capabilities

	/** Writes a whole object. Errors: `STORAGE_ALREADY_EXISTS`, `STORAGE_INTEGRITY`, `STORAGE_QUOTA`, … An error that the body throws is thrown as it is, and nothing is stored. */
	put(key: string, body: PutBody, options?: PutOptions): Promise<ObjectInfo>
	/** Opens an object. Errors: `STORAGE_NOT_FOUND`. */
	get(key: string, options?: GetOptions): Promise<ObjectBody>
	/** Absence is a value here. A refusal is an error, never `undefined`. */
	stat(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>
	/** Every object whose key starts with `prefix`, which need not end at a slash. */
	list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>
	delete(key: string, options?: CallOptions): Promise<void>

	/** Present if and only if `serverSideCopy`. */
	copy?(from: string, to: string, options?: PutOptions): Promise<ObjectInfo>
	/** Present if and only if `retention`. Never shortens. */
	extendRetention?(key: string, until: Date, options?: CallOptions): Promise<void>
	/** Removes what failed puts left behind (parts, temporary files) that is older than the date. Returns how many. */
	abortStaleUploads?(olderThan: Date, options?: CallOptions): Promise<number>
	serverSideTarget?(prefix: string): ServerSideTarget | undefined
}
