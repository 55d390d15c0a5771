import { BackupError } from '@ydbackup/core'

const ADVICE = 'take this object from another backup; leave out what needs it to restore the rest'

export function objectMissing(key: string, cause?: unknown): BackupError {
	return new BackupError('OBJECT_MISSING', `${key} is not on storage`, { advice: ADVICE, cause })
}

export function objectDamaged(key: string, how: string, cause?: unknown): BackupError {
	return new BackupError('OBJECT_DAMAGED', `${key} is damaged: ${how}`, { advice: ADVICE, cause })
}
