import { BackupError, isBackupError } from '@ydbackup/core'
import { isParseError, parseFailure } from './parse-failure.ts'

/** Turns whatever was thrown into the one error that is shown. `command` is named in the advice. */
export function failureOf(error: unknown, command: string): BackupError {
	if (isBackupError(error)) return error
	if (!(error instanceof Error)) return new BackupError('INTERNAL', String(error), { cause: error })
	if (isParseError(error)) return parseFailure(error, command)
	return new BackupError('INTERNAL', `${error.name}: ${error.message || 'no message'}`, {
		advice: 'this is a fault of ydbackup: run the command again with --debug and report what it prints',
		cause: error,
	})
}
