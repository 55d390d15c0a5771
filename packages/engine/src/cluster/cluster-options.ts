import type { ClusterTransfers, SnapshotSink } from '@ydbackup/core'

import type { BackupOptions } from '../backup/backup-options.ts'
import type { OpenClusterStore } from './cluster-store.ts'

export interface ClusterBackupOptions extends Omit<BackupOptions, 'parent' | 'countRows'> {
	readonly transfers: ClusterTransfers
	/** For the table of the probe. */
	readonly sink: SnapshotSink
	readonly openStore: OpenClusterStore
	/** Whether the store is a bridge: the run ends with this process. */
	readonly isBridged: boolean
	/** Whether the connection to the cluster is encrypted: keys are sent over no other one, unless {@link sendKeyInClear}. */
	readonly isSecure: boolean
	readonly sendKeyInClear?: boolean | undefined
	/** How long the cluster may take to show that it reaches the store; 60 s by default. */
	readonly probeLimitMs?: number | undefined
	/** Tries of each request by the cluster to the store; 10 by default. It waits minutes between them. */
	readonly retries?: number | undefined
}
