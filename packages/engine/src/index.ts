export { backup } from './backup/backup.ts'
export type { BackedUpTable, BackupEncryption, BackupOptions, BackupResult } from './backup/backup-options.ts'
export type { Note } from './backup/backup-plan.ts'
export { restore } from './restore/restore.ts'
export type {
	Problem,
	RestoredDirectory,
	RestoredTable,
	RestoreOptions,
	RestoreResult,
} from './restore/restore-options.ts'
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

export { createKeyring, type Keyring } from './encryption/keyring.ts'
export { keysOf, type OpenedBackup, openBackup } from './encryption/open-backup.ts'
