export { compareBackupIds, type BackupIdParts, formatBackupId, nextBackupId, parseBackupId } from './id/backup-id.ts'
export type { BackupEntry, DamagedBackup, ReadableBackup } from './repository/backup-entry.ts'
export { type InitOptions, type ListBackupsOptions, type ReadBackup, Repository } from './repository/repository.ts'
export type { ListedRun } from './runs/list-runs.ts'
export type { KeyUse } from './keys/key-use.ts'
export type { RunRecord } from './runs/run-record.ts'
export { checkLink } from './chain/check-chain.ts'
export { type ChainPlace, chainPlaces } from './chain/draw-chains.ts'
export { readChain } from './chain/read-chain.ts'
export { holdBackup, releaseBackup } from './holds/hold-backup.ts'
export { activeHold, type Hold, holdText, type HoldTerms, listHolds, putHold } from './holds/holds.ts'
export { planPrune, type PruneChoice, type PruneDecision } from './retention/plan-prune.ts'
export { applyRules, type Candidate, hasRule, type RetentionRules } from './retention/rules.ts'
export { type Lease, leased, type LeaseOptions, leaseText, takeLease, takeLeaseIfAllowed } from './leases/lease.ts'
export type { LeasePurpose, LeaseRecord } from './leases/lease-record.ts'
export { type ListedLease, listLeases, type ListLeasesOptions } from './leases/list-leases.ts'
export { isKnownDead, type Owner, thisOwner } from './leases/owner.ts'
export { listProofs, putProof, readProof } from './proofs/proofs.ts'
export { findNeeds, type FindNeedsOptions, type Need } from './remove/find-needs.ts'
export {
	assertShowsUsers,
	removeBackups,
	type RemoveBackupsOptions,
	type RemovedBackup,
} from './remove/remove-backups.ts'
export { removeObjects, type Removed, type RemoveObjectsOptions } from './remove/remove-objects.ts'
export { putRunFile, readRunFiles, type RunFile } from './runs/run-files.ts'
export { assertNotDeleted, listTombstones, putTombstone } from './tombstones/tombstones.ts'
