/** The version of the event shapes; it rises when a field changes its meaning, not when one is added. */
export const EVENT_VERSION = 1

export type PhaseName =
	// backup
	| 'list'
	| 'snapshot'
	| 'data'
	| 'objects'
	| 'schemes'
	| 'read-back'
	| 'commit'
	| 'cleanup'
	// restore
	| 'check'
	| 'accounts'
	| 'directories'
	| 'tables'
	| 'indexes'
	| 'changefeeds'
	| 'sequences'
	| 'settings'
	| 'compare'
	| 'swap'
	| 'permissions'
	| 'ttl'

/** What an engine run tells while it runs. Handlers must not throw. */
export type EngineEvent = { readonly version: typeof EVENT_VERSION } & EngineEventBody

export type EngineEventBody =
	| { readonly type: 'phase'; readonly name: PhaseName; readonly text: string }
	| ProgressEvent
	/** Something a person should know; it stands in the result too. `path` is an object of the database. */
	| { readonly type: 'warning'; readonly message: string; readonly path?: string | undefined }
	/** A request or stream failed and is made again. */
	| { readonly type: 'retry'; readonly what: string; readonly reason: string }
	/** Nothing has moved for `idleMs`; `waiting` names what is in flight. The run ends when the stall limit is reached. */
	| { readonly type: 'stalled'; readonly idleMs: number; readonly waiting: readonly string[] }

export interface ProgressEvent {
	readonly type: 'progress'
	readonly rows: number
	/** Bytes of rows as CSV, before compression: the basis of MB/s. */
	readonly bytes: number
	/** Bytes as they are on storage. */
	readonly storedBytes: number
	/** Known when the server has counted (backup) or from the manifest (restore, verify). */
	readonly totalRows?: number | undefined
	/** As `bytes`; an estimate from the rows where only those are known. */
	readonly totalBytes?: number | undefined
	readonly tablesDone: number
	readonly tablesTotal: number
	/** Of an export or import by the cluster, which tells nothing else: partitions. */
	readonly partsDone?: number | undefined
	readonly partsTotal?: number | undefined
	/** Since the run began. */
	readonly elapsedMs: number
}

export type EventHandler = (event: EngineEvent) => void
export type Emit = (event: EngineEventBody) => void
