import { BackupError, type CollectionLink, type CollectionSource } from '@ydbackup/core'

import type { Reporter } from '../events/reporter.ts'
import { sleep } from '../flow/sleep.ts'

/** Between two looks: small increments are written at once. */
const FIRST_POLL_MS = 10
const POLL_MS = 1_000

/** Waits until the server has written all of a link, at most `waitMs`. Errors: `CHAIN_BROKEN` when it never will. */
export async function settled(
	source: CollectionSource,
	link: CollectionLink,
	{
		waitMs,
		signal,
		reporter,
	}: { readonly waitMs: number; readonly signal: AbortSignal | undefined; readonly reporter: Reporter },
): Promise<'complete' | 'running'> {
	const deadline = performance.now() + waitMs
	for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(POLL_MS, pollMs * 2)) {
		const progress = await source.progress(link, { signal })
		if (progress === 'complete') return progress
		if (progress === 'failed') {
			throw new BackupError('CHAIN_BROKEN', `${link.name}: the server's operation that should write it has failed`, {
				reason: 'gap',
				advice: 'take a full backup of the collection: a new chain begins with it',
			})
		}
		if (performance.now() >= deadline) return progress
		if (pollMs === FIRST_POLL_MS) reporter.phase('check', `waiting until the server has written ${link.name}`)
		await sleep(Math.min(pollMs, deadline - performance.now()), signal, `waiting for ${link.name}`)
	}
}
