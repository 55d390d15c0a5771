import type { CallOptions } from '../storage/storage.ts'
import type { ClusterOperation, Operations } from './operations.ts'

/** An S3 as the nodes of a cluster are told of it. */
export interface S3Place {
	/** Host, port where it is not the usual one, and path: without a scheme. */
	readonly endpoint: string
	readonly scheme: 'HTTP' | 'HTTPS'
	readonly bucket: string
	readonly region?: string | undefined
	readonly storageClass?: string | undefined
	readonly isPathStyle: boolean
	readonly accessKey: string
	readonly secretKey: string
}

export interface ClusterKey {
	/** As YDB spells it: `AES-128-GCM`. */
	readonly algorithm: string
	readonly bytes: Uint8Array
}

export interface ExportRequest extends CallOptions {
	readonly place: S3Place
	/** Of the whole export: it gets a mapping. Absent: each item stands by itself at its own prefix. */
	readonly prefix?: string | undefined
	readonly items: readonly {
		/** Relative to the database. */
		readonly path: string
		/** Below {@link prefix}; absent: the server chooses. */
		readonly prefix?: string | undefined
	}[]
	/** `zstd-N`; absent: none. */
	readonly compression?: string | undefined
	readonly key?: ClusterKey | undefined
	/** Tries of each request to the store before the export fails. The server waits minutes between them. */
	readonly retries: number
	/** The same one again gives the operation that was begun with it, and begins nothing. */
	readonly uid: string
	readonly description: string
}

export interface ImportRequest extends CallOptions {
	readonly place: S3Place
	/** Of the whole export. */
	readonly prefix: string
	/** What to take, by its folder below {@link prefix}, and where it goes, relative to the database. */
	readonly items: readonly { readonly prefix: string; readonly target: string }[]
	readonly key?: ClusterKey | undefined
	readonly retries: number
	readonly noAcl: boolean
	readonly uid: string
	readonly description: string
}

export interface ListExportRequest extends CallOptions {
	readonly place: S3Place
	readonly prefix: string
	readonly key?: ClusterKey | undefined
}

/** Exports and imports that the nodes of one database do by themselves. */
export interface ClusterTransfers {
	readonly database: string
	readonly operations: Operations
	/** Errors: `DATABASE_REFUSED`, `DATABASE_PERMISSION`, `PATH_NOT_FOUND`, `UNSUPPORTED`. Later failures are the operation's. */
	startExport(request: ExportRequest): Promise<ClusterOperation>
	startImport(request: ImportRequest): Promise<ClusterOperation>
	/** What the cluster finds at a place: it reads the mapping. Errors: `UNSUPPORTED` where the server does not offer it. */
	listExport(request: ListExportRequest): Promise<{ readonly prefix: string; readonly path: string }[]>
	/** Bytes that tables take up in the cluster, by path; an estimate of the server. */
	sizes(paths: readonly string[], options?: CallOptions): Promise<ReadonlyMap<string, number>>
}
