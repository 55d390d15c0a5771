import type { BackupError } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

/** A backup as a listing shows it: readable, or with the reason why it is not. */
export type BackupEntry = ReadableBackup | DamagedBackup

export interface ReadableBackup {
	readonly id: string
	readonly manifest: Manifest
	readonly error?: undefined
}

export interface DamagedBackup {
	readonly id: string
	readonly manifest?: undefined
	readonly error: BackupError
}

/** A manifest that a listing of the store shows, without a look at what it holds. */
export interface ListedManifest {
	readonly id: string
	readonly key: string
	/** False when the name is no id: somebody else put it there. */
	readonly isId: boolean
	readonly size: number
	readonly modifiedAt?: Date | undefined
}
