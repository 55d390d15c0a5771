import { type BackupError, isBackupError } from '@ydbackup/core'
import { type PatienceOptions, patiently } from './patience.ts'

/** Looks whether what a change wanted is there. Called with the refusal that may only mean that it is. */
export type IsDone = (refusal: BackupError) => boolean | Promise<boolean>

/**
 * Makes a change that cannot be made twice, until it is known how it ended: tried again like any call, and when an answer was lost and the
 * next one is a refusal, `isDone` decides. Undefined when the answer that would have been the result was lost.
 */
export async function settle<T>(
	options: PatienceOptions,
	send: () => Promise<T>,
	isDone: IsDone,
): Promise<T | undefined> {
	let isUncertain = false
	const onRetry = (reason: BackupError): void => {
		isUncertain ||= leavesOpen(reason)
		options.onRetry?.(reason)
	}
	return patiently({ ...options, onRetry }, async () => {
		try {
			return await send()
		} catch (error) {
			if (isUncertain && isBackupError(error) && error.retry === 'no' && (await isDone(error))) return undefined
			throw error
		}
	})
}

/** Whether what failed may have been carried out. */
function leavesOpen({ code, reason }: BackupError): boolean {
	return code === 'DATABASE_UNREACHABLE' || code === 'DEADLINE_EXCEEDED' || reason === 'UNDETERMINED'
}
