import { setTimeout as sleep } from 'node:timers/promises'
import { type BackupError, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import type { Task } from './http.ts'

const FIRST_PAUSE_MS = 150
const LONGEST_PAUSE_MS = 8000
/** Whoever asks for a longer pause gets the caller's patience, not ours. */
const LONGEST_ASKED_MS = 20_000

/** Throws when the task was stopped. */
export function throwIfStopped({ signal, doing }: Task): void {
	throwIfInterrupted(signal, `trying to ${doing}`)
}

/** Whether the store itself may answer differently another time. */
export function mayHelp(error: unknown): error is BackupError {
	return isBackupError(error) && error.retry !== 'no' && error.code.startsWith('STORAGE_')
}

/** Waits before try number `next` (2 or more), or throws the error where waiting would not help or be too long. */
export async function pauseBefore(next: number, error: unknown, task: Task): Promise<void> {
	throwIfStopped(task)
	if (!mayHelp(error)) throw error
	const { retryAfterMs: asked = 0 } = error
	if (asked > LONGEST_ASKED_MS) throw error
	const own = Math.min(FIRST_PAUSE_MS * 2 ** (next - 2), LONGEST_PAUSE_MS) * (0.5 + Math.random())
	const { signal } = task
	await sleep(Math.max(own, asked), undefined, signal ? { signal } : {}).catch((reason: unknown) => {
		if (!signal?.aborted) throw reason
	})
	throwIfStopped(task)
}

/** Makes a request again while that may help, a few times. */
export async function trying<T>(task: Task, tries: number, work: (attempt: number) => Promise<T>): Promise<T> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await work(attempt)
		} catch (error) {
			if (attempt >= tries) throw error
			await pauseBefore(attempt + 1, error, task)
		}
	}
}
