import type { CallOptions } from '../storage/storage.ts'
import type { BackupError } from '../errors/backup-error.ts'

/** Kinds of long operations by the names that the server lists them under. */
export const OPERATION_KINDS = [
	'export/s3',
	'import/s3',
	'export/yt',
	'buildindex',
	'scriptexec',
	'incbackup',
	'restore',
] as const
export type OperationKind = (typeof OPERATION_KINDS)[number]

/** How far one table or other object of an export or import is. */
export interface OperationItem {
	/** As the request spelt it; absent where the server does not say. */
	readonly path?: string | undefined
	readonly partsDone: number
	readonly partsTotal: number
}

/** Work that the cluster does by itself and that survives whoever began it. */
export interface ClusterOperation {
	/** Opaque: `ydb://export/6?id=281474976788395&kind=s3`. */
	readonly id: string
	/** Everything that is not known to be an end is `running`: newer servers have states that we do not know. */
	readonly state: 'running' | 'done' | 'failed'
	/** The server's own word for how far it is, such as `TRANSFER_DATA`; a number where it is a newer one's. */
	readonly progress: string | undefined
	/** 0 to 100, where the server says it. */
	readonly percent: number | undefined
	readonly items: readonly OperationItem[]
	/** Why it failed. */
	readonly failure: BackupError | undefined
}

/** The long operations of one database. */
export interface Operations {
	/** Newest first, as the server lists them. Errors: `CONFIG_INVALID` for a kind that the server does not know. */
	list(kind: string, options?: CallOptions): Promise<ClusterOperation[]>
	/** Errors: `OPERATION_NOT_FOUND`. */
	get(id: string, options?: CallOptions): Promise<ClusterOperation>
	/** Asks the server to stop it: it goes on until it says that it has ended. Errors: `OPERATION_NOT_FOUND`, `UNSUPPORTED`. */
	cancel(id: string, options?: CallOptions): Promise<void>
	/**
	 * Takes an ended one off the server's list, and with it what it keeps in the database. A server may refuse for a while after the end.
	 * Succeeds when it is gone. Errors: `DATABASE_REFUSED` while it runs.
	 */
	forget(id: string, options?: CallOptions): Promise<void>
}
