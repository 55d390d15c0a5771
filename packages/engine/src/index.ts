export { backup } from './backup/backup.ts'
export type { BackedUpTable, BackupEncryption, BackupOptions, BackupResult } from './backup/backup-options.ts'
export { resumeBackup, type ResumeBackupOptions, type ResumedBackupResult } from './resume/resume-backup.ts'
export { deleteBackups, type DeleteBackupsOptions, type DeleteBackupsResult } from './delete/delete-backups.ts'
export {
	pruneBackups,
	type PruneBackupsOptions,
	type PruneBackupsResult,
	type PrunedBackup,
} from './delete/prune-backups.ts'
export { type CopiedBackup, copyBackup, type CopyBackupOptions, type CopyBackupResult } from './copy/copy-backup.ts'
export { collectGarbage, type CollectGarbageOptions } from './garbage/collect-garbage.ts'
export type { CollectGarbageResult, Garbage } from './garbage/garbage.ts'
export type { GarbageDatabase } from './garbage/give-up-run.ts'
export type { Note } from './backup/backup-plan.ts'
export { decideEngine, type EngineChoice } from './cluster/choose-engine.ts'
export { clusterBackup } from './cluster/cluster-backup.ts'
export type { ClusterBackupOptions } from './cluster/cluster-options.ts'
export { type ClusterStore, isServerSide, openServerSide, type OpenClusterStore } from './cluster/cluster-store.ts'
export type { ClusterRestore } from './cluster/fill-by-import.ts'
export { EXPORT_RUNS } from './cluster/cluster-backup.ts'
export { resumeExport, type ResumeExportOptions } from './cluster/resume-export.ts'
export { restore } from './restore/restore.ts'
export { restoreFrom } from './restore/restore-from.ts'
export type {
	Problem,
	RestoredDirectory,
	RestoredTable,
	RestoreFromOptions,
	RestoreFromResult,
	RestoreOptions,
	RestoreOutcome,
	RestoreResult,
	RestoreSettings,
} from './restore/restore-options.ts'
export { exportDump } from './export/export-dump.ts'
export type { DumpTarget, ExportDumpOptions, ExportDumpResult, ExportedTable } from './export/export-options.ts'
export { verify, type VerifyOptions, type VerifyReport } from './verify/verify.ts'
export { type NativeReport, verifyNative, type VerifyNativeOptions } from './verify/verify-native.ts'
export type { Finding } from './part/finding.ts'
export {
	type EngineEvent,
	type EngineEventBody,
	EVENT_VERSION,
	type EventHandler,
	type PhaseName,
	type ProgressEvent,
} from './events/event.ts'
export type { Warning } from './events/reporter.ts'
export {
	createCollection,
	type CreateCollectionOptions,
	type CreateCollectionResult,
} from './collection/create-collection.ts'
export {
	describeCollection,
	type DescribeCollectionOptions,
	type DescribedCollection,
	type DescribedLink,
	listCollections,
	type ListedCollection,
} from './collection/describe-collection.ts'
export { dropCollection, type DropCollectionOptions, type DropCollectionResult } from './collection/drop-collection.ts'
export {
	restoreCollection,
	type RestoreCollectionOptions,
	type RestoreCollectionResult,
} from './collection/restore-collection.ts'
export { takeLink, type TakeLinkOptions, type TakeLinkResult } from './collection/take-link.ts'
export { STREAM_HOURS } from './collection/chain-state.ts'
export { shipCollection } from './collection/ship-collection.ts'
export type { ShippedLinkResult, ShipOptions, ShipResult } from './collection/ship-options.ts'
export {
	pruneCollection,
	type PruneCollectionOptions,
	type PruneCollectionResult,
	type PrunedChain,
} from './collection/prune-collection.ts'

export { withProof } from './part/with-proof.ts'
export { createKeyring, type Keyring } from './encryption/keyring.ts'
export { keysOf, type OpenedBackup, openBackup } from './encryption/open-backup.ts'
