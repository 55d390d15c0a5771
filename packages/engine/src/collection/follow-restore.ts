import { BackupError, type CollectionRestore } from '@ydbackup/core'

import type { Reporter } from '../events/reporter.ts'
import { sleep } from '../flow/sleep.ts'

/** The `reason` of the error that says so. */
export const RESTORE_FAILED = 'restore-failed'
export const RESTORE_WAIT_MS: number = 24 * 3_600_000
const FIRST_POLL_MS = 20
const POLL_MS = 1_000

export interface FollowOptions {
	readonly waitMs: number
	readonly signal: AbortSignal | undefined
	readonly reporter: Reporter
	/** Called at every look. */
	readonly touch?: (() => void) | undefined
}

/**
 * Follows RESTORE to its true end: the server answers before, and calls one that failed done. Errors: `DATABASE_REFUSED` when it has failed;
 * `DEADLINE_EXCEEDED`, `INTERRUPTED` while it goes on, because nobody can stop it.
 */
export async function followRestore(name: string, restore: CollectionRestore, options: FollowOptions): Promise<void> {
	const { waitMs, signal, reporter, touch } = options
	const deadline = performance.now() + waitMs
	let said: string | undefined
	for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(POLL_MS, pollMs * 2)) {
		const { state, percent, reason } = await restore.progress({ signal })
		touch?.()
		if (state === 'complete') return
		if (state === 'failed') {
			throw new BackupError(
				'DATABASE_REFUSED',
				`RESTORE of ${name} has failed in the server: ${reason ?? 'it does not say why'}`,
				{
					reason: RESTORE_FAILED,
					advice: 'its tables hold a part of the rows: drop them before restoring again',
				},
			)
		}
		const text = `the server restores ${name}${percent === undefined ? '' : `: ${percent} %`}`
		if (text !== said) reporter.phase('data', text)
		said = text
		if (performance.now() >= deadline) {
			throw new BackupError(
				'DEADLINE_EXCEEDED',
				`RESTORE of ${name} is not done after ${Math.round(waitMs / 1000)} s`,
				{
					retry: 'no',
					advice: 'it goes on in the server, which cannot stop it: ydb operation list restore says when it is done',
				},
			)
		}
		await sleep(Math.min(pollMs, deadline - performance.now()), signal, `waiting for RESTORE of ${name}`)
	}
}
